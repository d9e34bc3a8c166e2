//! The tree of nodes, and the table of sessions: the state that all servers of an ensemble agree on.
//!
//! A transaction is a fact here: [`Tree::apply`] decides nothing, it only refuses what contradicts the tree. Everything
//! else reads. One writer owns the tree; readers of the same thread see it between transactions.
//!
//! | file | what it knows |
//! |---|---|
//! | `node`, `slab` | what a node costs, where it lives |
//! | `path`, `index` | the rules of paths; from a path to a node |
//! | `acl_table`, `session_table` | lists stored once; the sessions |
//! | `apply`, `applied` | one transaction, and what it leaves to tell |
//! | `restore`, `difference` | the tree of a snapshot takes the place of this one; what is different then |
//! | `quota`, `reap` | usage of subtrees; containers and TTL nodes that may go |
//! | `digest` | one number for the whole state |
//! | `snapshot`, `record`, `loader` | the state of one zxid as bytes, and back |
//! | `builder` | a tree from nodes that somebody else has kept |

mod acl_table;
mod applied;
mod apply;
mod builder;
mod difference;
mod digest;
mod index;
mod loader;
mod node;
pub mod path;
mod quota;
mod reap;
mod record;
mod restore;
mod session_table;
mod slab;
mod snapshot;
#[cfg(test)]
mod tests;

pub use crate::stat::Stat;
pub use applied::{Applied, ApplyError, Change, ChangeKind, OpResult, Restored};
pub use builder::{Builder, NodeState};
pub use loader::{LoadError, Loader};
pub use node::Kind;
pub use quota::QuotaUse;
pub use restore::RestoreError;
pub use session_table::SessionEntry;
pub use snapshot::SnapshotHead;

use crate::acl::{AclRef, perms};
use crate::ids::{SessionId, WallMs, Zxid};
use acl_table::AclTable;
use index::PathIndex;
use node::{NONE, NodeRecord, ROOT, Slot};
use path::{Hashed, PathHash, ROOT_HASH};
use quota::QuotaTable;
use reap::Reapable;
use session_table::SessionTable;
use slab::Slab;
use snapshot::Walk;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes and sessions after some transaction.
#[derive(Clone)]
pub struct Tree {
    last_zxid: Zxid,
    slab: Slab,
    index: PathIndex,
    acls: AclTable,
    sessions: SessionTable,
    ephemerals: BTreeMap<SessionId, BTreeSet<Slot>>,
    ephemeral_count: usize,
    reap: Reapable,
    quotas: QuotaTable,
    digest: u64,
    /// Bytes of all paths and data.
    size: u64,
    /// The snapshot that is being taken.
    walk: Option<Walk>,
    /// The tree that this one has taken the place of, until the snapshot that was being taken of it is complete.
    replaced: Option<Box<Tree>>,
    /// By which transaction this tree took the place of another; zero if it never did. A client that has seen an older
    /// state may have seen nodes that were newer than they are now.
    restored_at: Zxid,
    snapshots_begun: u64,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tree({}, {} nodes, digest {:016x})", self.last_zxid, self.node_count(), self.digest)
    }
}

impl Tree {
    /// The tree before the first transaction: `/`, `/zookeeper`, `/zookeeper/quota`, `/zookeeper/config`, their times and
    /// zxids 0.
    ///
    /// Source: `DataTree` (constructor, `addConfigNode`); surface 2.3.
    #[must_use]
    pub fn new() -> Tree {
        let mut tree = Tree::empty();
        let root = NodeRecord::new("", Some(b""), Kind::Persistent, acl_table::OPEN);
        assert_eq!(tree.slab.insert(root), ROOT, "the root comes first");
        for path in ["/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            let at = Hashed::new(path).expect("a path");
            let parent = tree.find_hashed(at.parent_hash, at.parent_path).expect("made before");
            let mut record = NodeRecord::new(at.name, Some(b""), Kind::Persistent, acl_table::OPEN);
            if at.name == "config" {
                record.acl = tree.acls.acquire([(perms::READ, "world", "anyone")].into_iter());
                record.aversion = -1;
            }
            let slot = tree.slab.insert(record);
            tree.index.insert(at.hash, slot);
            tree.link(slot, parent);
            tree.size += path.len() as u64;
        }
        tree.digest = tree.recomputed_digest();
        tree
    }

