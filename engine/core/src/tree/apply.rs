//! Applies transactions: what each does to nodes, parents, lists, digest and indexes.
//!
//! Source of the rules: `DataTree.processTxn` and what it calls; surface 2.1 to 2.3.

use super::applied::{Applied, ApplyError, Change, ChangeKind, OpResult};
use super::node::{Kind, NodeRecord, ROOT, Slot};
use super::path::{Hashed, PathHash};
use super::session_table::SessionEntry;
use super::{Tree, digest};
use crate::frame::Frame;
use crate::ids::{SessionId, Zxid};
use crate::txn::{self, TxnType, v1};
use std::ops::Range;

/// What every change of one transaction has in common.
#[derive(Clone, Copy)]
struct Stamp {
    zxid: u64,
    wall: i64,
}

impl Tree {
    /// Applies the transaction that comes next. `out` tells what became of it.
    ///
    /// # Errors
    /// [`ApplyError`] if the transaction contradicts the tree. It may then be half applied: the caller must halt.
    pub fn apply(&mut self, frame: &Frame<'_>, out: &mut Applied) -> Result<(), ApplyError> {
        out.clear();
        let (zxid, prev, last) = (frame.zxid(), frame.prev_zxid(), self.last_zxid);
        if prev != last || zxid <= last {
            return Err(ApplyError::Chain { zxid, prev, last });
        }
        let stamp = Stamp { zxid: zxid.0, wall: frame.wall().0 };
        let kind = TxnType::from_wire(frame.txn_type()).ok_or(ApplyError::UnknownType(frame.txn_type()))?;
        match kind {
            TxnType::Create => self.create(stamp, txn::read_create(frame.body())?, false, out)?,
            TxnType::Delete => self.delete(stamp, &txn::read_delete(frame.body())?.path, out)?,
            TxnType::SetData => self.set_data(stamp, txn::read_set_data(frame.body())?, out)?,
            TxnType::SetAcl => self.set_acl(txn::read_set_acl(frame.body())?, out)?,
            TxnType::Multi => self.multi(stamp, txn::read_multi(frame.body())?, out)?,
            TxnType::CreateSession => self.create_session(frame, out)?,
            TxnType::CloseSession => self.close_session(stamp, frame.session(), out),
            TxnType::MoveSession => self.move_session(frame, out)?,
            TxnType::Restore => self.restore(zxid, txn::read_restore(frame.body())?, out)?,
        }
        self.last_zxid = zxid;
        out.zxid = Zxid(stamp.zxid);
        Ok(())
    }

    fn multi(&mut self, stamp: Stamp, txn: &v1::ArchivedMulti<'_>, out: &mut Applied) -> Result<(), ApplyError> {
        for op in txn.ops.iter() {
            match op {
                v1::ArchivedOp::Create { txn, create2 } => self.create(stamp, txn, *create2, out)?,
                v1::ArchivedOp::Delete(txn) => self.delete(stamp, &txn.path, out)?,
                v1::ArchivedOp::SetData(txn) => self.set_data(stamp, txn, out)?,
                v1::ArchivedOp::Check => out.results.push(OpResult::Checked),
            }
        }
        Ok(())
    }

    fn create(
        &mut self,
        stamp: Stamp,
        txn: &v1::ArchivedCreate<'_>,
        create2: bool,
        out: &mut Applied,
    ) -> Result<(), ApplyError> {
        let path: &str = &txn.path;
        let parent_cversion = txn.parent_cversion.to_native();
        let (at, parent, kind) = self.check_create(path, txn.owner.to_native(), parent_cversion)?;
        let data = txn.data.as_ref().map(|data| &**data);
        let acl = self.acls.acquire(acl_entries(&txn.acl));

        self.save_for_snapshot(parent);
        let mut record = NodeRecord::new(at.name, data, kind, acl);
        (record.czxid, record.mzxid, record.pzxid) = (stamp.zxid, stamp.zxid, stamp.zxid);
        (record.ctime, record.mtime) = (stamp.wall, stamp.wall);
        let slot = self.insert(at.hash, record, kind);
        self.size += path.len() as u64;
        self.change_children(at.parent_hash, parent, |tree| {
            tree.link(slot, parent);
            let above = &mut tree.slab[parent];
            // At its maximum the count stays, and pzxid with it.
            if parent_cversion > above.create_count {
                (above.create_count, above.pzxid) = (parent_cversion, stamp.zxid);
            }
        });

        let stat = self.stat_of(slot);
        self.quota_created(path, slot, data.map_or(0, <[u8]>::len));
        let path = out.push_path(path);
        out.results.push(OpResult::Created { path: path.clone(), stat, create2 });
        self.push_change(ChangeKind::Created, path, acl, Some(parent), out);
        Ok(())
    }

