//! Choosing the snapshot to start from.

use super::{Base, Outcome, Rebuild, Recovery};
use crate::disk::Disk;
use crate::error::{Attempt, OpenError};
use crate::format::BatchKind;
use crate::snapshot::{Origin, SnapshotReader, snapshot_zxid};
use ringkeeper_core::ids::Zxid;

/// A snapshot file under its final name.
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) zxid: Zxid,
    /// The open file, or what is wrong with its header.
    pub(crate) reader: Result<SnapshotReader, OpenError>,
    /// The log was cut back or restarted below it after it was made: it is of a history that is no more.
    pub(crate) void: bool,
}

/// The snapshots of a directory, oldest first.
pub(crate) fn list(disk: &dyn Disk) -> Result<Vec<Candidate>, OpenError> {
    let entries = disk.list().attempt(|| format!("listing {}", disk.describe("")))?;
    let candidate = |name: String| {
        let zxid = snapshot_zxid(&name)?;
        let reader = SnapshotReader::open(disk, &name);
        Some(Candidate { name, zxid, reader, void: false })
    };
    Ok(entries.into_iter().filter_map(|e| candidate(e.name)).collect())
}

impl Recovery {
    /// Marks the snapshots that the log has made void.
    pub(super) fn void_snapshots(&mut self) {
        for segment in &self.segments {
            let Some(first) = segment.first.as_ref() else { continue };
            for candidate in &mut self.snapshots {
                let Ok(reader) = &candidate.reader else { continue };
                let head = reader.file_head();
                if head.log_batch > first.sequence {
                    continue;
                }
                let survives = match first.kind {
                    BatchKind::Frames | BatchKind::Seal => true,
                    BatchKind::Cut => candidate.zxid <= first.prev,
                    BatchKind::Restart => candidate.zxid == first.prev && head.origin == Origin::Installed,
                };
                candidate.void |= !survives;
            }
        }
        self.void_before_installed();
    }

    /// An installed snapshot makes those from before it void at once: the log's mark follows.
    fn void_before_installed(&mut self) {
        let head = |c: &Candidate| c.reader.as_ref().ok().map(|r| *r.file_head());
        let installed = self.snapshots.iter().filter(|c| !c.void).filter_map(head);
        let newest = installed.filter(|h| h.origin == Origin::Installed).map(|h| h.log_batch).max();
        let Some(newest) = newest else { return };
        for candidate in &mut self.snapshots {
            let Some(head) = head(candidate) else { continue };
            candidate.void |= head.log_batch < newest || head.log_batch == newest && head.origin == Origin::Local;
        }
    }

    /// Loads the newest snapshot that is intact and that the log reaches back to.
    pub(super) fn load_snapshot(&self, state: &mut impl Rebuild, outcome: &mut Outcome) -> Result<Base, OpenError> {
        for candidate in self.snapshots.iter().rev().filter(|c| !c.void) {
            match self.try_load(candidate, state) {
                Ok(base) => {
                    outcome.summary.snapshot = Some(base.zxid);
                    return Ok(base);
                }
                Err(Unusable::Damaged(e)) => {
                    tracing::warn!(snapshot = %candidate.name, error = %e, "snapshot cannot be used, trying an older one");
                    outcome.summary.damaged_snapshots.push(format!("{}: {e}", candidate.name));
                    outcome.damaged.push(candidate.name.clone());
                }
                Err(Unusable::OutOfReach) => outcome
                    .summary
                    .damaged_snapshots
                    .push(format!("{}: the log does not reach back to it", candidate.name)),
                Err(Unusable::Fatal(e)) => return Err(e),
            }
        }
        let begun = self.segments.iter().any(|s| s.first.is_some());
        if !begun || self.start_for(Zxid::ZERO).is_some() {
            state.empty();
            return Ok(Base { zxid: Zxid::ZERO, installed: false, log_batch: 0 });
        }
        let reasons = match &outcome.summary.damaged_snapshots[..] {
            [] => "there is no snapshot".to_string(),
            reasons => reasons.join("; "),
        };
        Err(OpenError::Incomplete(format!("the log does not reach back to the beginning, and {reasons}")))
    }

    fn try_load(&self, candidate: &Candidate, state: &mut impl Rebuild) -> Result<Base, Unusable> {
        let reader = match &candidate.reader {
            Ok(reader) => reader,
            Err(e @ OpenError::Version { .. }) => return Err(Unusable::Fatal(version_again(e))),
            Err(e) => return Err(Unusable::Damaged(e.to_string())),
        };
        let head = reader.file_head();
        let installed = head.origin == Origin::Installed;
        let base = Base { zxid: candidate.zxid, installed, log_batch: head.log_batch };
        let begins_log = installed && !self.restarted_after(head.log_batch);
        if !begins_log && self.start_for(base.zxid).is_none() {
            return Err(Unusable::OutOfReach);
        }
        state.begin(reader.head());
        let read = match self.snapshot_config.read_ahead {
            true => reader.read_ahead(|bytes| state.chunk(bytes)),
            false => reader.read(|bytes| state.chunk(bytes)),
        };
        read.map_err(|e| Unusable::Damaged(e.to_string()))?;
        state.end().map_err(Unusable::Damaged)?;
        Ok(base)
    }
}

/// Why a snapshot is not the one to start from.
enum Unusable {
    Damaged(String),
    OutOfReach,
    Fatal(OpenError),
}

fn version_again(e: &OpenError) -> OpenError {
    match e {
        OpenError::Version { file, version, known } => {
            OpenError::Version { file: file.clone(), version: *version, known: *known }
        }
        other => OpenError::Refused(other.to_string()),
    }
}
