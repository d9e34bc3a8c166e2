//! The leader's side: an epoch newer than any that a quorum had promised, its own history brought to a quorum, then
//! proposals.
//!
//! Source: ZAB (DSN'11) sections IV and V; ZooKeeper's `Leader` and `LearnerHandler`.

use super::sync::{Reign, Sync};
use super::{Abdication, Broadcast, Defect, Electorate, Message, Output, RoleChange, Shared};
use crate::ids::{Epoch, Instant, ServerId, Zxid};
use std::collections::BTreeMap;

/// How far the leader has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// A quorum is to promise the epoch.
    Discovery,
    /// A quorum is to have the history.
    Synchronisation,
    /// Established.
    Broadcast,
}

/// A leader, or one who would be.
#[derive(Debug)]
pub(super) struct Leading {
    since: Instant,
    electorate: Electorate,
    ensemble: u64,
    epoch: Option<Epoch>,
    phase: Phase,
    /// The last transaction of the history that it brings.
    start: Zxid,
    pub(super) learners: BTreeMap<ServerId, Learner>,
    /// The log cannot be read behind this transaction: whoever lacks more gets the state as a whole.
    pub(super) unreadable: Option<Zxid>,
    pub(super) broadcast: Option<Broadcast>,
    /// Rounds of confirmation: the last one that is wanted, sent, and confirmed by a quorum.
    rounds: Rounds,
    /// Since when the log owes an answer, and what was durable then.
    /// Time has passed since learners were told what is committed.
    pub(super) ticked: bool,
    log_waits: Option<(Instant, Zxid)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rounds {
    wanted: u64,
    sent: u64,
    confirmed: u64,
}

/// What the leader knows of one learner.
#[derive(Debug)]
pub(super) struct Learner {
    accepted: Epoch,
    /// May count in a quorum: a voter that has forgotten nothing.
    counts: bool,
    asked_to_promise: bool,
    pub(super) promise: Option<Promise>,
    pub(super) sync: Option<Sync>,
    pub(super) acked: Zxid,
    /// The last round that it confirmed.
    confirmed: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Promise {
    fresh: bool,
    current: Epoch,
    pub(super) last: Zxid,
}

impl Leading {
    /// Begins to lead: the vote of a quorum is known.
    pub(super) fn begin(shared: &Shared, electorate: Electorate) -> Leading {
        let own = shared.epochs.ensemble;
        let ensemble = match electorate {
            Electorate::Of(ensemble) | Electorate::FoundedBy(ensemble) => ensemble,
            _ if own != 0 => own,
            _ => shared.ensemble_seed,
        };
        Leading {
            since: shared.now,
            electorate,
            ensemble,
            epoch: None,
            phase: Phase::Discovery,
            start: shared.history.last(),
            learners: BTreeMap::new(),
            unreadable: None,
            broadcast: None,
            rounds: Rounds::default(),
            ticked: false,
            log_waits: None,
        }
    }

    /// The established epoch.
    pub(super) fn established(&self) -> Option<Epoch> {
        self.epoch.filter(|_| self.phase == Phase::Broadcast)
    }

    /// What learners are told of this leader, once it has an epoch.
    pub(super) fn reign(&self, shared: &Shared) -> Option<Reign> {
        let committed = if self.phase == Phase::Broadcast { shared.committed } else { Zxid::ZERO };
        Some(Reign { epoch: self.epoch?, ensemble: self.ensemble, committed })
    }

    /// A learner is to have the history through here before it counts.
    pub(super) fn must_have(&self) -> Zxid {
        self.broadcast.as_ref().map_or(self.start, Broadcast::committed).max(self.start)
    }

    pub(super) fn broadcast(&self) -> Option<&Broadcast> {
        self.broadcast.as_ref()
    }

    pub(super) fn broadcast_mut(&mut self) -> Option<&mut Broadcast> {
        self.broadcast.as_mut()
    }

    /// Learners that show what is committed, and take payloads.
    pub(super) fn active(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.learners.iter().filter(|(_, l)| l.sync.as_ref().is_some_and(Sync::is_up_to_date)).map(|(id, _)| *id)
    }

    /// A learner is gone; it may come back.
    pub(super) fn lost(&mut self, shared: &mut Shared, learner: ServerId) {
        if self.learners.remove(&learner).is_none() {
            return;
        }
        shared.out.push(Output::LearnerLost(learner));
        if let Some(broadcast) = &mut self.broadcast {
            broadcast.forget(learner);
        }
    }

