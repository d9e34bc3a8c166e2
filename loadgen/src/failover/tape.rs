//! What the clients saw in a round.

use crate::engine::Nanos;
use crate::op::OpKind;

/// An operation that was answered as it should be.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The client that asked.
    pub client: usize,
    /// What.
    pub kind: OpKind,
    /// When it was meant to be sent.
    pub intended: Nanos,
    /// When the answer came.
    pub answered: Nanos,
}

/// A connection that was lost.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Whose.
    pub client: usize,
    /// Of which kind.
    pub kind: &'static str,
    /// Writes in flight: nobody knows what becomes of them.
    pub unknown_writes: u64,
    /// Reads in flight.
    pub unanswered_reads: u64,
}

/// An answer with an error code.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The client that asked.
    pub client: usize,
    /// What.
    pub kind: OpKind,
    /// The code.
    pub code: i32,
}

/// All of it, in the order in which it happened.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Answers.
    pub samples: Vec<Sample>,
    /// Lost connections.
    pub losses: Vec<Loss>,
    /// Refused operations.
    pub refusals: Vec<Refusal>,
    /// Clients whose session had expired, once for each time.
    pub expired: Vec<usize>,
    /// Reads that did not find what a write acknowledged to the same client had written before.
    pub stale_reads: Vec<String>,
    /// The longest time by which an operation was handed out after it was meant to be: loadgen's own fault.
    pub late: Nanos,
}
