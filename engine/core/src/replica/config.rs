//! What the operator decides about the replica.

use crate::ids::ServerId;
use crate::prepare::PrepareConfig;
use crate::zab::{Defects, Quorum, Timing};
use core::time::Duration;

/// Settings of one replica; the server fills them from its configuration.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// This server.
    pub id: ServerId,
    /// Who votes.
    pub quorum: Quorum,
    /// Failure detection and bounds.
    pub timing: Timing,
    /// Bytes of recent transactions that are kept in memory for followers that must catch up.
    pub history_bytes: u64,
    /// Random: tags, and the identity of an ensemble that this server founds, are made from it.
    pub seed: u64,
    /// If this server has stood alone until now, its data is to be that of its ensemble.
    pub bootstrap: bool,
    /// For so long the clients of a server without a leader keep their connections.
    pub hold_clients: Duration,
    /// After so long without a leader the server serves clients that only read (`readonlymode.enabled`); `None`: never.
    pub read_only_after: Option<Duration>,
    /// Deliberate defects of agreement; none.
    pub defects: Defects,
    /// `tickTime`: the granularity of session expiry.
    pub tick: Duration,
    /// Shortest session timeout that is granted, in milliseconds.
    pub min_session_timeout_ms: i32,
    /// Longest session timeout that is granted, in milliseconds.
    pub max_session_timeout_ms: i32,
    /// The zxid counter at which an epoch ends and the next begins; `u32::MAX` but in tests.
    pub last_counter: u32,
    /// Checks of writes.
    pub prepare: PrepareConfig,
    /// A snapshot is taken after so many transactions.
    pub snap_count: u64,
    /// A snapshot is taken after so many bytes of log.
    pub snap_bytes: u64,
    /// How often containers and nodes with a time to live are looked at (`znode.container.checkIntervalMs`).
    pub reap_interval: Duration,
    /// How many of them are removed in a minute at most (`znode.container.maxPerMinute`).
    pub reap_per_minute: u32,
    /// A container that never had a child is removed after so many milliseconds; 0: never.
    pub reap_never_used_ms: i64,
}

impl Default for ReplicaConfig {
    fn default() -> ReplicaConfig {
        ReplicaConfig {
            id: ServerId(1),
            quorum: Quorum::majority([ServerId(1)]),
            timing: Timing::default(),
            history_bytes: 64 << 20,
            seed: 1,
            bootstrap: false,
            hold_clients: Duration::from_secs(5),
            read_only_after: None,
            defects: Defects::default(),
            tick: Duration::from_millis(3000),
            min_session_timeout_ms: 6000,
            max_session_timeout_ms: 60_000,
            last_counter: u32::MAX,
            prepare: PrepareConfig::default(),
            snap_count: 100_000,
            snap_bytes: 4 << 30,
            reap_interval: Duration::from_secs(60),
            reap_per_minute: 10_000,
            reap_never_used_ms: 0,
        }
    }
}

/// A timeout as it is stored, as a duration.
pub(super) fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::from(ms.max(0).unsigned_abs()))
}
