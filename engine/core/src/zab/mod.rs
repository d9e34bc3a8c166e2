//! Agreement on the order of transactions: ZAB. To this room a transaction is bytes with a zxid; what it does is none
//! of its business.
//!
//! Pure: the driver tells what came in (`link_up`, `message`, `log_durable`, …), then calls [`Zab::settle`], and carries
//! out what [`Zab::take_output`] gives, in order.
//!
//! ```text
//!   Looking ──── elected by a quorum ────► Leading    epoch promised by a quorum ► its history with a quorum ► broadcast
//!      │  ▲                                   │
//!      │  └── no quorum, paused, disk stalled ┘
//!      └── a leader is in sight ────────────► Following  epoch promised ► history ► epoch ► acknowledged ► up to date
//!         ▲                                   │
//!         └── silent, unlinked, gave up ──────┘
//! ```

mod broadcast;
mod change;
mod election;
mod ended;
mod epochs;
mod feeding;
mod following;
mod history;
mod leading;
mod learners;
mod message;
mod outlook;
mod quorum;
mod shared;
mod standing;
mod sync;
mod timing;

pub use crate::defect::{Defect, Defects};
pub use broadcast::Broadcast;
pub use change::LeaderChange;
pub use election::{Elected, Outcome, judge};
pub use ended::{Abdication, Ended, Leave};
pub use epochs::Epochs;
pub use history::{History, Place};
pub use learners::LearnerStatus;
pub use message::{Message, RoleStatus, StateHead, Status, SyncStart};
pub use quorum::Quorum;
pub use shared::ZabConfig;
pub use standing::{Electorate, Standing};
pub use sync::{LogOutcome, LogRead, Synchronised};
pub use timing::Timing;

use crate::frame::FrameBatch;
use crate::ids::{Epoch, Instant, ServerId, Zxid};
use core::time::Duration;
use following::Following;
use leading::Leading;
use shared::{Peer, Shared};
use std::collections::BTreeMap;
use std::sync::Arc;
use timing::Hearing;

/// What the driver of agreement must do, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message over the link to a server.
    Send {
        /// To whom.
        to: ServerId,
        /// What.
        message: Message,
    },
    /// End the link to a server; it will be up again.
    Unlink(ServerId),
    /// Make the epochs durable, then call [`Zab::epochs_saved`].
    SaveEpochs(Epochs),
    /// Append to the log, then call [`Zab::log_durable`].
    Append(Arc<FrameBatch>),
    /// Cut the log back: nothing behind this transaction is part of the history. When that is durable, call
    /// [`Zab::log_durable`], also if nothing follows.
    Truncate(Zxid),
    /// Everything through this transaction is committed, and may be shown.
    Committed(Zxid),
    /// Why the part ended that this server had, or tried to have.
    Ended(Ended),
    /// This server has another part now.
    Role(RoleChange),
    /// A learner is up to date: it takes payloads from now on.
    LearnerUpToDate(Synchronised),
    /// A learner follows no more, or begins anew, which its link may outlive. It will hand over again whatever it does not see
    /// proposed when it is up to date: what came from it and is not proposed by now must not be.
    LearnerLost(ServerId),
    /// Read the log for a learner, then call [`Zab::log_read`].
    ReadLog(LogRead),
    /// A learner needs the whole state: call [`Zab::snapshot_begins`] and send it in pieces.
    SendSnapshot(ServerId),
    /// The leader sends a whole state, which is to take the place of this server's.
    BeginInstall(StateHead),
    /// A piece of that state. When the last one is durable, and the state is in its place: [`Zab::installed`].
    InstallChunk {
        /// The bytes, in order.
        bytes: Arc<[u8]>,
        /// Nothing follows.
        last: bool,
    },
    /// The rest of that state will not come: give it up, then call [`Zab::install_failed`], or [`Zab::installed`] if it
    /// was too late for that.
    AbortInstall,
    /// A quorum has confirmed that this server leads, in this round and those before: see [`Zab::confirm`].
    Confirmed(u64),
    /// A message for this server's replica.
    Payload {
        /// Of which server's.
        from: ServerId,
        /// The message.
        bytes: Arc<[u8]>,
    },
    /// Agreement cannot go on, ever.
    Halt(String),
}

