//! Which segments the log consists of: those that hold it, the one being written, the one to come.

use super::op::{LogOp, PrepareError, PrepareOp};
use crate::config::LogConfig;
use crate::format::BLOCK;
use ringkeeper_core::ids::{Instant, Zxid};
use std::collections::VecDeque;

/// A segment that holds, or held, a part of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentStart {
    /// Sequence number.
    pub sequence: u64,
    /// Bytes of the file.
    pub len: u64,
    /// Last transaction before the segment's first batch, and whether that batch makes everything before it void.
    /// `None` if the segment has no batch: one that was torn has been wiped.
    pub first: Option<(Zxid, bool)>,
}

/// A segment that holds a valid part of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Sequence number.
    pub sequence: u64,
    /// Bytes of the file.
    pub len: u64,
    /// Last transaction before its first batch. Of the segments before it, only transactions through this one count.
    pub prev: Zxid,
}

/// The segment that is being written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CurrentSegment {
    /// Sequence number.
    pub sequence: u64,
    /// Generation.
    pub generation: u64,
    /// Bytes of the file.
    pub len: u64,
    /// Where the next batch goes.
    pub offset: u64,
}

/// The segment after the current one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// To be asked for at once.
    Wanted,
    /// Being prepared.
    Asked { sequence: u64, generation: u64, len: u64 },
    /// On the disk and open.
    Ready { sequence: u64, generation: u64, len: u64 },
    /// The disk is full; to be asked for again at the given time.
    NoSpace { retry_at: Instant },
}

/// A segment of the chain.
struct Link {
    sequence: u64,
    len: u64,
    first: Option<First>,
}

/// The first batch of a segment.
struct First {
    /// Its number; 0 if it is durable since before the start.
    batch: u64,
    /// Last transaction before it.
    prev: Zxid,
    /// It makes everything before it void.
    restart: bool,
}

impl From<SegmentStart> for Link {
    fn from(start: SegmentStart) -> Link {
        let first = start.first.map(|(prev, restart)| First { batch: 0, prev, restart });
        Link { sequence: start.sequence, len: start.len, first }
    }
}

/// The chain of segments.
pub(crate) struct Segments {
    /// Segments with batches, oldest first, the current one last.
    chain: VecDeque<Link>,
    /// Segments that nobody needs, oldest first, older than all of the chain.
    retired: VecDeque<(u64, u64)>,
    /// Length of a segment found at start right behind the current one, never written.
    blank: Option<u64>,
    current: Option<CurrentSegment>,
    next: Next,
    next_sequence: u64,
    /// Length that the next segment must have at least.
    min_len: u64,
    salt: u64,
    prepared: u64,
}

/// What recovery found, for the writer to continue.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Segments with batches, oldest first, the current one last.
    pub segments: Vec<SegmentStart>,
    /// The last of them.
    pub current: Option<CurrentSegment>,
    /// Number of the segment that comes next.
    pub next_sequence: u64,
    /// Length of a segment right behind it that was never written.
    pub blank: Option<u64>,
}

impl Segments {
    pub(crate) fn new(chain: Chain, salt: u64) -> Segments {
        let last = chain.segments.last().map(|s| s.sequence);
        assert_eq!(chain.current.map(|c| c.sequence), last, "the current segment is the last with batches");
        assert!(last.is_none_or(|last| chain.next_sequence == last + 1), "segments are numbered without gaps");
        Segments {
            chain: chain.segments.into_iter().map(Link::from).collect(),
            retired: VecDeque::new(),
            blank: chain.blank,
            current: chain.current,
            next: Next::Wanted,
            next_sequence: chain.next_sequence,
            min_len: 0,
            salt,
            prepared: 0,
        }
    }

    pub(crate) fn current(&self) -> Option<&CurrentSegment> {
        self.current.as_ref()
    }

    /// Bytes left in the current segment.
    pub(crate) fn room(&self) -> u64 {
        self.current.map_or(0, |c| c.len - c.offset)
    }

    pub(crate) fn next_is_ready(&self) -> bool {
        matches!(self.next, Next::Ready { .. })
    }

    pub(crate) fn is_full(&self) -> bool {
        matches!(self.next, Next::NoSpace { .. })
    }

    pub(crate) fn retry_at(&self) -> Option<Instant> {
        if let Next::NoSpace { retry_at } = self.next { Some(retry_at) } else { None }
    }

    /// The next segment must have room for a batch of this size, also if that is more than usual.
    pub(crate) fn require(&mut self, batch: u64) {
        self.min_len = self.min_len.max(batch + BLOCK as u64);
    }

    /// Moves the place of the next batch.
    pub(crate) fn advance(&mut self, bytes: u64) {
        let current = self.current.as_mut().expect("a batch was just placed in the current segment");
        current.offset += bytes;
        assert!(current.offset <= current.len, "batches stay inside their segment");
    }

    /// The request for the next segment, when one is due.
    pub(crate) fn poll_prepare(&mut self, config: &LogConfig, now: Instant, urgent: bool) -> Option<LogOp> {
        match self.next {
            Next::Wanted => {}
            Next::NoSpace { retry_at } if now >= retry_at => {}
            _ => return None,
        }
        let len = config.segment_bytes.max(self.min_len);
        let sequence = self.next_sequence;
        // A blank segment found at start has the number already. If its length does not fit, the new one replaces it.
        let blank = self.blank.take().filter(|&blank_len| blank_len == len).map(|_| sequence);
        let reuse = blank.or_else(|| self.reusable(len));
        self.prepared += 1;
        let generation = generation(self.salt, self.prepared);
        self.next = Next::Asked { sequence, generation, len };
        Some(LogOp::Prepare(PrepareOp { segment: sequence, generation, len, reuse, urgent }))
    }

