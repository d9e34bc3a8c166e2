//! The rules of logs: which files count, where they end, and what transactions do.

use super::making::{
    Memory, create, create_of_3_3, entry, first_snapshot, imported, log, open_acl, payload, set_data, snapshot, string,
    with_last_zxid,
};
use crate::{DigestCheck, FileError, LogReader, Txn, write_snapshot};
use ringkeeper_core::ids::SessionId;
use ringkeeper_core::tree::{Kind, Tree};

fn nodes(zxids: std::ops::Range<i64>) -> Vec<Vec<u8>> {
    zxids.map(|zxid| payload(zxid, 1, &create(&format!("/n{zxid}"), false, -1))).collect()
}

fn files(logs: &[(&str, Vec<u8>)]) -> Memory {
    let mut files = Memory::with(&[("snapshot.0", &first_snapshot())]);
    files.0.extend(logs.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())));
    files
}

fn tree(payloads: &[Vec<u8>]) -> Tree {
    imported(files(&[("log.1", log(payloads))]).load().unwrap().tree)
}

fn refusal(files: &Memory) -> String {
    match files.load() {
        Ok(loaded) => panic!("{:?}", loaded.report),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_torn_end_is_left_out_and_damage_in_the_middle_is_not() {
    let whole = log(&nodes(1..4));
    let last = whole.len() - entry(&nodes(3..4)[0]).len();
    for cut in last + 1..whole.len() {
        for padding in [0, 300] {
            let torn = [&whole[..cut], &vec![0; padding][..]].concat();
            let loaded = files(&[("log.1", torn)]).load().unwrap();
            // Only the length's first bytes and zeros: that is what a file that was just extended looks like.
            assert!(loaded.report.torn.len() == 1 || cut <= last + 4, "cut at {cut}");
            assert_eq!(loaded.tree.last_zxid(), 2);
        }
    }
    let behind = [&whole[..last - 3], &[0; 3][..], &whole[last..]].concat();
    assert!(refusal(&files(&[("log.1", behind)])).contains("transaction 0x3 stands behind that"));
    let gap = [&whole[..last], &[0; 5000][..], &whole[last..]].concat();
    let refusal = refusal(&files(&[("log.1", gap)]));
    assert!(refusal.contains("log.1 at offset") && refusal.contains("zeros, but transaction 0x3"), "{refusal}");
    let stale = [&whole[..last], &[0; 100][..], &entry(&nodes(1..2)[0])].concat();
    assert_eq!(files(&[("log.1", stale)]).load().unwrap().tree.last_zxid(), 2, "an older one is no loss");
}

#[test]
fn a_transaction_behind_zeros_is_found_wherever_it_begins() {
    let whole = log(&nodes(1..3));
    let last = whole.len() - entry(&nodes(2..3)[0]).len();
    // What is read at once ends within the zeros that its checksum begins with.
    for zeros in (1 << 20) + 4..(1 << 20) + 14 {
        let gap = [&whole[..last], &vec![0; zeros], &whole[last..]].concat();
        assert!(refusal(&files(&[("log.1", gap)])).contains("transaction 0x2 stands behind"), "{zeros}");
    }
}

#[test]
fn a_whole_transaction_with_a_bad_checksum_is_damage_even_at_the_end() {
    let mut bytes = log(&nodes(1..4));
    let at = bytes.len() - 10;
    bytes[at] ^= 1;
    assert!(refusal(&files(&[("log.1", bytes)])).contains("checksum"));
}

#[test]
fn what_is_missing_between_two_files_is_noticed() {
    let torn = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - 3);
        bytes
    };
    let complete = [("log.1", log(&nodes(1..4))), ("log.4", log(&nodes(4..6)))];
    assert_eq!(files(&complete).load().unwrap().tree.last_zxid(), 5);
    let gap = [("log.1", torn(log(&nodes(1..4)))), ("log.4", log(&nodes(4..6)))];
    assert!(refusal(&files(&gap)).contains("transaction 0x4 follows 0x2"));
    let epoch = 1 << 32;
    let new_epoch = [("log.1", torn(log(&nodes(1..4)))), ("log.100000001", log(&nodes(epoch + 1..epoch + 3)))];
    assert_eq!(files(&new_epoch).load().unwrap().tree.last_zxid(), epoch + 2, "the old leader lost it");
    let late = [("log.1", log(&nodes(1..4))), ("log.100000002", log(&nodes(epoch + 2..epoch + 3)))];
    assert!(refusal(&files(&late)).contains("follows"));
    let back = [("log.1", log(&[nodes(1..2), nodes(1..2)].concat()))];
    assert!(refusal(&files(&back)).contains("transaction 0x1 behind 0x1"));
}

