//! What the replica has done in one turn, written down for frontends on other executors, who read it a little later.
//!
//! The order that keeps the promise "an event before the data that it announces": the bulletin is handed out first,
//! then the tree is published; a frontend that sees a tree newer than the last bulletin it has delivered delivers the
//! next ones first.

use crate::exchange::{Answer, Audience, Committed, Origin};
use crate::frame::{Frame, FrameBuf};
use crate::frontend::Frontend;
use crate::ids::Zxid;
use crate::tree::{Applied, Tree};
use core::ops::Range;

/// A turn's transactions and answers, in order.
#[derive(Debug, Default)]
pub struct Bulletin {
    /// State of the tree that shows all of it.
    pub through: Zxid,
    notices: Vec<Notice>,
    frames: FrameBuf,
}

#[derive(Debug)]
enum Notice {
    Committed { zxid: Zxid, origin: Option<Origin>, frame: Range<usize>, applied: Applied },
    Answer { zxid: Zxid, answer: Answer },
}

impl Bulletin {
    /// An empty one.
    #[must_use]
    pub fn new() -> Bulletin {
        Bulletin::default()
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.notices.is_empty()
    }

    /// The frames of the transactions, end to end: a second copy of the tree is brought up to date by them.
    #[must_use]
    pub fn frames(&self) -> &FrameBuf {
        &self.frames
    }

    /// Tells a frontend, which takes what concerns its connections. The tree may be further on, but then
    /// [`Frontend::settle`] must wait until the bulletins through its state have been delivered too.
    ///
    /// # Panics
    /// If the tree does not show the bulletin's transactions yet.
    pub fn deliver(&self, tree: &Tree, frontend: &mut Frontend) {
        assert!(tree.last_zxid() >= self.through, "a bulletin is read beside a tree that shows it");
        for notice in &self.notices {
            match notice {
                Notice::Committed { zxid, origin, frame, applied } => {
                    let frame = Frame::trusted(&self.frames[frame.clone()]);
                    frontend.committed(tree, &Committed { zxid: *zxid, origin: *origin, frame, applied });
                }
                Notice::Answer { zxid, answer } => frontend.answer(tree, *zxid, answer.clone()),
            }
        }
    }
}

impl Audience for Bulletin {
    fn committed(&mut self, _tree: &Tree, committed: &Committed<'_>) {
        let start = self.frames.len();
        self.frames.extend_from_slice(committed.frame.as_bytes());
        self.through = committed.zxid;
        self.notices.push(Notice::Committed {
            zxid: committed.zxid,
            origin: committed.origin,
            frame: start..self.frames.len(),
            applied: committed.applied.clone(),
        });
    }

    fn answer(&mut self, _tree: &Tree, zxid: Zxid, answer: Answer) {
        self.through = zxid;
        self.notices.push(Notice::Answer { zxid, answer });
    }
}
