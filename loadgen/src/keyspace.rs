//! Names of the znodes that loadgen makes.
//!
//! ```text
//! PREFIX/keys-00003/k00000342      the key space: made by `fill` or before a `run`
//! PREFIX/new-5f3a9c01-00007-000/n000000012
//!                                  made by the creates of a run: run, connection, block
//! PREFIX/own-5f3a9c01-00007-000000003
//!                                  ephemeral: run, connection
//! ```
//! Parents are sharded, because a list of all children of one parent must stay small enough to be sent. Only nodes
//! with these names are ever removed.

use anyhow::{Result, bail};

const KEYS: &str = "/keys-";
const NEW: &str = "/new-";
const OWN: &str = "/own-";

/// The key space.
#[derive(Clone, Debug)]
pub struct KeySpace {
    prefix: String,
    keys: u64,
    per_parent: u64,
}

impl KeySpace {
    /// `keys` keys under `prefix`, of which `per_parent` share a parent.
    ///
    /// # Errors
    /// If the prefix is no path that nodes can be made under.
    pub fn new(prefix: &str, keys: u64, per_parent: u64) -> Result<KeySpace> {
        check_prefix(prefix).map_err(anyhow::Error::msg)?;
        if keys == 0 || per_parent == 0 {
            bail!("a key space needs at least one key, and at least one key per parent");
        }
        if keys > u64::from(u32::MAX) {
            bail!("at most {} keys", u32::MAX);
        }
        Ok(KeySpace { prefix: prefix.to_owned(), keys, per_parent })
    }

    /// The path under which everything is.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Number of keys.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Number of parents.
    pub fn parents(&self) -> u64 {
        self.keys.div_ceil(self.per_parent)
    }

    /// Writes the path of a parent.
    pub fn parent(&self, parent: u64, path: &mut String) {
        path.clear();
        path.push_str(&self.prefix);
        path.push_str(KEYS);
        push_digits(path, parent, 5);
    }

    /// The parent of a key.
    pub fn parent_of(&self, key: u64) -> u64 {
        key / self.per_parent
    }

    /// Writes the path of a key.
    pub fn key(&self, key: u64, path: &mut String) {
        self.parent(self.parent_of(key), path);
        path.push_str("/k");
        push_digits(path, key, 8);
    }

    /// The prefix and its ancestors, the root excepted, outermost first.
    pub fn ancestry(&self) -> Vec<String> {
        let ends = self.prefix.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(i, _)| i);
        ends.chain([self.prefix.len()]).map(|end| self.prefix[..end].to_owned()).collect()
    }

    /// Whether a child of the prefix was made by loadgen.
    pub fn is_ours(name: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        [KEYS, NEW, OWN].iter().any(|start| name.strip_prefix(&start[1..]).is_some_and(digits))
    }
}

/// Nodes that a connection's creates make and its deletes remove, oldest first.
///
/// The first create of a block makes its parent, the others its children. A parent stays: it has children.
#[derive(Clone, Debug)]
pub struct Fresh {
    block_prefix: String,
    created: u64,
    deleted: u64,
}

/// Creates per block, the parent's included.
const BLOCK: u64 = 10_001;

impl Fresh {
    /// The nodes of connection `connection` of the run `run`.
    pub fn new(prefix: &str, run: u32, connection: usize) -> Fresh {
        Fresh { block_prefix: format!("{prefix}{NEW}{run:08x}-{connection:05}-"), created: 0, deleted: 0 }
    }

    /// Writes the path of the next node to create.
    pub fn create(&mut self, path: &mut String) {
        self.path(self.created, path);
        self.created += 1;
    }

    /// Writes the path of the oldest node to delete; `false` if there is none.
    pub fn delete(&mut self, path: &mut String) -> bool {
        if self.deleted.is_multiple_of(BLOCK) {
            self.deleted += 1;
        }
        if self.deleted >= self.created {
            return false;
        }
        self.path(self.deleted, path);
        self.deleted += 1;
        true
    }

    fn path(&self, sequence: u64, path: &mut String) {
        path.clear();
        path.push_str(&self.block_prefix);
        push_digits(path, sequence / BLOCK, 3);
        if !sequence.is_multiple_of(BLOCK) {
            path.push_str("/n");
            push_digits(path, sequence, 9);
        }
    }
}

