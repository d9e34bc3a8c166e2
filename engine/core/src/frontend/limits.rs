//! What the operator lets clients take, and how often each limit has acted. Limits may change while the server runs.

use super::Frontend;
use super::connection::Pending;
use crate::ids::{ConnId, Instant};
use crate::jute::{MultiOp, Request, SetData};
use crate::tree::Tree;
use core::time::Duration;

/// Limits of one frontend. A number that nothing reaches is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one connection that may wait; beyond that its socket is not read.
    pub connection_pending: usize,
    /// Requests that may wait on all connections together; beyond that only those are read of which nothing waits
    /// (`globalOutstandingLimit`).
    pub pending: usize,
    /// Bytes of requests that may wait on all connections together; beyond that as with `pending`.
    pub pending_bytes: usize,
    /// Time that a connection has until its session is established (`nio.sessionlessCnxnTimeout`).
    pub sessionless_timeout: Duration,
    /// A longer request is a large one (`largeRequestThreshold`).
    pub large_request: usize,
    /// Bytes of large requests that may wait; one that would exceed it closes its connection (`largeRequestMaxBytes`).
    pub large_bytes: usize,
    /// Watches in all.
    pub watches: usize,
    /// Paths that one connection may watch.
    pub connection_watches: usize,
    /// Sessions of the ensemble; a new one beyond that is not opened.
    pub sessions: usize,
    /// How many sessions may be asked for in a time.
    pub connects: ConnectRate,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connection_pending: 4096,
            pending: usize::MAX,
            pending_bytes: 64 << 20,
            sessionless_timeout: Duration::from_secs(10),
            large_request: usize::MAX,
            large_bytes: usize::MAX,
            watches: usize::MAX,
            connection_watches: usize::MAX,
            sessions: usize::MAX,
            connects: ConnectRate::default(),
        }
    }
}

impl Limits {
    /// The part of one frontend of so many, between which connections are dealt out evenly.
    #[must_use]
    pub fn share(&self, frontends: usize) -> Limits {
        let part = |of_all: usize| if of_all == usize::MAX { of_all } else { of_all.div_ceil(frontends.max(1)) };
        Limits {
            pending: part(self.pending),
            pending_bytes: part(self.pending_bytes),
            large_bytes: part(self.large_bytes),
            watches: part(self.watches),
            connects: self.connects.share(frontends),
            ..self.clone()
        }
    }
}

/// A bucket of tokens, of which each request for a session takes one (ZooKeeper's `connection_throttle_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectRate {
    /// Tokens that the bucket holds; 0: connecting is not limited.
    pub tokens: u32,
    /// After this time...
    pub fill_time: Duration,
    /// ...so many are added.
    pub fill_count: u32,
}

impl ConnectRate {
    fn share(self, frontends: usize) -> ConnectRate {
        let n = u32::try_from(frontends.max(1)).unwrap_or(u32::MAX);
        ConnectRate { tokens: self.tokens.div_ceil(n), fill_time: self.fill_time.saturating_mul(n), ..self }
    }
}

/// What is in the bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    taken: u32,
    filled: Instant,
}

impl Bucket {
    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant, rate: &ConnectRate) -> bool {
        if rate.tokens == 0 {
            return true;
        }
        let fill_ns = rate.fill_time.as_nanos().max(1);
        let times = now.since(self.filled).as_nanos() / fill_ns;
        if times > 0 {
            // What has passed of the next interval is not lost.
            let rest = (now.since(self.filled).as_nanos() % fill_ns) as u64;
            self.filled = Instant(now.0 - rest);
            let added = u128::from(rate.fill_count).saturating_mul(times);
            self.taken = self.taken.saturating_sub(u32::try_from(added).unwrap_or(u32::MAX));
        }
        let there = self.taken < rate.tokens;
        self.taken += u32::from(there);
        there
    }
}

/// How often each limit has acted since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LimitCounts {
    /// Connections closed because sessions were asked for too fast.
    pub connects_throttled: u64,
    /// Connections closed because there are enough sessions.
    pub sessions_refused: u64,
    /// Connections closed because memory is short.
    pub sessions_refused_for_memory: u64,
    /// Connections closed because they did not ask for a session in time.
    pub sessionless_expired: u64,
    /// Connections closed because of a large request.
    pub large_requests_rejected: u64,
    /// Requests answered with an error because they would have set a watch too many.
    pub watches_refused: u64,
    /// Writes answered with an error because memory is short.
    pub writes_refused_for_memory: u64,
}

impl LimitCounts {
    /// Puts the counts of two frontends together.
    pub fn merge(&mut self, other: &LimitCounts) {
        self.connects_throttled += other.connects_throttled;
        self.sessions_refused += other.sessions_refused;
        self.sessions_refused_for_memory += other.sessions_refused_for_memory;
        self.sessionless_expired += other.sessionless_expired;
        self.large_requests_rejected += other.large_requests_rejected;
        self.watches_refused += other.watches_refused;
        self.writes_refused_for_memory += other.writes_refused_for_memory;
    }
}

impl Frontend {
    /// Puts other limits into force. What is there already may exceed them.
    pub fn set_limits(&mut self, limits: Limits) {
        self.config.limits = limits;
    }

