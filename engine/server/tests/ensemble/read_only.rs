//! The last server of an ensemble serves clients that only read, as ZooKeeper's does.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::client::{Client, Conn, Fault, create_body};
use crate::support::ensemble::{Ensemble, Plan};
use crate::support::server::{Settings, Target};
use crate::support::skipped;
use crate::support::wire::{ConnectRequest, ConnectResponse, Enc, op, open_acl};

/// What either server does.
const STORY: &[&str] = &[
    "srvr: READ-ONLY mode; serving only read-only clients",
    "isro: ro",
    "new without the flag: closed",
    "new of an old client: closed",
    "new that has seen more: closed",
    "session of the ensemble: closed",
    "session that nobody knows: over, read-only Some(true)",
    "new: granted, read-only Some(true)",
    "get: ok",
    "get of nothing: -101",
    "exists with a watch: -101",
    "children: ok",
    "create: -119",
    "create of an ephemeral: -119",
    "set: -119",
    "delete: -119",
    "setACL: -119",
    "multi: -119",
    "sync: -119",
    "reconfig: -119",
    "ping: ok",
    "again: granted, read-only Some(true), the same",
    "the former connection: closed",
    "close: ok",
    "after the end: over, read-only Some(true)",
    "a quorum again: closed",
    "isro: rw",
    "read-only session: over, read-only Some(false)",
    "session of the ensemble: granted, read-only Some(false), the same",
    "set: ok",
];

fn settings(target: Target) -> Settings<'static> {
    match target {
        Target::Ringkeeper => &[("readonlymode.enabled", "true")],
        Target::ZooKeeper => &[
            ("readonlymode.enabled", "true"),
            ("localSessionsEnabled", "true"),
            ("localSessionsUpgradingEnabled", "true"),
        ],
    }
}

fn asks(read_only: Option<bool>) -> ConnectRequest {
    ConnectRequest { read_only, ..ConnectRequest::default() }
}

fn asks_for(client: &Client) -> ConnectRequest {
    ConnectRequest { session: client.session, passwd: Some(client.passwd.clone()), ..asks(Some(true)) }
}

fn outcome<T>(result: Result<T, Fault>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(Fault::Code(code)) => code.to_string(),
        Err(Fault::Closed) => "closed".to_owned(),
    }
}

/// Applies to a server.
fn apply(ensemble: &Ensemble, request: &ConnectRequest) -> String {
    let mut conn = Conn::open(ensemble.addr(0));
    conn.send(&request.framed());
    let Some(frame) = conn.frame() else { return "closed".to_owned() };
    let ConnectResponse { timeout_ms, session, read_only, .. } = ConnectResponse::decode(&frame).unwrap();
    let what = if timeout_ms > 0 { "granted" } else { "over" };
    let same = if session != 0 && session == request.session { ", the same" } else { "" };
    format!("{what}, read-only {read_only:?}{same}")
}

/// What a client can do whose session is read-only.
fn read_and_write(reader: &mut Client, told: &mut Vec<String>) {
    let mut tell = |what: &str, outcome: String| told.push(format!("{what}: {outcome}"));
    assert_eq!(reader.get("/a", false).unwrap().0.as_deref(), Some(&b"1"[..]));
    tell("get", outcome(reader.get("/a", true)));
    tell("get of nothing", outcome(reader.get("/nothing", false)));
    tell("exists with a watch", outcome(reader.exists("/nothing", true)));
    tell("children", outcome(reader.children("/", true)));
    tell("create", outcome(reader.create("/b", b"", 0)));
    tell("create of an ephemeral", outcome(reader.create("/b", b"", 1)));
    tell("set", outcome(reader.set("/a", b"2", -1)));
    tell("delete", outcome(reader.delete("/a", -1)));
    tell("setACL", outcome(reader.set_acl("/a", &open_acl(), -1)));
    let end = |e: Enc| e.i32(-1).bool(true).i32(-1);
    let create = create_body("/m", b"", &open_acl(), 0);
    let mut multi = Enc::new().i32(op::CREATE).bool(false).i32(-1);
    multi.0.extend_from_slice(&create.0);
    tell("multi", outcome(reader.call(op::MULTI, end(multi))));
    tell("sync", outcome(reader.sync("/")));
    tell("reconfig", outcome(reader.call(op::RECONFIG, Enc::new().i32(-1).i32(-1).i32(-1).i64(-1))));
    tell("ping", outcome(reader.ping()));
}

fn tell(target: Target) -> Vec<String> {
    let mut ensemble = Ensemble::of(&Plan { target, settings: settings(target), ..Plan::default() });
    let mut owner = Client::connect(ensemble.addr(0));
    owner.create("/a", b"1", 0).unwrap();
    // ZooKeeper's session is the ensemble's from now on.
    owner.create("/mine", b"", 1).unwrap();
    ensemble.kill(1);
    ensemble.kill(2);
    ensemble.wait_until("a read-only server", |ensemble| ensemble.mode(0).as_deref() == Some("read-only"));
    let mut told = vec![
        format!("srvr: {}", ensemble.told(0, "srvr").lines().nth(1).unwrap_or_default()),
        format!("isro: {}", ensemble.told(0, "isro")),
    ];
    let mut new = |who: &str, request: &ConnectRequest| told.push(format!("{who}: {}", apply(&ensemble, request)));
    new("new without the flag", &asks(Some(false)));
    new("new of an old client", &asks(None));
    new("new that has seen more", &ConnectRequest { last_zxid_seen: i64::MAX, ..asks(Some(true)) });
    new("session of the ensemble", &asks_for(&owner));
    new("session that nobody knows", &ConnectRequest { session: 0x155, ..asks(Some(true)) });
    new("new", &asks(Some(true)));
    let mut reader = Client::connect_with(ensemble.addr(0), &asks(Some(true))).unwrap();
    read_and_write(&mut reader, &mut told);
    told.push(format!("again: {}", apply(&ensemble, &asks_for(&reader))));
    told.push(format!("the former connection: {}", outcome(reader.get("/a", false))));
    let mut again = Client::connect_with(ensemble.addr(0), &asks_for(&reader)).unwrap();
    told.push(format!("close: {}", outcome(again.call(op::CLOSE_SESSION, Enc::new()))));
    assert!(again.conn.drain().is_empty());
    told.push(format!("after the end: {}", apply(&ensemble, &asks_for(&reader))));
    let mut last = Client::connect_with(ensemble.addr(0), &asks(Some(true))).unwrap();
    ensemble.launch(1);
    told.push(format!("a quorum again: {}", outcome(last.reply())));
    ensemble
        .wait_until("a leader", |ensemble| ensemble.mode(0).is_some_and(|mode| mode == "leader" || mode == "follower"));
    told.push(format!("isro: {}", ensemble.told(0, "isro")));
    told.push(format!("read-only session: {}", apply(&ensemble, &asks_for(&last))));
    told.push(format!("session of the ensemble: {}", apply(&ensemble, &asks_for(&owner))));
    let mut owner = Client::connect_with(ensemble.addr(0), &asks_for(&owner)).unwrap();
    told.push(format!("set: {}", outcome(owner.set("/a", b"2", -1))));
    told
}

#[test]
fn the_last_server_is_read_only_until_there_is_a_quorum_again() {
    assert_eq!(tell(Target::Ringkeeper), STORY);
}

#[test]
fn zookeepers_last_server_is_read_only_in_the_same_way() {
    match Target::ZooKeeper.missing() {
        Some(reason) => skipped("zookeepers_last_server_is_read_only_in_the_same_way", &reason),
        None => assert_eq!(tell(Target::ZooKeeper), STORY),
    }
}
