//! `loadgen fill` and `loadgen sessions` against the null server.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use std::io::copy;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use support::null_server::{Conduct, NullServer};
use support::{loadgen, logged_by, number};

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
fn sessions_are_pinged_held_and_closed() {
    let server = NullServer::start(Conduct::default());
    let (ran, logged) = logged_by(&format!(
        "sessions -s {} -n 100 --duration 8s --session-timeout 9s --server-pid {}",
        server.address,
        std::process::id()
    ));
    let result = ran.result();
    assert_eq!((number(result, "opened"), number(result, "connections_lost")), (100.0, 0.0), "{ran:#?}");
    assert!(result["rss_bytes_per_session"].is_number() && result["server_core_percent"].is_number());
    let counts = &server.counts;
    assert_eq!(counts.sessions.load(Ordering::Relaxed), 100);
    support::await_that("the close of all sessions", || counts.closes.load(Ordering::Relaxed) == 100);
    let pings = counts.pings.load(Ordering::Relaxed);
    assert!(pings >= 100, "{pings} pings in 8 s of sessions that time out after 9 s");
    // The last of each session may have been under way when the time was over.
    let recorded = number(result, "pings");
    assert!((pings as f64 - 100.0..=pings as f64).contains(&recorded), "their latencies are recorded: {ran:#?}");
    assert!(number(result, "ping_us/p99") > 0.0 && result["all_back_ms"].is_null(), "{ran:#?}");
    assert_eq!(logged["ping"] as f64, recorded);
}

#[test]
fn connections_lost_while_sessions_are_held_are_a_failure_unless_there_is_a_threshold() {
    // All wait for their time: together.
    let cases = [("", 1), ("--fail-if lost>2", 0), ("--fail-if lost>1", 4)].map(|(threshold, status)| {
        let server = NullServer::start(Conduct::default());
        let between = Relay::start(server.address);
        let line = format!("sessions -s {} -n 2 -t 14s --session-timeout 18s {threshold}", between.address);
        (support::start(&line), server, between, status)
    });
    for (_, server, between, _) in &cases {
        // A session that pings is open, and loadgen knows of it.
        support::await_that("pings", || server.counts.pings.load(Ordering::Relaxed) >= 2);
        between.hang_up();
    }
    for (running, _server, _between, status) in cases {
        let ran = support::finish(running).expect(status);
        assert_eq!(number(ran.result(), "lost_while_held"), 2.0, "{ran:#?}");
        assert!(number(ran.result(), "back_us/max") > 0.0, "they came back: {ran:#?}");
        assert!(ran.stdout.contains("2 connections lost while the sessions were held"), "{}", ran.stdout);
    }
}

#[test]
fn a_server_that_is_gone_for_good_ends_the_holding_of_its_sessions() {
    // An address of its own: nobody else takes the port when it is given back.
    let server = NullServer::start(Conduct { host: Ipv4Addr::new(127, 0, 0, 2), ..Conduct::default() });
    let running = support::start(&format!("sessions -s {} -n 10 --session-timeout 1s --duration 1h", server.address));
    // A ping: all have been opened.
    support::await_that("ten sessions that are held", || server.counts.pings.load(Ordering::Relaxed) > 0);
    drop(server);
    let ran = support::finish(running).expect(1);
    let failure = ran.result()["failures"][0].as_str().unwrap();
    assert!(failure.contains("no session is connected any more: cannot connect to"), "{ran:#?}");
}

/// Between clients and a server: it can cut them off.
struct Relay {
    address: SocketAddr,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    fn start(server: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&streams);
        spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(server).unwrap());
                kept.lock().unwrap().push(client.try_clone().unwrap());
                let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
                let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
                spawn(move || copy(&mut from_client, &mut to_server).and_then(|_| to_server.shutdown(Shutdown::Both)));
                spawn(move || copy(&mut from_server, &mut to_client).and_then(|_| to_client.shutdown(Shutdown::Both)));
            }
        });
        Relay { address, streams }
    }

    /// Ends the connections that there are.
    fn hang_up(&self) {
        self.streams.lock().unwrap().drain(..).for_each(|stream| stream.shutdown(Shutdown::Both).unwrap());
    }
}
