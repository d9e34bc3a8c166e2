//! The log's writer: what to write where, when to acknowledge. PURE: no file, thread or clock. A device carries out
//! its requests and brings the answers back.
//!
//! Group commit needs no timer: while a write is under way, what is appended collects, and forms the next write.

mod measures;
mod op;
mod queue;
mod segments;
#[cfg(test)]
mod tests;
mod watermark;

pub use measures::LogMeasures;
pub use op::{BatchWrite, Done, LogOp, PrepareError, PrepareOp, WriteOp};
pub use segments::{Chain, CurrentSegment, SegmentStart, Stretch};

use crate::config::{Durability, LogConfig};
use crate::error::LogFailed;
use crate::format::{BATCH_HEADER, BLOCK, BatchHeader, BatchKind, padded};
use crate::planted::planted;
use queue::Queue;
use ringkeeper_core::frame::FrameBatch;
use ringkeeper_core::ids::{Instant, Zxid};
use segments::Segments;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use watermark::Watermark;

/// Where a log ends, for the writer to continue there.
#[derive(Clone, Debug)]
pub struct Tail {
    /// The segments.
    pub chain: Chain,
    /// Last transaction.
    pub last: Zxid,
    /// Number of the next batch.
    pub next_batch: u64,
    /// What the last batch is; a seal, if there is none.
    pub kind: BatchKind,
    /// Newest transaction known to be committed.
    pub committed: Zxid,
}

impl Tail {
    /// Of a log that has not begun.
    #[must_use]
    pub fn empty() -> Tail {
        let chain = Chain { segments: Vec::new(), current: None, next_sequence: 1, blank: None };
        Tail { chain, last: Zxid::ZERO, next_batch: 1, kind: BatchKind::Seal, committed: Zxid::ZERO }
    }
}

/// A write under way.
struct InFlight {
    id: u64,
    sequence: u64,
    last: Zxid,
    /// It is on stable storage when it is done.
    synced: bool,
    done: bool,
    since: Instant,
}

/// A sync under way.
struct Syncing {
    id: u64,
    /// It makes every batch before this number durable.
    covers: u64,
    /// And every transaction through this one.
    through: Zxid,
    since: Instant,
}

/// A mark that must be written before anything else.
#[derive(Clone, Copy)]
struct Mark {
    kind: BatchKind,
    at: Zxid,
}

/// The state machine. Feed it with [`append`](Self::append), [`done`](Self::done) and [`tick`](Self::tick); after that,
/// take requests with [`poll_op`](Self::poll_op) until there is none, and read [`durable`](Self::durable).
pub struct LogWriter {
    config: LogConfig,
    now: Instant,
    queue: Queue,
    queued_since: Instant,
    mark: Option<Mark>,
    /// Number of the batch that held the last mark; 0 for none since the start.
    last_mark: u64,
    segments: Segments,
    in_flight: VecDeque<InFlight>,
    syncing: Option<Syncing>,
    next_id: u64,
    /// Number of the next batch.
    next_batch: u64,
    /// Every batch before this number is on stable storage.
    synced_before: u64,
    /// When the oldest batch that is not on stable storage was written.
    unsynced_since: Instant,
    /// Last transaction appended.
    appended: Zxid,
    /// Last transaction given to the device.
    written: Zxid,
    /// Last transaction acknowledged.
    durable: Zxid,
    /// Last transaction on stable storage.
    stable: Zxid,
    /// What is known to be committed, and what of that the log states.
    watermark: Watermark,
    /// The log through here is not needed.
    released: Zxid,
    /// What the last batch is.
    kind: BatchKind,
    sync_wanted: bool,
    frozen: bool,
    finishing: bool,
    idle_since: Instant,
    failed: Option<LogFailed>,
    measures: LogMeasures,
}

impl LogWriter {
    /// Continues the log that ends at `tail`. `salt` must be random, and different with every start: clients must
    /// not be able to guess generations.
    ///
    /// # Panics
    /// If the configuration is out of its bounds, see [`LogConfig::check`].
    #[must_use]
    pub fn new(config: LogConfig, tail: Tail, salt: u64, now: Instant) -> LogWriter {
        assert_eq!(config.check(), Ok(()), "the configuration was checked when it was read");
        LogWriter {
            config,
            now,
            queue: Queue::default(),
            queued_since: now,
            mark: None,
            last_mark: 0,
            segments: Segments::new(tail.chain, salt),
            in_flight: VecDeque::new(),
            syncing: None,
            next_id: 1,
            next_batch: tail.next_batch,
            synced_before: tail.next_batch,
            unsynced_since: now,
            appended: tail.last,
            written: tail.last,
            durable: tail.last,
            stable: tail.last,
            watermark: Watermark::new(tail.committed),
            released: Zxid::ZERO,
            kind: tail.kind,
            sync_wanted: false,
            frozen: false,
            finishing: false,
            idle_since: now,
            failed: None,
            measures: LogMeasures::default(),
        }
    }