#[test]
fn an_older_snapshot_does_if_the_log_reaches_back_to_it() {
    let mut all = files(&[("log.1", log(&nodes(1..4)))]);
    all.0.insert("snapshot.2".to_owned(), b"ZKSN\0\0\0\x02cut".to_vec());
    let loaded = all.load().unwrap();
    assert_eq!((loaded.tree.last_zxid(), loaded.report.passed_over.len()), (3, 1));
    all.0.insert("snapshot.2".to_owned(), b"ZKSN\0\0\0\x03cut".to_vec());
    assert!(matches!(all.load(), Err(FileError::Version { version: 3, .. })), "a newer format is not damage");
    all.0.remove("snapshot.2");
    all.0.remove("snapshot.0");
    assert!(refusal(&all).contains("no snapshot"));
    assert!(refusal(&Memory::default()).contains("neither snapshots"));
    assert!(refusal(&files(&[("log.1", b"ZKSNxxxxxxxxxxxx".to_vec())])).contains("no transaction log"));
    let empty = files(&[("log.1", log(&nodes(1..4))), ("log.4", Vec::new())]);
    assert_eq!(empty.load().unwrap().tree.last_zxid(), 3, "made just before a crash");
    for len in 1..16 {
        let cut = files(&[("log.1", log(&nodes(1..4))), ("log.4", log(&[])[..len].to_vec())]);
        let loaded = cut.load().unwrap();
        assert_eq!((loaded.tree.last_zxid(), loaded.report.torn.len()), (3, 1), "a header of {len} bytes");
    }
}

#[test]
fn reading_can_stop_at_a_transaction() {
    let all = files(&[("log.1", log(&nodes(1..9)))]);
    let loaded = crate::load(&all, Some(5), &mut || ()).unwrap();
    assert_eq!((loaded.tree.last_zxid(), loaded.report.transactions), (5, 5));
}

#[test]
fn a_snapshot_that_has_seen_too_much_is_not_begun_with() {
    let mut all = files(&[("log.1", log(&nodes(1..9)))]);
    let through = |all: &Memory, zxid| {
        let loaded = crate::load(all, Some(zxid), &mut || ()).unwrap();
        (loaded.tree.last_zxid(), loaded.report.snapshot)
    };
    all.0.insert("snapshot.5".to_owned(), snapshot(&tree(&nodes(1..6))));
    assert_eq!([3, 5].map(|zxid| through(&all, zxid).1), ["snapshot.0", "snapshot.5"]);
    assert_eq!((through(&all, 4).0, through(&all, 5).0), (4, 5));
    // It was begun at 2, and written while 3 and 4 were applied.
    all.0.insert("snapshot.2".to_owned(), snapshot(&tree(&nodes(1..5))));
    assert_eq!([2, 3, 4].map(|zxid| through(&all, zxid).1), ["snapshot.0", "snapshot.0", "snapshot.2"]);
}

#[test]
fn a_log_that_ends_before_what_the_snapshot_has_seen_is_told() {
    let mut plain = Vec::new();
    write_snapshot(&tree(&nodes(1..5)), false, &mut plain).unwrap();
    let beyond = |snapshot: Vec<u8>, log_to: i64| {
        let mut all = files(&[("log.1", log(&nodes(1..log_to + 1)))]);
        all.0.insert("snapshot.2".to_owned(), snapshot);
        all.load().unwrap().report.beyond_the_log
    };
    let with_digest = snapshot(&tree(&nodes(1..5)));
    assert_eq!([3, 4, 6].map(|log_to| beyond(with_digest.clone(), log_to)), [Some(4), None, None]);
    let of_3_9 = with_last_zxid(plain, 4);
    assert_eq!([3, 4].map(|log_to| beyond(of_3_9.clone(), log_to)), [Some(4), None]);
}

