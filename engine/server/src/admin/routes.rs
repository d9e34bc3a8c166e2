//! Which path is answered by whom.

use super::authorisation::Caller;
use super::commands;
use super::desk::Desk;
use super::health;
use super::http::{Method, Request, Response, Status};
use super::upload::Upload;
use crate::four_letter::Needs;
use crate::metrics::{self, prometheus};

/// What is served on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// Everything.
    Admin,
    /// `/metrics` alone.
    Metrics,
}

/// Answers a request.
pub(super) fn answer(site: Site, request: &Request, upload: &mut Upload<'_>, caller: &Caller, desk: &Desk) -> Response {
    let path = request.path.trim_end_matches('/');
    let url = desk.settings.command_url.as_str();
    if path == "/metrics" {
        return only_told(request, || metrics(desk));
    }
    if site == Site::Metrics {
        return Response::text(Status::NotFound, "here is /metrics, and nothing else\n");
    }
    match path {
        "/health/live" => only_told(request, || health::live(desk)),
        "/health/ready" => only_told(request, || health::ready(desk)),
        "" => only_told(request, || home(url)),
        _ if path == url => only_told(request, || commands::list(url)),
        _ => match path.strip_prefix(url).and_then(|rest| rest.strip_prefix('/')) {
            Some(name) => commands::answer(name, request, upload, caller, desk),
            None => Response::text(Status::NotFound, format!("nothing is here; the commands are at {url}\n")),
        },
    }
}

/// What can only be told is not asked for by POST.
fn only_told(request: &Request, answer: impl FnOnce() -> Response) -> Response {
    match request.method {
        Method::Get | Method::Head => answer(),
        Method::Post => Response::text(Status::MethodNotAllowed, "ask for this with GET\n"),
    }
}

fn metrics(desk: &Desk) -> Response {
    match desk.ask(Needs { metrics: true, ..Needs::default() }, None) {
        Ok(server) => {
            let text = prometheus::text(&metrics::families(&server));
            Response::new(Status::Ok, prometheus::CONTENT_TYPE, text.into_bytes())
        }
        Err(why) => Response::text(Status::ServiceUnavailable, format!("no metrics: {why}\n")),
    }
}

fn home(url: &str) -> Response {
    let text = format!("{url}\n/metrics\n/health/live\n/health/ready\n");
    Response::text(Status::Ok, text)
}
