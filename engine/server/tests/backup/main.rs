//! Backups of a server under load, restored to exactly the transaction that is wanted. The server's own snapshots say what the
//! state was then; they are made by another way.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod log_dir;

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use support::client::{Client, create_body};
use support::ensemble::{Ensemble, Plan};
use support::rng::Rng;
use support::server::{Server, Target, ringkeeper_binary};
use support::wire::{op, open_acl};

fn run(arguments: &[&str]) -> (bool, Vec<Value>, String) {
    let output = Command::new(ringkeeper_binary()).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap_or(Value::Null)).collect();
    (output.status.success(), lines, String::from_utf8(output.stderr).unwrap())
}

/// The JSON objects that a command prints.
fn facts(arguments: &[&str]) -> Vec<Value> {
    let (done, lines, said) = run(&[arguments, &["--json"]].concat());
    assert!(done, "{arguments:?}: {said}");
    lines
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn number(zxid: &Value) -> u64 {
    u64::from_str_radix(zxid.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

/// Writes of all kinds until it is told to stop.
fn load(addr: std::net::SocketAddr, seed: u64, stop: &AtomicBool) {
    let (mut client, mut rng, mut n) = (Client::connect(addr), Rng::new(seed), 0);
    let top = format!("/load-{seed}");
    client.create(&top, b"", 0).unwrap();
    while !stop.load(Ordering::Relaxed) {
        let path = format!("{top}/{}", rng.below(n + 1));
        n += 1;
        // Refusals are a part of it.
        let _ = match rng.below(6) {
            0..3 => client.create(&format!("{top}/{n}"), &vec![b'x'; rng.below(100) as usize], 0).map(drop),
            3 => client.create(&format!("{top}/e-"), b"", 3).map(drop),
            4 => client.set(&path, &rng.next().to_le_bytes(), -1).map(drop),
            _ => client.delete(&path, -1),
        };
    }
    client.call(op::CLOSE_SESSION, support::wire::Enc::new()).unwrap();
}

/// A server under load, backed up `times` times meanwhile and once more after it has stopped.
fn backed_up_under_load(server: &mut Server, backup: &Path, times: usize) {
    let (stop, addr, data) = (AtomicBool::new(false), server.addr(), server.data_dir());
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let stop = &stop;
            scope.spawn(move || load(addr, seed, stop));
        }
        let mut reached = 0;
        let mut taken = 0;
        while taken < times {
            let facts = &facts(&["backup", text(&data), text(backup)])[0];
            let now = number(&facts["reaches_zxid"]);
            assert!(now >= reached, "{facts}");
            // Enough for snapshots of the server's in between.
            if now > reached + 300 || taken == 0 {
                (taken, reached) = (taken + 1, now);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(server.stop().success());
    facts(&["backup", text(&data), text(backup)]);
}

#[test]
fn a_backup_under_load_restores_to_exactly_the_transaction_that_is_wanted() {
    let tmp = tempfile::tempdir().unwrap();
    let backup = tmp.path().join("backup");
    let mut server =
        Server::start_with(Target::Ringkeeper, &[("snapCount", "400"), ("autopurge.snapRetainCount", "5")]);
    let data = server.data_dir();
    backed_up_under_load(&mut server, &backup, 5);

    let ranges = facts(&["restore", text(&backup), "--list"]);
    let (first, last) = (number(&ranges[0]["from_zxid"]), number(&ranges[0]["through_zxid"]));
    // Its snapshots, and last the directory as a whole.
    let mut known = facts(&["snapshot", "check", text(&data)]);
    known.retain(|state| (first..=last).contains(&number(&state["zxid"])));
    assert!(known.len() >= 3, "snapshots within {first:x} to {last:x}: {known:?}");
    assert_eq!(number(&known.last().unwrap()["zxid"]), last, "after its end everything is committed");
    for (at, state) in known.iter().enumerate() {
        let to = tmp.path().join(format!("restored-{at}"));
        let zxid = state["zxid"].as_str().unwrap();
        let restored = &facts(&["restore", text(&backup), text(&to), "--to-zxid", zxid])[0];
        assert_eq!((&restored["zxid"], &restored["digest"]), (&state["zxid"], &state["digest"]), "{restored}");
        let found = facts(&["snapshot", "check", text(&to)]);
        assert!(found.iter().all(|found| found["digest"] == state["digest"]), "{found:?}");
        let (_, _, difference) = run(&["snapshot", "diff", text(&to), text(&to)]);
        assert_eq!(difference, "");
    }

    // What is restored starts, goes on, and can be backed up as what it is: another ensemble.
    let mut again = Server::prepare(Target::Ringkeeper, &[]);
    facts(&["restore", text(&backup), text(&again.data_dir())]);
    again.restart();
    let mut client = Client::connect(again.addr());
    client.create("/after-the-restore", b"", 0).unwrap();
    assert!(again.stop().success());
    let (done, _, said) = run(&["backup", text(&again.data_dir()), text(&backup)]);
    assert!(!done && said.contains("a backup of another ensemble"), "{said}");
}

#[test]
fn a_moment_can_be_restored() {
    let tmp = tempfile::tempdir().unwrap();
    let backup = tmp.path().join("backup");
    let mut server = Server::start(Target::Ringkeeper);
    let mut client = Client::connect(server.addr());
    for n in 0..50 {
        client.create(&format!("/n{n}"), b"", 0).unwrap();
    }
    client.close();
    assert!(server.stop().success());
    let data = server.data_dir();
    facts(&["backup", text(&data), text(&backup)]);
    let log = facts(&["log", "dump", text(&data)]);
    let checked = &facts(&["log", "check", text(&data)])[0];
    assert_eq!(checked["transactions"].as_u64(), Some(log.len() as u64));
    let at = log[log.len() / 2]["time"].as_str().unwrap();
    let expected = log.iter().take_while(|txn| txn["time"].as_str().unwrap() <= at).last().unwrap();
    let to = tmp.path().join("restored");
    let restored = &facts(&["restore", text(&backup), text(&to), "--to-time", at])[0];
    assert_eq!((&restored["zxid"], restored["last_transaction_at"].as_str()), (&expected["zxid"], Some(at)));

    let (done, _, said) = run(&["restore", text(&backup), text(&to)]);
    assert!(!done && said.contains("is not empty"), "{said}");
    let nowhere = tmp.path().join("nowhere");
    let (done, _, said) = run(&["restore", text(&backup), text(&nowhere), "--to-zxid", "0x7000000000"]);
    assert!(!done && said.contains("does not have that state") && !nowhere.exists(), "{said}");
    let (done, _, said) = run(&["restore", text(&data), text(&nowhere)]);
    assert!(!done && said.contains("holds no backup"), "{said}");
}

#[test]
fn a_backup_whose_end_is_lost_says_so_and_is_completed_by_the_next_run() {
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    let mut server = Server::start(Target::Ringkeeper);
    let data = server.data_dir();
    let ends = ["/a", "/b"].map(|path| {
        Client::connect(server.addr()).create(path, b"", 0).unwrap();
        // Stopped, so that all is known to be committed.
        assert!(server.stop().success());
        let end = facts(&["backup", text(&data), text(&at("backup"))])[0]["reaches_zxid"].clone();
        server.restart();
        end
    });
    let ends = ends.each_ref().map(|end| end.as_str().unwrap());
    let pieces = std::fs::read_dir(at("backup")).unwrap().map(|entry| entry.unwrap().path());
    let newest = pieces.filter(|path| text(path).contains("frames.")).max().unwrap();
    std::fs::remove_file(newest).unwrap();

    let (done, _, said) = run(&["restore", text(&at("backup")), text(&at("newest"))]);
    assert!(
        !done && said.contains(&format!("has been taken through {}, and what follows {}", ends[1], ends[0])),
        "{said}"
    );
    assert!(!at("newest").exists() && said.contains(&format!("--to-zxid {} restores what is left", ends[0])), "{said}");
    let list = &facts(&["restore", text(&at("backup")), "--list"])[0];
    assert_eq!((&list["through_zxid"], &list["missing_through_zxid"]), (&ends[0].into(), &ends[1].into()), "{list}");
    facts(&["restore", text(&at("backup")), text(&at("left")), "--to-zxid", ends[0]]);

    facts(&["backup", text(&data), text(&at("backup"))]);
    let restored = &facts(&["restore", text(&at("backup")), text(&at("newest"))])[0];
    assert!(number(&restored["zxid"]) >= number(&ends[1].into()), "{restored}");
    let list = &facts(&["restore", text(&at("backup")), "--list"])[0];
    assert!(list["missing_through_zxid"].is_null(), "{list}");
}

#[test]
fn what_is_not_known_to_be_committed_is_left_out() {
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    let mut ensemble = Ensemble::of(&Plan::default());
    let leader = ensemble.leader();
    let mut client = Client::connect(ensemble.addr(leader));
    client.create("/committed", b"", 0).unwrap();
    (0..3).filter(|at| *at != leader).for_each(|at| ensemble.pause(at));
    client.send(op::CREATE, &create_body("/pending", b"", &open_acl(), 0).0);
    let data = ensemble.data_dir(leader);
    let logged = |path: &str| {
        let output = Command::new(ringkeeper_binary()).args(["log", "dump", text(&data)]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(path)
    };
    ensemble.wait_until("it is in the leader's log", |_| logged("/pending"));
    facts(&["backup", text(&data), text(&at("backup"))]);
    (0..3).for_each(|at| ensemble.kill(at));
    facts(&["restore", text(&at("backup")), text(&at("restored"))]);
    let (done, _, said) = run(&["export", text(&data), text(&at("exported"))]);
    assert!(done && said.contains("were left out"), "{said}");
    for state in ["restored", "exported"] {
        let output = Command::new(ringkeeper_binary()).args(["snapshot", "dump", text(&at(state))]).output().unwrap();
        let nodes = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(nodes.contains("/committed") && !nodes.contains("/pending"), "{state}: {nodes}");
    }
}
