//! What a replica counts for monitoring.

use super::Replica;
use crate::frontend::ResponseSize;
use crate::measure::Histogram;
use crate::zab::LearnerStatus;

/// Counters since start or the last reset. Times are in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReplicaMeasures {
    /// From the arrival of a request to the turn in which it is judged here, or sent to the leader.
    pub queue: Histogram,
    /// Bytes of transactions that were applied while this server led.
    pub proposal_size: ResponseSize,
    /// Transactions that were applied.
    pub applied: u64,
    /// Requests of this server's clients that became no transaction.
    pub refused: u64,
    /// Sessions that were opened, in the whole ensemble.
    pub sessions_opened: u64,
    /// Sessions that a client has taken up again over another connection.
    pub sessions_moved: u64,
    /// Sessions that have ended.
    pub sessions_closed: u64,
    /// Those of these whose time had run out, as far as this server led then.
    pub sessions_expired: u64,
}

impl Replica {
    /// What is counted for monitoring.
    #[must_use]
    pub fn measures(&self) -> &ReplicaMeasures {
        &self.measures
    }

    /// Starts counting anew.
    pub fn reset_measures(&mut self) {
        self.measures = ReplicaMeasures::default();
    }

    /// The servers that follow this one, while it leads.
    #[must_use]
    pub fn learners(&self) -> Vec<LearnerStatus> {
        self.zab.learners()
    }
}