#[test]
fn the_digest_is_that_of_the_last_transaction_that_has_changed_something() {
    let first = nodes(1..2).remove(0);
    let value = files(&[("log.1", log(std::slice::from_ref(&first)))]).load().unwrap().tree.digest().value;
    let refused = payload(2, -1, &(-101_i32).to_be_bytes());
    let check = |value: u64| {
        let stated = [&first[..], &2_i32.to_be_bytes(), &value.to_be_bytes()].concat();
        files(&[("log.1", log(&[stated, refused.clone()]))]).load().unwrap().report.digest
    };
    assert!(matches!(check(value), DigestCheck::Agrees(_)));
    assert!(matches!(check(value + 1), DigestCheck::Differs { .. }));
}

#[test]
fn transactions_that_no_zookeeper_writes_are_refused() {
    let says = |kind: i32, body: &[u8]| refusal(&files(&[("log.1", log(&[payload(1, kind, body)]))]));
    for kind in [14, -10, -11, 7, 16_i32] {
        let step = [&1_i32.to_be_bytes()[..], &kind.to_be_bytes(), &string("\0\0\0\0")].concat();
        assert!(says(14, &step).contains("within a multi"), "{kind}");
    }
    // Only 3.3's create, and no later kind of it, leaves the count of the parent out.
    assert!(says(15, &create_of_3_3("/a", false)).contains("ends in the middle"));
    for ttl in [-1_i64, 0, 1 << 40] {
        let body = [string("/t"), string(""), open_acl(), vec![0; 4], ttl.to_be_bytes().to_vec()].concat();
        assert!(says(21, &body).contains("a TTL of"), "{ttl}");
    }
}

#[test]
fn the_paths_of_a_closed_session_are_no_digest_even_if_they_are_as_long() {
    let body = [&1_i32.to_be_bytes()[..], &string("/abc")].concat();
    assert_eq!(body.len(), 12);
    let bytes = log(&[payload(1, -11, &body)]);
    let txn = LogReader::open("log.1", &bytes[..]).unwrap().next_entry().unwrap().unwrap().txn;
    assert_eq!(txn, Txn::CloseSession { paths: Some(vec!["/abc".to_owned()]) });
}

#[test]
fn transactions_do_what_they_did() {
    let multi = |zxid: i64, steps: &[(i32, Vec<u8>)]| {
        let mut body = (steps.len() as i32).to_be_bytes().to_vec();
        for (kind, step) in steps {
            body.extend(kind.to_be_bytes());
            body.extend((step.len() as i32).to_be_bytes());
            body.extend(step);
        }
        payload(zxid, 14, &body)
    };
    let no_node = (-101_i32).to_be_bytes().to_vec();
    let container = [string("/c"), string(""), open_acl(), 3_i32.to_be_bytes().to_vec()].concat();
    let ttl = |ttl: i64| {
        [string("/t"), string(""), open_acl(), 4_i32.to_be_bytes().to_vec(), ttl.to_be_bytes().to_vec()].concat()
    };
    let acl = [&1_i32.to_be_bytes()[..], &1_i32.to_be_bytes(), &string("digest"), &string("a:b")].concat();
    let tree = tree(&[
        payload(1, -10, &30_000_i32.to_be_bytes()),
        payload(2, 1, &create("/a", false, 1)),
        payload(3, 1, &create_of_3_3("/a/e", true)),
        payload(4, 15, &create("/b", false, 2)),
        payload(5, 19, &container),
        payload(6, 21, &ttl(77_000)),
        payload(7, -1, &no_node),
        multi(
            8,
            &[(1, create("/m", false, 5)), (13, set_data("/a", "", 0)[..10].to_vec()), (5, set_data("/a", "new", 1))],
        ),
        multi(9, &[(-1, no_node.clone()), (-1, no_node)]),
        payload(10, 7, &[string("/b"), acl, 1_i32.to_be_bytes().to_vec()].concat()),
        payload(11, 2, &string("/m")),
        payload(12, 5, &set_data("/", "root", 3)),
    ]);
    assert_eq!(tree.last_zxid().0, 12);
    let stat = |path: &str| tree.get(path).unwrap().stat();
    assert_eq!((stat("/a").version, stat("/a").mzxid, stat("/a").pzxid, stat("/a").num_children), (1, 8, 3, 1));
    assert_eq!(tree.get("/a").unwrap().data(), Some(&b"new"[..]));
    assert_eq!(tree.ephemerals(SessionId(0x77)), ["/a/e"]);
    assert_eq!(tree.get("/c").unwrap().kind(), Kind::Container);
    assert_eq!(tree.get("/t").unwrap().kind(), Kind::Ttl(77_000));
    assert_eq!((stat("/b").aversion, tree.get("/b").unwrap().acl().as_ref().unwrap().len()), (1, 1));
    assert!(tree.get("/m").is_none());
    assert_eq!((tree.get("/").unwrap().data(), stat("/").version, stat("/").pzxid), (Some(&b"root"[..]), 3, 11));
    assert_eq!(tree.get("/").unwrap().create_count(), 5);
    assert!(refusal(&files(&[("log.1", log(&[payload(1, 21, &ttl(0))]))])).contains("a TTL of 0"));
    assert!(refusal(&files(&[("log.1", log(&[payload(1, 22, &[])]))])).contains("type 22"));
}

