//! Makes a tree of nodes that were not read from a snapshot of ours, with everything that their stat says.

use super::loader::{LoadError, Loader};
use super::node::{NAME_MAX, NONE, ROOT};
use super::record::NodeFields;
use super::{SessionEntry, Tree};
use crate::acl::Acl;
use crate::ids::{SessionId, Zxid};

/// A node as it is to be in the tree.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the fields of a stat, see `Stat`")]
pub struct NodeState<'a> {
    /// The last component of its path; empty for the root.
    pub name: &'a str,
    /// Null is not empty.
    pub data: Option<&'a [u8]>,
    /// What [`Builder::list`] returned.
    pub acl: u32,
    pub czxid: u64,
    pub mzxid: u64,
    pub pzxid: u64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    /// Children ever created: the persisted `cversion`.
    pub create_count: i32,
    pub aversion: i32,
    /// The stored owner marker.
    pub owner: i64,
}

/// Takes lists before the nodes that have them, and parents before their children. What contradicts itself is refused,
/// here or at the end.
#[derive(Default)]
pub struct Builder {
    loader: Loader,
    nodes: u32,
}

impl Builder {
    /// An access control list. Returns its number.
    pub fn list(&mut self, acl: &[Acl]) -> u32 {
        self.loader.take_list(acl.iter().map(|entry| (entry.perms, &*entry.scheme, &*entry.id)))
    }

    /// A node below the node that had the number `parent`; the first one is the root, which has none above it.
    /// Returns its number.
    ///
    /// # Errors
    /// [`LoadError`] if there cannot be such a node.
    pub fn node(&mut self, parent: u32, node: &NodeState<'_>) -> Result<u32, LoadError> {
        let id = self.nodes;
        if node.name.len() > NAME_MAX || id == NONE {
            return Err(LoadError::Structure { what: "a name too long, or too many nodes", id });
        }
        self.loader.take_node(&NodeFields {
            id,
            parent: if id == ROOT { NONE } else { parent },
            acl: node.acl,
            czxid: node.czxid,
            mzxid: node.mzxid,
            pzxid: node.pzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            owner: node.owner,
            version: node.version,
            create_count: node.create_count,
            aversion: node.aversion,
            name: node.name,
            data: node.data,
        })?;
        self.nodes += 1;
        Ok(id)
    }

    /// A session.
    ///
    /// # Errors
    /// [`LoadError`] if there was one of that id.
    pub fn session(&mut self, id: SessionId, entry: SessionEntry) -> Result<(), LoadError> {
        self.loader.take_session(id, entry)
    }

    /// The tree as it is after the transaction `zxid`.
    ///
    /// # Errors
    /// [`LoadError`] if the nodes are no tree, or an ephemeral node has no session.
    pub fn finish(self, zxid: Zxid) -> Result<Tree, LoadError> {
        self.loader.assemble(zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::perms;
    use crate::ids::Tag;

    fn node<'a>(name: &'a str, owner: i64) -> NodeState<'a> {
        NodeState {
            name,
            data: Some(b"data"),
            acl: 0,
            czxid: 3,
            mzxid: 4,
            pzxid: 5,
            ctime: 6,
            mtime: 7,
            version: 8,
            create_count: 9,
            aversion: 10,
            owner,
        }
    }

    #[test]
    fn a_tree_is_built_that_a_snapshot_brings_back() {
        let mut builder = Builder::default();
        let acl = [Acl::new(perms::READ, "digest", "a:b")];
        let list = builder.list(&acl);
        let root = builder.node(0, &node("", 0)).unwrap();
        let parent = builder.node(root, &NodeState { acl: list, data: None, ..node("p", i64::MIN) }).unwrap();
        builder.node(parent, &node("e", 77)).unwrap();
        let entry = SessionEntry { timeout_ms: 5000, passwd: [1; 16], owner: Tag::NONE };
        builder.session(SessionId(77), entry).unwrap();
        let mut tree = builder.finish(Zxid(20)).unwrap();
        let stat = tree.get("/p").unwrap().stat();
        assert_eq!((stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime), (3, 4, 5, 6, 7));
        assert_eq!((stat.version, stat.cversion, stat.aversion, stat.num_children), (8, 17, 10, 1));
        assert_eq!(tree.get("/p").unwrap().acl().as_deref(), Some(&acl[..]));
        assert_eq!(tree.ephemerals(SessionId(77)), ["/p/e"]);

        let mut bytes = Vec::new();
        tree.snapshot_begin();
        while !tree.snapshot_slice(100, &mut bytes) {}
        let mut loader = Loader::new();
        loader.feed(&bytes).unwrap();
        assert_eq!(loader.finish().unwrap().digest(), tree.digest());
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        assert!(Builder::default().finish(Zxid(1)).is_err(), "no root");
        let mut orphan = Builder::default();
        orphan.node(0, &node("", 0)).unwrap();
        orphan.node(0, &node("e", 77)).unwrap();
        assert!(orphan.finish(Zxid(1)).is_err(), "no session");
        let mut twice = Builder::default();
        let root = twice.node(0, &node("", 0)).unwrap();
        twice.node(root, &node("a", 0)).unwrap();
        twice.node(root, &node("a", 0)).unwrap();
        assert!(twice.finish(Zxid(1)).is_err(), "two of one path");
        let mut slash = Builder::default();
        slash.node(0, &node("", 0)).unwrap();
        assert!(slash.node(0, &node("a/b", 0)).is_err());
    }
}
