//! The leader's learners: each one's history is made the beginning of the leader's, and then kept up.

use super::leading::{Leading, Learner};
use super::sync::{LogOutcome, LogRead, Sync};
use super::{Output, Place, Shared, StateHead, SyncStart};
use crate::ids::{ServerId, Zxid};
use std::sync::Arc;

impl Leading {
    /// Begins to bring up those who have promised the epoch.
    pub(super) fn begin_syncs(&mut self, shared: &mut Shared) {
        let reign = self.reign(shared).expect("synchronisation follows the choice of an epoch");
        let (through, unreadable) = (self.must_have(), self.unreadable);
        for (id, learner) in &mut self.learners {
            let Some(last) = learner.promise.map(|promise| promise.last).filter(|_| learner.sync.is_none()) else {
                continue;
            };
            let sync = learner.sync.insert(Sync::new(shared.now, last, through));
            if is_foreign(shared, *id, reign.ensemble) && last > Zxid::ZERO {
                sync.send_state(shared, *id);
                continue;
            }
            match shared.history.place(last) {
                Place::Ours => sync.begin(shared, *id, reign, SyncStart::Diff, last),
                Place::After(to) => sync.join_behind(shared, *id, reign, to),
                Place::TooOld if unreadable.is_some_and(|after| last <= after) => sync.send_state(shared, *id),
                Place::TooOld => sync.search_log(),
            }
        }
    }

    /// Sends what each learner has not got yet, as far as its window allows, and what is committed.
    pub(super) fn feed(&mut self, shared: &mut Shared) {
        let Some(reign) = self.reign(shared) else { return };
        for (id, learner) in &mut self.learners {
            if let Some(sync) = &mut learner.sync {
                sync.feed(shared, *id, reign);
                if let Some(broadcast) = &self.broadcast {
                    let with_yours = broadcast.committed_with(*id).max(reign.committed);
                    let late = self.ticked && learner.acked < reign.committed;
                    sync.tell_committed(shared, *id, reign, with_yours, late);
                }
            }
        }
        self.ticked = false;
    }

    /// What the log had for a learner. If that is of no use, the state must do: for a learner that has been told something
    /// else already, when it comes again.
    pub(super) fn log_read(&mut self, shared: &mut Shared, read: &LogRead, outcome: LogOutcome) {
        let Some(reign) = self.reign(shared) else { return };
        let damaged = matches!(outcome, LogOutcome::Damaged);
        let Some(sync) = self.sync_of(read.learner).filter(|sync| sync.awaits(read)) else { return };
        if sync.take_log(shared, read, reign, outcome) {
            return;
        }
        if sync.has_begun() {
            self.lost(shared, read.learner);
            shared.out.push(Output::Unlink(read.learner));
        } else {
            sync.send_state(shared, read.learner);
        }
        if damaged {
            self.unreadable = self.unreadable.max(Some(read.after));
        }
    }

    pub(super) fn tell_up_to_date(&mut self, shared: &mut Shared) {
        let Some(reign) = self.reign(shared) else { return };
        for (id, learner) in &mut self.learners {
            if let Some(sync) = &mut learner.sync {
                sync.tell_up_to_date(shared, *id, reign);
            }
        }
    }

    /// Bytes of a snapshot that may be sent to `learner` now; `None` if it gets none.
    pub(super) fn snapshot_room(&self, learner: ServerId) -> Option<u64> {
        self.learners.get(&learner).and_then(|learner: &Learner| learner.sync.as_ref())?.snapshot_room()
    }

    /// This state, of what is committed, is what `learner` gets. False if it does not wait for one.
    pub(super) fn snapshot_begins(&mut self, shared: &mut Shared, learner: ServerId, head: StateHead) -> bool {
        let Some(reign) = self.reign(shared) else { return false };
        self.sync_of(learner).is_some_and(|sync| sync.snapshot_begins(shared, learner, reign, head))
    }

    /// The next piece of that state.
    pub(super) fn snapshot_chunk(&mut self, shared: &mut Shared, learner: ServerId, bytes: Arc<[u8]>, last: bool) {
        let Some(reign) = self.reign(shared) else { return };
        if let Some(sync) = self.sync_of(learner) {
            sync.snapshot_chunk(shared, learner, reign.epoch, bytes, last);
        }
    }
}

/// Whether a learner's history is that of another ensemble: equal zxids mean nothing then. One that belongs to none has
/// nothing, or what it was sent before it could take over an epoch.
fn is_foreign(shared: &Shared, learner: ServerId, ensemble: u64) -> bool {
    let status = shared.peers.get(&learner).and_then(|peer| peer.status.as_ref());
    status.is_some_and(|status| ![0, ensemble].contains(&status.standing.ensemble))
}
