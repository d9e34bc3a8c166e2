//! Backups over the network that grow: the same pieces, and the same states, as those that are taken from the directory.

use crate::http::ask;
use crate::restore::AUTHORIZATION;
use crate::support::client::Client;
use crate::support::server::{Server, Target, ringkeeper_binary};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs a command of ours; what it prints.
fn run(arguments: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(ringkeeper_binary());
    command.args(arguments).arg("--json").env("RINGKEEPER_AUTH", "digest:super:admin");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output.stdout)))),
        false => Err(text(&output.stderr)),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn grow(addr: SocketAddr, into: &Path) -> Result<Value, String> {
    run(&["backup", "--server", &format!("http://{addr}"), "--into", text(into)])
}

fn zxid(told: &Value) -> i64 {
    i64::from_str_radix(told.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

/// Until the backup has this transaction: what has just been written is known to be committed a moment later.
fn grow_to(addr: SocketAddr, into: &Path, last: i64) -> Vec<Value> {
    let (mut told, started) = (Vec::new(), Instant::now());
    loop {
        told.push(grow(addr, into).unwrap());
        if zxid(&told[told.len() - 1]["reaches_zxid"]) >= last {
            return told;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{told:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn write(server: &Server, name: &str, times: usize) -> Vec<i64> {
    let mut client = Client::connect(server.addr());
    let zxids = (0..times).map(|n| {
        let path = client.create(&format!("/{name}{n}"), b"data", 0).unwrap();
        client.exists(&path, false).unwrap().czxid
    });
    let zxids = zxids.collect();
    client.close();
    zxids
}

#[test]
fn each_time_what_is_new_and_every_state_in_between() {
    let (mut server, addr) = crate::snapshot::start(&[]);
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    let backup = at("backup");
    let mut wanted = write(&server, "a", 10);
    let mut told = grow_to(addr, &backup, wanted[9]);
    wanted.extend(write(&server, "b", 10));
    told.extend(grow_to(addr, &backup, wanted[19]));
    assert!(told.iter().all(|told| told["snapshot_received"].is_null()), "{told:?}");
    // Each transaction once: the first epoch begins with number 1.
    let reached = zxid(&told.last().unwrap()["reaches_zxid"]) as u32;
    let new = told.iter().map(|told| told["new_transactions"].as_u64().unwrap());
    assert_eq!(new.sum::<u64>(), u64::from(reached), "{told:?}");
    assert!(!server.data_dir().join("transactions.tmp").exists());

    assert!(server.stop().success());
    let local = at("local");
    run(&["backup", text(&server.data_dir()), text(&local)]).unwrap();
    for (n, zxid) in [wanted[3], wanted[9], wanted[15]].into_iter().enumerate() {
        let restored = [&backup, &local].map(|from| {
            let to = at(&format!("{n}-{}", from.file_name().unwrap().to_string_lossy()));
            run(&["restore", text(from), text(&to), "--to-zxid", &format!("{zxid:#x}")]).unwrap()
        });
        let [one, other] = restored.map(|state| (state["zxid"].clone(), state["digest"].clone()));
        assert_eq!((&one, &one.0), (&other, &Value::from(format!("{zxid:#x}"))));
    }
}

#[test]
fn where_the_log_does_not_reach_back_a_snapshot_comes_first() {
    let (mut server, _) = crate::snapshot::start(&[]);
    write(&server, "a", 5);
    assert!(server.stop().success());
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    run(&["backup", text(&server.data_dir()), text(&at("old"))]).unwrap();

    // What is restored has a snapshot, and a log only from there on.
    let port = crate::support::ports::free_port();
    let settings = crate::snapshot::settings(port);
    let mut restored = Server::prepare(Target::Ringkeeper, &settings.each_ref().map(|(key, value)| (*key, &**value)));
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    run(&["restore", text(&at("old")), text(&restored.data_dir())]).unwrap();
    restored.restart();
    let last = write(&restored, "b", 5)[4];
    let asked = |after: &str, authorization: &str| {
        ask(addr, &format!("GET /commands/transactions?after={after} HTTP/1.1\r\n{authorization}\r\n"))
    };
    let gone = asked("0", AUTHORIZATION);
    assert_eq!((gone.status, gone.header("ensemble").map(str::len)), (410, Some(16)), "{}", gone.text());
    let told = grow_to(addr, &at("new"), last);
    assert!(told[0]["snapshot_received"].is_string(), "{told:?}");
    let last = write(&restored, "c", 5)[4];
    let more = grow_to(addr, &at("new"), last);
    assert!(told[1..].iter().chain(&more).all(|told| told["snapshot_received"].is_null()), "{told:?} {more:?}");

    let refused = grow(addr, &at("old")).unwrap_err();
    assert!(refused.contains("backup of another ensemble"), "{refused}");
    assert_eq!([asked("", AUTHORIZATION), asked("x", AUTHORIZATION)].map(|answer| answer.status), [400, 400]);
    assert_eq!(asked("0x7000000000", AUTHORIZATION).status, 500, "none of its transactions");
    assert_eq!(asked("0", "").status, 401);
    assert_eq!(asked("0", "Authorization: digest a:b\r\n").status, 403);
    let (_off, addr) = crate::snapshot::start(&[("admin.snapshot.enabled", "false")]);
    let refused = grow(addr, &at("off")).unwrap_err();
    assert!(refused.contains("switched off") && !at("off").exists(), "{refused}");
}
