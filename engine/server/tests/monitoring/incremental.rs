//! Backups over the network that grow: the same pieces, and the same states, as those that are taken from the directory.

use crate::http::ask;
use crate::restore::AUTHORIZATION;
use crate::support::client::Client;
use crate::support::server::{Server, Target, ringkeeper_binary};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
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
    let nobody = asked("0", "");
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("digest")));
    assert_eq!(asked("0", "Authorization: digest a:b\r\n").status, 403);
    let (_off, addr) = crate::snapshot::start(&[("admin.snapshot.enabled", "false")]);
    let refused = grow(addr, &at("off")).unwrap_err();
    assert!(refused.contains("switched off") && !at("off").exists(), "{refused}");
}

#[test]
fn a_gap_is_told_and_both_its_sides_can_be_restored() {
    let small_log = [("log.segment.bytes", "1048576"), ("snapCount", "20"), ("autopurge.snapRetainCount", "3")];
    let (mut server, addr) =
        crate::snapshot::start(&[&small_log[..], &[("admin.rateLimiterIntervalInMS", "0")]].concat());
    let tmp = tempfile::tempdir().unwrap();
    let (remote, local, data) = (tmp.path().join("remote"), tmp.path().join("local"), server.data_dir());
    let last = write(&server, "a", 5)[4];
    grow_to(addr, &remote, last);
    run(&["backup", text(&data), text(&local)]).unwrap();

    // Until the log does not reach back to them.
    let segments = || -> Vec<_> {
        let names = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("segment.")).collect()
    };
    let first = segments().into_iter().min().unwrap();
    let (mut client, started) = (Client::connect(server.addr()), Instant::now());
    while segments().contains(&first) {
        assert!(started.elapsed() < Duration::from_secs(120), "{:?}", segments());
        client.create("/b-", &[7; 100_000], 2).unwrap();
    }
    let url = format!("http://{addr}");
    let grow = ["backup", "--server", &url, "--into", text(&remote)];
    let take = ["backup", text(&data), text(&local)];
    for (arguments, snapshot, backup) in [(&grow[..], "snapshot_received", &remote), (&take, "snapshot_copied", &local)]
    {
        if snapshot == "snapshot_copied" {
            client.call(crate::support::wire::op::CLOSE_SESSION, crate::support::wire::Enc::new()).unwrap();
            assert!(server.stop().success());
        }
        let mut command = Command::new(ringkeeper_binary());
        let command = command.args(arguments).arg("--json").env("RINGKEEPER_AUTH", "digest:super:admin");
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains("the log no longer reached back to 0x"), "{said}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(told[snapshot].is_string(), "{told}");
        let listed = Command::new(ringkeeper_binary()).args(["restore", text(backup), "--list", "--json"]).output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        let ranges: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(ranges.len(), 2, "{listed}");
        assert!(zxid(&ranges[0]["through_zxid"]) < zxid(&ranges[1]["from_zxid"]), "{listed}");
    }
}

/// An admin server that sends less than it has announced.
#[test]
fn what_was_not_received_as_a_whole_does_not_have_its_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut asked, mut byte) = (Vec::new(), [0]);
        while !asked.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            asked.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nlast_zxid: 0x1\r\n\r\nbegin").unwrap();
    });
    let tmp = tempfile::tempdir().unwrap();
    let to = tmp.path().join("today.snap");
    let refused = run(&["backup", "--server", &url, "--to", text(&to)]).unwrap_err();
    assert!(refused.contains("after 5 of 100 bytes") && !to.exists(), "{refused}");
    server.join().unwrap();
}
