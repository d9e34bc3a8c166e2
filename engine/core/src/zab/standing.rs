//! Whether a server may vote. One whose disk is empty or was replaced has forgotten what it had acknowledged and
//! promised: its vote could elect a leader that lacks acknowledged transactions. So only members vote, and a server
//! becomes a member when an established leader has synchronised it.
//!
//! One that has given up damaged data is worse than blank: a blank server shows that there may be nothing to lose, this
//! one shows that there was. While it is in sight no ensemble is founded.
//!
//! A server that stood alone is a member of an ensemble of its own, where everything was committed by itself. Only its
//! operator can say that this is to be everybody's history; then those who have none may vote for it.

use super::{Epochs, Quorum, Status};
use crate::ids::ServerId;
use std::collections::BTreeMap;

/// What a server's disk says about its membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Identity of the ensemble that its history belongs to; 0: of none.
    pub ensemble: u64,
    /// An established leader of that ensemble has taken it up.
    pub member: bool,
    /// It has given up a part of its history, and nobody has brought that again.
    pub lapsed: bool,
    /// It has stood alone until now, and its operator wants its data to be that of all.
    pub founder: bool,
}

impl From<&Epochs> for Standing {
    fn from(epochs: &Epochs) -> Standing {
        Standing { ensemble: epochs.ensemble, member: epochs.member, lapsed: epochs.lapsed, founder: false }
    }
}

/// Who may vote, as one server sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Electorate {
    /// Every voter is in sight and none is a member: nothing can have been committed, all may vote to found an ensemble.
    Founding,
    /// The members of this ensemble, and those whom its leader was about to take up: they have everything that they
    /// acknowledged to it.
    Of(u64),
    /// A server that stood alone founds this ensemble with its data; whoever has none votes, too.
    FoundedBy(u64),
    /// There is no member in sight, and not all voters are, or some of them have lapsed; or what is to be founded
    /// contradicts what there is.
    Unknown,
}

impl Electorate {
    /// As seen by `own`, who has links to `peers`.
    #[must_use]
    pub fn of(quorum: &Quorum, own: ServerId, standing: Standing, peers: &BTreeMap<ServerId, Status>) -> Electorate {
        let seen = |id: ServerId| if id == own { Some(standing) } else { peers.get(&id).map(|peer| peer.standing) };
        if let Some(founded) = founded(own, standing, quorum.voters().filter_map(|id| Some((id, seen(id)?)))) {
            return founded;
        }
        let member = quorum.voters().filter_map(seen).find(|standing| standing.member);
        // A server's own ensemble comes first: members of another one are strangers.
        match member {
            _ if standing.member => Electorate::Of(standing.ensemble),
            Some(member) => Electorate::Of(member.ensemble),
            None if quorum.voters().all(|id| seen(id).is_some_and(|standing| !standing.lapsed)) => Electorate::Founding,
            None => Electorate::Unknown,
        }
    }

    /// Whether a server of this standing may vote.
    #[must_use]
    pub fn admits(self, standing: Standing) -> bool {
        match self {
            Electorate::Founding => !standing.lapsed,
            Electorate::Of(ensemble) => ensemble != 0 && standing.ensemble == ensemble && !standing.lapsed,
            Electorate::FoundedBy(ensemble) => [0, ensemble].contains(&standing.ensemble) && !standing.lapsed,
            Electorate::Unknown => false,
        }
    }
}

