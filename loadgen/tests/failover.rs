//! `loadgen failover` with three real servers.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use ringkeeper_core::jute::{ConnectRequest, OpCode, Request, Response};
use ringkeeper_core::jute::{append_connect_request, append_request};
use std::borrow::Cow;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::ensemble::Ensemble;
use support::{NOBODY, await_that, finish, loadgen, number, signal, start};

/// Short rounds.
const SHORT: &str = "--lead 200ms --downtime 200ms --settle 200ms --clients 1 --session-timeout 9s";

#[test]
fn a_killed_leader_is_started_again_and_every_acknowledged_write_is_everywhere() {
    let Some(ensemble) = Ensemble::start() else { return };
    let before = pids(&ensemble);
    let hdr = ensemble.dir().join("latencies.hlog");
    let ran =
        loadgen(&format!("failover -s {} -n 2 {SHORT} --hdr-log {}", ensemble.addresses(), hdr.display())).expect(0);
    let result = ran.result();
    let rounds = result["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 2, "{ran:#?}");
    for round in rounds {
        assert_eq!(round["led"], true);
        assert_eq!(round["write_gap_open"], false, "writes went on: {round:#}");
        assert!(number(round, "write_gap_ms") > 0.0 && number(round, "back_ms") > 0.0, "{round:#}");
        assert_eq!(round["survivor_gap_ms"].as_array().unwrap().len(), 2);
        let phases = round["phases_ms"].as_object().unwrap_or_else(|| panic!("the new leader tells: {round:#}"));
        assert_eq!(phases.len(), 8);
        assert!(phases.values().all(serde_json::Value::is_f64), "{phases:?}");
        for (name, part) in phases.iter().filter(|(name, _)| *name != "unexplained") {
            assert!(part.as_f64().unwrap() >= 0.0, "{name}: {phases:?}");
        }
        let (sum, whole): (f64, _) =
            (phases.values().filter_map(serde_json::Value::as_f64).sum(), number(round, "phases_ms/whole"));
        assert!((sum - 2.0 * whole).abs() < 1e-5, "the parts make the whole: {round:#}");
        assert!(whole <= number(round, "write_gap_ms"), "{round:#}");
        // The kernel closes the connections of a process that is killed.
        assert!(number(round, "displaced/connections_lost") >= 1.0, "{round:#}");
    }
    assert_eq!(number(result, "phases_ms/synchronise/count"), 2.0);
    assert!(ran.stdout.contains("noticed to elected"), "{}", ran.stdout);
    assert!(number(result, "verification/acknowledged") > 0.0, "{result:#}");
    assert_eq!((number(result, "verification/servers"), number(result, "verification/lost")), (3.0, 0.0));
    assert!(number(result, "latency_us/survivor_writes/max") >= number(result, "latency_us/survivor_writes/p50"));
    assert!(ran.stdout.contains("none is missing"), "{}", ran.stdout);
    let after = pids(&ensemble);
    assert_eq!(after.len(), 3, "all run again: {after:?}");
    assert_ne!(before, after, "and not all of them are those that ran before");
    let log = fs::read_to_string(hdr).unwrap();
    assert!(log.contains("Tag=steady_writes,") && log.contains("Tag=displaced_reads,"), "{log}");
}

#[test]
fn a_paused_leader_goes_on_and_a_threshold_that_is_passed_has_an_exit_status() {
    let Some(ensemble) = Ensemble::start() else { return };
    let before = pids(&ensemble);
    let servers = ensemble.addresses();
    let ran = loadgen(&format!("failover -s {servers} -n 1 --fault pause {SHORT} --fail-if write-gap.max>0ms"));
    assert!(ran.stderr.contains("past the threshold write-gap.max>0ms: write-gap.max is "), "{ran:#?}");
    let ran = ran.expect(4);
    assert_eq!(number(ran.result(), "verification/lost"), 0.0, "{ran:#?}");
    assert!(ensemble.processes().iter().all(|(_, state)| *state != 'T'), "nobody stands still");
    assert_eq!(pids(&ensemble), before, "nobody was started again");
}

#[test]
fn a_server_that_is_stopped_in_order_is_started_by_a_command() {
    let Some(ensemble) = Ensemble::start() else { return };
    // The command stays with the server: it is not waited for.
    let program = Path::new(env!("CARGO_BIN_EXE_loadgen")).with_file_name("ringkeeper");
    let at = "$(($1 - 1))";
    let start =
        script(&ensemble, "start", &format!("exec {} serve {}/{at}.cfg", program.display(), ensemble.dir().display()));
    let line =
        format!("failover -s {} -n 1 --fault stop --target follower {SHORT} --start-command", ensemble.addresses());
    let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    arguments.push(format!("{} {{id}}", start.display()));
    let ran = support::finish(support::start_with(&arguments)).expect(0);
    assert_eq!(ran.result()["rounds"][0]["led"], false, "{ran:#?}");
    assert_eq!(ensemble.processes().len(), 3);
    assert_eq!(number(ran.result(), "verification/lost"), 0.0);
}

#[test]
fn an_acknowledged_write_that_is_lost_fails_the_run() {
    let Some(ensemble) = Ensemble::start() else { return };
    // The fault is a thief who takes one node away.
    let (now, done) = (ensemble.dir().join("now"), ensemble.dir().join("done"));
    let wait = format!("touch {}; until [ -e {} ]; do sleep 0.01; done", now.display(), done.display());
    let (fault, heal) = (script(&ensemble, "fault", &wait), script(&ensemble, "heal", "exit 0"));
    let running = start(&format!(
        "failover -s {} -n 1 {SHORT} --fault-command {} --start-command {}",
        ensemble.addresses(),
        fault.display(),
        heal.display()
    ));
    await_that("the fault", || now.exists());
    let stolen = steal(&ensemble);
    fs::write(done, "").unwrap();
    let ran = finish(running).expect(1);
    let failures = ran.result()["failures"].to_string();
    assert_eq!(number(ran.result(), "verification/lost"), 3.0, "on each of three servers: {ran:#?}");
    assert!(failures.contains(&format!("1 acknowledged writes are lost: {stolen}")), "{failures}");
    assert!(ran.stdout.contains("ARE MISSING"), "{}", ran.stdout);
    assert!(ran.stderr.contains("are still there"), "left to be looked at: {}", ran.stderr);
}

#[test]
fn an_interrupt_sets_the_server_going_and_reports_what_there_is() {
    let Some(ensemble) = Ensemble::start() else { return };
    // Nothing but the interrupt ends this pause while the test waits.
    let flags = "--fault pause --lead 2s --downtime 50s --session-timeout 1s";
    let running = start(&format!("failover -s {} {flags}", ensemble.addresses()));
    await_that("a paused server", || ensemble.processes().iter().any(|(_, state)| *state == 'T'));
    signal(&running.0, libc::SIGINT);
    let ran = finish(running).expect(130);
    assert_eq!(ran.result()["status"], "interrupted", "{ran:#?}");
    assert_eq!(ran.result()["rounds"].as_array().unwrap().len(), 0, "a gap that was cut short says nothing");
    assert!(number(ran.result(), "verification/acknowledged") > 0.0);
    assert_eq!(number(ran.result(), "verification/lost"), 0.0, "what was written is read back all the same");
    assert!(ensemble.processes().iter().all(|(_, state)| *state != 'T'), "nobody stands still");
}

#[test]
fn an_ensemble_that_is_none_is_told_before_anything_is_done() {
    let Some(ensemble) = Ensemble::start() else { return };
    let (host, port) = ensemble.address(0);
    let ran = loadgen(&format!("failover -s {host}:{port},127.0.0.1:{},{NOBODY}", ensemble.address(1).1)).expect(1);
    assert!(ran.stderr.contains(&format!("{NOBODY} does not answer")), "{}", ran.stderr);
    assert!(ran.json.is_none(), "nothing was measured");
}

#[test]
fn wrong_command_lines_say_what_is_wrong() {
    let three = "-s 127.0.0.1:1,127.0.0.1:2,127.0.0.1:3";
    for (line, says) in [
        ("failover", "--servers"),
        ("failover -s 127.0.0.1:1", "three at least"),
        ("failover -s 127.0.0.1:1,127.0.0.1:2,127.0.0.1:1", "twice"),
        ("failover -s 127.0.0.1:1,127.0.0.1:2,127.0.0.1:x", "127.0.0.1:x"),
        (&format!("failover {three} --fault explode"), "explode"),
        (&format!("failover {three} --fault-command x"), "--start-command"),
        (&format!("failover {three} --fault kill --fault-command x --start-command y"), "--fault"),
        (&format!("failover {three} --fault pause --start-command x"), "nothing to start"),
        (&format!("failover {three} --start-command x --restarts-itself"), "--restarts-itself"),
        (&format!("failover {three} --rounds 0"), "--rounds"),
        (&format!("failover {three} --write-rate 0"), "--write-rate"),
        (&format!("failover {three} --downtime 60s"), "--patience"),
        (&format!("failover {three} --fail-if gap>5"), "write-gap"),
    ] {
        let ran = loadgen(line).expect(2);
        assert!(ran.stderr.contains(says), "{line}: {}", ran.stderr);
    }
}

/// The processes of the servers, in the order of their numbers.
fn pids(ensemble: &Ensemble) -> Vec<u32> {
    let mut pids: Vec<u32> = ensemble.processes().into_iter().map(|(pid, _)| pid).collect();
    pids.sort_unstable();
    pids
}

/// An executable file with this text.
fn script(ensemble: &Ensemble, name: &str, text: &str) -> PathBuf {
    let path = ensemble.dir().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Deletes the first write of the first client, as soon as it is there; its path.
fn steal(ensemble: &Ensemble) -> String {
    let mut stolen = None;
    await_that("something to steal", || {
        stolen = try_to_steal(ensemble);
        stolen.is_some()
    });
    stolen.unwrap()
}

fn try_to_steal(ensemble: &Ensemble) -> Option<String> {
    let mut stream = TcpStream::connect(ensemble.address(0)).unwrap();
    let mut out = Vec::new();
    let greeting = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 5_000,
        session_id: 0,
        passwd: Some(&[0; 16]),
        read_only: Some(false),
    };
    append_connect_request(&mut out, &greeting);
    stream.write_all(&out).unwrap();
    frame(&mut stream);
    let children = Request::GetChildren { path: Cow::Borrowed("/loadgen"), watch: false };
    let body = call(&mut stream, 1, &children)?;
    let Ok(Response::Strings(names)) = Response::decode(OpCode::GetChildren, &body) else { panic!("{body:?}") };
    let root = names.iter().next()?.to_string();
    let path = format!("/loadgen/{root}/c00/n00000000");
    call(&mut stream, 2, &Request::Delete { path: Cow::Borrowed(&path), version: -1 })?;
    Some(path)
}

/// The body of the answer; `None` if that is an error.
fn call(stream: &mut TcpStream, xid: i32, request: &Request<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    append_request(&mut out, xid, request);
    stream.write_all(&out).unwrap();
    let answer = frame(stream);
    (answer[12..16] == [0; 4]).then(|| answer[16..].to_vec())
}

fn frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut payload = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut payload).unwrap();
    payload
}

