//! How far transactions are known to be committed, and how far the log says so.

use super::LogWriter;
use crate::format::{BLOCK, BatchKind};
use crate::planted::{Defects, planted};
use ringkeeper_core::ids::Zxid;

/// Never falls, except where another history takes the place of the log's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watermark {
    known: Zxid,
    /// Of that, what the last batch states.
    stated: Zxid,
}

impl Watermark {
    /// Of a log, or its snapshot, that says so.
    pub(super) fn new(committed: Zxid) -> Watermark {
        Watermark { known: committed, stated: committed }
    }

    pub(super) fn known(&self) -> Zxid {
        self.known
    }

    /// The log goes on from a snapshot: it is of what is committed, and what was known concerns another history.
    pub(super) fn restart_at(&mut self, at: Zxid) {
        *self = Watermark { known: at, stated: Zxid::ZERO };
    }

    /// What a batch that ends with `last` states.
    pub(super) fn state(&mut self, kind: BatchKind, last: Zxid, defects: Defects) -> Zxid {
        let committed = self.known.min(last);
        assert!(committed >= self.stated, "a {kind:?} at {last} does not take back that {} is committed", self.stated);
        self.stated = committed;
        if planted!(defects, WatermarkTooHigh) { last } else { committed }
    }
}

impl LogWriter {
    /// Everything through `zxid` is committed: a quorum has it, and no leader will ever cut it off. Batches and seals
    /// written from now on say so, as far as they reach, for the next start to apply it. To be told before each round of
    /// [`poll_op`](Self::poll_op); an older one than before changes nothing.
    ///
    /// It is about the history of this log. While the log [is frozen](Self::freeze), to go on in another one, it is not
    /// listened to; tell it again afterwards.
    pub fn committed(&mut self, zxid: Zxid) {
        if !self.frozen {
            self.watermark.known = self.watermark.known.max(zxid);
        }
    }

    /// Everything through this zxid is known to be committed.
    #[must_use]
    pub fn known_committed(&self) -> Zxid {
        self.watermark.known
    }

    /// Whether a seal can be written at once. Nobody waits for a segment to be made for it.
    pub(crate) fn has_room_for_seal(&self) -> bool {
        self.segments.room() >= BLOCK as u64 || self.segments.next_is_ready()
    }

    /// Whether a seal would say more than the last batch does. On a full disk that is not worth a block, which
    /// transactions may need, except at the very end.
    pub(super) fn watermark_moved(&self) -> bool {
        let moved = self.watermark.known.min(self.written) > self.watermark.stated;
        moved && (self.finishing || !self.segments.is_full())
    }
}
