//! Reading transactions back from the log while it goes on being written: for a follower that must catch up.
//!
//! A read sees the log as it was when it was asked for, and only what was durable then. Segments can be used again
//! under it: whatever it then finds fails the checksums, which are seeded with the segment's generation, and the name
//! tells a segment that is gone from one that is damaged.

use crate::background::{Piece, Task};
use crate::disk::Disk;
use crate::driver::Completion;
use crate::error::{Corruption, OpenError};
use crate::format::{BLOCK, BatchHeader};
use crate::planted::Defects;
use crate::recovery::BatchFrames;
use crate::recovery::scan::{Expected, Found, Scanner, Segment};
use crate::writer::Stretch;
use ringkeeper_core::frame::{Frame, FrameBatch, FrameBuf};
use ringkeeper_core::ids::Zxid;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// One who reads the log from somewhere to its end, bit by bit. It remembers where in the files the last bit ended, so
/// that the next one does not search for its beginning.
#[derive(Clone, Default, Debug)]
pub struct LogReader {
    place: Arc<Mutex<Option<Place>>>,
}

/// Names a read until its answer comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReadTicket(pub(crate) u64);

/// What a read found.
#[derive(Clone, Debug)]
pub enum ReadOutcome {
    /// The transactions directly after the one asked for, all verified, at least one.
    Frames(Arc<FrameBatch>),
    /// There were none: the one asked for was the last that was durable.
    End,
    /// The one asked for is no transaction of this log, whose newest one before it is this.
    Diverged(Zxid),
    /// The log does not reach back to it, it is behind all that is durable, or the log was cut back or restarted
    /// meanwhile. The state must come from a snapshot.
    Gone,
    /// What follows it cannot be read any more.
    Damaged(Corruption),
}

impl PartialEq for ReadOutcome {
    fn eq(&self, other: &ReadOutcome) -> bool {
        match (self, other) {
            (ReadOutcome::Frames(a), ReadOutcome::Frames(b)) => a.as_bytes() == b.as_bytes(),
            (ReadOutcome::Damaged(a), ReadOutcome::Damaged(b)) => a == b,
            (ReadOutcome::Diverged(a), ReadOutcome::Diverged(b)) => a == b,
            (ReadOutcome::End, ReadOutcome::End) | (ReadOutcome::Gone, ReadOutcome::Gone) => true,
            _ => false,
        }
    }
}

impl Eq for ReadOutcome {}

/// Where a read ended.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Of the log, counts its resets.
    log_generation: u32,
    /// Of the segment.
    generation: u64,
    sequence: u64,
    /// The next batch to read.
    expected: Expected,
}

/// A read.
pub(crate) struct Reading {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) defects: Defects,
    pub(crate) ticket: ReadTicket,
    pub(crate) reader: LogReader,
    /// The log when the read was asked for.
    pub(crate) log_generation: u32,
    pub(crate) stretches: Vec<Stretch>,
    /// Nothing after this one.
    pub(crate) through: Zxid,
    pub(crate) after: Zxid,
    pub(crate) max_bytes: usize,
    pub(crate) progress: Option<Progress>,
}

/// How far it has come.
pub(crate) struct Progress {
    /// Of the stretch.
    index: usize,
    segment: Segment,
    expected: Expected,
    collected: Collected,
}

/// The frames collected so far.
#[derive(Default)]
struct Collected {
    bytes: FrameBuf,
    last: Zxid,
    full: bool,
}

impl Task for Reading {
    /// Opens a segment, or reads one.
    fn step(&mut self) -> Piece {
        let outcome = match self.advance() {
            Ok(None) => return Piece::More { written: 0 },
            Ok(Some(frames)) => ReadOutcome::Frames(Arc::new(frames)),
            Err(outcome) => outcome,
        };
        self.progress = None;
        let (ticket, generation) = (self.ticket, self.log_generation);
        Piece::Done(Completion::Read { ticket, generation, outcome })
    }
}

impl Reading {
    /// The frames, when there are enough; an error is an outcome that ends the read before.
    fn advance(&mut self) -> Result<Option<FrameBatch>, ReadOutcome> {
        let Some(mut progress) = self.progress.take() else {
            self.progress = Some(self.begin()?);
            return Ok(None);
        };
        let mut next = self.segment(&mut progress).and_then(|()| self.next_stretch(&progress));
        if next.is_err() && !progress.collected.bytes.is_empty() {
            // What there is first; the next read meets the same again.
            next = Ok(None);
        }
        let Progress { index, segment, expected, collected } = progress;
        if let Some(segment) = next? {
            let expected = Expected { offset: BLOCK as u64, ..expected };
            self.progress = Some(Progress { index: index + 1, segment, expected, collected });
            return Ok(None);
        }
        let (log_generation, generation, sequence) =
            (self.log_generation, segment.header.generation, segment.sequence());
        let place = Place { log_generation, generation, sequence, expected };
        *self.reader.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        Ok(Some(FrameBatch::new(collected.bytes)))
    }

    /// The segment to go on with, unless there are enough frames.
    fn next_stretch(&self, progress: &Progress) -> Result<Option<Segment>, ReadOutcome> {
        if progress.collected.full { Ok(None) } else { self.open(progress.index + 1, None).map(Some) }
    }

    fn begin(&self) -> Result<Progress, ReadOutcome> {
        let (index, place) = self.find().ok_or(ReadOutcome::Gone)?;
        let segment = self.open(index, place.map(|p| p.generation))?;
        let expected = match place {
            Some(place) => place.expected,
            None => self.first_of(index, &segment)?,
        };
        let collected = Collected { last: self.after, ..Collected::default() };
        Ok(Progress { index, segment, expected, collected })
    }

