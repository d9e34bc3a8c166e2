//! The admin command restore: the state of the whole ensemble becomes that of a snapshot, on all servers with the same
//! transaction. ZooKeeper restores one server at a time, and its operator sees to it that they agree.

mod session;
mod spool;
mod staging;

use super::authorisation::{self, Caller, Denied};
use super::commands;
use super::desk::{Desk, NoFacts};
use super::http::{Method, Request, Response, Status};
use super::upload::Upload;
use crate::config::table as keys;
use crate::four_letter::Needs;
use crate::live::MemoryUse;
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::ids::Zxid;
use ringkeeper_core::tree::Tree;
use serde_json::{Map, Value};
use session::{Failed, OwnSession};
use spool::BadUpload;
use staging::Staging;
use std::sync::TryLockError;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Pieces of this size are put into the tree, smaller ones if requests have to be smaller.
const PIECE: usize = 256 << 10;

/// Why the state was not replaced.
#[derive(Debug, Error)]
enum NoRestore {
    #[error("restores over HTTP are switched off (admin.restore.enabled=false)")]
    Disabled,
    #[error("send the snapshot with POST")]
    Method,
    #[error("say how long the snapshot is: Content-Length")]
    Length,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("one restore in {} s at most (admin.rateLimiterIntervalInMS)", .0.as_secs_f64())]
    TooOften(Duration),
    #[error("another restore is under way")]
    Busy,
    #[error(transparent)]
    NoFacts(#[from] NoFacts),
    #[error("the server has no leader: nothing can be replaced")]
    NotServing,
    #[error(transparent)]
    Upload(#[from] BadUpload),
    #[error(
        "the snapshot is of transaction {snapshot}, but this ensemble is only at {here}: transactions to come would be \
         older than nodes that are there. Stop the servers, make a data directory of the snapshot with `ringkeeper \
         restore`, and found a new ensemble from it"
    )]
    Newer { snapshot: Zxid, here: Zxid },
    #[error(
        "about {needed} bytes of memory are needed while the tree is replaced, and {free} are free: give the server more \
         (memory.limit.bytes, memory.refuse.percent), or restore into a new ensemble with `ringkeeper restore`"
    )]
    Memory { needed: u64, free: u64 },
    #[error("nothing was replaced: {0}")]
    Failed(Failed),
    #[error("whether the state was replaced is not known; look at `srvr` and the tree: {0}")]
    Unknown(Failed),
}

impl NoRestore {
    fn status(&self) -> Status {
        match self {
            NoRestore::Disabled | NoRestore::NoFacts(_) | NoRestore::NotServing => Status::ServiceUnavailable,
            NoRestore::Method => Status::MethodNotAllowed,
            NoRestore::Length => Status::LengthRequired,
            NoRestore::Denied(Denied::Unknown) => Status::Unauthorized,
            NoRestore::Denied(Denied::NotGranted) => Status::Forbidden,
            NoRestore::TooOften(_) => Status::TooManyRequests,
            NoRestore::Upload(BadUpload::Disk { .. }) | NoRestore::Unknown(_) => Status::InternalServerError,
            NoRestore::Upload(_) => Status::BadRequest,
            NoRestore::Busy | NoRestore::Newer { .. } => Status::Conflict,
            NoRestore::Memory { .. } => Status::ContentTooLarge,
            NoRestore::Failed(Failed::Refused { code: Some(ErrorCode::BadVersion | ErrorCode::NoNode), .. }) => {
                Status::Conflict
            }
            NoRestore::Failed(_) => Status::ServiceUnavailable,
        }
    }
}

/// Answers the command.
pub(super) fn answer(
    name: &'static str,
    request: &Request,
    upload: &mut Upload<'_>,
    caller: &Caller,
    desk: &Desk,
) -> Response {
    match restore(request, upload, caller, desk) {
        Ok(fields) => {
            tracing::info!(peer = %caller.addr, ?fields, "the state was replaced by that of a snapshot");
            commands::json(name, Status::Ok, None, fields)
        }
        Err(error) => {
            tracing::warn!(peer = %caller.addr, %error, "no restore for the admin server");
            let mut response = commands::json(name, error.status(), Some(error.to_string()), Map::new());
            if matches!(error, NoRestore::Denied(Denied::Unknown)) {
                response.headers.push(("WWW-Authenticate", "digest".to_owned()));
            }
            response
        }
    }
}

fn restore(
    request: &Request,
    upload: &mut Upload<'_>,
    caller: &Caller,
    desk: &Desk,
) -> Result<Map<String, Value>, NoRestore> {
    if !desk.settings.restores {
        return Err(NoRestore::Disabled);
    }
    if request.method != Method::Post {
        return Err(NoRestore::Method);
    }
    let server = desk.ask(Needs { root_acl: true, ..Needs::default() }, None)?;
    if !server.serving {
        return Err(NoRestore::NotServing);
    }
    let super_digest = desk.access.super_digest.as_deref();
    authorisation::check(request.authorization.as_deref(), caller, &server.root_acl, super_digest)?;
    upload.length().ok_or(NoRestore::Length)?;
    let _alone = match desk.restoring.try_lock() {
        Ok(alone) => alone,
        Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(NoRestore::Busy),
    };
    let begun = Instant::now();
    if !desk.restores.take(begun) {
        desk.words.live.count_admin(|measures| measures.restores_too_soon += 1);
        return Err(NoRestore::TooOften(desk.settings.interval));
    }
    let restored = receive_and_replace(upload, desk);
    desk.words.live.count_admin(|measures| match restored {
        Ok(_) => measures.restores.record_time(begun.elapsed()),
        Err(_) => measures.restore_errors += 1,
    });
    restored
}

