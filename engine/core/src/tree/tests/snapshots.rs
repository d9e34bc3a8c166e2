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

fn some_tree() -> Writer {
    let mut w = Writer::new();
    w.open_session(9).unwrap();
    w.open_session(-9).unwrap();
    w.create("/a", b"data").unwrap();
    w.create("/a/b", b"").unwrap();
    w.create_owned("/a/e", b"x", 9).unwrap();
    w.create_owned("/c", b"x", i64::MIN).unwrap();
    w.set_acl("/a/b", READ_ONLY).unwrap();
    w
}

fn take(tree: &mut Tree, max_nodes: usize) -> Vec<u8> {
    tree.snapshot_begin();
    let mut bytes = Vec::new();
    while !tree.snapshot_slice(max_nodes, &mut bytes) {}
    bytes
}

/// Places where records begin, and the end.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let mut borders = vec![0];
    while let Some(len) = bytes.get(*borders.last().unwrap()..).and_then(|rest| rest.first_chunk()) {
        borders.push(borders.last().unwrap() + 4 + u32::from_le_bytes(*len) as usize);
    }
    borders
}

#[test]
fn every_cut_is_noticed() {
    let bytes = take(&mut some_tree().tree, 100);
    for len in 0..bytes.len() {
        assert!(load(&bytes[..len], 7).is_err(), "{len} of {}", bytes.len());
    }
    assert!(load(&bytes, 7).is_ok());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut w = some_tree();
    let bytes = take(&mut w.tree, 100);
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(load(&bad, 1000).is_err(), "bit {bit}");
    }
}

/// A snapshot of these records behind the head, with an end that fits.
fn sealed(records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = records.concat();
    let crc = crc32c::crc32c(&bytes);
    record::write_end(&mut bytes, records.len() as u64, crc);
    bytes
}

/// Under an end that fits, it is the digest that notices.
#[test]
fn no_flipped_bit_under_a_fitting_end_makes_other_nodes() {
    let mut w = some_tree();
    let bytes = take(&mut w.tree, 100);
    let borders = borders(&bytes);
    let content = borders[borders.len() - 2];
    let without_zxid = |tree: &Tree| dump(tree).split_once(' ').unwrap().1.to_owned();
    let was = without_zxid(&w.tree);
    let mut unnoticed = 0;
    for bit in 0..content * 8 {
        let mut bad = bytes[..content].to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        let crc = crc32c::crc32c(&bad);
        record::write_end(&mut bad, borders.len() as u64 - 2, crc);
        if let Ok(tree) = load(&bad, 1000) {
            assert_eq!(without_zxid(&tree), was, "bit {bit}");
            unnoticed += 1;
        }
    }
    assert!(unnoticed >= 64, "the zxid is not under the digest, and childless nodes may have any id: {unnoticed}");
}

#[test]
fn a_head_that_counts_otherwise_is_refused() {
    let mut w = some_tree();
    let bytes = take(&mut w.tree, 100);
    let borders = borders(&bytes);
    let records: Vec<&[u8]> = borders.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
    for (off, what, found) in [(25, "number of nodes", 8), (33, "number of sessions", 2)] {
        let mut head = records[0].to_vec();
        head[off] += 1;
        let mut other = records.clone();
        (other[0], _) = (&head, other.pop());
        let expected = LoadError::Mismatch { what, stated: found + 1, found };
        assert_eq!(load(&sealed(&other), 64).unwrap_err(), expected);
    }
}

#[test]
fn records_lost_doubled_or_swapped_are_noticed_unless_their_order_does_not_matter() {
    let mut w = some_tree();
    let bytes = take(&mut w.tree, 100);
    let was = dump(&w.tree);
    let borders = borders(&bytes);
    let records: Vec<&[u8]> = borders.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
    assert_eq!(records.len(), 1 + 1 + 8 + 2 + 1, "head, list, nodes, sessions, end");
    let records = &records[..records.len() - 1];
    assert_eq!(sealed(records), bytes);
    for at in 0..records.len() {
        let mut lost = records.to_vec();
        lost.remove(at);
        assert!(load(&sealed(&lost), 50).is_err(), "lost {at}");
        let mut doubled = records.to_vec();
        doubled.insert(at, records[at]);
        assert!(load(&sealed(&doubled), 50).is_err(), "doubled {at}");
        for other in 0..at {
            let mut swapped = records.to_vec();
            swapped.swap(at, other);
            if let Ok(tree) = load(&sealed(&swapped), 50) {
                assert_eq!(dump(&tree), was, "swapped {other} and {at}");
                assert!(other > 0, "the head is first");
            }
        }
    }
}

