//! The table of commands.

use super::commands::names;
use std::collections::BTreeSet;

/// What ZooKeeper 3.9 lists at /commands.
const ZOOKEEPER: [&str; 28] = [
    "configuration",
    "connection_stat_reset",
    "connections",
    "dirs",
    "dump",
    "environment",
    "get_trace_mask",
    "hash",
    "initial_configuration",
    "is_read_only",
    "last_snapshot",
    "leader",
    "monitor",
    "observer_connection_stat_reset",
    "observers",
    "restore",
    "ruok",
    "server_stats",
    "set_trace_mask",
    "snapshot",
    "stat_reset",
    "stats",
    "system_properties",
    "voting_view",
    "watch_summary",
    "watches",
    "watches_by_path",
    "zabstate",
];

#[test]
fn every_command_of_zookeeper_is_there() {
    let ours: BTreeSet<&str> = names().into_iter().collect();
    assert!(ZOOKEEPER.iter().all(|name| ours.contains(name)));
    assert_eq!(ours.len(), ZOOKEEPER.len() + 3, "and hot_paths, slow_requests, transactions");
}
