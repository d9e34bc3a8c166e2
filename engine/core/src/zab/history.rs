//! The recent transactions, kept in memory: what followers are fed from, and by which a learner's history is compared
//! with ours. Older ones are in the log.

use crate::frame::FrameBatch;
use crate::ids::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;

/// Recent transactions, in order, without a gap. Reaches from behind `base` through `last`. What is not known to be
/// committed is always among them: so a whole state, which is one of committed transactions, can always be continued
/// from here.
#[derive(Debug)]
pub struct History {
    batches: VecDeque<Arc<FrameBatch>>,
    base: Zxid,
    last: Zxid,
    bytes: u64,
    limit: u64,
    committed: Zxid,
}

/// How another server's history, of which only the last transaction is known, relates to this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Its last transaction is one of ours.
    Ours,
    /// It is not; the newest of ours before it is this one.
    After(Zxid),
    /// It is before everything that is kept.
    TooOld,
}

impl History {
    /// An empty memory of a committed history that ends with `last`; keeps at most about `limit` bytes of what is
    /// committed.
    #[must_use]
    pub fn new(last: Zxid, limit: u64) -> History {
        History { batches: VecDeque::new(), base: last, last, bytes: 0, limit, committed: last }
    }

    /// The last transaction.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.last
    }

    /// The transaction before the first one that is kept.
    #[must_use]
    pub fn base(&self) -> Zxid {
        self.base
    }

    /// The next transactions.
    ///
    /// # Panics
    /// If they leave a gap.
    pub fn append(&mut self, batch: Arc<FrameBatch>) {
        assert_eq!(batch.prev(), self.last, "a history has no gap");
        self.last = batch.last();
        self.push(batch);
        self.forget_old();
    }

    /// Everything through `zxid` is committed.
    pub fn commit(&mut self, zxid: Zxid) {
        self.committed = zxid;
        self.forget_old();
    }

    fn forget_old(&mut self) {
        while self.bytes > self.limit && self.batches.len() > 1 {
            let committed = self.committed;
            let Some(oldest) = self.batches.pop_front_if(|batch| batch.last() <= committed) else { return };
            self.bytes -= oldest.as_bytes().len() as u64;
            self.base = oldest.last();
        }
    }

    /// Forgets everything: the history is now that of a state as of `zxid`.
    pub fn restart(&mut self, zxid: Zxid) {
        self.batches.clear();
        (self.base, self.last, self.bytes) = (zxid, zxid, 0);
        self.committed = self.committed.max(zxid);
    }

    fn push(&mut self, batch: Arc<FrameBatch>) {
        self.bytes += batch.as_bytes().len() as u64;
        self.batches.push_back(batch);
    }

    /// Forgets everything behind `to`, which must be one of the transactions that are kept, or the one before them; a
    /// history cut back further than that is as good as new.
    pub fn truncate(&mut self, to: Zxid) {
        while self.batches.back().is_some_and(|batch| batch.prev() >= to) {
            self.pop();
        }
        if let Some(batch) = self.batches.back()
            && batch.last() > to
        {
            let kept = batch.through(to);
            self.pop();
            if let Some(kept) = kept {
                self.push(kept);
            }
        }
        self.last = to;
        if self.batches.is_empty() {
            self.base = to;
        }
    }

    fn pop(&mut self) {
        if let Some(batch) = self.batches.pop_back() {
            self.bytes -= batch.as_bytes().len() as u64;
        }
    }

    /// Where a history that ends with `last` stands.
    #[must_use]
    pub fn place(&self, last: Zxid) -> Place {
        if last == self.last || last == self.base {
            return Place::Ours;
        }
        if last < self.base {
            return Place::TooOld;
        }
        let at = self.batches.partition_point(|batch| batch.last() < last);
        let Some(batch) = self.batches.get(at) else { return Place::After(self.last) };
        let before = batch.frames().map(|frame| frame.zxid()).take_while(|zxid| *zxid <= last).last();
        match before {
            Some(zxid) if zxid == last => Place::Ours,
            Some(zxid) => Place::After(zxid),
            None => Place::After(batch.prev()),
        }
    }

    /// The transactions directly behind `after`: as many as were appended together. `None` at the end.
    ///
    /// # Panics
    /// If `after` is not kept; see [`History::place`].
    #[must_use]
    pub fn after(&self, after: Zxid) -> Option<Arc<FrameBatch>> {
        if after == self.last {
            return None;
        }
        assert!(after >= self.base, "{after} is not kept, only what is behind {}", self.base);
        let at = self.batches.partition_point(|batch| batch.last() <= after);
        let batch = &self.batches[at];
        if batch.prev() == after { Some(Arc::clone(batch)) } else { batch.behind(after) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameBuf, FrameHeader, encode};
    use crate::ids::{Epoch, SessionId, Tag, WallMs};

    fn z(counter: u32) -> Zxid {
        Zxid::new(Epoch(1), counter)
    }

    /// Transactions `first..=last`, in one batch.
    fn batch(first: u32, last: u32) -> Arc<FrameBatch> {
        let mut bytes = FrameBuf::new();
        for n in first..=last {
            let header = FrameHeader {
                zxid: z(n),
                prev_zxid: if n == 1 { Zxid::ZERO } else { z(n - 1) },
                session: SessionId(1),
                wall: WallMs(0),
                cxid: 0,
                txn_type: 5,
                tag: Tag::NONE,
            };
            encode(&mut bytes, &header, |_| {});
        }
        Arc::new(FrameBatch::new(bytes))
    }

    fn history() -> History {
        let mut history = History::new(Zxid::ZERO, 1 << 20);
        for (first, last) in [(1, 3), (4, 4), (5, 9)] {
            history.append(batch(first, last));
        }
        history
    }

    #[test]
    fn a_place_is_found_within_and_between_batches() {
        let history = history();
        for n in 1..=9 {
            assert_eq!(history.place(z(n)), Place::Ours, "{n}");
        }
        assert_eq!(history.place(Zxid::ZERO), Place::Ours);
        assert_eq!(history.place(z(10)), Place::After(z(9)));
        assert_eq!(history.place(Zxid::new(Epoch(0), 77)), Place::After(Zxid::ZERO));
    }

    #[test]
    fn what_follows_is_handed_out_from_anywhere() {
        let history = history();
        let span = |after: Zxid| history.after(after).map(|b| (b.first().counter(), b.last().counter()));
        assert_eq!(span(Zxid::ZERO), Some((1, 3)));
        assert_eq!(span(z(1)), Some((2, 3)));
        assert_eq!(span(z(3)), Some((4, 4)));
        assert_eq!(span(z(8)), Some((9, 9)));
        assert_eq!(span(z(9)), None);
    }

    #[test]
    fn cutting_back_keeps_the_beginning() {
        for to in 0..=9 {
            let mut history = history();
            let to = if to == 0 { Zxid::ZERO } else { z(to) };
            history.truncate(to);
            assert_eq!(history.last(), to);
            assert_eq!(history.place(z(9)), if to == z(9) { Place::Ours } else { Place::After(to) });
            assert_eq!(history.bytes, u64::from(to.counter()) * 64);
        }
    }

    #[test]
    fn only_so_much_is_kept_of_what_is_committed() {
        let mut history = History::new(Zxid::ZERO, 64 * 6);
        for (first, last) in [(1, 3), (4, 4), (5, 9)] {
            history.append(batch(first, last));
        }
        assert_eq!(history.base(), Zxid::ZERO);
        history.commit(z(2));
        assert_eq!(history.base(), Zxid::ZERO);
        history.commit(z(3));
        assert_eq!((history.base(), history.place(z(2)), history.place(z(3))), (z(3), Place::TooOld, Place::Ours));
        assert_eq!(history.bytes, 64 * 6);
    }
}
