//! What must hold, whatever happens. Each rule is checked when something happens that could break it; a rule that is
//! broken ends the run with a panic that says which, where and how.
//!
//! | Rule | Where |
//! |---|---|
//! | An epoch has one established leader, and epochs of leaders rise | [`Check::leads`] |
//! | A leader has everything that anybody was shown | [`Check::leads`] |
//! | One zxid is one transaction, with one predecessor | [`Check::proposed`] |
//! | Everybody is shown the same transactions in the same order, each proposed before | [`Check::shows`] |
//! | What is shown is on the disks of a quorum | `world::links` |
//! | Equal histories make equal states | [`Check::shows`] |
//! | What is shown never goes back in one life of a server | [`Check::shows`] |
//! | A request is executed once, and those of a session in the order in which they were asked | `order` |
//! | A session that has ended does nothing more, unless a snapshot brings it back | `order` |
//! | A session that only one server knows does nothing that is replicated | `order` |
//! | Who watches is told of all that is different when the tree was replaced | `states` |
//! | An acknowledged write is what the history says; it is later than all that was acknowledged when it was asked for | [`Check::acknowledged`] |
//! | A read shows the state at its zxid | [`Check::view`] |
//! | A watch fires once, before anything newer is seen, and for a reason | [`Check::changed`], in the client |
//! | Every ephemeral node has an owner that lives | [`Check::end`] |
//!
//! What a server promises to its peers is compared with its disk in `world::links`.

mod order;
mod states;

pub use order::Proposal;
pub use states::{View, What};

use crate::time::Time;
use order::Order;
use ringkeeper_core::frame::FrameBatch;
use ringkeeper_core::ids::{Epoch, SessionId, Zxid};
use ringkeeper_core::tree::Tree;
use states::States;
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub struct Check {
    order: Order,
    states: States,
    leaders: BTreeMap<Epoch, usize>,
    /// What each server that runs has shown last.
    shown: BTreeMap<usize, Zxid>,
    /// The newest acknowledged write.
    acknowledged: Zxid,
}

impl Check {
    /// Nothing has happened.
    #[must_use]
    pub fn new() -> Check {
        Check::default()
    }

    /// A leader has sent transactions to somebody.
    pub fn proposed(&mut self, batch: &FrameBatch) {
        self.order.proposed(batch);
    }

    /// The process of a server is gone.
    pub fn ended(&mut self, at: usize) {
        self.shown.remove(&at);
    }

    /// What a server shows after a turn.
    pub fn shows(&mut self, now: Time, at: usize, tree: &Tree) {
        let last = tree.last_zxid();
        if self.shown.get(&at) == Some(&last) {
            return;
        }
        if let Some(before) = self.shown.insert(at, last) {
            assert!(last > before, "server {at} has shown {before}, and shows {last} after it");
        }
        for proposal in self.order.shown(at, last) {
            self.order.next(now, &proposal);
            if let Some(restored) = self.states.apply(&proposal) {
                self.order.restored(now, proposal.zxid, &restored);
            }
        }
        let expected = self.states.digest(last);
        assert_eq!(tree.digest(), expected, "server {at} has another state at {last} than its history makes");
    }

    /// A server is the established leader of an epoch.
    pub fn leads(&mut self, at: usize, epoch: Epoch, tree: &Tree) {
        if let Some(other) = self.leaders.insert(epoch, at) {
            panic!("{epoch:?} has two leaders: {other} and {at}");
        }
        let newest = self.leaders.keys().next_back();
        assert_eq!(newest, Some(&epoch), "server {at} leads {epoch:?} after a later epoch was established");
        let (has, shown) = (tree.last_zxid(), self.order.last());
        assert!(has >= shown, "server {at} leads {epoch:?} with {has}, but {shown} has been shown");
    }

    /// The newest transaction that anybody was shown.
    #[must_use]
    pub fn last_shown(&self) -> Zxid {
        self.order.last()
    }

    /// The newest acknowledged write: whatever is asked for from now on comes after it.
    #[must_use]
    pub fn floor(&self) -> Zxid {
        self.acknowledged
    }

    /// A client was told that its request has become this transaction.
    pub fn acknowledged(&mut self, zxid: Zxid, session: SessionId, cxid: i32) {
        self.order.is(zxid, session, cxid);
        self.acknowledged = self.acknowledged.max(zxid);
    }

    /// A node's state at a transaction; `None`: it did not exist.
    #[must_use]
    pub fn view(&self, path: &str, at: Zxid) -> Option<&View> {
        self.states.view(path, at)
    }

    /// What happened to a node after the first transaction, through the second.
    pub fn changed(&self, path: &str, after: Zxid, through: Zxid) -> impl Iterator<Item = (Zxid, What)> + '_ {
        self.states.changed(path, after, through)
    }

    /// Whether the whole tree was replaced after the first transaction, through the second.
    #[must_use]
    pub fn was_replaced(&self, after: Zxid, through: Zxid) -> bool {
        self.states.was_replaced(after, through)
    }

    /// Whether a session was ended because it was younger than a snapshot that the tree was replaced by.
    #[must_use]
    pub fn was_ended_by_restore(&self, session: SessionId) -> bool {
        self.order.was_ended_by_restore(session)
    }

    /// By which transaction a session was last closed, if it was, and when somebody was first shown that.
    #[must_use]
    pub fn closed(&self, session: SessionId) -> Option<(Zxid, Time)> {
        self.order.closed(session)
    }

    /// A server that has no leader has opened a session that only it knows.
    pub fn opened_read_only(&mut self, session: SessionId) {
        self.order.opened_read_only(session);
    }

    /// The run has come to its end with these states.
    pub fn end<'t>(&self, trees: impl Iterator<Item = &'t Tree>) {
        for tree in trees {
            for (session, _) in tree.sessions_with_ephemerals() {
                assert!(tree.session(session).is_some(), "{session} has ephemeral nodes, but is gone");
            }
        }
    }

    /// How many there were.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.order.len()
    }
}