    /// Not even a root.
    fn empty() -> Tree {
        Tree {
            last_zxid: Zxid::ZERO,
            slab: Slab::new(),
            index: PathIndex::new(),
            acls: AclTable::new(),
            sessions: SessionTable::default(),
            ephemerals: BTreeMap::new(),
            ephemeral_count: 0,
            reap: Reapable::default(),
            quotas: QuotaTable::default(),
            digest: 0,
            // ZooKeeper counts the root under its second name.
            size: 1,
            walk: None,
            replaced: None,
            restored_at: Zxid::ZERO,
            snapshots_begun: 0,
        }
    }

    /// Of the last transaction applied; zero before the first.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The node at `path`. "" acts like "/"; a path that does not begin with "/" names no node.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Node<'_>> {
        let at = Hashed::new(path)?;
        let slot = self.find_hashed(at.hash, path)?;
        Some(Node { tree: self, slot, record: &self.slab[slot] })
    }

    /// Nodes, with the root and ZooKeeper's own.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.slab.len()
    }

    /// Bytes of all paths and all data.
    ///
    /// Source: `DataTree.approximateDataSize`, which counts paths in UTF-16 units.
    #[must_use]
    pub fn approximate_data_size(&self) -> u64 {
        self.size
    }

    /// Ephemeral nodes of all sessions.
    #[must_use]
    pub fn ephemeral_count(&self) -> usize {
        self.ephemeral_count
    }

    /// Nodes below the one at `path`, at any depth; walks them all, except for the root.
    #[must_use]
    pub fn descendant_count(&self, path: &str) -> Option<usize> {
        let top = self.get(path)?.slot;
        Some(if top == ROOT { self.node_count() - 1 } else { self.subtree(top).count() - 1 })
    }

    /// One number for nodes and sessions: equal on servers that have applied the same transactions, and hardly ever
    /// equal otherwise.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// One number for the nodes alone.
    #[must_use]
    pub fn nodes_digest(&self) -> u64 {
        let sessions = self.sessions.iter().map(|(id, entry)| digest::of_session(id, entry));
        let rest = sessions.fold(digest::of_restore(self.restored_at), u64::wrapping_add);
        self.digest.wrapping_sub(rest)
    }

    /// By which transaction the whole tree was last replaced; zero if it never was.
    #[must_use]
    pub fn restored_at(&self) -> Zxid {
        self.restored_at
    }

    /// Paths of a session's ephemeral nodes, the oldest first.
    #[must_use]
    pub fn ephemerals(&self, session: SessionId) -> Vec<String> {
        let Some(slots) = self.ephemerals.get(&session) else { return Vec::new() };
        let mut paths: Vec<(u64, String)> =
            slots.iter().map(|slot| (self.slab[*slot].czxid, self.path_of(*slot))).collect();
        paths.sort_unstable();
        paths.into_iter().map(|(_, path)| path).collect()
    }

    /// The sessions that own ephemeral nodes, and how many, in the order of ids.
    pub fn sessions_with_ephemerals(&self) -> impl Iterator<Item = (SessionId, usize)> {
        self.ephemerals.iter().map(|(session, slots)| (*session, slots.len()))
    }

    /// The session of that id, from its createSession to its closeSession.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&SessionEntry> {
        self.sessions.get(id)
    }

    /// All sessions in the order of ids.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &SessionEntry)> {
        self.sessions.iter()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    fn find_hashed(&self, hash: PathHash, path: &str) -> Option<Slot> {
        if hash == ROOT_HASH && path.len() <= 1 {
            return Some(ROOT);
        }
        self.index.find(hash, |slot| self.is_at(slot, path.as_bytes()))
    }

    /// Whether the node's path is `path`, told from the last component up.
    fn is_at(&self, slot: Slot, mut path: &[u8]) -> bool {
        let mut slot = slot;
        while slot != ROOT {
            let node = &self.slab[slot];
            let Some([above @ .., b'/']) = path.strip_suffix(node.name()) else { return false };
            path = above;
            slot = node.parent;
        }
        path.is_empty()
    }

    fn path_of(&self, slot: Slot) -> String {
        let mut path = String::new();
        self.push_path_of(slot, &mut path);
        path
    }

    fn push_path_of(&self, slot: Slot, path: &mut String) {
        if slot == ROOT {
            path.push('/');
            return;
        }
        let mut line = smallvec::SmallVec::<[Slot; 16]>::new();
        let mut at = slot;
        while at != ROOT {
            line.push(at);
            at = self.slab[at].parent;
        }
        for slot in line.into_iter().rev() {
            path.push('/');
            path.push_str(name_of(&self.slab[slot]));
        }
    }

    fn kind_of(&self, slot: Slot) -> Kind {
        let node = &self.slab[slot];
        match node.session() {
            Some(session) => Kind::Ephemeral(session),
            None if node.is_container() => Kind::Container,
            None if node.is_ttl() => Kind::Ttl(self.reap.ttl(slot)),
            None => Kind::Persistent,
        }
    }

    fn stat_of(&self, slot: Slot) -> Stat {
        let node = &self.slab[slot];
        Stat {
            czxid: node.czxid as i64,
            mzxid: node.mzxid as i64,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion: node.visible_cversion(),
            aversion: node.aversion,
            ephemeral_owner: node.session().map_or(0, |session| session.0),
            data_length: node.data_len() as i32,
            num_children: node.child_count() as i32,
            pzxid: node.pzxid as i64,
        }
    }

    /// The node and all below it, parents first.
    fn subtree(&self, top: Slot) -> impl Iterator<Item = Slot> {
        std::iter::successors(Some(top), move |slot| {
            let child = self.slab[*slot].first_child();
            if child != NONE {
                return Some(child);
            }
            let mut at = *slot;
            while at != top {
                let node = &self.slab[at];
                if node.next != NONE {
                    return Some(node.next);
                }
                at = node.parent;
            }
            None
        })
    }

    /// Makes the node the youngest child.
    fn link(&mut self, slot: Slot, parent: Slot) {
        let above = &mut self.slab[parent];
        let (second, count) = (above.first_child(), above.child_count());
        above.set_children(slot, count + 1);
        if second != NONE {
            self.slab[second].prev = slot;
        }
        let node = &mut self.slab[slot];
        (node.parent, node.next, node.prev) = (parent, second, NONE);
    }

    fn unlink(&mut self, slot: Slot) {
        let node = &self.slab[slot];
        let (parent, next, prev) = (node.parent, node.next, node.prev);
        if next != NONE {
            self.slab[next].prev = prev;
        }
        if prev != NONE {
            self.slab[prev].next = next;
        }
        let above = &mut self.slab[parent];
        let first = if prev == NONE { next } else { above.first_child() };
        let count = above.child_count();
        assert!(count > 0, "a child is counted");
        above.set_children(first, count - 1);
    }

    /// The digest from the nodes and sessions themselves.
    fn recomputed_digest(&self) -> u64 {
        let sessions = self.sessions.iter().map(|(id, entry)| digest::of_session(id, entry));
        let mut sum = sessions.fold(digest::of_restore(self.restored_at), u64::wrapping_add);
        let mut open = vec![(ROOT, ROOT_HASH)];
        while let Some((slot, hash)) = open.pop() {
            let node = &self.slab[slot];
            sum = sum.wrapping_add(digest::of_node(hash, node, self.kind_of(slot), &self.acls));
            let mut child = node.first_child();
            while child != NONE {
                let record = &self.slab[child];
                open.push((child, path::child_hash(hash, record.name())));
                child = record.next;
            }
        }
        sum
    }
}

