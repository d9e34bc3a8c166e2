//! The table: per path the connections that watch it, per connection the paths that it watches.
//!
//! Sized for herds: registering is O(1) however many connections watch the path already (a connection's own set tells
//! whether it is among them), firing is one pass over the path's watchers, a watch costs 8 bytes at the path and about
//! 8 at the connection beside the path itself, which is stored once.

use super::{EventType, WatchKind, WatcherType};
use core::hash::BuildHasher;
use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

const ONE_SHOT: u8 = WatchKind::Data.bit() | WatchKind::Child.bit();
const CHILD: u8 = WatchKind::Child.bit();
const RECURSIVE: u8 = WatchKind::Recursive.bit();

#[derive(Clone, Copy, Debug)]
struct Watcher {
    conn: u32,
    kinds: u8,
}

#[derive(Debug, Default)]
struct PathWatches {
    path: Box<str>,
    watchers: Vec<Watcher>,
}

/// Numbers for `wchs` and `mntr`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WatchSummary {
    /// Connections that watch anything.
    pub connections: usize,
    /// Paths that are watched.
    pub paths: usize,
    /// Watches: connection, path and kind.
    pub watches: usize,
}

/// All watches of one client executor. Connections are known by their slot.
#[derive(Debug, Default)]
pub struct WatchTable {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    entries: Vec<PathWatches>,
    free: Vec<u32>,
    by_conn: HashMap<u32, HashSet<u32>>,
    recursive: usize,
    watches: usize,
    /// Per connection slot the number of the last firing that reached it: one event a change, however many kinds match.
    reached: Vec<u64>,
    firing: u64,
}

