//! Snapshots: what was, while everything changes.

use super::super::*;
use super::writer::{READ_ONLY, Writer};

/// Everything that can be seen of a tree, in one text.
pub fn dump(tree: &Tree) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{} {} {}\n", tree.last_zxid(), tree.node_count(), tree.approximate_data_size());
    let mut paths = vec!["/".to_owned()];
    let mut nodes = BTreeMap::new();
    while let Some(path) = paths.pop() {
        let node = tree.get(&path).expect("a child can be found by its path");
        let above = if path == "/" { "" } else { &path };
        paths.extend(node.children().map(|name| format!("{above}/{name}")));
        nodes.insert(path, node);
    }
    assert_eq!(nodes.len(), tree.node_count());
    for (path, node) in nodes {
        let (acl, kind, count) = (node.acl(), node.kind(), node.create_count());
        writeln!(text, "{path} {:?} {:?} {acl:?} {kind:?} {count}", node.stat(), node.data()).unwrap();
    }
    for (id, entry) in tree.sessions() {
        writeln!(text, "{id} {entry:?} {:?}", tree.ephemerals(id)).unwrap();
    }
    writeln!(text, "{:?}", tree.reapable(WallMs(i64::MAX), 1)).unwrap();
    for root in tree.quotas.roots() {
        writeln!(text, "{root} {:?}", tree.quota_for(root)).unwrap();
    }
    text
}

pub fn load(bytes: &[u8], piece: usize) -> Result<Tree, LoadError> {
    let mut loader = Loader::new();
    for piece in bytes.chunks(piece) {
        loader.feed(piece)?;
    }
    loader.finish()
}

#[test]
fn a_quiet_tree_comes_back_whole_whatever_the_pieces() {
    let mut w = Writer::new();
    w.open_session(9).unwrap();
    w.create("/a", b"data").unwrap();
    w.create("/a/b", b"").unwrap();
    w.create_owned("/a/e", b"x", 9).unwrap();
    w.create_owned("/c", b"x", i64::MIN).unwrap();
    w.create_owned("/t", b"x", 0xFF00_0000_0000_0005_u64 as i64).unwrap();
    w.set("/a/b", None).unwrap();
    w.set_acl("/a/b", READ_ONLY).unwrap();
    let head = w.tree.snapshot_begin();
    let mut bytes = Vec::new();
    while !w.tree.snapshot_slice(2, &mut bytes) {}
    for piece in [1, 3, 4, 5, 90, 1 << 20] {
        let loaded = load(&bytes, piece).unwrap();
        assert_eq!(dump(&loaded), dump(&w.tree));
        assert_eq!((loaded.digest(), head.zxid), (w.tree.digest(), loaded.last_zxid()));
    }
}
