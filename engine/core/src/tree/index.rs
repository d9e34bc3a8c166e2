//! Finds nodes by the hash of their path.
//!
//! Many small tables instead of one: a table that grows re-places a thousandth of the entries, from the hashes that the
//! entries hold, without a look at the nodes.

use super::node::Slot;
use super::path::PathHash;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

const SHARD_BITS: u32 = 10;

#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: Slot,
    /// The low half of the path's hash; the shard is chosen by the high half.
    hash: u32,
}

/// Path hash to slot. Whether a candidate is the right one is for the caller to say.
#[derive(Clone)]
pub(super) struct PathIndex {
    shards: Box<[HashTable<Entry>]>,
}

impl PathIndex {
    pub fn new() -> PathIndex {
        PathIndex { shards: (0..1 << SHARD_BITS).map(|_| HashTable::new()).collect() }
    }

    /// Room for `nodes` more.
    pub fn reserve(&mut self, nodes: usize) {
        // A shard's share varies by its root: four deviations above the mean are room enough for nearly all.
        let mean = nodes >> SHARD_BITS;
        for shard in &mut self.shards {
            shard.reserve(mean + 4 * mean.isqrt(), |entry| spread(entry.hash));
        }
    }

    pub fn find(&self, hash: PathHash, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let low = hash as u32;
        let found = self.shards[shard(hash)].find(spread(low), |entry| entry.hash == low && is_it(entry.slot));
        found.map(|entry| entry.slot)
    }

    /// Adds `slot`, of which the caller knows that it is not there.
    pub fn insert(&mut self, hash: PathHash, slot: Slot) {
        let low = hash as u32;
        self.shards[shard(hash)].insert_unique(spread(low), Entry { slot, hash: low }, |entry| spread(entry.hash));
    }

    /// Adds `slot` unless an entry is there of which `is_it` says that it has the same path.
    pub fn try_insert(&mut self, hash: PathHash, slot: Slot, mut is_it: impl FnMut(Slot) -> bool) -> bool {
        let low = hash as u32;
        let same = |entry: &Entry| entry.hash == low && is_it(entry.slot);
        match self.shards[shard(hash)].entry(spread(low), same, |entry| spread(entry.hash)) {
            TableEntry::Occupied(_) => false,
            TableEntry::Vacant(place) => {
                place.insert(Entry { slot, hash: low });
                true
            }
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shards.iter().map(HashTable::len).sum()
    }

    /// Removes `slot`.
    ///
    /// # Panics
    /// If it is not there: the index has lost a node.
    pub fn remove(&mut self, hash: PathHash, slot: Slot) {
        let entry = self.shards[shard(hash)].find_entry(spread(hash as u32), |entry| entry.slot == slot);
        entry.expect("every node is in the index").remove();
    }
}

fn shard(hash: PathHash) -> usize {
    (hash >> (64 - SHARD_BITS)) as usize
}

/// The table wants entropy at both ends of 64 bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
