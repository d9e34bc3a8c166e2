//! The replica: owner of all that is ordered. One [`Replica::step`] per turn: what clients ask is tagged and handed to
//! whoever leads; the leader judges and proposes; what a quorum has made durable is applied and answered.
//!
//! Pure: the driver carries the effects out, and tells what came of them in a later step.

mod admission;
mod applicants;
mod barrier;
mod config;
mod delivery;
mod housekeeping;
mod leadership;
mod letter;
mod measures;
mod read_only;
mod submitted;

pub use config::ReplicaConfig;
pub use measures::ReplicaMeasures;

use crate::exchange::{Audience, Inbox};
use crate::frame::FrameBatch;
use crate::ids::{ConnId, Epoch, Instant, ServerId, SessionId, Tag, WallMs, Zxid};
use crate::session::SessionIds;
use crate::tree::{Applied, Tree};
use crate::zab::{
    Ended, Epochs, LeaderChange, LogOutcome, LogRead, Message, Output, RoleChange, StateHead, Synchronised, Zab,
    ZabConfig,
};
use leadership::Leadership;
use letter::Letter;
use read_only::ReadOnly;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use submitted::Submitted;

/// What the driver tells the replica.
#[derive(Clone, Debug)]
pub enum Input {
    /// These epochs, asked for by [`Effect::SaveEpochs`], are durable, and with them whatever was to be saved before.
    EpochsSaved(Epochs),
    /// Everything appended through this zxid is durable. `generation` is the log's: a completion of an earlier one (of
    /// a tail that has been cut since) is ignored.
    LogDurable {
        /// The last durable zxid.
        through: Zxid,
        /// Which history of the log is meant.
        generation: u32,
    },
    /// Whether the log can take more. While it cannot (disk full), writes are refused and reads go on.
    LogRoom(bool),
    /// Whether memory is short. While it is, writes that make the tree larger are refused by the leader.
    MemoryShort(bool),
    /// The snapshot asked for by [`Effect::TakeSnapshot`] is durable, or was given up.
    SnapshotEnded {
        /// Whether it is durable.
        done: bool,
    },
    /// There is a link to this server.
    LinkUp(ServerId),
    /// The link to this server is gone.
    LinkDown(ServerId),
    /// A message has come over the link to a server.
    Message(ServerId, Message),
    /// The state received from the leader is durable, and is the tree that is lent from this step on. The log has been
    /// restarted: its generation has risen.
    Installed,
    /// There will be no such state.
    InstallFailed,
    /// What the log had that [`Effect::ReadLog`] asked for.
    LogRead(LogRead, LogOutcome),
    /// This server is about to stop: if it leads, somebody else should.
    Leave,
    /// Time has passed: look for sessions that have expired, nodes that have outlived themselves, servers that are
    /// silent.
    Tick,
}

/// What the driver must do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Make the epochs durable, then say [`Input::EpochsSaved`]. What has not been begun when newer ones
    /// come may be passed over.
    SaveEpochs(Epochs),
    /// Append the frames to the log, then say [`Input::LogDurable`].
    Append(Arc<FrameBatch>),
    /// Cut the log back: nothing behind this transaction is part of the history. When that is durable, say
    /// [`Input::LogDurable`] with the next generation, also if nothing follows.
    Truncate(Zxid),
    /// Send a message over the link to a server.
    Send(ServerId, Message),
    /// End the link to a server; it may come up again.
    Unlink(ServerId),
    /// A learner needs the whole state: when it can be walked, say [`Replica::state_begins`] and send it in pieces.
    SendState(ServerId),
    /// A learner needs transactions that are only in the log: read them, beside everything else, and say
    /// [`Input::LogRead`].
    ReadLog(LogRead),
    /// The leader sends the whole state: keep it beside the present one, and make it durable. Then put it in the place of
    /// the present one, and say [`Input::Installed`]; if that cannot be, [`Input::InstallFailed`].
    BeginInstall(StateHead),
    /// A piece of it.
    InstallChunk {
        /// The bytes, in order.
        bytes: Arc<[u8]>,
        /// Nothing follows.
        last: bool,
    },
    /// The rest of it will not come. Say [`Input::InstallFailed`] when it is given up, or [`Input::Installed`] if it was
    /// too late for that.
    AbortInstall,
    /// Begin a snapshot of the tree as it is now, then say [`Input::SnapshotEnded`].
    TakeSnapshot,
    /// Tell the operator that a learner of this server's is up to date.
    Synchronised(Synchronised),
    /// Tell the operator why this server leads, or follows, no more.
    Ended(Ended),
    /// An invariant is broken, by a bug or a disk that lies: stop the process at once, acknowledge nothing more.
    Halt(String),
}

