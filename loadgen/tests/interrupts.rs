//! Ctrl-C ends a command early: with its figures, its status, and nothing left behind.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use std::fs;
use std::process::Child;
use std::sync::atomic::Ordering;
use support::ensemble::Ensemble;
use support::null_server::{Conduct, NullServer};
use support::{Ran, await_that, finish, number, signal, start};

/// Interrupts it; what it says of that.
fn interrupt(running: (Child, tempfile::NamedTempFile)) -> Ran {
    signal(&running.0, libc::SIGINT);
    let ran = finish(running).expect(130);
    assert_eq!(ran.result()["status"], "interrupted", "{ran:#?}");
    assert!(ran.stdout.contains("Interrupted: th") && ran.stderr.contains("loadgen: interrupted"), "{ran:#?}");
    ran
}

#[test]
fn a_fill() {
    let server = NullServer::start(Conduct::default());
    let running = start(&format!("fill -s {} --count 1000m --keys-per-parent 1m", server.address));
    // Beyond the parents, which are made before.
    await_that("nodes", || server.counts.creates.load(Ordering::Relaxed) > 50_000);
    assert!(number(interrupt(running).result(), "fill/created") > 10_000.0);
}

#[test]
fn sessions_that_are_held() {
    let server = NullServer::start(Conduct::default());
    let running = start(&format!("sessions -s {} -n 20 -t 1h --session-timeout 3s", server.address));
    // A session that pings is open, and loadgen knows of it.
    await_that("pings", || server.counts.pings.load(Ordering::Relaxed) >= 20);
    let ran = interrupt(running);
    assert_eq!(number(ran.result(), "opened"), 20.0, "{ran:#?}");
    await_that("the close of all sessions", || server.counts.closes.load(Ordering::Relaxed) == 20);
}

#[test]
fn a_probe() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let running = start(&format!("probe --dir {} -n 10m", dir.path().display()));
    await_that("its file", || fs::read_dir(dir.path()).unwrap().count() > 0);
    interrupt(running);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn watchers_and_clients_of_verify() {
    let Some(ensemble) = Ensemble::start() else { return };
    let nodes = || figure(&ensemble, "zk_znode_count");
    let before = nodes();
    let running = start(&format!("watch -s {} -n 30 --rounds 1000m --prefix /a/b", ensemble.addresses()));
    let watches = || (0..3).map(|at| figure_of(&ensemble, at, "zk_watch_count")).sum::<u64>();
    await_that("watches", || watches() >= 20);
    let ran = interrupt(running);
    assert!(number(ran.result(), "events") >= 0.0, "{ran:#?}");
    // The prefix and the node are removed; the prefix's parent may be another's. A follower may hear of it later.
    await_that("the removal of watch's nodes", || nodes() == before + 1);

    let history = ensemble.dir().join("seen.jsonl");
    let running = start(&format!("verify -s {} -t 1h --history {}", ensemble.addresses(), history.display()));
    await_that("a history", || fs::metadata(&history).is_ok_and(|file| file.len() > 50_000));
    let ran = interrupt(running);
    assert!(number(ran.result(), "done") > 50.0, "{ran:#?}");
    await_that("the removal of verify's nodes", || nodes() == before + 1);
}

fn figure(ensemble: &Ensemble, name: &str) -> u64 {
    figure_of(ensemble, 0, name)
}

fn figure_of(ensemble: &Ensemble, at: usize, name: &str) -> u64 {
    let mut mntr = String::new();
    await_that("mntr answers", || {
        mntr = ensemble.word(at, "mntr");
        mntr.contains("zk_znode_count")
    });
    let line = mntr.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {mntr}"));
    line.trim().parse().unwrap()
}

#[test]
fn an_ensemble_that_dies_in_the_middle() {
    let Some(ensemble) = Ensemble::start() else { return };
    let servers = ensemble.addresses();
    // It is alone: more than a few nodes are its writes, which it begins when all its clients are there.
    let failing = start(&format!("failover -s {servers} --lead 30m"));
    await_that("writes", || figure(&ensemble, "zk_znode_count") > 100);
    let sessions = || figure(&ensemble, "zk_global_sessions");
    let before = sessions();
    let holding = start(&format!("sessions -s {servers} -n 30 -t 1h"));
    let watching = start(&format!("watch -s {servers} -n 30 --rounds 1000m"));
    let history = ensemble.dir().join("seen.jsonl");
    let verifying = start(&format!("verify -s {servers} -t 1h --patience 3s --history {}", history.display()));
    await_that("a history", || fs::metadata(&history).is_ok_and(|file| file.len() > 50_000));
    await_that("all sessions", || sessions() >= before + 30 + 31 + 12);
    let watches = || (0..3).map(|at| figure_of(&ensemble, at, "zk_watch_count")).sum::<u64>();
    await_that("all watches", || watches() >= 30);
    ensemble.kill();
    // Clients of verify go on looking for a server until they are told that it is enough.
    signal(&verifying.0, libc::SIGINT);
    for (running, says) in [
        (watching, "lost the connection"),
        (verifying, "cannot read back"),
        (holding, "no session is connected any more"),
    ] {
        let ran = finish(running).expect(1);
        assert_eq!(ran.result()["status"], "failed", "{ran:#?}");
        assert!(ran.stdout.contains("FAILED: ") && ran.stdout.contains(says), "{}", ran.stdout);
    }
    // It is still before its first fault.
    signal(&failing.0, libc::SIGINT);
    let ran = finish(failing).expect(1);
    assert!(ran.stdout.contains("FAILED: cannot read back: cannot connect to"), "{}", ran.stdout);
}
