//! What a turn does behind the frontends: the replica, its log, the snapshot.

use crate::catch_up::LogReads;
use crate::news::News;
use crate::snapshots::Progress;
use crate::stages::Timeline;
use crate::transfer::Transfers;
use crate::{Clock, PeerLinks, recovery};
use ringkeeper_core::exchange::{Audience, Inbox};
use ringkeeper_core::ids::{Instant, WallMs, Zxid};
use ringkeeper_core::measure::Histogram;
use ringkeeper_core::replica::{Effect, Input, Replica};
use ringkeeper_core::tree::Tree;
use ringkeeper_core::zab::RoleChange;
use ringkeeper_txnlog::snapshot::SnapshotHead;
use ringkeeper_txnlog::{Log, LogEvent};

/// The log has failed, or an invariant is broken: the process must end, at once.
#[derive(Debug)]
pub struct Halted(pub String);

/// The replica and what is on its way between it and the disk. The tree is lent.
pub struct Backend {
    /// All that is ordered.
    pub replica: Replica,
    /// What the frontends ask.
    pub inbox: Inbox,
    /// What the replica will be told in its next step.
    pub inputs: Vec<Input>,
    /// There until it is closed, after the last turn.
    pub(crate) log: Option<Log>,
    pub(crate) snapshot: Option<Progress>,
    /// Copy of the tree whose walk must be ended: its snapshot was given up.
    pub(crate) abandoned_walk: Option<usize>,
    pub(crate) news: News,
    pub(crate) timeline: Timeline,
    pub(crate) snapshot_times: Histogram,
    pub(crate) snapshot_failures: u64,
    /// Somebody has asked for a snapshot that is not begun yet.
    pub(crate) snapshot_wanted: bool,
    /// When the turn under way has begun.
    now: Instant,
    /// The links to the other servers, if there are any.
    pub(crate) peers: Option<Box<dyn PeerLinks>>,
    pub(crate) transfers: Transfers,
    pub(crate) reads: LogReads,
    /// A state to be received, while the log is not ready for it.
    pub(crate) pending_install: Option<SnapshotHead>,
    /// The state that was received is durable (or was given up), and not yet in its place.
    pub(crate) installed: Option<bool>,
    effects: Vec<Effect>,
    events: Vec<LogEvent>,
}

impl Backend {
    /// Over a replica that has not been started.
    #[must_use]
    pub fn new(replica: Replica, log: Log) -> Backend {
        let (inbox, inputs, effects, events) = (Inbox::new(), Vec::new(), Vec::new(), Vec::new());
        Backend {
            replica,
            inbox,
            inputs,
            log: Some(log),
            snapshot: None,
            abandoned_walk: None,
            news: News::default(),
            timeline: Timeline::default(),
            snapshot_times: Histogram::default(),
            snapshot_failures: 0,
            snapshot_wanted: false,
            now: Instant::default(),
            peers: None,
            transfers: Transfers::default(),
            reads: LogReads::default(),
            pending_install: None,
            installed: None,
            effects,
            events,
        }
    }

