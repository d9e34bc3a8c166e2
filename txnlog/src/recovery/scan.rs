//! Reading one segment: batches in order, and the search for evidence behind the last good one.

use super::table::{Behind, Slot};
use crate::disk::{Disk, DiskFile, read_exact_at};
use crate::error::{Attempt, Corruption, OpenError};
use crate::format::{
    self, BATCH_HEADER, BLOCK, BatchHeader, BatchKind, BlockBuf, NoBatch, SegmentHeader, segment_name, segment_sequence,
};
use crate::planted::{Defects, planted};
use ringkeeper_core::ids::Zxid;
use std::io;
use std::sync::Arc;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// A segment file under its final name, with a valid header.
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
    /// The header of its first batch, if there is one.
    pub(crate) first: Option<BatchHeader>,
}

impl Segment {
    /// Opens a segment and reads its first two blocks.
    pub(crate) fn open(disk: &dyn Disk, sequence: u64, len: u64) -> Result<Segment, OpenError> {
        let name = segment_name(sequence);
        let file = disk.open(&name).attempt(|| format!("opening {}", disk.describe(&name)))?;
        let mut blocks = BlockBuf::with_capacity(2 * BLOCK);
        blocks.resize(2 * BLOCK, 0);
        let got = file.read_at(0, &mut blocks).map_err(|e| Corruption::new(&name, 0, format!("unreadable: {e}")))?;
        let header = SegmentHeader::parse(&blocks[..got.min(BLOCK)], &name, len)?;
        let first = (got == 2 * BLOCK).then(|| BatchHeader::parse(&blocks[BLOCK..], header.generation).ok()).flatten();
        let first = first.filter(BatchHeader::is_plausible);
        Ok(Segment { name, header, file, first })
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.header.sequence
    }
}

/// A window that moves forward over a file.
struct Window<'a> {
    file: &'a dyn DiskFile,
    buf: BlockBuf,
    start: u64,
    end: u64,
    file_len: u64,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile, file_len: u64) -> Window<'a> {
        Window { file, buf: BlockBuf::new(), start: 0, end: 0, file_len }
    }

    /// The bytes from `offset` on, `len` of them; both are multiples of a block and inside the file.
    fn slice(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        if offset < self.start || offset + len as u64 > self.end {
            self.load(offset, len)?;
        }
        let at = (offset - self.start) as usize;
        Ok(&self.buf[at..at + len])
    }

    fn load(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let kept = if (self.start..self.end).contains(&offset) { (self.end - offset) as usize } else { 0 };
        if kept > 0 {
            let from = (offset - self.start) as usize;
            self.buf.copy_within(from..from + kept, 0);
        }
        let whole = (CHUNK.max(len) as u64).min(self.file_len - offset) as usize;
        if self.buf.len() < whole {
            self.buf.resize(whole, 0);
        }
        (self.start, self.end) = (offset, offset + kept as u64);
        let mut read = read_exact_at(self.file, self.end, &mut self.buf[kept..whole]);
        let mut got = whole;
        if read.is_err() && len < whole {
            // One bad sector far ahead must not be blamed on what is wanted here.
            got = len.max(kept);
            read = read_exact_at(self.file, self.end, &mut self.buf[kept..got]);
        }
        read?;
        self.end = offset + got as u64;
        Ok(())
    }
}

/// The place of the next batch, and what it must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    pub(crate) offset: u64,
    pub(crate) sequence: u64,
    pub(crate) last: Zxid,
}

/// What was found there.
pub(crate) enum Found<'b> {
    /// The batch, with its frames' bytes.
    Batch(BatchHeader, &'b [u8]),
    /// Something else, never [`Slot::Good`]; with details for people.
    Else(Slot, String),
}

