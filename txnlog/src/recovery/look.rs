//! The transactions of a log for somebody who builds no state of them, or has one already.

use super::{Outcome, Rebuild, Recovery, Summary};
use crate::error::OpenError;
use crate::snapshot::{Origin, SnapshotHead};
use ringkeeper_core::frame::Frame;
use ringkeeper_core::ids::Zxid;

impl Recovery {
    /// Gives `sink` every transaction after `after`, which must be committed, in order, and whether each is known to be
    /// committed; from the oldest one that is there if `after` is `None`. No snapshot is read.
    ///
    /// `None` if the log does not reach back so far: it begins with a later one, or is empty.
    ///
    /// # Errors
    /// [`OpenError`], also if `after` is none of the log's transactions.
    pub fn frames(
        &self,
        after: Option<Zxid>,
        sink: impl FnMut(&Frame<'_>, bool) -> Result<(), String>,
    ) -> Result<Option<Summary>, OpenError> {
        let begun = |i: &usize| self.segments[*i].first.is_some();
        let start = match after {
            None => (self.restart_index()..self.segments.len()).find(begun),
            Some(after) => self.start_for(after),
        };
        let Some((start, first)) = start.and_then(|i| Some((i, self.segments[i].first.as_ref()?))) else {
            return Ok(None);
        };
        if self.is_void() {
            return Ok(None);
        }
        let base = after.unwrap_or(first.prev);
        let (mut outcome, mut giving) = (Outcome::blank(), Giving(sink));
        let (joined, pending) = self.read_log(start, base, &mut giving, &mut outcome)?;
        let last = outcome.summary.last;
        if last < base || !joined && last != base {
            return Err(OpenError::Incomplete(format!("{base} is not a transaction of the log, which ends at {last}")));
        }
        for batch in pending.into_batches() {
            batch.frames().try_for_each(|frame| (giving.0)(&frame, false)).map_err(OpenError::Refused)?;
        }
        Ok(Some(outcome.summary))
    }

    /// The names of all snapshots that are of the log's history, oldest first, with their transactions.
    pub fn snapshots(&self) -> impl Iterator<Item = (&str, Zxid)> {
        self.snapshots.iter().filter(|candidate| !candidate.void).map(|candidate| (&*candidate.name, candidate.zxid))
    }

    /// Whether an installed snapshot has made the log void, and it has not been restarted yet.
    fn is_void(&self) -> bool {
        let heads = self.snapshots.iter().filter(|c| !c.void).filter_map(|c| c.reader.as_ref().ok());
        let mut installed = heads.map(|reader| reader.file_head()).filter(|head| head.origin == Origin::Installed);
        installed.any(|head| !self.restarted_after(head.log_batch))
    }
}

/// Passes on what is committed.
struct Giving<F>(F);

impl<F: FnMut(&Frame<'_>, bool) -> Result<(), String>> Rebuild for Giving<F> {
    fn begin(&mut self, _: &SnapshotHead) {}
    fn chunk(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn empty(&mut self) {}
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        (self.0)(frame, true)
    }
}
