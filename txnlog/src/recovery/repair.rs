//! Making the directories ready to be written, after everything was read: the only part of recovery that changes
//! anything. Interrupted anywhere, it leaves what it found or something better.

use super::scan::Segment;
use super::{Outcome, Recovery, damage};
use crate::config::LogConfig;
use crate::epochs::{self, EPOCHS, Epochs};
use crate::error::{Attempt, OpenError};
use crate::format::{BATCH_HEADER, BLOCK, BatchHeader, BatchKind, BlockBuf, seed, segment_name};
use crate::planted::planted;
use crate::segment::{self, sync_dir, sync_file, write_zeros};
use crate::snapshot::{self, retention};
use crate::writer::{Chain, CurrentSegment, PrepareOp, SegmentStart, Tail};
use ringkeeper_core::ids::Zxid;

/// What a log is taken up from.
pub struct Repaired {
    /// For the writer.
    pub tail: Tail,
    /// The log must be given up for this installed snapshot before anything is appended.
    pub restart_at: Option<Zxid>,
    /// Snapshots that exist, can be relied on and are to be kept, oldest first.
    pub snapshots: Vec<Zxid>,
    /// With these, the log is not needed through here.
    pub log_through: Zxid,
}

impl From<&Segment> for SegmentStart {
    fn from(segment: &Segment) -> SegmentStart {
        let first = segment.first.as_ref().map(|b| (b.prev, b.kind == BatchKind::Restart));
        SegmentStart { sequence: segment.sequence(), len: segment.header.len, first }
    }
}

impl Recovery {
    /// Cleans up after the crash, if there was one, and makes sure that everything read is on stable storage, so that
    /// it can be served.
    ///
    /// # Errors
    /// Of the disk.
    ///
    /// # Panics
    /// If [`replay`](Recovery::replay) has not succeeded before.
    pub fn repair(&mut self, salt: u64) -> Result<Repaired, OpenError> {
        let outcome = self.outcome.clone().expect("replay comes before repair");
        self.remove_remains(&outcome)?;
        let blank = self.clean_behind(&outcome)?;
        self.clean_tail(&outcome)?;
        for disk in [&self.dirs.log, &self.dirs.data] {
            sync_dir(&**disk, self.log_config.defects).attempt(|| format!("syncing {}", disk.describe("")))?;
        }
        let tail = match &outcome.end {
            Some(_) => self.tail(&outcome, blank),
            None => self.begin(salt)?,
        };
        let usable = |c: &&super::snapshots::Candidate| !c.void && !outcome.damaged.contains(&c.name);
        let mut snapshots: Vec<Zxid> = self.snapshots.iter().filter(usable).map(|c| c.zxid).collect();
        let purge = retention::plan(&snapshots, self.snapshot_config.keep);
        snapshots.retain(|zxid| !purge.snapshots.contains(zxid));
        if !purge.snapshots.is_empty() && outcome.summary.snapshot == snapshots.last().copied() {
            // The newest one has just been read. Without the part of the log that may go next, those before it would
            // seem to be the damaged ones when it is damaged.
            snapshot::task::purge(&*self.dirs.data, &snapshots, self.log_config.defects)?;
        }
        Ok(Repaired { tail, restart_at: outcome.restart_at, snapshots, log_through: purge.log_through })
    }

    /// Removes unfinished files and void snapshots; damaged snapshots are put aside.
    fn remove_remains(&self, outcome: &Outcome) -> Result<(), OpenError> {
        for disk in [&self.dirs.log, &self.dirs.data] {
            let entries = disk.list().attempt(|| format!("listing {}", disk.describe("")))?;
            let ours =
                |n: &str| n.ends_with(".tmp") && ["segment.", "snap.", "epochs."].iter().any(|p| n.starts_with(p));
            for entry in entries.iter().filter(|e| ours(&e.name)) {
                disk.remove(&entry.name).attempt(|| format!("removing {}", disk.describe(&entry.name)))?;
            }
        }
        let data = &self.dirs.data;
        for candidate in self.snapshots.iter().filter(|c| c.void) {
            data.remove(&candidate.name).attempt(|| format!("removing {}", data.describe(&candidate.name)))?;
        }
        damage::put_aside(&**data, outcome.damaged.iter().map(|n| &**n), self.log_config.defects)
    }

