//! The tree of a snapshot takes the place of this one, on all servers with the same transaction.
//!
//! The snapshot's bytes have been put into the tree before, as the data of ordinary nodes: so they are in the log, in
//! snapshots and in whatever a learner gets, and every server makes the same of them, whenever it applies the
//! transaction.
//!
//! **Nodes** are the snapshot's, with all that their stats say. **Sessions** are the snapshot's. One that is there now
//! and not in the snapshot ends. One that is in both stays as it is now: its time-out and its owner are newer than what
//! the snapshot has, and an earlier owner must not be let in again. One that has ended since is back, and nobody speaks
//! for it, for the same reason: its client can take it up, and if it does not it expires.

use super::applied::{Applied, ApplyError, OpResult, Restored};
use super::loader::{LoadError, Loader};
use super::{SessionEntry, Tree, difference, digest};
use crate::ids::{SessionId, Tag, Zxid};
use crate::txn::v1;
use thiserror::Error;

/// Why the tree cannot be replaced by what lies in it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RestoreError {
    /// There is no such node.
    #[error("there is nothing at {0:?}")]
    Nothing(String),
    /// What is there is no snapshot.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The snapshot is of a later state than the one that it should replace. Later transactions would make nodes that
    /// are older than those which are there.
    #[error("the snapshot is of transaction {snapshot}, but the next one here is {next}")]
    Newer {
        /// The snapshot's last transaction.
        snapshot: Zxid,
        /// That which would replace the tree.
        next: Zxid,
    },
    /// A node says that it was changed after the snapshot was taken.
    #[error("the snapshot is of transaction {snapshot}, but a node in it is of {node}")]
    NodeNewer {
        /// The snapshot's last transaction.
        snapshot: Zxid,
        /// The node's.
        node: Zxid,
    },
}

impl Tree {
    /// What the transaction `zxid` makes of the state, if it replaces the tree by the snapshot that lies in the children
    /// of the node at `path`.
    ///
    /// # Errors
    /// [`RestoreError`]: the tree cannot be replaced by that.
    pub fn restored(&self, path: &str, zxid: Zxid) -> Result<Tree, RestoreError> {
        let mut tree = self.staged(path)?;
        let snapshot = tree.last_zxid;
        if snapshot >= zxid {
            return Err(RestoreError::Newer { snapshot, next: zxid });
        }
        tree.check_zxids()?;
        tree.inherit_sessions(self);
        tree.digest =
            tree.digest.wrapping_sub(digest::of_restore(tree.restored_at)).wrapping_add(digest::of_restore(zxid));
        (tree.restored_at, tree.last_zxid) = (zxid, zxid);
        tree.snapshots_begun = self.snapshots_begun;
        Ok(tree)
    }

    /// The snapshot that lies in the children of a node, in the order of their names.
    fn staged(&self, path: &str) -> Result<Tree, RestoreError> {
        let node = self.get(path).ok_or_else(|| RestoreError::Nothing(path.into()))?;
        let mut names: Vec<&str> = node.children().collect();
        names.sort_unstable();
        let mut loader = Loader::new();
        for name in names {
            let piece = self.get(&format!("{path}/{name}")).expect("a child can be found by its path");
            loader.feed(piece.data().unwrap_or_default())?;
        }
        Ok(loader.finish()?)
    }

    /// No node may be newer than the state that it is part of: its next change would take it back.
    ///
    /// # Errors
    /// [`RestoreError::NodeNewer`]
    pub fn check_zxids(&self) -> Result<(), RestoreError> {
        let snapshot = self.last_zxid;
        let newest = self.subtree(super::ROOT).map(|slot| {
            let node = &self.slab[slot];
            node.czxid.max(node.mzxid).max(node.pzxid)
        });
        match newest.max() {
            Some(node) if node > snapshot.0 => Err(RestoreError::NodeNewer { snapshot, node: Zxid(node) }),
            _ => Ok(()),
        }
    }

    fn inherit_sessions(&mut self, present: &Tree) {
        let kept: Vec<(SessionId, SessionEntry)> = self
            .sessions
            .iter()
            .map(|(id, entry)| (id, *present.session(id).unwrap_or(&SessionEntry { owner: Tag::NONE, ..*entry })))
            .collect();
        for (id, entry) in kept {
            let (less, more) = self.sessions.replace(id, entry).expect("it is one of its own");
            self.digest = self.digest.wrapping_sub(less).wrapping_add(more);
        }
    }

    pub(super) fn restore(
        &mut self,
        zxid: Zxid,
        txn: &v1::ArchivedRestore<'_>,
        out: &mut Applied,
    ) -> Result<(), ApplyError> {
        let new = self.restored(&txn.path, zxid)?;
        let (stated, found) = (txn.digest.to_native(), new.digest);
        if stated != found {
            return Err(ApplyError::RestoredDigest { stated, found });
        }
        difference::push_changes(self, &new, out);
        let ended = self.sessions.iter().map(|(id, _)| id).filter(|id| new.session(*id).is_none()).collect();
        let back = new.sessions.iter().filter(|(id, _)| self.session(*id).is_none());
        let back = back.map(|(id, entry)| (id, entry.timeout_ms)).collect();
        out.results.push(OpResult::Restored(Box::new(Restored { digest: found, ended, back })));
        let mut old = std::mem::replace(self, new);
        self.replaced = if old.walk.is_some() { Some(Box::new(old)) } else { old.replaced.take() };
        Ok(())
    }
}
