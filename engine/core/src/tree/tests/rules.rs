//! The rules of single transactions, one short story each.

use super::super::*;
use super::writer::{READ_ONLY, Writer};
use crate::acl::Acl;
use crate::txn::{self, TxnType, v1};

#[test]
fn a_fresh_tree_has_four_nodes_whose_children_nobody_counted() {
    let tree = Tree::new();
    assert_eq!((tree.node_count(), tree.last_zxid(), tree.approximate_data_size()), (4, Zxid::ZERO, 44));
    assert_eq!(tree.get("/").unwrap().stat(), Stat { cversion: -1, num_children: 1, ..Stat::default() });
    assert_eq!(tree.get("/zookeeper").unwrap().stat(), Stat { cversion: -2, num_children: 2, ..Stat::default() });
    let config = tree.get("/zookeeper/config").unwrap();
    assert_eq!(config.stat(), Stat { aversion: -1, ..Stat::default() });
    assert_eq!(config.acl().as_deref(), Some(&[Acl::new(1, "world", "anyone")][..]));
    assert_eq!(tree.get("").unwrap().data(), Some(&b""[..]));
    for path in
        ["zookeeper", "/zookeeper/", "//zookeeper", "/zookeeper//config", "/x", "/zookeeperx", "/zoo", "/config"]
    {
        assert!(tree.get(path).is_none(), "{path}");
    }
    assert_eq!(tree.digest(), tree.recomputed_digest());
}

#[test]
fn creating_and_deleting_moves_the_parents_counts() {
    let mut w = Writer::new();
    w.create("/a", b"1").unwrap();
    w.create("/a/b", b"").unwrap();
    w.create("/a/c", b"").unwrap();
    w.wall = 2000;
    w.delete("/a/b").unwrap();
    let a = w.tree.get("/a").unwrap();
    let expected = Stat {
        czxid: 1,
        mzxid: 1,
        ctime: 1000,
        mtime: 1000,
        cversion: 3,
        num_children: 1,
        data_length: 1,
        pzxid: 4,
        ..Stat::default()
    };
    assert_eq!((a.stat(), a.create_count()), (expected, 2));
    assert_eq!(a.children().collect::<Vec<_>>(), ["c"]);
    let root = w.tree.get("/").unwrap().stat();
    assert_eq!((root.cversion, root.pzxid, root.mzxid), (0, 1, 0));
    assert_eq!(w.tree.digest(), w.tree.recomputed_digest());
}

#[test]
fn what_is_told_of_a_multi_is_in_its_order() {
    let mut w = Writer::new();
    let ops = [
        v1::Op::Create { txn: w.next_create("/a", None), create2: true },
        v1::Op::Check,
        v1::Op::Create { txn: v1::Create { parent_cversion: 1, ..w.next_create("/a/b", Some(b"x")) }, create2: false },
        v1::Op::SetData(v1::SetData { path: "/a", data: Some(b"new"), version: 1 }),
        v1::Op::Delete(v1::Delete { path: "/a/b" }),
    ];
    w.multi(&ops).unwrap();
    let out = &w.out;
    assert_eq!(out.zxid, Zxid(1));
    assert!(matches!(&out.results[0], OpResult::Created { path, stat, create2: true }
        if out.path(path) == "/a" && stat.num_children == 0 && stat.czxid == 1));
    assert_eq!(out.results[1], OpResult::Checked);
    assert!(matches!(&out.results[2], OpResult::Created { path, create2: false, .. } if out.path(path) == "/a/b"));
    assert!(matches!(&out.results[3], OpResult::SetData(stat) if stat.version == 1 && stat.num_children == 1));
    assert_eq!((&out.results[4], out.results.len()), (&OpResult::Deleted, 5));
    let changes: Vec<_> = out.changes.iter().map(|change| (change.kind, out.path(&change.path))).collect();
    use ChangeKind::{Created, DataChanged, Deleted};
    assert_eq!(changes, [(Created, "/a"), (Created, "/a/b"), (DataChanged, "/a"), (Deleted, "/a/b")]);
    w.multi(&[]).unwrap();
    assert_eq!((w.tree.last_zxid(), w.out.results.len(), w.out.text.len()), (Zxid(2), 0, 0));
}

