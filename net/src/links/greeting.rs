//! The greeting: the first 64 bytes that each side of a connection between servers sends. All integers are little-endian.
//!
//! ```text
//!  off size field
//!    0   6  "RKPEER"
//!    6   1  refusal       0: welcome; else why the connection is closed behind this greeting
//!    7   1  0
//!    8   2  version_min   versions of the link protocol that the sender speaks;
//!   10   2  version_max   the highest that both speak is used
//!   12   1  sender        id of the server that sends this
//!   13   1  receiver      id of the server that it is meant for
//!   14   2  0
//!   16   8  incarnation   a random number of this run of the sender's process
//!   24  32  ensemble      the first bytes of the ensemble's name, then zeros
//!   56   4  ensemble_crc  CRC-32C of the whole name
//!   60   4  crc           CRC-32C of bytes 0..60
//! ```
//!
//! This layout is the same in all versions. The server that connects speaks first; the other one answers when it knows who
//! that is.

use crc32c::crc32c;
use ringkeeper_core::ids::ServerId;
use std::ops::RangeInclusive;

/// Bytes of a greeting.
pub(crate) const GREETING_BYTES: usize = 64;
/// What every greeting begins with.
pub(crate) const MAGIC: [u8; 6] = *b"RKPEER";
/// Versions of the link protocol that this program speaks.
pub(crate) const VERSIONS: RangeInclusive<u16> = 1..=1;

const NAME_BYTES: usize = 32;
const SUMMED_BYTES: usize = 60;

/// Name of an ensemble as far as a greeting holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ensemble {
    start: [u8; NAME_BYTES],
    crc: u32,
}

impl Ensemble {
    pub(crate) fn new(name: &str) -> Ensemble {
        let mut start = [0; NAME_BYTES];
        let len = name.len().min(NAME_BYTES);
        start[..len].copy_from_slice(&name.as_bytes()[..len]);
        Ensemble { start, crc: crc32c(name.as_bytes()) }
    }

    /// The name for a log line: what a stranger sent is not printed as it is.
    pub(crate) fn shown(&self) -> String {
        let len = self.start.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
        self.start[..len].escape_ascii().to_string()
    }
}

/// What one side says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Greeting {
    pub(crate) refusal: u8,
    pub(crate) version_min: u16,
    pub(crate) version_max: u16,
    pub(crate) sender: ServerId,
    pub(crate) receiver: ServerId,
    pub(crate) incarnation: u64,
    pub(crate) ensemble: Ensemble,
}

/// Why bytes are not a greeting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoGreeting {
    Magic,
    Checksum,
}

impl Greeting {
    pub(crate) fn encode(&self) -> [u8; GREETING_BYTES] {
        let mut bytes = [0; GREETING_BYTES];
        bytes[0..6].copy_from_slice(&MAGIC);
        bytes[6] = self.refusal;
        bytes[8..10].copy_from_slice(&self.version_min.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.version_max.to_le_bytes());
        bytes[12] = self.sender.0;
        bytes[13] = self.receiver.0;
        bytes[16..24].copy_from_slice(&self.incarnation.to_le_bytes());
        bytes[24..56].copy_from_slice(&self.ensemble.start);
        bytes[56..60].copy_from_slice(&self.ensemble.crc.to_le_bytes());
        let crc = crc32c(&bytes[..SUMMED_BYTES]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; GREETING_BYTES]) -> Result<Greeting, NoGreeting> {
        if !begins_well(bytes) {
            return Err(NoGreeting::Magic);
        }
        if crc32c(&bytes[..SUMMED_BYTES]) != u32::from_le_bytes(part(bytes, 60)) {
            return Err(NoGreeting::Checksum);
        }
        Ok(Greeting {
            refusal: bytes[6],
            version_min: u16::from_le_bytes(part(bytes, 8)),
            version_max: u16::from_le_bytes(part(bytes, 10)),
            sender: ServerId(bytes[12]),
            receiver: ServerId(bytes[13]),
            incarnation: u64::from_le_bytes(part(bytes, 16)),
            ensemble: Ensemble { start: part(bytes, 24), crc: u32::from_le_bytes(part(bytes, 56)) },
        })
    }
}

/// Whether `bytes` can be the beginning of a greeting: whoever sends something else need not be waited for.
pub(crate) fn begins_well(bytes: &[u8]) -> bool {
    let len = bytes.len().min(MAGIC.len());
    bytes[..len] == MAGIC[..len]
}

fn part<const N: usize>(bytes: &[u8; GREETING_BYTES], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Greeting {
        Greeting {
            refusal: 3,
            version_min: 1,
            version_max: 0x0203,
            sender: ServerId(7),
            receiver: ServerId(8),
            incarnation: 0x1122_3344_5566_7788,
            ensemble: Ensemble::new("a name that is longer than the thirty-two bytes"),
        }
    }

    #[test]
    fn a_greeting_reads_back_as_it_was_written() {
        assert_eq!(Greeting::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..GREETING_BYTES * 8 {
            let mut bad = sample().encode();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Greeting::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_cannot_be_a_greeting_is_known_early() {
        assert!(begins_well(b"") && begins_well(b"RKP") && begins_well(&sample().encode()));
        assert!(!begins_well(b"G") && !begins_well(b"RKPEEr") && !begins_well(&[0; 64]));
    }

    #[test]
    fn long_names_differ_although_they_begin_alike() {
        let name = "x".repeat(40);
        assert_ne!(Ensemble::new(&name), Ensemble::new(&name[1..]));
        assert_eq!(Ensemble::new("\u{1}é").shown(), "\\x01\\xc3\\xa9");
    }
}
