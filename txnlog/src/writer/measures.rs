//! What the writer counts for monitoring.

use ringkeeper_core::ids::Instant;
use ringkeeper_core::measure::Histogram;
use std::time::Duration;

/// Counters since start or the last reset. Times are in nanoseconds, from the turn that gives the device something to do
/// to the turn that hears of its end: what whoever waits for the log waits for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogMeasures {
    /// Writes that are on stable storage when they end, and syncs of earlier writes.
    pub synced: Histogram,
    /// Writes that are not synced by themselves (`log.durability` other than `always`).
    pub unsynced: Histogram,
    /// Transactions in each write.
    pub batch_frames: Histogram,
    /// Bytes of each write, as they are on disk.
    pub batch_bytes: Histogram,
    /// Writes and syncs that took longer than [`LogConfig::slow_write`](crate::config::LogConfig::slow_write).
    pub slow: u64,
}

impl LogMeasures {
    /// A write or a sync has ended.
    pub(super) fn ended(&mut self, now: Instant, since: Instant, synced: bool, slow: Duration) {
        let took = now.since(since);
        self.slow += u64::from(took > slow);
        (if synced { &mut self.synced } else { &mut self.unsynced }).record_time(took);
    }

    /// A batch with transactions is given to the device.
    pub(super) fn placed(&mut self, frames: u32, bytes: usize) {
        if frames > 0 {
            self.batch_frames.record(u64::from(frames));
            self.batch_bytes.record(bytes as u64);
        }
    }
}