    pub(crate) fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("turns end before the log is closed")
    }

    /// Ready when the log has something to tell.
    pub fn log_ready(&mut self) -> impl Future<Output = ()> + use<> {
        self.log().ready()
    }

    /// When the log wants a turn even if nothing happens.
    pub fn log_deadline(&mut self) -> Option<Instant> {
        self.log().next_deadline().map(|(at, _)| at)
    }

    /// After the last turn: the log, to be closed.
    pub fn take_log(&mut self) -> Option<Log> {
        self.log.take()
    }

    /// Takes what the log has to tell, and has it start what is due.
    ///
    /// # Errors
    /// The log has failed.
    pub fn turn_log(&mut self, now: Instant) -> Result<(), Halted> {
        let mut events = std::mem::take(&mut self.events);
        self.log().turn(now, &mut events);
        for event in events.drain(..) {
            match &event {
                LogEvent::SnapshotDone { .. } | LogEvent::SnapshotFailed { .. } if self.is_installing() => {
                    self.installed = Some(matches!(event, LogEvent::SnapshotDone { .. }));
                    continue;
                }
                LogEvent::Durable { through, .. } => self.timeline.durable(now, *through),
                LogEvent::SnapshotDone { .. } => self.snapshot_ended(now, None),
                LogEvent::SnapshotFailed { reason, .. } => self.snapshot_ended(now, Some(reason)),
                LogEvent::Read { ticket, outcome } => {
                    self.log_was_read(*ticket, outcome.clone());
                    continue;
                }
                _ => {}
            }
            self.inputs.push(recovery::input(event).map_err(Halted)?);
        }
        self.events = events;
        Ok(())
    }

    /// The replica's step.
    pub fn step(&mut self, now: Instant, wall: WallMs, tree: &mut Tree, audience: &mut impl Audience) {
        self.now = now;
        self.replica.step(now, wall, tree, &mut self.inbox, &mut self.inputs, audience, &mut self.effects);
        if self.peers.is_some() {
            self.news.watch_role(now, tree.last_zxid(), &self.replica);
        }
    }

    /// Carries the step's effects out. `copy` tells which copy of the tree is lent.
    ///
    /// # Errors
    /// The replica has found an invariant broken, or the log cannot be cut back.
    pub fn act(&mut self, tree: &mut Tree, copy: usize, clock: &impl Clock) -> Result<(), Halted> {
        self.drop_abandoned_walk(tree, copy);
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Append(batch) => {
                    self.timeline.append(self.now, &batch);
                    self.log().append(batch);
                }
                Effect::SaveEpochs(epochs) => self.log().save_epochs(recovery::stored(epochs)),
                Effect::Truncate(to) => self.truncate(to)?,
                Effect::Send(to, message) => self.peers().send(to, &message),
                Effect::Unlink(peer) => self.peers().unlink(peer),
                Effect::SendState(to) => self.send_state(to),
                Effect::ReadLog(read) => self.read_log(read, tree),
                Effect::BeginInstall(head) => self.begin_install(head, tree, clock),
                Effect::InstallChunk { bytes, last } => self.install_chunk(bytes, last),
                Effect::AbortInstall => self.abort_install(),
                Effect::TakeSnapshot => self.begin_snapshot(tree, copy, clock),
                Effect::Synchronised(how) => self.news.synchronised(&how),
                Effect::Ended(ended) => self.news.ended(ended),
                Effect::Halt(reason) => return Err(Halted(reason)),
            }
        }
        self.effects = effects;
        self.note_stages(tree.last_zxid(), clock);
        if self.snapshot_wanted {
            self.begin_wanted_snapshot(tree, copy, clock);
        }
        self.continue_receiving();
        // What the tree shows is committed; what the log writes from now on says so.
        self.log().committed(tree.last_zxid());
        if let Some(peers) = &self.peers {
            peers.flush();
        }
        Ok(())
    }

    /// The replica talks to these from now on.
    pub fn link(&mut self, peers: Box<dyn PeerLinks>) {
        self.peers = Some(peers);
    }

    /// Takes what the links have brought.
    pub fn take_arrivals(&mut self) {
        if let Some(peers) = &self.peers {
            peers.deliver(&mut self.inputs);
        }
    }

    fn peers(&self) -> &dyn PeerLinks {
        self.peers.as_deref().expect("only a server that was given links has peers")
    }

    /// Turns that propose or apply something read the clock once more here.
    fn note_stages(&mut self, applied: Zxid, clock: &impl Clock) {
        if self.timeline.is_due(applied) {
            let leads = matches!(self.replica.role(), RoleChange::Leading { .. });
            self.timeline.end_step(self.now, clock.now(), applied, leads);
        }
    }

    /// The replies of the turn are given away.
    pub fn replied(&mut self, clock: &impl Clock) {
        if self.timeline.owes_replies() {
            self.timeline.replied(clock.now());
        }
    }

    /// Cuts the log back to what the leader has.
    fn truncate(&mut self, to: Zxid) -> Result<(), Halted> {
        self.timeline.cut_back(to);
        tracing::warn!(%to, "cutting back the log: what is behind was never committed");
        self.log().cut_back(to).map_err(|error| Halted(format!("cannot cut the log back to {to}: {error}")))
    }

    /// Whether another turn should follow at once.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.inputs.is_empty()
    }
}
