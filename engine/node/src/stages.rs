//! Where the time of a write goes. The moments of each batch of transactions are noted as they pass here: seen (proposed,
//! or received from the leader), handed to the log, durable on this server's disk, committed and applied.
//!
//! Most of these moments are those of the turns in which things happen, so that nothing on the way of a write asks for the
//! time. Two more are taken in a turn that proposes or applies something: when the log has its work, and when the replies
//! are given away.

use ringkeeper_core::frame::FrameBatch;
use ringkeeper_core::ids::{Instant, Zxid};
use ringkeeper_core::measure::Histogram;
use std::collections::VecDeque;
use std::time::Duration;

/// Batches that are remembered after they were applied, for requests that turn out to have been slow.
const REMEMBERED: usize = 1024;

/// How long the stages of transactions took. Each transaction counts once. Times are in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StageMeasures {
    /// The turn that judged and encoded it, as far as it was proposed here.
    pub prepare: Histogram,
    /// From being handed to the log until it is durable on this server's disk.
    pub log: Histogram,
    /// From being handed to the log until it is committed: a quorum has it, and this server knows.
    pub quorum: Histogram,
    /// The turn that applied it.
    pub apply: Histogram,
    /// From then on until the replies of the turn were given to the sockets, or to the executors that have them.
    pub reply: Histogram,
}

/// The stages of one transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stages {
    /// From the arrival of the request until the transaction was proposed here, or came from the leader.
    pub queue: Duration,
    /// Until it was handed to the log.
    pub prepare: Duration,
    /// From then on until it was durable on this server's disk; `None` if it was committed without that.
    pub log: Option<Duration>,
    /// From being handed to the log until it was committed.
    pub quorum: Duration,
    /// Until it was applied.
    pub apply: Duration,
    /// Until the answer was written.
    pub reply: Duration,
}

/// The moments of a batch.
#[derive(Clone, Copy, Debug)]
struct Moments {
    first: Zxid,
    last: Zxid,
    frames: u32,
    seen: Instant,
    appended: Instant,
    durable: Option<Instant>,
    committed: Option<Instant>,
    applied: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Oldest first.
    batches: VecDeque<Moments>,
    /// So many of them, from the first on, are durable; so many are applied.
    durable: usize,
    applied: usize,
    /// Appended in the turn under way, and not yet given their moment.
    fresh: usize,
    /// Transactions whose replies are not given away yet, and when they were applied.
    unreplied: Option<(u64, Instant)>,
    measures: StageMeasures,
}

impl Timeline {
    /// A batch is handed to the log in the turn that began at `now`.
    pub(crate) fn append(&mut self, now: Instant, batch: &FrameBatch) {
        let (first, last, frames) = (batch.first(), batch.last(), batch.count());
        let moments =
            Moments { first, last, frames, seen: now, appended: now, durable: None, committed: None, applied: now };
        self.batches.push_back(moments);
        self.fresh += 1;
    }

    /// The log was cut back to `to`: what is behind is not part of the history.
    pub(crate) fn cut_back(&mut self, to: Zxid) {
        while self.batches.back().is_some_and(|batch| batch.last > to) {
            self.batches.pop_back();
        }
        self.durable = self.durable.min(self.batches.len());
        self.applied = self.applied.min(self.batches.len());
        self.fresh = self.fresh.min(self.batches.len());
    }

    /// There is another history.
    pub(crate) fn restart(&mut self) {
        *self = Timeline { measures: std::mem::take(&mut self.measures), ..Timeline::default() };
    }

    /// Everything through `through` is durable here, as the turn that began at `now` hears.
    pub(crate) fn durable(&mut self, now: Instant, through: Zxid) {
        while let Some(batch) = self.batches.get_mut(self.durable).filter(|batch| batch.last <= through) {
            batch.durable = Some(now);
            self.measures.log.record_many(nanos(now, batch.appended), u64::from(batch.frames));
            self.durable += 1;
        }
    }