/// A program that starts its servers again by itself, and one that measures how they die: one of them starts them, not both.
#[test]
fn servers_of_ringkeeper_dev_are_started_again_by_it_and_stopped_with_it() {
    let program = Path::new(env!("CARGO_BIN_EXE_loadgen")).with_file_name("ringkeeper");
    if !program.exists() {
        return support::skipped(&format!("{} is not built (cargo build -p ringkeeper)", program.display()));
    }
    let dir = tempfile::tempdir().unwrap();
    let said = dir.path().join("said");
    let mut dev = Command::new(program);
    dev.arg("dev").arg("--dir").arg(dir.path()).stdin(Stdio::null()).stdout(fs::File::create(&said).unwrap());
    let mut dev = Killed(dev.spawn().unwrap());
    let mut servers = String::new();
    await_that("dev's servers", || {
        let text = fs::read_to_string(&said).unwrap();
        servers = text.lines().find_map(|line| line.strip_prefix("Connect to ")).unwrap_or_default().to_owned();
        !servers.is_empty()
    });
    // Without dev, loadgen would start the servers at once: before dev does.
    let ran = loadgen(&format!("failover -s {servers} -n 2 {SHORT}")).expect(0);
    assert_eq!(ran.result()["rounds"].as_array().unwrap().len(), 2, "{ran:#?}");
    assert!(!ran.stderr.contains("goes on"), "{}", ran.stderr);
    let text = fs::read_to_string(&said).unwrap();
    assert_eq!(text.matches("starting it again").count(), 2, "each was killed, and none could not start: {text}");
    signal(&dev.0, libc::SIGINT);
    assert!(dev.0.wait().unwrap().success());
    for server in servers.split(',') {
        assert!(TcpStream::connect(server).is_err(), "{server} outlives dev");
    }
}

/// A child that does not outlive a test that fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