    /// Takes frames to be written. They must follow the last ones.
    ///
    /// # Panics
    /// If they don't: a gap in the log must never be written.
    pub fn append(&mut self, batch: Arc<FrameBatch>) {
        assert_eq!(batch.prev(), self.appended, "appended frames continue the log");
        if self.queue.is_empty() {
            self.queued_since = self.now;
        }
        self.appended = batch.last();
        self.queue.push(batch);
    }

    /// Takes a device's answer.
    ///
    /// # Errors
    /// [`LogFailed`] if a write or sync failed: nothing can be promised any more.
    pub fn done(&mut self, done: Done) -> Result<(), LogFailed> {
        let result = match done {
            Done::Write { id, result: Ok(()) } => {
                self.write_done(id);
                Ok(())
            }
            Done::Sync { id, result: Ok(()) } => {
                self.sync_done(id);
                Ok(())
            }
            Done::Prepared { segment, result } => {
                let retry_at = self.now.plus(self.config.retry_after);
                self.segments
                    .prepared(segment, result, retry_at)
                    .map_err(|e| (format!("preparing segment {segment:016x}"), e))
            }
            Done::Deleted { result: Ok(()), .. } => Ok(()),
            Done::Write { result: Err(e), .. } => Err(("writing a batch".into(), e)),
            Done::Sync { result: Err(e), .. } => Err(("syncing a segment".into(), e)),
            Done::Deleted { segment, result: Err(e) } => Err((format!("removing segment {segment:016x}"), e)),
        };
        if let Err((what, error)) = result {
            self.failed.get_or_insert(LogFailed { what, error, durable: self.durable });
        }
        self.check()
    }

    /// The failure that ended the log, if there was one.
    ///
    /// # Errors
    /// That failure.
    pub fn check(&self) -> Result<(), LogFailed> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn write_done(&mut self, id: u64) {
        let write = self.in_flight.iter_mut().find(|w| w.id == id).expect("an answer to a write that was asked for");
        assert!(!write.done, "a write is answered once");
        write.done = true;
        self.measures.ended(self.now, write.since, write.synced, self.config.slow_write);
        if planted!(self.config.defects, AckOutOfOrder) {
            self.durable = self.durable.max(write.last);
        }
        while self.in_flight.front().is_some_and(|w| w.done) {
            let write = self.in_flight.pop_front().expect("the front was just seen");
            assert!(self.synced_before <= write.sequence, "a batch is not durable before it is written");
            self.durable = self.durable.max(write.last);
            if write.synced {
                self.synced_before = write.sequence + 1;
                self.stable = self.durable;
            }
        }
        if self.in_flight.is_empty() {
            self.idle_since = self.now;
        }
    }

    fn sync_done(&mut self, id: u64) {
        let syncing = self.syncing.take().expect("an answer to a sync that was asked for");
        assert_eq!(id, syncing.id, "one sync at a time");
        self.measures.ended(self.now, syncing.since, true, self.config.slow_write);
        self.synced_before = self.synced_before.max(syncing.covers);
        self.stable = self.stable.max(syncing.through.min(self.durable));
        // What is still not synced was written after this sync began.
        self.unsynced_since = syncing.since;
        self.idle_since = self.now;
    }

    /// What is counted for monitoring.
    #[must_use]
    pub fn measures(&self) -> &LogMeasures {
        &self.measures
    }

    /// Starts counting anew.
    pub fn reset_measures(&mut self) {
        self.measures = LogMeasures::default();
    }

    /// Tells the time. Call it before appending, and when [`next_deadline`](Self::next_deadline) has come.
    pub fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Everything through this zxid is durable, as [`Durability`] defines it.
    #[must_use]
    pub fn durable(&self) -> Zxid {
        self.durable
    }

    /// Everything through this zxid is on stable storage, whatever the durability policy.
    #[must_use]
    pub fn stable(&self) -> Zxid {
        self.stable
    }

    /// Last transaction appended.
    #[must_use]
    pub fn appended(&self) -> Zxid {
        self.appended
    }

