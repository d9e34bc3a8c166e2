//! The changes that have been proposed and not yet applied: what a request must be judged on beside the tree.
//!
//! ZooKeeper's `outstandingChanges`. An entry lives until the newest transaction that touched its path is applied; from
//! then on the tree tells the same.

use crate::acl::AclRef;
use crate::ids::Zxid;
use crate::tree::Tree;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// As much of a node as judging a request takes.
#[derive(Clone, Debug)]
pub struct Record {
    /// Version of the data.
    pub version: i32,
    /// Version of the ACL.
    pub aversion: i32,
    /// Creates ever done below it: the next sequence number.
    pub creates: i32,
    /// Children that it has.
    pub children: u32,
    /// Stored owner marker.
    pub owner: i64,
    /// Length of the data.
    pub data_len: usize,
    /// Its ACL.
    pub acl: AclRef,
}

#[derive(Clone, Debug)]
struct Change {
    zxid: Zxid,
    /// `None`: deleted.
    record: Option<Record>,
}

/// All outstanding changes.
#[derive(Debug, Default)]
pub struct Overlay {
    changes: HashMap<Arc<str>, Change>,
    order: VecDeque<(Zxid, Arc<str>)>,
    /// What the changes of the multi in progress replaced, newest last.
    undo: Option<Vec<(Arc<str>, Option<Change>)>>,
}

impl Overlay {
    /// The node as it will be when everything proposed has been applied.
    #[must_use]
    pub fn record(&self, tree: &Tree, path: &str) -> Option<Record> {
        let path = if path.is_empty() { "/" } else { path };
        if !self.changes.is_empty()
            && let Some(change) = self.changes.get(path)
        {
            return change.record.clone();
        }
        tree.get(path).map(|node| {
            let stat = node.stat();
            Record {
                version: stat.version,
                aversion: stat.aversion,
                creates: node.create_count(),
                children: node.child_count(),
                owner: node.owner(),
                data_len: node.data().map_or(0, <[u8]>::len),
                acl: node.acl().clone(),
            }
        })
    }

    /// The transaction `zxid` makes the node so (`None`: deletes it).
    pub fn put(&mut self, path: &str, zxid: Zxid, record: Option<Record>) {
        let path = if path.is_empty() { "/" } else { path };
        let change = Change { zxid, record };
        let (key, old) = match self.changes.get_key_value(path) {
            Some((key, _)) => {
                let key = Arc::clone(key);
                let old = self.changes.insert(Arc::clone(&key), change);
                (key, old)
            }
            None => {
                let key: Arc<str> = path.into();
                self.changes.insert(Arc::clone(&key), change);
                (key, None)
            }
        };
        self.order.push_back((zxid, Arc::clone(&key)));
        if let Some(undo) = &mut self.undo {
            undo.push((key, old));
        }
    }

    /// From here on changes can be taken back together.
    pub fn begin(&mut self) {
        assert!(self.undo.is_none(), "multis do not nest");
        self.undo = Some(Vec::new());
    }

    /// Keeps the changes since [`Overlay::begin`].
    pub fn keep(&mut self) {
        self.undo = None;
    }

    /// Takes the changes since [`Overlay::begin`] back.
    pub fn roll_back(&mut self) {
        for (path, old) in self.undo.take().unwrap_or_default().into_iter().rev() {
            let popped = self.order.pop_back();
            assert!(popped.is_some_and(|(_, last)| last == path), "changes are undone in reverse order");
            match old {
                Some(change) => self.changes.insert(path, change),
                None => self.changes.remove(&path),
            };
        }
    }

    /// Everything through `zxid` has been applied.
    pub fn applied(&mut self, zxid: Zxid) {
        while let Some((_, path)) = self.order.pop_front_if(|(z, _)| *z <= zxid) {
            if self.changes.get(&path).is_some_and(|change| change.zxid <= zxid) {
                self.changes.remove(&path);
            }
        }
        debug_assert!(!self.order.is_empty() || self.changes.is_empty(), "an entry without its place in the order");
    }

    /// Every path with an outstanding change, and whether the session will own an ephemeral node there. One that was
    /// deleted and made anew by somebody else is not its own any more.
    pub fn ephemerals(&self, owner: i64) -> impl Iterator<Item = (&Arc<str>, bool)> {
        self.order.iter().filter_map(move |(zxid, path)| {
            let change = self.changes.get(path).filter(|change| change.zxid == *zxid)?;
            Some((path, change.record.as_ref().is_some_and(|record| record.owner == owner)))
        })
    }

    /// Number of outstanding changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing is outstanding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::AclRef;

    fn record(owner: i64) -> Option<Record> {
        let acl = AclRef::default();
        Some(Record { version: 0, aversion: 0, creates: 0, children: 0, owner, data_len: 0, acl })
    }

    #[test]
    fn a_node_belongs_to_whoever_made_it_last() {
        let mut overlay = Overlay::default();
        let of = |overlay: &Overlay, owner| -> Vec<(String, bool)> {
            overlay.ephemerals(owner).map(|(path, own)| (path.to_string(), own)).collect()
        };
        overlay.put("/a", Zxid(1), None);
        overlay.put("/a", Zxid(2), record(8));
        overlay.put("/b", Zxid(3), record(7));
        overlay.put("/c", Zxid(4), None);
        assert_eq!(of(&overlay, 7), [("/a".into(), false), ("/b".into(), true), ("/c".into(), false)]);
        assert_eq!(of(&overlay, 8), [("/a".into(), true), ("/b".into(), false), ("/c".into(), false)]);
    }
}
