//! The tree as frontends on other executors see it: two copies, one being read while the other is written (left-right).
//!
//! The writer applies a turn's transactions to the copy that nobody reads, publishes it, and catches the other copy up
//! when it next writes. A reader never waits for the writer to finish; a whole turn, and with it a whole multi, appears
//! at once. Costs: a second tree, every transaction applied twice.
//!
//! The copies are behind ordinary read-write locks, which are never contended for long: a reader holds one for a
//! request, and the writer locks only the copy that readers have been told to leave.

use ringkeeper_core::frame::{Frame, FrameBuf};
use ringkeeper_core::tree::{Applied, ApplyError, Tree};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

struct Copies {
    trees: [RwLock<Tree>; 2],
    /// Which copy is read.
    published: AtomicUsize,
}

/// The reading side; one for each frontend.
#[derive(Clone)]
pub(crate) struct Published {
    copies: Arc<Copies>,
}

impl Published {
    /// The published tree. Hold it for a request, never across an await: the writer may be waiting.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Tree> {
        loop {
            let at = self.copies.published.load(Ordering::Acquire);
            // It can only be locked if it has ceased to be the published one. And a reader that was held up for a turn
            // may get hold of it when it is written but not published yet: that state is not to be seen.
            if let Ok(tree) = self.copies.trees[at].try_read()
                && self.copies.published.load(Ordering::Acquire) == at
            {
                return tree;
            }
            std::hint::spin_loop();
        }
    }
}

/// The writing side.
pub(crate) struct Publisher {
    copies: Arc<Copies>,
    /// What has been applied to the published copy and not to the other.
    behind: FrameBuf,
    applied: Applied,
}

impl Publisher {
    /// Publishes `tree`; `twin` is an equal second copy.
    ///
    /// # Panics
    /// If the copies differ.
    pub(crate) fn new(tree: Tree, twin: Tree) -> (Publisher, Published) {
        assert_eq!(
            (tree.last_zxid(), tree.digest()),
            (twin.last_zxid(), twin.digest()),
            "the copies of the tree start equal"
        );
        let copies = Arc::new(Copies { trees: [RwLock::new(tree), RwLock::new(twin)], published: AtomicUsize::new(0) });
        let publisher = Publisher { copies: Arc::clone(&copies), behind: FrameBuf::new(), applied: Applied::default() };
        (publisher, Published { copies })
    }

    /// The copy to write to, caught up with the published one.
    ///
    /// # Errors
    /// A transaction that the other copy has taken does not fit this one: the copies have diverged.
    pub(crate) fn write(&mut self) -> Result<RwLockWriteGuard<'_, Tree>, ApplyError> {
        let at = self.written();
        let mut tree = self.copies.trees[at].write().unwrap_or_else(PoisonError::into_inner);
        let mut rest: &[u8] = &self.behind;
        while !rest.is_empty() {
            let frame = Frame::trusted(rest);
            tree.apply(&frame, &mut self.applied)?;
            rest = &rest[frame.as_bytes().len()..];
        }
        self.behind.clear();
        Ok(tree)
    }

    /// The copy last written to, to which `frames` have been applied, is what is read from now on. Without frames the
    /// copies are equal, and change their parts.
    pub(crate) fn publish(&mut self, frames: &FrameBuf) {
        assert!(self.behind.is_empty(), "a copy is caught up before it is published");
        self.behind.extend_from_slice(frames);
        self.copies.published.store(self.written(), Ordering::Release);
    }

    /// Which copy is written to.
    pub(crate) fn written(&self) -> usize {
        1 - self.copies.published.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringkeeper_core::frame::{FrameHeader, encode};
    use ringkeeper_core::ids::{SessionId, Tag, WallMs, Zxid};
    use ringkeeper_core::txn::{self, TxnType, v1};
    use std::sync::atomic::AtomicBool;
    use std::thread;

    fn header(zxid: u64, txn_type: TxnType) -> FrameHeader {
        let (session, wall) = (SessionId::NONE, WallMs(1));
        FrameHeader {
            zxid: Zxid(zxid),
            prev_zxid: Zxid(zxid - 1),
            session,
            wall,
            cxid: 0,
            txn_type: txn_type as i32,
            tag: Tag::NONE,
        }
    }

    fn create(zxid: u64, path: &str) -> FrameBuf {
        let mut out = FrameBuf::new();
        let txn = v1::Create { path, data: Some(b"0"), acl: &[], owner: 0, parent_cversion: zxid as i32 };
        encode(&mut out, &header(zxid, TxnType::Create), |buf| txn::write_create(buf, &txn));
        out
    }

    /// Both nodes get the same data in one transaction.
    fn set_both(zxid: u64) -> FrameBuf {
        let mut out = FrameBuf::new();
        let data = zxid.to_string();
        let set = |path| v1::Op::SetData(v1::SetData { path, data: Some(data.as_bytes()), version: zxid as i32 });
        let ops = [set("/a"), set("/b")];
        encode(&mut out, &header(zxid, TxnType::Multi), |buf| txn::write_multi(buf, &v1::Multi { ops: &ops }));
        out
    }

    fn turn(publisher: &mut Publisher, frames: &FrameBuf) {
        let mut tree = publisher.write().unwrap();
        tree.apply(&Frame::parse(frames).unwrap(), &mut Applied::default()).unwrap();
        drop(tree);
        publisher.publish(frames);
    }

    #[test]
    fn readers_see_whole_transactions_and_never_go_back() {
        let (mut publisher, published) = Publisher::new(Tree::new(), Tree::new());
        turn(&mut publisher, &create(1, "/a"));
        turn(&mut publisher, &create(2, "/b"));
        let over = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (published, over) = (published.clone(), Arc::clone(&over));
                thread::spawn(move || {
                    let mut seen = Zxid::ZERO;
                    while !over.load(Ordering::Relaxed) {
                        let tree = published.read();
                        let (a, b) = (tree.get("/a").unwrap(), tree.get("/b").unwrap());
                        assert_eq!(a.data(), b.data(), "a multi appears whole");
                        assert!(tree.last_zxid() >= seen);
                        seen = tree.last_zxid();
                    }
                    seen
                })
            })
            .collect();
        for zxid in 3..20_000 {
            turn(&mut publisher, &set_both(zxid));
        }
        over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
        let digest = published.read().digest();
        assert_eq!(publisher.write().unwrap().digest(), digest, "the other copy catches up to the same");
    }

    #[test]
    fn equal_copies_can_change_their_parts() {
        let (mut publisher, published) = Publisher::new(Tree::new(), Tree::new());
        turn(&mut publisher, &create(1, "/a"));
        let before = publisher.written();
        drop(publisher.write().unwrap());
        publisher.publish(&FrameBuf::new());
        assert_ne!(publisher.written(), before);
        assert_eq!(published.read().last_zxid(), Zxid(1));
    }
}