/// What the founder in sight means to a server of this standing; `None` if there is none, or it is none of its business.
fn founded(
    own: ServerId,
    standing: Standing,
    voters: impl Iterator<Item = (ServerId, Standing)>,
) -> Option<Electorate> {
    let voters: Vec<(ServerId, Standing)> = voters.collect();
    let mut founders = voters.iter().filter(|(_, standing)| standing.founder);
    let (id, founder) = founders.next()?;
    let concerned = [0, founder.ensemble].contains(&standing.ensemble) || standing.founder && *id != own;
    if !concerned {
        return None;
    }
    let stranger = |(_, other): &(ServerId, Standing)| ![0, founder.ensemble].contains(&other.ensemble);
    let contradicted = founders.next().is_some() || voters.iter().any(stranger);
    Some(if contradicted { Electorate::Unknown } else { Electorate::FoundedBy(founder.ensemble) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Epoch, Zxid};
    use crate::zab::RoleStatus;

    const BLANK: Standing = Standing { ensemble: 0, member: false, lapsed: false, founder: false };
    const MEMBER: Standing = Standing { ensemble: 7, member: true, lapsed: false, founder: false };
    const TAKEN_UP: Standing = Standing { ensemble: 7, member: false, lapsed: false, founder: false };
    const LAPSED: Standing = Standing { ensemble: 7, member: false, lapsed: true, founder: false };

    fn electorate(own: Standing, others: &[(u8, Standing)]) -> Electorate {
        let status = |standing| Status {
            role: RoleStatus::Looking { vote: None },
            current: Epoch(0),
            last: Zxid::ZERO,
            standing,
            reaches: [].into(),
        };
        let peers = others.iter().map(|(id, standing)| (ServerId(*id), status(*standing))).collect();
        Electorate::of(&Quorum::majority([1, 2, 3].map(ServerId)), ServerId(1), own, &peers)
    }

    #[test]
    fn an_ensemble_is_founded_only_by_all() {
        assert_eq!(electorate(BLANK, &[(2, BLANK), (3, BLANK)]), Electorate::Founding);
        assert_eq!(electorate(BLANK, &[(2, TAKEN_UP), (3, BLANK)]), Electorate::Founding, "an attempt that failed");
        assert_eq!(electorate(BLANK, &[(2, BLANK)]), Electorate::Unknown);
        assert_eq!(electorate(TAKEN_UP, &[(2, TAKEN_UP)]), Electorate::Unknown);
    }

    #[test]
    fn a_blank_voter_does_not_vote_beside_a_member() {
        for view in [electorate(MEMBER, &[]), electorate(BLANK, &[(3, MEMBER)]), electorate(MEMBER, &[(2, BLANK)])] {
            assert_eq!(view, Electorate::Of(7));
            assert!(view.admits(MEMBER) && view.admits(TAKEN_UP) && !view.admits(BLANK) && !view.admits(LAPSED));
        }
    }

    #[test]
    fn those_who_have_nothing_vote_for_the_data_of_one_that_stood_alone() {
        const FOUNDER: Standing = Standing { founder: true, ..MEMBER };
        const OTHER: Standing = Standing { ensemble: 8, ..MEMBER };
        for view in [
            electorate(FOUNDER, &[(2, BLANK)]),
            electorate(BLANK, &[(3, FOUNDER)]),
            electorate(TAKEN_UP, &[(2, FOUNDER), (3, BLANK)]),
        ] {
            assert_eq!(view, Electorate::FoundedBy(7));
            assert!(view.admits(FOUNDER) && view.admits(BLANK) && view.admits(TAKEN_UP));
            assert!(!view.admits(OTHER) && !view.admits(LAPSED));
        }
        assert_eq!(electorate(MEMBER, &[(2, BLANK)]), Electorate::Of(7), "nobody has said so");
        for (own, others) in [(FOUNDER, [(2, BLANK), (3, OTHER)]), (BLANK, [(2, FOUNDER), (3, OTHER)])] {
            assert_eq!(electorate(own, &others), Electorate::Unknown, "there is other data");
        }
        assert_eq!(electorate(OTHER, &[(2, FOUNDER), (3, OTHER)]), Electorate::Of(8), "an ensemble is not disturbed");
        let second = Standing { ensemble: 9, ..FOUNDER };
        for (own, other) in [(FOUNDER, second), (second, FOUNDER)] {
            assert_eq!(electorate(own, &[(2, other), (3, BLANK)]), Electorate::Unknown, "only one can be the founder");
        }
    }

    #[test]
    fn a_server_that_has_lapsed_neither_votes_nor_founds() {
        assert_eq!(electorate(LAPSED, &[(2, LAPSED), (3, LAPSED)]), Electorate::Unknown);
        assert_eq!(electorate(BLANK, &[(2, LAPSED), (3, BLANK)]), Electorate::Unknown);
        assert_eq!(electorate(LAPSED, &[(2, MEMBER)]), Electorate::Of(7));
        assert!(!Electorate::Founding.admits(LAPSED) && !Electorate::Of(7).admits(LAPSED));
    }
}