    /// Segments behind the end of the log hold no batch that counts. One is kept for what comes next, if it is clean;
    /// its length is returned.
    fn clean_behind(&mut self, outcome: &Outcome) -> Result<Option<u64>, OpenError> {
        let end = outcome.end.as_ref().map_or(0, |(index, _)| index + 1);
        // With a torn tail there may be remains of unacknowledged batches in these, too.
        let clean = outcome.summary.torn.is_none();
        let keep = self.segments.get(end).filter(|s| clean && segment::fits(&self.log_config, s.header.len));
        let keep = keep.map(|s| s.header.len);
        let first_to_go = end + usize::from(keep.is_some());
        let disk = &*self.dirs.log;
        // From the last one on, so that a crash leaves no gap.
        for segment in self.segments.drain(first_to_go..).rev() {
            segment::delete(disk, segment.sequence(), self.log_config.defects)
                .attempt(|| format!("removing {}", disk.describe(&segment.name)))?;
        }
        Ok(keep)
    }

    /// Wipes a torn tail, and syncs the segment: what was read from it may have been in a cache.
    fn clean_tail(&self, outcome: &Outcome) -> Result<(), OpenError> {
        let Some((index, expected)) = &outcome.end else { return Ok(()) };
        let segment = &self.segments[*index];
        let attempt = |what: &str| format!("{what} {}", self.dirs.log.describe(&segment.name));
        if outcome.summary.torn.is_some() && !planted!(self.log_config.defects, TailNotWiped) {
            write_zeros(&*segment.file, expected.offset, segment.header.len, &mut |_| {})
                .attempt(|| attempt("wiping"))?;
        }
        if planted!(self.log_config.defects, RecoveredTailNotSynced) {
            return Ok(());
        }
        sync_file(&*segment.file, self.log_config.defects).attempt(|| attempt("syncing"))
    }

    fn tail(&self, outcome: &Outcome, blank: Option<u64>) -> Tail {
        let (index, expected) = outcome.end.as_ref().expect("a tail was found");
        let mut segments: Vec<SegmentStart> = self.segments[..=*index].iter().map(SegmentStart::from).collect();
        if expected.offset == BLOCK as u64 {
            // The torn batch that it began with is wiped.
            segments[*index].first = None;
        }
        let header = &self.segments[*index].header;
        let current = CurrentSegment {
            sequence: header.sequence,
            generation: header.generation,
            len: header.len,
            offset: expected.offset,
        };
        let next_sequence = header.sequence + 1;
        let chain = Chain { segments, current: Some(current), next_sequence, blank };
        Tail {
            chain,
            last: expected.last,
            next_batch: expected.sequence,
            kind: outcome.kind,
            committed: outcome.summary.committed,
        }
    }

    /// Begins a log: the first segment, with a first batch that says nothing but that the log has begun. Without it, a
    /// log that was lost could not be told from one that never was.
    fn begin(&self, salt: u64) -> Result<Tail, OpenError> {
        let disk = &*self.dirs.log;
        for segment in self.segments.iter().rev() {
            segment::delete(disk, segment.sequence(), self.log_config.defects)
                .attempt(|| format!("removing {}", disk.describe(&segment.name)))?;
        }
        let LogConfig { segment_bytes: len, defects, .. } = self.log_config;
        if self.epochs.is_none() {
            // Before the log: a log without a record then means that the record was lost.
            let data = &*self.dirs.data;
            epochs::save(data, Epochs::default(), defects).attempt(|| format!("saving {}", data.describe(EPOCHS)))?;
        }
        let sequence = 1;
        let generation = crate::rng::Rng::new(salt ^ 1).next_u64();
        let op = PrepareOp { segment: sequence, generation, len, reuse: None, urgent: true };
        let file = segment::prepare_now(disk, &op, defects)?;
        let header = BatchHeader {
            kind: BatchKind::Seal,
            generation,
            sequence: 1,
            unsynced: 0,
            prev: Zxid::ZERO,
            last: Zxid::ZERO,
            committed: Zxid::ZERO,
            frames: 0,
            payload: 0,
            payload_crc: seed(generation),
        };
        let mut block = BlockBuf::new();
        block.resize(BLOCK, 0);
        header.encode(&mut block[..BATCH_HEADER]);
        let begun = file.write_at(BLOCK as u64, &block).and_then(|()| sync_file(&*file, defects));
        begun.attempt(|| format!("writing {}", disk.describe(&segment_name(sequence))))?;
        let start = SegmentStart { sequence, len, first: Some((Zxid::ZERO, false)) };
        let current = CurrentSegment { sequence, generation, len, offset: 2 * BLOCK as u64 };
        let chain = Chain { segments: vec![start], current: Some(current), next_sequence: 2, blank: None };
        Ok(Tail { chain, last: Zxid::ZERO, next_batch: 2, kind: BatchKind::Seal, committed: Zxid::ZERO })
    }
}
