//! Which containers and TTL nodes may go, kept in the order of time so that nobody has to look through all of them.

use super::node::{NodeRecord, Slot};
use super::{Kind, Tree};
use crate::ids::WallMs;
use std::collections::{BTreeMap, BTreeSet};

/// What a childless node that may be reaped waits for.
enum Wait {
    /// A TTL node: this time.
    Expiry(i64),
    /// A container that has had children: nothing.
    None,
    /// A container that never had a child, since this time.
    Use(i64),
}

/// The childless containers and TTL nodes, and the TTLs.
#[derive(Clone, Default)]
pub(super) struct Reapable {
    /// Milliseconds, for each TTL node.
    ttls: BTreeMap<Slot, u64>,
    /// TTL nodes without children, by the time after which they may go.
    expiring: BTreeSet<(i64, Slot)>,
    /// Containers that have had children and have none.
    emptied: BTreeSet<Slot>,
    /// Containers that never had a child, by mtime.
    unused: BTreeSet<(i64, Slot)>,
}

impl Reapable {
    /// The TTL of a TTL node.
    pub fn ttl(&self, slot: Slot) -> u64 {
        *self.ttls.get(&slot).expect("every TTL node has its TTL here")
    }

    /// A node has come into being.
    pub fn add(&mut self, slot: Slot, kind: Kind, node: &NodeRecord) {
        self.note(slot, kind);
        self.enter(slot, node);
    }

    /// Remembers the TTL of a node whose children are not known yet.
    pub fn note(&mut self, slot: Slot, kind: Kind) {
        if let Kind::Ttl(ms) = kind {
            self.ttls.insert(slot, ms);
        }
    }

    /// A node is about to go.
    pub fn remove(&mut self, slot: Slot, node: &NodeRecord) {
        self.leave(slot, node);
        if node.is_ttl() {
            self.ttls.remove(&slot);
        }
    }

    /// Children or mtime are about to change.
    pub fn leave(&mut self, slot: Slot, node: &NodeRecord) {
        match self.wait_of(slot, node) {
            Some(Wait::Expiry(at)) => drop(self.expiring.remove(&(at, slot))),
            Some(Wait::None) => drop(self.emptied.remove(&slot)),
            Some(Wait::Use(since)) => drop(self.unused.remove(&(since, slot))),
            None => {}
        }
    }

    /// Children or mtime have changed.
    pub fn enter(&mut self, slot: Slot, node: &NodeRecord) {
        match self.wait_of(slot, node) {
            Some(Wait::Expiry(at)) => drop(self.expiring.insert((at, slot))),
            Some(Wait::None) => drop(self.emptied.insert(slot)),
            Some(Wait::Use(since)) => drop(self.unused.insert((since, slot))),
            None => {}
        }
    }

    /// `None` for nodes that nobody reaps, or not as they are.
    fn wait_of(&self, slot: Slot, node: &NodeRecord) -> Option<Wait> {
        if node.child_count() > 0 {
            None
        } else if node.is_ttl() {
            Some(Wait::Expiry(node.mtime.saturating_add(self.ttl(slot) as i64)))
        } else if node.is_container() {
            Some(if node.create_count > 0 { Wait::None } else { Wait::Use(node.mtime) })
        } else {
            None
        }
    }

    fn due(&self, now: i64, max_never_used_ms: i64) -> impl Iterator<Item = Slot> {
        // A node goes when more than its time has passed, not when just so much has. A TTL of 0 is none.
        let before = |limit: i64| ..(limit, 0);
        let expired = self.expiring.range(before(now)).map(|(_, slot)| *slot).filter(|slot| self.ttl(*slot) > 0);
        let never_used = if max_never_used_ms > 0 { now.saturating_sub(max_never_used_ms) } else { i64::MIN };
        let unused = self.unused.range(before(never_used)).map(|(_, slot)| *slot);
        self.emptied.iter().copied().chain(unused).chain(expired)
    }
}

impl Tree {
    /// The nodes that the reaper should delete, in the order of their paths: containers that have lost their last
    /// child, containers that have had none for longer than `max_never_used_ms` (0: never), and TTL nodes without
    /// children whose data has not changed for longer than their TTL.
    ///
    /// Source: `ContainerManager.getCandidates`; surface 2.2.
    #[must_use]
    pub fn reapable(&self, now: WallMs, max_never_used_ms: i64) -> Vec<String> {
        let mut paths: Vec<String> = self.reap.due(now.0, max_never_used_ms).map(|slot| self.path_of(slot)).collect();
        paths.sort_unstable();
        paths
    }
}
