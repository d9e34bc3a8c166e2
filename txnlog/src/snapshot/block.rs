//! One block of a snapshot file: a header, then the (usually compressed) bytes.

use crate::format::{seed, u32_at, u64_at};
use ringkeeper_core::ids::Zxid;

/// Bytes of a block's header.
pub(crate) const BLOCK_HEADER: usize = 32;
const MAGIC: &[u8; 4] = b"RKSB";

/// How the bytes of a block are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Codec {
    /// As they are: compression would not have made them smaller.
    Raw = 0,
    /// zstd.
    Zstd = 1,
    /// The end of the snapshot; the bytes are [`Totals`].
    End = 255,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlockHeader {
    pub(crate) index: u64,
    pub(crate) raw: u32,
    pub(crate) stored: u32,
    pub(crate) codec: Codec,
    pub(crate) raw_crc: u32,
}

/// What the whole must add up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) blocks: u64,
    pub(crate) raw: u64,
    pub(crate) raw_crc: u32,
}

pub(crate) const TOTALS: usize = 24;

impl Totals {
    /// Adds a block's bytes.
    pub(crate) fn add(&mut self, raw: &[u8]) {
        self.blocks += 1;
        self.raw += raw.len() as u64;
        self.raw_crc = crc32c::crc32c_append(self.raw_crc, raw);
    }

    pub(crate) fn encode(&self) -> [u8; TOTALS] {
        let mut out = [0; TOTALS];
        out[0..8].copy_from_slice(&self.blocks.to_le_bytes());
        out[8..16].copy_from_slice(&self.raw.to_le_bytes());
        out[16..20].copy_from_slice(&self.raw_crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(b: &[u8]) -> Totals {
        Totals { blocks: u64_at(b, 0), raw: u64_at(b, 8), raw_crc: u32_at(b, 16) }
    }
}

impl BlockHeader {
    /// The header in front of `stored` in the snapshot of `zxid`.
    pub(crate) fn encode(&self, zxid: Zxid, stored: &[u8]) -> [u8; BLOCK_HEADER] {
        let mut out = [0; BLOCK_HEADER];
        out[0..4].copy_from_slice(MAGIC);
        out[8..16].copy_from_slice(&self.index.to_le_bytes());
        out[16..20].copy_from_slice(&self.raw.to_le_bytes());
        out[20..24].copy_from_slice(&self.stored.to_le_bytes());
        out[24] = self.codec as u8;
        out[28..32].copy_from_slice(&self.raw_crc.to_le_bytes());
        let crc = block_crc(&out, zxid, stored);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header whose checksum is still to be compared by [`BlockHeader::check`].
    pub(crate) fn parse(b: &[u8]) -> Option<BlockHeader> {
        let codec = match b[24] {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            255 => Codec::End,
            _ => return None,
        };
        (b[0..4] == *MAGIC).then(|| BlockHeader {
            index: u64_at(b, 8),
            raw: u32_at(b, 16),
            stored: u32_at(b, 20),
            codec,
            raw_crc: u32_at(b, 28),
        })
    }

    /// Whether header and bytes belong together and to the snapshot of `zxid`.
    pub(crate) fn check(header: &[u8], zxid: Zxid, stored: &[u8]) -> bool {
        u32_at(header, 4) == block_crc(header, zxid, stored)
    }
}

fn block_crc(header: &[u8], zxid: Zxid, stored: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(seed(zxid.0), &header[0..4]);
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &header[8..BLOCK_HEADER]), stored)
}
