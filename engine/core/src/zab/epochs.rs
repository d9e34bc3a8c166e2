//! What a server must never forget about agreement.

use crate::ids::Epoch;

/// One record, replaced as a whole, durable before it counts.
///
/// Source: ZAB (DSN'11) section IV; ZooKeeper's `acceptedEpoch` and `currentEpoch` files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Epochs {
    /// The newest epoch that this server has promised to follow.
    pub accepted: Epoch,
    /// The newest epoch whose history this server has taken over; never above `accepted`.
    pub current: Epoch,
    /// Identity of the ensemble that the history belongs to; 0: of none yet.
    pub ensemble: u64,
    /// An established leader of that ensemble has taken this server up: it may vote. See [`super::Standing`].
    pub member: bool,
    /// It has given up damaged data that it had acknowledged: until it has a leader's history it takes part in nothing.
    pub lapsed: bool,
    /// Other servers vote in its ensemble: what was committed may be with them alone.
    pub shared: bool,
}

impl Epochs {
    /// The history is now that of `ensemble`, and everything that its leader took over. Whoever was a member of another one has its membership still before it.
    pub(super) fn take_up(&mut self, ensemble: u64) {
        if self.ensemble != ensemble {
            self.ensemble = ensemble;
            self.member = false;
        }
        self.lapsed = false;
    }

    /// An established leader has taken this server up, and others vote.
    pub(super) fn join(&mut self, others_vote: bool) {
        (self.member, self.shared) = (true, others_vote);
    }
}