/// Bytes made up from scratch, with lengths and tags that are right more often than not.
#[test]
fn nonsense_is_refused() {
    let mut bytes = take(&mut some_tree().tree, 100);
    bytes.truncate(bytes.len() - 21);
    let mut state = 12345_u64;
    println!("seed {state}");
    let mut random = move |sides: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % sides
    };
    for _ in 0..20_000 {
        let mut bad = bytes.clone();
        for _ in 0..=random(6) {
            let at = random(bad.len());
            match random(4) {
                0 => bad[at] = random(256) as u8,
                1 => bad[at] = 0xFF,
                2 => drop(bad.drain(at..(at + random(40)).min(bad.len()))),
                _ => {
                    let copied = bad[at..(at + random(150)).min(bad.len())].to_vec();
                    let to = random(bad.len());
                    bad.splice(to..to, copied);
                }
            }
            if bad.is_empty() {
                break;
            }
        }
        // The number of records does not matter: most are refused long before.
        let crc = crc32c::crc32c(&bad);
        let count = borders(&bad).len() as u64 - 1;
        record::write_end(&mut bad, count, crc);
        let _ = load(&bad, random(200) + 1);
    }
}

/// Content that adds up but is no tree: made by hand, for the digest would hide the checks.
#[test]
fn nodes_that_are_no_tree_are_named() {
    let node = |id: u32, parent: u32, name: &str, owner: i64| {
        let kind = Kind::from_owner(owner).unwrap();
        let mut record = NodeRecord::new(name, None, kind, 0);
        record.parent = parent;
        let mut bytes = Vec::new();
        record::write_node(&mut bytes, id, &record, kind, 0);
        bytes
    };
    let load = |nodes: &[Vec<u8>]| {
        let head = SnapshotHead { zxid: Zxid(5), digest: 0, node_count: nodes.len() as u64, session_count: 0 };
        let mut bytes = Vec::new();
        record::write_head(&mut bytes, record::FORMAT, &head);
        bytes.extend(nodes.concat());
        let crc = crc32c::crc32c(&bytes);
        record::write_end(&mut bytes, nodes.len() as u64 + 1, crc);
        load(&bytes, 64).map(|tree| tree.node_count())
    };
    let root = || node(0, NONE, "", 0);
    let structure = |what, id| Err(LoadError::Structure { what, id });
    let record = |at, what| Err(LoadError::Record { at, what });
    assert!(matches!(load(&[root()]), Err(LoadError::Mismatch { what: "digest", .. })), "only the digest is missing");
    assert!(matches!(load(&[node(7, 0, "a", 0), root()]), Err(LoadError::Mismatch { what: "digest", .. })));
    assert_eq!(load(&[]), structure("no root", 0));
    assert_eq!(load(&[root(), node(7, 8, "a", 0)]), structure("a parent that is not there", 7));
    assert_eq!(load(&[root(), node(7, 7, "a", 0)]), structure("nodes that the root does not reach", 0));
    let ring = [root(), node(1, 2, "a", 0), node(2, 3, "b", 0), node(3, 1, "c", 0)];
    assert_eq!(load(&ring), structure("nodes that the root does not reach", 0));
    assert_eq!(load(&[root(), node(7, 0, "a", 0), node(7, 0, "b", 0)]), structure("two nodes of one id", 7));
    assert_eq!(
        load(&[root(), node(1 << 30, 0, "a", 0), node(1 << 30, 0, "b", 0)]),
        structure("two nodes of one id", 1 << 30)
    );
    assert!(matches!(
        load(&[root(), node(1, 0, "a", 0), node(2, 0, "a", 0)]),
        Err(LoadError::Structure { what: "two nodes of one path", .. })
    ));
    assert_eq!(load(&[root(), node(1, 0, "a", 5), node(2, 1, "b", 0)]), structure("an ephemeral parent", 2));
    assert_eq!(load(&[root(), node(1, 0, "a", 5)]), structure("no session for it", 1));
    assert_eq!(load(&[root(), root()]), record(2, "an impossible node"));
    assert_eq!(load(&[node(0, NONE, "", 5)]), record(1, "an impossible node"));
    assert_eq!(load(&[root(), node(1, 0, "a/b", 0)]), record(2, "an impossible node"));
    for bad in
        [node(1, NONE, "a", 0), node(1, 0, "", 0), node(0, 0, "", 0), node(NONE, 0, "a", 0), node(0, NONE, "a", 0)]
    {
        assert_eq!(load(&[root(), bad]), record(2, "a root that is none"));
    }
}

