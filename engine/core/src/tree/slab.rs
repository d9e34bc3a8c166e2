//! Where node records live: chunks of a fixed size that never move, so that growing costs one chunk and no copy.

use super::node::{NONE, NodeRecord, Slot};
use std::ops::{Index, IndexMut};

const CHUNK_BITS: u32 = 11;
/// Records of one chunk: 224 KiB.
const CHUNK: usize = 1 << CHUNK_BITS;

/// Records by slot. A freed slot is used again, the last one freed first.
#[derive(Clone)]
pub(super) struct Slab {
    chunks: Vec<Vec<NodeRecord>>,
    first_vacant: Slot,
    occupied: usize,
}

impl Slab {
    pub fn new() -> Slab {
        Slab { chunks: Vec::new(), first_vacant: NONE, occupied: 0 }
    }

    /// Nodes.
    pub fn len(&self) -> usize {
        self.occupied
    }

    /// All slots in use are below it.
    pub fn limit(&self) -> Slot {
        match self.chunks.last() {
            Some(last) => ((self.chunks.len() - 1) * CHUNK + last.len()) as Slot,
            None => 0,
        }
    }

    pub fn insert(&mut self, record: NodeRecord) -> Slot {
        self.occupied += 1;
        let slot = self.first_vacant;
        if slot != NONE {
            let vacant = &mut self[slot];
            let next = vacant.next;
            *vacant = record;
            self.first_vacant = next;
            return slot;
        }
        let slot = self.limit();
        assert!(slot != NONE, "the slab is full: 2^32 nodes");
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks.last_mut().expect("a chunk with room was just made").push(record);
        slot
    }

    pub fn remove(&mut self, slot: Slot) -> NodeRecord {
        let vacant = NodeRecord::vacant(self.first_vacant);
        let record = std::mem::replace(&mut self[slot], vacant);
        assert!(!record.is_vacant(), "slot {slot} is freed once");
        self.first_vacant = slot;
        self.occupied -= 1;
        record
    }
}

impl Index<Slot> for Slab {
    type Output = NodeRecord;

    fn index(&self, slot: Slot) -> &NodeRecord {
        &self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize & (CHUNK - 1)]
    }
}

impl IndexMut<Slot> for Slab {
    fn index_mut(&mut self, slot: Slot) -> &mut NodeRecord {
        &mut self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize & (CHUNK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::Kind;
    use super::*;

    #[test]
    fn freed_slots_are_used_again_before_the_slab_grows() {
        let mut slab = Slab::new();
        let record = |name: &str| NodeRecord::new(name, None, Kind::Persistent, 0);
        for n in 0..5000_u32 {
            assert_eq!(slab.insert(record(&n.to_string())), n);
        }
        assert_eq!((slab.len(), slab.limit()), (5000, 5000));
        for n in [7, 4999, 2048] {
            assert_eq!(slab.remove(n).name(), n.to_string().as_bytes());
            assert!(slab[n].is_vacant());
        }
        assert_eq!((slab.len(), slab.limit()), (4997, 5000));
        assert_eq!([slab.insert(record("a")), slab.insert(record("b")), slab.insert(record("c"))], [2048, 4999, 7]);
        assert_eq!(slab.insert(record("d")), 5000);
        assert_eq!(slab[4999].name(), b"b");
    }
}
