//! `loadgen fill` and `loadgen idle` against the null server.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use std::sync::atomic::Ordering;
use support::null_server::{Conduct, NullServer};
use support::{loadgen, number};

#[test]
fn fill_creates_every_node_once() {
    let server = NullServer::start(Conduct::default());
    let ran = loadgen(&format!(
        "fill -s {} --count 30k --keys-per-parent 1k --prefix /a/b --server-pid {}",
        server.address,
        std::process::id()
    ))
    .expect(0);
    let result = ran.result();
    assert_eq!(number(result, "fill/created"), 30_000.0, "{result:#}");
    assert_eq!(number(result, "fill/existed"), 0.0);
    assert_eq!(server.counts.creates.load(Ordering::Relaxed), 30_000 + 30 + 2, "nodes, parents, prefix");
    assert!(result["fill"]["rss_bytes_per_node"].is_number());
    assert!(ran.stdout.contains("30,000 nodes created"), "{}", ran.stdout);
}

#[test]
fn idle_sessions_are_pinged_held_and_closed() {
    let server = NullServer::start(Conduct::default());
    let ran = loadgen(&format!(
        "idle -s {} --sessions 100 --duration 4s --session-timeout 3s --server-pid {}",
        server.address,
        std::process::id()
    ))
    .expect(0);
    let idle = &ran.result()["idle"];
    assert_eq!((number(idle, "sessions"), number(idle, "lost")), (100.0, 0.0), "{ran:#?}");
    assert!(idle["rss_bytes_per_session"].is_number() && idle["server_core_percent"].is_number());
    let counts = &server.counts;
    assert_eq!(counts.sessions.load(Ordering::Relaxed), 100);
    assert_eq!(counts.closes.load(Ordering::Relaxed), 100);
    let pings = counts.pings.load(Ordering::Relaxed);
    assert!(pings >= 100, "{pings} pings in 4 s of sessions that time out after 3 s");
    assert_eq!(number(ran.result(), "kinds/ping/operations"), pings as f64, "their latencies are recorded");
}

#[test]
fn sessions_lost_while_they_are_held_are_counted() {
    let server = NullServer::start(Conduct::default());
    let running = support::start(&format!("idle -s {} --sessions 10 --duration 1h", server.address));
    let sessions = || server.counts.sessions.load(Ordering::Relaxed) == 10;
    support::await_that("ten sessions", sessions);
    drop(server);
    let ran = support::finish(running).expect(1);
    assert!(ran.result()["failures"][0].as_str().unwrap().contains("lost the connection"), "{ran:#?}");
}
