//! Sizes and periods of one ensemble. Tiny ones are frequent: what happens once a day in production (a new segment, a
//! snapshot, the end of an epoch's counter, a learner beyond the leader's memory) is to happen in every second of a run.

use crate::time::{MS, Time, US};
use core::time::Duration;
use ringkeeper_core::zab::Timing;
use ringkeeper_txnlog::config::{LogConfig, SnapshotConfig};
use ringkeeper_txnlog::sim::Rng;

/// See the module.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Servers that vote.
    pub voters: usize,
    /// Servers that do not.
    pub observers: usize,
    /// Zxids of an epoch.
    pub last_counter: u32,
    /// Transactions between snapshots.
    pub snap_count: u64,
    /// Bytes that a leader keeps in memory for learners.
    pub history_bytes: u64,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Bytes of one write.
    pub batch_bytes: usize,
    /// Log writes under way at once.
    pub writes_in_flight: usize,
    /// Snapshots kept.
    pub keep: usize,
    /// Shortest silence that counts.
    pub silence: Time,
    /// For so long clients are held without a leader.
    pub hold: Time,
    /// After so long without a leader a server serves clients that only read, if it ever does.
    pub read_only_after: Option<Time>,
    /// What clients ask for as their session timeout.
    pub session_timeout: Time,
    /// A message between servers takes this and up to as much again.
    pub net_delay: Time,
    /// A step of a disk takes this and up to as much again.
    pub disk_delay: Time,
    /// Clocks go wrong by at most so many parts in a million.
    pub drift_ppm: u64,
    /// Between two actions of a client about this passes.
    pub client_pause: Time,
}

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.below(choices.len() as u64) as usize]
}

impl Limits {
    pub(super) fn draw(rng: &mut Rng) -> Limits {
        Limits {
            voters: pick(rng, &[3, 3, 3, 5]),
            observers: pick(rng, &[0, 0, 0, 1]),
            last_counter: pick(rng, &[u32::MAX, u32::MAX, 15, 60]),
            snap_count: pick(rng, &[5, 20, 60, 1_000]),
            history_bytes: pick(rng, &[1 << 10, 8 << 10, 8 << 20]),
            segment_bytes: pick(rng, &[16 << 10, 16 << 10, 32 << 10]),
            batch_bytes: pick(rng, &[4 << 10, 8 << 10]),
            writes_in_flight: pick(rng, &[1, 1, 2]),
            keep: pick(rng, &[1, 2, 3]),
            silence: pick(rng, &[60 * MS, 120 * MS, 250 * MS]),
            hold: pick(rng, &[300 * MS, 1_500 * MS]),
            read_only_after: None,
            session_timeout: pick(rng, &[300 * MS, 800 * MS, 4_000 * MS]),
            net_delay: pick(rng, &[50 * US, 50 * US, 300 * US, 3 * MS]),
            disk_delay: pick(rng, &[20 * US, 20 * US, 200 * US, MS]),
            drift_ppm: pick(rng, &[0, 500, 20_000]),
            client_pause: pick(rng, &[5 * MS, 15 * MS, 40 * MS]),
        }
    }

    /// The same with servers that may be read-only, in every fourth run. What else is drawn does not depend on it.
    pub(super) fn with_read_only(self, seed: u64) -> Limits {
        let read_only_after = (seed % 4 == 3).then(|| pick(&mut Rng::new(seed), &[80 * MS, 400 * MS]));
        Limits { read_only_after, ..self }
    }

    /// Everybody.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.voters + self.observers
    }

    /// The servers' failure detection.
    #[must_use]
    pub fn timing(&self) -> Timing {
        Timing {
            heartbeat: Duration::from_nanos(self.silence / 6),
            silence_min: Duration::from_nanos(self.silence),
            silence_max: Duration::from_nanos(self.silence * 4),
            join: Duration::from_nanos(self.silence * 3),
            sync: Duration::from_nanos(self.silence * 40),
            // Slow is not stalled.
            disk_stall: Duration::from_nanos(self.silence * 4 + self.disk_delay * 500),
            ..Timing::default()
        }
    }

    /// The servers' logs.
    #[must_use]
    pub fn log(&self) -> LogConfig {
        LogConfig {
            segment_bytes: self.segment_bytes,
            batch_bytes: self.batch_bytes,
            writes_in_flight: self.writes_in_flight,
            recycle: 1,
            seal_after: Some(Duration::from_millis(30)),
            reserve_bytes: 8 << 10,
            retry_after: Duration::from_millis(20),
            prepare_rate: 0,
            ..LogConfig::default()
        }
    }

    /// The servers' snapshots. Nothing is read ahead: that would need a thread.
    #[must_use]
    pub fn snapshots(&self) -> SnapshotConfig {
        SnapshotConfig {
            keep: self.keep,
            block_bytes: 1 << 10,
            rate: 0,
            read_ahead: false,
            ..SnapshotConfig::default()
        }
    }
}