/// A server's part, as it matters to those who use agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleChange {
    /// Without a leader: nothing can be decided.
    Looking,
    /// Established leader: propose.
    Leading {
        /// The new epoch.
        epoch: Epoch,
    },
    /// Up to date with an established leader.
    Following {
        /// Whom.
        leader: ServerId,
        /// Its epoch.
        epoch: Epoch,
    },
}

#[derive(Debug)]
enum Role {
    Looking(Looking),
    Following(Box<Following>),
    Leading(Box<Leading>),
}

#[derive(Debug, Default)]
struct Looking {
    vote: Option<ServerId>,
    /// Who has the votes of a quorum, and since when.
    elected: Option<(ServerId, Instant)>,
}

/// For so long after it gave up, or did not answer, a server is not tried again as a leader.
const AVOIDED: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug)]
pub struct Zab {
    shared: Shared,
    role: Role,
    /// Leaders that are not to be joined before.
    avoided: BTreeMap<ServerId, Instant>,
    /// This server is no candidate before.
    unfit_until: Instant,
    /// It was asked to leave: it is no candidate any more.
    leaving: bool,
    /// The last change of leaders; there is none before the time is known.
    change: Option<LeaderChange>,
}

impl Zab {
    /// A server whose state is known to be committed through `state`, and whose log goes on with `tail`.
    ///
    /// # Panics
    /// If `epochs` contradicts itself, or the tail does not follow the state: both are read from checksummed records.
    #[must_use]
    pub fn new(config: ZabConfig, epochs: Epochs, state: Zxid, tail: &[Arc<FrameBatch>]) -> Zab {
        Zab {
            shared: Shared::new(config, epochs, state, tail),
            role: Role::Looking(Looking::default()),
            avoided: BTreeMap::new(),
            unfit_until: Instant::default(),
            leaving: false,
            change: None,
        }
    }

    /// It is later now. A leader that was away for longer than its followers wait is none any more: it must find out
    /// before anything that had arrived meanwhile is taken.
    pub fn at(&mut self, now: Instant) {
        let away = now.since(self.shared.now);
        self.shared.now = self.shared.now.max(now);
        self.change.get_or_insert(LeaderChange::begins(now));
        let usual = self.shared.timing.heartbeat * 2;
        if away <= usual {
            return;
        }
        for peer in self.shared.peers.values_mut() {
            peer.hearing.excuse(now, away - usual);
        }
        if away > self.shared.timing.silence_min && matches!(self.role, Role::Leading(_)) && !self.shared.is_alone() {
            self.abdicate(Abdication::Paused);
        }
    }

    /// There is a link to `peer`.
    pub fn link_up(&mut self, peer: ServerId) {
        self.link_down(peer);
        let (hearing, sent) = (Hearing::new(self.shared.now), self.shared.now);
        self.shared.peers.insert(peer, Peer { hearing, status: None, sent, told: None });
    }

    /// The link to `peer` is gone.
    pub fn link_down(&mut self, peer: ServerId) {
        if self.shared.peers.remove(&peer).is_none() {
            return;
        }
        match &mut self.role {
            Role::Following(following) if following.leader == peer => self.leave(Leave::LinkLost),
            Role::Leading(leading) => leading.lost(&mut self.shared, peer),
            _ => {}
        }
    }

    /// A message has come over the link to `from`.
    pub fn message(&mut self, from: ServerId, message: Message) {
        let (now, timing) = (self.shared.now, self.shared.timing);
        let Some(peer) = self.shared.peers.get_mut(&from) else { return };
        peer.hearing.heard(now, &timing);
        if let Message::Status(status) = message {
            let role = status.role;
            peer.status = Some(status);
            return self.peer_became(from, role);
        }
        match &mut self.role {
            Role::Following(following) if following.leader == from => {
                if let Err(why) = following.message(&mut self.shared, message) {
                    self.leave(why);
                }
            }
            Role::Leading(leading) => {
                if let Err(why) = leading.message(&mut self.shared, from, message) {
                    self.abdicate(why);
                }
            }
            _ => {}
        }
    }

    /// A peer has another part now. A follower whose leader leads no more looks for one; a leader does not count on
    /// those who follow nobody, or somebody else.
    fn peer_became(&mut self, peer: ServerId, role: RoleStatus) {
        let own = self.shared.id;
        match &mut self.role {
            Role::Following(following) if following.leader == peer && role != RoleStatus::Leading => {
                self.leave(Leave::LeadsNoMore);
            }
            Role::Leading(leading) if role != (RoleStatus::Following { leader: own }) => {
                leading.lost(&mut self.shared, peer);
            }
            _ => {}
        }
    }

