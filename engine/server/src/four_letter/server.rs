//! srvr, stat and hash.

use super::connections;
use super::line;
use super::{Latency, Mode, Snapshot};
use crate::metrics::decimals;
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
    if server.mode == Mode::Leader {
        let sizes = server.proposal_size;
        line!(out, "Proposal sizes last/min/max: {}/{}/{}", sizes.last, sizes.min, sizes.max);
    }
}