    /// Puts a node that has no links yet into everything but its parent's list.
    fn insert(&mut self, hash: PathHash, record: NodeRecord, kind: Kind) -> Slot {
        self.digest = self.digest.wrapping_add(digest::of_node(hash, &record, kind, &self.acls));
        self.size += record.data_len() as u64;
        let slot = self.slab.insert(record);
        self.hide_from_snapshot(slot);
        self.index.insert(hash, slot);
        match kind {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => {
                self.ephemerals.entry(session).or_default().insert(slot);
                self.ephemeral_count += 1;
            }
            Kind::Container | Kind::Ttl(_) => self.reap.add(slot, kind, &self.slab[slot]),
        }
        slot
    }

    /// Whether the node can come into being; where, under which node, and of which kind.
    fn check_create<'a>(
        &self,
        path: &'a str,
        owner: i64,
        parent_cversion: i32,
    ) -> Result<(Hashed<'a>, Slot, Kind), ApplyError> {
        let at = Hashed::new(path).filter(|at| !at.name.is_empty());
        let at = at.ok_or_else(|| ApplyError::BadPath(path.into()))?;
        let parent = self.find_hashed(at.parent_hash, at.parent_path);
        let parent = parent.ok_or_else(|| ApplyError::NoParent(path.into()))?;
        let is_it = |slot| {
            let node = &self.slab[slot];
            node.parent == parent && node.name() == at.name.as_bytes()
        };
        if self.index.find(at.hash, is_it).is_some() {
            return Err(ApplyError::NodeExists(path.into()));
        }
        let above = &self.slab[parent];
        if above.is_ephemeral() {
            return Err(ApplyError::EphemeralParent(path.into()));
        }
        let count = above.create_count;
        // At the maximum the leader counts on and the tree does not: whatever it states is ignored.
        if count != i32::MAX && parent_cversion != count + 1 {
            return Err(ApplyError::CreateCount { path: path.into(), stated: parent_cversion, count });
        }
        let kind = Kind::from_owner(owner).ok_or_else(|| ApplyError::Owner { path: path.into(), owner })?;
        match kind {
            Kind::Ephemeral(session) if self.sessions.get(session).is_none() => Err(ApplyError::NoSession(session)),
            _ => Ok((at, parent, kind)),
        }
    }

    fn delete(&mut self, stamp: Stamp, path: &str, out: &mut Applied) -> Result<(), ApplyError> {
        let (at, slot) = self.existing(path)?;
        if slot == ROOT {
            return Err(ApplyError::BadPath(path.into()));
        }
        if self.slab[slot].child_count() > 0 {
            return Err(ApplyError::NotEmpty(path.into()));
        }
        let range = out.push_path(path);
        self.remove(stamp, at.hash, at.parent_hash, slot, range, out);
        out.results.push(OpResult::Deleted);
        Ok(())
    }

    /// Takes a childless node out of everything.
    fn remove(
        &mut self,
        stamp: Stamp,
        hash: PathHash,
        parent_hash: PathHash,
        slot: Slot,
        range: Range<usize>,
        out: &mut Applied,
    ) {
        let (parent, kind) = (self.slab[slot].parent, self.kind_of(slot));
        self.push_change(ChangeKind::Deleted, range.clone(), self.slab[slot].acl, Some(parent), out);
        self.save_for_snapshot(slot);
        self.save_for_snapshot(parent);
        match kind {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => self.forget_ephemeral(session, slot),
            Kind::Container | Kind::Ttl(_) => self.reap.remove(slot, &self.slab[slot]),
        }
        self.index.remove(hash, slot);
        self.change_children(parent_hash, parent, |tree| {
            tree.unlink(slot);
            let above = &mut tree.slab[parent];
            above.pzxid = above.pzxid.max(stamp.zxid);
        });
        let record = self.slab.remove(slot);
        self.digest = self.digest.wrapping_sub(digest::of_node(hash, &record, kind, &self.acls));
        self.acls.release(record.acl);
        self.size -= (out.path(&range).len() + record.data_len()) as u64;
        self.quota_deleted(out.path(&range), record.data_len());
    }

    fn set_data(&mut self, stamp: Stamp, txn: &v1::ArchivedSetData<'_>, out: &mut Applied) -> Result<(), ApplyError> {
        let path: &str = &txn.path;
        let (at, slot) = self.existing(path)?;
        let data = txn.data.as_ref().map(|data| &**data);
        self.save_for_snapshot(slot);
        let node = &mut self.slab[slot];
        let reapable = node.is_ttl() || node.is_container();
        if reapable {
            self.reap.leave(slot, node);
        }
        let less = digest::of_data(at.hash, node);
        let more = data.map_or(0, <[u8]>::len) as i64 - node.data_len() as i64;
        node.set_data(data);
        (node.mzxid, node.mtime, node.version) = (stamp.zxid, stamp.wall, txn.version.to_native());
        self.digest = self.digest.wrapping_sub(less).wrapping_add(digest::of_data(at.hash, node));
        if reapable {
            self.reap.enter(slot, node);
        }
        let acl = node.acl;
        self.size = self.size.wrapping_add_signed(more);
        out.results.push(OpResult::SetData(self.stat_of(slot)));
        self.quota_set(path, slot, more);
        let range = out.push_path(path);
        self.push_change(ChangeKind::DataChanged, range, acl, None, out);
        Ok(())
    }

    fn set_acl(&mut self, txn: &v1::ArchivedSetAcl<'_>, out: &mut Applied) -> Result<(), ApplyError> {
        let (at, slot) = self.existing(&txn.path)?;
        self.save_for_snapshot(slot);
        let kind = self.kind_of(slot);
        let acl = self.acls.acquire(acl_entries(&txn.acl));
        let node = &mut self.slab[slot];
        let less = digest::of_birth(at.hash, node, kind, &self.acls);
        let old = std::mem::replace(&mut node.acl, acl);
        node.aversion = txn.aversion.to_native();
        self.digest = self.digest.wrapping_sub(less).wrapping_add(digest::of_birth(at.hash, node, kind, &self.acls));
        self.acls.release(old);
        out.results.push(OpResult::SetAcl(self.stat_of(slot)));
        Ok(())
    }

    fn create_session(&mut self, frame: &Frame<'_>, out: &mut Applied) -> Result<(), ApplyError> {
        let txn = txn::read_create_session(frame.body())?;
        let passwd = (*txn.passwd).try_into().map_err(|_| ApplyError::Password(txn.passwd.len()))?;
        let timeout_ms = txn.timeout_ms.to_native();
        let id = frame.session();
        let added = (id != SessionId::NONE)
            .then(|| self.sessions.insert(id, SessionEntry { timeout_ms, passwd, owner: frame.tag() }));
        let added = added.flatten().ok_or(ApplyError::SessionExists(id))?;
        self.digest = self.digest.wrapping_add(added);
        self.hide_session_from_snapshot(id);
        out.results.push(OpResult::SessionCreated { timeout_ms });
        Ok(())
    }

    fn move_session(&mut self, frame: &Frame<'_>, out: &mut Applied) -> Result<(), ApplyError> {
        let timeout_ms = txn::read_move_session(frame.body())?.timeout_ms.to_native();
        let id = frame.session();
        self.keep_session_for_snapshot(id);
        let changed = self.sessions.take_over(id, timeout_ms, frame.tag());
        let (before, after) = changed.ok_or(ApplyError::NoSession(id))?;
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
        out.results.push(OpResult::SessionMoved { timeout_ms });
        Ok(())
    }

    /// Closing a session twice is no contradiction: its client and its leader can both ask for it.
    fn close_session(&mut self, stamp: Stamp, id: SessionId, out: &mut Applied) {
        for (_, range, slot) in self.ephemerals_to_close(id, out) {
            let at = Hashed::new(out.path(&range)).expect("a path");
            let (hash, parent_hash) = (at.hash, at.parent_hash);
            self.remove(stamp, hash, parent_hash, slot, range, out);
        }
        self.save_session_for_snapshot(id);
        if let Some(less) = self.sessions.remove(id) {
            self.digest = self.digest.wrapping_sub(less);
        }
        out.results.push(OpResult::SessionClosed);
    }

    /// The session's ephemeral nodes, the oldest first, their paths put into `out`. The order is the same on every
    /// server, whatever its slots.
    fn ephemerals_to_close(&self, id: SessionId, out: &mut Applied) -> Vec<(u64, Range<usize>, Slot)> {
        let Some(slots) = self.ephemerals.get(&id) else { return Vec::new() };
        let mut nodes: Vec<_> = slots
            .iter()
            .map(|slot| (self.slab[*slot].czxid, out.push_path_with(|text| self.push_path_of(*slot, text)), *slot))
            .collect();
        nodes.sort_unstable_by(|(a_zxid, a, _), (b_zxid, b, _)| (a_zxid, out.path(a)).cmp(&(b_zxid, out.path(b))));
        nodes
    }

    fn forget_ephemeral(&mut self, session: SessionId, slot: Slot) {
        let slots = self.ephemerals.get_mut(&session).expect("an ephemeral node is listed under its session");
        assert!(slots.remove(&slot), "an ephemeral node is listed once");
        if slots.is_empty() {
            self.ephemerals.remove(&session);
        }
        self.ephemeral_count -= 1;
    }

    fn existing<'a>(&self, path: &'a str) -> Result<(Hashed<'a>, Slot), ApplyError> {
        let at = Hashed::new(path).ok_or_else(|| ApplyError::BadPath(path.into()))?;
        let slot = self.find_hashed(at.hash, path).ok_or_else(|| ApplyError::NoNode(path.into()))?;
        Ok((at, slot))
    }

    /// Does `change`, which concerns the children of `parent` (its path's hash is `hash`), and keeps up what depends on
    /// them.
    fn change_children(&mut self, hash: PathHash, parent: Slot, change: impl FnOnce(&mut Tree)) {
        let above = &self.slab[parent];
        let reapable = above.is_container() || above.is_ttl();
        self.digest = self.digest.wrapping_sub(digest::of_children(hash, above));
        if reapable {
            self.reap.leave(parent, above);
        }
        change(self);
        let above = &self.slab[parent];
        self.digest = self.digest.wrapping_add(digest::of_children(hash, above));
        if reapable {
            self.reap.enter(parent, above);
        }
    }

    fn push_change(&self, kind: ChangeKind, path: Range<usize>, acl: u32, parent: Option<Slot>, out: &mut Applied) {
        let parent_acl = parent.and_then(|parent| self.acls.get(self.slab[parent].acl).clone());
        out.changes.push(Change { kind, path, acl: self.acls.get(acl).clone(), parent_acl });
    }
}

fn acl_entries<'a>(
    entries: &'a [v1::ArchivedAclEntry<'_>],
) -> impl ExactSizeIterator<Item = (i32, &'a str, &'a str)> + Clone {
    entries.iter().map(|entry| (entry.perms.to_native(), &*entry.scheme, &*entry.id))
}
