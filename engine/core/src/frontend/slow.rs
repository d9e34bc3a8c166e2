//! Requests that took long are written down for whoever asks what was slow, and why.

use super::Frontend;
use crate::ids::{ConnId, Instant, SessionId, Zxid};
use core::net::SocketAddr;

/// At most so many wait for the driver. It takes them with every turn; a turn that answers more has told enough.
const KEPT: usize = 64;

/// A request that took long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlowRequest {
    /// Who asked.
    pub peer: SocketAddr,
    /// In which session.
    pub session: SessionId,
    /// For what.
    pub op: i32,
    /// About which path; `None` if it is about none, or was refused.
    pub path: Option<String>,
    /// The transaction that it has become, if any.
    pub zxid: Option<Zxid>,
    /// When it came in.
    pub received: Instant,
    /// When it was answered.
    pub answered: Instant,
}

impl Frontend {
    /// A request has been answered; if that took long it is written down.
    pub(super) fn note_slow<'a>(
        &mut self,
        id: ConnId,
        op: i32,
        since: Instant,
        zxid: Option<Zxid>,
        path: impl FnOnce() -> Option<&'a str>,
    ) {
        let Some(threshold) = self.config.slow_threshold else { return };
        if self.now.since(since) < threshold {
            return;
        }
        self.measures.slow += 1;
        let Some((peer, session)) = self.peek(id).map(|conn| (conn.peer, conn.session)) else { return };
        if self.slow.len() < KEPT {
            let path = path().map(str::to_owned);
            self.slow.push(SlowRequest { peer, session, op, path, zxid, received: since, answered: self.now });
        }
    }

    /// The slow requests since the last call.
    pub fn take_slow(&mut self) -> Vec<SlowRequest> {
        core::mem::take(&mut self.slow)
    }
}
