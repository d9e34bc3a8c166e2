//! The frame: one transaction as one byte string, made once by the leader and never re-encoded. The same bytes go to
//! the followers, into every log and into catch-up, and are read in place when the transaction is applied.
//!
//! All integers are little-endian. A frame starts 16-aligned in memory and its length is a multiple of 16, so frames
//! laid end to end keep their bodies aligned for in-place reading.
//!
//! ```text
//!  off size field
//!    0   4  len         bytes of the whole frame: header, body, padding
//!    4   4  crc         CRC-32C of bytes 8..len
//!    8   2  magic       0x5A01: also the version of header and body
//!   10   1  kind        1 = transaction
//!   11   1  flags       0
//!   12   4  body_len    exact length of the archived body, at most len - 64
//!   16   8  zxid
//!   24   8  prev_zxid   zxid of the frame before it in the order: a gap or a stale tail cannot go unnoticed
//!   32   8  session     0 for the server's own transactions
//!   40   8  wall_ms     the leader's wall clock
//!   48   4  cxid        the client's request number
//!   52   4  txn_type    ZooKeeper's opcode: a log can be listed without decoding bodies
//!   56   8  tag         number of the request in the ensemble, see `Tag`; 0 if no client asked
//!   64  ..  body        see `txn`, then zeros up to a multiple of 16
//! ```
//!
//! Nothing in a frame depends on the server that stores it (no offsets, no segment generation).

use crate::ids::{SessionId, Tag, WallMs, Zxid};
use rkyv::util::AlignedVec;
use thiserror::Error;

/// Buffer that frames are built in and read from: 16-aligned.
pub type FrameBuf = AlignedVec<16>;

/// Bytes before the body.
pub const HEADER_LEN: usize = 64;
/// Alignment and length granularity of frames.
pub const ALIGN: usize = 16;
/// Longest frame that is ever made or accepted. A request is at most `jute.maxbuffer`, which is capped below this.
pub const MAX_LEN: usize = 64 << 20;

const MAGIC: u16 = 0x5A01;
const KIND_TXN: u8 = 1;

/// What the leader states about a transaction beside its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Place of the transaction in the order.
    pub zxid: Zxid,
    /// The transaction before it.
    pub prev_zxid: Zxid,
    /// Session that asked for it.
    pub session: SessionId,
    /// The leader's wall clock when it was proposed.
    pub wall: WallMs,
    /// The client's number of the request.
    pub cxid: i32,
    /// ZooKeeper's opcode of the transaction.
    pub txn_type: i32,
    /// The request that it came of.
    pub tag: Tag,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    /// Fewer bytes than the header or than the length that the header states.
    #[error("frame is cut short: {have} bytes of {need}")]
    Short {
        /// Bytes that are there.
        have: usize,
        /// Bytes that should be.
        need: usize,
    },
    /// The length field is not a possible length.
    #[error("impossible frame length {0}")]
    Length(u32),
    /// The checksum does not match.
    #[error("frame checksum mismatch: stored {stored:08x}, computed {computed:08x}")]
    Checksum {
        /// What the frame says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// A version or kind that this program does not know.
    #[error("unknown frame magic {magic:04x} or kind {kind}")]
    Unknown {
        /// Magic and version.
        magic: u16,
        /// Kind.
        kind: u8,
    },
    /// The bytes do not start on a 16-byte boundary: a mistake of the caller.
    #[error("frame is not 16-aligned in memory")]
    Misaligned,
}

