//! One learner's place in the leader's history: how the two were joined, and where what it lacks is taken from.
//!
//! Recent transactions are in memory, older ones in the log on disk, and what the log has given up is only in the whole
//! state. A learner moves between the first two as it falls behind or comes closer; its window bounds what is on its way
//! to it, so that neither the links nor a slow learner hold more than that.

use super::{Message, Output, Shared, StateHead, SyncStart};
use crate::frame::FrameBatch;
use crate::ids::{Epoch, Instant, ServerId, Zxid};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of proposals that are on their way to one learner at most, but for the last batch.
const WINDOW: u64 = 8 << 20;
/// Bytes of a snapshot that are on their way to one learner at most.
const SNAPSHOT_WINDOW: u64 = 2 << 20;
/// Bytes that are read from the log at a time.
const READ_BYTES: usize = 1 << 20;

/// A part of the log that is to be read for a learner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogRead {
    /// For whom.
    pub learner: ServerId,
    /// What follows this transaction; the log need not have it.
    pub after: Zxid,
    /// About so much.
    pub bytes: usize,
    /// The learner has got nothing yet: if the whole state would be cheaper, it can be sent instead.
    pub first: bool,
    /// Tells this read from others.
    pub number: u64,
}

/// What the log had.
#[derive(Clone, Debug)]
pub enum LogOutcome {
    /// The transactions directly after it, all durable.
    Frames(Arc<FrameBatch>),
    /// It is none of ours: the newest of ours before it is this one.
    Diverged(Zxid),
    /// It does not reach back that far.
    Gone,
    /// What follows is damaged.
    Damaged,
    /// There is so much of it that the whole state is cheaper.
    Dear,
}

/// How a learner was brought up to date, for the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Synchronised {
    /// Who.
    pub learner: ServerId,
    /// How its history was joined with the leader's.
    pub start: SyncStart,
    /// What it lacked was read from the log, not only from memory.
    pub from_log: bool,
    /// The last transaction that it had.
    pub from: Zxid,
    /// The last transaction that it was sent.
    pub to: Zxid,
    /// How long that took.
    pub took: Duration,
}

/// A learner that is being brought up, or has been.
#[derive(Debug)]
pub(super) struct Sync {
    /// How its history was joined with ours; `None` as long as that is being found out.
    start: Option<SyncStart>,
    source: Source,
    /// Sent through this transaction; before the histories are joined, the last one that the learner has.
    sent: Zxid,
    flight: Flight,
    told_committed: Zxid,
    /// Told to be committed as soon as the learner has it.
    told_with_yours: Zxid,
    /// NEWLEADER is sent behind this one.
    through: Zxid,
    new_leader_sent: bool,
    new_leader_acked: bool,
    up_to_date: bool,
    /// For the report.
    from: Zxid,
    since: Instant,
    from_log: bool,
}

/// Where the next transactions for a learner are.
#[derive(Debug)]
enum Source {
    Memory,
    /// With the number of the read that is under way.
    Log(Option<u64>),
    /// It gets the state as a whole first.
    State(Snapshot),
}

/// A state that is being sent as a whole.
#[derive(Debug, Default)]
struct Snapshot {
    sent: u64,
    taken: u64,
}

/// What was sent and is not acknowledged.
#[derive(Debug, Default)]
struct Flight {
    batches: VecDeque<(Zxid, u64)>,
    bytes: u64,
}

impl Flight {
    fn sent(&mut self, batch: &FrameBatch) {
        let bytes = batch.as_bytes().len() as u64;
        self.batches.push_back((batch.last(), bytes));
        self.bytes += bytes;
    }

    fn arrived(&mut self, through: Zxid) {
        while let Some((_, bytes)) = self.batches.pop_front_if(|(last, _)| *last <= through) {
            self.bytes -= bytes;
        }
    }

    fn has_room(&self) -> bool {
        self.bytes < WINDOW
    }
}

/// The leader, as far as its messages need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reign {
    pub(super) epoch: Epoch,
    pub(super) ensemble: u64,
    /// What an established leader knows to be committed; before, nothing.
    pub(super) committed: Zxid,
}

