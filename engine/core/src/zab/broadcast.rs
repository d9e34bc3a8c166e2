//! The established leader's part of ZAB: zxids are given out in order, voters acknowledge what is durable with them,
//! and what a quorum has made durable is committed.

use super::Quorum;
use crate::ids::{Epoch, ServerId, Zxid};
use std::collections::BTreeMap;

/// The leader's pipeline of one epoch. Its own disk is one voter among others.
#[derive(Debug)]
pub struct Broadcast {
    quorum: Quorum,
    epoch: Epoch,
    last_counter: u32,
    proposed: Zxid,
    committed: Zxid,
    durable: BTreeMap<ServerId, Zxid>,
}

impl Broadcast {
    /// Begins `epoch` upon a history that ends with `last` and that a quorum holds. The epoch ends with the counter
    /// `last_counter`: `u32::MAX` but in tests, which cannot wait for four billion transactions.
    ///
    /// # Panics
    /// If the epoch is not newer than the history.
    #[must_use]
    pub fn new(quorum: Quorum, epoch: Epoch, last: Zxid, last_counter: u32) -> Broadcast {
        assert!(epoch > last.epoch(), "a new epoch is newer than the history it starts from: {epoch:?} after {last}");
        Broadcast { quorum, epoch, last_counter, proposed: last, committed: last, durable: BTreeMap::new() }
    }

    /// The zxid that the next proposal will have; `None` when the epoch's counter is exhausted.
    #[must_use]
    pub fn next_zxid(&self) -> Option<Zxid> {
        let next =
            if self.proposed.epoch() < self.epoch { Some(Zxid::new(self.epoch, 1)) } else { self.proposed.next() };
        next.filter(|zxid| zxid.counter() <= self.last_counter)
    }

    /// `zxid`, which [`Broadcast::next_zxid`] gave, has been proposed.
    ///
    /// # Panics
    /// If it was not the next one.
    pub fn proposed_next(&mut self, zxid: Zxid) {
        assert_eq!(Some(zxid), self.next_zxid(), "zxids are proposed in order, without gaps");
        self.proposed = zxid;
    }

    /// The newest proposal.
    #[must_use]
    pub fn proposed(&self) -> Zxid {
        self.proposed
    }

    /// The newest transaction that a quorum has made durable.
    #[must_use]
    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// The epoch that this leader established.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// `voter`, who has the history that the epoch began with, has everything through `through` on disk. Returns the new committed watermark if that moved it.
    ///
    /// # Panics
    /// If something is acknowledged that was not proposed.
    pub fn acknowledge(&mut self, voter: ServerId, through: Zxid) -> Option<Zxid> {
        assert!(through <= self.proposed, "{voter:?} acknowledged {through}, proposed is {}", self.proposed);
        let durable = self.durable.entry(voter).or_default();
        *durable = (*durable).max(through);
        let reached = self.quorum.reached(|id| self.durable.get(&id).copied().unwrap_or_default());
        // What a quorum has had stays committed, also when one of it is gone and has to catch up again.
        (reached > self.committed).then(|| {
            self.committed = reached;
            reached
        })
    }

    /// What is committed as soon as `learner` has it on its disk.
    #[must_use]
    pub fn committed_with(&self, learner: ServerId) -> Zxid {
        let durable = |id: ServerId| self.durable.get(&id).copied().unwrap_or_default();
        self.quorum.reached(|id| if id == learner { self.proposed } else { durable(id) }).max(self.committed)
    }

    /// What `voter` has acknowledged counts no more: it is gone, and may come back with another disk.
    pub fn forget(&mut self, voter: ServerId) {
        self.durable.remove(&voter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_is_what_a_quorum_has() {
        let ids = [ServerId(1), ServerId(2), ServerId(3)];
        let mut leader = Broadcast::new(Quorum::majority(ids), Epoch(2), Zxid::new(Epoch(1), 40), u32::MAX);
        let first = leader.next_zxid().unwrap();
        assert_eq!(first, Zxid::new(Epoch(2), 1));
        leader.proposed_next(first);
        let second = leader.next_zxid().unwrap();
        leader.proposed_next(second);
        assert_eq!(leader.acknowledge(ServerId(2), second), None);
        assert_eq!(leader.committed_with(ServerId(3)), second, "it and the second are a quorum");
        assert_eq!(leader.committed_with(ServerId(2)), Zxid::new(Epoch(1), 40), "nobody else has it");
        assert_eq!(leader.committed_with(ServerId(9)), Zxid::new(Epoch(1), 40), "it does not vote");
        assert_eq!(leader.acknowledge(ServerId(1), first), Some(first));
        assert_eq!(leader.committed_with(ServerId(2)), first);
        assert_eq!(leader.acknowledge(ServerId(9), second), None, "not a voter");
        assert_eq!(leader.acknowledge(ServerId(3), second), Some(second));
    }

    #[test]
    fn an_exhausted_epoch_gives_no_zxid() {
        for last in [3, u32::MAX] {
            let mut leader = Broadcast::new(Quorum::majority([ServerId(1)]), Epoch(1), Zxid::ZERO, last);
            leader.proposed = Zxid::new(Epoch(1), last - 1);
            assert_eq!(leader.next_zxid(), Some(Zxid::new(Epoch(1), last)));
            leader.proposed = Zxid::new(Epoch(1), last);
            assert_eq!(leader.next_zxid(), None);
        }
    }
}
