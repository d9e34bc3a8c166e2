//! One server whose tree is replaced: what waits for that, and what clients are told.

#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::ids::ConnId;
use ringkeeper_core::jute::{List, Request, SetWatches, WatcherEvent, append_restore_request};
use ringkeeper_core::replica::ReplicaConfig;
use std::borrow::Cow;
use std::time::Duration;
use support::*;

const STAGING: &str = "/zookeeper/restore";

fn snapshot(server: &mut Server) -> Vec<u8> {
    let mut bytes = Vec::new();
    server.tree.snapshot_begin();
    while !server.tree.snapshot_slice(100, &mut bytes) {}
    bytes
}

/// A connection of the server's own, with a session.
fn own(server: &mut Server) -> ConnId {
    let conn = server.frontend.open_own(server.now);
    server.connect(conn, 0, &[0; 16]);
    server.sync();
    server.connected(conn);
    conn
}

fn stage(server: &mut Server, conn: ConnId, bytes: &[u8]) {
    server.call(conn, &create(STAGING, b"", 0)).unwrap();
    for (n, piece) in bytes.chunks(200).enumerate() {
        server.call(conn, &create(&format!("{STAGING}/{n:04}"), piece, 0)).unwrap();
    }
}

fn ask(server: &mut Server, conn: ConnId) {
    let mut bytes = Vec::new();
    append_restore_request(&mut bytes, 99, STAGING);
    server.receive(conn, &bytes);
}

#[test]
fn what_is_proposed_comes_before_it_and_what_is_asked_for_later_is_judged_by_the_new_tree() {
    let mut server = Server::start();
    let client = server.client();
    server.call(client, &create("/a", b"old", 0)).unwrap();
    let bytes = snapshot(&mut server);
    let operator = own(&mut server);
    stage(&mut server, operator, &bytes);

    server.send(client, 1, &create("/b", b"", 0));
    server.turn();
    ask(&mut server, operator);
    server.send(client, 2, &create("/b", b"", 0));
    server.send(client, 3, &set("/a", b"new", 0));
    server.turn();
    server.pass(Duration::from_millis(20));
    assert!(server.reads(client).is_empty(), "nothing is durable");

    // The first write is; now the tree can be replaced, and the others still wait.
    server.sync_once();
    assert_eq!(server.xids(client), [1]);
    server.pass(Duration::from_millis(20));
    assert!(server.tree.get("/b").is_some() && server.tree.get(STAGING).is_some());
    server.sync_once();
    assert!(server.tree.get("/b").is_none() && server.tree.get(STAGING).is_none());
    let [Read::Reply { xid: 99, err: 0, .. }] = server.reads(operator)[..] else { panic!() };
    server.pass(Duration::from_millis(20));
    server.sync();
    assert_eq!(server.xids(client), [2, 3], "there is no /b in the new tree, and /a has the version of old");
    assert!(server.closed.contains(&operator), "its session is younger than the snapshot");
}

#[test]
fn who_is_refused_is_told_why_and_requests_go_on() {
    let mut server = Server::start();
    let operator = own(&mut server);
    for (path, error) in [("/nowhere", ErrorCode::NoNode), ("/zookeeper", ErrorCode::BadArguments)] {
        let mut bytes = Vec::new();
        append_restore_request(&mut bytes, 5, path);
        server.receive(operator, &bytes);
        server.sync();
        let reads = server.reads(operator);
        assert!(matches!(reads[..], [Read::Reply { xid: 5, err, .. }] if err == error.wire()), "{path}: {reads:?}");
    }
    server.call(operator, &create("/a", b"", 0)).unwrap();
    // To a client it is an opcode that does not exist: the connection goes, as with any such.
    let client = server.client();
    ask(&mut server, client);
    server.sync();
    assert!(matches!(server.reads(client)[..], [Read::Reply { err: -6, .. }]));
    assert!(server.closed.contains(&client));
}

#[test]
fn a_client_that_comes_back_is_told_of_nodes_that_are_older_than_it_knows() {
    let mut server = Server::start();
    let client = server.client();
    server.call(client, &create("/a", b"old", 0)).unwrap();
    let bytes = snapshot(&mut server);
    server.call(client, &set("/a", b"new", -1)).unwrap();
    let seen = server.tree.last_zxid().wire();
    let operator = own(&mut server);
    stage(&mut server, operator, &bytes);
    ask(&mut server, operator);
    server.sync();

    let (data, child, nothing) = ([Cow::Borrowed("/a")], [Cow::Borrowed("/")], List::new(&[]));
    let mut watches = SetWatches {
        relative_zxid: seen,
        data: List::new(&data),
        exist: nothing,
        child: List::new(&child),
        persistent: nothing,
        persistent_recursive: nothing,
    };
    server.reads(client);
    server.send(client, -8, &Request::SetWatches(watches.clone()));
    server.turn();
    let told: Vec<_> = server.reads(client);
    let kind = |n: usize| if let Read::Event { kind, .. } = told[n] { kind } else { panic!("{told:?}") };
    assert_eq!((kind(0), kind(1)), (WatcherEvent::DATA_CHANGED, WatcherEvent::CHILDREN_CHANGED));
    // Who has seen the new tree is not.
    watches.relative_zxid = server.tree.last_zxid().wire();
    server.send(client, -8, &Request::SetWatches(watches));
    server.turn();
    assert!(matches!(server.reads(client)[..], [Read::Reply { .. }]));
}

#[test]
fn a_session_that_is_back_expires_unless_its_client_comes() {
    let config = ReplicaConfig { tick: Duration::from_millis(100), ..ReplicaConfig::default() };
    let mut server = Server::start_with(config, Default::default());
    let gone = server.client();
    server.call(gone, &create("/mine", b"", 1)).unwrap();
    let bytes = snapshot(&mut server);
    server.call(gone, &Request::CloseSession).unwrap();
    assert!(server.tree.get("/mine").is_none());
    let operator = own(&mut server);
    stage(&mut server, operator, &bytes);
    ask(&mut server, operator);
    server.sync();
    assert!(server.tree.get("/mine").is_some());
    server.pass(Duration::from_secs(9));
    server.sync();
    assert!(server.tree.get("/mine").is_some());
    server.pass(Duration::from_secs(2));
    server.sync();
    assert!(server.tree.get("/mine").is_none() && server.tree.session_count() == 0);
}