/// Reads a segment's batches.
pub(crate) struct Scanner<'a> {
    segment: &'a Segment,
    window: Window<'a>,
    defects: Defects,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(segment: &'a Segment, defects: Defects) -> Scanner<'a> {
        let window = Window::new(&*segment.file, segment.header.len);
        Scanner { segment, window, defects }
    }

    /// Reads the batch at the expected place.
    pub(crate) fn read(&mut self, expected: Expected) -> Found<'_> {
        let len = self.segment.header.len;
        if expected.offset + BLOCK as u64 > len {
            return Found::Else(Slot::End, String::new());
        }
        let header = match self.header_at(expected.offset) {
            Err(e) => return Found::Else(Slot::Unreadable, e.to_string()),
            Ok(Err(NoBatch::Blank)) => return Found::Else(Slot::Blank, String::new()),
            Ok(Err(NoBatch::Foreign)) => return Found::Else(Slot::Foreign, String::new()),
            Ok(Ok(header)) => header,
        };
        if let Some(why) = self.misfit(&header, expected) {
            return Found::Else(Slot::Stray, why);
        }
        let generation = header.generation;
        let no_checksum = planted!(self.defects, NoChecksum);
        let padded = header.padded_len() as usize;
        let batch = match self.window.slice(expected.offset, padded) {
            Err(e) => return Found::Else(Slot::Unreadable, e.to_string()),
            Ok(batch) => batch,
        };
        let payload = &batch[BATCH_HEADER..BATCH_HEADER + header.payload as usize];
        let crc = crc32c::crc32c_append(format::seed(generation), payload);
        if crc != header.payload_crc && !no_checksum {
            let why = format!("payload checksum is {:08x}, its bytes give {crc:08x}", header.payload_crc);
            return Found::Else(Slot::Torn, why);
        }
        Found::Batch(header, payload)
    }

    fn header_at(&mut self, offset: u64) -> io::Result<Result<BatchHeader, NoBatch>> {
        let generation = self.segment.header.generation;
        let any = planted!(self.defects, GenerationNotChecked);
        let block = self.window.slice(offset, BLOCK)?;
        Ok(if any { BatchHeader::parse_any(block) } else { BatchHeader::parse(block, generation) })
    }

    /// The next thing from `offset` on that looks like a batch of this segment; `offset` is moved there.
    pub(crate) fn next_header(&mut self, offset: &mut u64) -> Option<BatchHeader> {
        while *offset + BLOCK as u64 <= self.segment.header.len {
            match self.header_at(*offset) {
                Ok(Ok(header)) if header.is_plausible() => return Some(header),
                _ => *offset += BLOCK as u64,
            }
        }
        None
    }

    /// Why an intact header cannot be that of the batch expected.
    fn misfit(&self, header: &BatchHeader, expected: Expected) -> Option<String> {
        if planted!(self.defects, ChainNotChecked) && header.is_plausible() {
            return None;
        }
        if !header.is_plausible() {
            return Some(format!("a header with impossible fields: {header:?}"));
        }
        if header.sequence != expected.sequence {
            return Some(format!("batch {} where {} belongs", header.sequence, expected.sequence));
        }
        let first_in_segment = expected.offset == BLOCK as u64;
        let linked = match header.kind {
            BatchKind::Frames | BatchKind::Seal => header.prev == expected.last,
            // Equal where reading starts with this segment.
            BatchKind::Cut => first_in_segment && header.prev <= expected.last,
            BatchKind::Restart => first_in_segment,
        };
        if !linked {
            return Some(format!("batch follows {}, the log is at {}", header.prev, expected.last));
        }
        if expected.offset + header.padded_len() > self.segment.header.len {
            return Some(format!("batch of {} bytes reaches over the end of the segment", header.padded_len()));
        }
        None
    }

    /// Looks for evidence about the expected batch in this segment, from `offset` on. Also returns the chain end that
    /// the evidence speaks of.
    pub(crate) fn search(&mut self, expected: Expected, mut offset: u64) -> (Behind, Option<Zxid>) {
        let mut result = (Behind::Nothing, None);
        while offset + BLOCK as u64 <= self.segment.header.len {
            match self.header_at(offset) {
                Err(_) => return (Behind::Unreadable, None),
                Ok(Err(_)) => {}
                Ok(Ok(header)) if header.sequence <= expected.sequence => return (Behind::Stray, Some(header.prev)),
                Ok(Ok(header)) if header.durable_before() > expected.sequence => {
                    return (Behind::Proven, Some(header.prev));
                }
                Ok(Ok(header)) => result = (Behind::Unproven, Some(header.prev)),
            }
            offset += BLOCK as u64;
        }
        result
    }
}

/// What the first batch of a later segment says about the expected one.
pub(crate) fn judge_later(first: &BatchHeader, expected: Expected) -> Behind {
    match first.sequence.cmp(&expected.sequence) {
        std::cmp::Ordering::Equal => Behind::Continues,
        // A segment is left only when all of it is durable.
        std::cmp::Ordering::Greater => Behind::Proven,
        std::cmp::Ordering::Less => Behind::Stray,
    }
}

/// Opens all segments of a directory, in order.
pub(super) fn open_segments(disk: &dyn Disk) -> Result<Vec<Segment>, OpenError> {
    let entries = disk.list().attempt(|| format!("listing {}", disk.describe("")))?;
    let mut segments: Vec<Segment> = Vec::new();
    for entry in entries {
        let Some(sequence) = segment_sequence(&entry.name) else { continue };
        let segment = Segment::open(disk, sequence, entry.len)?;
        if let Some(before) = segments.last()
            && before.sequence() + 1 != sequence
        {
            return Err(OpenError::Incomplete(format!(
                "log segments {:016x} to {:016x} are missing between {} and {}",
                before.sequence() + 1,
                sequence - 1,
                before.name,
                segment.name
            )));
        }
        segments.push(segment);
    }
    Ok(segments)
}