/// A node, seen where it lies.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    tree: &'a Tree,
    slot: Slot,
    record: &'a NodeRecord,
}

impl<'a> Node<'a> {
    /// What clients are told beside the data.
    #[must_use]
    pub fn stat(&self) -> Stat {
        self.tree.stat_of(self.slot)
    }

    /// The data; null is not empty.
    #[must_use]
    pub fn data(&self) -> Option<&'a [u8]> {
        self.record.data()
    }

    /// The access control list.
    #[must_use]
    pub fn acl(&self) -> &'a AclRef {
        self.tree.acls.get(self.record.acl)
    }

    /// Direct children.
    #[must_use]
    pub fn child_count(&self) -> u32 {
        self.record.child_count()
    }

    /// Names of the direct children, in no order that means anything.
    pub fn children(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let tree = self.tree;
        let first = self.record.first_child();
        let link = |slot: Slot| if slot == NONE { None } else { Some(slot) };
        std::iter::successors(link(first), move |slot| link(tree.slab[*slot].next))
            .map(|slot| name_of(&tree.slab[slot]))
    }

    /// Children ever created: the persisted `cversion`, from which the suffixes of sequential nodes are made.
    #[must_use]
    pub fn create_count(&self) -> i32 {
        self.record.create_count
    }

    /// The stored owner marker.
    #[must_use]
    pub fn owner(&self) -> i64 {
        self.kind().owner()
    }

    /// What removes the node besides a delete.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.tree.kind_of(self.slot)
    }

    /// When the data was last set.
    #[must_use]
    pub fn mtime(&self) -> WallMs {
        WallMs(self.record.mtime)
    }
}

fn name_of(record: &NodeRecord) -> &str {
    std::str::from_utf8(record.name()).expect("names come from strings")
}
