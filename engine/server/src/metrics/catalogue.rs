//! All families.

use super::{Family, ours, process, zookeeper};
use crate::four_letter::Snapshot;

/// Everything that Prometheus is told: ZooKeeper's names, the usual ones of a process, our own.
pub fn families(server: &Snapshot) -> Vec<Family> {
    let mut all = zookeeper::gauge_families(server);
    all.extend(zookeeper_families(server));
    all.extend(ours::families(server));
    all.extend(process::families(&server.descriptors));
    all
}

/// What ZooKeeper has under the same names beside its gauges: counters and summaries.
pub fn zookeeper_families(server: &Snapshot) -> Vec<Family> {
    let mut all = zookeeper::counters(server);
    all.extend(zookeeper::summaries(server));
    all
}