    /// These epochs are durable, and with them whatever was to be saved before them.
    ///
    /// # Panics
    /// If that was not asked for.
    pub fn epochs_saved(&mut self, epochs: Epochs) {
        self.shared.saved(epochs);
    }

    /// The log has everything through this transaction on disk.
    pub fn log_durable(&mut self, through: Zxid) {
        assert!(through <= self.shared.history.last(), "{through} is durable but was never appended");
        self.shared.durable = self.shared.durable.max(through);
    }

    /// The state received from the leader is durable and in place.
    ///
    /// # Panics
    /// If none was being received.
    pub fn installed(&mut self) {
        let zxid = self.shared.installing.take().expect("a state is installed if one is received");
        self.shared.restart_at(zxid);
        if let Role::Following(following) = &mut self.role {
            following.installed(&mut self.shared);
        }
    }

    /// There will be no such state; the old one stands.
    pub fn install_failed(&mut self) {
        self.shared.installing = None;
        if matches!(self.role, Role::Following(_)) {
            self.leave(Leave::StateFailed);
        }
    }

    /// A few milliseconds have passed.
    pub fn tick(&mut self) {
        match &mut self.role {
            Role::Leading(leading) => {
                if let Err(why) = leading.tick(&self.shared) {
                    return self.abdicate(why);
                }
            }
            Role::Following(following) => {
                let peer = self.shared.peers.get(&following.leader);
                if peer.is_none_or(|peer| peer.hearing.is_silent(self.shared.now, &self.shared.timing)) {
                    self.leave(Leave::Silent);
                } else if !following.is_hopeful(&self.shared) {
                    self.leave(Leave::NoAnswer);
                }
            }
            Role::Looking(_) => {}
        }
        self.heartbeat();
    }

    /// Something is sent over every link every so often, whatever this server's part.
    fn heartbeat(&mut self) {
        let (now, every) = (self.shared.now, self.shared.timing.heartbeat);
        let due: Vec<ServerId> =
            self.shared.peers.iter().filter(|(_, peer)| now.since(peer.sent) >= every).map(|(id, _)| *id).collect();
        for id in due {
            self.shared.send(id, Message::Ping);
        }
    }

    /// Everything that has become possible is done. To be called after what came in, and before the output is taken.
    pub fn settle(&mut self) {
        // Each step can make another one possible: a vote completes a quorum, a saved epoch an acknowledgement.
        loop {
            self.advance();
            if !self.elect() {
                break;
            }
        }
        self.note_change();
        self.tell_status();
    }

    fn note_change(&mut self) {
        let role = self.role();
        if let Some(change) = self.change.as_mut().filter(|change| !change.is_complete()) {
            change.note(self.shared.now, role, self.shared.committed);
        }
    }

    fn advance(&mut self) {
        match &mut self.role {
            Role::Following(following) => {
                if let Err(why) = following.advance(&mut self.shared) {
                    self.leave(why);
                }
            }
            Role::Leading(leading) => {
                if let Err(why) = leading.advance(&mut self.shared) {
                    self.abdicate(why);
                }
            }
            Role::Looking(_) => {}
        }
    }

    /// Looks for a leader, if there is none. Whether this server's part has changed.
    fn elect(&mut self) -> bool {
        // While a state may still take the place of this one, nobody can be told what this server has.
        if !matches!(self.role, Role::Looking(_)) || self.shared.installing.is_some() {
            return false;
        }
        let now = self.shared.now;
        let (own, peers) = (self.status(), self.shared.in_sight());
        let avoided = |id: ServerId| self.avoided.get(&id).is_some_and(|until| now < *until);
        let outcome = judge(&self.shared.quorum, self.shared.id, &own, &peers, avoided);
        if let Some(leader) = outcome.leader {
            self.role = Role::Following(Box::new(Following::join(&mut self.shared, leader)));
            self.elected();
            return true;
        }
        let Role::Looking(looking) = &mut self.role else { unreachable!("checked above") };
        looking.vote = outcome.vote;
        looking.elected = outcome.elected.map(|elected| match looking.elected {
            Some((id, since)) if id == elected.id => (id, since),
            _ => (elected.id, now),
        });
        let Some(elected) = outcome.elected.filter(|elected| elected.id == self.shared.id) else { return false };
        let since = looking.elected.map_or(now, |(_, since)| since);
        if elected.unanimous || now.since(since) >= self.shared.timing.finalize {
            let electorate = Electorate::of(&self.shared.quorum, self.shared.id, own.standing, &peers);
            self.role = Role::Leading(Box::new(Leading::begin(&self.shared, electorate)));
            self.elected();
            return true;
        }
        false
    }

