//! One client connection.

use super::stats::Traffic;
use crate::acl::Id;
use crate::ids::{Instant, SessionId, Tag};
use core::net::SocketAddr;
use std::collections::VecDeque;
use std::sync::Arc;

/// How far the connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Nothing has come in yet.
    New,
    /// It has asked for a session; what it sends meanwhile waits.
    Connecting,
    /// It speaks for its session.
    Open,
    /// What is in its output is sent, then it is closed.
    Closing,
}

/// A request that has not been answered. They are answered in the order in which they came.
#[derive(Debug)]
pub(super) enum Pending {
    /// Submitted to the replica.
    Submitted { xid: i32, operation: Operation, since: Instant, bytes: usize },
    /// A frame that waits for those before it, since it came in.
    Deferred(Box<[u8]>, Instant),
    /// A reply that is ready and waits for those before it; then the connection may have to go.
    Ready { reply: Vec<u8>, close: bool },
}

impl Pending {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Pending::Submitted { bytes, .. } => *bytes,
            Pending::Deferred(frame, _) => frame.len(),
            Pending::Ready { reply, .. } => reply.len(),
        }
    }
}

/// What a submitted request was, as far as its reply depends on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// A write; the number is its opcode.
    Write(i32),
    /// A sync; its path is echoed.
    Sync(Option<Box<str>>),
    /// The end of the session.
    CloseSession,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) peer: SocketAddr,
    pub(super) opened: Instant,
    pub(super) phase: Phase,
    pub(super) session: SessionId,
    /// The request by which it got it.
    pub(super) attached: Tag,
    pub(super) timeout_ms: i32,
    /// The client sent the readOnly byte of newer protocols, and expects it back.
    pub(super) knows_read_only: bool,
    /// Its session is one of a server without a leader: it can only read.
    pub(super) read_only: bool,
    /// It speaks TLS.
    pub(super) secure: bool,
    /// Who the client has proved to be. Its address is always among it.
    pub(super) auth: Arc<[Id]>,
    /// The server has made the connection to itself, on behalf of an operator.
    pub(super) own: bool,
    pub(super) pending: VecDeque<Pending>,
    pub(super) out: Vec<u8>,
    /// Where in `out` the last reply or event begins.
    pub(super) reply_start: usize,
    pub(super) unsent: usize,
    /// In the list of connections with output.
    pub(super) dirty: bool,
    /// In the list of sessions that were heard from.
    pub(super) heard: bool,
    pub(super) traffic: Traffic,
}

impl Conn {
    pub(super) fn new(now: Instant, peer: SocketAddr, auth: Arc<[Id]>) -> Conn {
        Conn {
            peer,
            opened: now,
            phase: Phase::New,
            session: SessionId::NONE,
            attached: Tag::NONE,
            timeout_ms: 0,
            knows_read_only: false,
            read_only: false,
            secure: false,
            auth,
            own: false,
            pending: VecDeque::new(),
            out: Vec::new(),
            reply_start: 0,
            unsent: 0,
            dirty: false,
            heard: false,
            traffic: Traffic::default(),
        }
    }

    /// Whom the client has proved to be, too.
    pub(super) fn add_identities(&mut self, ids: Vec<Id>) {
        let mut all: Vec<Id> = self.auth.to_vec();
        for new in ids {
            if !all.contains(&new) {
                all.push(new);
            }
        }
        self.auth = all.into();
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.iter().map(Pending::bytes).sum()
    }

    /// Whether a read waits for a write before it.
    pub(super) fn has_deferred(&self) -> bool {
        self.pending.iter().any(|p| matches!(p, Pending::Deferred(..)))
    }
}
