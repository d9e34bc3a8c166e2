//! Access control lists, each stored once however many nodes have it.

use super::digest;
use crate::acl::{Acl, AclRef, perms};
use hashbrown::HashTable;
use std::sync::Arc;

/// Slot of the open list: always there, not counted.
pub(super) const OPEN: u32 = 0;

#[derive(Clone)]
struct Entry {
    acl: AclRef,
    hash: u64,
    /// Nodes that have it; 0 in a vacant slot.
    users: u64,
    /// The snapshot that has it already, and under which number.
    written: (u64, u32),
}

/// The lists that nodes have.
#[derive(Clone)]
pub(super) struct AclTable {
    entries: Vec<Entry>,
    vacant: Vec<u32>,
    by_content: HashTable<u32>,
}

impl AclTable {
    pub fn new() -> AclTable {
        let open = Entry { acl: None, hash: 0, users: 0, written: (0, 0) };
        AclTable { entries: vec![open], vacant: Vec::new(), by_content: HashTable::new() }
    }

    pub fn get(&self, slot: u32) -> &AclRef {
        &self.entries[slot as usize].acl
    }

    /// Hash of the content, the same on every server.
    pub fn hash(&self, slot: u32) -> u64 {
        self.entries[slot as usize].hash
    }

    /// Counts one more user of the list that consists of these entries (permissions, scheme, id), which is stored if
    /// nobody has it yet. The empty and the open list are one.
    pub fn acquire<'a>(&mut self, entries: impl ExactSizeIterator<Item = (i32, &'a str, &'a str)> + Clone) -> u32 {
        let is_open = |entry| entry == (perms::ALL, "world", "anyone");
        if entries.len() == 0 || (entries.len() == 1 && entries.clone().all(is_open)) {
            return OPEN;
        }
        let hash = content_hash(entries.clone());
        let same = |slot: &u32| {
            let entry = &self.entries[*slot as usize];
            entry.hash == hash && entry.acl.as_ref().is_some_and(|acl| equal(acl, entries.clone()))
        };
        let slot = match self.by_content.find(hash, same) {
            Some(slot) => *slot,
            None => self.store(hash, entries.map(|(perms, scheme, id)| Acl::new(perms, scheme, id)).collect()),
        };
        self.entries[slot as usize].users += 1;
        slot
    }

    /// Counts one more user of a list that somebody has.
    pub fn add_user(&mut self, slot: u32) {
        if slot != OPEN {
            let entry = &mut self.entries[slot as usize];
            assert!(entry.users > 0, "ACL slot {slot} is in use");
            entry.users += 1;
        }
    }

    /// Counts one user less; the last one's leaving removes the list.
    pub fn release(&mut self, slot: u32) {
        if slot == OPEN {
            return;
        }
        let entry = &mut self.entries[slot as usize];
        assert!(entry.users > 0, "ACL slot {slot} is released once per user");
        entry.users -= 1;
        if entry.users == 0 {
            entry.acl = None;
            let found = self.by_content.find_entry(entry.hash, |other| *other == slot);
            found.expect("every ACL is found by its content").remove();
            self.vacant.push(slot);
        }
    }

    /// The number under which the snapshot `snapshot` has the list, and whether it has it only from now on. `next` is
    /// the number to give in that case.
    pub fn number_in(&mut self, slot: u32, snapshot: u64, next: u32) -> (u32, bool) {
        let written = &mut self.entries[slot as usize].written;
        let new = written.0 != snapshot;
        if new {
            *written = (snapshot, next);
        }
        (written.1, new)
    }

    /// Users of each list that is there.
    #[cfg(test)]
    pub fn users(&self) -> std::collections::BTreeMap<u32, u64> {
        let there = self.entries.iter().enumerate().filter(|(_, entry)| entry.users > 0 || entry.acl.is_some());
        there.map(|(slot, entry)| (slot as u32, entry.users)).collect()
    }

    fn store(&mut self, hash: u64, acl: Arc<[Acl]>) -> u32 {
        let entry = Entry { acl: Some(acl), hash, users: 0, written: (0, 0) };
        let slot = match self.vacant.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let entries = &self.entries;
        self.by_content.insert_unique(hash, slot, |slot| entries[*slot as usize].hash);
        slot
    }
}

fn equal<'a>(acl: &[Acl], entries: impl ExactSizeIterator<Item = (i32, &'a str, &'a str)>) -> bool {
    let same = |(a, b): (&Acl, (i32, &str, &str))| (a.perms, &*a.scheme, &*a.id) == b;
    acl.len() == entries.len() && acl.iter().zip(entries).all(same)
}

fn content_hash<'a>(entries: impl Iterator<Item = (i32, &'a str, &'a str)>) -> u64 {
    entries.fold(1, |hash, (perms, scheme, id)| {
        let scheme = digest::of_bytes(hash, scheme.as_bytes());
        digest::chain(digest::of_bytes(scheme, id.as_bytes()), [u64::from(perms as u32)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_shared_counted_and_forgotten() {
        let mut table = AclTable::new();
        let (a, b) = ([(1, "digest", "a:b")], [(1, "digest", "a:b"), (31, "world", "anyone")]);
        let first = table.acquire(a.into_iter());
        assert_eq!(table.acquire(a.into_iter()), first);
        let second = table.acquire(b.into_iter());
        assert_ne!(first, second);
        assert_ne!(table.hash(first), table.hash(second));
        assert_eq!(table.get(second).as_deref(), Some(&[Acl::new(1, "digest", "a:b"), Acl::open()][..]));
        table.release(first);
        assert!(table.get(first).is_some());
        table.release(first);
        assert!(table.get(first).is_none());
        let third = table.acquire([(2, "ip", "::1")].into_iter());
        assert_eq!(third, first, "the slot is used again");
        assert_eq!(table.acquire(b.into_iter()), second);
    }

    #[test]
    fn the_open_list_costs_nothing() {
        let mut table = AclTable::new();
        assert_eq!(table.acquire([].into_iter()), OPEN);
        assert_eq!(table.acquire([(31, "world", "anyone")].into_iter()), OPEN);
        table.release(OPEN);
        assert!(table.get(OPEN).is_none());
        assert_ne!(table.acquire([(15, "world", "anyone")].into_iter()), OPEN);
    }

    #[test]
    fn a_snapshot_numbers_a_list_once() {
        let mut table = AclTable::new();
        let slot = table.acquire([(2, "ip", "::1")].into_iter());
        assert_eq!(table.number_in(slot, 7, 1), (1, true));
        assert_eq!(table.number_in(slot, 7, 2), (1, false));
        assert_eq!(table.number_in(slot, 8, 5), (5, true));
        table.release(slot);
        let slot = table.acquire([(2, "ip", "::2")].into_iter());
        assert_eq!(table.number_in(slot, 8, 6), (6, true), "another list in the same slot");
    }
}