/// A verified frame, borrowed from the buffer that holds it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Checks the frame at the start of `bytes`; bytes behind it are left alone (`as_bytes().len()` tells where they
    /// start).
    ///
    /// # Errors
    /// [`FrameError`] if there is no whole, intact frame of a known kind.
    pub fn parse(bytes: &'a [u8]) -> Result<Frame<'a>, FrameError> {
        if bytes.len() < HEADER_LEN {
            return Err(FrameError::Short { have: bytes.len(), need: HEADER_LEN });
        }
        if !(bytes.as_ptr() as usize).is_multiple_of(ALIGN) {
            return Err(FrameError::Misaligned);
        }
        let len = read_u32(bytes, 0);
        let need = len as usize;
        if !(HEADER_LEN..=MAX_LEN).contains(&need) || !need.is_multiple_of(ALIGN) {
            return Err(FrameError::Length(len));
        }
        if bytes.len() < need {
            return Err(FrameError::Short { have: bytes.len(), need });
        }
        let frame = Frame { bytes: &bytes[..need] };
        let (stored, computed) = (read_u32(bytes, 4), crc32c::crc32c(&bytes[8..need]));
        if stored != computed {
            return Err(FrameError::Checksum { stored, computed });
        }
        let (magic, kind) = (read_u16(bytes, 8), bytes[10]);
        if magic != MAGIC || kind != KIND_TXN {
            return Err(FrameError::Unknown { magic, kind });
        }
        if read_u32(bytes, 12) as usize > need - HEADER_LEN {
            return Err(FrameError::Length(len));
        }
        Ok(frame)
    }

    /// The frame at the start of `bytes`, which this process has built or verified before.
    ///
    /// # Panics
    /// If the length field does not fit: the caller broke its promise.
    #[must_use]
    pub fn trusted(bytes: &'a [u8]) -> Frame<'a> {
        let need = read_u32(bytes, 0) as usize;
        assert!(need >= HEADER_LEN && need <= bytes.len(), "trusted frame of {need} bytes in {}", bytes.len());
        Frame { bytes: &bytes[..need] }
    }

    /// The frame as it is sent and stored.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The archived body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..HEADER_LEN + read_u32(self.bytes, 12) as usize]
    }

    /// Place of the transaction in the order.
    #[must_use]
    pub fn zxid(&self) -> Zxid {
        Zxid(read_u64(self.bytes, 16))
    }

    /// The transaction before it.
    #[must_use]
    pub fn prev_zxid(&self) -> Zxid {
        Zxid(read_u64(self.bytes, 24))
    }

    /// Session that asked for it.
    #[must_use]
    pub fn session(&self) -> SessionId {
        SessionId(read_u64(self.bytes, 32) as i64)
    }

    /// The leader's wall clock when it was proposed.
    #[must_use]
    pub fn wall(&self) -> WallMs {
        WallMs(read_u64(self.bytes, 40) as i64)
    }

    /// The client's number of the request.
    #[must_use]
    pub fn cxid(&self) -> i32 {
        read_u32(self.bytes, 48) as i32
    }

    /// ZooKeeper's opcode of the transaction.
    #[must_use]
    pub fn txn_type(&self) -> i32 {
        read_u32(self.bytes, 52) as i32
    }

    /// The request that it came of.
    #[must_use]
    pub fn tag(&self) -> Tag {
        Tag(read_u64(self.bytes, 56))
    }
}

/// Appends one frame to `out`; `write_body` appends the archived body behind the header that is reserved for it.
/// Returns the length of the frame.
///
/// # Panics
/// If `out` does not end on a frame boundary, or the frame would exceed [`MAX_LEN`]: requests are bounded far below.
pub fn encode(out: &mut FrameBuf, header: &FrameHeader, write_body: impl FnOnce(&mut FrameBuf)) -> usize {
    let start = out.len();
    assert!(start.is_multiple_of(ALIGN), "frames are laid end to end on 16-byte boundaries");
    assert!(header.prev_zxid < header.zxid, "the order of zxids rises");
    out.resize(start + HEADER_LEN, 0);
    write_body(out);
    let body_len = out.len() - start - HEADER_LEN;
    let len = (HEADER_LEN + body_len).next_multiple_of(ALIGN);
    assert!(len <= MAX_LEN, "frame of {len} bytes");
    out.resize(start + len, 0);
    let bytes = &mut out[start..];
    bytes[0..4].copy_from_slice(&(len as u32).to_le_bytes());
    bytes[8..10].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[10] = KIND_TXN;
    bytes[12..16].copy_from_slice(&(body_len as u32).to_le_bytes());
    bytes[16..24].copy_from_slice(&header.zxid.0.to_le_bytes());
    bytes[24..32].copy_from_slice(&header.prev_zxid.0.to_le_bytes());
    bytes[32..40].copy_from_slice(&header.session.0.to_le_bytes());
    bytes[40..48].copy_from_slice(&header.wall.0.to_le_bytes());
    bytes[48..52].copy_from_slice(&header.cxid.to_le_bytes());
    bytes[52..56].copy_from_slice(&header.txn_type.to_le_bytes());
    bytes[56..64].copy_from_slice(&header.tag.0.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    len
}

/// The frames of one turn, laid end to end: what is sent, logged and applied together.
pub struct FrameBatch {
    bytes: FrameBuf,
    count: u32,
    first: Zxid,
    last: Zxid,
    prev: Zxid,
}

impl FrameBatch {
    /// Takes a buffer of whole frames.
    ///
    /// # Panics
    /// If the buffer holds no frame, or its frames are not chained by `prev_zxid`.
    #[must_use]
    pub fn new(bytes: FrameBuf) -> FrameBatch {
        let mut batch = FrameBatch { bytes, count: 0, first: Zxid::ZERO, last: Zxid::ZERO, prev: Zxid::ZERO };
        let (mut count, mut first, mut last, mut prev) = (0, Zxid::ZERO, Zxid::ZERO, Zxid::ZERO);
        for frame in batch.frames() {
            if count == 0 {
                first = frame.zxid();
                prev = frame.prev_zxid();
            } else {
                assert_eq!(frame.prev_zxid(), last, "frames of a batch form a chain");
            }
            last = frame.zxid();
            count += 1;
        }
        assert!(count > 0, "a batch holds at least one frame");
        (batch.count, batch.first, batch.last, batch.prev) = (count, first, last, prev);
        batch
    }

    /// Takes a buffer that came from elsewhere, after checking every frame and the chain that they form.
    ///
    /// # Errors
    /// [`FrameError`] of the first frame that is not intact; a broken chain, or no frame at all, counts as
    /// [`FrameError::Length`].
    pub fn verified(bytes: FrameBuf) -> Result<FrameBatch, FrameError> {
        let (mut rest, mut last): (&[u8], Option<Zxid>) = (&bytes, None);
        while !rest.is_empty() {
            let frame = Frame::parse(rest)?;
            let follows = last.is_none_or(|last| frame.prev_zxid() == last) && frame.prev_zxid() < frame.zxid();
            if !follows {
                return Err(FrameError::Length(0));
            }
            last = Some(frame.zxid());
            rest = &rest[frame.as_bytes().len()..];
        }
        if last.is_none() {
            return Err(FrameError::Length(0));
        }
        Ok(FrameBatch::new(bytes))
    }

    /// The frames end to end.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of frames.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Zxid of the first frame.
    #[must_use]
    pub fn first(&self) -> Zxid {
        self.first
    }

    /// Zxid of the last frame.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.last
    }

    /// Zxid before the first frame.
    #[must_use]
    pub fn prev(&self) -> Zxid {
        self.prev
    }

    /// The frames whose zxid is not above `to`; `None` if there is none.
    #[must_use]
    pub fn through(&self, to: Zxid) -> Option<std::sync::Arc<FrameBatch>> {
        self.part(|zxid| zxid <= to)
    }

    /// The frames whose zxid is above `after`; `None` if there is none.
    #[must_use]
    pub fn behind(&self, after: Zxid) -> Option<std::sync::Arc<FrameBatch>> {
        self.part(|zxid| zxid > after)
    }

    fn part(&self, wanted: impl Fn(Zxid) -> bool) -> Option<std::sync::Arc<FrameBatch>> {
        let mut bytes = FrameBuf::new();
        for frame in self.frames().filter(|frame| wanted(frame.zxid())) {
            bytes.extend_from_slice(frame.as_bytes());
        }
        (!bytes.is_empty()).then(|| std::sync::Arc::new(FrameBatch::new(bytes)))
    }

    /// The frames in order.
    #[must_use]
    pub fn frames(&self) -> Frames<'_> {
        Frames { rest: &self.bytes }
    }
}

