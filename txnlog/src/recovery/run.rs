//! One pass over the log, batch by batch, to its end.

use super::scan::{self, Expected, Found, Scanner, Segment};
use super::{BatchFrames, Behind, Pending, Rebuild, Recovery, Slot, Verdict, decide};
use crate::error::{Corruption, OpenError};
use crate::format::{BLOCK, BatchHeader, BatchKind};
use crate::planted::planted;
use crate::snapshot::SnapshotHead;
use ringkeeper_core::frame::Frame;
use ringkeeper_core::ids::Zxid;

pub(super) enum SegmentEnd {
    /// The log goes on in the segment of this index.
    Next(usize),
    /// The log ends at the place expected.
    Log { torn: bool },
}

/// What was found behind the place of the next batch.
struct Evidence {
    behind: Behind,
    /// End of the chain that it speaks of.
    until: Option<Zxid>,
    /// Index of the segment it was found in, or that the log continues in.
    index: usize,
}

/// One pass over the log.
pub(super) struct Run<'a, S> {
    recovery: &'a Recovery,
    base: Zxid,
    /// A transaction that follows the base directly has been seen, or the base itself.
    pub(super) joined: bool,
    pub(super) expected: Expected,
    /// Of the last batch.
    pub(super) kind: BatchKind,
    /// Newest transaction known to be committed.
    pub(super) committed: Zxid,
    /// What is behind that.
    pub(super) pending: Pending,
    /// What the state was given.
    pub(super) frames: u64,
    pub(super) bytes: u64,
    state: &'a mut S,
}

