//! The learner's side: joining a leader, promising its epoch, taking over its history, then logging what it proposes.
//!
//! The order of durable steps is history, then epoch, then the acknowledgement of NEWLEADER: a server that claims an
//! epoch has everything that the epoch began with.

use super::{Defect, Leave, Message, Output, RoleChange, Shared, SyncStart};
use crate::frame::FrameBatch;
use crate::ids::{Epoch, Instant, ServerId, Zxid};
use std::sync::Arc;

/// A learner of one leader.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) leader: ServerId,
    since: Instant,
    /// The leader's epoch, once it has named it.
    epoch: Option<Epoch>,
    /// The promise of it is this leader's.
    fresh: bool,
    promised: bool,
    ensemble: u64,
    /// The leader has begun to bring our history up.
    synchronising: bool,
    /// A whole state is being received; what is proposed meanwhile waits.
    installing: Option<Installing>,
    new_leader: Option<Zxid>,
    new_leader_acked: bool,
    /// A quorum has the history; with this transaction it is known what became of everything asked for before.
    up_to_date: Option<Zxid>,
    active: bool,
    leader_committed: Zxid,
    /// Committed as soon as it is durable here.
    committed_with_ours: Zxid,
    acked: Zxid,
}

#[derive(Debug)]
struct Installing {
    zxid: Zxid,
    taken: u64,
    held: Vec<Arc<FrameBatch>>,
}

impl Following {
    /// Asks `leader` to be taken.
    pub(super) fn join(shared: &mut Shared, leader: ServerId) -> Following {
        let accepted = shared.asked.accepted;
        shared.send(leader, Message::FollowerInfo { accepted });
        Following {
            leader,
            since: shared.now,
            epoch: None,
            fresh: false,
            promised: false,
            ensemble: 0,
            synchronising: false,
            installing: None,
            new_leader: None,
            new_leader_acked: false,
            up_to_date: None,
            active: false,
            leader_committed: Zxid::ZERO,
            committed_with_ours: Zxid::ZERO,
            acked: Zxid::ZERO,
        }
    }

    /// Whether the leader has answered, or may still.
    pub(super) fn is_hopeful(&self, shared: &Shared) -> bool {
        self.epoch.is_some() || shared.now.since(self.since) <= shared.timing.join
    }

    /// Whether the learner is up to date: it shows what is committed, and may send payloads.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// The leader's epoch, once the learner is up to date.
    pub(super) fn active_epoch(&self) -> Option<Epoch> {
        self.epoch.filter(|_| self.active)
    }

    /// A message of the leader.
    pub(super) fn message(&mut self, shared: &mut Shared, message: Message) -> Result<(), Leave> {
        match message {
            Message::LeaderInfo { epoch } => self.leader_info(shared, epoch),
            Message::Sync { epoch, ensemble, start } if self.is_of(epoch) && self.promised => {
                self.begin_sync(shared, ensemble, start)
            }
            Message::SnapChunk { epoch, bytes, last } if self.is_of(epoch) => self.chunk(shared, &bytes, last),
            Message::NewLeader { epoch, through } if self.is_of(epoch) && self.synchronising => {
                self.new_leader = Some(through);
                Ok(())
            }
            Message::UpToDate { epoch, committed, proposed } if self.is_of(epoch) && self.new_leader_acked => {
                self.up_to_date = Some(proposed);
                self.leader_committed = self.leader_committed.max(committed);
                Ok(())
            }
            Message::Propose { epoch, committed, batch } if self.is_of(epoch) && self.synchronising => {
                self.leader_committed = self.leader_committed.max(committed);
                self.propose(shared, batch)
            }
            Message::Commit { epoch, through, with_yours } if self.is_of(epoch) => {
                self.leader_committed = self.leader_committed.max(through);
                self.committed_with_ours = self.committed_with_ours.max(with_yours);
                Ok(())
            }
            Message::Confirm { epoch, round } if self.is_of(epoch) && self.up_to_date.is_some() => {
                shared.send(self.leader, Message::Confirmed { epoch, round });
                Ok(())
            }
            Message::Payload { epoch, bytes } if self.is_of(epoch) && self.active => {
                shared.out.push(Output::Payload { from: self.leader, bytes });
                Ok(())
            }
            // What belongs to an earlier reign of the same leader.
            _ => Ok(()),
        }
    }

    fn is_of(&self, epoch: Epoch) -> bool {
        self.epoch == Some(epoch)
    }

    fn leader_info(&mut self, shared: &mut Shared, epoch: Epoch) -> Result<(), Leave> {
        if self.epoch.is_some() {
            return Err(Leave::Protocol);
        }
        if epoch < shared.asked.accepted {
            return Err(Leave::OldEpoch);
        }
        self.fresh = epoch > shared.asked.accepted;
        self.epoch = Some(epoch);
        shared.save(|epochs| epochs.accepted = epochs.accepted.max(epoch));
        Ok(())
    }

