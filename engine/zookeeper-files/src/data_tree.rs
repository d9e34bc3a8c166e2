//! The state of a ZooKeeper server: what a snapshot says, and what transactions do to it.
//!
//! Transactions are replayed over a snapshot that has seen some of them already, so nothing here is an error: a node
//! that is there is created once more, one that is gone is deleted again. Only what stays forever matters: the order,
//! and that the parent's counters never fall. Source: `DataTree`, `FileTxnSnapLog.processTransaction`; surface 8.3.

use crate::acl_cache::AclCache;
use crate::digest::{self, TreeDigest};
use crate::snapshot::{Item, Node, Stat};
use crate::txn::{Txn, TxnHeader};
use ringkeeper_core::acl::Acl;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes, lists and sessions.
#[derive(Default)]
pub struct DataTree {
    /// By path; the root's is "". So parents come before their children.
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) acls: AclCache,
    /// Timeouts in milliseconds by session.
    pub(crate) sessions: BTreeMap<i64, i32>,
    /// Paths by owner, whatever the owner turns out to be.
    owned: BTreeMap<i64, BTreeSet<String>>,
    pub(crate) last_zxid: i64,
}

impl DataTree {
    /// Takes an item of a snapshot.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, item: Item) -> Result<(), String> {
        match item {
            Item::Session(id, timeout) => drop(self.sessions.insert(id, timeout)),
            Item::Acl(number, acl) => self.acls.insert(number, acl),
            Item::Node(node) => {
                let parent_missing = parent(&node.path).is_some_and(|parent| !self.nodes.contains_key(parent));
                if parent_missing {
                    return Err(format!("node {} has no parent", node.path));
                }
                if node.path.is_empty() == self.nodes.contains_key("") {
                    return Err(format!("node {:?} before the root, or a second root", node.path));
                }
                self.acls.add_user(node.acl);
                self.own(node.stat.owner, &node.path);
                self.nodes.insert(node.path.clone(), node);
            }
        }
        Ok(())
    }

    /// All items of the snapshot of this zxid have been taken.
    pub fn taken(&mut self, zxid: i64) {
        self.acls.purge();
        self.last_zxid = zxid;
    }

    /// The last transaction.
    #[must_use]
    pub fn last_zxid(&self) -> i64 {
        self.last_zxid
    }

    /// What ZooKeeper's digest of it would be.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        let nodes = self.nodes.iter();
        TreeDigest::new(
            nodes
                .map(|(path, node)| digest::of_node(path, node.data.as_deref(), &node.stat))
                .fold(0, u64::wrapping_add),
        )
    }

    /// Does what the transaction says, as far as it is not done.
    pub fn apply(&mut self, header: &TxnHeader, txn: &Txn) {
        match txn {
            Txn::CreateSession { timeout_ms } => drop(self.sessions.insert(header.session, *timeout_ms)),
            Txn::CloseSession { paths } => self.close_session(header, paths.as_deref().unwrap_or_default()),
            Txn::Multi(_) if txn.is_refused() => {}
            Txn::Multi(steps) => steps.iter().for_each(|step| self.step(header, step)),
            _ => self.step(header, txn),
        }
        self.last_zxid = self.last_zxid.max(header.zxid);
    }

    fn step(&mut self, header: &TxnHeader, txn: &Txn) {
        match txn {
            Txn::Create { path, data, acl, owner, parent_cversion } => {
                let zxid = header.zxid;
                let stat = Stat {
                    czxid: zxid,
                    mzxid: zxid,
                    pzxid: zxid,
                    ctime: header.time,
                    mtime: header.time,
                    owner: *owner,
                    ..Stat::default()
                };
                self.create(path, data.clone(), acl.as_deref(), stat, *parent_cversion);
            }
            Txn::Delete { path } => self.delete(path, header.zxid),
            Txn::SetData { path, data, version } => {
                if let Some(node) = self.nodes.get_mut(stored(path)) {
                    node.data.clone_from(data);
                    (node.stat.mzxid, node.stat.mtime, node.stat.version) = (header.zxid, header.time, *version);
                }
            }
            Txn::SetAcl { path, acl, aversion } => self.set_acl(path, acl.as_deref(), *aversion),
            Txn::Check { .. } | Txn::Error(_) => {}
            Txn::CreateSession { .. } | Txn::CloseSession { .. } | Txn::Multi(_) => {
                unreachable!("the reader refuses these within a multi")
            }
        }
    }

    fn create(&mut self, path: &str, data: Option<Vec<u8>>, acl: Option<&[Acl]>, stat: Stat, parent_cversion: i32) {
        let Some(above) = parent(path).and_then(|parent| self.nodes.get_mut(parent)) else { return };
        let count = if parent_cversion == -1 { above.stat.cversion.wrapping_add(1) } else { parent_cversion };
        if count > above.stat.cversion {
            (above.stat.cversion, above.stat.pzxid) = (count, stat.czxid);
        }
        let acl = self.acls.acquire(acl);
        match self.nodes.get_mut(path) {
            Some(there) => there.acl = acl,
            None => {
                self.own(stat.owner, path);
                self.nodes.insert(path.to_owned(), Node { path: path.to_owned(), data, acl, stat });
            }
        }
    }

    fn delete(&mut self, path: &str, zxid: i64) {
        // Even if the node is gone already, the parent may not have heard of it.
        let Some(above) = parent(path).and_then(|parent| self.nodes.get_mut(parent)) else { return };
        above.stat.pzxid = above.stat.pzxid.max(zxid);
        if let Some(node) = self.nodes.remove(path) {
            self.acls.release(node.acl);
            self.disown(node.stat.owner, path);
        }
    }

    fn set_acl(&mut self, path: &str, acl: Option<&[Acl]>, aversion: i32) {
        if let Some(node) = self.nodes.get_mut(stored(path)) {
            self.acls.release(node.acl);
            node.acl = self.acls.acquire(acl);
            node.stat.aversion = aversion;
        }
    }

    fn close_session(&mut self, header: &TxnHeader, paths: &[String]) {
        for path in paths {
            self.delete(path, header.zxid);
        }
        self.delete_owned(header.session, header.zxid);
        self.sessions.remove(&header.session);
    }

    /// Deletes all nodes of this owner. Returns how many there were.
    pub(crate) fn delete_owned(&mut self, owner: i64, zxid: i64) -> usize {
        let paths = self.owned.remove(&owner).unwrap_or_default();
        for path in &paths {
            self.delete(path, zxid);
        }
        paths.len()
    }

    /// The owners of nodes: sessions, and markers.
    pub(crate) fn owners(&self) -> impl Iterator<Item = i64> {
        self.owned.keys().copied()
    }

    fn own(&mut self, owner: i64, path: &str) {
        if owner != 0 {
            self.owned.entry(owner).or_default().insert(path.to_owned());
        }
    }

    fn disown(&mut self, owner: i64, path: &str) {
        if let Some(paths) = self.owned.get_mut(&owner) {
            paths.remove(path);
            if paths.is_empty() {
                self.owned.remove(&owner);
            }
        }
    }
}

/// The path of the node above, as it is stored; the root has none.
pub(crate) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

/// The root is stored under "", and transactions name it "/".
fn stored(path: &str) -> &str {
    if path == "/" { "" } else { path }
}
