//! Scripts on the wire: Ringkeeper's side of the deliberate differences that the differential test stays clear of (their
//! names are those of `docs/zookeeper-differences.md`), and what its turn-taking cannot show: how bytes are cut, and what is sent
//! before an answer has come.

mod support;

use std::io::Write;
use support::client::{Client, Conn, Fault, create_body};
use support::rng::Rng;
use support::server::{Server, Target};
use support::wire::{self, Acl, ConnectRequest, ConnectResponse, Dec, Enc, op, open_acl};
use support::{seed, skipped};

const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;
const CHILDREN: i32 = 4;

const STANDARD_CHILDREN: i32 = 1;
const STANDARD_DATA: i32 = 2;
const ANY: i32 = 3;
const PERSISTENT: i32 = 4;
const RECURSIVE: i32 = 5;

const BAD_ARGUMENTS: Fault = Fault::Code(-8);
const MARSHALLING: Fault = Fault::Code(-5);
const NO_NODE: Fault = Fault::Code(-101);
const NO_AUTH: Fault = Fault::Code(-102);
const INVALID_ACL: Fault = Fault::Code(-114);
const NO_WATCHER: Fault = Fault::Code(-121);

/// A server of the kind under test; `None` if it cannot be had here.
fn either(test: &str) -> Option<Server> {
    let target = Target::from_env();
    if let Some(reason) = target.missing() {
        skipped(test, &reason);
        return None;
    }
    Some(Server::start(target))
}

/// Ringkeeper, for what it does differently; `None` when the tests run against ZooKeeper.
fn ringkeeper(settings: &[(&str, &str)]) -> Option<Server> {
    (Target::from_env() == Target::Ringkeeper).then(|| Server::start_with(Target::Ringkeeper, settings))
}

fn kinds(client: &mut Client) -> Vec<(i32, String)> {
    client.events_until_now().into_iter().map(|e| (e.kind, e.path)).collect()
}

fn at(kind: i32, path: &str) -> (i32, String) {
    (kind, path.to_owned())
}

// ----- deliberate differences

#[test]
fn watch_kinds_per_path() {
    let Some(server) = ringkeeper(&[]) else { return };
    let (mut client, mut other) = (Client::connect(server.addr()), Client::connect(server.addr()));
    client.create("/a", b"", 0).unwrap();
    client.get("/a", true).unwrap();
    client.children("/a", true).unwrap();
    client.add_watch("/a", 0).unwrap();
    client.add_watch("/a", 1).unwrap();
    // Whatever matches, a change is told once.
    other.set("/a", b"x", -1).unwrap();
    assert_eq!(kinds(&mut client), [at(CHANGED, "/a")]);
    other.create("/a/b", b"", 0).unwrap();
    assert_eq!(kinds(&mut client), [at(CREATED, "/a/b"), at(CHILDREN, "/a")]);
    // The one-shot watches are used up, the others go on.
    other.set("/a", b"y", -1).unwrap();
    other.delete("/a/b", -1).unwrap();
    assert_eq!(kinds(&mut client), [at(CHANGED, "/a"), at(DELETED, "/a/b"), at(CHILDREN, "/a")]);
    other.delete("/a", -1).unwrap();
    assert_eq!(kinds(&mut client), [at(DELETED, "/a")]);
}

#[test]
fn watch_kinds_removal_and_check_watches_own() {
    let Some(server) = ringkeeper(&[]) else { return };
    let (mut client, mut other) = (Client::connect(server.addr()), Client::connect(server.addr()));
    client.create("/a", b"", 0).unwrap();
    let all = [STANDARD_CHILDREN, STANDARD_DATA, PERSISTENT, RECURSIVE];
    let set = |client: &mut Client| {
        client.get("/a", true).unwrap();
        client.children("/a", true).unwrap();
        client.add_watch("/a", 0).unwrap();
        client.add_watch("/a", 1).unwrap();
    };
    set(&mut client);
    for kind in all {
        assert_eq!(client.check_watches("/a", kind), Ok(()), "kind {kind}");
        assert_eq!(other.check_watches("/a", kind), Err(NO_WATCHER), "somebody else's watch of kind {kind}");
        assert_eq!(client.check_watches("/b", kind), Err(NO_WATCHER), "kind {kind} elsewhere");
    }
    // Each kind goes by itself.
    for (gone, kind) in all.iter().enumerate() {
        assert_eq!(client.remove_watches("/a", *kind), Ok(()), "kind {kind}");
        assert_eq!(client.remove_watches("/a", *kind), Err(NO_WATCHER), "kind {kind} twice");
        for (place, kind) in all.iter().enumerate() {
            let expected = if place <= gone { Err(NO_WATCHER) } else { Ok(()) };
            assert_eq!(client.check_watches("/a", *kind), expected, "kind {kind} after {gone}");
        }
    }
    assert_eq!(client.check_watches("/a", ANY), Err(NO_WATCHER));
    other.set("/a", b"", -1).unwrap();
    assert_eq!(kinds(&mut client), []);
    set(&mut client);
    assert_eq!(client.remove_watches("/a", ANY), Ok(()));
    other.set("/a", b"", -1).unwrap();
    other.create("/a/b", b"", 0).unwrap();
    assert_eq!(kinds(&mut client), []);
    for kind in [0, 6, -1] {
        assert_eq!(client.remove_watches("/a", kind), Err(MARSHALLING));
        assert_eq!(client.check_watches("/a", kind), Err(MARSHALLING));
    }
}

