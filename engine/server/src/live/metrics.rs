//! How often limits have acted, and memory, as mntr shows them behind ZooKeeper's own lines.

use crate::four_letter::{Metric, MetricValue};
use crate::metrics::Measures;

/// The lines for which ZooKeeper has no name.
pub(crate) fn limit_metrics(measures: &Measures) -> Vec<Metric> {
    let Measures { limits, memory, sockets, .. } = measures;
    [
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
    ]
    .map(|(name, count)| Metric { name: name.to_owned(), value: MetricValue::Count(count.cast_signed()) })
    .into_iter()
    .chain(measures.certificate_seconds.map(|seconds| Metric {
        name: "tls_certificate_expiry_seconds".to_owned(),
        value: MetricValue::Count(seconds),
    }))
    .collect()
}