    /// Memory is short, or is no longer: while it is, no session is opened for new clients and nothing may grow.
    pub fn set_memory_short(&mut self, short: bool) {
        self.memory_short = short;
    }

    /// How often each limit has acted.
    #[must_use]
    pub fn limit_counts(&self) -> LimitCounts {
        self.limit_counts
    }

    /// Whether a large request is taken beside those that wait. Large ones are rare: they are looked for when one comes.
    pub(super) fn admits_large(&mut self, id: ConnId, bytes: usize) -> bool {
        let threshold = self.config.limits.large_request;
        let conns = self.conns.iter().filter_map(|slot| slot.conn.as_ref());
        let requests = conns.flat_map(|conn| &conn.pending).filter(|p| !matches!(p, Pending::Ready { .. }));
        let waiting: usize = requests.map(Pending::bytes).filter(|bytes| *bytes > threshold).sum();
        if waiting.saturating_add(bytes) <= self.config.limits.large_bytes {
            return true;
        }
        self.limit_counts.large_requests_rejected += 1;
        self.close(id);
        false
    }

    /// Whether a client may get a new session now; counts it if not.
    pub(super) fn admits_session(&mut self, tree: &Tree) -> bool {
        if self.memory_short {
            self.limit_counts.sessions_refused_for_memory += 1;
            return false;
        }
        let room = tree.session_count() < self.config.limits.sessions;
        self.limit_counts.sessions_refused += u64::from(!room);
        room
    }

    /// Whether the connection may watch one thing more; counts it if not.
    pub(super) fn admits_watch(&mut self, id: ConnId) -> bool {
        let limits = &self.config.limits;
        let room = self.watches.summary().watches < limits.watches
            && (limits.connection_watches == usize::MAX || self.watches.paths_of(id.slot) < limits.connection_watches);
        self.limit_counts.watches_refused += u64::from(!room);
        room
    }
}

/// Whether a write would make the tree larger, as far as this server's copy tells.
pub(super) fn grows(op: i32, body: &[u8], tree: &Tree) -> bool {
    let longer = |set: &SetData<'_>| {
        let before = tree.get(&set.path).and_then(|node| node.data().map(<[u8]>::len)).unwrap_or(0);
        set.data.map_or(0, <[u8]>::len) > before
    };
    match Request::decode(op, body) {
        Ok(Request::Create(_)) => true,
        Ok(Request::SetData(set)) => longer(&set),
        Ok(Request::Multi(ops)) => ops.iter().any(|op| match op {
            MultiOp::Create(_) => true,
            MultiOp::SetData(set) => longer(&set),
            MultiOp::Delete { .. } | MultiOp::Check { .. } => false,
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    #[test]
    fn tokens_run_out_and_come_back() {
        let rate = ConnectRate { tokens: 2, fill_time: Duration::from_millis(100), fill_count: 1 };
        let mut bucket = Bucket { filled: at(1000), ..Bucket::default() };
        let takes = |bucket: &mut Bucket, ms| bucket.take(at(ms), &rate);
        assert_eq!([1000, 1000, 1000].map(|ms| takes(&mut bucket, ms)), [true, true, false]);
        assert_eq!([1099, 1150, 1199, 1200].map(|ms| takes(&mut bucket, ms)), [false, true, false, true]);
        assert_eq!([9000, 9000, 9000].map(|ms| takes(&mut bucket, ms)), [true, true, false], "no more than it holds");
        assert!(Bucket::default().take(at(1), &ConnectRate::default()), "no bucket, no limit");
    }

    #[test]
    fn frontends_share_what_is_for_all() {
        let limits = Limits {
            pending: 10,
            pending_bytes: 100,
            large_bytes: 200,
            watches: 11,
            connection_watches: 10,
            sessions: 10,
            connects: ConnectRate { tokens: 3, fill_time: Duration::from_millis(1), fill_count: 1 },
            ..Limits::default()
        };
        let one = limits.share(3);
        assert_eq!((one.pending, one.pending_bytes, one.large_bytes, one.watches), (4, 34, 67, 4));
        assert_eq!((one.connection_watches, one.sessions), (10, 10), "of one connection, and of the ensemble");
        assert_eq!(one.connects, ConnectRate { tokens: 1, fill_time: Duration::from_millis(3), fill_count: 1 });
        assert_eq!(limits.share(1), limits);
        assert_eq!(limits.share(0), limits);
        assert_eq!(Limits::default().share(3).watches, usize::MAX, "no limit is none for each");
    }

    #[test]
    fn counts_of_all_frontends_are_added() {
        let one = LimitCounts {
            connects_throttled: 1,
            sessions_refused: 2,
            sessions_refused_for_memory: 3,
            sessionless_expired: 4,
            large_requests_rejected: 5,
            watches_refused: 6,
            writes_refused_for_memory: 7,
        };
        let mut all = LimitCounts::default();
        all.merge(&one);
        assert_eq!(all, one);
        all.merge(&one);
        assert_eq!((all.connects_throttled, all.sessions_refused, all.sessions_refused_for_memory), (2, 4, 6));
        assert_eq!((all.sessionless_expired, all.large_requests_rejected), (8, 10));
        assert_eq!((all.watches_refused, all.writes_refused_for_memory), (12, 14));
    }
}
