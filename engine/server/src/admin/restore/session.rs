//! A session of the server with itself, by the same protocol as anybody's: over a pair of sockets one of which is given
//! to an executor as if a client had connected.

use crate::admin::Desk;
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::jute::{
    ConnectRequest, ConnectResponse, OpCode, ReplyHeader, Request, Response, append_connect_request, append_request,
    append_restore_request,
};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use thiserror::Error;

/// A reply that takes longer will not come: the ensemble has had time for many changes of its leader.
const PATIENCE: Duration = Duration::from_secs(600);
/// What is asked for; the server's bounds hold.
const TIMEOUT_MS: i32 = 60_000;
/// A longer reply would not be one of what is asked here.
const MAX_REPLY: usize = 32 << 20;

/// Why something was not done.
#[derive(Debug, Error)]
pub(super) enum Failed {
    /// The leader has refused it.
    #[error("{what}: {}", .code.map_or_else(|| "refused".to_owned(), |code| format!("{code:?}")))]
    Refused {
        /// What was asked for.
        what: String,
        /// Why; `None` for a number that nobody knows.
        code: Option<ErrorCode>,
    },
    /// Nobody can say whether it was done.
    #[error("the server has ended the session, perhaps because it lost its leader: {0}")]
    Lost(#[from] io::Error),
}

/// A reply to something that was done.
pub(super) struct Reply {
    pub(super) zxid: i64,
    pub(super) body: Vec<u8>,
}

/// See the module.
pub(super) struct OwnSession {
    stream: UnixStream,
    pub(super) id: i64,
    xid: i32,
}

impl OwnSession {
    /// A new one.
    pub(super) fn open(desk: &Desk) -> Result<OwnSession, Failed> {
        let door = desk.progress.door().ok_or_else(|| io::Error::other("the server is starting"))?;
        let (stream, other) = UnixStream::pair()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        door.give_own(other.into());
        let mut session = OwnSession { stream, id: 0, xid: 0 };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: TIMEOUT_MS,
            session_id: 0,
            passwd: Some(&[0; 16]),
            read_only: Some(false),
        };
        let mut bytes = Vec::new();
        append_connect_request(&mut bytes, &request);
        session.stream.write_all(&bytes)?;
        let payload = session.payload()?;
        session.id = ConnectResponse::decode(&payload).map_err(io::Error::other)?.session_id;
        Ok(session)
    }

    #[cfg(test)]
    pub(super) fn over(stream: UnixStream, id: i64) -> OwnSession {
        OwnSession { stream, id, xid: 0 }
    }

    /// Asks for something; [`OwnSession::reply`] tells what became of the oldest request.
    pub(super) fn ask(&mut self, request: &Request<'_>) -> Result<(), Failed> {
        let mut bytes = Vec::new();
        self.xid += 1;
        append_request(&mut bytes, self.xid, request);
        Ok(self.stream.write_all(&bytes)?)
    }

    /// Has the tree replaced by what lies there.
    pub(super) fn restore(&mut self, path: &str) -> Result<Reply, Failed> {
        let mut bytes = Vec::new();
        self.xid += 1;
        append_restore_request(&mut bytes, self.xid, path);
        self.stream.write_all(&bytes)?;
        self.reply(|| "replacing the tree".to_owned())
    }

    /// The reply to the oldest request that has none. `what` it was is said if it was refused.
    pub(super) fn reply(&mut self, what: impl FnOnce() -> String) -> Result<Reply, Failed> {
        let payload = self.payload()?;
        let (header, body) = ReplyHeader::decode(&payload).map_err(io::Error::other)?;
        match header.err {
            0 => Ok(Reply { zxid: header.zxid, body: body.to_vec() }),
            err => Err(Failed::Refused { what: what(), code: ErrorCode::from_wire(err) }),
        }
    }

    /// Names of the children of a node; none if there is no such node.
    pub(super) fn children(&mut self, path: &str) -> Result<Vec<String>, Failed> {
        self.ask(&Request::GetChildren { path: path.into(), watch: false })?;
        let reply = match self.reply(|| path.to_owned()) {
            Err(Failed::Refused { code: Some(ErrorCode::NoNode), .. }) => return Ok(Vec::new()),
            reply => reply?,
        };
        match Response::decode(OpCode::GetChildren, &reply.body) {
            Ok(Response::Strings(names)) => Ok(names.iter().map(std::borrow::Cow::into_owned).collect()),
            other => Err(io::Error::other(format!("no list of children: {other:?}")).into()),
        }
    }

    fn payload(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_REPLY {
            return Err(io::Error::other("a reply of impossible length"));
        }
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        Ok(payload)
    }
}

impl Drop for OwnSession {
    /// Nobody is to wait for its time-out. If the session has ended with the tree, or the server is gone, this is in vain.
    fn drop(&mut self) {
        let mut bytes = Vec::new();
        append_request(&mut bytes, self.xid + 1, &Request::CloseSession);
        let _ = self.stream.write_all(&bytes);
    }
}