    /// Whether [`Timeline::end_step`] has something to note.
    pub(crate) fn is_due(&self, applied: Zxid) -> bool {
        self.fresh > 0 || self.batches.get(self.applied).is_some_and(|batch| batch.last <= applied)
    }

    /// The step that began at `now` has ended at `end`; the tree shows everything through `applied`. `proposes`: what was
    /// appended in it was proposed here.
    pub(crate) fn end_step(&mut self, now: Instant, end: Instant, applied: Zxid, proposes: bool) {
        let at = self.batches.len() - self.fresh;
        for batch in self.batches.range_mut(at..) {
            batch.appended = end;
            if proposes {
                self.measures.prepare.record_many(nanos(end, batch.seen), u64::from(batch.frames));
            }
        }
        self.fresh = 0;
        while let Some(batch) = self.batches.get_mut(self.applied).filter(|batch| batch.last <= applied) {
            let frames = u64::from(batch.frames);
            (batch.committed, batch.applied) = (Some(now), end);
            self.measures.quorum.record_many(nanos(now, batch.appended), frames);
            self.measures.apply.record_many(nanos(end, now), frames);
            self.applied += 1;
            self.unreplied = Some((frames + self.unreplied.map_or(0, |(frames, _)| frames), end));
        }
        self.forget();
    }

    /// Whether [`Timeline::replied`] has something to note.
    pub(crate) fn owes_replies(&self) -> bool {
        self.unreplied.is_some()
    }

    /// The turn's replies are given away.
    pub(crate) fn replied(&mut self, now: Instant) {
        if let Some((frames, applied)) = self.unreplied.take() {
            self.measures.reply.record_many(nanos(now, applied), frames);
        }
    }

    fn forget(&mut self) {
        while self.durable.min(self.applied) > REMEMBERED {
            self.batches.pop_front();
            self.durable -= 1;
            self.applied -= 1;
        }
    }

    /// The stages of a transaction, of a request that came at `received` and was answered at `answered`. `None` if it is
    /// not remembered.
    pub(crate) fn stages(&self, zxid: Zxid, received: Instant, answered: Instant) -> Option<Stages> {
        let at = self.batches.partition_point(|batch| batch.last < zxid);
        let batch = self.batches.get(at).filter(|batch| batch.first <= zxid)?;
        let committed = batch.committed?;
        Some(Stages {
            queue: batch.seen.since(received),
            prepare: batch.appended.since(batch.seen),
            log: batch.durable.map(|durable| durable.since(batch.appended)),
            quorum: committed.since(batch.appended),
            apply: batch.applied.since(committed),
            reply: answered.since(batch.applied),
        })
    }

    /// Since when a server that has everything through `acked` lacks something; `None` if it lacks nothing that is
    /// remembered.
    pub(crate) fn lacking_since(&self, acked: Zxid) -> Option<Instant> {
        let at = self.batches.partition_point(|batch| batch.last <= acked);
        self.batches.get(at).map(|batch| batch.appended)
    }

    pub(crate) fn measures(&self) -> &StageMeasures {
        &self.measures
    }

    pub(crate) fn reset_measures(&mut self) {
        self.measures = StageMeasures::default();
    }
}