impl Sync {
    /// Of a learner whose history ends with `last`. It gets NEWLEADER when it has everything through `through`.
    pub(super) fn new(now: Instant, last: Zxid, through: Zxid) -> Sync {
        Sync {
            start: None,
            source: Source::Memory,
            sent: last,
            flight: Flight::default(),
            told_committed: Zxid::ZERO,
            told_with_yours: Zxid::ZERO,
            through,
            new_leader_sent: false,
            new_leader_acked: false,
            up_to_date: false,
            from: last,
            since: now,
            from_log: false,
        }
    }

    /// The learner's history, cut back if need be, is ours through `sent`; what is missing follows.
    pub(super) fn begin(&mut self, shared: &mut Shared, to: ServerId, reign: Reign, start: SyncStart, sent: Zxid) {
        assert!(self.start.is_none(), "a learner's history is joined with ours once");
        (self.start, self.sent) = (Some(start), sent);
        let Reign { epoch, ensemble, .. } = reign;
        shared.send(to, Message::Sync { epoch, ensemble, start });
    }

    /// The recent history does not tell how the learner's is joined with it: the log may.
    pub(super) fn search_log(&mut self) {
        self.source = Source::Log(None);
    }

    /// Nothing that is kept continues the learner's history.
    pub(super) fn send_state(&mut self, shared: &mut Shared, to: ServerId) {
        self.source = Source::State(Snapshot::default());
        shared.out.push(Output::SendSnapshot(to));
    }

    /// Sends what the learner has not got yet, as far as its window allows, or has it read.
    pub(super) fn feed(&mut self, shared: &mut Shared, to: ServerId, reign: Reign) {
        let joined = self.start.is_some();
        let recent = self.sent >= shared.history.base();
        match self.source {
            // It has fallen behind what is kept in memory.
            Source::Memory if !recent => self.source = Source::Log(None),
            Source::Log(None) if joined && recent => self.source = Source::Memory,
            _ => {}
        }
        match self.source {
            Source::Memory => self.propose_recent(shared, to, reign),
            Source::Log(None) => self.read_log(shared, to),
            Source::Log(Some(_)) | Source::State(_) => {}
        }
        let state_comes = matches!(self.source, Source::State(_));
        if joined && !state_comes && !self.new_leader_sent && self.sent >= self.through {
            self.new_leader_sent = true;
            shared.send(to, Message::NewLeader { epoch: reign.epoch, through: self.through });
        }
    }

    /// Tells the learner what is committed, with what it has itself counted in. That is said once; what it does not have
    /// itself though others do, it is reminded of when time has passed: its own disk is slow.
    pub(super) fn tell_committed(
        &mut self,
        shared: &mut Shared,
        to: ServerId,
        reign: Reign,
        with_yours: Zxid,
        late: bool,
    ) {
        let Reign { epoch, committed: through, .. } = reign;
        let news = self.told_with_yours < with_yours || (late && self.told_committed < through);
        if self.up_to_date && news {
            (self.told_committed, self.told_with_yours) = (through, with_yours);
            shared.send(to, Message::Commit { epoch, through, with_yours });
        }
    }

    fn propose_recent(&mut self, shared: &mut Shared, to: ServerId, reign: Reign) {
        while self.flight.has_room()
            && let Some(batch) = shared.history.after(self.sent)
        {
            self.propose(shared, to, reign, batch);
        }
    }

    /// A learner that still catches up is told what is committed, too: what it lacks can be more than it should hold
    /// without applying it, and what a quorum has stays, whatever becomes of this leader.
    fn propose(&mut self, shared: &mut Shared, to: ServerId, reign: Reign, batch: Arc<FrameBatch>) {
        self.sent = batch.last();
        self.flight.sent(&batch);
        let Reign { epoch, committed, .. } = reign;
        self.told_committed = self.told_committed.max(committed);
        shared.send(to, Message::Propose { epoch, committed, batch });
    }

    fn read_log(&mut self, shared: &mut Shared, learner: ServerId) {
        // What this server's own disk does not have yet is not in its log.
        if self.sent >= shared.durable || !self.flight.has_room() {
            return;
        }
        shared.reads += 1;
        let number = shared.reads;
        self.source = Source::Log(Some(number));
        let (after, bytes, first) = (self.sent, READ_BYTES, self.start.is_none());
        shared.out.push(Output::ReadLog(LogRead { learner, after, bytes, first, number }));
    }

