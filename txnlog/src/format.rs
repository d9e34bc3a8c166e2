//! Bytes of segments: names, the segment header, the batch header. `docs/formats.md` is the reference.

use crate::error::{Corruption, OpenError};
use ringkeeper_core::frame::{ALIGN as FRAME_ALIGN, HEADER_LEN as FRAME_HEADER};
use ringkeeper_core::ids::Zxid;

/// Unit of all offsets and lengths in segments. A block that holds an acknowledged record is never rewritten.
pub const BLOCK: usize = 4096;
/// Bytes of a batch header, at the start of the batch's first block.
pub const BATCH_HEADER: usize = 64;
/// Version of segments written by this program.
pub const SEGMENT_VERSION: u32 = 1;

const SEGMENT_MAGIC: &[u8; 8] = b"RK-SEGMT";
const SEGMENT_CHECKED: usize = 512;
const BATCH_MAGIC: &[u8; 3] = b"RKB";

/// A buffer that direct I/O accepts.
pub type BlockBuf = rkyv::util::AlignedVec<BLOCK>;

/// Rounds up to whole blocks.
#[must_use]
pub const fn padded(len: usize) -> usize {
    len.next_multiple_of(BLOCK)
}

/// File name of a segment: `segment.` and its sequence number in 16 hexadecimal digits.
#[must_use]
pub fn segment_name(sequence: u64) -> String {
    format!("segment.{sequence:016x}")
}

/// Name of a segment that is being prepared: never read by recovery.
#[must_use]
pub fn segment_tmp_name(sequence: u64) -> String {
    format!("segment.{sequence:016x}.tmp")
}

/// The number in a name like `segment.000000000000002a`, or `None` if it is another kind of name.
#[must_use]
pub(crate) fn numbered(name: &str, prefix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?;
    let canonical = digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if canonical { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// The sequence number of a segment's file name.
#[must_use]
pub fn segment_sequence(name: &str) -> Option<u64> {
    numbered(name, "segment.")
}

/// First block of a segment file. On the disk before the file gets its final name, and not written again under it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// Number of this use of the file: random enough that no client can guess it. Seeds all checksums of batches.
    pub generation: u64,
    /// Place of the segment in the log; equals the number in the name.
    pub sequence: u64,
    /// Bytes of the file.
    pub len: u64,
}

impl SegmentHeader {
    /// The block as it is written.
    #[must_use]
    pub fn encode(&self) -> BlockBuf {
        let mut block = BlockBuf::with_capacity(BLOCK);
        block.resize(BLOCK, 0);
        block[0..8].copy_from_slice(SEGMENT_MAGIC);
        block[8..12].copy_from_slice(&SEGMENT_VERSION.to_le_bytes());
        block[16..24].copy_from_slice(&self.generation.to_le_bytes());
        block[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        block[32..40].copy_from_slice(&self.len.to_le_bytes());
        let crc = header_crc(&block);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        block
    }

    /// Reads the first block of the file called `name`, whose length is `file_len`.
    ///
    /// # Errors
    /// A segment gets its name only after its header is on the disk, so any defect here is corruption.
    pub fn parse(block: &[u8], name: &str, file_len: u64) -> Result<SegmentHeader, OpenError> {
        let bad = |what: String| OpenError::Corrupt(Corruption::new(name, 0, what));
        if block.len() < BLOCK {
            return Err(bad(format!("segment file of {} bytes is shorter than its header", block.len())));
        }
        if block[0..8] != *SEGMENT_MAGIC {
            return Err(bad("not a segment header".into()));
        }
        let (stored, computed) = (u32_at(block, 12), header_crc(block));
        if stored != computed {
            return Err(bad(format!("segment header checksum is {stored:08x}, its bytes give {computed:08x}")));
        }
        let version = u32_at(block, 8);
        if version != SEGMENT_VERSION {
            return Err(OpenError::Version { file: name.into(), version, known: SEGMENT_VERSION });
        }
        let header =
            SegmentHeader { generation: u64_at(block, 16), sequence: u64_at(block, 24), len: u64_at(block, 32) };
        if Some(header.sequence) != segment_sequence(name) {
            return Err(bad(format!("segment says that it is number {:016x}", header.sequence)));
        }
        if header.len != file_len {
            return Err(bad(format!("segment should have {} bytes, the file has {file_len}", header.len)));
        }
        Ok(header)
    }
}

fn header_crc(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[0..12]), &block[16..SEGMENT_CHECKED])
}