impl<'a, S: Rebuild> Run<'a, S> {
    /// From the beginning of the segment of this index, which has a first batch.
    pub(super) fn new(recovery: &'a Recovery, start: usize, base: Zxid, state: &'a mut S) -> Run<'a, S> {
        let first = recovery.segments[start].first.as_ref().expect("a segment to start in has a first batch");
        Run {
            recovery,
            base,
            joined: base == Zxid::ZERO || first.prev == base,
            expected: Expected { offset: BLOCK as u64, sequence: first.sequence, last: first.prev },
            kind: BatchKind::Seal,
            // A snapshot is only ever of what is committed.
            committed: base,
            pending: Pending::default(),
            frames: 0,
            bytes: 0,
            state,
        }
    }

    /// Reads one segment to its end.
    pub(super) fn segment(&mut self, index: usize) -> Result<SegmentEnd, OpenError> {
        let segment = &self.recovery.segments[index];
        let limit = self.recovery.limit(index);
        let mut scanner = Scanner::new(segment, self.recovery.log_config.defects);
        loop {
            let (slot, detail) = match scanner.read(self.expected) {
                Found::Batch(header, payload) => {
                    self.batch(segment, &header, payload, limit)?;
                    continue;
                }
                Found::Else(slot, detail) => (slot, detail),
            };
            let evidence = self.behind(index, &mut scanner);
            match decide(slot, evidence.behind) {
                Verdict::Take => unreachable!("a good batch was taken above"),
                Verdict::NextSegment => return Ok(SegmentEnd::Next(evidence.index)),
                Verdict::End => return Ok(SegmentEnd::Log { torn: false }),
                Verdict::CutAndWipe => return Ok(SegmentEnd::Log { torn: true }),
                Verdict::Corrupt(why) => {
                    return Err(self.corruption(index, slot, &evidence, why, &detail).into());
                }
            }
        }
    }

    /// Evidence from behind the expected place.
    fn behind(&self, index: usize, scanner: &mut Scanner<'_>) -> Evidence {
        let segments = &self.recovery.segments;
        let place = |i: usize, behind, until| Evidence { behind, until, index: i };
        let later = segments.iter().enumerate().skip(index + 1).find_map(|(i, s)| s.first.as_ref().map(|b| (i, b)));
        let mut evidence = match later {
            Some((i, first)) => match scan::judge_later(first, self.expected) {
                Behind::Continues => place(i, Behind::Continues, None),
                // If segments in between have lost their first batch, the damage is there.
                behind => place(i - 1, behind, Some(first.prev)),
            },
            None => {
                let (behind, until) = scanner.search(self.expected, self.expected.offset + BLOCK as u64);
                place(index, behind, until)
            }
        };
        if later.is_none() {
            // The first batch of a segment may be damaged and others behind it intact.
            for (i, segment) in segments.iter().enumerate().skip(index + 1) {
                let mut scanner = Scanner::new(segment, self.recovery.log_config.defects);
                let (behind, until) = scanner.search(self.expected, BLOCK as u64);
                if behind != Behind::Nothing && matches!(evidence.behind, Behind::Nothing | Behind::Unproven) {
                    evidence = place(i, behind, until);
                }
            }
        }
        let defects = self.recovery.log_config.defects;
        if evidence.behind == Behind::Proven && planted!(defects, CutAnywhere) {
            evidence.behind = Behind::Unproven;
        }
        evidence
    }

    fn batch(&mut self, segment: &Segment, header: &BatchHeader, payload: &[u8], limit: Zxid) -> Result<(), OpenError> {
        // What a later cut has ended was never committed, whatever a batch says.
        self.release(header.committed.min(limit))?;
        let mut frames = BatchFrames::new(header, payload, self.recovery.log_config.defects);
        for frame in &mut frames {
            let frame = frame.map_err(|bad| self.bad_frame(segment, header, bad.after, &bad.why))?;
            if frame.zxid() <= limit {
                self.frame(&frame)?;
            }
        }
        if header.prev == self.base || header.last == self.base {
            self.joined = true;
        }
        self.kind = header.kind;
        self.expected.offset += header.padded_len();
        self.expected.sequence = header.sequence + 1;
        self.expected.last = frames.last_zxid();
        Ok(())
    }

    fn corruption(&self, index: usize, slot: Slot, evidence: &Evidence, why: &str, detail: &str) -> Corruption {
        // What is missing stood here, or at the start of a later segment.
        let missing = matches!(slot, Slot::Blank | Slot::Foreign | Slot::End);
        let (file, offset) = match evidence.index {
            later if later > index && missing => (&self.recovery.segments[later].name, BLOCK as u64),
            _ => (&self.recovery.segments[index].name, self.expected.offset),
        };
        let what = if detail.is_empty() { why.into() } else { format!("{why}: {detail}") };
        Corruption::new(file, offset, what).between(Some(self.expected.last), evidence.until)
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), OpenError> {
        if frame.zxid() <= self.base {
            return Ok(());
        }
        if !self.joined && frame.prev_zxid() != self.base {
            return Err(OpenError::Incomplete(format!(
                "the snapshot's {} is not a transaction of the log: {} follows {} there",
                self.base,
                frame.zxid(),
                frame.prev_zxid()
            )));
        }
        self.joined = true;
        if frame.zxid() > self.committed {
            self.pending.push(frame);
            return Ok(());
        }
        self.give(frame)
    }

    fn give(&mut self, frame: &Frame<'_>) -> Result<(), OpenError> {
        self.frames += 1;
        self.bytes += frame.as_bytes().len() as u64;
        self.state.frame(frame).map_err(|e| OpenError::Refused(format!("transaction {}: {e}", frame.zxid())))
    }

    /// Everything through this transaction is known to be committed: the state is given what has waited for that.
    fn release(&mut self, committed: Zxid) -> Result<(), OpenError> {
        self.committed = self.committed.max(committed);
        let mut pending = std::mem::take(&mut self.pending);
        let given = pending.release(self.committed, |frame| self.give(frame));
        self.pending = pending;
        given
    }

    fn bad_frame(&self, segment: &Segment, header: &BatchHeader, last: Zxid, why: &str) -> OpenError {
        let what = format!("batch with a valid checksum holds bad frames: {why}");
        Corruption::new(&segment.name, self.expected.offset, what).between(Some(last), Some(header.last)).into()
    }
}

/// Reads and checks what is stored without building anything of it.
pub struct Ignore;

impl Rebuild for Ignore {
    fn begin(&mut self, _: &SnapshotHead) {}
    fn chunk(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn empty(&mut self) {}
    fn frame(&mut self, _: &Frame<'_>) -> Result<(), String> {
        Ok(())
    }
}