    /// Whether this read was asked for by this synchronisation, and is not answered.
    pub(super) fn awaits(&self, read: &LogRead) -> bool {
        matches!(self.source, Source::Log(Some(number)) if number == read.number)
    }

    /// What the log had, which was [awaited](Self::awaits). False if it is of no use.
    pub(super) fn take_log(&mut self, shared: &mut Shared, read: &LogRead, reign: Reign, outcome: LogOutcome) -> bool {
        let to = read.learner;
        self.source = Source::Log(None);
        match outcome {
            LogOutcome::Frames(batch) if batch.prev() == self.sent => {
                if self.start.is_none() {
                    self.begin(shared, to, reign, SyncStart::Diff, batch.prev());
                }
                self.from_log |= !self.up_to_date;
                self.propose(shared, to, reign, batch);
                true
            }
            LogOutcome::Diverged(before) if self.start.is_none() && before < self.sent => {
                self.join_behind(shared, to, reign, before);
                true
            }
            _ => false,
        }
    }

    /// The learner's last transaction is none of ours, of which the newest before it is `before`.
    pub(super) fn join_behind(&mut self, shared: &mut Shared, to: ServerId, reign: Reign, before: Zxid) {
        let (start, sent) = match shared.has(super::Defect::NoTruncation) {
            true => (SyncStart::Diff, shared.history.last()),
            false => (SyncStart::Trunc(before), before),
        };
        self.begin(shared, to, reign, start, sent);
    }

    /// Whether the learner has been told how its history was joined with ours: it cannot be told something else any more.
    pub(super) fn has_begun(&self) -> bool {
        self.start.is_some()
    }

    /// Bytes of a snapshot that may be sent now; `None` if the learner gets none.
    pub(super) fn snapshot_room(&self) -> Option<u64> {
        let Source::State(snapshot) = &self.source else { return None };
        Some(SNAPSHOT_WINDOW.saturating_sub(snapshot.sent - snapshot.taken))
    }

    /// This state is what the learner gets. False if it does not wait for one.
    pub(super) fn snapshot_begins(&mut self, shared: &mut Shared, to: ServerId, reign: Reign, head: StateHead) -> bool {
        if !matches!(self.source, Source::State(_)) || self.has_begun() {
            return false;
        }
        self.through = self.through.max(head.zxid);
        self.begin(shared, to, reign, SyncStart::Snap(head), head.zxid);
        true
    }

    /// The next piece of that state.
    pub(super) fn snapshot_chunk(
        &mut self,
        shared: &mut Shared,
        to: ServerId,
        epoch: Epoch,
        bytes: Arc<[u8]>,
        last: bool,
    ) {
        let Source::State(snapshot) = &mut self.source else { return };
        snapshot.sent += bytes.len() as u64;
        if last {
            self.source = Source::Memory;
        }
        shared.send(to, Message::SnapChunk { epoch, bytes, last });
    }

    /// The learner has taken so much of the state.
    pub(super) fn snapshot_taken(&mut self, bytes: u64) {
        if let Source::State(snapshot) = &mut self.source {
            snapshot.taken = snapshot.sent.min(bytes);
        }
    }

    /// The learner has everything through this transaction on disk.
    pub(super) fn arrived(&mut self, through: Zxid) {
        self.flight.arrived(through);
    }

    /// The learner has taken over the history and the epoch.
    pub(super) fn acknowledge(&mut self) {
        self.new_leader_acked |= self.new_leader_sent;
    }

    /// Whether it has done so.
    pub(super) fn has_history(&self) -> bool {
        self.new_leader_acked
    }

    /// Whether the learner shows what is committed, and takes payloads.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.up_to_date
    }

    /// Tells a learner that has the history that a quorum has it, too. Once.
    pub(super) fn tell_up_to_date(&mut self, shared: &mut Shared, learner: ServerId, reign: Reign) {
        let Some(start) = self.start.filter(|_| self.new_leader_acked && !self.up_to_date) else { return };
        self.up_to_date = true;
        let Reign { epoch, committed, .. } = reign;
        self.told_committed = committed;
        shared.send(learner, Message::UpToDate { epoch, committed, proposed: shared.history.last() });
        let Sync { from, sent: to, since, from_log, .. } = *self;
        let took = shared.now.since(since);
        shared.out.push(Output::LearnerUpToDate(Synchronised { learner, start, from_log, from, to, took }));
    }
}
