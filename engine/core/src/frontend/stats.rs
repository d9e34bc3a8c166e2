//! What operators are told about connections, in the terms of the four-letter words.

use super::measures::is_update;
use super::{Frontend, FrontendMeasures, HotPaths, LENGTH_PREFIX};
use crate::ids::{ConnId, Instant, SessionId};
use core::net::SocketAddr;
use core::time::Duration;

/// Latencies of answered requests, from the turn that read the request to the one that wrote its reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Latency {
    /// Number of requests.
    pub count: u64,
    /// Sum, in nanoseconds.
    pub total_ns: u64,
    /// Shortest, in nanoseconds.
    pub min_ns: u64,
    /// Longest, in nanoseconds.
    pub max_ns: u64,
}

impl Latency {
    /// Takes one request into account.
    pub fn record(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.min_ns = if self.count == 0 { ns } else { self.min_ns.min(ns) };
        self.max_ns = self.max_ns.max(ns);
        self.total_ns = self.total_ns.saturating_add(ns);
        self.count += 1;
    }

    /// Puts two sets of requests together.
    pub fn merge(&mut self, other: &Latency) {
        if other.count > 0 {
            self.min_ns = if self.count == 0 { other.min_ns } else { self.min_ns.min(other.min_ns) };
            self.max_ns = self.max_ns.max(other.max_ns);
            self.total_ns = self.total_ns.saturating_add(other.total_ns);
            self.count += other.count;
        }
    }
}

/// Totals of one frontend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrontendStats {
    /// Open connections.
    pub connections: usize,
    /// Requests received.
    pub packets_received: u64,
    /// Replies and notifications sent.
    pub packets_sent: u64,
    /// Requests waiting for an answer.
    pub outstanding: usize,
    /// Failed authentications.
    pub auth_failed: u64,
    /// Latencies of requests.
    pub latency: Latency,
    /// Sizes of replies.
    pub response_size: ResponseSize,
    pub(super) sessionless_checked: Instant,
}

impl FrontendStats {
    /// Puts the totals of two frontends together.
    pub fn merge(&mut self, other: &FrontendStats) {
        self.connections += other.connections;
        self.packets_received += other.packets_received;
        self.packets_sent += other.packets_sent;
        self.outstanding += other.outstanding;
        self.auth_failed += other.auth_failed;
        self.latency.merge(&other.latency);
        self.response_size.merge(&other.response_size);
    }
}

/// Sizes of replies to requests, in bytes without the length before them; -1 before the first one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResponseSize {
    /// Of the last one.
    pub last: i64,
    /// Of the smallest.
    pub min: i64,
    /// Of the largest.
    pub max: i64,
}

impl Default for ResponseSize {
    fn default() -> ResponseSize {
        ResponseSize { last: -1, min: -1, max: -1 }
    }
}

impl ResponseSize {
    /// Takes one more into account.
    pub fn record(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.merge(&ResponseSize { last: bytes, min: bytes, max: bytes });
    }

    /// Puts two sets of replies together; the last one is the other's, if it has one.
    pub fn merge(&mut self, other: &ResponseSize) {
        if other.last >= 0 {
            self.min = if self.last < 0 { other.min } else { self.min.min(other.min) };
            (self.last, self.max) = (other.last, self.max.max(other.max));
        }
    }
}

/// Counters of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) last_op: i32,
    pub(super) last_cxid: i32,
    pub(super) last_zxid: i64,
    pub(super) last_response: Instant,
    pub(super) last_latency_ns: u64,
    pub(super) latency: Latency,
}

/// One connection, as `cons` shows it. Instants are the driver's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnInfo {
    /// The connection.
    pub id: ConnId,
    /// The client's address.
    pub peer: SocketAddr,
    /// It speaks TLS.
    pub secure: bool,
    /// Its session; [`SessionId::NONE`] while it has none.
    pub session: SessionId,
    /// The session's timeout in milliseconds.
    pub timeout_ms: i32,
    /// When it connected.
    pub established: Instant,
    /// Requests waiting for an answer.
    pub outstanding: usize,
    /// Requests received.
    pub received: u64,
    /// Replies and notifications sent.
    pub sent: u64,
    /// Opcode of the last answered request.
    pub last_op: i32,
    /// Its number.
    pub last_cxid: i32,
    /// Zxid in its reply.
    pub last_zxid: i64,
    /// When it was answered.
    pub last_response: Instant,
    /// How long that took, in nanoseconds.
    pub last_latency_ns: u64,
    /// Latencies of all its requests.
    pub latency: Latency,
}