/// What a batch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum BatchKind {
    /// Transactions.
    Frames = 1,
    /// Nothing but the statement that everything before it was durable.
    Seal = 2,
    /// First in its segment: of the segments before it only transactions through `prev` are valid.
    Cut = 3,
    /// First in its segment: everything before it is void, the state continues from a snapshot of `prev`.
    Restart = 4,
}

/// The first 64 bytes of a batch. It exists only in the local log; the frames behind it are the same on all servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// What it is.
    pub kind: BatchKind,
    /// The segment's generation.
    pub generation: u64,
    /// Number of the batch in the whole log, without gaps.
    pub sequence: u64,
    /// How many batches directly before this one were not yet known to be durable when it was written.
    pub unsynced: u32,
    /// Last transaction before the batch.
    pub prev: Zxid,
    /// Last transaction; `prev` if there is none.
    pub last: Zxid,
    /// Newest transaction that was known to be committed when the batch was made, not above `last`. What is behind it
    /// may still be cut off by a leader.
    pub committed: Zxid,
    /// Number of frames.
    pub frames: u32,
    /// Bytes of the frames.
    pub payload: u32,
    /// CRC-32C of the payload, seeded with the generation.
    pub payload_crc: u32,
}

/// Why a block does not start a batch of the segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoBatch {
    /// Only zeros.
    Blank,
    /// Something else: an earlier use of the file, the inside of a batch, or a torn header.
    Foreign,
}

/// Seed of all checksums in a generation.
#[must_use]
pub fn seed(generation: u64) -> u32 {
    crc32c::crc32c(&generation.to_le_bytes())
}

impl BatchHeader {
    /// Bytes that the batch takes in its segment.
    #[must_use]
    pub fn padded_len(&self) -> u64 {
        padded(BATCH_HEADER + self.payload as usize) as u64
    }

    /// Every batch before this number was durable when this one was written.
    #[must_use]
    pub fn durable_before(&self) -> u64 {
        self.sequence.saturating_sub(u64::from(self.unsynced))
    }

    /// Writes the header over the first 64 bytes of `out`.
    pub fn encode(&self, out: &mut [u8]) {
        out[0..3].copy_from_slice(BATCH_MAGIC);
        out[3] = self.kind as u8;
        out[8..12].copy_from_slice(&self.payload_crc.to_le_bytes());
        out[12..16].copy_from_slice(&self.payload.to_le_bytes());
        out[16..20].copy_from_slice(&self.frames.to_le_bytes());
        out[20..24].copy_from_slice(&self.unsynced.to_le_bytes());
        out[24..32].copy_from_slice(&self.generation.to_le_bytes());
        out[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        out[40..48].copy_from_slice(&self.prev.0.to_le_bytes());
        out[48..56].copy_from_slice(&self.committed.0.to_le_bytes());
        out[56..64].copy_from_slice(&self.last.0.to_le_bytes());
        let crc = batch_header_crc(out, self.generation);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads the header at the start of `block` if it belongs to `generation`. The payload is not looked at.
    ///
    /// # Errors
    /// [`NoBatch`] says what is there instead.
    pub fn parse(block: &[u8], generation: u64) -> Result<BatchHeader, NoBatch> {
        let header = BatchHeader::parse_any(block)?;
        if header.generation == generation { Ok(header) } else { Err(NoBatch::Foreign) }
    }

    /// Like [`BatchHeader::parse`], of whatever generation the header says.
    pub(crate) fn parse_any(block: &[u8]) -> Result<BatchHeader, NoBatch> {
        if block[0..3] != *BATCH_MAGIC {
            return Err(if block.iter().all(|&b| b == 0) { NoBatch::Blank } else { NoBatch::Foreign });
        }
        let generation = u64_at(block, 24);
        if u32_at(block, 4) != batch_header_crc(block, generation) {
            return Err(NoBatch::Foreign);
        }
        let kind = match block[3] {
            1 => BatchKind::Frames,
            2 => BatchKind::Seal,
            3 => BatchKind::Cut,
            4 => BatchKind::Restart,
            _ => return Err(NoBatch::Foreign),
        };
        Ok(BatchHeader {
            kind,
            generation,
            sequence: u64_at(block, 32),
            unsynced: u32_at(block, 20),
            prev: Zxid(u64_at(block, 40)),
            committed: Zxid(u64_at(block, 48)),
            last: Zxid(u64_at(block, 56)),
            frames: u32_at(block, 16),
            payload: u32_at(block, 12),
            payload_crc: u32_at(block, 8),
        })
    }

    /// Whether the fields can stand beside each other. A header that says otherwise has a valid checksum over
    /// nonsense.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let payload = self.payload as usize;
        let fits = match self.kind {
            BatchKind::Frames => {
                self.frames > 0
                    && self.prev < self.last
                    && payload.is_multiple_of(FRAME_ALIGN)
                    && payload >= self.frames as usize * FRAME_HEADER
            }
            _ => self.frames == 0 && payload == 0 && self.last == self.prev,
        };
        fits && self.committed <= self.last
    }
}

fn batch_header_crc(bytes: &[u8], generation: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed(generation), &bytes[0..4]), &bytes[8..BATCH_HEADER])
}

