//! Short stories of one server: what is answered when, in which order, and what the log has to do with it.

#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::frontend::FrontendConfig;
use ringkeeper_core::ids::{Epoch, SessionId};
use ringkeeper_core::jute::{Create, MultiOp, OpCode, Request, Response, SetData, WatcherEvent};
use ringkeeper_core::replica::{Input, ReplicaConfig};
use ringkeeper_core::session::password;
use ringkeeper_core::zab::Epochs;
use std::borrow::Cow;
use std::time::Duration;
use support::*;

#[test]
fn a_write_is_answered_only_when_the_log_is_durable() {
    let mut server = Server::start();
    let client = server.client();
    server.send(client, 1, &create("/a", b"x", 0));
    server.turn();
    assert!(server.reads(client).is_empty());
    assert!(server.tree.get("/a").is_none(), "nobody sees it either");
    server.sync();
    assert_eq!(server.xids(client), [1]);
    assert!(server.tree.get("/a").is_some());
}

#[test]
fn requests_of_a_session_are_executed_in_order() {
    let mut server = Server::start();
    let (client, other) = (server.client(), server.client());
    server.call(client, &create("/a", b"0", 0)).unwrap();
    for n in 1..=3 {
        server.send(client, n * 10, &set("/a", n.to_string().as_bytes(), -1));
        server.send(client, n * 10 + 1, &get("/a", false));
    }
    server.send(other, 5, &get("/a", false));
    server.turn();
    assert_eq!(server.xids(other), [5], "a read of another session waits for nobody");
    server.sync();
    let reads = server.reads(client);
    let values: Vec<(i32, Vec<u8>)> = reads
        .into_iter()
        .map(|read| match read {
            Read::Reply { xid, err: 0, body, .. } if xid % 10 == 1 => (xid, data_of(&body)),
            Read::Reply { xid, err: 0, .. } => (xid, Vec::new()),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [(10, ""), (11, "1"), (20, ""), (21, "2"), (30, ""), (31, "3")];
    assert_eq!(values, expected.map(|(xid, data)| (xid, data.as_bytes().to_vec())));
}

#[test]
fn a_refusal_leaves_when_what_it_was_judged_on_is_durable() {
    let mut server = Server::start();
    let (a, b) = (server.client(), server.client());
    server.send(a, 1, &create("/a", b"", 0));
    server.turn();
    server.send(b, 2, &create("/a", b"", 0));
    server.turn();
    assert!(server.reads(b).is_empty(), "the node that stands in the way may yet be lost");
    server.sync();
    assert!(matches!(server.reads(b)[..], [Read::Reply { xid: 2, err: -110, .. }]));
}

#[test]
fn sequence_numbers_count_creates_that_are_still_on_their_way() {
    let mut server = Server::start();
    let client = server.client();
    for xid in 0..3 {
        server.send(client, xid, &create("/s-", b"", 2));
    }
    server.sync();
    let paths: Vec<String> = server
        .reads(client)
        .iter()
        .map(|read| if let Read::Reply { body, .. } = read { path_of(body) } else { panic!() })
        .collect();
    assert_eq!(paths, ["/s-0000000000", "/s-0000000001", "/s-0000000002"]);
}

#[test]
fn an_event_comes_before_the_reply_and_before_any_read_that_shows_the_change() {
    let mut server = Server::start();
    let (writer, watcher) = (server.client(), server.client());
    server.call(writer, &create("/a", b"0", 0)).unwrap();
    for conn in [writer, watcher] {
        server.call(conn, &get("/a", true)).unwrap();
    }
    server.send(writer, 5, &set("/a", b"1", -1));
    server.send(watcher, 6, &Request::Sync { path: Some(Cow::Borrowed("/a")) });
    server.send(watcher, 7, &get("/a", false));
    server.sync();
    for (conn, xids) in [(writer, &[5][..]), (watcher, &[6, 7])] {
        let reads = server.reads(conn);
        assert!(
            matches!(&reads[0], Read::Event { kind: WatcherEvent::DATA_CHANGED, path, .. } if path == "/a"),
            "{reads:?}"
        );
        assert_eq!(reads.len(), xids.len() + 1, "one event, used up");
    }
}

#[test]
fn a_multi_is_all_or_nothing() {
    let mut server = Server::start();
    let client = server.client();
    server.call(client, &create("/a", b"0", 0)).unwrap();
    let seq = match create("/a/s-", b"", 2) {
        Request::Create(create) => MultiOp::Create(create),
        _ => unreachable!(),
    };
    let change = MultiOp::SetData(SetData { path: Cow::Borrowed("/a"), data: Some(b"1"), version: 0 });
    let impossible = MultiOp::Check { path: Cow::Borrowed("/a"), version: 7 };
    let body = server
        .call(client, &Request::Multi(list(&[seq.clone(), change.clone(), impossible, change.clone()])))
        .expect("the header of a failed multi says OK");
    let Response::Multi(results) = Response::decode(OpCode::Multi, &body).unwrap() else { panic!() };
    let errors: Vec<String> = results.iter().map(|r| format!("{r:?}")).collect();
    assert_eq!(errors, ["Error(0)", "Error(0)", "Error(-103)", "Error(-2)"]);
    assert_eq!(server.tree.get("/a").unwrap().stat().version, 0);

    let body = server.call(client, &Request::Multi(list(&[seq.clone(), seq, change]))).unwrap();
    let Response::Multi(results) = Response::decode(OpCode::Multi, &body).unwrap() else { panic!() };
    assert_eq!(results.len(), 3);
    assert!(server.tree.get("/a/s-0000000000").is_some(), "the failed multi used no number");
    let (first, second) = (server.tree.get("/a/s-0000000001").unwrap().stat(), server.tree.get("/a").unwrap().stat());
    assert_eq!((first.czxid, second.mzxid, second.version), (second.pzxid, second.pzxid, 1), "one zxid for all");
}

#[test]
fn sizes_of_replies_are_counted_without_their_length_field() {
    let mut server = Server::start();
    let client = server.client();
    server.call(client, &create("/a", b"12345", 0)).unwrap();
    server.call(client, &exists("/b", false)).unwrap_err();
    let size = server.frontend.stats().response_size;
    // Header alone; a path of two bytes with its length; the greeting of the connection.
    assert_eq!((size.last, size.min, size.max), (16, 16, 37), "{size:?}");
    server.call(client, &get("/a", false)).unwrap();
    assert_eq!(server.frontend.stats().response_size.last, 16 + 4 + 5 + 68);
}

#[test]
fn a_create_without_a_path_is_refused_for_its_flags_first() {
    let mut server = Server::start();
    let client = server.client();
    for (flags, error) in [(0, ErrorCode::MarshallingError), (7, ErrorCode::BadArguments)] {
        let Request::Create(create) = create("/a", b"", flags) else { unreachable!() };
        let without = Request::Create(Create { path: None, ..create });
        assert_eq!(server.call(client, &without), Err(error.wire()), "flags {flags}");
    }
}

#[test]
fn an_expired_session_takes_its_ephemerals_along() {
    let mut server = Server::start();
    let (owner, watcher) = (server.client(), server.client());
    server.call(owner, &create("/e", b"", 1)).unwrap();
    server.call(watcher, &exists("/e", true)).unwrap();
    for _ in 0..14 {
        server.send(watcher, -2, &Request::Ping);
        server.pass(Duration::from_secs(1));
        server.sync();
    }
    assert!(server.tree.get("/e").is_none());
    assert_eq!(server.closed, [owner]);
    let deleted = server.reads(watcher).into_iter().find(|read| matches!(read, Read::Event { .. }));
    assert!(matches!(deleted, Some(Read::Event { kind: WatcherEvent::DELETED, .. })));
}

#[test]
fn closing_a_session_deletes_ephemerals_still_on_their_way() {
    let mut server = Server::start();
    let client = server.client();
    server.send(client, 1, &create("/e1", b"", 1));
    server.send(client, 2, &create("/e2", b"", 1));
    server.send(client, 3, &delete("/e1", -1));
    server.send(client, 4, &Request::CloseSession);
    server.send(client, 5, &get("/", false));
    server.sync();
    assert_eq!(server.xids(client), [1, 2, 3, 4], "nothing is answered behind the close");
    assert_eq!(server.closed, [client]);
    assert!(server.tree.get("/e1").is_none() && server.tree.get("/e2").is_none());
    assert_eq!(server.tree.get("/").unwrap().child_count(), 1);
}

#[test]
fn a_session_is_taken_up_again_only_with_its_password() {
    let mut server = Server::start();
    let first = server.open();
    server.connect(first, 0, &[]);
    server.sync();
    let (session, passwd) = server.connected(first);
    let thief = server.open();
    server.connect(thief, session, &[9; 16]);
    server.sync();
    assert_eq!(server.connected(thief).0, 0);
    assert_eq!(server.closed, [thief], "the session's own connection is not harmed");
    let second = server.open();
    server.connect(second, session, &passwd);
    server.sync();
    assert_eq!(server.connected(second).0, session);
    assert_eq!(server.closed, [thief, first]);
    server.call(second, &create("/e", b"", 1)).unwrap();
}

/// In an ensemble another server may know first that a session is committed, and its client may come here at once.
#[test]
fn a_session_is_taken_up_while_it_is_only_proposed() {
    let mut server = Server::start();
    let earlier = server.open();
    server.connect(earlier, 0, &[]);
    server.sync();
    let next = server.connected(earlier).0 + 1;
    let first = server.open();
    server.connect(first, 0, &[]);
    server.turn();
    assert!(server.tree.session(SessionId(next)).is_none(), "it is not durable yet");

    let (second, thief) = (server.open(), server.open());
    server.connect(thief, next, &[9; 16]);
    server.connect(second, next, &password(SessionId(next)));
    server.send(second, 1, &create("/e", b"", 1));
    server.sync();
    assert_eq!((server.connected(first).0, server.connected(thief).0, server.connected(second).0), (next, 0, next));
    assert_eq!(server.xids(second), [1]);
    assert!(server.closed.contains(&first) && !server.closed.contains(&second), "the second one speaks for it now");
}

#[test]
fn sessions_outlive_a_restart() {
    let mut server = Server::start();
    let first = server.open();
    server.connect(first, 0, &[]);
    server.sync();
    let (session, passwd) = server.connected(first);
    server.call(first, &create("/e", b"", 1)).unwrap();
    let epochs = Epochs { accepted: Epoch(1), current: Epoch(1), ..Epochs::default() };
    let mut server =
        Server::recover(ReplicaConfig::default(), FrontendConfig::default(), epochs, core::mem::take(&mut server.tree));
    let again = server.open();
    server.connect(again, session, &passwd);
    server.sync();
    assert_eq!(server.connected(again).0, session);
    server.call(again, &create("/f", b"", 0)).unwrap();
    assert_eq!(server.tree.last_zxid().epoch(), Epoch(2), "a new reign, a new epoch");
    assert_eq!(server.tree.get("/e").unwrap().stat().ephemeral_owner, session);
}

#[test]
fn what_comes_before_the_session_is_established_waits_for_it() {
    let mut server = Server::start();
    let client = server.open();
    server.connect(client, 0, &[]);
    server.send(client, 1, &create("/a", b"x", 0));
    server.send(client, 2, &get("/a", false));
    server.send(client, 3, &create("/a", b"", 0));
    server.sync();
    assert_ne!(server.connected(client).0, 0);
    assert_eq!(server.xids(client), [1, 2, 3]);
}

#[test]
fn writes_from_before_the_session_keep_their_place_before_later_ones() {
    let mut server = Server::start();
    let client = server.open();
    server.connect(client, 0, &[]);
    for xid in 1..=6 {
        server.send(client, xid * 10, &create(&format!("/n{xid}"), b"x", 0));
        server.send(client, xid * 10 + 1, &get(&format!("/n{xid}"), false));
    }
    server.turn();
    server.sync_once();
    for xid in 7..=9 {
        server.send(client, xid * 10, &create(&format!("/n{xid}"), b"x", 0));
    }
    server.sync();
    server.connected(client);
    let expected = [10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 80, 90];
    assert_eq!(server.xids(client), expected);
}

#[test]
fn without_room_in_the_log_writes_are_refused_and_reads_go_on() {
    let mut server = Server::start();
    let client = server.client();
    server.call(client, &create("/a", b"x", 0)).unwrap();
    server.input(Input::LogRoom(false));
    assert_eq!(server.call(client, &set("/a", b"y", -1)), Err(ErrorCode::SystemError.wire()));
    assert_eq!(data_of(&server.call(client, &get("/a", false)).unwrap()), b"x");
    server.input(Input::LogRoom(true));
    server.call(client, &set("/a", b"y", -1)).unwrap();
}

#[test]
fn a_client_that_has_seen_more_than_this_server_is_sent_away() {
    let mut server = Server::start();
    let conn = server.open();
    let mut bytes = Vec::new();
    ringkeeper_core::jute::append_connect_request(
        &mut bytes,
        &ringkeeper_core::jute::ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: i64::MAX,
            timeout_ms: 10_000,
            session_id: 0,
            passwd: None,
            read_only: None,
        },
    );
    server.receive(conn, &bytes);
    server.sync();
    assert_eq!(server.closed, [conn]);
    assert!(server.reads(conn).is_empty());
}

#[test]
fn an_exhausted_epoch_is_followed_by_the_next_without_an_error() {
    let config = ReplicaConfig { last_counter: 3, ..ReplicaConfig::default() };
    let mut server = Server::start_with(config, FrontendConfig::default());
    let client = server.client();
    for xid in 1..=6 {
        server.send(client, xid, &create(&format!("/n{xid}"), b"", 0));
    }
    server.sync();
    assert_eq!(server.xids(client), [1, 2, 3, 4, 5, 6]);
    let last = server.tree.last_zxid();
    assert_eq!((last.epoch(), last.counter()), (Epoch(3), 1), "the session and two, three, one");
}

#[test]
fn a_snapshot_is_asked_for_when_it_is_due_and_one_at_a_time() {
    let mut server =
        Server::start_with(ReplicaConfig { snap_count: 10, ..ReplicaConfig::default() }, FrontendConfig::default());
    let client = server.client();
    for n in 0..30 {
        server.call(client, &create(&format!("/n{n}"), b"", 0)).unwrap();
    }
    assert_eq!(server.snapshots_asked, 1);
    server.input(Input::SnapshotEnded { done: true });
    assert_eq!(server.snapshots_asked, 2);
}

#[test]
fn an_unused_container_goes_and_a_used_one_stays() {
    let config = ReplicaConfig { reap_interval: Duration::from_secs(1), ..ReplicaConfig::default() };
    let mut server = Server::start_with(config, FrontendConfig::default());
    let client = server.client();
    for path in ["/c", "/d"] {
        server.call(client, &create(path, b"", 4)).unwrap();
        server.call(client, &create(&format!("{path}/x"), b"", 0)).unwrap();
    }
    server.call(client, &delete("/c/x", -1)).unwrap();
    for _ in 0..3 {
        server.pass(Duration::from_secs(1));
        server.sync();
    }
    assert!(server.tree.get("/c").is_none());
    assert!(server.tree.get("/d").is_some());
}