    /// A message of somebody who would be, or is, a learner.
    pub(super) fn message(&mut self, shared: &mut Shared, from: ServerId, message: Message) -> Result<(), Abdication> {
        match message {
            Message::FollowerInfo { accepted } => return self.follower_info(shared, from, accepted),
            Message::AckEpoch { epoch, fresh, current, last } if self.epoch == Some(epoch) => {
                return self.ack_epoch(shared, from, Promise { fresh, current, last });
            }
            Message::SnapTaken { epoch, bytes } if self.epoch == Some(epoch) => {
                if let Some(sync) = self.sync_of(from) {
                    sync.snapshot_taken(bytes);
                }
            }
            Message::AckNewLeader { epoch } if self.epoch == Some(epoch) => {
                if let Some(sync) = self.sync_of(from) {
                    sync.acknowledge();
                }
            }
            Message::Ack { epoch, through } if self.epoch == Some(epoch) => {
                if let Some(learner) = self.learners.get_mut(&from)
                    && through <= shared.history.last()
                {
                    learner.acked = learner.acked.max(through);
                    if let Some(sync) = &mut learner.sync {
                        sync.arrived(through);
                    }
                }
            }
            Message::Confirmed { epoch, round } if self.epoch == Some(epoch) => {
                if let Some(learner) = self.learners.get_mut(&from) {
                    learner.confirmed = learner.confirmed.max(round).min(self.rounds.sent);
                }
            }
            Message::Payload { epoch, bytes }
                if self.epoch == Some(epoch) && self.sync_of(from).is_some_and(|sync| sync.is_up_to_date()) =>
            {
                shared.out.push(Output::Payload { from, bytes });
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn sync_of(&mut self, learner: ServerId) -> Option<&mut Sync> {
        self.learners.get_mut(&learner)?.sync.as_mut()
    }

    fn follower_info(&mut self, shared: &mut Shared, from: ServerId, accepted: Epoch) -> Result<(), Abdication> {
        self.lost(shared, from);
        let standing = shared.peers.get(&from).and_then(|peer| peer.status.as_ref()).map(|status| status.standing);
        let counts = shared.quorum.is_voter(from) && standing.is_some_and(|standing| self.electorate.admits(standing));
        // Whoever has promised a newer epoch can follow nobody of this one. A new epoch, newer than that, ends it.
        if shared.quorum.is_voter(from) && self.epoch.is_some_and(|epoch| accepted > epoch) {
            return Err(Abdication::Behind);
        }
        let learner = Learner {
            accepted,
            counts,
            asked_to_promise: false,
            promise: None,
            sync: None,
            acked: Zxid::ZERO,
            confirmed: 0,
        };
        self.learners.insert(from, learner);
        Ok(())
    }

    fn ack_epoch(&mut self, shared: &Shared, from: ServerId, promise: Promise) -> Result<(), Abdication> {
        let Some(learner) = self.learners.get_mut(&from).filter(|learner| learner.asked_to_promise) else {
            return Ok(());
        };
        let own = (shared.epochs.current, self.start);
        let longer = (promise.current, promise.last) > own && !shared.has(Defect::ElectionIgnoresZxid);
        if self.phase != Phase::Broadcast && learner.counts && longer {
            return Err(Abdication::Behind);
        }
        learner.promise = Some(promise);
        Ok(())
    }

    /// Whatever has become possible.
    pub(super) fn advance(&mut self, shared: &mut Shared) -> Result<(), Abdication> {
        self.choose_epoch(shared);
        self.ask_for_promises(shared);
        if self.phase == Phase::Discovery && self.is_promised(shared) {
            self.phase = Phase::Synchronisation;
        }
        if self.phase != Phase::Discovery {
            self.begin_syncs(shared);
        }
        if self.phase == Phase::Synchronisation {
            self.take_over(shared);
        }
        if self.phase == Phase::Broadcast {
            self.acknowledge(shared);
            self.tell_up_to_date(shared);
            self.confirm_rounds(shared);
        }
        self.feed(shared);
        Ok(())
    }

    /// Newer than any that a quorum has promised.
    fn choose_epoch(&mut self, shared: &mut Shared) {
        if self.epoch.is_some() {
            return;
        }
        let joined = |id: ServerId| id == shared.id || self.learners.get(&id).is_some_and(|learner| learner.counts);
        if !shared.quorum.is_reached_by(joined) {
            return;
        }
        let promised = self.learners.values().map(|learner| learner.accepted);
        let newest = promised.max().unwrap_or_default().max(shared.asked.accepted).max(self.start.epoch());
        let Some(next) = newest.0.checked_add(1) else {
            shared.out.push(Output::Halt("the last epoch there can be (2^32 - 1) has been used".into()));
            return;
        };
        let epoch = Epoch(next);
        self.epoch = Some(epoch);
        shared.save(|epochs| epochs.accepted = epoch);
    }

    fn ask_for_promises(&mut self, shared: &mut Shared) {
        let Some(epoch) = self.epoch else { return };
        for (id, learner) in &mut self.learners {
            if !learner.asked_to_promise {
                learner.asked_to_promise = true;
                shared.send(*id, Message::LeaderInfo { epoch });
            }
        }
    }

    fn is_promised(&self, shared: &Shared) -> bool {
        let Some(epoch) = self.epoch else { return false };
        shared.quorum.is_reached_by(|id| {
            if id == shared.id {
                return shared.epochs.accepted >= epoch;
            }
            self.learners.get(&id).is_some_and(|l| l.counts && l.promise.is_some_and(|promise| promise.fresh))
        })
    }

    /// The history is durable with a quorum, this server's own disk being one of it.
    fn take_over(&mut self, shared: &mut Shared) {
        let epoch = self.epoch.expect("synchronisation follows the choice of an epoch");
        if shared.durable >= self.start && shared.asked.current < epoch && shared.epochs.accepted >= epoch {
            let ensemble = self.ensemble;
            shared.save(|epochs| {
                epochs.current = epoch;
                epochs.take_up(ensemble);
            });
        }
        let has_it = |id: ServerId| {
            if id == shared.id {
                return shared.epochs.current == epoch;
            }
            self.learners.get(&id).is_some_and(|l| l.counts && l.sync.as_ref().is_some_and(Sync::has_history))
        };
        if !shared.quorum.is_reached_by(has_it) || shared.epochs.current != epoch {
            return;
        }
        // Durable before anything is committed in this ensemble: see `Standing`.
        let others_vote = !shared.is_alone();
        shared.save(|epochs| epochs.join(others_vote));
        if shared.epochs != shared.asked {
            return;
        }
        self.phase = Phase::Broadcast;
        let mut broadcast = Broadcast::new(shared.quorum.clone(), epoch, self.start, shared.last_counter);
        broadcast.acknowledge(shared.id, self.start);
        self.broadcast = Some(broadcast);
        shared.commit(self.start);
        shared.out.push(Output::Role(RoleChange::Leading { epoch }));
    }

    /// What is durable where decides what is committed.
    fn acknowledge(&mut self, shared: &mut Shared) {
        let broadcast = self.broadcast.as_mut().expect("an established leader broadcasts");
        broadcast.acknowledge(shared.id, shared.durable.min(broadcast.proposed()));
        for (id, learner) in &self.learners {
            let has_history = learner.sync.as_ref().is_some_and(Sync::has_history);
            if has_history && shared.quorum.is_voter(*id) {
                broadcast.acknowledge(*id, learner.acked.min(broadcast.proposed()));
            }
        }
        let mut committed = broadcast.committed();
        if shared.has(Defect::CommitWithoutQuorum) {
            committed = broadcast.proposed();
        }
        shared.commit(committed);
    }

    /// Asks for a new confirmation that this server leads; its round.
    pub(super) fn confirm(&mut self) -> u64 {
        self.rounds.wanted = self.rounds.sent + 1;
        self.rounds.wanted
    }

    fn confirm_rounds(&mut self, shared: &mut Shared) {
        let epoch = self.epoch.expect("an established leader has an epoch");
        if self.rounds.wanted > self.rounds.sent {
            let round = self.rounds.wanted;
            self.rounds.sent = round;
            for id in self.active().collect::<Vec<_>>() {
                shared.send(id, Message::Confirm { epoch, round });
            }
        }
        let (own, sent) = (shared.id, self.rounds.sent);
        let confirmed_by =
            |id: ServerId| if id == own { sent } else { self.learners.get(&id).map_or(0, |l| l.confirmed) };
        let confirmed = shared.quorum.reached(confirmed_by);
        if confirmed > self.rounds.confirmed {
            self.rounds.confirmed = confirmed;
            shared.out.push(Output::Confirmed(confirmed));
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, shared: &Shared) -> Result<(), Abdication> {
        self.ticked = true;
        let age = shared.now.since(self.since);
        match self.phase {
            Phase::Discovery if age > shared.timing.join => return Err(Abdication::NotSupported),
            Phase::Synchronisation if age > shared.timing.sync => return Err(Abdication::NotSupported),
            _ => {}
        }
        if self.epoch.is_some() && !shared.quorum.is_reached_by(|id| self.supports(shared, id)) {
            return Err(Abdication::QuorumLost);
        }
        self.watch_log(shared)
    }

    /// Whether `id` stands behind this leader: it has promised the epoch, and was heard from lately. Whoever has
    /// promised a newer one does not.
    fn supports(&self, shared: &Shared, id: ServerId) -> bool {
        if id == shared.id {
            return true;
        }
        if shared.has(Defect::StaleSupport) {
            return shared.peers.contains_key(&id);
        }
        let learner = self.learners.get(&id).filter(|learner| learner.counts || self.phase == Phase::Broadcast);
        learner.is_some()
            && shared.peers.get(&id).is_some_and(|peer| !peer.hearing.is_silent(shared.now, &shared.timing))
    }

    /// A leader whose disk stands still gives way to one whose disk does not, if there can be another.
    fn watch_log(&mut self, shared: &Shared) -> Result<(), Abdication> {
        if shared.is_alone() {
            return Ok(());
        }
        let stalled = |since: Instant| shared.now.since(since) > shared.timing.disk_stall;
        self.log_waits = match self.log_waits {
            _ if shared.durable >= shared.history.last() => None,
            Some((since, durable)) if durable == shared.durable => {
                if stalled(since) {
                    return Err(Abdication::DiskStalled);
                }
                Some((since, durable))
            }
            _ => Some((shared.now, shared.durable)),
        };
        Ok(())
    }
}
