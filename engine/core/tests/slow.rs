//! Requests that take long are written down, and no others.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use core::time::Duration;
use ringkeeper_core::frontend::FrontendConfig;
use ringkeeper_core::jute::{OpCode, Request};
use ringkeeper_core::replica::ReplicaConfig;
use support::{Server, create, set};

const THRESHOLD: Duration = Duration::from_millis(10);

fn server() -> Server {
    let frontend = FrontendConfig { slow_threshold: Some(THRESHOLD), ..FrontendConfig::default() };
    Server::start_with(ReplicaConfig::default(), frontend)
}

#[test]
fn slow_is_what_takes_as_long_as_the_threshold() {
    let mut server = server();
    let client = server.client();
    server.call(client, &create("/a", b"", 0)).unwrap();
    server.send(client, 1, &set("/a", b"quick", -1));
    server.pass(THRESHOLD - Duration::from_nanos(1));
    server.sync();
    assert_eq!((server.frontend.take_slow(), server.frontend.measures().slow), (vec![], 0));
    let received = server.now;
    server.send(client, 2, &set("/a", b"slow", -1));
    server.pass(THRESHOLD);
    server.sync();
    let slow = server.frontend.take_slow();
    assert_eq!((slow.len(), slow[0].op, slow[0].path.as_deref()), (1, OpCode::SetData.wire(), Some("/a")));
    assert_eq!((slow[0].received, slow[0].answered), (received, server.now));
    assert_eq!(slow[0].zxid, Some(server.tree.last_zxid()));
    // A sync becomes no transaction.
    server.send(client, 3, &Request::Sync { path: Some("/s".into()) });
    server.send(client, 4, &set("/a", b"slow", -1));
    server.pass(THRESHOLD);
    server.sync();
    let slow = server.frontend.take_slow();
    assert!(slow.iter().all(|request| request.zxid.is_some() == (request.op == OpCode::SetData.wire())), "{slow:?}");
}

#[test]
fn a_flood_of_slow_requests_is_counted_and_not_kept() {
    let mut server = server();
    let client = server.client();
    (1..=100).for_each(|xid| server.send(client, xid, &create("/n-", b"", 2)));
    server.pass(THRESHOLD);
    server.sync();
    assert_eq!((server.frontend.take_slow().len(), server.frontend.measures().slow), (64, 100));
    assert_eq!(server.frontend.take_slow(), [], "they are told once");
}
