//! What the admin server counts of snapshots and restores. Its threads do both, and no executor.

use super::Family;
use super::family::{Depth, Unit};
use ringkeeper_core::measure::Histogram;

/// Counters since start or the last reset. Who may not, or asks where it is switched off, is counted nowhere.
#[derive(Debug, Clone, Default)]
pub struct AdminMeasures {
    /// Snapshots that could not be taken or sent.
    pub snapshot_errors: u64,
    /// Snapshots that were asked for too soon after another one.
    pub snapshots_too_soon: u64,
    /// Restores that came to nothing: of what is no usable snapshot, too.
    pub restore_errors: u64,
    /// Restores that were asked for too soon after another one.
    pub restores_too_soon: u64,
    /// Restores, from the first byte of the snapshot to the new state: how long that took, in nanoseconds.
    pub restores: Histogram,
}

impl AdminMeasures {
    /// Under ZooKeeper's names.
    pub(super) fn counters(&self) -> [(&'static str, &'static str, u64); 4] {
        [
            ("snapshot_error_count", "Snapshots over HTTP that could not be taken.", self.snapshot_errors),
            (
                "snapshot_rate_limited_count",
                "Snapshots over HTTP that were refused so soon after another one.",
                self.snapshots_too_soon,
            ),
            ("restore_error_count", "Restores over HTTP that failed.", self.restore_errors),
            (
                "restore_rate_limited_count",
                "Restores over HTTP that were refused so soon after another one.",
                self.restores_too_soon,
            ),
        ]
    }

    /// Likewise.
    pub(super) fn restore_time(&self) -> Family {
        let help = "Time to replace the state over HTTP, in milliseconds.";
        Family::summary("restore_time", help, Unit::Millis, Depth::Basic, &self.restores)
    }
}