#[test]
fn closing_a_session_takes_its_ephemerals_the_oldest_first() {
    let mut w = Writer::new();
    w.open_session(7).unwrap();
    assert_eq!(w.out.results, [OpResult::SessionCreated { timeout_ms: 4000 }]);
    w.open_session(8).unwrap();
    w.create("/p", b"").unwrap();
    w.create_owned("/p/z", b"zz", 7).unwrap();
    w.create_owned("/p/other", b"", 8).unwrap();
    let ops = ["/p/y", "/p/x"].map(|path| v1::Op::Create {
        txn: v1::Create { owner: 7, parent_cversion: if path == "/p/y" { 3 } else { 4 }, ..w.next_create(path, None) },
        create2: false,
    });
    w.multi(&ops).unwrap();
    assert_eq!(w.tree.get("/p/z").unwrap().stat().ephemeral_owner, 7);
    assert_eq!(w.tree.ephemerals(SessionId(7)), ["/p/z", "/p/x", "/p/y"]);
    assert_eq!(w.tree.sessions_with_ephemerals().collect::<Vec<_>>(), [(SessionId(7), 3), (SessionId(8), 1)]);
    w.set_acl("/p", READ_ONLY).unwrap();
    w.close_session(7).unwrap();
    let gone: Vec<_> = w.out.changes.iter().map(|change| w.out.path(&change.path)).collect();
    assert_eq!(gone, ["/p/z", "/p/x", "/p/y"]);
    assert!(w.out.changes.iter().all(|change| change.acl.is_none() && change.parent_acl.is_some()));
    assert_eq!(w.out.results, [OpResult::SessionClosed]);
    let p = w.tree.get("/p").unwrap().stat();
    assert_eq!((p.num_children, p.cversion, p.pzxid), (1, 7, w.zxid().wire()));
    assert_eq!((w.tree.session(SessionId(7)), w.tree.session_count(), w.tree.ephemeral_count()), (None, 1, 1));
    assert!(w.tree.ephemerals(SessionId(7)).is_empty());
    assert_eq!(w.tree.digest(), w.tree.recomputed_digest());
    w.close_session(7).unwrap();
    assert_eq!((w.out.results.len(), w.out.changes.len()), (1, 0));
}

#[test]
fn a_list_is_told_as_it_was_before_and_after() {
    let mut w = Writer::new();
    w.create("/a", b"").unwrap();
    w.set_acl("/a", READ_ONLY).unwrap();
    assert!(w.out.changes.is_empty());
    let stat = w.tree.get("/a").unwrap().stat();
    assert_eq!((stat.aversion, stat.version, stat.mzxid), (1, 0, 1));
    assert_eq!(w.out.results, [OpResult::SetAcl(stat)]);
    w.set("/a", None).unwrap();
    assert_eq!(w.out.changes[0].acl.as_deref(), Some(&[Acl::new(1, "world", "anyone")][..]));
    assert_eq!(w.tree.get("/a").unwrap().data(), None);
    w.set_acl("/a", &[v1::AclEntry { perms: 31, scheme: "world", id: "anyone" }]).unwrap();
    assert!(w.tree.get("/a").unwrap().acl().is_none());
    w.delete("/a").unwrap();
    assert_eq!(w.tree.digest(), w.tree.recomputed_digest());
}

#[test]
fn the_count_of_creates_stays_at_its_maximum() {
    let mut w = Writer::new();
    w.create("/a", b"").unwrap();
    let slot = w.tree.get("/a").unwrap().slot;
    w.tree.slab[slot].create_count = i32::MAX;
    let pzxid = w.tree.get("/a").unwrap().stat().pzxid;
    for (path, parent_cversion) in [("/a/b", i32::MIN), ("/a/c", i32::MIN + 1), ("/a/d", i32::MAX)] {
        let txn = v1::Create { parent_cversion, ..w.next_create(path, None) };
        w.apply(TxnType::Create, |buf| txn::write_create(buf, &txn)).unwrap();
    }
    let a = w.tree.get("/a").unwrap();
    assert_eq!((a.create_count(), a.stat().pzxid, a.stat().cversion), (i32::MAX, pzxid, -5));
}

