//! SIGKILL, and disks that are gone.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::ensemble::Ensemble;
use crate::support::env_number;
use crate::writer::Writer;
use crate::{check_both, check_everywhere, wanderer, writer};

#[test]
fn clients_of_the_others_do_not_notice_that_the_leader_is_killed() {
    let mut ensemble = Ensemble::start(3);
    let rounds = env_number("RINGKEEPER_LEADER_KILLS", 30);
    for round in 0..rounds {
        let leader = ensemble.leader();
        let writers = writer::start(&ensemble.addrs_without(leader), 4, round);
        // The first of these is a client of the leader.
        let mut addrs = ensemble.addrs();
        addrs.rotate_left(leader);
        let wanderers = wanderer::start(&addrs, 2, round, 0);
        writers.progress(300);
        wanderers.progress(50);
        ensemble.kill(leader);
        writers.progress(300);
        wanderers.progress(50);
        ensemble.restart(leader);
        writers.progress(100);
        assert!(check_both(&ensemble, writers, wanderers) > 0, "the leader had a client");
    }
}

#[test]
fn a_follower_that_is_killed_costs_nobody_a_write() {
    let mut ensemble = Ensemble::start(3);
    for round in 0..3 {
        let leader = ensemble.leader();
        let follower = (leader + 1) % 3;
        let writers = writer::start(&ensemble.addrs_without(follower), 4, round);
        writers.progress(300);
        ensemble.kill(follower);
        writers.progress(300);
        ensemble.restart(follower);
        check_everywhere(&ensemble, writers);
    }
}

#[test]
fn what_was_acknowledged_survives_the_end_of_all_processes() {
    let mut ensemble = Ensemble::start(3);
    let mut written: Vec<Writer> = Vec::new();
    for round in 0..5 {
        let writers = writer::start(&ensemble.addrs(), 6, round);
        writers.progress(500);
        (0..3).for_each(|at| ensemble.kill(at));
        written.extend(writers.stop());
        (0..3).for_each(|at| ensemble.launch(at));
        (0..3).for_each(|at| ensemble.wait_until_serving(at));
        ensemble.wait_until_equal();
        written.iter().for_each(|one| one.verify(ensemble.addr(round as usize % 3)));
    }
}

#[test]
fn a_server_whose_disk_was_replaced_gets_everything_from_the_others() {
    let mut ensemble = Ensemble::start(3);
    let follower = (ensemble.leader() + 1) % 3;
    let writers = writer::start(&ensemble.addrs_without(follower), 4, 1);
    writers.progress(500);
    ensemble.kill(follower);
    ensemble.wipe(follower);
    ensemble.restart(follower);
    writers.progress(100);
    check_everywhere(&ensemble, writers);
}