    /// The oldest retired segment, if it has the length.
    fn reusable(&mut self, len: u64) -> Option<u64> {
        let &(_, oldest_len) = self.retired.front()?;
        if oldest_len == len { self.retired.pop_front().map(|(s, _)| s) } else { None }
    }

    pub(crate) fn prepared(
        &mut self,
        segment: u64,
        result: Result<(), PrepareError>,
        retry_at: Instant,
    ) -> Result<(), String> {
        let Next::Asked { sequence, generation, len } = self.next else {
            unreachable!("an answer about segment {segment:016x} that was not asked for");
        };
        assert_eq!(sequence, segment, "one segment is prepared at a time");
        self.next = match result {
            Ok(()) => Next::Ready { sequence, generation, len },
            Err(PrepareError::NoSpace) => Next::NoSpace { retry_at },
            Err(PrepareError::Failed(error)) => return Err(error),
        };
        Ok(())
    }

    /// Goes on to the next segment, whose first batch has the number `first_batch` and follows `prev`.
    pub(crate) fn rotate(&mut self, prev: Zxid, first_batch: u64, restart: bool) {
        let Next::Ready { sequence, generation, len } = self.next else {
            unreachable!("only a segment that is ready is written to");
        };
        assert_eq!(sequence, self.next_sequence, "segments are numbered without gaps");
        self.current = Some(CurrentSegment { sequence, generation, len, offset: BLOCK as u64 });
        self.chain.push_back(Link { sequence, len, first: Some(First { batch: first_batch, prev, restart }) });
        self.next_sequence += 1;
        self.next = Next::Wanted;
        if len >= self.min_len {
            self.min_len = 0;
        }
    }

    /// Retires what recovery from a snapshot of `zxid` or later would not read. A segment goes only when the first
    /// batch of the one to start with is on stable storage: what follows must never be without a beginning.
    pub(crate) fn retire(&mut self, zxid: Zxid, synced_before: u64, too_much: bool) {
        let may_begin = |f: &First| (f.restart || f.prev <= zxid) && f.batch < synced_before;
        let begins = |l: &Link| too_much || l.first.as_ref().is_some_and(may_begin);
        let mut begin = self.chain.iter().rposition(begins).unwrap_or(0);
        // As long as the snapshot that the log restarted at is kept, so is the mark that says so.
        let is_needed_mark = |l: &Link| l.first.as_ref().is_some_and(|f| f.restart && f.prev >= zxid);
        if let Some(mark) = self.chain.iter().rposition(is_needed_mark) {
            begin = begin.min(mark);
        }
        for Link { sequence, len, .. } in self.chain.drain(..begin) {
            self.retired.push_back((sequence, len));
        }
    }

    /// The current segment, wiped at start, gets its first batch.
    pub(crate) fn note_first(&mut self, batch: u64, prev: Zxid) {
        let current = self.chain.back_mut().expect("the current segment is in the chain");
        current.first.get_or_insert(First { batch, prev, restart: false });
    }

    /// The removal of a segment that is not even kept for reuse.
    pub(crate) fn poll_delete(&mut self, config: &LogConfig) -> Option<LogOp> {
        let unfit = self.retired.front().is_some_and(|&(_, len)| len != config.segment_bytes);
        if self.retired.len() > config.recycle || unfit {
            return self.retired.pop_front().map(|(segment, _)| LogOp::Delete { segment });
        }
        None
    }

    /// The segments that the valid log consists of, oldest first.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        let restarts = |l: &Link| l.first.as_ref().is_some_and(|f| f.restart);
        let from = self.chain.iter().rposition(restarts).unwrap_or(0);
        let stretch = |l: &Link| {
            let first = l.first.as_ref()?;
            Some(Stretch { sequence: l.sequence, len: l.len, prev: first.prev })
        };
        self.chain.iter().skip(from).filter_map(stretch).collect()
    }

    /// Bytes of segments that hold only transactions behind this one: a reader of what is behind it reads at least these.
    pub(crate) fn bytes_behind(&self, after: Zxid) -> u64 {
        let holds = |l: &Link| l.first.as_ref().is_some_and(|f| f.prev <= after);
        let behind = self.chain.iter().rposition(holds).map_or(0, |at| at + 1);
        let used = |l: &Link| match &self.current {
            Some(current) if current.sequence == l.sequence => current.offset,
            _ => l.len,
        };
        self.chain.iter().skip(behind).map(used).sum()
    }

    /// The transaction before the first one that the segments hold.
    pub(crate) fn reaches_back_to(&self) -> Option<Zxid> {
        let mut firsts = self.chain.iter().filter_map(|l| l.first.as_ref());
        let oldest = firsts.next()?;
        firsts.rfind(|f| f.restart).or(Some(oldest)).map(|f| f.prev)
    }
}

/// A number that no client can guess and that no segment has had before: SplitMix64's finaliser over a random salt.
fn generation(salt: u64, count: u64) -> u64 {
    crate::rng::Rng::new(salt.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15))).next_u64()
}