/// A connection's ephemeral nodes: one at a time.
#[derive(Clone, Debug)]
pub struct Own {
    prefix: String,
    made: u64,
    held: bool,
}

impl Own {
    /// The nodes of connection `connection` of the run `run`.
    pub fn new(prefix: &str, run: u32, connection: usize) -> Own {
        Own { prefix: format!("{prefix}{OWN}{run:08x}-{connection:05}-"), made: 0, held: false }
    }

    /// Writes the path of the node that is there and is to go, or of the next one; whether it is there.
    pub fn turn(&mut self, path: &mut String) -> bool {
        let held = self.held;
        self.held = !held;
        if !held {
            self.made += 1;
        }
        path.clear();
        path.push_str(&self.prefix);
        push_digits(path, self.made, 9);
        held
    }
}

/// Whether nodes can be made under a path.
///
/// # Errors
/// Why not.
pub fn check_prefix(prefix: &str) -> Result<(), String> {
    if !prefix.starts_with('/') || prefix.len() < 2 {
        return Err("it must be an absolute path below the root, like /loadgen".into());
    }
    let bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains('\0');
    if prefix[1..].split('/').any(bad) {
        return Err("it has an empty or relative part".into());
    }
    if prefix == "/zookeeper" || prefix.starts_with("/zookeeper/") {
        return Err("/zookeeper belongs to the server".into());
    }
    Ok(())
}

/// Appends a number with at least `width` digits. (`write!` takes five times as long.)
fn push_digits(path: &mut String, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value > 0 || digits.len() - start < width {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    path.push_str(std::str::from_utf8(&digits[start..]).expect("digits are ASCII"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sharded_and_told_from_the_nodes_of_others() {
        let space = KeySpace::new("/a/b", 1_001, 100).unwrap();
        let mut path = String::new();
        space.key(342, &mut path);
        assert_eq!(path, "/a/b/keys-00003/k00000342");
        assert_eq!(space.parents(), 11);
        assert_eq!(space.ancestry(), ["/a", "/a/b"]);
        assert!(KeySpace::is_ours("keys-00003") && KeySpace::is_ours("new-5f3a9c01-00007-000"));
        assert!(!KeySpace::is_ours("keys-") && !KeySpace::is_ours("keys-of-mine!") && !KeySpace::is_ours("old-1"));
    }

    #[test]
    fn deletes_follow_creates_and_spare_the_parents() {
        let mut fresh = Fresh::new("/p", 1, 2);
        let mut path = String::new();
        assert!(!fresh.delete(&mut path), "nothing is there");
        fresh.create(&mut path);
        assert_eq!(path, "/p/new-00000001-00002-000");
        assert!(!fresh.delete(&mut path), "a parent is not for deletion");
        fresh.create(&mut path);
        assert_eq!(path, "/p/new-00000001-00002-000/n000000001");
        assert!(fresh.delete(&mut path));
        assert_eq!(path, "/p/new-00000001-00002-000/n000000001");
        assert!(!fresh.delete(&mut path));
        for _ in 2..=BLOCK {
            fresh.create(&mut path);
        }
        assert_eq!(path, "/p/new-00000001-00002-001", "the second block's parent");
        fresh.create(&mut path);
        let mut deleted = 0;
        while fresh.delete(&mut path) {
            deleted += 1;
        }
        assert_eq!(deleted, BLOCK - 1, "all children but the one that was deleted before, and the new one");
    }

    #[test]
    fn ephemeral_nodes_come_and_go_in_turn() {
        let mut own = Own::new("/p", 1, 2);
        let mut path = String::new();
        let turns: Vec<(bool, String)> = (0..3).map(|_| (own.turn(&mut path), path.clone())).collect();
        let (first, second) = ("/p/own-00000001-00002-000000001", "/p/own-00000001-00002-000000002");
        assert_eq!(turns, [(false, first.into()), (true, first.into()), (false, second.into())]);
        assert!(KeySpace::is_ours(&first[3..]));
    }

    #[test]
    fn prefixes_that_are_no_place_for_nodes_are_refused() {
        for bad in ["", "/", "loadgen", "/a//b", "/a/", "/a/../b", "/zookeeper", "/zookeeper/x"] {
            assert!(KeySpace::new(bad, 1, 1).is_err(), "{bad:?}");
        }
        assert!(KeySpace::new("/zookeepers", 1, 1).is_ok());
    }
}