#[test]
fn container_flag_in_create() {
    let Some(server) = ringkeeper(&[("znode.container.checkIntervalMs", "20")]) else { return };
    let mut client = Client::connect(server.addr());
    client.create("/c", b"", 4).unwrap();
    client.create("/c/x", b"", 0).unwrap();
    client.exists("/c", true).unwrap();
    client.delete("/c/x", -1).unwrap();
    let event = client.event();
    assert_eq!((event.kind, event.path.as_str()), (DELETED, "/c"));
}

#[test]
fn ttl_record_without_ttl_flag() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    for flags in [0, 1, 2, 3, 4] {
        for ttl in [-1, 0, 5] {
            let got = client.create2(op::CREATE_TTL, "/t", b"", flags, Some(ttl)).map(|(path, _)| path);
            assert_eq!(got, Err(BAD_ARGUMENTS), "flags {flags} ttl {ttl}");
        }
    }
    assert_eq!(client.exists("/t", false), Err(NO_NODE));
}

#[test]
fn acl_ipv6() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    for (n, id) in ["::1", "2001:db8::/32", "fe80::1/128", "::/0"].iter().enumerate() {
        let acl = [Acl::new(31, "ip", id)];
        assert!(client.create_acl(&format!("/n{n}"), b"", &acl, 0).is_ok(), "{id}");
    }
    for id in ["::1/129", "::1/-1", ":::", "2001:db8", "::1/x"] {
        assert_eq!(client.create_acl("/bad", b"", &[Acl::new(31, "ip", id)], 0), Err(INVALID_ACL), "{id}");
    }
    // An address of the other family does not match.
    assert_eq!(client.get("/n0", false), Err(NO_AUTH));
}

#[test]
fn multi_create_flags() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    let multi = |client: &mut Client, code: i32, flags: i32| {
        let first = create_body("/first", b"", &open_acl(), 0);
        let create = create_body("/second", b"", &open_acl(), flags);
        let body = Enc::new().i32(op::CREATE).bool(false).i32(-1).raw(&first.0);
        let body = body.i32(code).bool(false).i32(-1).raw(&create.0).i32(-1).bool(true).i32(-1);
        client.call_full(op::MULTI, body).unwrap()
    };
    for code in [op::CREATE, op::CREATE2, op::CREATE_CONTAINER] {
        for flags in [-1, 5, 6, 7, i32::MAX] {
            let (header, body) = multi(&mut client, code, flags);
            assert_eq!((header.err, body.len()), (-5, 0), "op {code} flags {flags}");
        }
    }
    assert_eq!(client.exists("/first", false), Err(NO_NODE));
    assert_eq!(multi(&mut client, op::CREATE, 0).0.err, 0);
    assert!(client.exists("/second", false).is_ok());
}

#[test]
fn multi_null_read() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    for path in [None, Some("/")] {
        let body = Enc::new().i32(op::GET_DATA).bool(false).i32(-1).opt_str(path).bool(false);
        let (header, body) = client.call_full(op::MULTI, body.i32(-1).bool(true).i32(-1)).unwrap();
        assert_eq!((header.err, body.len()), (-5, 0), "{path:?}");
    }
    client.create("/alive", b"", 0).unwrap();
}

#[test]
fn set_watches_null_list() {
    let Some(server) = ringkeeper(&[]) else { return };
    let (mut client, mut other) = (Client::connect(server.addr()), Client::connect(server.addr()));
    client.create("/a", b"", 0).unwrap();
    let lists = Enc::new().i64(0).strs(Some(&["/a".into(), "/gone".into()])).strs(Some(&[])).strs(None);
    assert_eq!(client.call(op::SET_WATCHES, lists), Err(MARSHALLING));
    other.set("/a", b"", -1).unwrap();
    assert_eq!(kinds(&mut client), [], "nothing of it was done");
}

