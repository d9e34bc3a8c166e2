//! What the writer asks of a device, and what comes back.

use crate::format::{self, BATCH_HEADER, BatchHeader, padded};
use ringkeeper_core::frame::FrameBatch;
use std::ops::Range;
use std::sync::Arc;

/// One request to a device. Requests are carried out in order where they concern the same file.
#[derive(Debug)]
pub enum LogOp {
    /// Write a batch.
    Write(WriteOp),
    /// Make all finished writes to a segment durable.
    Sync {
        /// Comes back with the answer.
        id: u64,
        /// The segment.
        segment: u64,
    },
    /// In the background: make a segment ready to be written.
    Prepare(PrepareOp),
    /// In the background: remove a segment that is no longer needed. Removals are durable in the order of requests.
    Delete {
        /// The segment.
        segment: u64,
    },
}

/// A batch to be written in one piece.
#[derive(Debug)]
pub struct WriteOp {
    /// Comes back with the answer.
    pub id: u64,
    /// Segment to write to.
    pub segment: u64,
    /// Where in the segment, in bytes; a multiple of 4 KiB.
    pub offset: u64,
    /// Whether the write must be durable before it is answered.
    pub sync: bool,
    /// The bytes.
    pub batch: BatchWrite,
}

/// A segment to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrepareOp {
    /// Its sequence number.
    pub segment: u64,
    /// Its generation.
    pub generation: u64,
    /// Its length in bytes.
    pub len: u64,
    /// A segment of that length that is no longer needed and may be overwritten.
    pub reuse: Option<u64>,
    /// Someone waits for it: no limit on the rate.
    pub urgent: bool,
}

/// A range of an appended batch.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) batch: Arc<FrameBatch>,
    pub(crate) range: Range<usize>,
}

/// The content of one write: a header and frames, still where they were appended.
#[derive(Clone, Debug)]
pub struct BatchWrite {
    pub(crate) header: BatchHeader,
    pub(crate) parts: Vec<Part>,
}

impl BatchWrite {
    /// Bytes of the write, a multiple of 4 KiB.
    #[must_use]
    pub fn padded_len(&self) -> usize {
        padded(BATCH_HEADER + self.header.payload as usize)
    }

    /// The header, whose payload checksum is not known before [`BatchWrite::fill`].
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Lays the batch out in a buffer of [`BatchWrite::padded_len`] bytes.
    ///
    /// # Panics
    /// If the buffer has another length.
    pub fn fill(&self, out: &mut [u8]) {
        assert_eq!(out.len(), self.padded_len(), "a batch fills its buffer exactly");
        let mut at = BATCH_HEADER;
        let mut crc = format::seed(self.header.generation);
        for part in &self.parts {
            let bytes = &part.batch.as_bytes()[part.range.clone()];
            out[at..at + bytes.len()].copy_from_slice(bytes);
            crc = crc32c::crc32c_append(crc, bytes);
            at += bytes.len();
        }
        assert_eq!(at, BATCH_HEADER + self.header.payload as usize, "the header states the payload's length");
        out[at..].fill(0);
        BatchHeader { payload_crc: crc, ..self.header }.encode(out);
    }
}

/// Why a segment could not be prepared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PrepareError {
    /// The disk is full. It is tried again.
    NoSpace,
    /// Anything else ends the log.
    Failed(String),
}

/// A device's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    /// To [`LogOp::Write`].
    Write {
        /// Of the request.
        id: u64,
        /// The error's text.
        result: Result<(), String>,
    },
    /// To [`LogOp::Sync`].
    Sync {
        /// Of the request.
        id: u64,
        /// The error's text.
        result: Result<(), String>,
    },
    /// To [`LogOp::Prepare`]: the segment is on the disk under its name, and open.
    Prepared {
        /// Of the request.
        segment: u64,
        /// How it ended.
        result: Result<(), PrepareError>,
    },
    /// To [`LogOp::Delete`].
    Deleted {
        /// Of the request.
        segment: u64,
        /// The error's text.
        result: Result<(), String>,
    },
}