#[test]
fn a_snapshot_that_is_not_begun_with_a_head_of_this_format_is_refused() {
    let bytes = take(&mut Tree::new(), 100);
    let mut other = bytes.clone();
    other[5] = 3;
    assert_eq!(load(&other, 100).unwrap_err(), LoadError::Format(3));
    let behind_head = borders(&bytes)[1];
    let wrong = |at, what| LoadError::Record { at, what };
    assert_eq!(load(&bytes[behind_head..], 100).unwrap_err(), wrong(0, "no head"));
    assert_eq!(load(&[bytes.clone(), bytes.clone()].concat(), 100).unwrap_err(), wrong(7, "behind the end"));
    assert_eq!(load(&[0xFF; 8], 1).unwrap_err(), wrong(0, "too long"));
    assert_eq!(load(&[], 1).unwrap_err(), LoadError::Short { records: 0 });
    let mut trailing = bytes;
    trailing.push(0);
    assert_eq!(load(&trailing, 100).unwrap_err(), wrong(7, "behind the end"));
}

/// The format of stored snapshots, byte for byte: a change of it needs another format number.
#[test]
fn the_format_is_frozen() {
    let mut w = Writer::new();
    w.session = 0x0102;
    w.open_session(0x0102).unwrap();
    w.create("/ab", b"xyz").unwrap();
    let text: String = take(&mut w.tree, 100).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text, include_str!("snapshot.hex").split_whitespace().collect::<String>());
}

#[test]
fn slots_are_used_again_while_a_snapshot_runs() {
    let mut w = some_tree();
    let was = dump(&w.tree);
    w.tree.snapshot_begin();
    let mut bytes = Vec::new();
    w.delete("/a/b").unwrap();
    w.delete("/a/e").unwrap();
    w.delete("/a").unwrap();
    for name in ["x", "y", "z", "more"] {
        w.create(&format!("/{name}"), b"young").unwrap();
    }
    assert!(!w.tree.snapshot_slice(3, &mut bytes));
    w.delete("/y").unwrap();
    w.create("/y2", b"").unwrap();
    w.close_session(9).unwrap();
    w.open_session(9).unwrap();
    w.open_session(10).unwrap();
    while !w.tree.snapshot_slice(1, &mut bytes) {}
    assert_eq!(dump(&load(&bytes, 11).unwrap()), was);
    let now = dump(&w.tree);
    assert_eq!(dump(&load(&take(&mut w.tree, 5), 11).unwrap()), now, "no mark has outlived the first snapshot");
}

#[test]
fn large_nodes_end_a_slice_early() {
    let mut w = Writer::new();
    for n in 0..8 {
        w.create(&format!("/n{n}"), &vec![7; 600_000]).unwrap();
    }
    w.tree.snapshot_begin();
    let (mut bytes, mut slices) = (Vec::new(), 1);
    while !w.tree.snapshot_slice(1000, &mut bytes) {
        slices += 1;
    }
    assert_eq!(slices, 5);
    assert_eq!(load(&bytes, 4096).unwrap().digest(), w.tree.digest());
}
