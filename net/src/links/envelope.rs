//! The envelope of a message between servers: 16 bytes before its head and its tail. All integers are little-endian.
//!
//! ```text
//!  off size field
//!    0   4  head_len   at most MAX_HEAD
//!    4   4  tail_len   at most MAX_TAIL
//!    8   4  flags      0
//!   12   4  crc        CRC-32C of the tail, then bytes 0..12, then the head
//!   16  ..  head
//!       ..  tail
//! ```
//!
//! The checksum takes the tail first: so the sum of a tail that goes to several peers is computed once, and that of a tail
//! that arrives in pieces while they are in the processor's cache.

use crate::links::fault::LinkFault;
use crc32c::{crc32c, crc32c_append};
use ringkeeper_core::frame;

/// Longest head of a message.
pub const MAX_HEAD: usize = 1 << 20;
/// Longest tail of a message: the longest frame, and some room for what may come with it.
pub const MAX_TAIL: usize = frame::MAX_LEN + (1 << 20);

/// Bytes before the head.
pub(crate) const ENVELOPE_BYTES: usize = 16;
/// Bytes of the envelope that its checksum covers.
const SUMMED_BYTES: usize = 12;

/// A parsed envelope with possible lengths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Envelope {
    pub(crate) head_len: usize,
    pub(crate) tail_len: usize,
    bytes: [u8; ENVELOPE_BYTES],
}

impl Envelope {
    /// The envelope of a message; `tail_crc` is the CRC-32C of its tail, 0 if it has none.
    ///
    /// # Panics
    /// If head or tail are over their limits.
    pub(crate) fn seal(head: &[u8], tail_len: usize, tail_crc: u32) -> [u8; ENVELOPE_BYTES] {
        assert!(head.len() <= MAX_HEAD && tail_len <= MAX_TAIL, "message of {} and {tail_len} bytes", head.len());
        let mut bytes = [0; ENVELOPE_BYTES];
        bytes[0..4].copy_from_slice(&(head.len() as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&(tail_len as u32).to_le_bytes());
        let crc = sum(&bytes, tail_crc, head);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads an envelope; its lengths are within their limits.
    pub(crate) fn parse(bytes: &[u8; ENVELOPE_BYTES]) -> Result<Envelope, LinkFault> {
        let (head_len, tail_len, flags) = (word(bytes, 0), word(bytes, 4), word(bytes, 8));
        if flags != 0 {
            return Err(LinkFault::Flags(flags));
        }
        if head_len as usize > MAX_HEAD {
            return Err(LinkFault::HeadTooLong(head_len));
        }
        if tail_len as usize > MAX_TAIL {
            return Err(LinkFault::TailTooLong(tail_len));
        }
        Ok(Envelope { head_len: head_len as usize, tail_len: tail_len as usize, bytes: *bytes })
    }

    /// Checks what came in the envelope.
    pub(crate) fn check(&self, tail_crc: u32, head: &[u8]) -> Result<(), LinkFault> {
        let (stated, computed) = (word(&self.bytes, SUMMED_BYTES), sum(&self.bytes, tail_crc, head));
        if stated == computed { Ok(()) } else { Err(LinkFault::Checksum { stated, computed }) }
    }
}

/// CRC-32C of a tail.
pub(crate) fn tail_sum(tail: &[u8]) -> u32 {
    crc32c(tail)
}

fn sum(envelope: &[u8; ENVELOPE_BYTES], tail_crc: u32, head: &[u8]) -> u32 {
    crc32c_append(crc32c_append(tail_crc, &envelope[..SUMMED_BYTES]), head)
}

fn word(bytes: &[u8; ENVELOPE_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (head, tail) = (*b"head", *b"some tail");
        let sealed = Envelope::seal(&head, tail.len(), tail_sum(&tail));
        let whole = [&sealed[..], &head, &tail].concat();
        let open = |bytes: &[u8]| {
            let envelope = Envelope::parse(bytes.first_chunk().unwrap())?;
            envelope.check(tail_sum(&bytes[20..]), &bytes[16..20])
        };
        assert_eq!(open(&whole), Ok(()));
        for bit in 0..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn lengths_are_limited() {
        let parse = |head: u32, tail: u32| {
            let mut bytes = [0; ENVELOPE_BYTES];
            bytes[0..4].copy_from_slice(&head.to_le_bytes());
            bytes[4..8].copy_from_slice(&tail.to_le_bytes());
            Envelope::parse(&bytes).map(|envelope| (envelope.head_len, envelope.tail_len))
        };
        let (head, tail) = (MAX_HEAD as u32, MAX_TAIL as u32);
        assert_eq!(parse(head, tail), Ok((MAX_HEAD, MAX_TAIL)));
        assert_eq!(parse(head + 1, 0), Err(LinkFault::HeadTooLong(head + 1)));
        assert_eq!(parse(u32::MAX, u32::MAX), Err(LinkFault::HeadTooLong(u32::MAX)));
        assert_eq!(parse(0, tail + 1), Err(LinkFault::TailTooLong(tail + 1)));
    }
}
