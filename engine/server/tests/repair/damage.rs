//! Damaged disks. What a server has lost it gets again from the others, and as long as it lacks it, it decides nothing.

use crate::catch_up::{check_everywhere, writers_without};
use crate::fleet::Fleet;
use crate::writer::Writer;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Small files, so that there are several.
const SMALL_FILES: &str = "log.segment.bytes=1048576\nsnapCount=1000";

/// Files of a server whose names begin so and that are whole, by name.
fn files(fleet: &Fleet, at: usize, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(fleet.data(at)).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix));
    found.retain(|path| path.extension().is_none_or(|extension| extension != "damaged" && extension != "tmp"));
    found.sort();
    found
}

/// Flips a bit of the byte at a part of what is used of a file: at the beginning of a block, where a segment has no padding.
fn flip(path: &Path, part: f64) {
    let bytes = fs::read(path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let at = (used as f64 * part) as usize / 4096 * 4096;
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[bytes[at] ^ 4], at as u64).unwrap();
    file.sync_all().unwrap();
}

fn was_put_aside(fleet: &Fleet, at: usize) -> bool {
    let mut entries = fs::read_dir(fleet.data(at)).unwrap();
    entries.any(|entry| entry.unwrap().path().extension().is_some_and(|extension| extension == "damaged"))
}

/// A follower that is stopped after some writes, with which the others go on; then its disk is damaged and it is started.
fn follower_with_damage(settings: &str, damage: impl Fn(&Fleet, usize)) -> (Fleet, usize) {
    let mut fleet = Fleet::start(settings);
    let follower = (fleet.leader() + 1) % 3;
    let writers = writers_without(&fleet, follower, 1);
    writers.progress(20_000);
    fleet.kill(follower);
    writers.progress(500);
    damage(&fleet, follower);
    fleet.launch(follower);
    fleet.wait_until_serving(follower);
    writers.progress(500);
    let written = writers.stop();
    assert!(written.iter().all(Writer::has_all_answers), "a connection was lost");
    check_everywhere(&fleet, &written);
    (fleet, follower)
}

#[test]
fn a_log_that_is_damaged_in_the_middle_is_completed_by_the_others() {
    let (fleet, follower) = follower_with_damage("", |fleet, at| {
        let segments = files(fleet, at, "segment.");
        flip(&segments[0], 0.5);
    });
    assert!(fleet.has_said(follower, &["ERROR", "what is stored is damaged"]));
    assert!(fleet.has_said(follower, &["ERROR", "does not vote until a leader has brought it up to date"]));
    assert!(fleet.has_said(follower, &["everything after the last good transaction is given up"]));
}

#[test]
fn a_server_whose_segments_are_all_damaged_starts_over() {
    let (fleet, follower) = follower_with_damage(SMALL_FILES, |fleet, at| {
        files(fleet, at, "segment.").iter().for_each(|path| flip(path, 0.0));
    });
    assert!(fleet.has_said(follower, &["ERROR", "starts over with nothing"]));
    assert!(was_put_aside(&fleet, follower));
}

#[test]
fn a_server_whose_snapshots_are_all_damaged_starts_over() {
    let (fleet, follower) = follower_with_damage(SMALL_FILES, |fleet, at| {
        let snapshots = files(fleet, at, "snap");
        assert!(snapshots.len() > 1, "{snapshots:?}");
        snapshots.iter().for_each(|path| flip(path, 0.0));
    });
    assert!(fleet.has_said(follower, &["ERROR", "starts over with nothing"]));
    assert!(was_put_aside(&fleet, follower));
}

#[test]
fn a_server_whose_epoch_record_is_damaged_starts_over() {
    let (fleet, follower) = follower_with_damage(SMALL_FILES, |fleet, at| flip(&fleet.data(at).join("epochs"), 0.5));
    assert!(fleet.has_said(follower, &["ERROR", "the epoch record is damaged"]));
    assert!(fleet.data(follower).join("epochs.damaged").exists());
}

#[test]
fn one_damaged_snapshot_of_several_costs_nothing() {
    let (fleet, follower) =
        follower_with_damage(SMALL_FILES, |fleet, at| flip(files(fleet, at, "snap").last().unwrap(), 0.0));
    assert!(!fleet.has_said(follower, &["what is stored is damaged"]));
    assert!(was_put_aside(&fleet, follower));
}

#[test]
fn a_server_that_is_to_be_repaired_by_hand_does_not_start() {
    let mut fleet = Fleet::start(&format!("{SMALL_FILES}\nensemble.repair=refuse"));
    let follower = (fleet.leader() + 1) % 3;
    let writers = writers_without(&fleet, follower, 1);
    writers.progress(1_000);
    writers.stop();
    fleet.kill(follower);
    flip(&fleet.data(follower).join("epochs"), 0.5);
    fleet.launch(follower);
    assert!(!fleet.wait_for_end(follower), "it started");
    assert!(fleet.has_said(follower, &["the epoch record fails its checksum", "ensemble.repair=auto"]));
    assert!(!was_put_aside(&fleet, follower));
}

/// What a majority had acknowledged may be on the third server, or only on the two: nobody can know.
#[test]
fn a_majority_that_has_lost_data_elects_nobody() {
    // One segment and no snapshot: what is damaged is read at the next start.
    let mut fleet = Fleet::start("");
    let leader = fleet.leader();
    let writers = writers_without(&fleet, leader, 1);
    writers.progress(1_000);
    (0..3).for_each(|at| fleet.kill(at));
    writers.stop();
    let damaged: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    for at in &damaged {
        flip(&files(&fleet, *at, "segment.")[0], 0.5);
    }
    (0..3).for_each(|at| fleet.launch(at));
    let ids: Vec<String> = damaged.iter().map(|at| (at + 1).to_string()).collect();
    let who = format!("given up damaged data: {}: they do not vote", ids.join(" "));
    for at in 0..3 {
        fleet.wait_until("the operator is told", |fleet| {
            fleet.has_said(at, &["still no leader", &who, "in sight: none"])
        });
    }
    assert!((0..3).all(|at| fleet.mode(at).is_none()), "a leader was elected without the data");
}