#[test]
fn sync_echo_encoding() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    let body = client.call(op::SYNC, Enc::new().str("/\u{1f600}")).unwrap();
    assert_eq!(Dec(&body).str(), Ok("/\u{1f600}".to_owned()));
}

#[test]
fn descendants_of_empty_path() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    let mut count = |path| Dec(&client.call(op::GET_ALL_CHILDREN_NUMBER, Enc::new().str(path)).unwrap()).i32().unwrap();
    assert_eq!(count(""), count("/"));
}

#[test]
fn event_zxid() {
    let Some(server) = ringkeeper(&[]) else { return };
    let (mut client, mut other) = (Client::connect(server.addr()), Client::connect(server.addr()));
    client.exists("/a", true).unwrap_err();
    client.add_watch("/", 1).unwrap();
    let created = other.create2(op::CREATE2, "/a", b"", 0, None).unwrap().1.czxid;
    let changed = other.set("/a", b"", -1).unwrap().mzxid;
    let events = client.events_until_now();
    assert_eq!(events.iter().map(|e| (e.kind, e.zxid)).collect::<Vec<_>>(), [(CREATED, created), (CHANGED, changed)]);
    // What is told after a lost connection has no transaction.
    let mut late = Client::connect(server.addr());
    let lists =
        Enc::new().i64(created).strs(Some(&["/a".into()])).strs(Some(&["/a".into()])).strs(Some(&["/none".into()]));
    late.call(op::SET_WATCHES, lists).unwrap();
    let events: Vec<_> = late.take_events().into_iter().map(|e| (e.kind, e.path, e.zxid)).collect();
    assert_eq!(events, [(CHANGED, "/a".into(), -1), (CREATED, "/a".into(), -1), (DELETED, "/none".into(), -1)]);
}

#[test]
fn failed_write_zxid() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    let before = client.create2(op::CREATE2, "/a", b"", 0, None).unwrap().1.czxid;
    for _ in 0..10 {
        let (header, _) = client.call_full(op::CREATE, create_body("/a", b"", &open_acl(), 0)).unwrap();
        assert_eq!((header.err, header.zxid), (-110, before));
        let (header, _) = client.call_full(op::DELETE, Enc::new().str("/none").i32(-1)).unwrap();
        assert_eq!((header.err, header.zxid), (-101, before));
    }
    assert_eq!(client.create2(op::CREATE2, "/b", b"", 0, None).unwrap().1.czxid, before + 1);
}

#[test]
fn exists_needs_read() {
    let Some(server) = ringkeeper(&[]) else { return };
    let (mut client, mut other) = (Client::connect(server.addr()), Client::connect(server.addr()));
    other.create_acl("/hidden", b"", &[Acl::new(30, "world", "anyone")], 0).unwrap();
    assert_eq!(client.exists("/hidden", true), Err(NO_AUTH));
    other.set_acl("/hidden", &open_acl(), -1).unwrap();
    other.set("/hidden", b"x", -1).unwrap();
    assert_eq!(kinds(&mut client), [], "a refused exists leaves no watch");
    client.exists("/hidden", true).unwrap();
    other.set("/hidden", b"y", -1).unwrap();
    assert_eq!(kinds(&mut client), [at(CHANGED, "/hidden")]);
}

#[test]
fn operations_that_are_not_for_clients() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    client.create("/a", b"", 0).unwrap();
    for (code, body) in [
        (op::CHECK, Enc::new().str("/a").i32(0)),
        (op::DELETE_CONTAINER, Enc::new().str("/a")),
        (op::CREATE_SESSION, Enc::new().i32(10_000)),
        (0, Enc::new()),
        (10, Enc::new()),
        (108, Enc::new()),
    ] {
        let mut one = Client::connect(server.addr());
        let (header, rest) = one.call_full(code, body).unwrap();
        assert_eq!((header.err, header.zxid, rest.len()), (-6, -1, 0), "operation {code}");
        assert!(one.conn.drain().is_empty(), "operation {code} ends the connection");
    }
    assert!(client.exists("/a", false).is_ok());
}

#[test]
fn password_first() {
    let Some(server) = ringkeeper(&[]) else { return };
    let mut client = Client::connect(server.addr());
    client.create("/e", b"", 1).unwrap();
    for passwd in [vec![0; 16], vec![1; 16], Vec::new(), vec![0; 15]] {
        assert!(Client::reattach(server.addr(), client.session, &passwd).is_none());
    }
    let owner = client.session;
    assert_eq!(client.exists("/e", false).unwrap().ephemeral_owner, owner, "the owner has not noticed");
}