impl core::fmt::Debug for FrameBatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FrameBatch({}..={}, {} frames, {} bytes)", self.first, self.last, self.count, self.bytes.len())
    }
}

/// Walks frames that this process has built or verified.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = Frame::trusted(self.rest);
        self.rest = &self.rest[frame.as_bytes().len()..];
        Some(frame)
    }
}

fn read_u16(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}

fn read_u32(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn read_u64(b: &[u8], at: usize) -> u64 {
    u64::from(read_u32(b, at)) | (u64::from(read_u32(b, at + 4)) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(zxid: u64) -> FrameHeader {
        FrameHeader {
            zxid: Zxid(zxid),
            prev_zxid: Zxid(zxid - 1),
            session: SessionId(-5),
            wall: WallMs(1_700_000_000_123),
            cxid: -2,
            txn_type: -11,
            tag: Tag(0x0203_0405_0607_0809),
        }
    }

    fn one(zxid: u64, body: &[u8]) -> FrameBuf {
        let mut buf = FrameBuf::new();
        encode(&mut buf, &header(zxid), |out| out.extend_from_slice(body));
        buf
    }

    #[test]
    fn a_frame_reads_back_as_it_was_written() {
        let buf = one(7, b"some body");
        let frame = Frame::parse(&buf).unwrap();
        assert_eq!(frame.zxid(), Zxid(7));
        assert_eq!(frame.prev_zxid(), Zxid(6));
        assert_eq!(frame.session(), SessionId(-5));
        assert_eq!(frame.wall(), WallMs(1_700_000_000_123));
        assert_eq!((frame.cxid(), frame.txn_type()), (-2, -11));
        assert_eq!(frame.body(), b"some body");
        assert_eq!(buf.len() % ALIGN, 0);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let buf = one(7, b"some body");
        for bit in 0..buf.len() * 8 {
            let mut bad = buf.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::parse(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let buf = one(7, b"some body");
        for len in 0..buf.len() {
            assert!(matches!(Frame::parse(&buf[..len]), Err(FrameError::Short { .. })), "{len}");
        }
    }

    #[test]
    fn a_batch_knows_its_range() {
        let mut buf = one(7, b"a");
        encode(&mut buf, &header(8), |out| out.extend_from_slice(b"bb"));
        let batch = FrameBatch::new(buf);
        assert_eq!((batch.prev(), batch.first(), batch.last(), batch.count()), (Zxid(6), Zxid(7), Zxid(8), 2));
        assert_eq!(batch.frames().map(|f| f.body().len()).collect::<Vec<_>>(), [1, 2]);
    }
}
