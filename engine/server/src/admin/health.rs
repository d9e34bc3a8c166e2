//! `/health/live` and `/health/ready`, for systems that start, stop and replace servers.

use super::desk::{Desk, NoFacts};
use super::http::{Response, Status};
use crate::four_letter::{Needs, Snapshot};

/// Whether the process is worth keeping: its executors turn, or it is still starting. Not, whether it serves: a server
/// without a quorum does not, and starting it anew would not help.
pub(super) fn live(desk: &Desk) -> Response {
    match desk.ask(Needs::default(), None) {
        Ok(_) => Response::text(Status::Ok, "live\n"),
        Err(NoFacts::Starting) => Response::text(Status::Ok, format!("live: {}\n", NoFacts::Starting)),
        Err(silent) => Response::text(Status::ServiceUnavailable, format!("not live: {silent}\n")),
    }
}

/// Whether clients should be sent here: it leads, or follows a leader and is up to date.
pub(super) fn ready(desk: &Desk) -> Response {
    match desk.ask(Needs::default(), None) {
        Ok(server) => readiness(&server),
        Err(why) => Response::text(Status::ServiceUnavailable, format!("not ready: {why}\n")),
    }
}

fn readiness(server: &Snapshot) -> Response {
    if server.serving {
        return Response::text(Status::Ok, format!("ready: {}\n", server.mode.name()));
    }
    let why = if server.outlook.is_empty() { "the first epoch is not on disk yet" } else { &server.outlook };
    Response::text(Status::ServiceUnavailable, format!("not ready: no leader; {why}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::http::Body;

    fn told(server: &Snapshot) -> (Status, String) {
        let response = readiness(server);
        let Body::Bytes(bytes) = response.body else { panic!("a file") };
        (response.status, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_server_is_ready_when_it_serves() {
        let server = Snapshot { serving: true, ..Snapshot::default() };
        assert_eq!(told(&server), (Status::Ok, "ready: standalone\n".to_owned()));
        let server = Snapshot { outlook: "voters in sight: 1".to_owned(), ..Snapshot::default() };
        let (status, text) = told(&server);
        assert!(status == Status::ServiceUnavailable && text.contains("no leader; voters in sight: 1"), "{text}");
    }
}