/// Numbers for operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplicaStatus {
    /// Whether requests are being processed.
    pub serving: bool,
    /// Whether clients that only read are served, since there is no leader.
    pub read_only: bool,
    /// This server's part.
    pub role: RoleChange,
    /// The established epoch, or the last one known.
    pub epoch: Epoch,
    /// The last applied transaction.
    pub last_zxid: Zxid,
    /// The last proposed transaction, as far as is known here.
    pub proposed: Zxid,
    /// Requests that wait for the log or for others before them.
    pub outstanding: usize,
    /// Sessions, the closing ones included.
    pub sessions: usize,
    /// Sessions that only this server knows.
    pub local_sessions: usize,
    /// Whether the log takes writes.
    pub log_room: bool,
}

/// Bytes from which on a batch is proposed although the turn goes on.
const BATCH_BYTES: usize = 1 << 20;

/// What one step is told beside what came in.
#[derive(Clone, Copy, Debug)]
struct Context {
    now: Instant,
    wall: WallMs,
    ticked: bool,
    log_room: bool,
}

/// A connection of this server that speaks for a session, and the request by which it came to.
#[derive(Clone, Copy, Debug)]
struct Attached {
    conn: ConnId,
    #[allow(dead_code, reason = "shown in debugging output")]
    tag: Tag,
}

/// All that is ordered, except the tree itself, which the driver lends for each step.
#[derive(Debug)]
pub struct Replica {
    config: ReplicaConfig,
    zab: Zab,
    /// What this server's clients wait for.
    submitted: Submitted,
    session_ids: Option<SessionIds>,
    attached: BTreeMap<SessionId, Attached>,
    /// Sessions that were heard from since the leader was told.
    touched: BTreeSet<SessionId>,
    /// There while this server leads.
    leadership: Option<Leadership>,
    /// Letters of other servers that wait for a zxid.
    letters: VecDeque<(ServerId, Letter)>,
    /// Appended and not yet applied, with how far the first has been applied.
    unapplied: VecDeque<Arc<FrameBatch>>,
    unapplied_at: usize,
    log_generation: u32,
    log_room: bool,
    snapshotting: bool,
    applied_since_snapshot: u64,
    bytes_since_snapshot: u64,
    without_leader_since: Option<Instant>,
    /// There while this server serves clients that only read, without a leader.
    read_only: Option<ReadOnly>,
    /// The last leader is none any more, and there is no other yet.
    reign_over: bool,
    applied: Applied,
    output: Vec<Output>,
    halted: bool,
    measures: ReplicaMeasures,
}

impl Replica {
    /// A replica whose history is in `tree` (snapshot and log replayed as far as known to be committed), goes on with
    /// `tail` (what the log has behind that), and whose promises are `epochs`. `replayed` is how many transactions were
    /// read from the log behind the snapshot.
    ///
    /// # Panics
    /// If `epochs` contradicts itself: it is read from a checksummed record.
    #[must_use]
    pub fn new(
        config: ReplicaConfig,
        epochs: Epochs,
        tree: &Tree,
        tail: Vec<Arc<FrameBatch>>,
        replayed: u64,
    ) -> Replica {
        let agreement = ZabConfig {
            id: config.id,
            quorum: config.quorum.clone(),
            timing: config.timing,
            last_counter: config.last_counter,
            history_bytes: config.history_bytes,
            ensemble_seed: config.seed | 1,
            bootstrap: config.bootstrap,
            defects: config.defects,
        };
        Replica {
            zab: Zab::new(agreement, epochs, tree.last_zxid(), &tail),
            submitted: Submitted::new(Tag::first(config.id, config.seed.rotate_left(17))),
            session_ids: None,
            attached: BTreeMap::new(),
            touched: BTreeSet::new(),
            leadership: None,
            letters: VecDeque::new(),
            unapplied: tail.into(),
            unapplied_at: 0,
            log_generation: 0,
            log_room: true,
            snapshotting: false,
            applied_since_snapshot: replayed,
            bytes_since_snapshot: 0,
            without_leader_since: None,
            read_only: None,
            reign_over: true,
            applied: Applied::default(),
            output: Vec::new(),
            halted: false,
            measures: ReplicaMeasures::default(),
            config,
        }
    }

