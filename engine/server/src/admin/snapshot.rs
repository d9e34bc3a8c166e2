//! The admin command snapshot: has one taken, and sends the file, whose form is this server's own (docs/formats.md).

use super::authorisation::{self, Caller, Denied};
use super::commands;
use super::desk::Desk;
use super::http::{Body, Request, Response, Status};
use crate::four_letter::{Needs, Snapshot};
use crate::spread::Errand;
use ringkeeper_core::ids::Zxid;
use ringkeeper_txnlog::snapshot::snapshot_name;
use std::fs::File;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Time between looks whether the snapshot is there.
const PAUSE: Duration = Duration::from_millis(50);
/// A snapshot that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Why there is no snapshot.
#[derive(Debug, Error)]
enum NoSnapshot {
    #[error("snapshots over HTTP are switched off (admin.snapshot.enabled=false)")]
    Disabled,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("one snapshot in {} s at most (admin.rateLimiterIntervalInMS)", .0.as_secs_f64())]
    TooOften(Duration),
    #[error(transparent)]
    NoFacts(#[from] super::desk::NoFacts),
    #[error("the server has no state that is known to be committed yet: it has no leader")]
    NotServing,
    #[error("the snapshot could not be taken: the server's messages say why")]
    Failed,
    #[error("the snapshot cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
}

impl NoSnapshot {
    fn status(&self) -> Status {
        match self {
            NoSnapshot::Disabled | NoSnapshot::NoFacts(_) | NoSnapshot::NotServing => Status::ServiceUnavailable,
            NoSnapshot::Denied(Denied::Unknown) => Status::Unauthorized,
            NoSnapshot::Denied(Denied::NotGranted) => Status::Forbidden,
            NoSnapshot::TooOften(_) => Status::TooManyRequests,
            NoSnapshot::Failed | NoSnapshot::Unreadable(_) => Status::InternalServerError,
        }
    }
}

/// Answers the command.
pub(super) fn answer(name: &'static str, request: &Request, caller: &Caller, desk: &Desk) -> Response {
    let streams = request.argument("streaming").is_none_or(|text| !text.eq_ignore_ascii_case("false"));
    match take(request, caller, desk) {
        Ok((zxid, file, size)) => {
            tracing::info!(peer = %caller.addr, %zxid, size, streams, "snapshot taken for the admin server");
            let headers = vec![("last_zxid", zxid.to_string()), ("snapshot_size", size.to_string())];
            if streams {
                let content_type = "application/octet-stream";
                return Response { status: Status::Ok, content_type, headers, body: Body::File(file, size) };
            }
            Response { headers, ..commands::json(name, Status::Ok, None, serde_json::Map::new()) }
        }
        Err(error) => {
            tracing::warn!(peer = %caller.addr, %error, "no snapshot for the admin server");
            let mut response = commands::json(name, error.status(), Some(error.to_string()), serde_json::Map::new());
            if matches!(error, NoSnapshot::Denied(Denied::Unknown)) {
                response.headers.push(("WWW-Authenticate", "digest".to_owned()));
            }
            response
        }
    }
}

fn take(request: &Request, caller: &Caller, desk: &Desk) -> Result<(Zxid, File, u64), NoSnapshot> {
    if !desk.settings.snapshots {
        return Err(NoSnapshot::Disabled);
    }
    let server = desk.ask(Needs { root_acl: true, ..Needs::default() }, None)?;
    if !server.serving {
        return Err(NoSnapshot::NotServing);
    }
    let super_digest = desk.access.super_digest.as_deref();
    authorisation::check(request.authorization.as_deref(), caller, &server.root_acl, super_digest)?;
    if !desk.snapshots.take(Instant::now()) {
        desk.words.live.count_admin(|measures| measures.snapshots_too_soon += 1);
        return Err(NoSnapshot::TooOften(desk.settings.interval));
    }
    take_now(desk).inspect_err(|_| desk.words.live.count_admin(|measures| measures.snapshot_errors += 1))
}

fn take_now(desk: &Desk) -> Result<(Zxid, File, u64), NoSnapshot> {
    let zxid = wait(desk)?;
    // Once it is open it can be read to its end, even if a newer snapshot makes it superfluous.
    let file = File::open(desk.data().dir.join(snapshot_name(zxid)))?;
    let size = file.metadata()?.len();
    Ok((zxid, file, size))
}

/// Has a snapshot taken that shows everything that is applied now, and waits for it.
fn wait(desk: &Desk) -> Result<Zxid, NoSnapshot> {
    let asked = desk.ask(Needs::default(), Some(Errand::TakeSnapshot))?;
    let began = Instant::now();
    let mut now = asked.clone();
    loop {
        if let Some(zxid) = there(&asked, &now) {
            return Ok(zxid);
        }
        if now.snapshot_failures > asked.snapshot_failures || began.elapsed() > PATIENCE {
            return Err(NoSnapshot::Failed);
        }
        std::thread::sleep(PAUSE);
        now = desk.ask(Needs::default(), None)?;
    }
}

/// The snapshot that was asked for, if it is there.
fn there(asked: &Snapshot, now: &Snapshot) -> Option<Zxid> {
    now.newest_snapshot.filter(|newest| *newest >= asked.zxid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_snapshot_will_not_do() {
        let at = |zxid, newest: Option<u64>| Snapshot {
            zxid: Zxid(zxid),
            newest_snapshot: newest.map(Zxid),
            ..Snapshot::default()
        };
        let asked = at(7, Some(3));
        assert_eq!(there(&asked, &at(9, Some(3))), None);
        assert_eq!(there(&asked, &at(9, Some(8))), Some(Zxid(8)));
        assert_eq!(there(&at(7, Some(7)), &at(7, Some(7))), Some(Zxid(7)));
    }
}