#[test]
fn contradictions_are_named() {
    let mut w = Writer::new();
    w.open_session(5).unwrap();
    w.create("/a", b"").unwrap();
    w.create("/a/b", b"").unwrap();
    w.create_owned("/e", b"", 5).unwrap();
    let zxid = w.zxid();
    let s = |path: &str| path.to_owned();
    let count = |path: &str, stated| ApplyError::CreateCount { path: s(path), stated, count: 1 };
    assert_eq!(w.create("/a/b", b""), Err(ApplyError::NodeExists(s("/a/b"))));
    assert_eq!(w.create("/", b""), Err(ApplyError::BadPath(s("/"))));
    assert_eq!(w.create("/a/", b""), Err(ApplyError::BadPath(s("/a/"))));
    assert_eq!(w.create("x", b""), Err(ApplyError::BadPath(s("x"))));
    assert_eq!(w.create("/a//b", b""), Err(ApplyError::NoParent(s("/a//b"))));
    assert_eq!(w.create("/x/y", b""), Err(ApplyError::NoParent(s("/x/y"))));
    assert_eq!(w.create("/e/y", b""), Err(ApplyError::EphemeralParent(s("/e/y"))));
    assert_eq!(w.create_owned("/f", b"", 6), Err(ApplyError::NoSession(SessionId(6))));
    assert_eq!(w.create_owned("/f", b"", -1), Err(ApplyError::Owner { path: s("/f"), owner: -1 }));
    for stated in [0, 1, 3, -1] {
        let txn = v1::Create { parent_cversion: stated, ..w.next_create("/a/c", None) };
        assert_eq!(w.apply(TxnType::Create, |buf| txn::write_create(buf, &txn)), Err(count("/a/c", stated)));
    }
    assert_eq!(w.delete("/"), Err(ApplyError::BadPath(s("/"))));
    assert_eq!(w.delete("/a"), Err(ApplyError::NotEmpty(s("/a"))));
    assert_eq!(w.delete("/x"), Err(ApplyError::NoNode(s("/x"))));
    assert_eq!(w.set("/x", None), Err(ApplyError::NoNode(s("/x"))));
    assert_eq!(w.set("x", None), Err(ApplyError::BadPath(s("x"))));
    assert_eq!(w.set_acl("/x", READ_ONLY), Err(ApplyError::NoNode(s("/x"))));
    assert_eq!(w.open_session(5), Err(ApplyError::SessionExists(SessionId(5))));
    assert_eq!(w.open_session(0), Err(ApplyError::SessionExists(SessionId(0))));
    assert_eq!(w.apply(TxnType::Create, |_| {}), Err(ApplyError::Body(txn::BadBody)));
    assert_eq!((w.zxid(), w.tree.digest()), (zxid, w.tree.recomputed_digest()));
}

#[test]
fn a_gap_or_a_repetition_in_the_order_is_refused() {
    let mut w = Writer::new();
    w.create("/a", b"").unwrap();
    let again = w.last_frame().as_bytes().to_vec();
    let mut aligned = crate::frame::FrameBuf::new();
    aligned.extend_from_slice(&again);
    let again = crate::frame::Frame::parse(&aligned).unwrap();
    let (zxid, prev, last) = (Zxid(1), Zxid(0), Zxid(1));
    assert_eq!(w.tree.apply(&again, &mut w.out), Err(ApplyError::Chain { zxid, prev, last }));
    let mut behind = Tree::new();
    w.create("/b", b"").unwrap();
    let result = behind.apply(&w.last_frame(), &mut Applied::new());
    assert_eq!(result, Err(ApplyError::Chain { zxid: Zxid(2), prev: Zxid(1), last: Zxid(0) }));
    assert_eq!((behind.last_zxid(), behind.node_count()), (Zxid(0), 4));
}

#[test]
fn passwords_have_sixteen_bytes() {
    let mut w = Writer::new();
    w.session = 3;
    for len in [0, 15, 17] {
        let txn = v1::CreateSession { timeout_ms: 4000, passwd: &vec![1; len] };
        let result = w.apply(TxnType::CreateSession, |buf| txn::write_create_session(buf, &txn));
        assert_eq!(result, Err(ApplyError::Password(len)));
    }
}

/// Each pair of histories differs in one thing that a client could see, or that decides what it will see.
#[test]
fn the_digest_tells_trees_apart() {
    let tree_of = |history: &dyn Fn(&mut Writer)| {
        let mut w = Writer::new();
        w.open_session(6).unwrap();
        w.create("/a", b"").unwrap();
        history(&mut w);
        assert_eq!(w.tree.digest(), w.tree.recomputed_digest());
        w.tree.digest()
    };
    let digests = [
        tree_of(&|_| {}),
        tree_of(&|w| w.set("/a", None).unwrap()),
        tree_of(&|w| w.set("/a", Some(b"")).unwrap()),
        tree_of(&|w| w.set("/a", Some(b"\0")).unwrap()),
        tree_of(&|w| w.set("/", Some(b"")).unwrap()),
        tree_of(&|w| {
            w.wall += 1;
            w.set("/a", Some(b"")).unwrap();
        }),
        tree_of(&|w| w.set_acl("/a", &[]).unwrap()),
        tree_of(&|w| w.set_acl("/a", READ_ONLY).unwrap()),
        tree_of(&|w| w.set_acl("/a", &[READ_ONLY[0], READ_ONLY[0]]).unwrap()),
        tree_of(&|w| w.create("/a/b", b"").unwrap()),
        tree_of(&|w| w.create("/b", b"").unwrap()),
        tree_of(&|w| w.create_owned("/b", b"", 6).unwrap()),
        tree_of(&|w| w.create_owned("/b", b"", i64::MIN).unwrap()),
        tree_of(&|w| w.delete("/a").unwrap()),
        tree_of(&|w| w.open_session(7).unwrap()),
        tree_of(&|w| w.close_session(6).unwrap()),
    ];
    let different: BTreeSet<u64> = digests.into_iter().collect();
    assert_eq!(different.len(), digests.len());
}
