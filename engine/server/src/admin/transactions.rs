//! The admin command transactions: what the log knows to be committed after a zxid, as a piece of a backup
//! (docs/formats.md). With snapshots it makes backups over the network that grow, and that have every state in between.

use super::authorisation::{self, Caller, Denied};
use super::commands;
use super::desk::{Desk, NoFacts};
use super::folder::Folder;
use super::http::{Body, Request, Response, Status};
use crate::four_letter::Needs;
use crate::offline::Directories;
use crate::offline::backup::{self, Piece};
use ringkeeper_core::ids::Zxid;
use serde_json::Map;
use std::fs::File;
use std::sync::TryLockError;
use thiserror::Error;

/// In the data directory; there only while a piece is made.
const FOLDER: &str = "transactions.tmp";

/// Why nothing is sent.
#[derive(Debug, Error)]
enum NoTransactions {
    #[error("transactions over HTTP are switched off, as snapshots are (admin.snapshot.enabled=false)")]
    Disabled,
    #[error("say after which transaction: after=0x100000005, or 0 for all")]
    After,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    NoFacts(#[from] NoFacts),
    #[error("the server has no leader: what is committed is not known")]
    NotServing,
    #[error("others are being sent transactions: try again")]
    Busy,
    #[error("the log does not reach back to {after}: a snapshot has to come first")]
    Gone { after: Zxid, ensemble: u64 },
    #[error("the log cannot be read: {0:#}")]
    Unreadable(#[from] anyhow::Error),
}

impl NoTransactions {
    fn status(&self) -> Status {
        match self {
            NoTransactions::Disabled | NoTransactions::NoFacts(_) | NoTransactions::NotServing => {
                Status::ServiceUnavailable
            }
            NoTransactions::After => Status::BadRequest,
            NoTransactions::Denied(Denied::Unknown) => Status::Unauthorized,
            NoTransactions::Denied(Denied::NotGranted) => Status::Forbidden,
            NoTransactions::Busy => Status::Conflict,
            NoTransactions::Gone { .. } => Status::Gone,
            NoTransactions::Unreadable(_) => Status::InternalServerError,
        }
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            NoTransactions::Denied(Denied::Unknown) => vec![("WWW-Authenticate", "digest".to_owned())],
            NoTransactions::Gone { ensemble, .. } => vec![("ensemble", format!("{ensemble:016x}"))],
            _ => Vec::new(),
        }
    }
}

/// Answers the command.
pub(super) fn answer(name: &'static str, request: &Request, caller: &Caller, desk: &Desk) -> Response {
    match send(request, caller, desk) {
        Ok((piece, file)) => {
            tracing::info!(peer = %caller.addr, after = %piece.prev, through = %piece.last, "transactions sent by the admin server");
            let (content_type, ensemble) = ("application/octet-stream", format!("{:016x}", piece.ensemble));
            let headers = vec![("last_zxid", piece.last.to_string()), ("ensemble", ensemble)];
            let body = file.map_or(Body::Bytes(Vec::new()), |(file, size)| Body::File(file, size));
            Response { status: Status::Ok, content_type, headers, body }
        }
        Err(error) => {
            tracing::warn!(peer = %caller.addr, %error, "no transactions from the admin server");
            let mut response = commands::json(name, error.status(), Some(error.to_string()), Map::new());
            response.headers.extend(error.headers());
            response
        }
    }
}

/// The piece, and the file with it unless there are no transactions.
fn send(request: &Request, caller: &Caller, desk: &Desk) -> Result<(Piece, Option<(File, u64)>), NoTransactions> {
    if !desk.settings.snapshots {
        return Err(NoTransactions::Disabled);
    }
    let server = desk.ask(Needs { root_acl: true, ..Needs::default() }, None)?;
    if !server.serving {
        return Err(NoTransactions::NotServing);
    }
    let super_digest = desk.access.super_digest.as_deref();
    authorisation::check(request.authorization.as_deref(), caller, &server.root_acl, super_digest)?;
    let after = request.argument("after").and_then(zxid).ok_or(NoTransactions::After)?;
    // Each one reads the log: others wait.
    let _alone = match desk.sending.try_lock() {
        Ok(alone) => alone,
        Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(NoTransactions::Busy),
    };
    make(desk, after)
}

fn make(desk: &Desk, after: Zxid) -> Result<(Piece, Option<(File, u64)>), NoTransactions> {
    let data = desk.data();
    let folder = Folder::new(&data.dir, FOLDER).map_err(anyhow::Error::from)?;
    let from = Directories::new(&data.dir, Some(&data.log_dir));
    let (ensemble, piece) = backup::take_after(&from, folder.path(), after)?;
    let piece = piece.ok_or(NoTransactions::Gone { after, ensemble })?;
    if piece.frames == 0 {
        return Ok((piece, None));
    }
    // Once it is open it can be read to its end without its name.
    let file = File::open(folder.path().join(piece.name())).map_err(anyhow::Error::from)?;
    let size = file.metadata().map_err(anyhow::Error::from)?.len();
    Ok((piece, Some((file, size))))
}

/// `0x100000005`, or without `0x` as people write numbers.
fn zxid(text: &str) -> Option<Zxid> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.ok().map(Zxid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_named_as_people_do() {
        assert_eq!(["0x100000005", "17", "0"].map(zxid), [Some(Zxid(0x1_0000_0005)), Some(Zxid(17)), Some(Zxid::ZERO)]);
        assert_eq!(["", "0x", "-1", "newest"].map(zxid), [None; 4]);
    }
}
