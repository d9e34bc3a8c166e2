//! Settings of the log and of snapshots, with their bounds.

use crate::format::BLOCK;
use crate::planted::Defects;
use std::time::Duration;

/// When an appended transaction counts as durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// When the device has confirmed that it is on stable storage. Survives power loss.
    #[default]
    Always,
    /// When it has been handed to the device (or, where the file system refuses direct I/O, to the kernel); a sync
    /// follows at most this long after the write. **Power loss can take acknowledged transactions of about the last
    /// interval**; a crash of the process takes none.
    Interval(Duration),
    /// When it has been handed to the device or the kernel; nothing but a change of segment syncs. **Power loss or a
    /// crash of the kernel can take any number of acknowledged transactions of the current segment**; a crash of the
    /// process takes none.
    Os,
}

/// Who carries out the log's writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DriverKind {
    /// `UringDsync`, and `Thread` for as long as completions of io_uring wait for a processor; `Thread` alone where the
    /// file system has no direct I/O.
    #[default]
    Auto,
    /// For tests: `Auto` that changes over each time it has been given so many writes, and for no other reason.
    AutoEvery(u32),
    /// io_uring on the executor, file opened with `O_DIRECT|O_DSYNC`: one operation per commit.
    UringDsync,
    /// io_uring on the executor, `O_DIRECT` write, then fdatasync.
    UringFdatasync,
    /// A thread of its own: pwrite, then fdatasync.
    Thread,
}

/// Settings of the log. [`LogConfig::default`] is right for production.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// When an append counts as durable.
    pub durability: Durability,
    /// Bytes of a segment file; a multiple of 4 KiB, at least 16 KiB. A frame that does not fit gets a larger one.
    pub segment_bytes: u64,
    /// Cap of one write, header and padding included; a single larger frame is still written in one piece.
    pub batch_bytes: usize,
    /// How long a write may wait for company. Zero: what arrives during a write forms the next one, and that is all.
    pub batch_delay: Duration,
    /// Writes that may be under way at once. Acknowledgements keep their order with any number.
    pub writes_in_flight: usize,
    /// Segments no longer needed that are kept for reuse; the rest is removed.
    pub recycle: usize,
    /// An idle log gets a small closing mark after this long, so that rot of its last transactions cannot be taken
    /// for a torn write. `None` turns the mark off.
    pub seal_after: Option<Duration>,
    /// Room in the current segment below which, when no next one can be made, [`has_room`] turns false. It should be
    /// three times the bytes that may still be appended after that.
    ///
    /// [`has_room`]: crate::writer::LogWriter::has_room
    pub reserve_bytes: u64,
    /// Pause between attempts to prepare a segment on a full disk.
    pub retry_after: Duration,
    /// Bytes per second at which a coming segment is filled with zeros in the background, as long as nobody waits
    /// for it.
    pub prepare_rate: u64,
    /// A write or sync that takes longer is counted and reported.
    pub slow_write: Duration,
    /// Deliberate defects, for tests.
    pub defects: Defects,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            durability: Durability::Always,
            segment_bytes: 64 << 20,
            batch_bytes: 256 << 10,
            batch_delay: Duration::ZERO,
            writes_in_flight: 1,
            recycle: 2,
            seal_after: Some(Duration::from_millis(200)),
            reserve_bytes: 8 << 20,
            retry_after: Duration::from_secs(1),
            prepare_rate: 256 << 20,
            slow_write: Duration::from_secs(1),
            defects: Defects::default(),
        }
    }
}

impl LogConfig {
    /// Checks the bounds.
    ///
    /// # Errors
    /// A sentence that names the setting and its bounds.
    pub fn check(&self) -> Result<(), String> {
        let block = BLOCK as u64;
        if !self.segment_bytes.is_multiple_of(block) || self.segment_bytes < 4 * block || self.segment_bytes > 1 << 40 {
            return Err(format!("segment size {} is not a multiple of 4096 from 16 KiB to 1 TiB", self.segment_bytes));
        }
        if !self.batch_bytes.is_multiple_of(BLOCK) || self.batch_bytes < BLOCK || self.batch_bytes > 16 << 20 {
            return Err(format!("batch size {} is not a multiple of 4096 from 4 KiB to 16 MiB", self.batch_bytes));
        }
        if self.writes_in_flight == 0 || self.writes_in_flight > 64 {
            return Err(format!("{} writes in flight: 1 to 64 are possible", self.writes_in_flight));
        }
        if matches!(self.durability, Durability::Interval(d) if d.is_zero()) {
            return Err("a sync interval of zero: use durability `always`".into());
        }
        Ok(())
    }
}

/// Settings of snapshots. [`SnapshotConfig::default`] is right for production.
#[derive(Clone, Debug)]
pub struct SnapshotConfig {
    /// Snapshots to keep, with the log that the oldest of them needs. At least 1.
    pub keep: usize,
    /// zstd level; 1 is the fastest that compresses well, negative ones are faster still.
    pub level: i32,
    /// Bytes of state per compressed block.
    pub block_bytes: usize,
    /// Bytes written per second at most; zero for no limit.
    pub rate: u64,
    /// Whether a thread reads and decompresses ahead when a snapshot is loaded.
    pub read_ahead: bool,
    /// Deliberate defects, for tests.
    pub defects: Defects,
}

impl Default for SnapshotConfig {
    fn default() -> SnapshotConfig {
        SnapshotConfig {
            keep: 3,
            level: 1,
            block_bytes: 256 << 10,
            rate: 128 << 20,
            read_ahead: true,
            defects: Defects::default(),
        }
    }
}

impl SnapshotConfig {
    /// Checks the bounds.
    ///
    /// # Errors
    /// A sentence that names the setting and its bounds.
    pub fn check(&self) -> Result<(), String> {
        if self.keep == 0 {
            return Err("at least one snapshot must be kept".into());
        }
        if !(-7..=19).contains(&self.level) {
            return Err(format!("zstd level {}: -7 to 19 are possible", self.level));
        }
        if self.block_bytes < 256 || self.block_bytes > crate::snapshot::MAX_BLOCK {
            return Err(format!("snapshot block of {} bytes: 256 to {}", self.block_bytes, crate::snapshot::MAX_BLOCK));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_own_bounds() {
        assert_eq!(LogConfig::default().check(), Ok(()));
        assert_eq!(SnapshotConfig::default().check(), Ok(()));
    }

    #[test]
    fn impossible_settings_are_named() {
        let bad = LogConfig { segment_bytes: 5000, ..LogConfig::default() };
        assert!(bad.check().unwrap_err().contains("segment size"));
        let bad = LogConfig { durability: Durability::Interval(Duration::ZERO), ..LogConfig::default() };
        assert!(bad.check().unwrap_err().contains("always"));
        let bad = SnapshotConfig { keep: 0, ..SnapshotConfig::default() };
        assert!(bad.check().is_err());
    }
}