    /// This server's status.
    fn status(&self) -> Status {
        let in_sight = self.shared.in_sight();
        let busy = self.leaving || self.shared.installing.is_some();
        let fit = !busy && self.shared.now >= self.unfit_until;
        Status {
            role: match &self.role {
                Role::Looking(looking) => RoleStatus::Looking { vote: looking.vote },
                Role::Following(following) => RoleStatus::Following { leader: following.leader },
                Role::Leading(_) => RoleStatus::Leading,
            },
            current: self.shared.epochs.current,
            last: self.shared.history.last(),
            standing: self.shared.standing(),
            reaches: if fit { self.shared.reaches(&in_sight) } else { [].into() },
        }
    }

    /// Tells every peer what it does not know yet. How far the history has got matters only while a leader is looked for.
    fn tell_status(&mut self) {
        let mut status = self.status();
        let looking = matches!(self.role, Role::Looking(_));
        let ids: Vec<ServerId> = self.shared.peers.keys().copied().collect();
        for id in ids {
            let peer = self.shared.peers.get_mut(&id).expect("a key of the table");
            let known = peer.told.as_ref().is_some_and(|told| {
                if !looking {
                    status.last = told.last;
                }
                *told == status
            });
            if !known {
                peer.told = Some(status.clone());
                self.shared.send(id, Message::Status(status.clone()));
            }
            status.last = self.shared.history.last();
        }
    }

    fn elected(&mut self) {
        if let Some(change) = &mut self.change {
            change.elected(self.shared.now);
        }
    }

    fn look(&mut self, ended: Ended) {
        self.role = Role::Looking(Looking::default());
        if let Some(change) = &mut self.change {
            change.looks(self.shared.now);
        }
        if self.shared.installing.is_some() {
            self.shared.out.push(Output::AbortInstall);
        }
        self.shared.out.push(Output::Ended(ended));
        self.shared.out.push(Output::Role(RoleChange::Looking));
    }

    /// Leaves the leader. One that does not answer, or says what it should not, is not tried again at once.
    fn leave(&mut self, why: Leave) {
        let Role::Following(following) = &self.role else { return };
        let leader = following.leader;
        if !matches!(why, Leave::LinkLost | Leave::LeadsNoMore) {
            self.avoided.insert(leader, self.shared.now.plus(AVOIDED));
        }
        self.look(Ended::Following { leader, why });
    }

    fn abdicate(&mut self, why: Abdication) {
        if matches!(why, Abdication::NotSupported | Abdication::DiskStalled) {
            self.unfit_until = self.shared.now.plus(AVOIDED);
        }
        self.look(Ended::Leading(why));
    }

    /// Gives up leading, so that others elect another leader at once, and is no candidate any more.
    pub fn leave_office(&mut self) {
        if self.shared.is_alone() {
            return;
        }
        self.leaving = true;
        if matches!(self.role, Role::Leading(_)) {
            self.abdicate(Abdication::Asked);
        }
    }

    /// The zxid that the next proposal will have; `None` unless this server is an established leader whose epoch has one.
    #[must_use]
    pub fn next_zxid(&self) -> Option<Zxid> {
        self.broadcast().and_then(Broadcast::next_zxid)
    }

    /// The established leader's pipeline.
    #[must_use]
    pub fn broadcast(&self) -> Option<&Broadcast> {
        if let Role::Leading(leading) = &self.role { leading.broadcast() } else { None }
    }

    /// `zxid`, which [`Zab::next_zxid`] gave, will be in the next batch.
    ///
    /// # Panics
    /// If it was not the next one.
    pub fn proposed_next(&mut self, zxid: Zxid) {
        let Role::Leading(leading) = &mut self.role else { panic!("only a leader proposes") };
        leading.broadcast_mut().expect("an established leader proposes").proposed_next(zxid);
    }

