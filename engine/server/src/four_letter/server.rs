//! srvr, stat and hash.

use super::connections;
use super::line;
use super::{Latency, Mode, Snapshot};
use crate::version;

/// srvr.
pub(super) fn srvr(server: &Snapshot, out: &mut String) {
    head(server, out);
    body(server, out);
}

/// stat: srvr with the clients behind the version.
pub(super) fn stat(server: &Snapshot, out: &mut String) {
    head(server, out);
    line!(out, "Clients:");
    connections::brief(server, out);
    body(server, out);
}

/// hash.
pub(super) fn hash(server: &Snapshot, out: &mut String) {
    for (zxid, digest) in &server.digests {
        line!(out, "{:x}: {digest}", zxid.0);
    }
}

fn head(server: &Snapshot, out: &mut String) {
    line!(out, "Zookeeper version: {}", version::zookeeper());
    if server.mode == Mode::ReadOnly {
        line!(out, "READ-ONLY mode; serving only read-only clients");
    }
}

fn body(server: &Snapshot, out: &mut String) {
    let Latency { min_us, avg_us, max_us } = server.latency;
    line!(out, "Latency min/avg/max: {}/{}/{}", min_us / 1000, decimals(avg_us / 1000.0), max_us / 1000);
    line!(out, "Received: {}", server.received);
    line!(out, "Sent: {}", server.sent);
    line!(out, "Connections: {}", server.alive_connections);
    line!(out, "Outstanding: {}", server.outstanding);
    line!(out, "Zxid: {}", server.zxid);
    line!(out, "Mode: {}", server.mode.name());
    line!(out, "Node count: {}", server.shown_node_count());
}

/// One to four decimals and never an exponent: `0.0`, `1.8182`. Clients parse it with a pattern.
pub(super) fn decimals(number: f64) -> String {
    let text = format!("{number:.4}");
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::decimals;

    #[test]
    fn averages_have_one_to_four_decimals() {
        for (number, text) in
            [(0.0, "0.0"), (20.0 / 11.0, "1.8182"), (0.00012, "0.0001"), (12.5, "12.5"), (1e9, "1000000000.0")]
        {
            assert_eq!(decimals(number), text);
        }
    }
}
