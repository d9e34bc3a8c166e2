//! Taking up what is stored: the newest usable snapshot, then the log. Reading only; [`Recovery::repair`] then makes
//! the directories ready to be written.
//!
//! A torn tail is cut. Everything else that fails a check is [`Corruption`]: nothing that was acknowledged is ever
//! dropped silently. A member of an ensemble can decide to give it up, and have it again from its peers: see
//! [`Recovery::discard_after`] and [`start_over`].

mod damage;
mod frames;
mod look;
mod pending;
mod repair;
mod run;
pub(crate) mod scan;
mod snapshots;
mod table;

pub use damage::{Damage, start_over};
pub(crate) use frames::BatchFrames;
pub use repair::Repaired;
pub use run::Ignore;
pub use table::{Behind, Slot, Verdict, decide};

use crate::config::{LogConfig, SnapshotConfig};
use crate::disk::Disk;
use crate::epochs::{self, Epochs};
use crate::error::{Corruption, OpenError};
use crate::format::{BLOCK, BatchKind};
use crate::snapshot::SnapshotHead;
use pending::Pending;
use ringkeeper_core::frame::{Frame, FrameBatch};
use ringkeeper_core::ids::Zxid;
use run::{Run, SegmentEnd};
use scan::{Expected, Scanner, Segment, open_segments};
use std::sync::Arc;

/// The directories of a server. Both may be the same.
#[derive(Clone)]
pub struct Dirs {
    /// Segments.
    pub log: Arc<dyn Disk>,
    /// Snapshots and the epoch record.
    pub data: Arc<dyn Disk>,
}

/// The state that is rebuilt from what is stored.
pub trait Rebuild {
    /// A snapshot begins: forget everything given before.
    fn begin(&mut self, head: &SnapshotHead);
    /// The next bytes of the snapshot, in pieces of any size.
    ///
    /// # Errors
    /// A sentence; the snapshot is then taken for damaged.
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), String>;
    /// The snapshot is complete and was intact.
    ///
    /// # Errors
    /// A sentence; the snapshot is then taken for damaged.
    fn end(&mut self) -> Result<(), String>;
    /// There is no snapshot: start with the empty state, forgetting everything given before.
    fn empty(&mut self);
    /// The next transaction after the snapshot, which is committed.
    ///
    /// # Errors
    /// A sentence; the server cannot start then.
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String>;
}

/// What recovery did, for the log line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// The snapshot that was used.
    pub snapshot: Option<Zxid>,
    /// Snapshots that were not usable, and why.
    pub damaged_snapshots: Vec<String>,
    /// Last transaction, also if it is not known to be committed.
    pub last: Zxid,
    /// Newest transaction known to be committed: so far goes the state, and what is behind it is the tail.
    pub committed: Zxid,
    /// Transactions replayed after the snapshot, without the tail.
    pub frames: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Name and offset of a torn tail that is to be wiped.
    pub torn: Option<(String, u64)>,
}

/// What is stored, opened and looked over.
pub struct Recovery {
    dirs: Dirs,
    log_config: LogConfig,
    snapshot_config: SnapshotConfig,
    epochs: Option<Epochs>,
    segments: Vec<Segment>,
    snapshots: Vec<snapshots::Candidate>,
    outcome: Option<Outcome>,
    /// What is not known to be committed.
    tail: Vec<Arc<FrameBatch>>,
    damage: Option<Damage>,
}

/// Where the log ends.
#[derive(Clone, Debug)]
struct Outcome {
    summary: Summary,
    /// Index of the segment that the log ends in, the place of the next batch, and what it must be; `None` for a log
    /// that has not begun.
    end: Option<(usize, Expected)>,
    /// Of the last batch.
    kind: BatchKind,
    /// An installed snapshot waits for the log to be restarted at it.
    restart_at: Option<Zxid>,
    /// Files of snapshots that were found damaged.
    damaged: Vec<String>,
    /// Where reading the valid part of the log has failed: index of the segment and the place in it.
    broken: Option<(usize, Expected)>,
}

impl Outcome {
    /// Before anything was read.
    fn blank() -> Outcome {
        Outcome {
            summary: Summary::default(),
            end: None,
            kind: BatchKind::Seal,
            restart_at: None,
            damaged: Vec::new(),
            broken: None,
        }
    }
}