    /// Proposes transactions, numbered by [`Zab::proposed_next`].
    ///
    /// # Panics
    /// If this server does not lead, or they leave a gap.
    pub fn propose(&mut self, batch: Arc<FrameBatch>) {
        let established = matches!(&self.role, Role::Leading(leading) if leading.established().is_some());
        assert!(established, "only an established leader proposes");
        self.shared.append(batch);
    }

    /// Begins a new epoch because the one that is has no zxid left; everything in it must have been committed.
    pub fn renew_epoch(&mut self) {
        self.abdicate(Abdication::Exhausted);
    }

    /// Has a quorum confirm that this server still leads; [`Output::Confirmed`] with this round, or a later one, tells when
    /// it has. `None` if nobody else needs to be asked.
    ///
    /// # Panics
    /// If this server does not lead.
    pub fn confirm(&mut self) -> Option<u64> {
        let own = self.shared.id;
        let Role::Leading(leading) = &mut self.role else { panic!("only a leader can be confirmed") };
        if self.shared.quorum.is_reached_by(|id| id == own) { None } else { Some(leading.confirm()) }
    }

    /// Sends something to the replica of an up-to-date learner, or of the leader that this server is up to date with.
    /// False if `to` is none.
    pub fn send_payload(&mut self, to: ServerId, bytes: Arc<[u8]>) -> bool {
        let epoch = match &self.role {
            Role::Following(following) if following.leader == to => following.active_epoch(),
            Role::Leading(leading) if leading.active().any(|id| id == to) => leading.established(),
            _ => None,
        };
        let Some(epoch) = epoch else { return false };
        self.shared.send(to, Message::Payload { epoch, bytes });
        true
    }

    /// What the log had that [`Output::ReadLog`] asked for.
    pub fn log_read(&mut self, read: &LogRead, outcome: LogOutcome) {
        if let Role::Leading(leading) = &mut self.role {
            leading.log_read(&mut self.shared, read, outcome);
        }
    }

    /// This state, of what is committed, is what `learner` will be sent. False if it does not wait for one.
    pub fn snapshot_begins(&mut self, learner: ServerId, head: StateHead) -> bool {
        let Role::Leading(leading) = &mut self.role else { return false };
        leading.snapshot_begins(&mut self.shared, learner, head)
    }

    /// Bytes of the state that may be sent to `learner` now; `None` if it takes none any more.
    #[must_use]
    pub fn snapshot_room(&self, learner: ServerId) -> Option<u64> {
        if let Role::Leading(leading) = &self.role { leading.snapshot_room(learner) } else { None }
    }

    /// The next piece of the state.
    pub fn snapshot_chunk(&mut self, learner: ServerId, bytes: Arc<[u8]>, last: bool) {
        if let Role::Leading(leading) = &mut self.role {
            leading.snapshot_chunk(&mut self.shared, learner, bytes, last);
        }
    }

    /// What is to be done, in order; empties it.
    pub fn take_output(&mut self, into: &mut Vec<Output>) {
        into.append(&mut self.shared.out);
    }

    /// The newest transaction known to be committed.
    #[must_use]
    pub fn committed(&self) -> Zxid {
        self.shared.committed
    }

    /// The last transaction of the history.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.shared.history.last()
    }

    /// When the last change of leaders had got how far; `None` before the first turn.
    #[must_use]
    pub fn leader_change(&self) -> Option<LeaderChange> {
        self.change
    }

    /// The durable epochs.
    #[must_use]
    pub fn epochs(&self) -> Epochs {
        self.shared.epochs
    }

    /// Whether there is nobody whom this server could follow, or who would follow it.
    #[must_use]
    pub fn is_looking(&self) -> bool {
        matches!(self.role, Role::Looking(_))
    }

    /// The part that matters to those who use agreement.
    #[must_use]
    pub fn role(&self) -> RoleChange {
        match &self.role {
            Role::Leading(leading) if leading.established().is_some() => {
                RoleChange::Leading { epoch: leading.established().expect("just seen") }
            }
            Role::Following(following) if following.is_active() => RoleChange::Following {
                leader: following.leader,
                epoch: following.active_epoch().expect("an active follower knows the epoch"),
            },
            _ => RoleChange::Looking,
        }
    }
}

#[cfg(test)]
mod tests;
