//! What a leader can tell operators of those who follow it.

use super::{Role, Zab};
use crate::ids::{ServerId, Zxid};

/// One server that follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LearnerStatus {
    /// Which one.
    pub id: ServerId,
    /// Whether it has a vote.
    pub votes: bool,
    /// Whether it has caught up, and shows what is committed.
    pub up_to_date: bool,
    /// The last transaction that it has on disk, as far as it has said.
    pub acked: Zxid,
}

impl Zab {
    /// The servers that follow this one, by number; none if it does not lead.
    #[must_use]
    pub fn learners(&self) -> Vec<LearnerStatus> {
        let Role::Leading(leading) = &self.role else { return Vec::new() };
        let status = |(id, learner): (&ServerId, &super::leading::Learner)| LearnerStatus {
            id: *id,
            votes: self.shared.quorum.voters().any(|voter| voter == *id),
            up_to_date: learner.sync.as_ref().is_some_and(super::sync::Sync::is_up_to_date),
            acked: learner.acked,
        };
        leading.learners.iter().map(status).collect()
    }
}