fn receive_and_replace(upload: &mut Upload<'_>, desk: &Desk) -> Result<Map<String, Value>, NoRestore> {
    let tree = spool::receive(upload, &desk.data().dir)?;
    let (snapshot, here) = (tree.last_zxid(), desk.ask(Needs::default(), None)?.zxid);
    if snapshot > here {
        return Err(NoRestore::Newer { snapshot, here });
    }
    check_memory(&tree, desk)?;
    replace(tree, desk)
}

/// While the tree is replaced there are two of them, and the snapshot's bytes in the old one. What a node takes beside its
/// path and data is about this.
fn check_memory(tree: &Tree, desk: &Desk) -> Result<(), NoRestore> {
    const NODE: u64 = 200;
    let size = tree.approximate_data_size() + NODE * tree.node_count() as u64;
    let copies = if desk.exchange.client_executors() > 0 { 2 } else { 1 };
    let percent = desk.words.live.current().limits.memory.percent;
    has_room(2 * size * copies, desk.words.live.memory(), percent)
}

/// Whether so many bytes more may be used. A share of 0, or an unknown limit, is no limit.
fn has_room(needed: u64, memory: MemoryUse, percent: u8) -> Result<(), NoRestore> {
    if percent == 0 || memory.limit == 0 {
        return Ok(());
    }
    let free = (memory.limit / 100 * u64::from(percent)).saturating_sub(memory.used);
    if needed > free { Err(NoRestore::Memory { needed, free }) } else { Ok(()) }
}

fn replace(tree: Tree, desk: &Desk) -> Result<Map<String, Value>, NoRestore> {
    let mut fields = Map::new();
    let largest = usize::try_from(desk.words.live.current().settings.int(&keys::MAX_BUFFER)).unwrap_or(PIECE);
    let numbers = (tree.node_count(), tree.session_count(), tree.ephemeral_count());
    let (snapshot, nodes_digest) = (tree.last_zxid(), format!("{:016x}", tree.nodes_digest()));
    let mut session = OwnSession::open(desk).map_err(NoRestore::Failed)?;
    let mut staging = Staging::begin(&mut session).map_err(NoRestore::Failed)?;
    if let Err(error) = staging.put(tree, PIECE.min(largest / 2)) {
        give_up(staging);
        return Err(NoRestore::Failed(error));
    }
    let (zxid, told) = match staging.take_over() {
        Ok(told) => told,
        Err(refused @ Failed::Refused { .. }) => {
            give_up(staging);
            return Err(NoRestore::Failed(refused));
        }
        Err(lost) => return Err(NoRestore::Unknown(lost)),
    };
    let mut told = told.split(' ');
    let digest = told.next().unwrap_or_default().to_owned();
    let mut number = || told.next().and_then(|text| text.parse::<u64>().ok());
    let (ended, back) = (number(), number());
    fields.insert("last_zxid".to_owned(), zxid.into());
    fields.insert("snapshot_zxid".to_owned(), snapshot.0.into());
    fields.insert("digest".to_owned(), digest.into());
    fields.insert("nodes_digest".to_owned(), nodes_digest.into());
    fields.insert("nodes".to_owned(), numbers.0.into());
    fields.insert("sessions".to_owned(), numbers.1.into());
    fields.insert("ephemeral_nodes".to_owned(), numbers.2.into());
    fields.insert("sessions_ended".to_owned(), ended.into());
    fields.insert("sessions_back".to_owned(), back.into());
    Ok(fields)
}

/// What lies in the tree for nothing is removed, if that is possible; if not, by the next restore.
fn give_up(staging: Staging<'_>) {
    let path = staging.path.clone();
    if let Err(error) = staging.give_up() {
        tracing::warn!(path, %error, "what was put into the tree for a restore is still there");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_must_be_free() {
        let memory = |used, limit| MemoryUse { used, limit, short: false };
        assert!(has_room(400, memory(500, 1000), 90).is_ok());
        let refused = has_room(401, memory(500, 1000), 90).unwrap_err();
        assert!(matches!(refused, NoRestore::Memory { needed: 401, free: 400 }), "{refused}");
        assert_eq!(refused.status().text(), "413 Content Too Large");
        assert!(has_room(1, memory(950, 1000), 90).is_err(), "more than the share is used");
        assert!(has_room(u64::MAX, memory(500, 1000), 0).is_ok(), "no share is no limit");
        assert!(has_room(u64::MAX, memory(500, 0), 90).is_ok(), "what is not known is no limit");
    }
}
