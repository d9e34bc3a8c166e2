//! Finds nodes by the hash of their path: linear hashing, one cache line a bucket.
//!
//! The table grows by one bucket at a time, splitting the buckets in turn, so no insertion ever waits for more than one
//! split and growing needs no second copy of anything. Entries hold their hash: a split does not look at the nodes. A
//! bucket that is full before its turn comes chains to a spare one.
//!
//! The table does not shrink. Who can choose names can choose them so that their hashes collide; the cost is a longer
//! chain for those names.
//!
//! Source: Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980.

use super::node::{NONE, Slot};
use super::path::PathHash;
use smallvec::SmallVec;

/// Entries of one bucket.
const WIDTH: usize = 7;
/// Entries a bucket that the table aims at on average. A bucket about to be split has half as many again.
const TARGET: usize = 4;
/// Buckets of a fresh table.
const FIRST_BUCKETS: u32 = 16;

/// 64 bytes, one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    /// Low halves of path hashes.
    hashes: [u32; WIDTH],
    slots: [Slot; WIDTH],
    len: u32,
    /// The spare bucket that goes on from here, or `NONE`.
    next: u32,
}

const _: () = assert!(size_of::<Bucket>() == 64);
const EMPTY: Bucket = Bucket { hashes: [0; WIDTH], slots: [NONE; WIDTH], len: 0, next: NONE };

impl Bucket {
    fn entries(&self) -> impl Iterator<Item = (u32, Slot)> {
        let len = self.len as usize;
        self.hashes[..len].iter().copied().zip(self.slots[..len].iter().copied())
    }

    fn push(&mut self, hash: u32, slot: Slot) {
        let at = self.len as usize;
        (self.hashes[at], self.slots[at]) = (hash, slot);
        self.len += 1;
    }

    fn is_full(&self) -> bool {
        self.len as usize == WIDTH
    }
}

/// Buckets in chunks that never move.
#[derive(Clone, Default)]
struct Buckets {
    chunks: Vec<Vec<Bucket>>,
    len: u32,
}

impl Buckets {
    /// 256 KiB a chunk: large enough for the allocator to keep it apart from the nodes' small pieces.
    const CHUNK_BITS: u32 = 12;
    const CHUNK: usize = 1 << Buckets::CHUNK_BITS;

    fn push(&mut self) -> u32 {
        if self.chunks.last().is_none_or(|last| last.len() == Buckets::CHUNK) {
            self.chunks.push(Vec::with_capacity(Buckets::CHUNK));
        }
        self.chunks.last_mut().expect("a chunk with room was just made").push(EMPTY);
        self.len += 1;
        self.len - 1
    }

    fn get(&self, at: u32) -> &Bucket {
        &self.chunks[(at >> Buckets::CHUNK_BITS) as usize][at as usize & (Buckets::CHUNK - 1)]
    }

    fn get_mut(&mut self, at: u32) -> &mut Bucket {
        &mut self.chunks[(at >> Buckets::CHUNK_BITS) as usize][at as usize & (Buckets::CHUNK - 1)]
    }
}

/// Where a bucket is: in the table, or among the spare ones.
#[derive(Clone, Copy)]
enum Place {
    Home(u32),
    Spare(u32),
}

/// Path hash to slot. Whether a candidate is the right one is for the caller to say.
#[derive(Clone)]
pub(super) struct PathIndex {
    homes: Buckets,
    spares: Buckets,
    /// The first spare bucket that no chain uses.
    free: u32,
    len: usize,
}

