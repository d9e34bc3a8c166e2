//! A server that is cut off serves clients that only read, until it has a leader again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use core::time::Duration;
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::frontend::FrontendConfig;
use ringkeeper_core::ids::{ConnId, Epoch, ServerId};
use ringkeeper_core::jute::{
    ConnectResponse, MultiOp, MultiRead, OPEN_ACL, PREFIX_LEN, Request, SetData, SetWatches, append_restore_request,
    first_payload,
};
use ringkeeper_core::replica::{Input, ReplicaConfig};
use ringkeeper_core::tree::Tree;
use ringkeeper_core::zab::{Epochs, Quorum, RoleChange};
use std::borrow::Cow;
use support::{MAX_FRAME, Read, Server, create, data_of, delete, exists, get, list, set};

const NOT_READ_ONLY: i32 = ErrorCode::NotReadOnly.wire();
const GRACE: Duration = Duration::from_secs(2);
const HOLD: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(20);

/// One server of three, which has this tree and sees no other.
fn cut_off(id: u8, tree: Tree) -> Server {
    let config = ReplicaConfig {
        id: ServerId(id),
        quorum: Quorum::majority([1, 2, 3].map(ServerId)),
        seed: u64::from(id),
        hold_clients: HOLD,
        read_only_after: Some(GRACE),
        tick: Duration::from_millis(1000),
        ..ReplicaConfig::default()
    };
    let epoch = Epoch(tree.last_zxid().epoch().0.max(1));
    let epochs = Epochs { accepted: epoch, current: epoch, ensemble: 7, member: true, ..Epochs::default() };
    Server::recover(config, FrontendConfig::default(), epochs, tree)
}

/// A tree with `/a`, and a session with its password.
fn history() -> (Tree, i64, Vec<u8>) {
    let mut alone = Server::start();
    let client = alone.open();
    alone.connect(client, 0, &[0; 16]);
    alone.sync();
    let (session, passwd) = alone.connected(client);
    alone.call(client, &create("/a", b"1", 0)).unwrap();
    (alone.tree, session, passwd)
}

/// After its grace.
fn read_only() -> (Server, i64, Vec<u8>) {
    let (tree, session, passwd) = history();
    let mut server = cut_off(1, tree);
    server.pass(TICK);
    server.pass(GRACE);
    assert!(server.replica.status(&server.tree).read_only);
    (server, session, passwd)
}

/// What the server answers to a connect request: nothing, or (timeout, session, password, read-only).
fn apply(server: &mut Server, session: i64, passwd: &[u8], flag: Option<bool>) -> Option<(i32, i64, Vec<u8>, bool)> {
    let conn = server.open();
    server.connect_as(conn, session, passwd, flag);
    server.turn();
    answer(server, conn)
}

fn answer(server: &mut Server, conn: ConnId) -> Option<(i32, i64, Vec<u8>, bool)> {
    let bytes = server.sent.remove(&conn).unwrap_or_default();
    let response = ConnectResponse::decode(first_payload(&bytes, MAX_FRAME).unwrap()?).unwrap();
    Some((response.timeout_ms, response.session_id, response.passwd.to_vec(), response.read_only?))
}

fn reader(server: &mut Server) -> (ConnId, i64, Vec<u8>) {
    let conn = server.open();
    server.connect_as(conn, 0, &[0; 16], Some(true));
    server.turn();
    let (timeout, session, passwd, read_only) = answer(server, conn).expect("a connect response");
    assert!(read_only && timeout == 10_000);
    (conn, session, passwd)
}

#[test]
fn a_server_is_read_only_after_its_grace_and_only_if_it_may_be() {
    let (tree, ..) = history();
    let mut server = cut_off(1, tree.clone());
    server.pass(TICK);
    server.pass(GRACE - TICK);
    let early = server.open();
    server.connect_as(early, 0, &[0; 16], Some(true));
    server.turn();
    assert!(answer(&mut server, early).is_none() && server.closed.is_empty(), "it waits like everybody");
    server.pass(TICK);
    assert_eq!(server.closed, [early], "it asks again");
    reader(&mut server);
    let config = ReplicaConfig {
        quorum: Quorum::majority([1, 2, 3].map(ServerId)),
        hold_clients: HOLD,
        ..ReplicaConfig::default()
    };
    let mut other = Server::recover(config, FrontendConfig::default(), Epochs::default(), Tree::new());
    other.pass(TICK);
    other.pass(GRACE + HOLD);
    assert!(!other.replica.status(&other.tree).read_only);
    assert_eq!(apply(&mut other, 0, &[0; 16], Some(true)), None);
}

