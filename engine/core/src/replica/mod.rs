//! The replica: owner of all that is ordered. One [`Replica::step`] per turn: requests are judged and proposed, what
//! the log has made durable is acknowledged, what a quorum has acknowledged is applied and answered.
//!
//! Pure: the driver carries the effects out, and tells what came of them in a later step.

mod admission;
mod config;
mod delivery;
mod housekeeping;

pub use config::ReplicaConfig;

use crate::exchange::{Audience, Inbox};
use crate::frame::{FrameBatch, FrameBuf};
use crate::ids::{ConnId, Epoch, Instant, SessionId, WallMs, Zxid};
use crate::prepare::Overlay;
use crate::session::{SessionIds, SessionTable};
use crate::tree::{Applied, Tree};
use crate::zab::{Broadcast, Epochs, Quorum};
use delivery::Outstanding;
use std::collections::VecDeque;
use std::sync::Arc;

/// What the driver tells the replica.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The epochs asked for by [`Effect::SaveEpochs`] are durable.
    EpochsSaved,
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
    /// The snapshot asked for by [`Effect::TakeSnapshot`] is durable, or was given up.
    SnapshotEnded {
        /// Whether it is durable.
        done: bool,
    },
    /// Time has passed: look for sessions that have expired, nodes that have outlived themselves.
    Tick,
}

/// What the driver must do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Make the epochs durable, then say [`Input::EpochsSaved`].
    SaveEpochs(Epochs),
    /// Append the frames to the log, then say [`Input::LogDurable`].
    Append(Arc<FrameBatch>),
    /// Begin a snapshot of the tree as it is now, then say [`Input::SnapshotEnded`].
    TakeSnapshot,
    /// An invariant is broken, by a bug or a disk that lies: stop the process at once, acknowledge nothing more.
    Halt(String),
}

/// What stands between a start and serving.
#[derive(Debug)]
enum Role {
    /// An epoch of its own is being made durable.
    Establishing(Epochs),
    /// Leader of an established epoch.
    Leading(Broadcast),
}

/// Numbers for operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplicaStatus {
    /// Whether requests are being processed.
    pub serving: bool,
    /// The established epoch, or the last one known.
    pub epoch: Epoch,
    /// The last applied transaction.
    pub last_zxid: Zxid,
    /// The last proposed transaction.
    pub proposed: Zxid,
    /// Requests that wait for the log or for others before them.
    pub outstanding: usize,
    /// Sessions, the closing ones included.
    pub sessions: usize,
    /// Whether the log takes writes.
    pub log_room: bool,
}

/// All that is ordered, except the tree itself, which the driver lends for each step.
#[derive(Debug)]
pub struct Replica {
    config: ReplicaConfig,
    quorum: Quorum,
    role: Role,
    epochs: Epochs,
    sessions: SessionTable,
    session_ids: Option<SessionIds>,
    overlay: Overlay,
    /// Frames proposed in this turn.
    batch: FrameBuf,
    batch_prev: Zxid,
    /// Proposed and not yet applied, with how far the first has been applied.
    unapplied: VecDeque<Arc<FrameBatch>>,
    unapplied_at: usize,
    outstanding: VecDeque<Outstanding>,
    log_generation: u32,
    log_room: bool,
    snapshotting: bool,
    applied_since_snapshot: u64,
    bytes_since_snapshot: u64,
    next_reap: Instant,
    reap: VecDeque<String>,
    applied: Applied,
    halted: bool,
}

impl Replica {
    /// A replica whose history is in `tree` (snapshot and log replayed) and whose promises are `epochs`. `replayed` is
    /// how many transactions were read from the log behind the snapshot.
    ///
    /// # Panics
    /// If `epochs` contradicts itself: it is read from a checksummed record.
    #[must_use]
    pub fn new(config: ReplicaConfig, epochs: Epochs, tree: &Tree, replayed: u64) -> Replica {
        assert!(epochs.current <= epochs.accepted, "the current epoch has been accepted: {epochs:?}");
        let quorum = Quorum::majority([config.id]);
        let newest = epochs.accepted.max(tree.last_zxid().epoch());
        Replica {
            sessions: SessionTable::new(config.tick),
            role: Role::Establishing(Epochs { accepted: newest, current: newest, ..epochs }),
            quorum,
            epochs,
            session_ids: None,
            overlay: Overlay::default(),
            batch: FrameBuf::new(),
            batch_prev: tree.last_zxid(),
            unapplied: VecDeque::new(),
            unapplied_at: 0,
            outstanding: VecDeque::new(),
            log_generation: 0,
            log_room: true,
            snapshotting: false,
            applied_since_snapshot: replayed,
            bytes_since_snapshot: 0,
            next_reap: Instant::default(),
            reap: VecDeque::new(),
            applied: Applied::default(),
            halted: false,
            config,
        }
    }

