//! Election: whom a server without a leader would follow, and when that is decided.
//!
//! As in ZooKeeper's fast leader election the longest history wins: (epoch, zxid, id). Unlike there, votes are not
//! gathered in rounds that end with a fixed wait: links keep order and lose nothing, so the newest status of each
//! linked server is known, a vote is a function of those, and it is decided as soon as all voters in sight agree. That
//! a vote is asked for and given without a promise is the pre-vote: nobody's epoch rises before a quorum is looking
//! for a leader and agrees on one. Servers with a leader take no part, so nobody deposes a leader that works.
//!
//! Election makes a good choice; that no acknowledged transaction is lost rests on what follows (`Leading`).

use super::{Electorate, Quorum, RoleStatus, Status};
use crate::ids::{Epoch, ServerId, Zxid};
use std::collections::BTreeMap;

/// What the newest statuses amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Whom this server votes for.
    pub vote: Option<ServerId>,
    /// Who has the votes of a quorum.
    pub elected: Option<Elected>,
    /// A server that leads already and can be joined.
    pub leader: Option<ServerId>,
}

/// Someone has the votes of a quorum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elected {
    /// Who.
    pub id: ServerId,
    /// Every voter in sight looks for a leader and agrees: nothing can be gained by waiting.
    pub unanimous: bool,
}

/// The history by which candidates are compared.
fn rank(id: ServerId, status: &Status) -> (Epoch, Zxid, ServerId) {
    (status.current, status.last, id)
}

/// Judges the newest statuses. `own` is this server's, which is looking; its vote in there is not read. `avoided` are
/// leaders that did not answer a moment ago.
#[must_use]
pub fn judge(
    quorum: &Quorum,
    id: ServerId,
    own: &Status,
    peers: &BTreeMap<ServerId, Status>,
    avoided: impl Fn(ServerId) -> bool,
) -> Outcome {
    let leader = peers.iter().filter(|(peer, status)| status.role == RoleStatus::Leading && !avoided(**peer));
    let leader = leader.map(|(peer, status)| (status.current, *peer)).max().map(|(_, peer)| peer);
    let electorate = Electorate::of(quorum, id, own.standing, peers);
    let votes = |server: ServerId| {
        let status = if server == id { Some(own) } else { peers.get(&server) };
        status.filter(|status| quorum.is_voter(server) && electorate.admits(status.standing))
    };
    if votes(id).is_none() {
        return Outcome { vote: None, elected: None, leader };
    }
    let vote = vote(quorum, id, own, &votes);
    let elected = vote.and_then(|candidate| {
        let votes_for_it = |server: ServerId| {
            server == id
                || votes(server).is_some_and(|status| status.role == RoleStatus::Looking { vote: Some(candidate) })
        };
        let unanimous = quorum.voters().all(|server| votes(server).is_none() || votes_for_it(server));
        quorum.is_reached_by(votes_for_it).then_some(Elected { id: candidate, unanimous })
    });
    Outcome { vote, elected, leader }
}

