//! How long it takes until a write is on the disk.

use super::uring::Ring;
use crate::engine::Stop;
use crate::times::Times;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is written at a time: the least that direct I/O can write everywhere, and the least that a log does.
const BLOCK: usize = 4096;
/// Space that is written over and over, as a log's file that was filled ahead of need.
const BLOCKS: u64 = 4096;
/// The ways take turns so often.
const TURNS: u32 = 8;
/// A slow disk gets no more time than this, for all ways together.
const LIMIT: Duration = Duration::from_secs(30);

/// What was found.
#[derive(Debug, Serialize)]
pub struct DiskFindings {
    /// Bytes of each write.
    pub block_bytes: usize,
    /// By each way.
    pub ways: Vec<WayFindings>,
}

/// One way to write.
#[derive(Debug, Serialize)]
pub struct WayFindings {
    /// Its name.
    pub way: &'static str,
    /// Writes that were timed.
    pub writes: u64,
    /// How long they took until they were on the disk.
    pub latency_us: Times,
    /// Why this machine does not have it.
    pub unavailable: Option<String>,
}

#[repr(align(4096))]
struct Block([u8; BLOCK]);

/// A way to make a write durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it; the command's help explains them")]
pub enum Way {
    UringDsync,
    UringFdatasync,
    PwriteFdatasync,
    PwriteDsync,
    Buffered,
}

/// All.
pub const WAYS: [Way; 5] =
    [Way::UringDsync, Way::UringFdatasync, Way::PwriteFdatasync, Way::PwriteDsync, Way::Buffered];

impl Way {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Way::UringDsync => "uring-dsync",
            Way::UringFdatasync => "uring-fdatasync",
            Way::PwriteFdatasync => "pwrite-fdatasync",
            Way::PwriteDsync => "pwrite-dsync",
            Way::Buffered => "buffered",
        }
    }

    const fn flags(self) -> i32 {
        match self {
            Way::UringDsync | Way::PwriteDsync => libc::O_DIRECT | libc::O_DSYNC,
            Way::UringFdatasync | Way::PwriteFdatasync => libc::O_DIRECT,
            Way::Buffered => 0,
        }
    }

    const fn by_uring(self) -> bool {
        matches!(self, Way::UringDsync | Way::UringFdatasync)
    }

    const fn syncs(self) -> bool {
        matches!(self, Way::UringFdatasync | Way::PwriteFdatasync | Way::Buffered)
    }
}

/// A way that is ready to write.
struct Writer {
    way: Way,
    file: File,
    ring: Option<Ring>,
    times: Times,
}

impl Writer {
    fn new(way: Way, path: &Path) -> io::Result<Writer> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(way.flags()).open(path)?;
        let ring = if way.by_uring() { Some(Ring::new()?) } else { None };
        let mut writer = Writer { way, file, ring, times: Times::new() };
        // The first write shows whether the file system can do it at all.
        writer.write(&Block([1; BLOCK]), 0)?;
        Ok(writer)
    }

    fn write(&mut self, block: &Block, at: u64) -> io::Result<()> {
        let offset = at % BLOCKS * BLOCK as u64;
        match &mut self.ring {
            Some(ring) => ring.write(&self.file, &block.0, offset)?,
            None => self.file.write_all_at(&block.0, offset)?,
        }
        match &mut self.ring {
            _ if !self.way.syncs() => Ok(()),
            Some(ring) => ring.sync(&self.file),
            None => self.file.sync_data(),
        }
    }

    fn turn(&mut self, writes: u32, from: u64, stop: &Stop, deadline: Instant) -> io::Result<()> {
        let mut block = Box::new(Block([0; BLOCK]));
        for n in 0..u64::from(writes) {
            if stop.is_set() || Instant::now() > deadline {
                break;
            }
            block.0[..8].copy_from_slice(&n.to_le_bytes());
            let began = Instant::now();
            self.write(&block, from + n)?;
            self.times.record(crate::engine::nanos(began.elapsed()));
        }
        Ok(())
    }
}

/// A file that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    /// A file full of zeros that are on the disk.
    fn new(dir: &Path) -> io::Result<Scratch> {
        let scratch = Scratch(dir.join(format!(".loadgen-probe-{}", std::process::id())));
        let file = File::create(&scratch.0)?;
        for at in 0..BLOCKS {
            file.write_all_at(&[0; BLOCK], at * BLOCK as u64)?;
        }
        file.sync_all()?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is a file of ours with a name of its own: if it cannot be removed, that harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Times `writes` writes by each way to a file in `dir`.
///
/// # Errors
/// If the file cannot be made, or if the disk fails.
pub fn measure(dir: &Path, writes: u32, stop: &Stop) -> Result<DiskFindings> {
    let cannot = || format!("cannot write in {}", dir.display());
    let scratch = Scratch::new(dir).with_context(cannot)?;
    let mut writers: Vec<(Way, io::Result<Writer>)> =
        WAYS.into_iter().map(|way| (way, Writer::new(way, &scratch.0))).collect();
    let deadline = Instant::now() + LIMIT;
    for turn in 0..TURNS {
        // As many in all as were asked for, whether or not that can be divided.
        let share = |turn: u32| u64::from(writes) * u64::from(turn) / u64::from(TURNS);
        let (from, to) = (share(turn), share(turn + 1));
        for writer in writers.iter_mut().filter_map(|(_, writer)| writer.as_mut().ok()) {
            writer.turn((to - from) as u32, from, stop, deadline).with_context(cannot)?;
        }
    }
    let ways = writers.into_iter().map(|(way, writer)| WayFindings::of(way, writer)).collect();
    Ok(DiskFindings { block_bytes: BLOCK, ways })
}

impl WayFindings {
    fn of(way: Way, writer: io::Result<Writer>) -> WayFindings {
        let way = way.name();
        let (times, unavailable) = match writer {
            Ok(writer) => (writer.times, None),
            Err(error) => (Times::new(), Some(error.to_string())),
        };
        WayFindings { way, writes: times.len(), latency_us: times, unavailable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_writes_as_asked_for_by_each_way_and_nothing_is_left() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let found = measure(dir.path(), 11, &Stop::default()).unwrap();
        assert_eq!(found.ways.len(), WAYS.len());
        for way in &found.ways {
            assert!(way.writes == 11 || way.unavailable.is_some(), "{way:?}");
            assert_eq!(way.latency_us.len() > 0, way.unavailable.is_none(), "{way:?}");
        }
        assert_eq!(found.ways.last().unwrap().writes, 11, "every file system has buffered writes");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = measure(Path::new("/nowhere/at all"), 1, &Stop::default()).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/at all"), "{error:#}");
    }
}