impl Frontend {
    /// Totals.
    #[must_use]
    pub fn stats(&self) -> FrontendStats {
        let outstanding = self.conns.iter().filter_map(|s| s.conn.as_ref()).map(|c| c.pending.len()).sum();
        FrontendStats { outstanding, ..self.stats }
    }

    /// Starts counting anew (`srst`).
    pub fn reset_stats(&mut self) {
        let FrontendStats { connections, sessionless_checked, .. } = self.stats;
        self.stats = FrontendStats { connections, sessionless_checked, ..FrontendStats::default() };
        self.measures = FrontendMeasures::default();
    }

    /// Time that a connection has until its session is established.
    #[must_use]
    pub fn sessionless_timeout(&self) -> Duration {
        self.config.limits.sessionless_timeout
    }

    /// What is counted for monitoring.
    #[must_use]
    pub fn measures(&self) -> &FrontendMeasures {
        &self.measures
    }

    /// The paths that are asked for most.
    #[must_use]
    pub fn hot_paths(&self, now: Instant) -> HotPaths {
        self.sampler.seen(now)
    }

    /// Starts counting anew for every connection (`crst`).
    pub fn reset_connection_stats(&mut self) {
        for conn in self.conns.iter_mut().filter_map(|slot| slot.conn.as_mut()) {
            conn.traffic = Traffic::default();
        }
    }

    /// Every connection, by slot.
    pub fn connections(&self) -> impl Iterator<Item = ConnInfo> + '_ {
        self.ids().filter_map(|id| {
            let conn = self.peek(id)?;
            let traffic = &conn.traffic;
            Some(ConnInfo {
                id,
                peer: conn.peer,
                secure: conn.secure,
                session: conn.session,
                timeout_ms: conn.timeout_ms,
                established: conn.opened,
                outstanding: conn.pending.len(),
                received: traffic.received,
                sent: traffic.sent,
                last_op: traffic.last_op,
                last_cxid: traffic.last_cxid,
                last_zxid: traffic.last_zxid,
                last_response: traffic.last_response,
                last_latency_ns: traffic.last_latency_ns,
                latency: traffic.latency,
            })
        })
    }

    /// A request has been answered; its reply is the last in the connection's output.
    pub(super) fn note_answer(&mut self, id: ConnId, op: i32, xid: i32, zxid: i64, since: Instant) {
        let now = self.now;
        let latency = now.since(since);
        self.stats.latency.record(latency);
        let measured = if is_update(op) { &mut self.measures.updates } else { &mut self.measures.reads };
        measured.record_time(latency);
        let Some(conn) = self.conn(id) else { return };
        let traffic = &mut conn.traffic;
        (traffic.last_op, traffic.last_cxid, traffic.last_zxid) = (op, xid, zxid);
        traffic.last_response = now;
        traffic.last_latency_ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        traffic.latency.record(latency);
        let reply = conn.out.len().saturating_sub(conn.reply_start + LENGTH_PREFIX);
        self.stats.response_size.record(reply);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_all_frontends() {
        let of = |ms: &[u64], connections| {
            let mut stats = FrontendStats { connections, auth_failed: 1, outstanding: 2, ..FrontendStats::default() };
            for ms in ms {
                stats.latency.record(Duration::from_millis(*ms));
                stats.response_size.record(*ms as usize);
            }
            stats
        };
        let mut all = FrontendStats::default();
        [of(&[5, 9], 1), of(&[], 2), of(&[3, 4], 4)].iter().for_each(|one| all.merge(one));
        let Latency { count, total_ns, min_ns, max_ns } = all.latency;
        assert_eq!([count, total_ns, min_ns, max_ns], [4, 21_000_000, 3_000_000, 9_000_000]);
        assert_eq!(all.response_size, ResponseSize { last: 4, min: 3, max: 9 });
        assert_eq!((all.connections, all.outstanding, all.auth_failed), (7, 6, 3));
    }
}
