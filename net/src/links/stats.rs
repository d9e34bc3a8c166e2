//! What an operator may want to know about the link to a peer.

use std::net::SocketAddr;
use std::time::Instant;

/// The link to one peer, now and since start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LinkStats {
    /// The link that is up, if one is.
    pub up: Option<UpLink>,
    /// Counters since start, over all links to the peer.
    pub traffic: LinkTraffic,
    /// How often a link came up.
    pub connects: u64,
    /// Why the last attempt to connect failed, or the last link went down.
    pub last_error: Option<String>,
    /// Bytes that wait to be sent.
    pub queued: usize,
}

/// A link that is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpLink {
    /// Since when.
    pub since: Instant,
    /// The peer's end of the connection.
    pub remote: SocketAddr,
    /// The peer's run of its process.
    pub incarnation: u64,
    /// Version of the link protocol in use.
    pub version: u16,
}

/// Counters of one link. Bytes are those of messages with their envelopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkTraffic {
    /// Messages received.
    pub messages_in: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Messages queued to be sent.
    pub messages_out: u64,
    /// Bytes queued to be sent.
    pub bytes_out: u64,
}