    /// One turn. All of `inputs` is taken, and all of `inbox`.
    #[allow(clippy::too_many_arguments, reason = "the driver lends what it owns; a struct would only rename that")]
    pub fn step(
        &mut self,
        now: Instant,
        wall: WallMs,
        tree: &mut Tree,
        inbox: &mut Inbox,
        inputs: &mut Vec<Input>,
        audience: &mut impl Audience,
        effects: &mut Vec<Effect>,
    ) {
        if self.halted {
            return;
        }
        let mut cx = Context { now, wall, ticked: false, log_room: self.log_room };
        self.zab.at(now);
        for input in inputs.drain(..) {
            cx.ticked |= matches!(input, Input::Tick);
            if matches!(input, Input::Installed) {
                self.forget_clients(tree, audience);
                self.end_read_only(tree, audience);
            }
            self.input(input);
        }
        cx.log_room = self.log_room;
        self.take_asks(&cx, tree, inbox, audience);
        self.agree(&cx, tree, audience, effects);
        self.pass_barrier(&cx, tree);
        self.judge_letters(&cx, tree);
        self.judge_own(&cx, tree);
        self.pass_barrier(&cx, tree);
        if cx.ticked {
            self.tick(&cx, tree, audience);
        }
        self.seal();
        self.forward(&cx);
        self.send_verdicts();
        self.agree(&cx, tree, audience, effects);
        self.release(None, tree, audience);
        self.renew_epoch_if_exhausted(&cx, tree, audience, effects);
        self.ask_for_snapshot(&cx, effects);
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::EpochsSaved(epochs) => self.zab.epochs_saved(epochs),
            Input::LogDurable { through, generation } if generation == self.log_generation => {
                self.zab.log_durable(through);
            }
            Input::LogDurable { .. } => {}
            Input::LogRoom(room) => self.log_room = room,
            Input::MemoryShort(short) => self.config.prepare.memory_short = short,
            Input::SnapshotEnded { done } => self.snapshot_ended(done),
            Input::LinkUp(peer) => self.zab.link_up(peer),
            Input::LinkDown(peer) => self.zab.link_down(peer),
            Input::Message(from, message) => self.zab.message(from, message),
            Input::Installed => {
                self.unapplied.clear();
                self.unapplied_at = 0;
                self.log_generation += 1;
                self.zab.installed();
            }
            Input::InstallFailed => self.zab.install_failed(),
            Input::LogRead(read, outcome) => self.zab.log_read(&read, outcome),
            Input::Leave => self.zab.leave_office(),
            Input::Tick => self.zab.tick(),
        }
    }

    /// Lets agreement do what has become possible, and acts on it.
    fn agree(&mut self, cx: &Context, tree: &mut Tree, audience: &mut impl Audience, effects: &mut Vec<Effect>) {
        self.zab.settle();
        let mut output = core::mem::take(&mut self.output);
        self.zab.take_output(&mut output);
        for output in output.drain(..) {
            if let Err(reason) = self.act(cx, output, tree, audience, effects) {
                self.halted = true;
                effects.push(Effect::Halt(reason));
                return;
            }
        }
        self.output = output;
    }

    fn act(
        &mut self,
        cx: &Context,
        output: Output,
        tree: &mut Tree,
        audience: &mut impl Audience,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        match output {
            Output::Send { to, message } => effects.push(Effect::Send(to, message)),
            Output::Unlink(peer) => effects.push(Effect::Unlink(peer)),
            Output::SaveEpochs(epochs) => effects.push(Effect::SaveEpochs(epochs)),
            Output::Append(batch) => {
                self.unapplied.push_back(Arc::clone(&batch));
                effects.push(Effect::Append(batch));
            }
            Output::Truncate(to) => return self.truncate(to, tree, effects),
            Output::Committed(through) => return self.apply_through(cx, through, tree, audience),
            Output::Role(role) => self.role_changed(cx, role, tree, audience),
            Output::Payload { from, bytes } => self.letter(cx, from, &bytes),
            Output::Confirmed(round) => self.confirmed(round),
            Output::LearnerLost(peer) => self.forget_requests(peer),
            Output::LearnerUpToDate(synchronised) => effects.push(Effect::Synchronised(synchronised)),
            Output::ReadLog(read) => effects.push(Effect::ReadLog(read)),
            Output::Ended(ended) => effects.push(Effect::Ended(ended)),
            Output::SendSnapshot(learner) => effects.push(Effect::SendState(learner)),
            Output::BeginInstall(head) => effects.push(Effect::BeginInstall(head)),
            Output::InstallChunk { bytes, last } => effects.push(Effect::InstallChunk { bytes, last }),
            Output::AbortInstall => effects.push(Effect::AbortInstall),
            Output::Halt(reason) => return Err(reason),
        }
        Ok(())
    }

    /// What is behind `to` is not part of the history. It has not been applied, since it was not committed.
    fn truncate(&mut self, to: Zxid, tree: &Tree, effects: &mut Vec<Effect>) -> Result<(), String> {
        if to < tree.last_zxid() {
            return Err(format!("{to} is to be the last transaction, but {} is applied", tree.last_zxid()));
        }
        self.log_generation += 1;
        while self.unapplied.back().is_some_and(|batch| batch.prev() >= to) {
            self.unapplied.pop_back();
        }
        if let Some(last) = self.unapplied.back_mut()
            && last.last() > to
        {
            *last = last.through(to).expect("the batch begins before the cut");
        }
        effects.push(Effect::Truncate(to));
        Ok(())
    }

    fn role_changed(&mut self, cx: &Context, role: RoleChange, tree: &Tree, audience: &mut impl Audience) {
        self.letters.clear();
        self.leadership = match role {
            RoleChange::Leading { .. } => {
                assert!(self.unapplied.is_empty(), "a new leader has applied everything that it brings");
                Some(Leadership::new(cx, &self.config, tree))
            }
            RoleChange::Following { .. } | RoleChange::Looking => None,
        };
        if role == RoleChange::Looking {
            self.reign_over = true;
        } else {
            self.end_read_only(tree, audience);
            self.release(None, tree, audience);
            self.submitted.start_over();
            self.reign_over = false;
        }
    }

    /// A turn that proposes a great deal does it in several batches: one goes over a link as a whole.
    fn seal_if_large(&mut self) {
        if self.leadership.as_ref().is_some_and(|leadership| leadership.batch.len() >= BATCH_BYTES) {
            self.seal();
        }
    }

    /// What this turn has proposed is one batch.
    fn seal(&mut self) {
        let Some(leadership) = &mut self.leadership else { return };
        if !leadership.batch.is_empty() {
            let batch = core::mem::take(&mut leadership.batch);
            self.zab.propose(Arc::new(FrameBatch::new(batch)));
        }
    }

    /// The epoch's counter is used up: when all of it is applied, the next epoch begins. Requests wait meanwhile.
    fn renew_epoch_if_exhausted(
        &mut self,
        cx: &Context,
        tree: &mut Tree,
        audience: &mut impl Audience,
        effects: &mut Vec<Effect>,
    ) {
        if self.leadership.is_some() && self.zab.next_zxid().is_none() && self.unapplied.is_empty() {
            self.zab.renew_epoch();
            self.agree(cx, tree, audience, effects);
        }
    }

    /// This state, of the tree as it is now, is what `learner` will be sent. False if it does not wait for one.
    pub fn state_begins(&mut self, learner: ServerId, head: StateHead) -> bool {
        self.zab.snapshot_begins(learner, head)
    }

    /// Bytes of the state that may be sent to `learner` now; `None` if it takes none any more.
    #[must_use]
    pub fn state_room(&self, learner: ServerId) -> Option<u64> {
        self.zab.snapshot_room(learner)
    }

    /// The next piece of the state; it leaves with the next step.
    pub fn state_chunk(&mut self, learner: ServerId, bytes: Arc<[u8]>, last: bool) {
        self.zab.snapshot_chunk(learner, bytes, last);
    }

    /// Why there is no leader, for operators.
    #[must_use]
    pub fn outlook(&self) -> String {
        self.zab.outlook()
    }

    /// This server's part.
    #[must_use]
    pub fn role(&self) -> RoleChange {
        self.zab.role()
    }

    /// Whether this server serves clients that only read, since it has found no leader.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only.is_some()
    }

    /// The last change of leaders.
    #[must_use]
    pub fn leader_change(&self) -> Option<LeaderChange> {
        self.zab.leader_change()
    }

    /// Numbers for operators.
    #[must_use]
    pub fn status(&self, tree: &Tree) -> ReplicaStatus {
        let role = self.zab.role();
        ReplicaStatus {
            serving: role != RoleChange::Looking,
            read_only: self.is_read_only(),
            role,
            epoch: match role {
                RoleChange::Leading { epoch } | RoleChange::Following { epoch, .. } => epoch,
                RoleChange::Looking => self.zab.epochs().current,
            },
            last_zxid: tree.last_zxid(),
            proposed: self.zab.last(),
            outstanding: self.submitted.len(),
            sessions: tree.session_count(),
            local_sessions: self.read_only.as_ref().map_or(0, ReadOnly::sessions),
            log_room: self.log_room,
        }
    }

    /// Whether nothing that this server's clients wait for, and nothing that it has logged, is unfinished.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.submitted.is_empty() && self.unapplied.is_empty()
    }

    /// Sessions by the time at which they would expire, for the `dump` command; only the leader knows.
    pub fn session_buckets(&self) -> impl Iterator<Item = (Instant, Vec<SessionId>)> + '_ {
        self.leadership.iter().flat_map(|leadership| leadership.sessions.buckets())
    }
}