    /// The stretch to begin with, and the place in it, if it is known.
    fn find(&self) -> Option<(usize, Option<Place>)> {
        let remembered = *self.reader.place.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self.stretches.iter().rposition(|s| s.prev <= self.after)?;
        let fits = |p: &Place| {
            let here = p.sequence == self.stretches[index].sequence && p.log_generation == self.log_generation;
            here && p.expected.last <= self.after
        };
        Some((index, remembered.filter(fits)))
    }

    /// Of this stretch, only transactions through this one count.
    fn limit(&self, index: usize) -> Zxid {
        let cuts = self.stretches[index + 1..].iter().map(|s| s.prev);
        cuts.min().unwrap_or(self.through).min(self.through)
    }

    fn open(&self, index: usize, generation: Option<u64>) -> Result<Segment, ReadOutcome> {
        let Stretch { sequence, len, .. } = self.stretches[index];
        match Segment::open(&*self.disk, sequence, len) {
            Ok(segment) if generation.is_none_or(|g| g == segment.header.generation) => Ok(segment),
            Ok(_) => Err(ReadOutcome::Gone),
            Err(OpenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Err(ReadOutcome::Gone),
            Err(e) => {
                let name = crate::format::segment_name(sequence);
                let corruption = match e {
                    OpenError::Corrupt(corruption) => corruption,
                    other => Corruption::new(name, 0, other.to_string()),
                };
                Err(self.lost(index, None, corruption))
            }
        }
    }

    /// The first batch of a stretch, as it must be.
    fn first_of(&self, index: usize, segment: &Segment) -> Result<Expected, ReadOutcome> {
        let prev = self.stretches[index].prev;
        match &segment.first {
            Some(first) if first.prev == prev => {
                Ok(Expected { offset: BLOCK as u64, sequence: first.sequence, last: prev })
            }
            _ => {
                let corruption = Corruption::new(&segment.name, BLOCK as u64, "the first batch is missing");
                Err(self.lost(index, Some(segment), corruption.between(Some(prev), Some(self.through))))
            }
        }
    }

    /// Reads a stretch until enough is collected, or to its end.
    fn segment(&self, progress: &mut Progress) -> Result<(), ReadOutcome> {
        let Progress { index, segment, expected, collected } = progress;
        let limit = self.limit(*index);
        let mut scanner = Scanner::new(segment, self.defects);
        loop {
            let (header, payload) = match scanner.read(*expected) {
                Found::Batch(header, payload) => (header, payload),
                Found::Else(..) if self.stretches.get(*index + 1).is_some_and(|next| next.prev <= expected.last) => {
                    return Ok(());
                }
                Found::Else(slot, why) => {
                    return Err(self.damage(*index, segment, *expected, &format!("{slot:?} {why}")));
                }
            };
            match self.take(&header, payload, limit, collected) {
                Ok(()) if collected.full => return Ok(()),
                Ok(()) => {}
                Err(Misfit::Diverged(before)) => return Err(ReadOutcome::Diverged(before)),
                Err(Misfit::Bad(why)) => return Err(self.damage(*index, segment, *expected, &why)),
            }
            expected.offset += header.padded_len();
            (expected.sequence, expected.last) = (header.sequence + 1, header.last);
        }
    }

    /// Collects frames of a batch. When that is enough, the place stays at the batch: something may be left of it.
    fn take(&self, header: &BatchHeader, payload: &[u8], limit: Zxid, collected: &mut Collected) -> Result<(), Misfit> {
        for frame in BatchFrames::new(header, payload, self.defects) {
            let frame = frame.map_err(|bad| Misfit::Bad(bad.why))?;
            if frame.zxid() > self.after && frame.zxid() <= limit {
                self.add(&frame, collected)?;
            }
            if collected.full {
                break;
            }
        }
        Ok(())
    }

    fn add(&self, frame: &Frame<'_>, collected: &mut Collected) -> Result<(), Misfit> {
        let Collected { bytes, last, full } = collected;
        if frame.prev_zxid() != *last {
            if bytes.is_empty() {
                // The first one behind what was asked for does not follow that, but an older one.
                return Err(Misfit::Diverged(frame.prev_zxid()));
            }
            return Err(Misfit::Bad(format!("frame {} follows {}, not {last}", frame.zxid(), frame.prev_zxid())));
        }
        if !bytes.is_empty() && bytes.len() + frame.as_bytes().len() > self.max_bytes {
            *full = true;
            return Ok(());
        }
        bytes.extend_from_slice(frame.as_bytes());
        *last = frame.zxid();
        *full = *last >= self.through || bytes.len() >= self.max_bytes;
        Ok(())
    }

    fn damage(&self, index: usize, segment: &Segment, expected: Expected, why: &str) -> ReadOutcome {
        let what = format!("transactions that were durable cannot be read: {why}");
        let corruption = Corruption::new(&segment.name, expected.offset, what);
        self.lost(index, Some(segment), corruption.between(Some(expected.last), Some(self.through)))
    }

    /// Damaged, or just used again: a segment loses its name before anything in it changes.
    fn lost(&self, index: usize, read: Option<&Segment>, corruption: Corruption) -> ReadOutcome {
        let Stretch { sequence, len, .. } = self.stretches[index];
        match Segment::open(&*self.disk, sequence, len) {
            Err(OpenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => ReadOutcome::Gone,
            Ok(now) if read.is_some_and(|s| s.header.generation != now.header.generation) => ReadOutcome::Gone,
            _ => ReadOutcome::Damaged(corruption),
        }
    }
}

/// Why a frame cannot be handed out.
enum Misfit {
    Diverged(Zxid),
    Bad(String),
}