impl WatchTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> WatchTable {
        WatchTable::default()
    }

    /// Registers a watch. Registering the same one again changes nothing.
    pub fn add(&mut self, conn: u32, path: &str, kind: WatchKind) {
        let slot = self.slot_of(path).unwrap_or_else(|| self.insert_path(path));
        let watchers = &mut self.entries[slot as usize].watchers;
        if self.by_conn.entry(conn).or_default().insert(slot) {
            watchers.push(Watcher { conn, kinds: 0 });
        }
        let watcher = watchers.iter_mut().rev().find(|w| w.conn == conn).expect("a connection's path lists it");
        if watcher.kinds & kind.bit() == 0 {
            watcher.kinds |= kind.bit();
            self.watches += 1;
            self.recursive += usize::from(kind == WatchKind::Recursive);
        }
    }

    /// Whether the connection holds a watch of that type on the path.
    #[must_use]
    pub fn contains(&self, conn: u32, path: &str, which: WatcherType) -> bool {
        self.slot_of(path).is_some_and(|slot| {
            self.by_conn.get(&conn).is_some_and(|paths| paths.contains(&slot))
                && self.entries[slot as usize].watchers.iter().any(|w| w.conn == conn && w.kinds & which.bits() != 0)
        })
    }

    /// Number of paths that the connection watches.
    #[must_use]
    pub fn paths_of(&self, conn: u32) -> usize {
        self.by_conn.get(&conn).map_or(0, HashSet::len)
    }

    /// Removes the connection's watches of that type from the path; false if there was none.
    pub fn remove(&mut self, conn: u32, path: &str, which: WatcherType) -> bool {
        if !self.contains(conn, path, which) {
            return false;
        }
        let slot = self.slot_of(path).expect("contains() found the path");
        self.strip(slot, conn, which.bits());
        true
    }

    /// The connection is gone, its watches with it.
    pub fn remove_conn(&mut self, conn: u32) {
        let Some(paths) = self.by_conn.get(&conn) else { return };
        #[allow(clippy::disallowed_methods, reason = "sorted before use")]
        let mut slots: Vec<u32> = paths.iter().copied().collect();
        slots.sort_unstable();
        for slot in slots {
            self.strip(slot, conn, 0xF);
        }
    }

    /// Collects into `hit` the connections that must hear that `event` happened to `path`, each once, and uses up their
    /// one-shot watches. For a change of children `path` is the parent.
    pub fn fire(&mut self, event: EventType, path: &str, hit: &mut Vec<u32>) {
        if self.watches == 0 {
            return;
        }
        self.firing += 1;
        let kinds = match event {
            EventType::NodeCreated | EventType::NodeDataChanged => 0xF & !CHILD,
            EventType::NodeDeleted => 0xF,
            EventType::NodeChildrenChanged => CHILD | WatchKind::Persistent.bit(),
        };
        if let Some(slot) = self.slot_of(path) {
            self.fire_at(slot, kinds, hit);
        }
        if event == EventType::NodeChildrenChanged {
            return;
        }
        let mut below = path;
        while self.recursive > 0 && below.len() > 1 {
            below = crate::tree::path::parent(below);
            if let Some(slot) = self.slot_of(below) {
                self.fire_at(slot, RECURSIVE, hit);
            }
        }
    }

    fn fire_at(&mut self, slot: u32, kinds: u8, hit: &mut Vec<u32>) {
        let PathWatches { watchers, .. } = &mut self.entries[slot as usize];
        let mut emptied = 0;
        for watcher in watchers.iter_mut().filter(|w| w.kinds & kinds != 0) {
            let at = watcher.conn as usize;
            if self.reached.len() <= at {
                self.reached.resize(at + 1, 0);
            }
            if self.reached[at] != self.firing {
                self.reached[at] = self.firing;
                hit.push(watcher.conn);
            }
            let used = watcher.kinds & kinds & ONE_SHOT;
            self.watches -= used.count_ones() as usize;
            watcher.kinds &= !used;
            emptied += usize::from(watcher.kinds == 0);
        }
        if emptied > 0 {
            self.drop_emptied(slot);
        }
    }

    fn drop_emptied(&mut self, slot: u32) {
        let WatchTable { entries, by_conn, .. } = self;
        entries[slot as usize].watchers.retain(|w| {
            if w.kinds == 0 {
                forget(by_conn, w.conn, slot);
            }
            w.kinds != 0
        });
        self.drop_path_if_unwatched(slot);
    }

    fn strip(&mut self, slot: u32, conn: u32, kinds: u8) {
        let watchers = &mut self.entries[slot as usize].watchers;
        let at = watchers.iter().position(|w| w.conn == conn).expect("a connection's path lists it");
        let gone = watchers[at].kinds & kinds;
        watchers[at].kinds &= !kinds;
        self.watches -= gone.count_ones() as usize;
        self.recursive -= usize::from(gone & RECURSIVE != 0);
        if watchers[at].kinds == 0 {
            watchers.swap_remove(at);
            forget(&mut self.by_conn, conn, slot);
            self.drop_path_if_unwatched(slot);
        }
    }

    fn drop_path_if_unwatched(&mut self, slot: u32) {
        if !self.entries[slot as usize].watchers.is_empty() {
            return;
        }
        let entry = core::mem::take(&mut self.entries[slot as usize]);
        let hash = self.hasher.hash_one(&*entry.path);
        let found = self.index.find_entry(hash, |s| *s == slot).map(hashbrown::hash_table::OccupiedEntry::remove);
        assert!(found.is_ok(), "a watched path is in the index");
        self.free.push(slot);
    }

    fn slot_of(&self, path: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(path);
        self.index.find(hash, |slot| &*self.entries[*slot as usize].path == path).copied()
    }

    fn insert_path(&mut self, path: &str) -> u32 {
        let entry = PathWatches { path: path.into(), watchers: Vec::new() };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 watched paths")
            }
        };
        let WatchTable { hasher, index, entries, .. } = self;
        let rehash = |s: &u32| hasher.hash_one(&*entries[*s as usize].path);
        index.insert_unique(hasher.hash_one(path), slot, rehash);
        slot
    }

    /// Totals.
    #[must_use]
    pub fn summary(&self) -> WatchSummary {
        WatchSummary { connections: self.by_conn.len(), paths: self.index.len(), watches: self.watches }
    }

    /// Every watched path with the slots of its watchers, ordered by path: for `wchp` and, turned round, `wchc`.
    #[must_use]
    pub fn by_path(&self) -> Vec<(&str, Vec<u32>)> {
        let mut all: Vec<(&str, Vec<u32>)> = self
            .entries
            .iter()
            .filter(|entry| !entry.watchers.is_empty())
            .map(|entry| (&*entry.path, entry.watchers.iter().map(|w| w.conn).collect()))
            .collect();
        all.sort_unstable();
        all
    }
}

