//! The tree of a snapshot takes the place of another, whatever has happened since.

use super::super::*;
use super::snapshots::{dump, load};
use super::writer::{READ_ONLY, Writer};
use crate::ids::Tag;
use crate::txn::{self, TxnType, v1};

const STAGING: &str = "/zookeeper/restore";

fn snapshot(tree: &mut Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    tree.snapshot_begin();
    while !tree.snapshot_slice(3, &mut bytes) {}
    bytes
}

/// Puts a snapshot into the tree, in pieces.
fn stage(w: &mut Writer, bytes: &[u8]) {
    w.create(STAGING, b"").unwrap();
    for (n, piece) in bytes.chunks(100).enumerate() {
        w.create(&format!("{STAGING}/{n:010}"), piece).unwrap();
    }
}

fn restore(w: &mut Writer) -> Result<(), ApplyError> {
    let next = Zxid(w.zxid().0 + 1);
    let digest = w.tree.restored(STAGING, next).map_or(0, |tree| tree.digest());
    w.apply(TxnType::Restore, |buf| txn::write_restore(buf, &v1::Restore { path: STAGING, digest }))
}

fn some_tree() -> Writer {
    let mut w = Writer::new();
    for session in [7, 8, 9] {
        w.open_session(session).unwrap();
    }
    w.create("/a", b"old").unwrap();
    w.create("/a/b", b"").unwrap();
    w.create("/a/b/c", b"deep").unwrap();
    w.create_owned("/a/e", b"x", 9).unwrap();
    w.create_owned("/t", b"x", 0xFF00_0000_0000_0005_u64 as i64).unwrap();
    w.create("/same", b"same").unwrap();
    w.create("/parent", b"").unwrap();
    w.create("/parent/child", b"").unwrap();
    w
}

fn change(w: &mut Writer) {
    w.close_session(9).unwrap();
    w.open_session(10).unwrap();
    w.create_owned("/mine", b"", 10).unwrap();
    w.move_session(8, 9000, Tag(77)).unwrap();
    w.set("/a", Some(b"new")).unwrap();
    w.set_acl("/a", READ_ONLY).unwrap();
    w.delete("/a/b/c").unwrap();
    w.delete("/a/b").unwrap();
    w.create("/n", b"").unwrap();
    w.create("/n/m", b"").unwrap();
    w.create("/parent/other", b"").unwrap();
    w.delete("/parent/other").unwrap();
}

/// The lines about nodes: all but the first and those of sessions.
fn nodes(tree: &Tree) -> Vec<String> {
    dump(tree).lines().filter(|line| line.starts_with('/')).map(str::to_owned).collect()
}

fn told(out: &Applied) -> Vec<String> {
    let mut all: Vec<String> =
        out.changes.iter().map(|change| format!("{:?} {}", change.kind, out.path(&change.path))).collect();
    all.retain(|text| !text.contains(STAGING));
    all.sort_unstable();
    all
}

#[test]
fn nodes_are_those_of_the_snapshot_and_sessions_go_on_or_end_or_come_back() {
    let mut w = some_tree();
    let (bytes, before, digest) = (snapshot(&mut w.tree), nodes(&w.tree), w.tree.nodes_digest());
    change(&mut w);
    stage(&mut w, &bytes);
    restore(&mut w).unwrap();
    assert_eq!(nodes(&w.tree), before);
    assert_eq!(w.tree.nodes_digest(), digest);
    assert_eq!(w.tree.digest(), w.tree.recomputed_digest());
    assert_eq!(w.tree.restored_at(), w.zxid());
    let [OpResult::Restored(restored)] = &w.out.results[..] else { panic!("{:?}", w.out.results) };
    assert_eq!(restored.digest, w.tree.digest());
    assert_eq!((&restored.ended[..], &restored.back[..]), (&[SessionId(10)][..], &[(SessionId(9), 4000)][..]));
    let of = |id| w.tree.session(SessionId(id)).map(|entry| (entry.timeout_ms, entry.owner));
    assert_eq!((of(7), of(10)), (Some((4000, Tag::NONE)), None));
    assert_eq!(of(8), Some((9000, Tag(77))), "whoever speaks for it now goes on");
    assert_eq!(of(9), Some((4000, Tag::NONE)));
    assert_eq!(w.tree.ephemerals(SessionId(9)), ["/a/e"]);
}

