//! Making, wiping and removing segment files. Each function leaves, if it is interrupted anywhere, a directory that
//! recovery accepts; `docs/formats.md` lists the states.

use crate::config::LogConfig;
use crate::disk::{Disk, DiskFile, is_full};
use crate::error::OpenError;
use crate::format::{BLOCK, BlockBuf, SegmentHeader, segment_name, segment_tmp_name};
use crate::planted::{Defects, planted};
use crate::writer::{PrepareError, PrepareOp};
use std::io;
use std::sync::Arc;

/// Bytes of zeros written at once.
const ZEROS: usize = 1 << 20;

/// Makes a segment: zero-filled, or an old one under a new header. It gets its name when it is whole and on the disk.
/// `pace` is told the bytes just written and may take its time.
///
/// # Errors
/// See [`PrepareError`].
pub fn prepare(
    disk: &dyn Disk,
    op: &PrepareOp,
    defects: Defects,
    pace: &mut dyn FnMut(u64),
) -> Result<Arc<dyn DiskFile>, PrepareError> {
    let result = match op.reuse {
        Some(old) => recycle(disk, op, old, defects),
        None => zero_fill(disk, op, defects, pace),
    };
    result.map_err(|error| {
        if !is_full(&error) {
            return PrepareError::Failed(error.to_string());
        }
        // The next attempt starts afresh; a file that stays because even this fails is removed at the next start.
        let _ = disk.remove(&segment_tmp_name(op.segment));
        PrepareError::NoSpace
    })
}

/// Like [`prepare`], at once and for a caller that cannot go on without the segment.
///
/// # Errors
/// Of the disk, a full one included.
pub(crate) fn prepare_now(disk: &dyn Disk, op: &PrepareOp, defects: Defects) -> Result<Arc<dyn DiskFile>, OpenError> {
    prepare(disk, op, defects, &mut |_| {}).map_err(|e| {
        let source = match e {
            PrepareError::NoSpace => io::Error::from(io::ErrorKind::StorageFull),
            PrepareError::Failed(e) => io::Error::other(e),
        };
        OpenError::Io { what: format!("making {}", disk.describe(&segment_name(op.segment))), source }
    })
}

fn zero_fill(
    disk: &dyn Disk,
    op: &PrepareOp,
    defects: Defects,
    pace: &mut dyn FnMut(u64),
) -> io::Result<Arc<dyn DiskFile>> {
    let file = disk.create(&segment_tmp_name(op.segment))?;
    file.reserve(op.len)?;
    write_zeros(&*file, BLOCK as u64, op.len, pace)?;
    publish(disk, op, file, defects)
}

fn recycle(disk: &dyn Disk, op: &PrepareOp, old: u64, defects: Defects) -> io::Result<Arc<dyn DiskFile>> {
    let tmp = segment_tmp_name(op.segment);
    disk.rename(&segment_name(old), &tmp)?;
    // The new header must not show under the old name.
    sync_dir(disk, defects)?;
    let file = disk.open(&tmp)?;
    publish(disk, op, file, defects)
}

/// Header, sync, name, sync.
fn publish(
    disk: &dyn Disk,
    op: &PrepareOp,
    file: Arc<dyn DiskFile>,
    defects: Defects,
) -> io::Result<Arc<dyn DiskFile>> {
    let header = SegmentHeader { generation: op.generation, sequence: op.segment, len: op.len };
    file.write_at(0, &header.encode())?;
    if !planted!(defects, RenameBeforeSync) {
        sync_file(&*file, defects)?;
    }
    disk.rename(&segment_tmp_name(op.segment), &segment_name(op.segment))?;
    sync_dir(disk, defects)?;
    Ok(file)
}

/// Removes a segment, durably.
///
/// # Errors
/// Of the disk.
pub fn delete(disk: &dyn Disk, segment: u64, defects: Defects) -> io::Result<()> {
    disk.remove(&segment_name(segment))?;
    sync_dir(disk, defects)
}

/// Overwrites everything from `from` to `to` with zeros.
pub(crate) fn write_zeros(file: &dyn DiskFile, from: u64, to: u64, pace: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut zeros = BlockBuf::new();
    zeros.resize(ZEROS.min((to - from) as usize), 0);
    let mut at = from;
    while at < to {
        let len = zeros.len().min((to - at) as usize);
        file.write_at(at, &zeros[..len])?;
        pace(len as u64);
        at += len as u64;
    }
    Ok(())
}

