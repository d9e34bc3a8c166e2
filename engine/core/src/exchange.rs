//! What crosses between the client executors (frontends) and the replica: requests one way, verdicts and committed
//! transactions the other. With one executor these are plain calls within a turn; with several, one message per turn
//! and direction.

use crate::acl::Id;
use crate::error_code::ErrorCode;
use crate::frame::Frame;
use crate::ids::{ConnId, Instant, SessionId, Tag, Zxid};
use crate::jute::Refusal;
use crate::tree::{Applied, Tree};
use core::ops::Range;
use std::sync::Arc;

/// The opcode of a request that the tree be replaced by the snapshot that lies in the children of a node; its body is the
/// node's path. Not one of ZooKeeper's: only connections that the server makes to itself may ask for it, anybody else
/// is told that there is no such thing.
pub const RESTORE: i32 = -13;

/// What a frontend asks of the replica.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A client wants a session: a new one (`session` is [`SessionId::NONE`]) or its own back.
    Connect {
        /// Where to answer.
        conn: ConnId,
        /// The session to take up again, if any.
        session: SessionId,
        /// Proof of ownership; 16 bytes, or it proves nothing.
        passwd: Box<[u8]>,
        /// What the client asked for, in milliseconds.
        timeout_ms: i32,
        /// A server that takes no writes would do.
        read_only: bool,
    },
    /// Something that only the replica can decide: a write, a sync, the end of the session.
    Request(Request),
    /// The connection is gone.
    Gone {
        /// The connection.
        conn: ConnId,
        /// Its session, if it had one.
        session: SessionId,
    },
    /// The client of a read-only server has ended its session.
    EndReadOnly {
        /// By which connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
    },
    /// The session was heard from. Requests touch their session by themselves.
    Touch {
        /// The session.
        session: SessionId,
    },
}

/// A request with its body in the inbox's arena.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to answer.
    pub conn: ConnId,
    /// On whose behalf.
    pub session: SessionId,
    /// By which the connection became the one that speaks for the session, see [`Answer::Connected`].
    pub attached: Tag,
    /// The client's number of the request.
    pub cxid: i32,
    /// ZooKeeper's opcode.
    pub op: i32,
    /// Who the connection had proved to be when the request was read.
    pub auth: Arc<[Id]>,
    /// When it was read.
    pub since: Instant,
    /// The body's place in the arena.
    pub body: Range<usize>,
}

/// Requests on their way to the replica. Reused: the arena keeps its memory from turn to turn.
#[derive(Debug, Default)]
pub struct Inbox {
    asks: Vec<Ask>,
    taken: usize,
    arena: Vec<u8>,
}

/// Beyond this an emptied arena gives its memory back.
const ARENA_KEPT: usize = 1 << 20;

impl Inbox {
    /// An empty inbox.
    #[must_use]
    pub fn new() -> Inbox {
        Inbox::default()
    }

    /// Puts in something without a body.
    pub fn push(&mut self, ask: Ask) {
        self.asks.push(ask);
    }

    /// Puts in a request; `body` is copied, the place that `request` gives for it is not read.
    pub fn push_request(&mut self, mut request: Request, body: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(body);
        request.body = start..self.arena.len();
        self.asks.push(Ask::Request(request));
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == self.asks.len()
    }

    /// Takes the next ask, in the order put in, with the arena that its body is in.
    pub fn take(&mut self) -> Option<(&Ask, &[u8])> {
        let ask = self.asks.get(self.taken)?;
        self.taken += 1;
        Some((ask, &self.arena))
    }

    /// Moves all that waits in `other` behind what waits here.
    pub fn append(&mut self, other: &mut Inbox) {
        let shift = self.arena.len();
        self.arena.extend_from_slice(&other.arena);
        let rest = other.asks.drain(..).skip(other.taken).map(|mut ask| {
            if let Ask::Request(request) = &mut ask {
                request.body = request.body.start + shift..request.body.end + shift;
            }
            ask
        });
        self.asks.extend(rest);
        other.taken = 0;
        other.arena.clear();
    }

    /// Gives the places of taken asks back; a no-op while some wait.
    pub fn recycle(&mut self) {
        if self.is_empty() {
            self.asks.clear();
            self.taken = 0;
            self.arena.clear();
            self.arena.shrink_to(ARENA_KEPT);
        }
    }
}

/// What the replica answers to one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The request was refused; nothing changed.
    Refused {
        /// Whose request.
        conn: ConnId,
        /// Its number.
        cxid: i32,
        /// Why.
        error: ErrorCode,
    },
    /// The request could not be decoded.
    Malformed {
        /// Whose request.
        conn: ConnId,
        /// Its number.
        cxid: i32,
        /// What ZooKeeper answers to that.
        refusal: Refusal,
    },
    /// One step of a multi was refused; nothing changed.
    MultiRefused {
        /// Whose request.
        conn: ConnId,
        /// Its number.
        cxid: i32,
        /// Number of steps in the request.
        steps: u32,
        /// Which step failed, from 0.
        failed: u32,
        /// Why.
        error: ErrorCode,
    },
    /// Everything that was proposed before the sync arrived has been applied.
    Synced {
        /// Whose request.
        conn: ConnId,
        /// Its number.
        cxid: i32,
    },
    /// The connection speaks for the session now.
    Connected {
        /// The connection.
        conn: ConnId,
        /// Its session.
        session: SessionId,
        /// The negotiated timeout.
        timeout_ms: i32,
        /// The session's password.
        passwd: [u8; 16],
        /// To be named in the connection's requests.
        attached: Tag,
        /// It can only read: the session is one of a server without a leader.
        read_only: bool,
    },
    /// There is no such session (any more), or the password is wrong.
    ConnectRefused {
        /// The connection.
        conn: ConnId,
        /// It was refused by a server that is read-only.
        read_only: bool,
    },
    /// The connection must go: its session has ended, or moved to another connection.
    Close {
        /// The connection.
        conn: ConnId,
    },
}

/// Which request of which connection a transaction came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The connection that asked.
    pub conn: ConnId,
    /// The request's number.
    pub cxid: i32,
}

/// A transaction that has just been applied.
#[derive(Clone, Copy, Debug)]
pub struct Committed<'a> {
    /// Its place in the order.
    pub zxid: Zxid,
    /// Who asked, if a connection of this process.
    pub origin: Option<Origin>,
    /// The transaction itself.
    pub frame: Frame<'a>,
    /// What came of it.
    pub applied: &'a Applied,
}

/// Who hears of what the replica has done, in order. The tree is the state right after it.
pub trait Audience {
    /// A transaction was applied.
    fn committed(&mut self, tree: &Tree, committed: &Committed<'_>);
    /// A connection gets an answer that changes nothing; `zxid` is the newest transaction applied by then.
    fn answer(&mut self, tree: &Tree, zxid: Zxid, answer: Answer);
}
