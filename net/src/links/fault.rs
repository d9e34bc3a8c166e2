//! Why links end.

use crate::links::envelope::{MAX_HEAD, MAX_TAIL};
use std::io;
use thiserror::Error;

/// Why a link is down.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LinkDown {
    /// The peer closed it, or its process ended.
    #[error("closed by the peer")]
    Closed,
    /// The connection failed: reset, timed out, unreachable.
    #[error("connection failed: {0}")]
    Failed(io::ErrorKind),
    /// The peer sent something impossible.
    #[error("protocol fault: {0}")]
    Fault(LinkFault),
    /// What came is not what TLS lets through.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The peer has made a new connection.
    #[error("replaced by a newer connection of the same server")]
    Replaced,
    /// The peer does not read what it is sent.
    #[error("the peer does not read: {queued} bytes wait for it")]
    TooSlow {
        /// Bytes that waited.
        queued: usize,
    },
    /// This server dropped it.
    #[error("dropped by this server")]
    Dropped,
    /// This server's links are stopped.
    #[error("this server stops")]
    Stopped,
}

/// What a peer sent that is not the link protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LinkFault {
    /// The head's length is over the limit.
    #[error("head of {0} bytes, over the limit of {MAX_HEAD}")]
    HeadTooLong(u32),
    /// The tail's length is over the limit.
    #[error("tail of {0} bytes, over the limit of {MAX_TAIL}")]
    TailTooLong(u32),
    /// Flags that the agreed version does not know.
    #[error("unknown flags {0:08x}")]
    Flags(u32),
    /// The bytes are not those that were sent.
    #[error("message checksum mismatch: stated {stated:08x}, computed {computed:08x}")]
    Checksum {
        /// What the envelope says.
        stated: u32,
        /// What the bytes give.
        computed: u32,
    },
}

impl From<io::Error> for LinkDown {
    fn from(error: io::Error) -> LinkDown {
        LinkDown::Failed(error.kind())
    }
}

impl From<LinkFault> for LinkDown {
    fn from(fault: LinkFault) -> LinkDown {
        LinkDown::Fault(fault)
    }
}