    fn begin_sync(&mut self, shared: &mut Shared, ensemble: u64, start: SyncStart) -> Result<(), Leave> {
        if self.synchronising || ensemble == 0 {
            return Err(Leave::Protocol);
        }
        if shared.asked.member && shared.asked.ensemble != ensemble {
            return Err(Leave::OtherEnsemble);
        }
        self.synchronising = true;
        self.ensemble = ensemble;
        match start {
            SyncStart::Diff => {}
            SyncStart::Trunc(to) => {
                if to >= shared.history.last() {
                    return Err(Leave::Protocol);
                }
                if to < shared.committed {
                    let committed = shared.committed;
                    let why =
                        format!("the leader wants {to} to be the last transaction, but {committed} was committed");
                    shared.out.push(Output::Halt(why));
                    return Err(Leave::Protocol);
                }
                shared.truncate(to);
            }
            SyncStart::Snap(head) => {
                self.installing = Some(Installing { zxid: head.zxid, taken: 0, held: Vec::new() });
                shared.installing = Some(head.zxid);
                shared.out.push(Output::BeginInstall(head));
            }
        }
        Ok(())
    }

    fn chunk(&mut self, shared: &mut Shared, bytes: &Arc<[u8]>, last: bool) -> Result<(), Leave> {
        let installing = self.installing.as_mut().ok_or(Leave::Protocol)?;
        installing.taken += bytes.len() as u64;
        let (epoch, taken) = (self.epoch.expect("a snapshot follows the epoch"), installing.taken);
        shared.out.push(Output::InstallChunk { bytes: Arc::clone(bytes), last });
        shared.send(self.leader, Message::SnapTaken { epoch, bytes: taken });
        Ok(())
    }

    /// The state that was received is durable, and is the state. What was proposed meanwhile follows.
    pub(super) fn installed(&mut self, shared: &mut Shared) {
        let Some(installing) = self.installing.take() else { return };
        for batch in installing.held {
            shared.append(batch);
        }
    }

    fn propose(&mut self, shared: &mut Shared, batch: Arc<FrameBatch>) -> Result<(), Leave> {
        if let Some(installing) = &mut self.installing {
            let last = installing.held.last().map_or(installing.zxid, |batch| batch.last());
            if batch.prev() != last {
                return Err(Leave::Protocol);
            }
            installing.held.push(batch);
            return Ok(());
        }
        if batch.prev() != shared.history.last() || batch.last().epoch() > self.epoch.expect("proposals have an epoch")
        {
            return Err(Leave::Protocol);
        }
        shared.append(batch);
        Ok(())
    }

    /// Whatever has become possible: durable steps that were waited for have been taken.
    pub(super) fn advance(&mut self, shared: &mut Shared) -> Result<(), Leave> {
        let Some(epoch) = self.epoch else { return Ok(()) };
        let stored = shared.epochs.accepted >= epoch || shared.has(Defect::PromiseForgotten);
        if !self.promised && stored {
            self.promised = true;
            let (fresh, current, last) = (self.fresh, shared.epochs.current, shared.history.last());
            shared.send(self.leader, Message::AckEpoch { epoch, fresh, current, last });
        }
        self.take_over(shared, epoch)?;
        let durable = if shared.has(Defect::AckBeforeDurable) { shared.history.last() } else { shared.durable };
        if self.synchronising && self.installing.is_none() && durable > self.acked {
            self.acked = durable;
            shared.send(self.leader, Message::Ack { epoch, through: self.acked });
        }
        if self.synchronising && self.installing.is_none() {
            // What this server has on disk is the beginning of the leader's history, and what a quorum has of that stays,
            // whatever becomes of this leader: it need not be kept in memory until everything has come.
            shared.commit(self.leader_committed.min(shared.durable));
        }
        let Some(proposed) = self.up_to_date.filter(|_| shared.epochs.member) else { return Ok(()) };
        // A server that promises another epoch follows this leader no more; so what is durable here now is in the history
        // of whoever leads next, as it is if the leader counts the acknowledgement.
        let ours = if shared.has(Defect::CountedBeforeDurable) { shared.history.last() } else { shared.durable };
        let with_ours = self.committed_with_ours.min(ours);
        shared.commit(self.leader_committed.min(shared.history.last()).max(with_ours));
        if !self.active && (shared.committed >= proposed || shared.has(Defect::ResubmittedTooEarly)) {
            self.active = true;
            shared.out.push(Output::Role(RoleChange::Following { leader: self.leader, epoch }));
        }
        Ok(())
    }

    /// History, then epoch, then the acknowledgement; then, when a quorum has got as far, membership.
    fn take_over(&mut self, shared: &mut Shared, epoch: Epoch) -> Result<(), Leave> {
        let Some(through) = self.new_leader else { return Ok(()) };
        if self.installing.is_some() {
            return Ok(());
        }
        if through > shared.history.last() {
            return Err(Leave::Protocol);
        }
        let durable = shared.durable >= through || shared.has(Defect::NewLeaderBeforeHistory);
        // A server that has lapsed in this very epoch takes it over again.
        if durable && (shared.asked.current < epoch || shared.asked.lapsed) {
            let ensemble = self.ensemble;
            shared.save(|epochs| {
                epochs.current = epoch;
                epochs.take_up(ensemble);
            });
        }
        let taken_over = shared.epochs.current == epoch && !shared.epochs.lapsed;
        if durable && !self.new_leader_acked && taken_over {
            self.new_leader_acked = true;
            shared.send(self.leader, Message::AckNewLeader { epoch });
        }
        if self.up_to_date.is_some() {
            shared.save(|epochs| epochs.join(true));
        }
        Ok(())
    }
}