fn forget(by_conn: &mut HashMap<u32, HashSet<u32>>, conn: u32, slot: u32) {
    if let Some(paths) = by_conn.get_mut(&conn) {
        paths.remove(&slot);
        if paths.is_empty() {
            by_conn.remove(&conn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventType::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
    use WatchKind::{Child, Data, Persistent, Recursive};

    fn hits(table: &mut WatchTable, event: EventType, path: &str) -> Vec<u32> {
        let mut hit = Vec::new();
        table.fire(event, path, &mut hit);
        hit.sort_unstable();
        hit
    }

    /// Rows of the trigger matrix: who hears of an event on `/a/b`.
    #[test]
    fn each_kind_hears_what_it_should() {
        let watch = [(1, "/a/b", Data), (2, "/a/b", Child), (3, "/a/b", Persistent), (4, "/a/b", Recursive)];
        let above = [(5, "/a", Recursive), (6, "/", Recursive), (7, "/a", Persistent), (8, "/a", Child)];
        for (event, path, expected) in [
            (NodeCreated, "/a/b", &[1, 3, 4, 5, 6][..]),
            (NodeDataChanged, "/a/b", &[1, 3, 4, 5, 6]),
            (NodeDeleted, "/a/b", &[1, 2, 3, 4, 5, 6]),
            (NodeChildrenChanged, "/a", &[7, 8]),
            (NodeChildrenChanged, "/a/b", &[2, 3]),
        ] {
            let mut table = WatchTable::new();
            for (conn, path, kind) in watch.iter().chain(&above) {
                table.add(*conn, path, *kind);
            }
            assert_eq!(hits(&mut table, event, path), expected, "{event:?} on {path}");
        }
    }

    #[test]
    fn one_shot_watches_fire_once_and_persistent_ones_stay() {
        let mut table = WatchTable::new();
        table.add(1, "/a", Data);
        table.add(1, "/a", Persistent);
        table.add(2, "/a", Data);
        assert_eq!(hits(&mut table, NodeDataChanged, "/a"), [1, 2]);
        assert_eq!(hits(&mut table, NodeDataChanged, "/a"), [1]);
        assert_eq!(table.summary(), WatchSummary { connections: 1, paths: 1, watches: 1 });
    }

    #[test]
    fn one_event_a_connection_however_many_kinds_match() {
        let mut table = WatchTable::new();
        for kind in [Data, Child, Persistent, Recursive] {
            table.add(1, "/a/b", kind);
        }
        table.add(1, "/a", Recursive);
        assert_eq!(hits(&mut table, NodeDeleted, "/a/b"), [1]);
        assert_eq!(table.summary().watches, 3, "the two one-shot ones are used up");
    }

    #[test]
    fn removal_takes_what_is_named_and_no_more() {
        let mut table = WatchTable::new();
        for kind in [Data, Child, Persistent, Recursive] {
            table.add(1, "/a", kind);
        }
        assert!(table.remove(1, "/a", WatcherType::Data));
        assert!(!table.remove(1, "/a", WatcherType::Data));
        assert!(table.contains(1, "/a", WatcherType::Persistent));
        assert!(!table.contains(2, "/a", WatcherType::Any));
        assert!(table.remove(1, "/a", WatcherType::Any));
        assert_eq!(table.summary(), WatchSummary::default());
        assert_eq!((table.recursive, table.index.len()), (0, 0));
    }

    #[test]
    fn nothing_remains_of_a_connection_that_is_gone() {
        let mut table = WatchTable::new();
        for n in 0..100 {
            table.add(1, &format!("/n{n}"), Data);
            table.add(2, &format!("/n{}", n % 10), Child);
        }
        table.remove_conn(1);
        assert_eq!(table.summary(), WatchSummary { connections: 1, paths: 10, watches: 10 });
        table.remove_conn(2);
        table.remove_conn(3);
        assert_eq!(table.summary(), WatchSummary::default());
        assert!(table.by_path().is_empty());
    }
}