#[test]
fn every_difference_is_told_once() {
    let mut w = some_tree();
    let bytes = snapshot(&mut w.tree);
    change(&mut w);
    stage(&mut w, &bytes);
    restore(&mut w).unwrap();
    let expected = [
        "ChildrenChanged /parent",
        "Created /a/b",
        "Created /a/b/c",
        "Created /a/e",
        "DataChanged /a",
        "Deleted /mine",
        "Deleted /n",
        "Deleted /n/m",
    ];
    assert_eq!(told(&w.out), expected);
    let at = |text: &str| w.out.changes.iter().position(|change| w.out.path(&change.path) == text);
    assert!(at("/n/m") < at("/n") && at("/a/b") < at("/a/b/c"), "no child without a parent");
}

#[test]
fn a_snapshot_that_is_being_taken_stays_what_it_was() {
    let mut w = some_tree();
    let bytes = snapshot(&mut w.tree);
    change(&mut w);
    stage(&mut w, &bytes);
    let (head, before) = (w.tree.snapshot_begin(), dump(&w.tree));
    let mut taken = Vec::new();
    assert!(!w.tree.snapshot_slice(2, &mut taken));
    restore(&mut w).unwrap();
    assert_eq!(w.tree.snapshot_running(), Some(head));
    w.create("/later", b"").unwrap();
    // And once more, while the first tree is still walked.
    stage(&mut w, &bytes);
    restore(&mut w).unwrap();
    while !w.tree.snapshot_slice(2, &mut taken) {}
    assert_eq!(dump(&load(&taken, 50).unwrap()), before);
    assert_eq!(w.tree.snapshot_running(), None);
    w.tree.snapshot_begin();
    w.tree.snapshot_abort();
}

#[test]
fn a_restored_tree_comes_back_from_its_own_snapshot() {
    let mut w = some_tree();
    let bytes = snapshot(&mut w.tree);
    stage(&mut w, &bytes);
    restore(&mut w).unwrap();
    w.create("/later", b"").unwrap();
    let again = load(&snapshot(&mut w.tree), 7).unwrap();
    assert_eq!(dump(&again), dump(&w.tree));
    assert_eq!((again.digest(), again.restored_at()), (w.tree.digest(), w.tree.restored_at()));
    // Restoring what was restored before is one more replacement.
    let bytes = snapshot(&mut w.tree);
    stage(&mut w, &bytes);
    restore(&mut w).unwrap();
    assert_eq!(w.tree.digest(), w.tree.recomputed_digest());
    assert_eq!(w.tree.restored_at(), w.zxid());
}

#[test]
fn what_is_no_older_whole_snapshot_is_refused_and_changes_nothing() {
    let mut w = some_tree();
    let bytes = snapshot(&mut w.tree);
    let next = Zxid(w.zxid().0 + 1);
    assert_eq!(w.tree.restored(STAGING, next).unwrap_err(), RestoreError::Nothing(STAGING.into()));
    let newer = w.tree.restored("/a", next).unwrap_err();
    assert!(matches!(newer, RestoreError::Load(_)), "{newer}");

    for cut in [0, bytes.len() / 2, bytes.len() - 1] {
        let mut w = some_tree();
        stage(&mut w, &bytes[..cut]);
        let before = dump(&w.tree);
        assert!(restore(&mut w).is_err(), "cut at {cut}");
        assert_eq!(dump(&w.tree), before);
    }
    let mut young = Writer::new();
    stage(&mut young, &bytes);
    // Few transactions have made few pieces: this tree is not as far as that of the snapshot.
    let snapshot = w.zxid();
    let next = snapshot;
    assert_eq!(young.tree.restored(STAGING, next).unwrap_err(), RestoreError::Newer { snapshot, next });
}

#[test]
fn a_node_newer_than_its_snapshot_is_refused() {
    let mut w = some_tree();
    w.tree.slab[ROOT].mzxid = 4000;
    let refused = w.tree.check_zxids().unwrap_err();
    assert_eq!(refused, RestoreError::NodeNewer { snapshot: w.zxid(), node: Zxid(4000) });
}

#[test]
fn a_server_that_finds_another_state_stops() {
    let mut w = some_tree();
    let bytes = snapshot(&mut w.tree);
    stage(&mut w, &bytes);
    let wrong = w.apply(TxnType::Restore, |buf| txn::write_restore(buf, &v1::Restore { path: STAGING, digest: 1 }));
    assert!(matches!(wrong, Err(ApplyError::RestoredDigest { stated: 1, .. })), "{wrong:?}");
}