impl Recovery {
    /// Reads names, headers and the epoch record.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dirs: Dirs, log: LogConfig, snapshot: SnapshotConfig) -> Result<Recovery, OpenError> {
        log.check().and_then(|()| snapshot.check()).map_err(OpenError::Config)?;
        let epochs = epochs::load(&*dirs.data)?;
        let segments = open_segments(&*dirs.log)?;
        let snapshots = snapshots::list(&*dirs.data)?;
        let mut recovery = Recovery {
            dirs,
            log_config: log,
            snapshot_config: snapshot,
            epochs,
            segments,
            snapshots,
            outcome: None,
            tail: Vec::new(),
            damage: None,
        };
        recovery.void_snapshots();
        recovery.check_completeness()?;
        Ok(recovery)
    }

    /// The epochs that this server has promised; zeros if it never promised any.
    #[must_use]
    pub fn epochs(&self) -> Epochs {
        self.epochs.unwrap_or_default()
    }

    /// The settings of the log.
    #[must_use]
    pub fn log_config(&self) -> &LogConfig {
        &self.log_config
    }

    pub(crate) fn into_parts(self) -> (Dirs, LogConfig, SnapshotConfig, Epochs) {
        let epochs = self.epochs();
        (self.dirs, self.log_config, self.snapshot_config, epochs)
    }

    /// A log without any batch is one that has not begun, or one that was lost.
    fn check_completeness(&self) -> Result<(), OpenError> {
        let begun = self.segments.iter().any(|s| s.first.is_some());
        if begun {
            return match self.epochs {
                Some(_) => Ok(()),
                None => {
                    Err(OpenError::Incomplete("there is a transaction log, but the epoch record is missing".into()))
                }
            };
        }
        // The record is made before the log is begun, with zeros; a server that starts over has promises, no history.
        let promised = self.epochs.filter(|e| e.current.0 > 0);
        let Some(first) = self.segments.first().filter(|_| promised.is_some() || !self.snapshots.is_empty()) else {
            return self.check_that_nothing_was(promised);
        };
        let what = "a server with epochs or snapshots has begun its log, but this segment begins with no batch";
        let any = Expected { offset: BLOCK as u64, sequence: 0, last: Zxid::ZERO };
        let (_, until) = Scanner::new(first, self.log_config.defects).search(any, BLOCK as u64);
        Err(Corruption::new(&first.name, BLOCK as u64, what).between(None, until).into())
    }

    /// Without any segment there must be nothing else.
    fn check_that_nothing_was(&self, promised: Option<Epochs>) -> Result<(), OpenError> {
        if let Some(snapshot) = self.snapshots.last() {
            return Err(OpenError::Incomplete(format!(
                "there is a snapshot of {} but no transaction log in {}",
                snapshot.zxid,
                self.dirs.log.describe("")
            )));
        }
        if let Some(epochs) = promised {
            return Err(OpenError::Incomplete(format!(
                "the epoch record says that this server has taken part up to epoch {}, but there is neither snapshot \
                 nor transaction log",
                epochs.current.0
            )));
        }
        Ok(())
    }

    /// Rebuilds the state: the newest usable snapshot, then every transaction after it that is known to be committed.
    /// The others are left for [`take_tail`](Self::take_tail).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn replay(&mut self, state: &mut impl Rebuild) -> Result<Summary, OpenError> {
        let mut outcome = Outcome::blank();
        let base = self.load_snapshot(state, &mut outcome)?;
        outcome.summary.committed = base.zxid;
        let replayed = self.replay_log(base, state, &mut outcome);
        if let (Err(OpenError::Corrupt(corruption)), Some(at)) = (&replayed, outcome.broken) {
            self.damage = Some(self.assess(corruption.clone(), at));
        }
        self.tail = replayed?.into_batches();
        self.check_epochs(outcome.summary.last)?;
        let summary = outcome.summary.clone();
        self.outcome = Some(outcome);
        Ok(summary)
    }

    /// The transactions behind the state, if [`replay`](Self::replay) has succeeded: in the log, but not known to be
    /// committed. They are chained, the first one directly after the last one that the state was given. A server whose
    /// own disk is the quorum may apply them; any other must hear from a leader whether they are to be kept.
    pub fn take_tail(&mut self) -> Vec<Arc<FrameBatch>> {
        std::mem::take(&mut self.tail)
    }

    fn check_epochs(&self, last: Zxid) -> Result<(), OpenError> {
        let accepted = self.epochs().accepted;
        if last.epoch() <= accepted {
            return Ok(());
        }
        Err(OpenError::Incomplete(format!(
            "the history reaches {last}, epoch {}, but the epoch record only knows epoch {}",
            last.epoch().0,
            accepted.0
        )))
    }

    /// Of segments before `index`, only transactions through this one count.
    fn limit(&self, index: usize) -> Zxid {
        let marks = self.segments[index + 1..].iter().filter_map(|s| s.first.as_ref());
        let cuts = marks.filter(|b| matches!(b.kind, BatchKind::Cut | BatchKind::Restart)).map(|b| b.prev);
        cuts.min().unwrap_or(Zxid(u64::MAX))
    }

    /// Index of the segment to start reading in for a state at `base`: the last one that begins at or before it.
    fn start_for(&self, base: Zxid) -> Option<usize> {
        let restart = self.restart_index();
        let usable = |(i, s): &(usize, &Segment)| *i >= restart && s.first.as_ref().is_some_and(|b| b.prev <= base);
        self.segments.iter().enumerate().filter(usable).map(|(i, _)| i).next_back()
    }

    /// Index of the segment that the valid log starts with.
    fn restart_index(&self) -> usize {
        let restarts = |s: &Segment| s.first.as_ref().is_some_and(|b| b.kind == BatchKind::Restart);
        self.segments.iter().rposition(restarts).unwrap_or(0)
    }

    /// What is behind the base; returns what is not known to be committed.
    fn replay_log(&self, base: Base, state: &mut impl Rebuild, outcome: &mut Outcome) -> Result<Pending, OpenError> {
        outcome.summary.last = base.zxid;
        if base.installed && !self.restarted_after(base.log_batch) {
            self.void_log(base, outcome)?;
            return Ok(Pending::default());
        }
        let Some(start) = self.start_for(base.zxid) else {
            assert!(self.segments.iter().all(|s| s.first.is_none()), "a base was chosen that the log does not reach");
            return Ok(Pending::default());
        };
        let (joined, pending) = self.read_log(start, base.zxid, state, outcome)?;
        self.check_end(base, joined, outcome.summary.last)?;
        Ok(pending)
    }

    /// Whether the log was given up for a snapshot with that batch or a later one.
    fn restarted_after(&self, batch: u64) -> bool {
        let mut first = self.segments.iter().filter_map(|s| s.first.as_ref());
        first.any(|b| b.kind == BatchKind::Restart && b.sequence >= batch)
    }

    /// An installed snapshot makes everything before it void. The end of the log is still looked for: what comes next
    /// goes behind it. The log stood still when the snapshot was installed: if there is anything after that, the mark
    /// that restarts the log has been there, too.
    fn void_log(&self, base: Base, outcome: &mut Outcome) -> Result<(), OpenError> {
        let sequence = |s: &Segment| s.first.as_ref().map(|b| b.sequence);
        let before = |s: &Segment| sequence(s).is_some_and(|n| n < base.log_batch);
        if let Some(start) = self.segments.iter().rposition(before) {
            // If the mark is missing, it is missed at the end of what stood before it.
            let read = self.read_log(start, Zxid::ZERO, &mut Ignore, outcome);
            // That is no part of the state, and not what is missing if it is damaged.
            outcome.broken = None;
            read?;
        }
        let next = outcome.end.as_ref().map(|(_, expected)| expected.sequence);
        let later = self.segments.iter().position(|s| sequence(s).is_some_and(|n| n >= base.log_batch));
        if next.is_some_and(|n| n > base.log_batch) || later.is_some() {
            let index = later.map_or(0, |i| i.saturating_sub(1));
            let what = "the mark is missing that restarts the log at an installed snapshot";
            let until = outcome.end.as_ref().map(|(_, expected)| expected.last);
            let found = Corruption::new(&self.segments[index].name, BLOCK as u64, what);
            return Err(found.between(Some(base.zxid), until).into());
        }
        outcome.restart_at = Some(base.zxid);
        (outcome.summary.last, outcome.summary.committed) = (base.zxid, base.zxid);
        (outcome.summary.frames, outcome.summary.bytes) = (0, 0);
        Ok(())
    }

    /// Reads the log from the segment of this index to its end. Whether the base was found to be a part of it, and what
    /// is not known to be committed.
    fn read_log(
        &self,
        start: usize,
        base: Zxid,
        state: &mut impl Rebuild,
        outcome: &mut Outcome,
    ) -> Result<(bool, Pending), OpenError> {
        let mut run = Run::new(self, start, base, state);
        let mut index = start;
        let torn = loop {
            match run.segment(index) {
                Ok(SegmentEnd::Next(next)) => {
                    index = next;
                    run.expected.offset = BLOCK as u64;
                }
                Ok(SegmentEnd::Log { torn }) => break torn,
                Err(e) => {
                    outcome.broken = Some((index, run.expected));
                    return Err(e);
                }
            }
        };
        outcome.kind = run.kind;
        outcome.end = Some((index, run.expected));
        let summary = &mut outcome.summary;
        (summary.frames, summary.bytes) = (run.frames, run.bytes);
        (summary.last, summary.committed) = (run.expected.last, run.committed);
        summary.torn = torn.then(|| (self.segments[index].name.clone(), run.expected.offset));
        Ok((run.joined, run.pending))
    }

    /// The log was read to its end: does it fit the snapshot?
    fn check_end(&self, base: Base, joined: bool, last: Zxid) -> Result<(), OpenError> {
        if last < base.zxid {
            return Err(OpenError::Incomplete(format!(
                "the snapshot is of {} but the log ends at {last}: segments are missing",
                base.zxid
            )));
        }
        if !joined && last != base.zxid {
            return Err(OpenError::Incomplete(format!("the snapshot's {} is not a transaction of the log", base.zxid)));
        }
        if let Some(newest) = self.snapshots.iter().filter(|s| !s.void).map(|s| s.zxid).max()
            && last < newest
        {
            return Err(OpenError::Incomplete(format!(
                "there is a snapshot of {newest}, which cannot be used, and the log ends at {last}"
            )));
        }
        Ok(())
    }
}

/// The state that the log is replayed onto.
#[derive(Clone, Copy, Debug)]
struct Base {
    zxid: Zxid,
    /// It came from the leader as a whole.
    installed: bool,
    /// Number of the batch that the log continued with, at the earliest.
    log_batch: u64,
}
