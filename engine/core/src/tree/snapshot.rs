//! Takes a snapshot of one exact zxid while transactions go on.
//!
//! The walk goes through the slots in slices, between transactions. A node that is about to change before the walk has
//! come by is written first, as it is (its pre-image), and marked so that the walk passes over it; a node that came into
//! being since the beginning is marked at birth. Every mark below the limit is cleared as the walk passes. Sessions are
//! treated likewise, in the order of their ids. So beginning costs nothing, and a transaction at most one copy of each
//! node that it changes. A tree that is replaced as a whole stays until its snapshot has been taken.

use super::acl_table::{AclTable, OPEN};
use super::node::{Kind, NodeRecord, Slot};
use super::{Tree, record};
use crate::ids::{SessionId, Zxid};
use std::collections::BTreeSet;

/// A slice ends when it has written so much, lest large nodes make it long.
const SLICE_BYTES: usize = 1 << 20;

/// What a snapshot is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotHead {
    /// The last transaction in it.
    pub zxid: Zxid,
    /// Digest of the tree after it.
    pub digest: u64,
    /// Nodes.
    pub node_count: u64,
    /// Sessions.
    pub session_count: u64,
}

/// How far the walk has come.
#[derive(Clone)]
pub(super) struct Walk {
    head: SnapshotHead,
    /// Tells this walk from others of the same tree.
    serial: u64,
    /// Records that wait to be taken: the head, then pre-images.
    pending: Vec<u8>,
    records: u64,
    /// Of all bytes that have been taken.
    crc: u32,
    /// The next slot to write.
    cursor: Slot,
    /// The first slot that was not in use at the beginning.
    limit: Slot,
    lists: u32,
    /// The slots that have been marked, some perhaps cleared since.
    marked: Vec<Slot>,
    /// The last session written.
    session: Option<SessionId>,
    /// Sessions behind the last one written which are younger than the snapshot, or have been written.
    skipped_sessions: BTreeSet<SessionId>,
}

impl Walk {
    fn has_ahead(&self, slot: Slot) -> bool {
        self.cursor <= slot && slot < self.limit
    }

    fn has_session_ahead(&self, id: SessionId) -> bool {
        self.session.is_none_or(|last| last < id)
    }

    /// Writes a node, and its list before it if the snapshot does not have it yet.
    fn write(&mut self, slot: Slot, node: &NodeRecord, kind: Kind, acls: &mut AclTable, out: &mut Vec<u8>) {
        let mut number = 0;
        if node.acl != OPEN {
            let (given, new) = acls.number_in(node.acl, self.serial, self.lists + 1);
            number = given;
            if new {
                self.lists += 1;
                record::write_list(out, number, acls.get(node.acl).as_deref().unwrap_or_default());
                self.records += 1;
            }
        }
        record::write_node(out, slot, node, kind, number);
        self.records += 1;
    }
}

impl Tree {
    /// Begins a snapshot of the tree as it is now. Take it with [`Tree::snapshot_slice`].
    ///
    /// # Panics
    /// If a snapshot is being taken: there is one at a time.
    pub fn snapshot_begin(&mut self) -> SnapshotHead {
        assert!(self.snapshot_running().is_none(), "one snapshot at a time");
        self.snapshots_begun += 1;
        let head = SnapshotHead {
            zxid: self.last_zxid,
            digest: self.digest,
            node_count: self.node_count() as u64,
            session_count: self.sessions.len() as u64,
        };
        let (mut pending, mut records) = (Vec::new(), 1);
        if self.restored_at == Zxid::ZERO {
            record::write_head(&mut pending, record::FORMAT, &head);
        } else {
            record::write_head(&mut pending, record::FORMAT_RESTORED, &head);
            record::write_restored(&mut pending, self.restored_at);
            records += 1;
        }
        self.walk = Some(Walk {
            head,
            serial: self.snapshots_begun,
            pending,
            records,
            crc: 0,
            cursor: 0,
            limit: self.slab.limit(),
            lists: 0,
            marked: Vec::new(),
            session: None,
            skipped_sessions: BTreeSet::new(),
        });
        head
    }

    /// Whether a snapshot is being taken, and of what.
    #[must_use]
    pub fn snapshot_running(&self) -> Option<SnapshotHead> {
        match &self.replaced {
            Some(replaced) => replaced.snapshot_running(),
            None => self.walk.as_ref().map(|walk| walk.head),
        }
    }