fn nanos(later: Instant, earlier: Instant) -> u64 {
    later.0.saturating_sub(earlier.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringkeeper_core::frame::{FrameBuf, FrameHeader, encode};
    use ringkeeper_core::ids::{SessionId, Tag, WallMs};
    use ringkeeper_core::txn::TxnType;

    /// Transactions of one batch.
    fn batch(zxids: std::ops::RangeInclusive<u64>) -> FrameBatch {
        let mut buf = FrameBuf::new();
        for zxid in zxids {
            let header = FrameHeader {
                zxid: Zxid(zxid),
                prev_zxid: Zxid(zxid - 1),
                session: SessionId(1),
                wall: WallMs(0),
                cxid: 0,
                txn_type: TxnType::CloseSession as i32,
                tag: Tag::NONE,
            };
            encode(&mut buf, &header, |_| {});
        }
        FrameBatch::new(buf)
    }

    fn ms(n: u64) -> Instant {
        Instant(n * 1_000_000)
    }

    #[test]
    fn the_stages_of_a_write_add_up_to_its_time() {
        let mut line = Timeline::default();
        line.append(ms(10), &batch(1..=3));
        line.end_step(ms(10), ms(11), Zxid(0), true);
        line.durable(ms(14), Zxid(3));
        assert!(!line.is_due(Zxid(2)), "a batch is applied as a whole");
        line.end_step(ms(16), ms(17), Zxid(3), true);
        let stages = line.stages(Zxid(2), ms(7), ms(20)).expect("it is remembered");
        let Stages { queue, prepare, log, quorum, apply, reply } = stages;
        assert_eq!([queue, prepare, quorum, apply, reply].map(|d| d.as_millis()), [3, 1, 5, 1, 3]);
        assert_eq!(log, Some(Duration::from_millis(3)));
        assert_eq!(queue + prepare + quorum + apply + reply, Duration::from_millis(13));
        assert!(line.owes_replies());
        line.replied(ms(19));
        assert!(!line.owes_replies());
        let StageMeasures { prepare, log, quorum, apply, reply } = line.measures();
        assert_eq!([prepare, log, quorum, apply, reply].map(Histogram::count), [3; 5]);
        assert_eq!([prepare, log, quorum, apply, reply].map(|seen| seen.max() / 1_000_000), [1, 3, 5, 1, 2]);
    }

    #[test]
    fn what_was_applied_since_the_last_replies_is_replied_together() {
        let mut line = Timeline::default();
        line.append(ms(1), &batch(1..=2));
        line.append(ms(1), &batch(3..=5));
        line.end_step(ms(1), ms(1), Zxid(0), true);
        line.end_step(ms(2), ms(3), Zxid(2), true);
        line.end_step(ms(4), ms(5), Zxid(5), true);
        line.replied(ms(7));
        line.replied(ms(9));
        assert_eq!((line.measures().reply.count(), line.measures().reply.max() / 1_000_000), (5, 2));
    }

    #[test]
    fn what_is_cut_off_is_forgotten() {
        let mut line = Timeline::default();
        line.append(ms(1), &batch(1..=2));
        line.append(ms(1), &batch(3..=4));
        line.end_step(ms(1), ms(1), Zxid(0), false);
        line.durable(ms(2), Zxid(4));
        line.cut_back(Zxid(2));
        line.append(ms(3), &batch(3..=3));
        line.end_step(ms(3), ms(3), Zxid(2), false);
        line.durable(ms(4), Zxid(3));
        line.end_step(ms(5), ms(5), Zxid(3), false);
        assert_eq!(line.stages(Zxid(3), ms(3), ms(5)).map(|s| s.log), Some(Some(Duration::from_millis(1))));
        assert_eq!((line.measures().log.count(), line.measures().prepare.count()), (5, 0));
    }

    #[test]
    fn a_server_lags_since_the_first_that_it_lacks() {
        let mut line = Timeline::default();
        for n in 1..=3 {
            line.append(ms(n), &batch(n..=n));
            line.end_step(ms(n), ms(n), Zxid(0), true);
        }
        assert_eq!([0, 1, 3].map(|acked| line.lacking_since(Zxid(acked))), [Some(ms(1)), Some(ms(2)), None]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut line = Timeline::default();
        for n in 1..=3 * REMEMBERED as u64 {
            line.append(ms(n), &batch(n..=n));
            line.durable(ms(n), Zxid(n));
            line.end_step(ms(n), ms(n), Zxid(n), true);
        }
        assert!(line.batches.len() <= REMEMBERED + 1);
        assert_eq!(line.stages(Zxid(1), ms(1), ms(1)), None);
    }
}
