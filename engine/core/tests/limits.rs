//! Limits, on a server without sockets and disk.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "the tests share a module")]

mod support;

use core::time::Duration;
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::frontend::{ConnectRate, FrontendConfig, Limits};
use ringkeeper_core::jute::{MultiOp, PREFIX_LEN, Request, SetData, append_request};
use ringkeeper_core::replica::{Input, ReplicaConfig};
use support::{Server, create, delete, get, list, set};

const THROTTLED: i32 = ErrorCode::ThrottledOp.wire();

fn limited(limits: Limits) -> Server {
    Server::start_with(ReplicaConfig::default(), FrontendConfig { limits, ..FrontendConfig::default() })
}

/// Bytes of a request as the server counts them.
fn length(request: &Request<'_>) -> usize {
    let mut bytes = Vec::new();
    append_request(&mut bytes, 1, request);
    bytes.len() - PREFIX_LEN
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
    server.call(client, &set("/a", b"xyz", -1)).expect("what is as long as before does not grow");
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
fn a_frontend_that_is_short_of_memory_looks_into_multis() {
    let mut server = Server::start();
    let client = server.client();
    server.call(client, &create("/a", b"123", 0)).unwrap();
    server.call(client, &create("/b", b"", 0)).unwrap();
    server.frontend.set_memory_short(true);
    let set_a = |data| MultiOp::SetData(SetData { path: "/a".into(), data: Some(data), version: -1 });
    let Request::Create(new) = create("/new", b"", 0) else { unreachable!("it makes one") };
    let check = MultiOp::Check { path: "/a".into(), version: 0 };
    for growing in [[check.clone(), MultiOp::Create(new)], [set_a(b"1"), set_a(b"1234")]] {
        assert_eq!(server.call(client, &Request::Multi(list(&growing))), Err(THROTTLED), "{growing:?}");
    }
    let ops = [check, set_a(b"xyz"), MultiOp::Delete { path: "/b".into(), version: -1 }];
    server.call(client, &Request::Multi(list(&ops))).unwrap();
    assert!(server.tree.get("/b").is_none(), "nothing of it makes the tree larger");
    assert_eq!(server.frontend.limit_counts().writes_refused_for_memory, 2);
}

#[test]
fn one_connection_may_let_so_many_requests_wait() {
    let mut server = limited(Limits { connection_pending: 2, ..Limits::default() });
    let (busy, other) = (server.client(), server.client());
    server.send(busy, 1, &create("/1", b"", 0));
    assert!(server.frontend.accepts_input(busy));
    server.send(busy, 2, &create("/2", b"", 0));
    assert!(!server.frontend.accepts_input(busy) && server.frontend.accepts_input(other));
    server.sync();
    assert!(server.frontend.accepts_input(busy));
}

#[test]
fn all_connections_together_may_let_so_many_bytes_wait() {
    let request = create("/1", &[7; 1000], 0);
    let mut server = limited(Limits { pending_bytes: 2 * length(&request), ..Limits::default() });
    let (busy, idle) = (server.client(), server.client());
    let send = |server: &mut Server, conn| server.send(conn, 1, &request);
    send(&mut server, busy);
    send(&mut server, busy);
    assert!(server.frontend.accepts_input(busy), "just full");
    send(&mut server, busy);
    assert!(!server.frontend.accepts_input(busy) && server.frontend.accepts_input(idle));
    server.sync();
    // What was answered, and what a lost connection had waiting, is there no more.
    (0..3).for_each(|_| send(&mut server, busy));
    server.frontend.gone(server.now, busy);
    (0..2).for_each(|_| send(&mut server, idle));
    assert!(server.frontend.accepts_input(idle));
    send(&mut server, idle);
    assert!(!server.frontend.accepts_input(idle));
}

#[test]
fn a_client_that_takes_no_replies_is_not_read() {
    let frontend = FrontendConfig { max_unsent: 2000, ..FrontendConfig::default() };
    let mut server = Server::start_with(ReplicaConfig::default(), frontend);
    let client = server.client();
    server.call(client, &create("/a", &[7; 1500], 0)).unwrap();
    server.send(client, 1, &get("/a", false));
    assert!(server.frontend.accepts_input(client));
    server.send(client, 2, &get("/a", false));
    assert!(!server.frontend.accepts_input(client), "two replies wait for the end of the turn");
    server.turn();
    assert!(server.frontend.accepts_input(client));
    server.frontend.unsent(client, 2001);
    assert!(!server.frontend.accepts_input(client), "the socket did not take them");
    server.frontend.unsent(client, 2000);
    assert!(server.frontend.accepts_input(client));
}

#[test]
fn connections_that_ask_for_no_session_are_closed_in_time() {
    let mut server = limited(Limits { sessionless_timeout: Duration::from_secs(1), ..Limits::default() });
    let client = server.client();
    server.pass(Duration::from_millis(500));
    let silent = server.open();
    let asking = server.open();
    server.connect(asking, 0, &[0; 16]);
    server.pass(Duration::from_millis(500));
    server.pass(Duration::from_millis(499));
    assert_eq!(server.closed, []);
    server.pass(Duration::from_millis(251));
    assert_eq!(server.closed, [silent], "looked for four times in that time; {client:?} and {asking:?} have asked");
    assert_eq!(server.frontend.limit_counts().sessionless_expired, 1);
    assert_eq!(server.frontend.measures().sessionless_closed, 1);
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
fn large_is_what_is_longer_than_the_threshold() {
    let request = create("/1", &[7; 400], 0);
    let length = length(&request);
    let with = |large_request, large_bytes| limited(Limits { large_request, large_bytes, ..Limits::default() });
    let mut server = with(length, 0);
    let client = server.client();
    server.call(client, &request).expect("just not a large one");

    let mut server = with(length - 1, 2 * length);
    let client = server.client();
    (1..=5).for_each(|xid| server.send(client, xid, &create(&format!("/small-{xid}"), &[7; 300], 0)));
    (6..=7).for_each(|xid| server.send(client, xid, &request));
    server.sync();
    assert_eq!((server.closed.len(), server.xids(client).len()), (0, 7), "small ones do not count, two large ones fit");
    (1..=3).for_each(|xid| server.send(client, xid, &request));
    server.sync();
    assert_eq!(server.closed, [client], "three do not");
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
