//! mntr: one `zk_<name>` and value a line, separated by a tab.

use super::line;
use super::server::decimals;
use super::{Distribution, MetricValue, Snapshot};
use crate::version;

/// mntr.
pub(super) fn mntr(server: &Snapshot, out: &mut String) {
    line!(out, "zk_version\t{}", version::zookeeper());
    line!(out, "zk_server_state\t{}", server.mode.name());
    for (name, value) in gauges(server) {
        line!(out, "zk_{name}\t{value}");
    }
    for metric in &server.metrics {
        one(&metric.name, metric.value, out);
    }
}

fn gauges(server: &Snapshot) -> [(&'static str, String); 24] {
    let latency = &server.latency;
    [
        ("ephemerals_count", server.ephemeral_count.to_string()),
        ("num_alive_connections", server.alive_connections.to_string()),
        ("avg_latency", decimals(latency.avg_us / 1000.0)),
        ("outstanding_requests", server.outstanding.to_string()),
        ("znode_count", server.shown_node_count().to_string()),
        ("global_sessions", server.global_sessions.to_string()),
        ("non_mtls_remote_conn_count", "0".to_owned()),
        ("last_client_response_size", server.response_size.last.to_string()),
        ("packets_sent", server.sent.to_string()),
        ("packets_received", server.received.to_string()),
        ("max_client_response_size", server.response_size.max.to_string()),
        ("connection_drop_probability", "0.0".to_owned()),
        ("watch_count", server.watch_count.to_string()),
        ("auth_failed_count", server.auth_failed.to_string()),
        ("min_latency", (latency.min_us / 1000).to_string()),
        ("max_file_descriptor_count", server.descriptors.max.to_string()),
        ("approximate_data_size", server.data_size.to_string()),
        ("open_file_descriptor_count", server.descriptors.open.to_string()),
        ("local_sessions", server.local_sessions.to_string()),
        ("uptime", server.uptime_ms.to_string()),
        ("max_latency", (latency.max_us / 1000).to_string()),
        ("outstanding_tls_handshake", "0".to_owned()),
        ("min_client_response_size", server.response_size.min.to_string()),
        ("non_mtls_local_conn_count", "0".to_owned()),
    ]
}

fn one(name: &str, value: MetricValue, out: &mut String) {
    match value {
        MetricValue::Count(count) => line!(out, "zk_{name}\t{count}"),
        MetricValue::Number(number) => line!(out, "zk_{name}\t{}", decimals(number)),
        MetricValue::Summary(distribution) => summary(name, distribution, out),
        MetricValue::Quantiles(distribution, [p50, p95, p99, p999]) => {
            summary(name, distribution, out);
            line!(out, "zk_p50_{name}\t{p50}");
            line!(out, "zk_p95_{name}\t{p95}");
            line!(out, "zk_p99_{name}\t{p99}");
            line!(out, "zk_p999_{name}\t{p999}");
        }
    }
}

fn summary(name: &str, distribution: Distribution, out: &mut String) {
    let Distribution { count, sum, min, max } = distribution;
    let average = if count == 0 { 0.0 } else { sum as f64 / count as f64 };
    line!(out, "zk_avg_{name}\t{}", decimals(average));
    line!(out, "zk_min_{name}\t{min}");
    line!(out, "zk_max_{name}\t{max}");
    line!(out, "zk_cnt_{name}\t{count}");
    line!(out, "zk_sum_{name}\t{sum}");
}