impl PathIndex {
    pub fn new() -> PathIndex {
        let mut index = PathIndex { homes: Buckets::default(), spares: Buckets::default(), free: NONE, len: 0 };
        for _ in 0..FIRST_BUCKETS {
            index.homes.push();
        }
        index
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Makes room for so many entries, in an empty table without splitting anything.
    pub fn reserve(&mut self, entries: usize) {
        while self.len == 0 && (self.homes.len as usize) * TARGET < entries {
            self.homes.push();
        }
    }

    pub fn find(&self, hash: PathHash, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let low = hash as u32;
        let mut bucket = self.homes.get(self.home(low));
        loop {
            for (hash, slot) in bucket.entries() {
                if hash == low && is_it(slot) {
                    return Some(slot);
                }
            }
            if bucket.next == NONE {
                return None;
            }
            bucket = self.spares.get(bucket.next);
        }
    }

    /// Adds `slot`, of which the caller knows that it is not there.
    pub fn insert(&mut self, hash: PathHash, slot: Slot) {
        let low = hash as u32;
        self.put(self.home(low), low, slot);
        self.len += 1;
        if self.len > self.homes.len as usize * TARGET {
            self.split();
        }
    }

    /// Removes `slot`.
    ///
    /// # Panics
    /// If it is not there: the index has lost a node.
    pub fn remove(&mut self, hash: PathHash, slot: Slot) {
        let home = self.home(hash as u32);
        let (mut before, mut at) = (Place::Home(home), Place::Home(home));
        let (found, index) = loop {
            let bucket = self.bucket(at);
            if let Some(index) = bucket.entries().position(|(_, other)| other == slot) {
                break (at, index);
            }
            assert!(bucket.next != NONE, "every node is in the index");
            (before, at) = (at, Place::Spare(bucket.next));
        };
        // The last entry of the chain takes the place of the one that goes.
        while self.bucket(at).next != NONE {
            (before, at) = (at, Place::Spare(self.bucket(at).next));
        }
        let last = self.bucket_mut(at);
        last.len -= 1;
        let end = last.len as usize;
        let (moved, is_empty) = ((last.hashes[end], last.slots[end]), end == 0);
        let target = self.bucket_mut(found);
        (target.hashes[index], target.slots[index]) = moved;
        if let (true, Place::Spare(spare)) = (is_empty, at) {
            self.bucket_mut(before).next = NONE;
            self.free_spare(spare);
        }
        self.len -= 1;
    }

    /// The bucket where the chain for a hash begins.
    fn home(&self, hash: u32) -> u32 {
        let below = 1 << self.homes.len.ilog2();
        let wide = hash & (2 * below - 1);
        if wide < self.homes.len { wide } else { hash & (below - 1) }
    }

    fn bucket(&self, at: Place) -> &Bucket {
        match at {
            Place::Home(at) => self.homes.get(at),
            Place::Spare(at) => self.spares.get(at),
        }
    }

    fn bucket_mut(&mut self, at: Place) -> &mut Bucket {
        match at {
            Place::Home(at) => self.homes.get_mut(at),
            Place::Spare(at) => self.spares.get_mut(at),
        }
    }

    /// Adds an entry to the chain that begins at `home`. Only the last bucket of a chain has room.
    fn put(&mut self, home: u32, hash: u32, slot: Slot) {
        let mut at = Place::Home(home);
        while self.bucket(at).next != NONE {
            at = Place::Spare(self.bucket(at).next);
        }
        if self.bucket(at).is_full() {
            let spare = self.take_spare();
            self.bucket_mut(at).next = spare;
            at = Place::Spare(spare);
        }
        self.bucket_mut(at).push(hash, slot);
    }

    /// Adds one bucket and moves to it what belongs there from the bucket whose turn it is.
    fn split(&mut self) {
        if self.homes.len == 1 << 31 {
            return;
        }
        let from = self.homes.len - (1 << self.homes.len.ilog2());
        self.homes.push();
        let mut entries = SmallVec::<[(u32, Slot); 2 * WIDTH]>::new();
        let home = self.homes.get_mut(from);
        entries.extend(home.entries());
        let mut next = home.next;
        *home = EMPTY;
        while next != NONE {
            let spare = next;
            let bucket = self.spares.get(spare);
            entries.extend(bucket.entries());
            next = bucket.next;
            self.free_spare(spare);
        }
        for (hash, slot) in entries {
            self.put(self.home(hash), hash, slot);
        }
    }

    fn take_spare(&mut self) -> u32 {
        if self.free == NONE {
            return self.spares.push();
        }
        let spare = self.free;
        self.free = self.spares.get(spare).next;
        *self.spares.get_mut(spare) = EMPTY;
        spare
    }

    fn free_spare(&mut self, spare: u32) {
        *self.spares.get_mut(spare) = Bucket { next: self.free, ..EMPTY };
        self.free = spare;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Every hash and slot that is there, and that chains are as they should be.
    fn check(index: &PathIndex, expected: &BTreeMap<Slot, u64>) {
        let mut found = BTreeMap::new();
        let mut chained = 0;
        for home in 0..index.homes.len {
            let mut at = Place::Home(home);
            loop {
                let bucket = index.bucket(at);
                for (hash, slot) in bucket.entries() {
                    assert_eq!(index.home(hash), home);
                    assert_eq!(found.insert(slot, hash), None);
                }
                chained += u32::from(matches!(at, Place::Spare(_)));
                assert!(matches!(at, Place::Home(_)) || bucket.len > 0, "no empty spare bucket is chained");
                if bucket.next == NONE {
                    break;
                }
                assert!(bucket.is_full(), "only the last bucket of a chain has room");
                at = Place::Spare(bucket.next);
            }
        }
        assert_eq!(found, expected.iter().map(|(slot, hash)| (*slot, *hash as u32)).collect());
        let mut free = 0;
        let mut at = index.free;
        while at != NONE {
            free += 1;
            at = index.spares.get(at).next;
        }
        assert_eq!(chained + free, index.spares.len, "no spare bucket is lost");
        assert_eq!(index.len(), expected.len());
    }

    fn grow_and_shrink(hash_of: impl Fn(u32) -> u64, count: u32) {
        let mut index = PathIndex::new();
        let mut expected = BTreeMap::new();
        for slot in 0..count {
            index.insert(hash_of(slot), slot);
            expected.insert(slot, hash_of(slot));
            if slot % 3 == 0 {
                let gone = slot / 2;
                if let Some(hash) = expected.remove(&gone) {
                    index.remove(hash, gone);
                }
            }
            if slot % 97 == 0 {
                check(&index, &expected);
            }
        }
        check(&index, &expected);
        for slot in 0..count {
            let found = index.find(hash_of(slot), |other| other == slot);
            assert_eq!(found, expected.contains_key(&slot).then_some(slot));
        }
        for (slot, hash) in std::mem::take(&mut expected) {
            index.remove(hash, slot);
        }
        check(&index, &expected);
    }

    #[test]
    fn entries_are_found_through_growth_and_removal() {
        grow_and_shrink(|slot| super::super::path::child_hash(7, &slot.to_le_bytes()), 5000);
    }

    #[test]
    fn hashes_that_collide_only_make_chains_longer() {
        grow_and_shrink(|slot| u64::from(slot % 3), 800);
        grow_and_shrink(|_| u64::MAX, 300);
        grow_and_shrink(|slot| u64::from(slot) << 16, 2000);
    }

    #[test]
    fn the_table_stays_filled_as_it_should_be() {
        let mut index = PathIndex::new();
        for slot in 0..100_000_u32 {
            index.insert(super::super::path::child_hash(1, &slot.to_le_bytes()), slot);
            if slot.is_multiple_of(5000) && slot > 0 {
                let entries = f64::from(slot + 1);
                let homes = f64::from(index.homes.len);
                assert!((entries / homes - TARGET as f64).abs() < 0.2 || index.homes.len == FIRST_BUCKETS);
                assert!(f64::from(index.spares.len) < homes * 0.15, "{} spare of {homes}", index.spares.len);
            }
        }
        let mut reserved = PathIndex::new();
        reserved.reserve(100_000);
        assert_eq!(reserved.homes.len, index.homes.len);
    }
}
