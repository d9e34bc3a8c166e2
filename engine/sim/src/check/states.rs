//! What the history makes of the tree, transaction by transaction, so that any answer can be compared with the state of
//! its zxid.

use super::Proposal;
use ringkeeper_core::frame::FrameBuf;
use ringkeeper_core::ids::Zxid;
use ringkeeper_core::stat::Stat;
use ringkeeper_core::tree::{Applied, ChangeKind, Tree, path};
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
}

impl States {
    /// The next transaction that was shown to anybody.
    pub fn apply(&mut self, proposal: &Proposal) {
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
            };
            self.note(proposal.zxid, node, what);
            if what != What::Data {
                self.note(proposal.zxid, path::parent(node), What::Children);
            }
        }
        self.applied = applied;
    }

    fn note(&mut self, zxid: Zxid, node: &str, what: What) {
        let view = self.tree.get(node).map(|node| View { stat: node.stat(), data: node.data().map(<[u8]>::to_vec) });
        self.views.entry(node.to_owned()).or_default().push((zxid, view));
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
