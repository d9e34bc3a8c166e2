//! What mntr shows behind ZooKeeper's own lines: how often limits have acted, memory, and the last change of leaders.

use crate::four_letter::{Metric, MetricValue, Snapshot};
use crate::metrics::{Measures, change_lines};

/// The lines for which ZooKeeper has no name.
pub(crate) fn own_metrics(server: &Snapshot) -> Vec<Metric> {
    let Measures { limits, memory, sockets, .. } = &*server.measures;
    let counts = [
        ("connections_rejected_by_rate", limits.connects_throttled),
        ("sessions_rejected", limits.sessions_refused),
        ("watches_rejected", limits.watches_refused),
        ("memory_rejected_sessions", limits.sessions_refused_for_memory),
        ("memory_rejected_writes", limits.writes_refused_for_memory),
        ("slow_clients_closed", sockets.too_slow),
        ("impossible_requests_closed", sockets.bad_frames),
        ("memory_used", memory.used),
        ("memory_limit", memory.limit),
        ("memory_short", memory.short.into()),
        ("process_resident_memory_bytes", server.resident_bytes),
        ("clock_us", server.clock_us),
    ];
    let counts = counts.map(|(name, count)| (name.to_owned(), count));
    let lines = counts.into_iter().chain(change_lines(server.leader_change));
    let lines = lines.map(|(name, count)| Metric { name, value: MetricValue::Count(count.cast_signed()) });
    let certificate = server.measures.certificate_seconds.map(|seconds| Metric {
        name: "tls_certificate_expiry_seconds".to_owned(),
        value: MetricValue::Count(seconds),
    });
    lines.chain(certificate).collect()
}
