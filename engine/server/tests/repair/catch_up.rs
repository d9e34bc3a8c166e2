//! A follower that was away gets what it has missed out of the leader's log.

use crate::fleet::Fleet;
use crate::load::Load;
use crate::writer::{self, Writer};

/// Writers that use every server but one.
pub fn writers_without(fleet: &Fleet, one: usize, round: u64) -> Load<Writer> {
    let others: Vec<_> = (0..3).filter(|at| *at != one).map(|at| fleet.addr(at)).collect();
    writer::start(&others, 4, round)
}

/// Every server has what was acknowledged, and all have the same.
pub fn check_everywhere(fleet: &Fleet, written: &[Writer]) {
    fleet.wait_until_equal();
    for at in 0..3 {
        written.iter().for_each(|one| one.verify(fleet.addr(at)));
    }
}

/// No server has sent another one its whole state.
fn no_state_was_sent(fleet: &Fleet, leader: usize) {
    assert_eq!(fleet.metric(leader, "zk_snap_count"), Some(0));
    assert!(fleet.metric(leader, "zk_diff_count") >= Some(1));
    for at in 0..3 {
        assert!(!fleet.has_said(at, &["sending the whole state"]), "server {at}");
    }
}

#[test]
fn a_follower_that_missed_more_than_memory_keeps_is_fed_from_the_log_while_writes_go_on() {
    let mut fleet = Fleet::start("ensemble.history.bytes=65536");
    let leader = fleet.leader();
    let follower = (leader + 1) % 3;
    let writers = writers_without(&fleet, follower, 1);
    writers.progress(500);
    fleet.kill(follower);
    // Each of these is more than a hundred bytes.
    writers.progress(20_000);
    fleet.launch(follower);
    fleet.wait_until_serving(follower);
    writers.progress(500);
    let written = writers.stop();
    assert!(written.iter().all(Writer::has_all_answers), "a connection was lost");
    check_everywhere(&fleet, &written);
    let learner = format!("learner={}", follower + 1);
    assert!(fleet.has_said(leader, &["learner synchronised", &learner, "DIFF", "source=\"log\""]));
    no_state_was_sent(&fleet, leader);
}

#[test]
fn a_follower_that_was_away_while_the_others_were_started_again_is_fed_from_the_log() {
    let mut fleet = Fleet::start("");
    let follower = (fleet.leader() + 1) % 3;
    let writers = writers_without(&fleet, follower, 1);
    writers.progress(300);
    fleet.kill(follower);
    writers.progress(300);
    let written = writers.stop();
    let others: Vec<usize> = (0..3).filter(|at| *at != follower).collect();
    others.iter().for_each(|at| fleet.stop(*at));
    others.iter().for_each(|at| fleet.launch(*at));
    let leader = fleet.leader();
    fleet.launch(follower);
    fleet.wait_until_serving(follower);
    check_everywhere(&fleet, &written);
    no_state_was_sent(&fleet, leader);
}