#[test]
fn malformed_quota() {
    let Some(server) = ringkeeper(&[("enforceQuota", "true")]) else { return };
    let mut client = Client::connect(server.addr());
    client.create("/a", b"", 0).unwrap();
    client.create("/zookeeper/quota/a", b"", 0).unwrap();
    for text in [
        &b"value 7"[..],
        b"",
        b"=",
        b"count",
        b"count=,bytes=",
        b"count=x,bytes=1",
        b"\xff\xfe",
        b"count=99999999999999999999",
    ] {
        client.create("/zookeeper/quota/a/zookeeper_limits", text, 0).unwrap();
        client.create("/zookeeper/quota/a/zookeeper_stats", text, 0).unwrap();
        assert!(client.set("/a", b"data", -1).is_ok(), "{text:?}");
        let child = client.create("/a/x", b"", 2);
        assert!(child.is_ok(), "{text:?}: {child:?}");
        client.set("/zookeeper/quota/a/zookeeper_stats", text, -1).unwrap();
        client.set("/zookeeper/quota/a/zookeeper_limits", text, -1).unwrap();
        assert!(client.set("/a", b"other", -1).is_ok(), "{text:?}");
        client.delete("/zookeeper/quota/a/zookeeper_limits", -1).unwrap();
        client.delete("/zookeeper/quota/a/zookeeper_stats", -1).unwrap();
    }
}

// ----- the same on both servers

#[test]
fn events_need_read_permission_when_they_are_sent() {
    let Some(server) = either("events_need_read_permission_when_they_are_sent") else { return };
    let (mut client, mut other) = (Client::connect(server.addr()), Client::connect(server.addr()));
    other.create("/a", b"", 0).unwrap();
    client.get("/a", true).unwrap();
    client.add_watch("/a", 1).unwrap();
    other.set_acl("/a", &[Acl::new(30, "world", "anyone")], -1).unwrap();
    other.set("/a", b"secret", -1).unwrap();
    assert_eq!(kinds(&mut client), [], "what may not be read is not told");
    other.set_acl("/a", &open_acl(), -1).unwrap();
    client.remove_watches("/a", ANY).unwrap();
    other.set("/a", b"open", -1).unwrap();
    assert_eq!(kinds(&mut client), [], "the one-shot watch is used up all the same");
}

#[test]
fn own_events_come_before_the_reply() {
    let Some(server) = either("own_events_come_before_the_reply") else { return };
    let mut client = Client::connect(server.addr());
    client.create("/a", b"", 0).unwrap();
    for round in 0..100 {
        client.get("/a", true).unwrap();
        client.children("/", true).unwrap();
        client.set("/a", b"x", -1).unwrap();
        client.create(&format!("/n{round}"), b"", 0).unwrap();
        let events: Vec<_> = client.take_events().into_iter().map(|e| (e.kind, e.path)).collect();
        assert_eq!(events, [at(CHANGED, "/a"), at(CHILDREN, "/")]);
    }
}

#[test]
fn events_come_before_newer_data() {
    let Some(server) = either("events_come_before_newer_data") else { return };
    let (mut reader, mut writer) = (Client::connect(server.addr()), Client::connect(server.addr()));
    writer.create("/a", b"0", 0).unwrap();
    for round in 1..300 {
        let (before, _) = reader.get("/a", true).unwrap();
        let body = Enc::new().str("/a").buf(Some(format!("{round}").as_bytes())).i32(-1);
        writer.send(op::SET_DATA, &body.0);
        // Reads race with the write; the first that shows it comes after the event.
        loop {
            let (now, _) = reader.get("/a", false).unwrap();
            let events = reader.take_events();
            if now != before {
                assert_eq!(events.len(), 1, "round {round}: new data, and the event not yet");
                break;
            }
            if !events.is_empty() {
                assert_ne!(
                    reader.get("/a", false).unwrap().0,
                    before,
                    "round {round}: the event, and the data not yet"
                );
                break;
            }
        }
        writer.reply().unwrap();
    }
}

