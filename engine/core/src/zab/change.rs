//! When this server noticed that it had no leader, and how far the change to the next one has got since. Nothing is decided
//! by these moments; they are for operators, and for those who measure what a failover is made of.

use super::RoleChange;
use crate::ids::{Instant, Zxid};

/// The moments of the last change of leaders, as one server saw them. Each is that of the turn in which it happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaderChange {
    /// The server began to look for a leader: the former one was gone, or the server had started.
    pub noticed: Instant,
    /// It knew whom a quorum had elected: of several attempts the last one counts.
    pub elected: Option<Instant>,
    /// As leader: a quorum had its history. As follower: it was up to date with the leader.
    pub established: Option<Instant>,
    /// A transaction of the new epoch was committed.
    pub committed: Option<Instant>,
}

impl LeaderChange {
    /// The server has no leader from `now` on.
    pub(super) fn begins(now: Instant) -> LeaderChange {
        LeaderChange { noticed: now, elected: None, established: None, committed: None }
    }

    /// The part has ended that the server had, or tried to have. An attempt that failed belongs to the change under way.
    pub(super) fn looks(&mut self, now: Instant) {
        let noticed = if self.established.is_some() { now } else { self.noticed };
        *self = LeaderChange::begins(noticed);
    }

    /// The server has set out to lead, or to follow.
    pub(super) fn elected(&mut self, now: Instant) {
        self.elected = Some(now);
    }

    /// Notes what has been reached by `now`.
    pub(super) fn note(&mut self, now: Instant, role: RoleChange, committed: Zxid) {
        let (RoleChange::Leading { epoch } | RoleChange::Following { epoch, .. }) = role else { return };
        self.established.get_or_insert(now);
        if committed.epoch() == epoch {
            self.committed.get_or_insert(now);
        }
    }

    /// Whether nothing is left to be noted.
    pub(super) fn is_complete(&self) -> bool {
        self.committed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;

    #[test]
    fn an_attempt_that_fails_is_part_of_the_change() {
        let at = Instant;
        let leading = RoleChange::Leading { epoch: Epoch(2) };
        let mut change = LeaderChange::begins(at(1));
        change.elected(at(3));
        change.note(at(4), RoleChange::Looking, Zxid::new(Epoch(1), 9));
        change.looks(at(5));
        assert_eq!(change, LeaderChange::begins(at(1)));
        change.elected(at(6));
        change.note(at(8), leading, Zxid::new(Epoch(1), 9));
        assert!(!change.is_complete(), "the history of former epochs is no transaction of this one");
        for later in [9, 10] {
            change.note(at(later), leading, Zxid::new(Epoch(2), 1));
        }
        let all =
            LeaderChange { noticed: at(1), elected: Some(at(6)), established: Some(at(8)), committed: Some(at(9)) };
        assert_eq!(change, all);
        change.looks(at(20));
        assert_eq!(change, LeaderChange::begins(at(20)), "the next change");
    }
}
