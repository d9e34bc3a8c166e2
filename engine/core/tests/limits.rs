//! Limits, on a server without sockets and disk.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "the tests share a module")]

mod support;

use core::time::Duration;
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::frontend::{ConnectRate, FrontendConfig, Limits};
use ringkeeper_core::jute::{MultiOp, Request, SetData};
use ringkeeper_core::replica::{Input, ReplicaConfig};
use support::{Server, create, delete, get, list, set};

const THROTTLED: i32 = ErrorCode::ThrottledOp.wire();

fn limited(limits: Limits) -> Server {
    Server::start_with(ReplicaConfig::default(), FrontendConfig { limits, ..FrontendConfig::default() })
}

#[test]
fn a_leader_that_is_short_of_memory_refuses_what_grows_and_nothing_else() {
    let mut server = Server::start();
    let client = server.client();
    server.call(client, &create("/a", b"123", 0)).unwrap();
    server.call(client, &create("/b", b"", 0)).unwrap();
    // The clients of a follower reach it without its own frontend.
    server.input(Input::MemoryShort(true));
    assert_eq!(server.call(client, &create("/c-", b"", 2)), Err(THROTTLED));
    assert_eq!(server.call(client, &set("/a", b"1234", -1)), Err(THROTTLED));
    assert_eq!(server.call(client, &set("/a", b"1234", 9)), Err(ErrorCode::BadVersion.wire()), "first things first");
    server.call(client, &set("/a", b"12", -1)).unwrap();
    let set_a = |data| MultiOp::SetData(SetData { path: "/a".into(), data: Some(data), version: -1 });
    let ops = [set_a(b"1"), set_a(b"12")];
    server.call(client, &Request::Multi(list(&ops))).expect("the header of a failed multi says OK");
    assert_eq!(server.tree.get("/a").unwrap().data(), Some(&b"12"[..]), "the second step would grow: neither is done");
    server.call(client, &delete("/b", -1)).unwrap();
    assert_eq!(server.frontend.limit_counts().writes_refused_for_memory, 3);
    server.input(Input::MemoryShort(false));
    server.call(client, &create("/c-", b"", 2)).unwrap();
    assert!(server.tree.get("/c-0000000002").is_some(), "what was refused has used no number");
}

#[test]
fn a_frontend_that_is_short_of_memory_answers_in_turn() {
    let mut server = Server::start();
    let client = server.client();
    server.call(client, &create("/a", b"123", 0)).unwrap();
    server.frontend.set_memory_short(true);
    server.send(client, 1, &set("/a", b"1", -1));
    server.send(client, 2, &create("/b", b"", 0));
    server.send(client, 3, &get("/a", false));
    server.send(client, 4, &set("/a", b"1234", -1));
    server.sync();
    assert_eq!(server.xids(client), [1, 2, 3, 4]);
    assert_eq!(server.tree.get("/a").unwrap().data(), Some(&b"1"[..]));
    assert_eq!(server.frontend.limit_counts().writes_refused_for_memory, 2);
    let stranger = server.open();
    server.connect(stranger, 0, &[0; 16]);
    server.sync();
    assert_eq!(server.closed, [stranger]);
}

#[test]
fn all_connections_together_may_let_so_many_requests_wait() {
    let mut server = limited(Limits { pending: 3, ..Limits::default() });
    let (busy, idle) = (server.client(), server.client());
    for xid in 1..=3 {
        assert!(server.frontend.accepts_input(busy));
        server.send(busy, xid, &create(&format!("/{xid}"), b"", 0));
    }
    assert!(!server.frontend.accepts_input(busy));
    assert!(server.frontend.accepts_input(idle), "whoever waits for nothing may always ask");
    server.send(idle, 1, &get("/1", false));
    server.send(idle, 2, &create("/idle", b"", 0));
    assert!(!server.frontend.accepts_input(idle));
    server.sync();
    assert_eq!((server.xids(busy), server.xids(idle)), (vec![1, 2, 3], vec![1, 2]));
    assert!(server.frontend.accepts_input(busy));
    // What a lost connection had waiting counts no more.
    (1..=3).for_each(|xid| server.send(busy, xid, &set("/1", b"", -1)));
    let now = server.now;
    server.frontend.gone(now, busy);
    server.send(idle, 3, &set("/1", b"", -1));
    assert!(server.frontend.accepts_input(idle));
}

#[test]
fn a_large_request_waits_for_room_nowhere() {
    let mut server = limited(Limits { large_request: 100, large_bytes: 1000, ..Limits::default() });
    let client = server.client();
    let large = [7; 400];
    for xid in 1..=3 {
        server.send(client, xid, &create(&format!("/{xid}"), &large, 0));
    }
    server.send(client, 4, &create("/small", b"", 0));
    server.sync();
    assert_eq!(server.closed, [client], "the third would have made it more than 1000");
    assert_eq!(server.frontend.limit_counts().large_requests_rejected, 1);
    let client = server.client();
    for n in 4..9 {
        server.call(client, &create(&format!("/{n}"), &large, 0)).expect("one after the other they have room");
    }
}

#[test]
fn sessions_are_asked_for_at_a_rate() {
    let connects = ConnectRate { tokens: 1, fill_time: Duration::from_secs(1), fill_count: 1 };
    let mut server = limited(Limits { connects, ..Limits::default() });
    server.client();
    let hasty = server.open();
    server.connect(hasty, 0, &[0; 16]);
    server.sync();
    assert_eq!((server.closed.as_slice(), server.frontend.limit_counts().connects_throttled), (&[hasty][..], 1));
    server.pass(Duration::from_secs(1));
    server.client();
}
