//! Why a restore is refused: each reason with its status, its words, and what is counted. Nothing has changed then.

use crate::http::{Answer, ask, get, read_answer, send};
use crate::restore::{AUTHORIZATION, SUPER, restore, snapshot};
use crate::support::client::Client;
use crate::support::ensemble::{Ensemble, Plan};
use crate::support::server::{Server, ringkeeper_binary};
use ringkeeper_core::ids::{WallMs, Zxid};
use ringkeeper_core::tree::{Builder, NodeState};
use ringkeeper_txnlog::config::SnapshotConfig;
use ringkeeper_txnlog::disk::FsDisk;
use ringkeeper_txnlog::snapshot::{Origin, SnapshotHead, SnapshotWriter, snapshot_name};
use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Where a snapshot's header has its format version and the digest of the state (docs/formats.md).
const VERSION: usize = 8;
const DIGEST: usize = 24;
const HEADER: usize = 4096;

fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap_or_default().to_owned()
}

fn count(addr: SocketAddr, name: &str) -> u64 {
    let told = get(addr, "/commands/monitor").json();
    told[name].as_u64().unwrap_or_else(|| panic!("no {name} in {told:#}"))
}

/// The state as the server tells it: a zxid and a digest.
fn hash(addr: SocketAddr) -> serde_json::Value {
    get(addr, "/commands/hash").json()["digests"].clone()
}

/// A snapshot with another byte at this place of its header, whose checksum holds.
fn with_header(snapshot: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut changed = snapshot.to_vec();
    changed[at] = byte;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&changed[..12]), &changed[16..HEADER]);
    changed[12..16].copy_from_slice(&crc.to_le_bytes());
    changed
}

fn server(more: &[(&str, &str)]) -> (Server, SocketAddr) {
    let (server, addr) = crate::snapshot::start(more);
    Client::connect(server.addr()).create("/a", b"", 0).unwrap();
    (server, addr)
}

#[test]
fn what_cannot_be_read_is_told_and_counted() {
    let (_server, addr) = server(&[("admin.rateLimiterIntervalInMS", "0")]);
    let bytes = snapshot(addr);
    let before = hash(addr);
    let newer = restore(addr, &with_header(&bytes, VERSION, 2));
    assert_eq!((newer.status, error(&newer).contains("format version 2")), (400, true), "{}", error(&newer));
    let digest = restore(addr, &with_header(&bytes, DIGEST, bytes[DIGEST] ^ 1));
    assert_eq!((digest.status, error(&digest).contains("digest")), (400, true), "{}", error(&digest));
    let mut flipped = bytes.clone();
    flipped[DIGEST] ^= 1;
    let flipped = restore(addr, &flipped);
    assert_eq!((flipped.status, error(&flipped).contains("checksum")), (400, true), "{}", error(&flipped));
    let end = bytes.len() - HEADER;
    let cut = restore(addr, &bytes[..end]);
    assert_eq!((cut.status, error(&cut).contains("damaged")), (400, true), "{}", error(&cut));
    let future = restore(addr, &with_a_node_of_the_future());
    assert_eq!((future.status, error(&future).contains("damaged")), (400, true), "{}", error(&future));

    assert_eq!(hash(addr), before);
    assert_eq!((count(addr, "restore_error_count"), count(addr, "cnt_restore_time")), (5, 0));
    assert_eq!(restore(addr, &bytes).status, 200);
    assert_eq!((count(addr, "restore_error_count"), count(addr, "cnt_restore_time")), (5, 1));
    assert_eq!((count(addr, "restore_rate_limited_count"), count(addr, "snapshot_error_count")), (0, 0));
    get(addr, "/commands/stat_reset");
    assert_eq!((count(addr, "restore_error_count"), count(addr, "cnt_restore_time")), (0, 0));
}

#[test]
fn a_stream_that_ends_early_and_one_that_comes_meanwhile() {
    let (server, addr) = server(&[("admin.rateLimiterIntervalInMS", "0"), ("client.cores", "1")]);
    let bytes = snapshot(addr);
    let before = hash(addr);
    let mut first = TcpStream::connect(addr).unwrap();
    let head = format!("POST /commands/restore HTTP/1.1\r\n{AUTHORIZATION}Content-Length: {}\r\n\r\n", bytes.len());
    first.write_all(&[head.as_bytes(), &bytes[..HEADER]].concat()).unwrap();
    let folder = server.data_dir().join("restore.tmp");
    let started = Instant::now();
    while !folder.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "the server receives nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = restore(addr, &bytes);
    assert_eq!((second.status, error(&second).contains("under way")), (409, true), "{}", error(&second));
    first.shutdown(Shutdown::Write).unwrap();
    let first = read_answer(first);
    assert_eq!((first.status, error(&first).contains("before the end")), (400, true), "{}", error(&first));
    assert!(!folder.exists(), "what came is removed");
    assert_eq!((hash(addr), count(addr, "restore_error_count")), (before, 1));
    assert_eq!(restore(addr, &bytes).status, 200, "the next one has its place");
}

#[test]
fn sooner_than_is_allowed() {
    let (_server, addr) = server(&[]);
    let bytes = snapshot(addr);
    let soon = crate::snapshot::ask_for(addr, AUTHORIZATION, "");
    assert_eq!((soon.status, error(&soon).contains("one snapshot in 300 s")), (429, true), "{}", error(&soon));
    assert_eq!(restore(addr, &bytes).status, 200, "the two are counted apart");
    let soon = restore(addr, &bytes);
    assert_eq!((soon.status, error(&soon).contains("one restore in 300 s")), (429, true), "{}", error(&soon));
    assert_eq!(restore(addr, &bytes).status, 429);
    let counts = ["snapshot_rate_limited_count", "restore_rate_limited_count"].map(|name| count(addr, name));
    assert_eq!((counts, count(addr, "restore_error_count")), ([1, 2], 0));
}

