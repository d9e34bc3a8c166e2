//! `loadgen verify`, `watch` and `sessions` with three real servers.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use std::fs;
use support::ensemble::Ensemble;
use support::{loadgen, logged_by, number};

#[test]
fn promises_are_kept_while_the_leader_is_killed_and_the_history_can_be_checked_again() {
    let Some(ensemble) = Ensemble::start() else { return };
    let history = ensemble.dir().join("seen.jsonl");
    let flags = "-t 4s -c 6 --fault kill --fault-every 1s";
    let (ran, logged) =
        logged_by(&format!("verify -s {} {flags} --history {}", ensemble.addresses(), history.display()));
    assert!(number(ran.result(), "done") > 50.0 && number(ran.result(), "events") > 0.0, "{ran:#?}");
    assert!(!ran.result()["faults"].as_array().unwrap().is_empty(), "{ran:#?}");
    assert!(ran.stdout.contains("Every promise was kept"), "{}", ran.stdout);
    assert_eq!(logged.values().sum::<u64>() as f64, number(ran.result(), "done"), "{logged:?}");
    assert!(["create", "set", "get"].iter().all(|kind| logged[*kind] > 0), "{logged:?}");
    let (again, logged_again) = logged_by(&format!("verify --check {}", history.display()));
    assert_eq!(number(again.result(), "done"), number(ran.result(), "done"));
    assert_eq!(logged_again, logged, "a history has its latencies");
    // A value that was never written.
    let text = fs::read_to_string(&history).unwrap();
    let at = text.rfind("\"data\":[\"").unwrap() + 9;
    fs::write(&history, format!("{}x{}", &text[..at], &text[at..])).unwrap();
    let bad = loadgen(&format!("verify --check {}", history.display())).expect(1);
    assert!(bad.stdout.contains("which nobody wrote"), "{}", bad.stdout);
}

#[test]
fn files_that_are_no_histories_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.jsonl");
    for (text, says) in [("", "it is empty"), ("{}\n", "line 1: this is no history")] {
        fs::write(&path, text).unwrap();
        let ran = loadgen(&format!("verify --check {}", path.display())).expect(1);
        assert!(ran.stderr.contains("x.jsonl") && ran.stderr.contains(says), "{}", ran.stderr);
    }
}

/// ZooKeeper's leader may answer a sync before it has applied what a follower has acknowledged.
#[test]
fn a_sync_that_shows_too_little_is_a_violation_unless_it_is_said_to_be_weak() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seen.jsonl");
    let made = r#""ask":{"create":{"path":"/a","data":"a1","ephemeral":false,"sequential":false}},"answer":{"created":["/a",null]}"#;
    let synced = r#""ask":{"sync":{"path":"/a"}},"answer":"nothing""#;
    let line = |client: u32, called: u64, zxid: i64, rest: &str| {
        let returned = called + 1;
        format!(
            r#"{{"type":"op","client":{client},"session":{client},"called":{called},"returned":{returned},"zxid":{zxid},"err":0,{rest}}}"#
        )
    };
    fs::write(&path, format!("{}\n{}\n", line(1, 1, 5, made), line(2, 3, 4, synced))).unwrap();
    let bad = loadgen(&format!("verify --check {}", path.display())).expect(1);
    assert!(bad.stdout.contains("after a sync nothing is older"), "{}", bad.stdout);
    loadgen(&format!("verify --check {} --weak-sync", path.display())).expect(0);
}

#[test]
fn every_watcher_is_told_of_every_change() {
    let Some(ensemble) = Ensemble::start() else { return };
    for flags in ["", "--persistent"] {
        let line = format!("watch -s {} --watchers 50 --rounds 10 -w 1 {flags}", ensemble.addresses());
        let ran = loadgen(&line).expect(0);
        assert_eq!((number(ran.result(), "rounds"), number(ran.result(), "events")), (10.0, 500.0), "{ran:#?}");
        assert!(number(ran.result(), "last_event_us/max") >= number(ran.result(), "from_sending_us/max") * 0.99);
    }
}

#[test]
fn sessions_come_back_when_their_server_is_killed() {
    let Some(ensemble) = Ensemble::start() else { return };
    let ran = loadgen(&format!("sessions -s {} -n 150 -t 1s --fault kill", ensemble.addresses())).expect(0);
    let result = ran.result();
    assert_eq!(number(result, "sessions_expired"), 0.0, "{ran:#?}");
    assert!(number(result, "connections_lost") >= 50.0 && number(result, "all_back_ms") > 0.0, "{ran:#?}");
}
