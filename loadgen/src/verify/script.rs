//! What the clients of a history do: all kinds of operations on a few nodes, so that they get into each other's way.
//!
//! ```text
//! ROOT/k0 ...      created, set, deleted, read, watched; with and without a version
//! ROOT/e0 ...      the same, as ephemeral nodes: those of a lock
//! ROOT/q/c3-17-N   sequential, some of them ephemeral
//! ROOT/b0/x0 ...   children of a node that is itself created and deleted
//! ```

use super::history::Ask;
use crate::random::Random;
use std::collections::HashMap;

/// Sequential nodes that a client leaves before it removes one for each that it makes.
const QUEUED: usize = 5;

/// What one client does.
#[derive(Debug)]
pub struct Script {
    root: String,
    keys: u64,
    client: u32,
    /// Operations so far: values are named after them.
    number: u64,
    random: Random,
    /// Versions that were seen last.
    versions: HashMap<String, i32>,
    /// Sequential nodes that were made.
    queued: Vec<String>,
}

impl Script {
    /// Of a client on so many keys.
    pub fn new(root: &str, keys: u64, client: u32, random: Random) -> Script {
        let (versions, queued) = (HashMap::new(), Vec::new());
        Script { root: root.to_owned(), keys, client, number: 0, random, versions, queued }
    }

    /// The nodes that there must be.
    pub fn beginning(root: &str) -> Vec<Ask> {
        let node =
            |path: String| Ask::Create { data: format!("begin {path}"), path, ephemeral: false, sequential: false };
        vec![node(root.to_owned()), node(format!("{root}/q"))]
    }

    fn pick(&mut self, letter: char, of: u64) -> String {
        format!("{}/{letter}{}", self.root, self.random.below(of))
    }

    /// Values are unlike all others: whoever reads one knows who wrote it.
    fn value(&mut self) -> String {
        self.number += 1;
        format!("c{}-{}", self.client, self.number)
    }

    /// The version that was seen last, most of the time; any version otherwise.
    fn version(&mut self, path: &str) -> i32 {
        match self.versions.get(path) {
            Some(version) if self.random.below(3) > 0 => *version,
            _ => -1,
        }
    }

    /// A version was seen.
    pub fn saw(&mut self, path: &str, version: i32) {
        self.versions.insert(path.to_owned(), version);
    }

    /// A sequential node was made.
    pub fn made(&mut self, path: &str) {
        self.queued.push(path.to_owned());
    }

    /// The next operation.
    pub fn next(&mut self) -> Ask {
        let watch = self.random.below(3) == 0;
        match self.random.below(100) {
            0..18 => self.set(),
            18..26 => self.create('k', self.keys, false),
            26..32 => self.create('e', 3, true),
            32..40 => self.delete(),
            40..58 => Ask::Get { path: self.any(), watch },
            58..66 => Ask::Exists { path: self.any(), watch },
            66..74 => self.queue(),
            74..80 => Ask::Children { path: format!("{}/q", self.root), watch },
            80..88 => self.branch(watch),
            88..95 => self.multi(),
            _ => Ask::Sync { path: self.root.clone() },
        }
    }

    fn any(&mut self) -> String {
        let keys = self.keys;
        if self.random.below(4) == 0 { self.pick('e', 3) } else { self.pick('k', keys) }
    }

    fn set(&mut self) -> Ask {
        let path = self.any();
        let version = self.version(&path);
        Ask::Set { data: self.value(), path, version }
    }

    fn create(&mut self, letter: char, of: u64, ephemeral: bool) -> Ask {
        let path = self.pick(letter, of);
        Ask::Create { data: self.value(), path, ephemeral, sequential: false }
    }

    fn delete(&mut self) -> Ask {
        let path = self.any();
        let version = self.version(&path);
        Ask::Delete { path, version }
    }

    fn queue(&mut self) -> Ask {
        if self.queued.len() > QUEUED {
            return Ask::Delete { path: self.queued.remove(0), version: -1 };
        }
        let data = self.value();
        let path = format!("{}/q/{data}-", self.root);
        Ask::Create { path, data, ephemeral: self.random.below(2) == 0, sequential: true }
    }

    fn branch(&mut self, watch: bool) -> Ask {
        let branch = self.pick('b', 2);
        let leaf = format!("{branch}/x{}", self.random.below(2));
        match self.random.below(8) {
            0..2 => Ask::Create { path: branch, data: self.value(), ephemeral: false, sequential: false },
            2 => Ask::Delete { path: branch, version: -1 },
            3..5 => Ask::Create { path: leaf, data: self.value(), ephemeral: false, sequential: false },
            5..7 => Ask::Delete { path: leaf, version: -1 },
            _ => Ask::Children { path: branch, watch },
        }
    }

    /// A change on a condition, with another one. The paths differ.
    fn multi(&mut self) -> Ask {
        let first = self.random.below(self.keys);
        let second = (first + 1 + self.random.below(self.keys - 1)) % self.keys;
        let [first, second] = [first, second].map(|key| format!("{}/k{key}", self.root));
        let version = self.version(&first);
        let other = match self.random.below(3) {
            0 => Ask::Create { path: second, data: self.value(), ephemeral: false, sequential: false },
            1 => Ask::Delete { path: second, version: -1 },
            _ => Ask::Set { path: second, data: self.value(), version: -1 },
        };
        Ask::Multi(vec![Ask::Check { path: first, version }, other])
    }
}
