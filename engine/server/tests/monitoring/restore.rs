//! The state of an ensemble is replaced by that of a snapshot: on all servers, for all clients, and for good.

use crate::http::{Answer, ask, get, read_answer, send};
use crate::support::client::{Client, Fault};
use crate::support::ensemble::{Ensemble, Plan};
use crate::support::wire::ConnectRequest;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Of super:admin.
pub const SUPER: (&str, &str) = ("DigestAuthenticationProvider.superDigest", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
pub const AUTHORIZATION: &str = "Authorization: digest super:admin\r\n";
const NO_NODE: Fault = Fault::Code(-101);
const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;
const CHILDREN: i32 = 4;

fn start(more: &[(&str, &str)]) -> Ensemble {
    let settings = [&[SUPER, ("admin.rateLimiterIntervalInMS", "0")], more].concat();
    Ensemble::of(&Plan { admin: true, settings: &settings, ..Plan::default() })
}

pub fn snapshot(addr: SocketAddr) -> Vec<u8> {
    let answer = ask(addr, &format!("GET /commands/snapshot HTTP/1.1\r\n{AUTHORIZATION}\r\n"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body
}

pub fn restore(addr: SocketAddr, snapshot: &[u8]) -> Answer {
    let length = snapshot.len();
    let head = format!("POST /commands/restore HTTP/1.1\r\n{AUTHORIZATION}Content-Length: {length}\r\n\r\n");
    send(addr, &head, snapshot)
}

/// What each server says of its state: a zxid and a digest.
fn hashes(ensemble: &Ensemble) -> Vec<serde_json::Value> {
    (0..3).map(|at| get(ensemble.admin_addr(at), "/commands/hash").json()["digests"].clone()).collect()
}

fn wait_until_equal(ensemble: &Ensemble) -> serde_json::Value {
    ensemble.wait_until("equal states", |ensemble| {
        let all = hashes(ensemble);
        all[0].is_array() && all.windows(2).all(|two| two[0] == two[1])
    });
    hashes(ensemble).remove(0)
}

#[test]
fn the_whole_ensemble_is_as_the_snapshot_and_clients_know() {
    let mut ensemble = start(&[]);
    let (leader, other) = (ensemble.leader(), (ensemble.leader() + 1) % 3);
    let mut both = Client::connect(ensemble.addr(leader));
    let gone = Client::connect(ensemble.addr(other));
    let (session, passwd) = (gone.session, gone.passwd.clone());
    for path in ["/kept", "/deleted", "/parent", "/parent/child"] {
        both.create(path, b"old", 0).unwrap();
    }
    both.create("/mine", b"", 1).unwrap();
    let mut gone = gone;
    gone.create("/of-the-gone", b"", 1).unwrap();
    let bytes = snapshot(ensemble.admin_addr(other));

    gone.close();
    both.set("/kept", b"new", -1).unwrap();
    both.delete("/deleted", -1).unwrap();
    let mut young = Client::connect(ensemble.addr(other));
    young.create("/young", b"", 1).unwrap();
    both.get("/kept", true).unwrap();
    assert_eq!(both.exists("/deleted", true), Err(NO_NODE));
    assert_eq!(both.exists("/of-the-gone", true), Err(NO_NODE));
    both.sync("/").unwrap();
    both.get("/young", true).unwrap();
    both.children("/", true).unwrap();
    both.children("/parent", true).unwrap();
    both.get("/mine", true).unwrap();

    // To a server that does not lead.
    let answer = restore(ensemble.admin_addr(other), &bytes);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!((&told["command"], told["error"].is_null()), (&"restore".into(), true));
    assert_eq!((told["sessions"].as_u64(), told["sessions_back"].as_u64()), (Some(2), Some(1)), "{told}");
    assert_eq!(told["sessions_ended"].as_u64(), Some(2), "the youngest, and that of the restore: {told}");
    assert_eq!(told["ephemeral_nodes"].as_u64(), Some(2), "{told}");
    let sent = crate::snapshot::state_of(&bytes, &format!("{:x}", told["snapshot_zxid"].as_u64().unwrap()));
    assert_eq!(told["nodes_digest"], format!("{:016x}", sent.nodes_digest()));
    let equal = wait_until_equal(&ensemble);
    let last = equal.as_array().unwrap().last().unwrap();
    let digest = last["digest"].as_u64().map(|digest| format!("{digest:016x}"));
    assert_eq!((last["zxid"].as_i64(), digest.as_deref()), (told["last_zxid"].as_i64(), told["digest"].as_str()));
    assert_eq!(last["digest_version"], 2);

    let mut events: Vec<(i32, String)> =
        both.events_until_now().into_iter().map(|event| (event.kind, event.path)).collect();
    events.sort();
    let expected =
        [(CREATED, "/deleted"), (CREATED, "/of-the-gone"), (DELETED, "/young"), (CHANGED, "/kept"), (CHILDREN, "/")];
    assert_eq!(events, expected.map(|(kind, path)| (kind, path.to_owned())));
    assert_eq!(both.get("/kept", false).unwrap().0.as_deref(), Some(&b"old"[..]));
    assert_eq!(both.children("/zookeeper", false).unwrap(), ["config", "quota"], "nothing is left of the restore");
    assert_eq!(both.exists("/young", false), Err(NO_NODE));

    // The session that is younger than the snapshot has ended; that which was closed after it is back.
    assert_eq!(young.ping().err(), Some(Fault::Closed));
    assert!(Client::reattach(ensemble.addr(leader), young.session, &young.passwd).is_none());
    let mut back = Client::reattach(ensemble.addr(leader), session, &passwd).expect("the session is back");
    assert!(back.exists("/of-the-gone", false).is_ok());
    back.create("/again", b"", 1).unwrap();

    // It is in every log.
    for at in 0..3 {
        ensemble.kill(at);
    }
    for at in 0..3 {
        ensemble.launch(at);
    }
    (0..3).for_each(|at| ensemble.wait_until_serving(at));
    wait_until_equal(&ensemble);
    let mut after = Client::connect(ensemble.addr(other));
    after.sync("/").unwrap();
    assert!(after.exists("/again", false).is_ok() && after.exists("/mine", false).is_ok());
    assert_eq!(after.get("/kept", false).unwrap().0.as_deref(), Some(&b"old"[..]));
}

#[test]
fn with_client_executors_a_large_tree_takes_the_place_of_another_while_others_write() {
    // The snapshot is put into the tree by requests, which have to be as short as anybody's.
    let ensemble = start(&[("client.cores", "1"), ("jute.maxbuffer", "100000")]);
    let leader = ensemble.leader();
    let mut client = Client::connect(ensemble.addr(leader));
    let data = vec![b'x'; 40_000];
    (0..60).for_each(|n| drop(client.create(&format!("/n{n:02}"), &data, 0).unwrap()));
    let bytes = snapshot(ensemble.admin_addr(leader));
    (0..60).for_each(|n| client.delete(&format!("/n{n:02}"), -1).unwrap());
    let addr = ensemble.addr((leader + 1) % 3);
    static OVER: AtomicBool = AtomicBool::new(false);
    static ACKNOWLEDGED: AtomicU64 = AtomicU64::new(0);
    let writer = std::thread::spawn(move || {
        // Its session is younger than the snapshot: it ends with the replacement, and another one goes on.
        while !OVER.load(Ordering::Relaxed) {
            let Some(mut client) = Client::connect_with(addr, &ConnectRequest::default()) else { continue };
            while !OVER.load(Ordering::Relaxed) && client.create("/w-", b"", 2).is_ok() {
                ACKNOWLEDGED.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    ensemble.wait_until("a first write", |_| ACKNOWLEDGED.load(Ordering::Relaxed) > 0);
    let answer = restore(ensemble.admin_addr((leader + 2) % 3), &bytes);
    assert_eq!(answer.status, 200, "{}", answer.text());
    OVER.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    wait_until_equal(&ensemble);
    client.sync("/").unwrap();
    let names = client.children("/", false).unwrap();
    assert_eq!(names.iter().filter(|name| name.starts_with('n')).count(), 60);
    assert_eq!(client.get("/n59", false).unwrap().0.as_deref(), Some(&data[..]));
}

/// As curl does with more than a MiB.
#[test]
fn who_wants_to_be_told_before_the_snapshot_is_sent_is_told() {
    let (_server, addr) = crate::snapshot::start(&[]);
    let bytes = snapshot(addr);
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = bytes.len();
    let expects = format!("{AUTHORIZATION}Content-Length: {length}\r\nExpect: 100-continue\r\n");
    write!(stream, "POST /commands/restore HTTP/1.1\r\n{expects}\r\n").unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&bytes).unwrap();
    let answer = read_answer(stream);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn what_is_no_older_snapshot_changes_nothing() {
    let ensemble = start(&[]);
    let addr = ensemble.admin_addr(0);
    let mut client = Client::connect(ensemble.addr(0));
    client.create("/a", b"", 0).unwrap();
    let bytes = snapshot(addr);
    let before = wait_until_equal(&ensemble);
    let error = |answer: &Answer| answer.json()["error"].as_str().unwrap_or_default().to_owned();

    let refused = restore(addr, b"nonsense");
    assert_eq!((refused.status, error(&refused).contains("no snapshot of Ringkeeper's")), (400, true));
    let refused = restore(addr, &[b"ZKSN\0\0\0\x02", &bytes[8..]].concat());
    assert_eq!((refused.status, error(&refused).contains("ringkeeper import")), (400, true));
    let mut damaged = bytes.clone();
    damaged[4200] ^= 1;
    let refused = restore(addr, &damaged);
    assert_eq!((refused.status, error(&refused).contains("4096")), (400, true), "{}", error(&refused));
    assert_eq!(restore(addr, &bytes[..bytes.len() - 4096]).status, 400);

    let lines = |more: &str| format!("POST /commands/restore HTTP/1.1\r\n{more}\r\n");
    assert_eq!(ask(addr, &lines("Content-Length: 0\r\n")).status, 401);
    assert_eq!(ask(addr, &lines("Authorization: digest a:b\r\nContent-Length: 0\r\n")).status, 403);
    assert_eq!(ask(addr, &lines(AUTHORIZATION)).status, 411);
    assert_eq!(ask(addr, &format!("GET /commands/restore HTTP/1.1\r\n{AUTHORIZATION}\r\n")).status, 405);
    assert_eq!(wait_until_equal(&ensemble), before);

    // Nobody else may ask for it: to a client there is no such opcode.
    assert_eq!(client.call(-13, crate::support::wire::Enc::new().str("/a")), Err(Fault::Code(-6)));

    let (_young, addr) = crate::snapshot::start(&[]);
    let refused = restore(addr, &bytes);
    assert_eq!((refused.status, error(&refused).contains("found a new ensemble")), (409, true), "{}", error(&refused));
    assert_eq!(restore(addr, &bytes).status, 429);
    let (_off, addr) = crate::snapshot::start(&[("admin.restore.enabled", "false")]);
    assert_eq!(restore(addr, &bytes).status, 503);
}

/// Runs a command of ours; what it prints.
fn run(arguments: &[&str]) -> Result<serde_json::Value, String> {
    let output = std::process::Command::new(crate::support::server::ringkeeper_binary())
        .args(arguments)
        .args(["--auth", "digest:super:admin", "--json"])
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output.stdout)))),
        false => Err(text(&output.stderr)),
    }
}

/// The transactions of a server's log.
fn logged(data_dir: &str) -> Vec<serde_json::Value> {
    let output = std::process::Command::new(crate::support::server::ringkeeper_binary())
        .args(["log", "dump", data_dir, "--json"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn from_the_command_line() {
    let (server, addr) = crate::snapshot::start(&[("admin.rateLimiterIntervalInMS", "0")]);
    let mut client = Client::connect(server.addr());
    client.create("/a", b"1", 0).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (url, place) = (format!("http://{addr}"), dir.path().to_str().unwrap());
    let taken = run(&["backup", "--server", &url, "--to", place]).unwrap();
    let file = taken["backup"].as_str().unwrap();
    assert!(file.contains("/snap."), "{taken}");

    client.set("/a", b"2", -1).unwrap();
    let restored = run(&["restore", "--server", &url, "--from", file]).unwrap();
    assert_eq!((&restored["snapshot_zxid"], restored["nodes"].as_u64()), (&taken["zxid"], Some(5)), "{restored}");
    client.sync("/").unwrap();
    assert_eq!(client.get("/a", false).unwrap().0.as_deref(), Some(&b"1"[..]));

    // The second time the state is as it was again, by the transactions of a backup.
    client.set("/a", b"3", -1).unwrap();
    let marked = format!("{:#x}", client.set("/a", b"4", -1).unwrap().mzxid);
    let (data_dir, backup) = (server.data_dir(), dir.path().join("backup"));
    let log = logged(data_dir.to_str().unwrap());
    let at = log.iter().find(|txn| txn["zxid"] == *marked).unwrap()["time"].as_str().unwrap();
    // That the last one is committed may be in the log only later: there is one more.
    for data in [b"5", b"6"] {
        client.set("/a", data, -1).unwrap();
    }
    client.sync("/").unwrap();
    let backup = backup.to_str().unwrap();
    let told = std::process::Command::new(crate::support::server::ringkeeper_binary())
        .args(["backup", data_dir.to_str().unwrap(), backup])
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    run(&["restore", "--server", &url, "--from", backup, "--to-zxid", &marked]).unwrap();
    client.sync("/").unwrap();
    assert_eq!(client.get("/a", false).unwrap().0.as_deref(), Some(&b"4"[..]));

    // The third time by the clock, whatever else was at that moment.
    let log = logged(data_dir.to_str().unwrap());
    let expected = log.iter().take_while(|txn| txn["time"].as_str().unwrap() <= at).last().unwrap();
    let restored = run(&["restore", "--server", &url, "--from", backup, "--to-time", at]).unwrap();
    assert_eq!(restored["snapshot_zxid"], expected["zxid"], "{restored}");

    for (arguments, error) in [
        (&["backup", "--server", &url, "--to", backup][..], "give --into"),
        (&["backup", "--server", "https://x", "--to", "f"], "--tls-ca FILE"),
        (&["restore", "--server", &url, "--from", file, "--to-zxid", "1"], "is one state"),
        (&["restore", "--server", &url, "--from", "/nowhere"], "/nowhere"),
        (&["restore", "--server", &url], "give --from"),
    ] {
        let told = run(arguments).unwrap_err();
        assert!(told.contains(error), "{arguments:?}: {told}");
    }
}