fn node<'a>(name: &'a str, data: &'a [u8]) -> NodeState<'a> {
    NodeState {
        name,
        data: Some(data),
        acl: 0,
        czxid: 1,
        mzxid: 1,
        pzxid: 1,
        ctime: 1,
        mtime: 1,
        version: 0,
        create_count: 0,
        aversion: 0,
        owner: 0,
    }
}

/// A snapshot of an old transaction, whose nodes have so many MiB of zeros.
fn large(mebibytes: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut builder = Builder::default();
    let root = builder.node(0, &node("", &[])).unwrap();
    for n in 0..mebibytes {
        builder.node(root, &node(&format!("n{n}"), &zeros)).unwrap();
    }
    written(builder)
}

/// A snapshot of the first transaction, with a node that says to be of the second.
fn with_a_node_of_the_future() -> Vec<u8> {
    let mut builder = Builder::default();
    let root = builder.node(0, &node("", &[])).unwrap();
    builder.node(root, &NodeState { mzxid: 2, ..node("a", &[]) }).unwrap();
    written(builder)
}

/// A snapshot of the first transaction.
fn written(builder: Builder) -> Vec<u8> {
    let mut tree = builder.finish(Zxid(1)).unwrap();
    let head = tree.snapshot_begin();
    let (zxid, digest, nodes, sessions) = (head.zxid, head.digest, head.node_count, head.session_count);
    let head = SnapshotHead { zxid, digest, nodes, sessions, wall: WallMs(1) };
    let dir = tempfile::tempdir().unwrap();
    let disk = FsDisk::open(dir.path()).unwrap();
    let mut writer = SnapshotWriter::create(disk, head, Origin::Local, 0, &SnapshotConfig::default()).unwrap();
    let mut state = Vec::new();
    while !tree.snapshot_slice(16, &mut state) {
        writer.write(&std::mem::take(&mut state)).unwrap();
    }
    writer.write(&state).unwrap();
    writer.complete().unwrap();
    writer.publish().unwrap();
    std::fs::read(dir.path().join(snapshot_name(zxid))).unwrap()
}

#[test]
fn what_is_too_large_for_the_memory() {
    let snapshot = large(40);
    // What serves clients has a copy of its own.
    for (cores, trees) in [("0", 2), ("1", 4)] {
        // Trees of 40 MiB are more than nine tenths of this, whatever the server uses itself.
        let limit = ((trees * 42) << 20).to_string();
        let settings =
            [("memory.limit.bytes", &*limit), ("client.cores", cores), ("admin.rateLimiterIntervalInMS", "0")];
        let (_server, addr) = server(&settings);
        let before = hash(addr);
        let refused = restore(addr, &snapshot);
        let said = error(&refused);
        assert_eq!((refused.status, said.contains("memory.limit.bytes")), (413, true), "{said}");
        let needed = said.split(' ').find_map(|word| word.parse::<u64>().ok());
        assert!(needed >= Some((trees * 40) << 20), "{said}");
        assert_eq!((hash(addr), count(addr, "restore_error_count")), (before, 1));
    }
}

#[test]
fn without_a_leader_nothing_is_restored_or_taken() {
    let mut ensemble = Ensemble::of(&Plan { admin: true, settings: &[SUPER], ..Plan::default() });
    let bytes = snapshot(ensemble.admin_addr(0));
    ensemble.kill(1);
    ensemble.kill(2);
    ensemble.wait_until_without_leader(0);
    let addr = ensemble.admin_addr(0);
    let refused = restore(addr, &bytes);
    assert_eq!((refused.status, error(&refused).contains("no leader")), (503, true), "{}", error(&refused));
    assert_eq!(crate::snapshot::ask_for(addr, AUTHORIZATION, "").status, 503);
    let transactions = format!("GET /commands/transactions?after=0 HTTP/1.1\r\n{AUTHORIZATION}\r\n");
    let refused = ask(addr, &transactions);
    assert_eq!((refused.status, error(&refused).contains("no leader")), (503, true), "{}", error(&refused));
}

#[test]
fn who_asks_is_missing_or_may_not() {
    let (_server, addr) = server(&[]);
    let nobody = send(addr, "POST /commands/restore HTTP/1.1\r\nContent-Length: 0\r\n\r\n", &[]);
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("digest")));
    let url = format!("http://{addr}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("any");
    std::fs::write(&file, b"").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, auth, expected) in [
        (["backup", "--server", &url, "--to", file], None, "give --auth digest:user:password"),
        (["restore", "--server", &url, "--from", file], None, "give --auth digest:user:password"),
        (["restore", "--server", &url, "--from", file], Some("digest:a:b"), "see --auth (403)"),
    ] {
        let mut command = std::process::Command::new(ringkeeper_binary());
        let command = command.args(arguments).env_remove("RINGKEEPER_AUTH");
        let output = command.args(auth.map(|auth| format!("--auth={auth}"))).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(expected)), (Some(1), true), "{arguments:?}: {said}");
        assert!(!said.contains("Authorization"), "{said}");
    }
    assert_eq!((count(addr, "restore_error_count"), count(addr, "snapshot_error_count")), (0, 0));
}
