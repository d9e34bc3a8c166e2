//! How often limits have acted, as mntr shows it.

use ringkeeper_core::frontend::LimitCounts;
use ringkeeper_net::SocketStats;

use super::MemoryUse;
use crate::four_letter::{Metric, MetricValue};

/// How often limits have acted on the clients of some executors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Acted {
    pub(crate) sockets: SocketStats,
    pub(crate) clients: LimitCounts,
}

impl Acted {
    /// With those of other executors.
    pub(crate) fn merge(&mut self, other: &Acted) {
        self.sockets.merge(&other.sockets);
        self.clients.merge(&other.clients);
    }

    /// The first five names are ZooKeeper's.
    pub(crate) fn metrics(&self, memory: MemoryUse) -> Vec<Metric> {
        let Acted { sockets, clients } = self;
        let sessions = clients.sessions_refused + clients.sessions_refused_for_memory;
        [
            ("connection_rejected", sockets.refused + clients.connects_throttled + sessions),
            ("large_requests_rejected", clients.large_requests_rejected),
            ("sessionless_connections_expired", clients.sessionless_expired),
            ("request_throttle_wait_count", sockets.held_back),
            ("throttled_ops", clients.watches_refused + clients.writes_refused_for_memory),
            ("connections_rejected_by_rate", clients.connects_throttled),
            ("sessions_rejected", clients.sessions_refused),
            ("watches_rejected", clients.watches_refused),
            ("memory_rejected_sessions", clients.sessions_refused_for_memory),
            ("memory_rejected_writes", clients.writes_refused_for_memory),
            ("slow_clients_closed", sockets.too_slow),
            ("impossible_requests_closed", sockets.bad_frames),
            ("memory_used", memory.used),
            ("memory_limit", memory.limit),
            ("memory_short", memory.short.into()),
        ]
        .map(|(name, count)| Metric { name: name.to_owned(), value: MetricValue::Count(count.cast_signed()) })
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rejection_counts_in_the_sum_and_in_its_own_line() {
        let mut acted = Acted {
            sockets: SocketStats { refused: 1, ..SocketStats::default() },
            clients: LimitCounts { connects_throttled: 2, sessions_refused: 4, ..LimitCounts::default() },
        };
        let other = LimitCounts { sessions_refused_for_memory: 8, watches_refused: 5, ..LimitCounts::default() };
        acted.merge(&Acted { clients: other, ..Acted::default() });
        let metrics = acted.metrics(MemoryUse::default());
        let value = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().value;
        assert_eq!(value("connection_rejected"), MetricValue::Count(15));
        assert_eq!(value("connections_rejected_by_rate"), MetricValue::Count(2));
        assert_eq!(value("throttled_ops"), MetricValue::Count(5));
    }
}
