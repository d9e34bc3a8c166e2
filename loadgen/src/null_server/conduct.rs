//! How the server behaves, and what it was asked.

use std::net::Ipv4Addr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// Address of loopback where it listens.
    pub host: Ipv4Addr,
    /// Bytes of the data that gets return, and that stats tell.
    pub value_size: usize,
    /// What it does with a connect request.
    pub welcome: Welcome,
    /// What it does at the setData with this number, from 1.
    pub trouble: Option<(u64, Trouble)>,
}

impl Default for Conduct {
    fn default() -> Conduct {
        Conduct { host: Ipv4Addr::LOCALHOST, value_size: 100, welcome: Welcome::Session, trouble: None }
    }
}

/// What it does with a connect request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Welcome {
    /// Gives a session.
    Session,
    /// Closes the connection.
    Close,
    /// Never answers.
    Silence,
    /// Answers that the session is gone.
    Expired,
}

/// What it does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Answers nobody for a while, then goes on.
    Stall(Duration),
    /// Answers with an error code, this once.
    Error(i32),
    /// Answers with the wrong xid.
    WrongXid,
    /// Answers with a body that is too short.
    ShortBody,
    /// Sends a notification nobody asked for.
    Notification,
    /// Sends a frame of an impossible length.
    Garbage,
    /// Closes the connection.
    Close,
    /// Answers nothing any more, pings included.
    Silence,
}

/// What it was asked.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub sessions: AtomicU64,
    pub sets: AtomicU64,
    pub gets: AtomicU64,
    pub creates: AtomicU64,
    pub deletes: AtomicU64,
    pub multis: AtomicU64,
    /// Gets that left a watch, whose event was sent at once.
    pub watches: AtomicU64,
    pub pings: AtomicU64,
    pub closes: AtomicU64,
}