#[test]
fn a_closed_session_takes_its_nodes_with_it() {
    let paths = [&1_i32.to_be_bytes()[..], &string("/e")].concat();
    let digest = [&2_i32.to_be_bytes()[..], &[7; 8]].concat();
    let bodies = [vec![], digest.clone(), paths.clone(), [paths, digest].concat()];
    for (at, body) in bodies.iter().enumerate() {
        let tree = tree(&[
            payload(1, -10, &30_000_i32.to_be_bytes()),
            payload(2, 1, &create("/e", true, 1)),
            payload(3, -11, body),
        ]);
        assert!(tree.get("/e").is_none() && tree.session_count() == 0, "{at}");
        assert_eq!(tree.get("/").unwrap().stat().pzxid, 3, "{at}");
    }
}

#[test]
fn a_closed_session_leaves_what_is_no_longer_its_own() {
    let tree = tree(&[
        payload(1, -10, &30_000_i32.to_be_bytes()),
        payload(2, 1, &create("/e", true, 1)),
        payload(3, 1, &create("/f", true, 2)),
        payload(4, 2, &string("/e")),
        payload(5, 1, &create("/e", false, 3)),
        payload(6, -11, &[]),
    ]);
    assert!(tree.get("/e").is_some() && tree.get("/f").is_none());
}

#[test]
fn nodes_of_sessions_that_are_gone_go() {
    let tree = tree(&[payload(1, 1, &create("/e", true, 1))]);
    assert!(tree.get("/e").is_none());
}

#[test]
fn what_the_snapshot_has_seen_is_done_again_without_harm() {
    let payloads = [
        payload(1, 1, &create("/a", false, 1)),
        payload(2, 1, &create("/a/b", false, 1)),
        payload(3, 2, &string("/a/b")),
    ];
    let first = files(&[("log.1", log(&payloads))]);
    let mut tree = first.load().unwrap().tree;
    let digest = tree.digest();
    let bytes = log(&payloads);
    let mut reader = LogReader::open("log.1", &bytes[..]).unwrap();
    while let Some(entry) = reader.next_entry().unwrap() {
        assert!(!matches!(entry.txn, Txn::Error(_)));
        tree.apply(&entry.header, &entry.txn);
        assert_eq!(tree.last_zxid(), 3, "it goes back nowhere");
    }
    assert_eq!(tree.digest(), digest);
}

#[test]
fn usage_of_quotas_is_counted() {
    let quota = "/zookeeper/quota/a";
    let tree = tree(&[
        payload(1, 1, &create("/a", false, 1)),
        payload(2, 1, &create("/a/b", false, 1)),
        payload(3, 1, &create("/ab", false, 2)),
        payload(4, 1, &create(quota, false, 1)),
        payload(5, 1, &create(&format!("{quota}/zookeeper_limits"), false, 1)),
        payload(6, 1, &create(&format!("{quota}/zookeeper_stats"), false, 2)),
    ]);
    let stats = tree.get(&format!("{quota}/zookeeper_stats")).unwrap();
    assert_eq!(stats.data(), Some(&b"count=2,bytes=8"[..]));
}
