//! Snapshots that a ZooKeeper writes now and then: of early versions, or while much was going on.

use super::making::{Memory, first_snapshot, imported, log, payload, raw_snapshot, string};
use crate::{FileError, into_tree};
use ringkeeper_core::acl::{Acl, perms};
use ringkeeper_core::frame::MAX_LEN;

fn list() -> Vec<Acl> {
    vec![Acl::new(1, "digest", "a:b")]
}

#[test]
fn a_list_that_no_node_has_leaves_its_number() {
    // The one node had got the list as number 2 when it was written, after the last node that had it as number 1 was gone.
    let snapshot = raw_snapshot(&list(), &[("/a", 2, b"")]);
    let acl = [&1_i32.to_be_bytes()[..], &1_i32.to_be_bytes(), &string("digest"), &string("a:b")].concat();
    let create = [string("/a"), string(""), acl, vec![0], 1_i32.to_be_bytes().to_vec()].concat();
    let files = Memory::with(&[("snapshot.5", &snapshot), ("log.6", &log(&[payload(6, 1, &create)]))]);
    let tree = imported(files.load().unwrap().tree);
    assert_eq!(tree.get("/a").unwrap().acl().as_deref(), Some(&list()[..]));
}

#[test]
fn a_node_without_a_parent_is_damage() {
    let snapshot = raw_snapshot(&list(), &[("/a", -1, b""), ("/b/c", -1, b"")]);
    let files = Memory::with(&[("snapshot.0", &first_snapshot()), ("snapshot.5", &snapshot)]);
    let report = files.load().unwrap().report;
    assert!(report.snapshot == "snapshot.0" && report.passed_over[0].contains("/b/c has no parent"), "{report:?}");
}

#[test]
fn nodes_that_an_early_version_did_not_have_are_added() {
    let files = Memory::with(&[("snapshot.5", &raw_snapshot(&list(), &[("/zookeeper", -1, b"")]))]);
    let tree = imported(files.load().unwrap().tree);
    let config = tree.get("/zookeeper/config").unwrap();
    assert_eq!(config.acl().as_deref(), Some(&[Acl::new(perms::READ, "world", "anyone")][..]));
    assert!(tree.get("/zookeeper/quota").unwrap().acl().is_none());
}

#[test]
fn what_does_not_fit_in_is_named() {
    let load = |list: i64, data: &[u8]| {
        let files = Memory::with(&[("snapshot.5", &raw_snapshot(&self::list(), &[("/a", list, data)]))]);
        into_tree(files.load().unwrap().tree).map(drop)
    };
    let refusal = |result| match result {
        Err(FileError::Node { path, what }) => format!("{path}: {what}"),
        other => panic!("{other:?}"),
    };
    assert!(refusal(load(-1, &vec![0; MAX_LEN - 500])).contains("/a: it is too large"));
    assert!(refusal(load(9, b"")).contains("/a: its access control list is not there"));
    load(1, &vec![0; MAX_LEN / 2]).unwrap();
}
