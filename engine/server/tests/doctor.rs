//! `ringkeeper doctor` as a process: what it prints, how it ends, and that it leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod process;

use process::{Server, scratch};
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn doctor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringkeeper"));
    command.arg("doctor").args(arguments).env_clear().output().unwrap()
}

/// For a server in `dir` with a port that is free; `more` may change it.
fn examine(dir: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let dir = dir.to_str().unwrap();
    let own = ["--json", "--client-port-address", "127.0.0.1", "--set", "clientPort=0", "--data-dir", dir];
    let output = doctor(&[&own[..], more].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    });
    (output.status.code(), json)
}

/// Severity and text of what is said about something.
fn said(report: &Value, check: &str) -> Vec<(String, String)> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings.map(|finding| (text(&finding["severity"]), text(&finding["found"]))).collect()
}

#[test]
fn a_host_is_examined_and_left_as_it_was() {
    let dir = scratch();
    let data = dir.path().join("not/there/yet");
    let (status, report) = examine(&data, &["--writes", "12"]);
    let worst_is_error = report["findings"].as_array().unwrap().iter().any(|finding| finding["severity"] == "error");
    assert_eq!(status, Some(if worst_is_error { 4 } else { 0 }), "{report:#}");
    let drivers = report["facts"]["log"].as_array().unwrap();
    let timed: Vec<_> = drivers.iter().map(|timing| (timing["driver"].as_str().unwrap(), &timing["writes"])).collect();
    assert_eq!(
        timed.iter().map(|(driver, _)| *driver).collect::<Vec<_>>(),
        ["uring-dsync", "uring-fdatasync", "thread"]
    );
    // A driver may not be there, and what takes too long is cut short.
    let writes: Vec<u64> = timed.iter().map(|(_, writes)| writes.as_u64().unwrap()).collect();
    assert!(writes.iter().all(|writes| *writes <= 12) && writes.iter().any(|writes| *writes > 0), "{timed:?}");
    assert_eq!(said(&report, "configuration"), [("ok".to_owned(), "valid".to_owned())]);
    assert!(said(&report, "directory")[0].1.contains("will be made"), "{report:#}");
    assert!(report["recommendation"]["settings"].as_array().unwrap().iter().any(|one| one["key"] == "log.driver"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn the_report_for_people_has_all_parts() {
    let dir = scratch();
    let output = doctor(&["--data-dir", dir.path().to_str().unwrap(), "--set", "clientPort=0", "--writes", "6"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in
        ["\nkernel\n", "\nstorage\n", "until it is on the disk", "uring-dsync", "log.driver=", "as it should be\n"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 130), "{text}");
    assert!(output.stderr.is_empty(), "no progress where nobody watches: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_port_that_is_taken_and_a_server_that_runs() {
    let dir = scratch();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for taken in ["clientPort", "admin.serverPort"].map(|key| format!("{key}={port}")) {
        let (status, report) = examine(dir.path(), &["--writes", "0", "--set", &taken]);
        let found = said(&report, "own ports");
        assert_eq!(status, Some(4), "{found:?}");
        assert!(found.iter().any(|(severity, found)| severity == "error" && found.contains("taken")), "{found:?}");
    }

    let server = Server::start(dir.path(), &[]);
    let port = server.addr.port().to_string();
    let (_, report) = examine(dir.path(), &["--writes", "3", "--client-port", &port]);
    assert_eq!(said(&report, "directory")[0].0, "note", "{report:#}");
    assert_eq!(said(&report, "own ports")[0].0, "ok", "{report:#}");
    assert!(server.word(b"srvr").contains("Mode: standalone"), "it is not disturbed");
}

#[test]
fn a_configuration_that_is_refused_is_one_of_the_errors() {
    let dir = scratch();
    let file = dir.path().join("zoo.cfg");
    let data = dir.path().join("data");
    std::fs::write(&file, format!("dataDir={}\ntickTime=never\n", data.display())).unwrap();
    let output = doctor(&[file.to_str().unwrap(), "--writes", "0", "--json"]);
    assert_eq!(output.status.code(), Some(4));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problem = &said(&report, "configuration")[0];
    assert!(problem.0 == "error" && problem.1.contains("zoo.cfg:2"), "{problem:?}");
    assert!(said(&report, "directory")[0].1.contains(data.to_str().unwrap()), "its directory is examined nevertheless");
}

#[test]
fn how_it_ends() {
    let dir = scratch();
    // Memory is no disk: an error everywhere. A machine without /dev/shm has other troubles.
    let (status, report) = examine(Path::new("/dev/shm"), &["--writes", "0"]);
    assert_eq!((status, said(&report, "file system")[0].0.as_str()), (Some(4), "error"));
    // A queue that is too short is never worse than a note, so a warning must come from elsewhere; the status agrees with the report.
    let (status, report) = examine(dir.path(), &["--writes", "0", "--fail-if", "warning"]);
    let has = |severity| report["findings"].as_array().unwrap().iter().any(|finding| finding["severity"] == severity);
    let expected = if has("error") {
        4
    } else if has("warning") {
        3
    } else {
        0
    };
    assert_eq!(status, Some(expected), "{report:#}");
    let unreadable =
        Command::new(env!("CARGO_BIN_EXE_ringkeeper")).args(["config", "/no/such/zoo.cfg"]).output().unwrap();
    assert_eq!(doctor(&["/no/such/zoo.cfg"]).status, unreadable.status, "as for the other commands");
    for wrong in [["--fail-if", "never"], ["--writes", "many"]] {
        assert_eq!(doctor(&wrong).status.code(), Some(2), "{wrong:?}");
    }
}