#[test]
fn requests_may_follow_the_connect_request_at_once() {
    let Some(server) = either("requests_may_follow_the_connect_request_at_once") else { return };
    let mut bytes = ConnectRequest::default().framed();
    for n in 0..50 {
        bytes.extend(wire::request(n, op::CREATE, &create_body(&format!("/n{n}"), b"", &open_acl(), 1).0));
    }
    let mut conn = Conn::open(server.addr());
    conn.send(&bytes);
    assert!(ConnectResponse::decode(&conn.frame().unwrap()).unwrap().timeout_ms > 0);
    for n in 0..50 {
        let frame = conn.frame().unwrap();
        let (header, body) = wire::reply(&frame).unwrap();
        assert_eq!((header.xid, header.err), (n, 0));
        assert_eq!(Dec(body).str().unwrap(), format!("/n{n}"));
    }
}

#[test]
fn frames_may_be_cut_anywhere() {
    let Some(server) = either("frames_may_be_cut_anywhere") else { return };
    let seed = seed(11);
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut bytes = ConnectRequest::default().framed();
    let mut expected = Vec::new();
    for n in 0..200 {
        let data = rng.bytes([0, 3, 700, 30_000][n % 4]);
        bytes.extend(wire::request(n as i32, op::CREATE, &create_body(&format!("/n{n}"), &data, &open_acl(), 1).0));
        bytes.extend(wire::request(1_000 + n as i32, op::GET_DATA, &Enc::new().str(&format!("/n{n}")).bool(false).0));
        expected.push(data);
    }
    let mut conn = Conn::open(server.addr());
    let mut writer = conn.writer();
    let pieces = std::thread::spawn(move || {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let most = [1, 3, 7, 50, 5_000, 100_000][rng.below(6) as usize];
            let (piece, after) = rest.split_at((1 + rng.below(most) as usize).min(rest.len()));
            writer.write_all(piece).unwrap();
            rest = after;
        }
    });
    assert!(ConnectResponse::decode(&conn.frame().unwrap()).unwrap().timeout_ms > 0);
    for (n, data) in expected.iter().enumerate() {
        let frame = conn.frame().unwrap();
        assert_eq!(wire::reply(&frame).unwrap().0.err, 0, "create {n}");
        let frame = conn.frame().unwrap();
        let (header, body) = wire::reply(&frame).unwrap();
        assert_eq!((header.xid, header.err), (1_000 + n as i32, 0));
        assert_eq!(Dec(body).buf().unwrap().unwrap_or_default(), data, "data of {n}");
    }
    pieces.join().unwrap();
}

#[test]
fn hostile_bytes_harm_nobody_else() {
    let Some(server) = either("hostile_bytes_harm_nobody_else") else { return };
    let seed = seed(12);
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut witness = Client::connect(server.addr());
    witness.create("/witness", b"fine", 1).unwrap();
    for round in 0..300 {
        let mut conn = Conn::open(server.addr());
        if rng.percent(70) {
            conn.send(&ConnectRequest::default().framed());
            assert!(conn.frame().is_some());
        }
        for _ in 0..rng.below(5) {
            let len = rng.below(60) as usize;
            let mut payload = rng.bytes(len);
            if payload.len() >= 8 && rng.percent(80) {
                // A known operation with a body of noise.
                let known: [i32; 26] = [
                    1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 21, 22, 100, 101, 103, 104, 105, 106,
                    107,
                ];
                payload[4..8].copy_from_slice(&rng.pick(&known).to_be_bytes()[..]);
            }
            conn.send(&Enc::new().raw(&payload).framed());
        }
        if rng.percent(30) {
            let noise = rng.bytes(20);
            conn.send(&noise);
        }
        drop(conn);
        if round % 50 == 0 {
            assert_eq!(witness.get("/witness", false).unwrap().0.as_deref(), Some(&b"fine"[..]), "round {round}");
        }
    }
    assert_eq!(witness.get("/witness", false).unwrap().0.as_deref(), Some(&b"fine"[..]));
    Client::connect(server.addr()).close();
}

#[test]
fn a_slow_reader_gets_everything() {
    let Some(server) = either("a_slow_reader_gets_everything") else { return };
    let mut client = Client::connect(server.addr());
    let data = vec![b'z'; 500_000];
    client.create("/large", &data, 0).unwrap();
    // 100 MB of replies that nobody reads yet: the server must neither drop them nor stop serving others.
    for _ in 0..200 {
        client.send(op::GET_DATA, &Enc::new().str("/large").bool(false).0);
    }
    let mut other = Client::connect(server.addr());
    for n in 0..50 {
        other.create(&format!("/other{n}"), b"", 0).unwrap();
    }
    for _ in 0..200 {
        let (header, body) = client.reply().unwrap();
        assert_eq!((header.err, body.len()), (0, 4 + data.len() + 68));
    }
}
