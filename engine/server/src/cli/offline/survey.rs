//! What a tree is made of: where its nodes and bytes are.

use std::collections::BTreeMap;

use ringkeeper_core::tree::{Kind, Tree};
use ringkeeper_zookeeper_files::walk;
use serde_json::{Value, json};

/// Nodes and bytes at and below a node.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Extent {
    pub(super) nodes: u64,
    pub(super) bytes: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Survey {
    /// Subtrees by the path of their top, down to a depth.
    pub(super) subtrees: BTreeMap<String, Extent>,
    /// Nodes of each kind.
    pub(super) kinds: BTreeMap<&'static str, u64>,
    /// The nodes with the most data, the largest first.
    pub(super) largest: Vec<(u64, String)>,
    /// The nodes with the most children, the widest first.
    pub(super) widest: Vec<(u64, String)>,
    /// Depth of the deepest node, and its path.
    pub(super) deepest: (usize, String),
}

impl Survey {
    /// Goes through all nodes. Subtrees are those whose top is at most `depth` below the root; of lists, `top` entries are
    /// kept.
    pub(super) fn of(tree: &Tree, depth: usize, top: usize) -> Survey {
        let mut survey = Survey::default();
        walk(tree, |path, node| {
            let (len, children) = (node.data().map_or(0, <[u8]>::len) as u64, u64::from(node.child_count()));
            let level = path.matches('/').count();
            for at in ends(path).take(depth + 1) {
                let extent = survey.subtrees.entry(shown(&path[..at]).to_owned()).or_default();
                extent.nodes += 1;
                extent.bytes += path.len() as u64 + len;
            }
            *survey.kinds.entry(word(node.kind())).or_default() += 1;
            keep(&mut survey.largest, top, len, path);
            keep(&mut survey.widest, top, children, path);
            if level > survey.deepest.0 {
                survey.deepest = (level, path.to_owned());
            }
            Ok::<(), std::convert::Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
        survey
    }

    /// The subtrees with the most bytes, the largest first, without the whole tree.
    pub(super) fn largest_subtrees(&self, top: usize) -> Vec<(&str, Extent)> {
        let mut all: Vec<_> = self.subtrees.iter().filter(|(path, _)| *path != "/").map(|(p, e)| (&**p, *e)).collect();
        all.sort_by(|(a_path, a), (b_path, b)| (b.bytes, a_path).cmp(&(a.bytes, b_path)));
        all.truncate(top);
        all
    }

    pub(super) fn to_json(&self, top: usize) -> Value {
        let subtrees: Vec<Value> = (self.largest_subtrees(top).into_iter())
            .map(|(path, extent)| json!({"path": path, "nodes": extent.nodes, "bytes": extent.bytes}))
            .collect();
        let list = |list: &[(u64, String)], name: &str| -> Vec<Value> {
            list.iter().map(|(n, path)| json!({"path": path, name: n})).collect()
        };
        json!({
            "kinds": self.kinds,
            "largest_subtrees": subtrees,
            "largest_nodes": list(&self.largest, "length"),
            "widest_nodes": list(&self.widest, "children"),
            "deepest": {"depth": self.deepest.0, "path": shown(&self.deepest.1)},
        })
    }
}

/// Where the paths of a node's ancestors end, the root first, then its own.
fn ends(path: &str) -> impl Iterator<Item = usize> {
    path.match_indices('/').map(|(at, _)| at).chain(std::iter::once(path.len()))
}

fn shown(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Persistent => "persistent",
        Kind::Ephemeral(_) => "ephemeral",
        Kind::Container => "container",
        Kind::Ttl(_) => "ttl",
    }
}

/// Keeps the `top` largest, of equal ones those that come first.
fn keep(list: &mut Vec<(u64, String)>, top: usize, n: u64, path: &str) {
    let place = list.partition_point(|(other, _)| *other >= n);
    if n > 0 && place < top {
        list.insert(place, (n, shown(path).to_owned()));
        list.truncate(top);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringkeeper_core::ids::Zxid;
    use ringkeeper_core::tree::{Builder, NodeState};

    fn tree() -> Tree {
        let state = |name, data| NodeState {
            name,
            data: Some(data),
            acl: 0,
            czxid: 1,
            mzxid: 1,
            pzxid: 1,
            ctime: 1,
            mtime: 1,
            version: 0,
            create_count: 0,
            aversion: 0,
            owner: 0,
        };
        let mut builder = Builder::default();
        let root = builder.node(0, &state("", b"")).unwrap();
        let a = builder.node(root, &state("a", b"12345")).unwrap();
        builder.node(root, &state("ab", b"1")).unwrap();
        let below = builder.node(a, &state("b", b"123")).unwrap();
        builder.node(below, &NodeState { owner: i64::MIN, ..state("c", b"") }).unwrap();
        builder.finish(Zxid(9)).unwrap()
    }

    #[test]
    fn a_tree_is_told_by_its_subtrees() {
        let survey = Survey::of(&tree(), 2, 2);
        let extent = |nodes, bytes| Extent { nodes, bytes };
        let expected =
            [("/a", extent(3, 2 + 5 + 4 + 3 + 6)), ("/a/b", extent(2, 4 + 3 + 6)), ("/ab", extent(1, 3 + 1))];
        assert_eq!(survey.largest_subtrees(9), expected);
        assert_eq!(survey.subtrees["/"].nodes, 5);
        assert_eq!(survey.kinds, BTreeMap::from([("persistent", 4), ("container", 1)]));
        assert_eq!(survey.largest, [(5, "/a".to_owned()), (3, "/a/b".to_owned())]);
        assert_eq!(survey.widest, [(2, "/".to_owned()), (1, "/a".to_owned())]);
        assert_eq!(survey.deepest, (3, "/a/b/c".to_owned()));
    }
}