#[test]
fn a_read_only_server_takes_whom_zookeeper_takes() {
    let (mut server, session, passwd) = read_only();
    let none = [0; 16];
    let over = Some((0, 0, vec![0; 16], true));
    assert_eq!(apply(&mut server, 0, &none, Some(false)), None, "it would want to write");
    assert_eq!(apply(&mut server, 0, &none, None), None, "it knows of no such servers");
    assert_eq!(apply(&mut server, session, &passwd, Some(true)), None, "a session of the ensemble");
    assert_eq!(apply(&mut server, session, &none, Some(true)), None);
    assert_eq!(server.closed.len(), 4);
    assert_eq!(apply(&mut server, 0x155, &none, Some(true)), over, "nobody's session, as far as is known here");
    let (first, own, passwd) = reader(&mut server);
    assert_eq!(apply(&mut server, own, &none, Some(true)), over, "a wrong password");
    assert!(!server.closed.contains(&first));
    assert_eq!(apply(&mut server, own, &passwd, Some(true)), Some((10_000, own, passwd, true)));
    assert!(server.closed.contains(&first), "the former connection");
    assert_eq!(server.replica.status(&server.tree).local_sessions, 1);
}

/// What changes nothing but watches, which are this server's own.
fn reads() -> [Request<'static>; 9] {
    const PATHS: &[Cow<'static, str>] = &[Cow::Borrowed("/a")];
    const PARTS: &[MultiRead<'static>] = &[MultiRead::GetData { path: Cow::Borrowed("/a"), watch: false }];
    let path = || Cow::Borrowed("/a");
    let (data, none) = (list(PATHS), || list(&[]));
    let (exist, child, persistent, persistent_recursive) = (none(), none(), none(), none());
    let relative_zxid = i64::MAX;
    let set_watches = SetWatches { relative_zxid, data, exist, child, persistent, persistent_recursive };
    [
        Request::GetAcl { path: path() },
        Request::MultiRead(list(PARTS)),
        Request::GetEphemerals { prefix: None },
        Request::GetAllChildrenNumber { path: path() },
        Request::WhoAmI,
        Request::SetWatches(set_watches),
        Request::AddWatch { path: path(), mode: 0 },
        Request::CheckWatches { path: path(), kind: 3 },
        Request::RemoveWatches { path: path(), kind: 3 },
    ]
}

#[test]
fn clients_of_a_read_only_server_read_and_change_nothing() {
    let (mut server, ..) = read_only();
    let (conn, ..) = reader(&mut server);
    let zxid = server.tree.last_zxid();
    assert_eq!(data_of(&server.call(conn, &get("/a", true)).unwrap()), b"1");
    assert_eq!(server.call(conn, &exists("/b", true)), Err(ErrorCode::NoNode.wire()));
    for read in &reads() {
        assert!(server.call(conn, read).is_ok(), "{read:?}");
    }
    let set_a = [MultiOp::SetData(SetData { path: "/a".into(), data: None, version: -1 })];
    let path = || Cow::Borrowed("/a");
    let changes = [
        create("/b", b"", 0),
        create("/b", b"", 1),
        create("/b", b"", 4),
        set("/a", b"2", -1),
        delete("/a", -1),
        Request::SetAcl { path: path(), acl: Some(OPEN_ACL), version: -1 },
        Request::Multi(list(&set_a)),
        Request::Sync { path: Some(path()) },
    ];
    for change in &changes {
        server.send(conn, 7, change);
        server.turn();
        let zxid = zxid.wire();
        let refused = Read::Reply { xid: 7, zxid, err: NOT_READ_ONLY, body: Vec::new() };
        assert_eq!(server.reads(conn), [refused], "{change:?}");
    }
    server.frontend.set_memory_short(true);
    assert_eq!(server.call(conn, &create("/b", b"", 0)), Err(NOT_READ_ONLY), "and not that it may try again");
    assert_eq!((server.tree.last_zxid(), server.replica.is_idle()), (zxid, true), "nothing is left for a leader");
    assert!(server.closed.is_empty());
}

#[test]
fn an_operators_restore_is_not_taken_up_without_a_leader() {
    let (mut server, ..) = read_only();
    let own = server.frontend.open_own(server.now);
    server.connect_as(own, 0, &[0; 16], Some(true));
    server.turn();
    answer(&mut server, own).expect("a connect response");
    let mut bytes = Vec::new();
    append_restore_request(&mut bytes, 3, "/a");
    server.receive(own, &bytes);
    server.turn();
    let zxid = server.tree.last_zxid().wire();
    assert_eq!(server.reads(own), [Read::Reply { xid: 3, zxid, err: NOT_READ_ONLY, body: Vec::new() }]);
    assert!(server.replica.is_idle() && server.closed.is_empty());
}

#[test]
fn sessions_of_a_read_only_server_end_when_their_clients_say_so_or_are_silent() {
    let (mut server, ..) = read_only();
    let (leaving, over, passwd) = reader(&mut server);
    server.send(leaving, 3, &Request::CloseSession);
    server.turn();
    assert_eq!(server.xids(leaving), [3]);
    assert_eq!(server.closed, [leaving]);
    assert_eq!(apply(&mut server, over, &passwd, Some(true)).map(|answer| answer.0), Some(0), "it is over");
    let (alive, ..) = reader(&mut server);
    let (silent, ..) = reader(&mut server);
    let (gone, later, passwd) = reader(&mut server);
    server.frontend.gone(server.now, gone);
    for second in 0..12 {
        assert!(second > 10 || !server.closed.contains(&silent), "not before its time");
        server.send(alive, -2, &Request::Ping);
        server.turn();
        assert_eq!(server.xids(alive), [-2]);
        server.pass(Duration::from_millis(1000));
    }
    assert!(server.closed.contains(&silent) && !server.closed.contains(&alive));
    assert_eq!(server.replica.status(&server.tree).local_sessions, 1);
    assert_eq!(apply(&mut server, later, &passwd, Some(true)).map(|answer| answer.0), Some(0), "as silent");
}

#[test]
fn a_connection_that_its_session_has_left_does_not_end_it() {
    let (mut server, ..) = read_only();
    let (old, session, passwd) = reader(&mut server);
    let new = server.open();
    server.connect_as(new, session, &passwd, Some(true));
    server.send(old, 3, &Request::CloseSession);
    server.turn();
    assert_eq!(answer(&mut server, new), Some((10_000, session, passwd, true)));
    assert_eq!((server.closed.clone(), server.replica.status(&server.tree).local_sessions), (vec![old], 1));
}

#[test]
fn what_was_sent_with_the_connect_request_is_answered() {
    let (mut server, ..) = read_only();
    let conn = server.open();
    server.connect_as(conn, 0, &[0; 16], Some(true));
    server.send(conn, 1, &get("/a", false));
    server.send(conn, 2, &create("/b", b"", 0));
    server.send(conn, 3, &get("/b", false));
    server.turn();
    let bytes = server.sent.remove(&conn).unwrap();
    let first = first_payload(&bytes, MAX_FRAME).unwrap().unwrap().len() + PREFIX_LEN;
    let errors: Vec<(i32, i32)> = support::reads_of(&bytes[first..])
        .into_iter()
        .map(|read| if let Read::Reply { xid, err, .. } = read { (xid, err) } else { panic!("{read:?}") })
        .collect();
    assert_eq!(errors, [(1, 0), (2, NOT_READ_ONLY), (3, ErrorCode::NoNode.wire())]);
}

/// Two of three servers come to work: all messages between them, and their logs.
fn unite(pair: &mut [Server; 2]) {
    pair[0].input(Input::LinkUp(ServerId(2)));
    pair[1].input(Input::LinkUp(ServerId(1)));
    for _ in 0..1000 {
        for at in 0..2 {
            pair[at].pass(TICK);
            pair[at].sync();
            for (to, message) in core::mem::take(&mut pair[at].outbox) {
                assert_eq!(usize::from(to.0), 2 - at);
                pair[1 - at].input(Input::Message(ServerId(at as u8 + 1), message));
            }
        }
        if pair.iter().all(|server| server.replica.role() != RoleChange::Looking) {
            return;
        }
    }
    panic!("no leader: {} / {}", pair[0].replica.outlook(), pair[1].replica.outlook());
}

#[test]
fn read_only_clients_are_let_go_when_there_is_a_leader() {
    let (tree, ..) = history();
    let mut pair = [cut_off(1, tree.clone()), cut_off(2, tree)];
    let mut readers = Vec::new();
    for server in &mut pair {
        server.pass(TICK);
        server.pass(GRACE);
        readers.push(reader(server));
    }
    unite(&mut pair);
    for (server, (conn, session, passwd)) in pair.iter_mut().zip(readers) {
        assert_eq!(server.closed, [conn]);
        let status = server.replica.status(&server.tree);
        assert_eq!((status.serving, status.read_only, status.local_sessions), (true, false, 0));
        assert!(apply(server, session, &passwd, Some(true)).is_none(), "that is for the leader to say");
    }
}