    /// Asks for an epoch of its own: the first effect of a new replica.
    pub fn start(&mut self, effects: &mut Vec<Effect>) {
        let Role::Establishing(epochs) = &mut self.role else { return };
        let Some(next) = epochs.accepted.0.checked_add(1) else {
            self.halt("the last epoch there can be (2^32 - 1) has been used".into(), effects);
            return;
        };
        *epochs = Epochs { accepted: Epoch(next), current: Epoch(next), ..*epochs };
        effects.push(Effect::SaveEpochs(*epochs));
    }

    /// One turn. All of `inputs` is taken; of `inbox` what can be decided now.
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
        let mut ticked = false;
        for input in inputs.drain(..) {
            match input {
                Input::EpochsSaved => self.established(now, wall, tree),
                Input::LogDurable { through, generation } => {
                    self.durable(now, through, generation, tree, audience, effects)
                }
                Input::LogRoom(room) => self.log_room = room,
                Input::SnapshotEnded { done } => self.snapshot_ended(done),
                Input::Tick => ticked = true,
            }
        }
        if self.halted {
            return;
        }
        self.admit(now, wall, tree, inbox, audience);
        if ticked {
            self.tick(now, wall, tree);
        }
        self.release(now, tree, audience, effects);
        self.seal(effects);
        self.roll_epoch_if_exhausted(effects);
        self.ask_for_snapshot(effects);
    }

    /// The epoch is durable: sessions start with fresh timeouts, requests are taken.
    fn established(&mut self, now: Instant, wall: WallMs, tree: &Tree) {
        let Role::Establishing(epochs) = self.role else { return };
        assert!(self.outstanding.is_empty(), "a new epoch starts with nothing outstanding");
        self.epochs = epochs;
        self.batch_prev = tree.last_zxid();
        let broadcast = Broadcast::new(self.quorum.clone(), epochs.current, tree.last_zxid(), self.config.last_counter);
        self.role = Role::Leading(broadcast);
        if self.session_ids.is_none() {
            self.session_ids = Some(SessionIds::new(self.config.id, wall));
            for (id, session) in tree.sessions() {
                self.sessions.track(now, id, config::millis(session.timeout_ms), None);
            }
            self.next_reap = now.plus(self.config.reap_interval);
        }
    }

    /// What this turn has proposed goes to the log as one batch.
    fn seal(&mut self, effects: &mut Vec<Effect>) {
        if self.batch.is_empty() {
            return;
        }
        let batch = Arc::new(FrameBatch::new(core::mem::take(&mut self.batch)));
        assert_eq!(batch.prev(), self.batch_prev, "batches form a chain");
        self.batch_prev = batch.last();
        self.unapplied.push_back(Arc::clone(&batch));
        effects.push(Effect::Append(batch));
    }

    /// The epoch's counter is used up: when all of it is applied, the next epoch begins. Requests wait meanwhile.
    fn roll_epoch_if_exhausted(&mut self, effects: &mut Vec<Effect>) {
        let Role::Leading(broadcast) = &self.role else { return };
        if broadcast.next_zxid().is_none() && self.outstanding.is_empty() {
            self.role = Role::Establishing(self.epochs);
            self.start(effects);
        }
    }

    fn halt(&mut self, reason: String, effects: &mut Vec<Effect>) {
        self.halted = true;
        effects.push(Effect::Halt(reason));
    }

    /// Numbers for operators.
    #[must_use]
    pub fn status(&self, tree: &Tree) -> ReplicaStatus {
        let (serving, epoch, proposed) = match &self.role {
            Role::Leading(broadcast) => (true, broadcast.epoch(), broadcast.proposed()),
            Role::Establishing(_) => (false, self.epochs.current, tree.last_zxid()),
        };
        ReplicaStatus {
            serving,
            epoch,
            last_zxid: tree.last_zxid(),
            proposed,
            outstanding: self.outstanding.len(),
            sessions: self.sessions.len(),
            log_room: self.log_room,
        }
    }

    /// Whether anything is proposed and not yet applied.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Sessions by the time at which they would expire, for the `dump` command.
    pub fn session_buckets(&self) -> impl Iterator<Item = (Instant, Vec<SessionId>)> + '_ {
        self.sessions.buckets()
    }

    /// The connection that speaks for a session.
    #[must_use]
    pub fn session_owner(&self, session: SessionId) -> Option<ConnId> {
        self.sessions.owner(session)
    }
}
