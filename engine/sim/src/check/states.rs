//! What the history makes of the tree, transaction by transaction, so that any answer can be compared with the state of
//! its zxid.

use super::Proposal;
use ringkeeper_core::frame::FrameBuf;
use ringkeeper_core::ids::Zxid;
use ringkeeper_core::stat::Stat;
use ringkeeper_core::tree::{Applied, ChangeKind, OpResult, Restored, Tree, path};
use std::collections::BTreeMap;

/// A node at some moment.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// Its stat.
    pub stat: Stat,
    /// Its data.
    pub data: Option<Vec<u8>>,
}

/// What can happen to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// It came into being.
    Created,
    /// It is gone.
    Deleted,
    /// It has other data.
    Data,
    /// A child came or went.
    Children,
}

/// See the module.
#[derive(Default)]
pub struct States {
    tree: Tree,
    applied: Applied,
    digests: BTreeMap<Zxid, u64>,
    views: BTreeMap<String, Vec<(Zxid, Option<View>)>>,
    changes: BTreeMap<String, Vec<(Zxid, What)>>,
    /// When the whole tree was replaced.
    replaced: Vec<Zxid>,
}

impl States {
    /// The next transaction that was shown to anybody. What became of the sessions, if it has replaced the whole tree.
    pub fn apply(&mut self, proposal: &Proposal) -> Option<Restored> {
        if self.digests.is_empty() {
            self.digests.insert(Zxid::ZERO, self.tree.digest());
        }
        let mut buf = FrameBuf::new();
        let frame = proposal.frame(&mut buf);
        let mut applied = std::mem::take(&mut self.applied);
        self.tree
            .apply(&frame, &mut applied)
            .unwrap_or_else(|error| panic!("{} cannot be applied: {error}", proposal.zxid));
        self.digests.insert(proposal.zxid, self.tree.digest());
        for change in &applied.changes {
            let node = applied.path(&change.path);
            let what = match change.kind {
                ChangeKind::Created => What::Created,
                ChangeKind::Deleted => What::Deleted,
                ChangeKind::DataChanged => What::Data,
                ChangeKind::ChildrenChanged => What::Children,
            };
            self.note(proposal.zxid, node, what);
            if matches!(what, What::Created | What::Deleted) {
                self.note(proposal.zxid, path::parent(node), What::Children);
            }
        }
        let restored = match applied.results.first() {
            Some(OpResult::Restored(restored)) => Some((**restored).clone()),
            _ => None,
        };
        if restored.is_some() {
            self.replaced.push(proposal.zxid);
            self.all_told(proposal.zxid);
        }
        self.applied = applied;
        restored
    }

    /// The tree was replaced: what is different now must be among the changes.
    fn all_told(&mut self, zxid: Zxid) {
        let nothing = Vec::new();
        let mut different = Vec::new();
        for (node, views) in &self.views {
            // What was noted just now is the new state already.
            let old = views.iter().rev().find(|(at, _)| *at < zxid).and_then(|(_, view)| view.as_ref());
            let new = view_of(&self.tree, node);
            let told = |what: &[What]| {
                let changes = self.changes.get(node).unwrap_or(&nothing);
                changes.iter().rev().take_while(|(at, _)| *at == zxid).any(|(_, did)| what.contains(did))
            };
            let data = |view: &View| (view.stat.czxid, view.stat.mzxid, view.stat.version, view.data.clone());
            if old.map(data) != new.as_ref().map(data) {
                assert!(told(&[What::Created, What::Deleted, What::Data]), "{node} is another since {zxid}; not told");
            }
            let children = |view: &View| (view.stat.pzxid, view.stat.cversion, view.stat.num_children);
            if let (Some(old), Some(new)) = (old, &new)
                && children(old) != children(new)
            {
                assert!(told(&[What::Children]), "{node} has other children since {zxid}; not told");
            }
            different.push((node.clone(), new));
        }
        for (node, view) in different {
            self.views.entry(node).or_default().push((zxid, view));
        }
    }

    /// Whether the whole tree was replaced after the first transaction, through the second.
    pub fn was_replaced(&self, after: Zxid, through: Zxid) -> bool {
        self.replaced.iter().any(|at| after < *at && *at <= through)
    }

    fn note(&mut self, zxid: Zxid, node: &str, what: What) {
        self.views.entry(node.to_owned()).or_default().push((zxid, view_of(&self.tree, node)));
        self.changes.entry(node.to_owned()).or_default().push((zxid, what));
    }

    /// The digest of the state at a transaction that was shown.
    pub fn digest(&self, at: Zxid) -> u64 {
        self.digests.get(&at).copied().unwrap_or_else(|| Tree::new().digest())
    }

    pub fn view(&self, path: &str, at: Zxid) -> Option<&View> {
        let views = self.views.get(path)?;
        let next = views.partition_point(|(zxid, _)| *zxid <= at);
        views[..next].last()?.1.as_ref()
    }

    pub fn changed(&self, path: &str, after: Zxid, through: Zxid) -> impl Iterator<Item = (Zxid, What)> + '_ {
        let changes = self.changes.get(path).map_or(&[][..], Vec::as_slice);
        let first = changes.partition_point(|(zxid, _)| *zxid <= after);
        changes[first..].iter().copied().take_while(move |(zxid, _)| *zxid <= through)
    }
}

fn view_of(tree: &Tree, node: &str) -> Option<View> {
    tree.get(node).map(|node| View { stat: node.stat(), data: node.data().map(<[u8]>::to_vec) })
}