/// Syncs a file, unless a defect is planted.
pub(crate) fn sync_file(file: &dyn DiskFile, defects: Defects) -> io::Result<()> {
    let result = file.sync_data();
    if planted!(defects, SyncErrorIgnored) { Ok(()) } else { result }
}

/// Syncs a directory, unless a defect is planted.
pub(crate) fn sync_dir(disk: &dyn Disk, defects: Defects) -> io::Result<()> {
    if planted!(defects, DirectoryNotSynced) { Ok(()) } else { disk.sync_dir() }
}

/// Time that writing should take: a bound on the rate of background writing. PURE: the caller reads the clock and
/// sleeps.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    /// Bytes per second; 0 for no bound.
    rate: u64,
    written: u64,
}

impl Pacer {
    /// Of so many bytes per second; 0 for no bound.
    #[must_use]
    pub fn new(rate: u64) -> Pacer {
        Pacer { rate, written: 0 }
    }

    /// So much has been written since the start, `elapsed_us` microseconds ago: how long to pause, in microseconds.
    pub fn pause_us(&mut self, bytes: u64, elapsed_us: u64) -> u64 {
        self.written = self.written.saturating_add(bytes);
        if self.rate == 0 {
            return 0;
        }
        let due = u128::from(self.written) * 1_000_000 / u128::from(self.rate);
        u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(elapsed_us)
    }
}

/// Whether a log with this configuration can use a file of that length again.
#[must_use]
pub(crate) fn fits(config: &LogConfig, len: u64) -> bool {
    len == config.segment_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{CrashStyle, SimDisk};

    fn op(segment: u64, reuse: Option<u64>) -> PrepareOp {
        PrepareOp { segment, generation: segment * 7, len: 65536, reuse, urgent: false }
    }

    fn header(disk: &SimDisk, segment: u64) -> Option<SegmentHeader> {
        let name = segment_name(segment);
        let content = disk.content(&name)?;
        Some(SegmentHeader::parse(&content, &name, content.len() as u64).expect("a named segment is whole"))
    }

    fn run(disk: &SimDisk, op: &PrepareOp) -> Result<(), PrepareError> {
        prepare(disk, op, Defects::default(), &mut |_| {}).map(drop)
    }

    #[test]
    fn a_segment_is_whole_or_absent_wherever_the_power_fails() {
        for style in CrashStyle::ALL {
            for after in 0.. {
                let disk = SimDisk::new(after);
                run(&disk, &op(1, None)).unwrap();
                disk.crash_after(after);
                let fresh = run(&disk, &op(2, None)).and_then(|()| run(&disk, &op(3, Some(1))));
                disk.power_loss(style);
                let (first, second, third) = (header(&disk, 1), header(&disk, 2), header(&disk, 3));
                if let Some(second) = second {
                    assert_eq!((second.sequence, second.generation), (2, 14));
                    assert!(disk.content(&segment_name(2)).unwrap()[BLOCK..].iter().all(|&b| b == 0));
                }
                assert!(first.is_none() || third.is_none(), "a file has one name");
                if fresh.is_ok() {
                    assert!(second.is_some() && third.is_some() && first.is_none());
                    break;
                }
            }
        }
    }

    #[test]
    fn a_full_disk_is_told_apart_and_leaves_nothing_behind() {
        let disk = SimDisk::new(0);
        disk.set_capacity(100_000);
        run(&disk, &op(1, None)).unwrap();
        assert_eq!(run(&disk, &op(2, None)), Err(PrepareError::NoSpace));
        assert_eq!(disk.list().unwrap().len(), 1);
        run(&disk, &op(2, Some(1))).unwrap();
    }

    #[test]
    fn pacing_adds_up_to_the_rate() {
        let mut pacer = Pacer::new(1_000_000);
        assert_eq!(pacer.pause_us(500_000, 0), 500_000);
        assert_eq!(pacer.pause_us(500_000, 900_000), 100_000);
        assert_eq!(pacer.pause_us(0, 2_000_000), 0);
        assert_eq!(Pacer::new(0).pause_us(1 << 40, 0), 0);
    }
}