pub(crate) fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

pub(crate) fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from(u32_at(b, at)) | (u64::from(u32_at(b, at + 4)) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> BatchHeader {
        BatchHeader {
            kind: BatchKind::Frames,
            generation: 0x1234_5678_9abc_def0,
            sequence: 77,
            unsynced: 2,
            prev: Zxid(6),
            last: Zxid(9),
            committed: Zxid(5),
            frames: 3,
            payload: 3 * 80,
            payload_crc: 0xfeed,
        }
    }

    #[test]
    fn names_carry_numbers_and_nothing_else_does() {
        assert_eq!(segment_name(0x2a), "segment.000000000000002a");
        assert_eq!(segment_sequence("segment.000000000000002a"), Some(0x2a));
        for other in ["segment.2a", "segment.000000000000002A", "segment.000000000000002a.tmp", "log.1", "segment."] {
            assert_eq!(segment_sequence(other), None, "{other}");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_batch_header_is_noticed() {
        let mut block = vec![0; BLOCK];
        batch().encode(&mut block);
        assert_eq!(BatchHeader::parse(&block, batch().generation), Ok(batch()));
        for bit in 0..BATCH_HEADER * 8 {
            block[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(BatchHeader::parse(&block, batch().generation), Err(NoBatch::Foreign), "bit {bit}");
            block[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn nothing_behind_a_batch_is_committed_when_it_is_made() {
        assert!(BatchHeader { committed: Zxid(9), ..batch() }.is_plausible());
        assert!(!BatchHeader { committed: Zxid(10), ..batch() }.is_plausible());
        let mark = BatchHeader { kind: BatchKind::Cut, last: Zxid(6), frames: 0, payload: 0, ..batch() };
        assert!(mark.is_plausible() && !BatchHeader { committed: Zxid(7), ..mark }.is_plausible());
    }

    #[test]
    fn a_batch_of_another_generation_is_foreign() {
        let mut block = vec![0; BLOCK];
        assert_eq!(BatchHeader::parse(&block, 5), Err(NoBatch::Blank));
        batch().encode(&mut block);
        assert_eq!(BatchHeader::parse(&block, 5), Err(NoBatch::Foreign));
    }

    #[test]
    fn every_flipped_bit_of_a_segment_header_is_noticed() {
        let header = SegmentHeader { generation: 9, sequence: 0x2a, len: 65536 };
        let mut block = header.encode();
        let name = segment_name(0x2a);
        assert_eq!(SegmentHeader::parse(&block, &name, 65536).unwrap(), header);
        for bit in 0..SEGMENT_CHECKED * 8 {
            block[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::parse(&block, &name, 65536).is_err(), "bit {bit}");
            block[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(SegmentHeader::parse(&block, &segment_name(0x2b), 65536).is_err());
        assert!(SegmentHeader::parse(&block, &name, 65535).is_err());
    }
}
