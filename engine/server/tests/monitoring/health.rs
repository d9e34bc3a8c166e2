//! `/health`, and what the admin server does with questions that are none.

use crate::http::{ask, get};
use crate::support::client::Client;
use crate::support::ensemble::{Ensemble, Plan};
use crate::support::ports::free_port;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;

fn with_admin() -> Ensemble {
    Ensemble::of(&Plan { admin: true, ..Plan::default() })
}

#[test]
fn a_server_without_a_quorum_is_live_and_not_ready() {
    let mut ensemble = with_admin();
    let leader = ensemble.leader();
    let survivor = ensemble.admin_addr(leader);
    for at in 0..3 {
        let answer = get(ensemble.admin_addr(at), "/health/ready");
        let part = if at == leader { "ready: leader\n" } else { "ready: follower\n" };
        assert_eq!((answer.status, answer.text()), (200, part));
    }
    for at in (0..3).filter(|at| *at != leader) {
        ensemble.kill(at);
    }
    ensemble.wait_until("a leader that has noticed", |_| get(survivor, "/health/ready").status == 503);
    let answer = get(survivor, "/health/ready");
    assert!(answer.text().starts_with("not ready: no leader; voters in sight: "), "{}", answer.text());
    let answer = get(survivor, "/health/live");
    assert_eq!((answer.status, answer.text()), (200, "live\n"));
    let answer = get(survivor, "/commands/server_stats").json();
    assert_eq!(answer["error"], "This ZooKeeper instance is not currently serving requests");
    let text = get(survivor, "/metrics");
    assert!(text.text().contains("\nringkeeper_serving 0\n"), "metrics are told without a leader, too");
}

#[test]
fn a_read_only_server_says_so() {
    let settings = &[("readonlymode.enabled", "true")];
    let mut ensemble = Ensemble::of(&Plan { admin: true, settings, ..Plan::default() });
    let addr = ensemble.admin_addr(0);
    let told = |command: &str| get(addr, &format!("/commands/{command}")).json();
    assert_eq!((&told("is_read_only")["read_only"], &told("stats")["read_only"]), (&false.into(), &false.into()));
    ensemble.kill(1);
    ensemble.kill(2);
    ensemble.wait_until("a read-only server", |ensemble| ensemble.mode(0).as_deref() == Some("read-only"));
    assert_eq!((&told("is_read_only")["read_only"], &told("stats")["read_only"]), (&true.into(), &true.into()));
    assert_eq!(told("server_stats")["server_stats"]["server_state"], "read-only");
    // It answers those who ask for it, and is not for everybody.
    assert_eq!(get(addr, "/health/ready").status, 503);
}

#[test]
fn the_leader_tells_of_its_observers() {
    let ensemble = Ensemble::of(&Plan { admin: true, observers: 1, ..Plan::default() });
    let addr = ensemble.admin_addr(ensemble.leader());
    let told = RefCell::new(serde_json::Value::Null);
    ensemble.wait_until("an observer that has caught up", |_| {
        told.replace(get(addr, "/commands/observers").json());
        told.borrow()["synced_observers"] == 1
    });
    let told = told.into_inner();
    let observer = told["observers"][0].as_object().unwrap_or_else(|| panic!("{told:#}"));
    let mut names: Vec<&str> = observer.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["last_zxid", "remote_socket_address", "sid", "synced"]);
    assert_eq!((&observer["sid"], &observer["synced"]), (&4.into(), &true.into()));
}

#[test]
fn odd_questions_are_answered_and_hold_nobody_up() {
    let ensemble = with_admin();
    let addr = ensemble.admin_addr(0);
    assert_eq!(get(addr, "/nowhere").status, 404);
    assert_eq!(get(addr, "/commands/nope").json()["error"], "Unknown command: nope");
    assert!(get(addr, "/commands").text().contains("<a href=\"/commands/voting_view\">voting_view</a>"));
    assert_eq!(ask(addr, "BREW / HTTP/1.1\r\n\r\n").status, 405);
    assert_eq!(ask(addr, "ruok\r\n\r\n").status, 400);
    assert_eq!(ask(addr, "POST /commands/ruok HTTP/1.1\r\nContent-Length: 0\r\n\r\n").status, 405);
    assert_eq!(ask(addr, &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000))).status, 431);
    assert_eq!(ask(addr, "POST /commands/restore HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").status, 401);
    // Connections that say nothing take the places; clients are served meanwhile, and the places come back. Those of the
    // questions above may be free only now.
    let silent = RefCell::new(Vec::new());
    ensemble.wait_until("no place left", |_| {
        silent.borrow_mut().extend((0..40).map(|_| TcpStream::connect(addr).unwrap()));
        let mut last = TcpStream::connect(addr).unwrap();
        last.write_all(b"GET /health/live HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        last.read_to_string(&mut text).unwrap_or_default();
        text.is_empty() || text.starts_with("HTTP/1.1 503 ")
    });
    Client::connect(ensemble.addr(0)).create("/served", b"", 0).unwrap();
    drop(silent);
    ensemble.wait_until("free places", |_| {
        let answered = std::panic::catch_unwind(|| get(addr, "/health/live").status);
        answered.is_ok_and(|status| status == 200)
    });
}

#[test]
fn a_port_that_is_taken_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = std::process::Command::new(crate::support::server::ringkeeper_binary())
        .args(["serve", "--client-port", "0", "--client-port-address", "127.0.0.1", "--data-dir"])
        .arg(dir.path())
        .args(["--set", &format!("admin.serverPort={port}"), "--set", "admin.serverAddress=127.0.0.1"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    let expected = format!("cannot listen on 127.0.0.1:{port} (admin.serverPort)");
    assert!(text.contains(&expected) && text.contains("give another port"), "{text}");
}
