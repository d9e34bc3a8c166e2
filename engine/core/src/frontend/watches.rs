//! Watch events: sent before any reply that shows the change, each once a connection, only to who may read the node.

use super::Frontend;
use crate::acl::{AclRef, allows, perms};
use crate::exchange::Committed;
use crate::ids::{ConnId, Zxid};
use crate::jute::{SetWatches, append_notification};
use crate::tree::{Change, ChangeKind, Tree, path};
use crate::watch::{EventType, WatchKind};

/// Header zxid of events that answer setWatches.
const REPLAYED: i64 = -1;

impl Frontend {
    /// A client has reconnected and tells what it watched, and up to where it has seen: what has happened since it is
    /// told now, the rest is watched again.
    ///
    /// If the whole tree was replaced meanwhile, nodes may be older than what the client has seen of them, and no zxid of
    /// theirs tells: whatever is there counts as changed then.
    ///
    /// Source: `DataTree.setWatches`.
    pub(super) fn set_watches(&mut self, id: ConnId, watches: &SetWatches<'_>, tree: &Tree, out: &mut Vec<u8>) {
        let seen = watches.relative_zxid;
        let replaced = seen < tree.restored_at().wire();
        let mut later = |event: EventType, path: &str| append_notification(out, REPLAYED, event as i32, path);
        let slot = id.slot;
        for path in watches.data.iter() {
            match tree.get(&path) {
                None => later(EventType::NodeDeleted, &path),
                Some(node) if replaced || node.stat().mzxid > seen => later(EventType::NodeDataChanged, &path),
                Some(_) => self.watches.add(slot, &path, WatchKind::Data),
            }
        }
        for path in watches.exist.iter() {
            match tree.get(&path) {
                Some(_) => later(EventType::NodeCreated, &path),
                None => self.watches.add(slot, &path, WatchKind::Data),
            }
        }
        for path in watches.child.iter() {
            match tree.get(&path) {
                None => later(EventType::NodeDeleted, &path),
                Some(node) if replaced || node.stat().pzxid > seen => later(EventType::NodeChildrenChanged, &path),
                Some(_) => self.watches.add(slot, &path, WatchKind::Child),
            }
        }
        for path in watches.persistent.iter() {
            self.watches.add(slot, &path, WatchKind::Persistent);
        }
        for path in watches.persistent_recursive.iter() {
            self.watches.add(slot, &path, WatchKind::Recursive);
        }
    }

    /// Fires the watches of a transaction, change by change.
    pub(super) fn fire(&mut self, committed: &Committed<'_>) {
        if self.watches.summary().watches == 0 {
            return;
        }
        let applied = committed.applied;
        for change in &applied.changes {
            self.fire_change(committed.zxid, change, applied.path(&change.path));
        }
    }

    fn fire_change(&mut self, zxid: Zxid, change: &Change, node: &str) {
        let event = match change.kind {
            ChangeKind::Created => EventType::NodeCreated,
            ChangeKind::Deleted => EventType::NodeDeleted,
            ChangeKind::DataChanged => EventType::NodeDataChanged,
            ChangeKind::ChildrenChanged => EventType::NodeChildrenChanged,
        };
        self.fire_event(zxid, event, node, &change.acl);
        if matches!(change.kind, ChangeKind::Created | ChangeKind::Deleted) {
            self.fire_event(zxid, EventType::NodeChildrenChanged, path::parent(node), &change.parent_acl);
        }
    }

    /// One-shot watches are used up even where the event may not be told (ZOOKEEPER-4799).
    fn fire_event(&mut self, zxid: Zxid, event: EventType, node: &str, acl: &AclRef) {
        let mut hit = core::mem::take(&mut self.hit);
        hit.clear();
        self.watches.fire(event, node, &mut hit);
        let (mut told, mut bytes) = (0, 0);
        for slot in &hit {
            let id =
                ConnId { frontend: self.config.index, slot: *slot, generation: self.conns[*slot as usize].generation };
            let may_read = self.config.skip_acl
                || acl.is_none()
                || self.peek(id).is_some_and(|conn| allows(acl, perms::READ, &conn.auth));
            if may_read && let Some(out) = self.out(id) {
                let before = out.len();
                append_notification(out, zxid.wire(), event as i32, node);
                bytes += out.len() - before;
                told += 1;
            }
        }
        self.measures.note_told(event, told);
        self.measures.watch_bytes += bytes as u64;
        self.hit = hit;
    }
}