    /// Last transaction given to the device.
    #[must_use]
    pub fn written(&self) -> Zxid {
        self.written
    }

    /// Every batch before this number is on stable storage.
    #[must_use]
    pub fn durable_before(&self) -> u64 {
        self.synced_before
    }

    /// Whether a cut or a restart is not on stable storage yet.
    #[must_use]
    pub fn is_resetting(&self) -> bool {
        self.mark.is_some() || self.last_mark >= self.synced_before
    }

    /// Bytes of frames appended and not yet given to the device.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Whether all that is appended is answered, and nothing else is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.mark.is_none() && self.in_flight.is_empty() && self.syncing.is_none()
    }

    /// Whether all that is appended is on stable storage, whatever the durability policy.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.is_idle() && self.synced_before == self.next_batch
    }

    /// False when the disk is so full that new transactions should be refused. It turns false while everything
    /// accepted still has room, and true again when a next segment could be made.
    #[must_use]
    pub fn has_room(&self) -> bool {
        if !self.segments.is_full() {
            return true;
        }
        // Frames that do not combine well can take three times their length, padding included.
        let waiting = 3 * self.queue.bytes() as u64 + 2 * BLOCK as u64;
        self.mark.is_none() && self.segments.room() >= waiting.saturating_add(self.config.reserve_bytes)
    }

    /// The log through `zxid` is no longer needed: a snapshot holds it.
    pub fn release_through(&mut self, zxid: Zxid) {
        self.released = self.released.max(zxid);
    }

    /// The log's segments hold everything after this transaction; `None` while there is no segment.
    #[must_use]
    pub fn reaches_back_to(&self) -> Option<Zxid> {
        self.segments.reaches_back_to()
    }

    /// Bytes of segments that hold only transactions behind this one.
    #[must_use]
    pub fn bytes_behind(&self, after: Zxid) -> u64 {
        self.segments.bytes_behind(after)
    }

    /// The segments that the valid log consists of, oldest first. While a reset [is under way](Self::is_resetting)
    /// they are still those of before.
    #[must_use]
    pub fn stretches(&self) -> Vec<Stretch> {
        self.segments.stretches()
    }

    /// Number of the segment that is being written; 0 before the first.
    #[must_use]
    pub fn current_segment(&self) -> u64 {
        self.segments.current().map_or(0, |c| c.sequence)
    }

    /// Cuts the log back to `to`: what was appended after it is void, whether written or not. Appends continue from
    /// `to` at once; nothing after `to` counts as durable until it is written again. Nothing counts as released any
    /// more: snapshots of what is cut off are void, see [`release_through`](Self::release_through).
    ///
    /// # Panics
    /// If `to` is not in the past, before a restart that is still to be written, or before what is
    /// [committed](Self::committed).
    pub fn cut_back(&mut self, to: Zxid) {
        assert!(to <= self.appended, "a log is cut back, not forward");
        assert!(to >= self.watermark.known(), "{} is committed, and never cut off", self.watermark.known());
        if to >= self.written {
            self.queue.drop_after(to);
            self.appended = to;
            return;
        }
        let restarting = self.mark.is_some_and(|m| m.kind == BatchKind::Restart);
        assert!(!restarting, "there is nothing before the snapshot that a log restarts at");
        self.set_mark(Mark { kind: BatchKind::Cut, at: to });
    }

    /// Gives up the whole log: the state is now a snapshot of `at`, which must be installed and durable.
    pub fn restart_at(&mut self, at: Zxid) {
        self.set_mark(Mark { kind: BatchKind::Restart, at });
    }

    /// Starts no more writes, until [`restart_at`](Self::restart_at) or [`thaw`](Self::thaw).
    pub fn freeze(&mut self) {
        self.frozen = true;
        self.sync_wanted = true;
    }

    /// Ends [`freeze`](Self::freeze).
    pub fn thaw(&mut self) {
        self.frozen = false;
    }

    /// Whether no request is under way and every batch is on stable storage. What is appended may still wait.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.in_flight.is_empty() && self.syncing.is_none() && self.synced_before == self.next_batch
    }

    fn set_mark(&mut self, mark: Mark) {
        self.frozen = false;
        if mark.kind == BatchKind::Restart {
            self.watermark.restart_at(mark.at);
        }
        self.queue = Queue::default();
        self.mark = Some(mark);
        (self.appended, self.written) = (mark.at, mark.at);
        // What was released relied on snapshots of the old history.
        self.released = Zxid::ZERO;
        // What is under way was asked for before the cut: it may end as it likes, but acknowledges nothing.
        self.durable = self.durable.min(mark.at);
        self.stable = self.stable.min(mark.at);
        for write in &mut self.in_flight {
            write.last = write.last.min(mark.at).min(self.durable);
        }
    }

    /// Whether appends wait because the next segment is not ready yet.
    #[must_use]
    pub fn waits_for_segment(&self) -> bool {
        let stuck = self.mark.is_some() || (!self.queue.is_empty() && !self.fits());
        stuck && !self.segments.next_is_ready()
    }

    /// Asks for everything written so far to be made durable, also under a policy that does not sync by itself.
    pub fn request_sync(&mut self) {
        self.sync_wanted = true;
    }

    /// The log is about to be closed: everything is synced and sealed without delay.
    pub fn finish(&mut self) {
        self.finishing = true;
        self.config.batch_delay = Duration::ZERO;
        self.config.seal_after = self.config.seal_after.map(|_| Duration::ZERO);
    }

    /// After [`finish`](Self::finish): whether nothing is left to be done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_synced() && self.seal_due().is_none()
    }

    /// The next request to the device.
    pub fn poll_op(&mut self) -> Option<LogOp> {
        if self.failed.is_some() {
            return None;
        }
        if let Some(op) = self.poll_write() {
            return Some(op);
        }
        if let Some(op) = self.poll_sync() {
            return Some(op);
        }
        let too_much = planted!(self.config.defects, ReleaseTooMuch) && self.released > Zxid::ZERO;
        self.segments.retire(self.released, self.synced_before, too_much);
        if let Some(op) = self.segments.poll_delete(&self.config) {
            return Some(op);
        }
        let urgent = self.waits_for_segment();
        self.segments.poll_prepare(&self.config, self.now, urgent)
    }

    /// When [`tick`](Self::tick) is due next, and why. To be asked after [`poll_op`](Self::poll_op): what is due
    /// already has been acted on then, or waits for an answer.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        let mut first: Option<(Instant, &'static str)> = None;
        let mut offer = |at: Option<Instant>, why| {
            if let Some(at) = at
                && at > self.now
                && first.is_none_or(|(t, _)| at < t)
            {
                first = Some((at, why));
            }
        };
        offer(self.segments.retry_at(), "next attempt to make a log segment");
        offer(self.sync_due(), "periodic log sync");
        offer(self.seal_due(), "seal of an idle log");
        offer(self.delay_ends(), "log batch delay");
        first
    }

    fn delay_ends(&self) -> Option<Instant> {
        let waits =
            !self.frozen && !self.queue.is_empty() && self.in_flight.is_empty() && !self.config.batch_delay.is_zero();
        waits.then(|| self.queued_since.plus(self.config.batch_delay))
    }

    fn sync_due(&self) -> Option<Instant> {
        match self.config.durability {
            Durability::Interval(every) if self.synced_before < self.next_batch && self.syncing.is_none() => {
                Some(self.unsynced_since.plus(every))
            }
            _ => None,
        }
    }

    /// A seal says "all before is durable", so it waits until that is true.
    fn seal_due(&self) -> Option<Instant> {
        let wanted = self.kind != BatchKind::Seal || self.watermark_moved();
        let due = wanted && !self.frozen && self.is_idle() && self.synced_before == self.next_batch;
        // A mark that rots before anything proves it would bring back what it had ended.
        let marked = matches!(self.kind, BatchKind::Cut | BatchKind::Restart);
        let after = if marked { Some(Duration::ZERO) } else { self.config.seal_after };
        after.filter(|_| due && self.has_room_for_seal()).map(|after| self.idle_since.plus(after))
    }

    fn poll_sync(&mut self) -> Option<LogOp> {
        if self.syncing.is_some() || self.synced_before == self.next_batch {
            self.sync_wanted &= self.synced_before != self.next_batch;
            return None;
        }
        // A sync covers the writes that have ended; the ones under way belong to the next.
        let covers = self.in_flight.front().map_or(self.next_batch, |w| w.sequence);
        let due = self.sync_due().is_some_and(|at| self.now >= at);
        let wanted = (self.sync_wanted || self.finishing) && self.in_flight.is_empty();
        if !(due || wanted || self.must_sync_to_rotate()) || covers <= self.synced_before {
            return None;
        }
        self.sync_wanted &= !wanted;
        let id = self.take_id();
        self.syncing = Some(Syncing { id, covers, through: self.durable, since: self.now });
        Some(LogOp::Sync { id, segment: self.current_segment() })
    }

    /// A segment is only left when all of it is durable: whatever a later segment holds proves that.
    fn must_sync_to_rotate(&self) -> bool {
        self.in_flight.is_empty()
            && self.segments.next_is_ready()
            && (self.mark.is_some() || (!self.queue.is_empty() && !self.fits()))
    }

    /// Whether the next frame has room in the current segment.
    fn fits(&self) -> bool {
        padded(BATCH_HEADER + self.queue.first_len()) as u64 <= self.segments.room()
    }

    fn poll_write(&mut self) -> Option<LogOp> {
        if self.in_flight.len() >= self.config.writes_in_flight {
            return None;
        }
        if self.frozen || self.last_mark >= self.synced_before {
            return None;
        }
        if self.mark.is_some() {
            return self.write_mark();
        }
        if self.queue.is_empty() {
            let due = self.seal_due().is_some_and(|at| self.now >= at);
            let fits = due && (self.segments.room() >= BLOCK as u64 || self.try_rotate(self.written, false));
            return fits.then(|| self.place(BatchKind::Seal, self.written, None));
        }
        if self.delay_ends().is_some_and(|at| self.now < at) && self.queue.bytes() < self.config.batch_bytes {
            return None;
        }
        if !self.fits() {
            self.segments.require(padded(BATCH_HEADER + self.queue.first_len()) as u64);
            if !self.try_rotate(self.written, false) {
                return None;
            }
            if !self.fits() {
                // The segment at hand is too small for this frame: it is passed by, with a mark so that the chain of
                // batches leads through it.
                return Some(self.place(BatchKind::Seal, self.written, None));
            }
        }
        let room = (self.config.batch_bytes as u64).min(self.segments.room()) as usize - BATCH_HEADER;
        let taken = self.queue.take(room);
        Some(self.place(BatchKind::Frames, self.written, Some(taken)))
    }

    fn write_mark(&mut self) -> Option<LogOp> {
        let mark = self.mark?;
        if !self.try_rotate(mark.at, mark.kind == BatchKind::Restart) {
            return None;
        }
        self.mark = None;
        self.last_mark = self.next_batch;
        Some(self.place(mark.kind, mark.at, None))
    }

    /// Goes to the next segment if it is there and nothing in the current one is unfinished.
    fn try_rotate(&mut self, prev: Zxid, restart: bool) -> bool {
        let synced = self.synced_before == self.next_batch || planted!(self.config.defects, RotateWithoutSync);
        let may = self.segments.next_is_ready() && self.in_flight.is_empty() && self.syncing.is_none() && synced;
        if may {
            self.segments.rotate(prev, self.next_batch, restart);
        }
        may
    }

    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Puts a batch at the end of the current segment.
    fn place(&mut self, kind: BatchKind, prev: Zxid, taken: Option<queue::Taken>) -> LogOp {
        let current = *self.segments.current().expect("a batch is placed in a segment");
        let taken = taken.unwrap_or(queue::Taken { parts: Vec::new(), bytes: 0, frames: 0, last: prev });
        let sequence = self.next_batch;
        let committed = self.watermark.state(kind, taken.last, self.config.defects);
        let unsynced = u32::try_from(sequence - self.synced_before).unwrap_or(u32::MAX);
        let header = BatchHeader {
            kind,
            generation: current.generation,
            sequence,
            unsynced,
            prev,
            last: taken.last,
            committed,
            frames: taken.frames,
            payload: u32::try_from(taken.bytes).expect("frames are at most 64 MiB"),
            payload_crc: 0,
        };
        assert!(header.is_plausible(), "{header:?}");
        let batch = BatchWrite { header, parts: taken.parts };
        let id = self.take_id();
        if self.synced_before == sequence {
            self.unsynced_since = self.now;
        }
        self.segments.note_first(sequence, prev);
        self.next_batch += 1;
        self.written = header.last;
        self.kind = kind;
        self.queued_since = self.now;
        self.segments.advance(batch.padded_len() as u64);
        self.measures.placed(batch.header.frames, batch.padded_len());
        // What ends a history is made durable under every policy, before anything follows it.
        let synced =
            self.config.durability == Durability::Always || matches!(kind, BatchKind::Cut | BatchKind::Restart);
        self.in_flight.push_back(InFlight { id, sequence, last: header.last, synced, done: false, since: self.now });
        let sync = synced && !planted!(self.config.defects, AckBeforeSync);
        LogOp::Write(WriteOp { id, segment: current.sequence, offset: current.offset, sync, batch })
    }
}