    /// Appends the next part of the snapshot to `out`: the pre-images that wait, then nodes and sessions from at most
    /// `max_nodes` places, fewer if they are large. True when that was the last part.
    ///
    /// # Panics
    /// If no snapshot has been begun.
    pub fn snapshot_slice(&mut self, max_nodes: usize, out: &mut Vec<u8>) -> bool {
        if let Some(replaced) = &mut self.replaced {
            let last = replaced.snapshot_slice(max_nodes, out);
            if last {
                self.replaced = None;
            }
            return last;
        }
        let mut walk = self.walk.take().expect("a slice is taken of a snapshot that was begun");
        let start = out.len();
        let full = start.saturating_add(SLICE_BYTES);
        out.append(&mut walk.pending);
        let mut left = max_nodes;
        while left > 0 && walk.cursor < walk.limit && out.len() < full {
            self.walk_node(&mut walk, out);
            left -= 1;
        }
        if walk.cursor == walk.limit {
            left = self.walk_sessions(&mut walk, left, full, out);
        }
        walk.crc = crc32c::crc32c_append(walk.crc, &out[start..]);
        if left == 0 || walk.cursor < walk.limit || out.len() >= full {
            self.walk = Some(walk);
            return false;
        }
        record::write_end(out, walk.records, walk.crc);
        true
    }

    /// Forgets the snapshot that is being taken, if any.
    pub fn snapshot_abort(&mut self) {
        self.replaced = None;
        let Some(walk) = self.walk.take() else { return };
        for slot in walk.marked {
            self.slab[slot].set_skipped(false);
        }
    }

    fn walk_node(&mut self, walk: &mut Walk, out: &mut Vec<u8>) {
        let slot = walk.cursor;
        walk.cursor += 1;
        if self.slab[slot].is_vacant() {
            return;
        }
        if self.slab[slot].is_skipped() {
            self.slab[slot].set_skipped(false);
            return;
        }
        let kind = self.kind_of(slot);
        walk.write(slot, &self.slab[slot], kind, &mut self.acls, out);
    }

    /// Returns how many places are left of `left`; 0 if there may be more sessions.
    fn walk_sessions(&self, walk: &mut Walk, mut left: usize, full: usize, out: &mut Vec<u8>) -> usize {
        for (id, entry) in self.sessions.iter_after(walk.session) {
            if left == 0 || out.len() >= full {
                return 0;
            }
            left -= 1;
            walk.session = Some(id);
            if !walk.skipped_sessions.remove(&id) {
                record::write_session(out, id, entry);
                walk.records += 1;
            }
        }
        left
    }

    /// To be called before anything of the node changes that a snapshot has.
    pub(super) fn save_for_snapshot(&mut self, slot: Slot) {
        if self.walk.as_ref().is_some_and(|walk| walk.has_ahead(slot)) && !self.slab[slot].is_skipped() {
            let kind = self.kind_of(slot);
            let walk = self.walk.as_mut().expect("seen just now");
            let mut pending = std::mem::take(&mut walk.pending);
            walk.write(slot, &self.slab[slot], kind, &mut self.acls, &mut pending);
            walk.pending = pending;
            walk.marked.push(slot);
            self.slab[slot].set_skipped(true);
        }
    }

    /// To be called when a node has come into being.
    pub(super) fn hide_from_snapshot(&mut self, slot: Slot) {
        if let Some(walk) = &mut self.walk
            && walk.has_ahead(slot)
        {
            walk.marked.push(slot);
            self.slab[slot].set_skipped(true);
        }
    }

    /// To be called before a session goes.
    pub(super) fn save_session_for_snapshot(&mut self, id: SessionId) {
        let (Some(walk), Some(entry)) = (&mut self.walk, self.sessions.get(id)) else { return };
        if walk.has_session_ahead(id) && !walk.skipped_sessions.remove(&id) {
            record::write_session(&mut walk.pending, id, entry);
            walk.records += 1;
        }
    }

    /// To be called before a session changes.
    pub(super) fn keep_session_for_snapshot(&mut self, id: SessionId) {
        let (Some(walk), Some(entry)) = (&mut self.walk, self.sessions.get(id)) else { return };
        if walk.has_session_ahead(id) && walk.skipped_sessions.insert(id) {
            record::write_session(&mut walk.pending, id, entry);
            walk.records += 1;
        }
    }

    /// To be called when a session has come into being.
    pub(super) fn hide_session_from_snapshot(&mut self, id: SessionId) {
        if let Some(walk) = &mut self.walk
            && walk.has_session_ahead(id)
        {
            walk.skipped_sessions.insert(id);
        }
    }
}
