//! The numbers that cross rooms, each its own type so that they cannot be mixed up.

use core::fmt;
use core::time::Duration;

/// Position in the ensemble's single order of transactions: epoch in the high 32 bits, counter in the low 32.
///
/// Source: ZAB (DSN'11) section III; `ZxidUtils` in ZooKeeper.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Zxid(pub u64);

impl Zxid {
    /// Before the first transaction.
    pub const ZERO: Zxid = Zxid(0);

    /// The zxid with this epoch and counter.
    #[must_use]
    pub const fn new(epoch: Epoch, counter: u32) -> Zxid {
        Zxid(((epoch.0 as u64) << 32) | counter as u64)
    }

    /// The leader's epoch in which the transaction was proposed.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch((self.0 >> 32) as u32)
    }

    /// The transaction's number within its epoch, from 1.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The next zxid of the same epoch; `None` when the counter is exhausted and a new epoch is needed.
    #[must_use]
    pub const fn next(self) -> Option<Zxid> {
        if self.counter() == u32::MAX { None } else { Some(Zxid(self.0 + 1)) }
    }

    /// As clients see it.
    #[must_use]
    pub const fn wire(self) -> i64 {
        self.0 as i64
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

/// The reign of one leader. Rises with every established leader and is never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Epoch(pub u32);

/// A server's number in its ensemble (`myid`), 1 to 254: it is the top byte of the session ids that it makes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(pub u8);

/// A client session, known to the whole ensemble. 0 stands for "no session".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub i64);

impl SessionId {
    /// No session: what a client sends to ask for a new one, and the author of the server's own transactions.
    pub const NONE: SessionId = SessionId(0);
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

/// A request's number in the whole ensemble: the server that took it from its client in the top byte, then a number
/// that this server never gave before, not even in an earlier life. Rises with the order in which the server took them.
///
/// It is part of the transaction that comes of the request. So every server can tell whether a request of its own,
/// whose answer was lost with the leader that decided it, has been executed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Tag(pub u64);

impl Tag {
    /// No client's request: the server's own transactions.
    pub const NONE: Tag = Tag(0);

    const NUMBER: u64 = (1 << 56) - 1;

    /// The first tag of a life of `server`. `seed` is random.
    #[must_use]
    pub const fn first(server: ServerId, seed: u64) -> Tag {
        // Half the numbers lie ahead of it, so that it does not come round in this life.
        Tag((server.0 as u64) << 56 | (seed & (Tag::NUMBER >> 1)) | 1)
    }

    /// The server that took the request.
    #[must_use]
    pub const fn server(self) -> ServerId {
        ServerId((self.0 >> 56) as u8)
    }

    /// The next one of the same server.
    #[must_use]
    pub const fn next(self) -> Tag {
        Tag(self.0 + 1)
    }
}

/// One client connection of this process. `generation` tells successive users of the same slot apart, so that a
/// message for a connection that is gone can never reach its successor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId {
    /// Index of the client executor that owns the connection.
    pub frontend: u8,
    /// Slot in that executor's connection table.
    pub slot: u32,
    /// How often the slot had been used before.
    pub generation: u32,
}

/// A reading of the monotonic clock, in nanoseconds from an origin of the driver's choice.
/// The core never reads a clock: the driver hands this in with every step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Instant(pub u64);

impl Instant {
    /// This instant, later by `d`; saturates at the end of time.
    #[must_use]
    pub fn plus(self, d: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Time passed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds since the origin.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// A reading of the wall clock: milliseconds since 1970. Only ever recorded (ctime, mtime), never compared to decide
/// whether a session lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct WallMs(pub i64);
