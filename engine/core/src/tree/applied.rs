//! What applying a transaction leaves for others to tell.

use crate::acl::AclRef;
use crate::ids::{SessionId, Zxid};
use crate::stat::Stat;
use crate::txn::BadBody;
use std::ops::Range;
use thiserror::Error;

/// Everything that became of one frame. Meant to be used again and again: applying clears it first.
#[derive(Clone, Default, Debug)]
pub struct Applied {
    /// The frame's place in the order.
    pub zxid: Zxid,
    /// One for the transaction, or one for each operation of a multi in its order.
    pub results: Vec<OpResult>,
    /// In the order in which watches must fire.
    pub changes: Vec<Change>,
    /// The paths that results and changes speak of.
    pub text: String,
}

impl Applied {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Applied {
        Applied::default()
    }

    /// The path that a range of [`Applied::text`] stands for.
    #[must_use]
    pub fn path(&self, range: &Range<usize>) -> &str {
        &self.text[range.clone()]
    }

    pub(super) fn clear(&mut self) {
        self.zxid = Zxid::ZERO;
        self.results.clear();
        self.changes.clear();
        self.text.clear();
    }

    pub(super) fn push_path(&mut self, path: &str) -> Range<usize> {
        self.push_path_with(|text| text.push_str(path))
    }

    pub(super) fn push_path_with(&mut self, push: impl FnOnce(&mut String)) -> Range<usize> {
        let start = self.text.len();
        push(&mut self.text);
        start..self.text.len()
    }
}

/// What a client is told about one operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpResult {
    /// A node was created.
    Created {
        /// Its final path, in [`Applied::text`].
        path: Range<usize>,
        /// Its state at that moment.
        stat: Stat,
        /// In a multi: the client wants the stat, too. Otherwise the request tells, and this is false.
        create2: bool,
    },
    /// A node was deleted.
    Deleted,
    /// Data was set; the node's new state.
    SetData(Stat),
    /// An ACL was set; the node's new state.
    SetAcl(Stat),
    /// The check had been made before.
    Checked,
    /// A session exists from now on.
    SessionCreated {
        /// The negotiated timeout in milliseconds.
        timeout_ms: i32,
    },
    /// Another connection speaks for the session from now on.
    SessionMoved {
        /// The newly negotiated timeout in milliseconds.
        timeout_ms: i32,
    },
    /// A session and its ephemeral nodes are gone.
    SessionClosed,
    /// The tree is another one.
    Restored(Box<Restored>),
}

/// What has become of the whole state, when the tree was replaced.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Restored {
    /// Of the whole state.
    pub digest: u64,
    /// Sessions that are no more.
    pub ended: Vec<SessionId>,
    /// Sessions that are again, with their time-outs in milliseconds. Nobody speaks for them yet.
    pub back: Vec<(SessionId, i32)>,
}

/// As its numbers, for whoever has asked for it: digest, sessions that ended, sessions that are back.
impl core::fmt::Display for Restored {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:016x} {} {}", self.digest, self.ended.len(), self.back.len())
    }
}

/// How a node changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChangeKind {
    /// It came into being.
    Created,
    /// It is gone.
    Deleted,
    /// It has other data.
    DataChanged,
    /// It has other children, of which nothing else tells: the same names, but not the same nodes. Only of a tree that
    /// was replaced.
    ChildrenChanged,
}

/// A change that watches may wait for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// How it changed.
    pub kind: ChangeKind,
    /// The node, in [`Applied::text`].
    pub path: Range<usize>,
    /// Its list, before removal if it was deleted: who may not read it is not told.
    pub acl: AclRef,
    /// The parent's list, for those who watch its children. For [`ChangeKind::DataChanged`] and
    /// [`ChangeKind::ChildrenChanged`], which are none of the parent's business, the open one.
    pub parent_acl: AclRef,
}

/// A transaction that contradicts the tree. It was made by a leader that saw the same tree, so either one of the two
/// programs is wrong or one of the two trees is damaged. The tree may be half changed: whoever gets this must halt.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ApplyError {
    /// Not the transaction that comes next.
    #[error("transaction {zxid} follows {prev}, but the tree is at {last}")]
    Chain {
        /// Its own zxid.
        zxid: Zxid,
        /// The one before it in the order.
        prev: Zxid,
        /// The last one applied.
        last: Zxid,
    },
    /// A type that this program does not know.
    #[error("unknown transaction type {0}")]
    UnknownType(i32),
    /// The body is not of its type.
    #[error(transparent)]
    Body(#[from] BadBody),
    /// No path of a node that could be changed so.
    #[error("impossible path {0:?}")]
    BadPath(String),
    /// Delete, setData or setACL of a node that is not there.
    #[error("no node {0:?}")]
    NoNode(String),
    /// Create under a node that is not there.
    #[error("no parent for {0:?}")]
    NoParent(String),
    /// Create under an ephemeral node.
    #[error("the parent of {0:?} is ephemeral")]
    EphemeralParent(String),
    /// Create of a node that is there.
    #[error("node {0:?} exists")]
    NodeExists(String),
    /// Delete of a node with children.
    #[error("node {0:?} has children")]
    NotEmpty(String),
    /// An owner marker without a meaning.
    #[error("node {path:?} with the unknown owner marker {owner:#x}")]
    Owner {
        /// The node.
        path: String,
        /// Its marker.
        owner: i64,
    },
    /// The parent's count of creates does not go up by one.
    #[error("create of {path:?} makes the parent's count of creates {stated}, but it is at {count}")]
    CreateCount {
        /// The new node.
        path: String,
        /// The count that the transaction states.
        stated: i32,
        /// The count before.
        count: i32,
    },
    /// An ephemeral node, or another owner, for a session that is not there.
    #[error("no session {0}")]
    NoSession(SessionId),
    /// Create of a session that is there, or of no session.
    #[error("session {0} exists")]
    SessionExists(SessionId),
    /// The tree is to be replaced by what is none.
    #[error("the tree cannot be replaced: {0}")]
    Restore(#[from] super::RestoreError),
    /// The tree has been replaced, but not by the one that the leader has found.
    #[error("the tree was replaced by one with digest {found:016x}, not {stated:016x}")]
    RestoredDigest {
        /// According to the leader.
        stated: u64,
        /// Here.
        found: u64,
    },
    /// A session password that does not have 16 bytes.
    #[error("session password of {0} bytes")]
    Password(usize),
}