/// The candidate with the longest history, not shorter than ours, that looks for a leader and could have a quorum.
fn vote<'a>(
    quorum: &Quorum,
    id: ServerId,
    own: &Status,
    votes: &impl Fn(ServerId) -> Option<&'a Status>,
) -> Option<ServerId> {
    let fit = |server: ServerId, status: &Status| {
        let looking = server == id || matches!(status.role, RoleStatus::Looking { .. });
        looking && quorum.is_reached_by(|voter| status.reaches.contains(&voter))
    };
    quorum
        .voters()
        .filter_map(|server| votes(server).map(|status| (server, status)))
        .filter(|(server, status)| fit(*server, status))
        .map(|(server, status)| rank(server, status))
        .filter(|(current, last, _)| (*current, *last) >= (own.current, own.last))
        .max()
        .map(|(_, _, server)| server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zab::Standing;

    const MEMBER: Standing = Standing { ensemble: 7, member: true, lapsed: false, founder: false };

    fn status(epoch: u32, last: u32, reaches: &[u8]) -> Status {
        Status {
            role: RoleStatus::Looking { vote: None },
            current: Epoch(epoch),
            last: Zxid::new(Epoch(epoch), last),
            standing: MEMBER,
            reaches: reaches.iter().map(|id| ServerId(*id)).collect(),
        }
    }

    fn votes_for(mut status: Status, vote: u8) -> Status {
        status.role = RoleStatus::Looking { vote: Some(ServerId(vote)) };
        status
    }

    fn judged(voters: u8, id: u8, own: &Status, peers: Vec<(u8, Status)>) -> Outcome {
        let quorum = Quorum::majority((1..=voters).map(ServerId));
        let peers = peers.into_iter().map(|(id, status)| (ServerId(id), status)).collect();
        judge(&quorum, ServerId(id), own, &peers, |_| false)
    }

    #[test]
    fn the_longest_history_wins_then_the_highest_id() {
        for (own, other, vote) in [((1, 5), (1, 5), 2), ((1, 6), (1, 5), 1), ((1, 6), (2, 1), 2)] {
            let own = status(own.0, own.1, &[1, 2]);
            let outcome = judged(3, 1, &own, vec![(2, status(other.0, other.1, &[1, 2]))]);
            assert_eq!((outcome.vote, outcome.elected), (Some(ServerId(vote)), None), "nobody else has voted yet");
        }
    }

    #[test]
    fn it_is_decided_when_all_in_sight_agree_or_a_quorum_does() {
        let own = status(1, 5, &[1, 2, 3]);
        let second = status(1, 5, &[1, 2, 3]);
        let third = status(1, 4, &[1, 2, 3]);
        let elected = |unanimous| Some(Elected { id: ServerId(2), unanimous });
        let two = vec![(2, votes_for(second.clone(), 2))];
        assert_eq!(judged(3, 1, &status(1, 5, &[1, 2]), two).elected, elected(true), "the third is not in sight");
        let late = vec![(2, votes_for(second.clone(), 2)), (3, third.clone())];
        assert_eq!(judged(3, 1, &own, late).elected, elected(false), "the third has not voted");
        let all = vec![(2, votes_for(second, 2)), (3, votes_for(third, 2))];
        assert_eq!(judged(3, 1, &own, all).elected, elected(true));
    }

    #[test]
    fn nobody_votes_for_a_candidate_that_cannot_have_a_quorum() {
        // A line of five: 1-2-3-4-5. The ends have the longest history but reach nobody.
        let own = status(1, 5, &[3, 4, 5]);
        let peers = vec![(3, status(1, 5, &[2, 3, 4])), (5, status(1, 5, &[4, 5]))];
        assert_eq!(judged(5, 4, &own, peers).vote, Some(ServerId(4)));
    }

    #[test]
    fn servers_with_a_leader_are_not_asked() {
        let own = status(1, 5, &[1, 2, 3]);
        let following = Status { role: RoleStatus::Following { leader: ServerId(3) }, ..status(1, 9, &[1, 2, 3]) };
        let leading = Status { role: RoleStatus::Leading, ..status(1, 9, &[1, 2, 3]) };
        let outcome = judged(3, 1, &own, vec![(2, following.clone()), (3, leading)]);
        assert_eq!((outcome.elected, outcome.leader), (None, Some(ServerId(3))));
        let out_of_sight = judged(3, 1, &own, vec![(2, following)]);
        assert_eq!((out_of_sight.elected, out_of_sight.leader), (None, None), "the leader that works stays");
    }

    #[test]
    fn a_voter_that_has_forgotten_neither_votes_nor_is_elected() {
        let blank = Status { standing: Standing::default(), ..status(0, 0, &[1, 2]) };
        let member = status(3, 7, &[1, 2]);
        assert_eq!(judged(3, 1, &blank, vec![(2, votes_for(member.clone(), 2))]).vote, None);
        let outcome = judged(3, 2, &member, vec![(1, votes_for(blank, 2))]);
        assert_eq!(outcome.elected, None, "one member of three is no quorum");
    }
}
