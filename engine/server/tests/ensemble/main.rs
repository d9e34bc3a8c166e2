//! Three real processes: whoever is killed, stopped or wiped, every acknowledged write is there, executed once and in
//! order, clients of the others notice nothing, and all servers end up with the same state.
//!
//! `RINGKEEPER_LEADER_KILLS` sets how often the leader is killed.

#[path = "../support/mod.rs"]
mod support;
mod writer;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;
use support::client::Client;
use support::ensemble::Ensemble;
use support::env_number;
use writer::{Writer, Writers};

/// Waits until the writers have had some more answers.
fn progress(writers: &Writers, answers: u64) {
    let target = writers.answers() + answers;
    while writers.answers() < target {
        assert!(!writers.has_failed(), "a writer has failed");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Client addresses of all servers but one.
fn addresses_without(ensemble: &Ensemble, one: usize) -> Vec<SocketAddr> {
    (0..3).filter(|at| *at != one).map(|at| ensemble.addr(at)).collect()
}

/// No writer has lost its connection; every server has what was acknowledged, and all have the same.
fn check_everywhere(ensemble: &Ensemble, writers: Writers) {
    let written = writers.stop();
    assert!(written.iter().all(Writer::has_all_answers), "a connection was lost");
    ensemble.wait_until_equal();
    for at in 0..3 {
        written.iter().for_each(|one| one.verify(ensemble.addr(at)));
    }
}

#[test]
fn clients_of_the_others_do_not_notice_that_the_leader_is_killed() {
    let mut ensemble = Ensemble::start(3);
    let rounds = env_number("RINGKEEPER_LEADER_KILLS", 10);
    for round in 0..rounds {
        let leader = ensemble.leader();
        let others = addresses_without(&ensemble, leader);
        let writers = Writers::start(&others, 4, round);
        progress(&writers, 500);
        ensemble.kill(leader);
        progress(&writers, 500);
        ensemble.launch(leader);
        ensemble.wait_until_serving(leader);
        progress(&writers, 100);
        check_everywhere(&ensemble, writers);
    }
}

#[test]
fn a_follower_that_is_killed_costs_nobody_a_write() {
    let mut ensemble = Ensemble::start(3);
    for round in 0..3 {
        let leader = ensemble.leader();
        let follower = (leader + 1) % 3;
        let others = addresses_without(&ensemble, follower);
        let writers = Writers::start(&others, 4, round);
        progress(&writers, 300);
        ensemble.kill(follower);
        progress(&writers, 300);
        ensemble.launch(follower);
        ensemble.wait_until_serving(follower);
        check_everywhere(&ensemble, writers);
    }
}

#[test]
fn what_was_acknowledged_survives_the_end_of_all_processes() {
    let mut ensemble = Ensemble::start(3);
    let mut written: Vec<Writer> = Vec::new();
    for round in 0..5 {
        let addrs: Vec<_> = (0..3).map(|at| ensemble.addr(at)).collect();
        let writers = Writers::start(&addrs, 6, round);
        progress(&writers, 500);
        (0..3).for_each(|at| ensemble.kill(at));
        written.extend(writers.stop());
        (0..3).for_each(|at| ensemble.launch(at));
        (0..3).for_each(|at| ensemble.wait_until_serving(at));
        ensemble.wait_until_equal();
        written.iter().for_each(|one| one.verify(ensemble.addr(round as usize % 3)));
    }
}

#[test]
fn a_leader_that_was_paused_acknowledges_nothing_and_comes_back_as_a_follower() {
    let ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let others = addresses_without(&ensemble, leader);
    let writers = Writers::start(&others, 4, 1);
    progress(&writers, 300);
    ensemble.signal(leader, libc::SIGSTOP);
    // Another one is elected while it sleeps, and it wakes up as what it was.
    progress(&writers, 300);
    ensemble.signal(leader, libc::SIGCONT);
    ensemble.wait_until_serving(leader);
    progress(&writers, 300);
    check_everywhere(&ensemble, writers);
}

#[test]
fn a_server_whose_disk_was_replaced_gets_everything_from_the_others() {
    let mut ensemble = Ensemble::start(3);
    let follower = (ensemble.leader() + 1) % 3;
    let others = addresses_without(&ensemble, follower);
    let writers = Writers::start(&others, 4, 1);
    progress(&writers, 500);
    ensemble.kill(follower);
    ensemble.wipe(follower);
    ensemble.launch(follower);
    ensemble.wait_until_serving(follower);
    progress(&writers, 100);
    check_everywhere(&ensemble, writers);
}

#[test]
fn a_leader_that_is_asked_to_stop_hands_over() {
    let mut ensemble = Ensemble::start(3);
    for round in 0..3 {
        let leader = ensemble.leader();
        let others = addresses_without(&ensemble, leader);
        let writers = Writers::start(&others, 4, round);
        progress(&writers, 200);
        ensemble.stop(leader);
        progress(&writers, 200);
        ensemble.launch(leader);
        ensemble.wait_until_serving(leader);
        check_everywhere(&ensemble, writers);
    }
}

#[test]
fn sessions_and_ephemeral_nodes_outlive_their_server_and_move() {
    let mut ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let mut first = Client::connect(ensemble.addr(leader));
    first.create("/mine", b"", 1).unwrap();
    let (session, passwd) = (first.session, first.passwd.clone());
    ensemble.kill(leader);
    let other = (leader + 1) % 3;
    ensemble.wait_until_serving(other);
    let mut second = Client::reattach(ensemble.addr(other), session, &passwd).expect("the session is kept");
    assert_eq!(second.exists("/mine", false).unwrap().ephemeral_owner, session);
    // It moves once more, while the connection before is open: that one is cut off.
    let third_server = (leader + 2) % 3;
    let mut third = Client::reattach(ensemble.addr(third_server), session, &passwd).expect("the session is kept");
    third.set("/mine", b"moved", -1).unwrap();
    assert!(second.set("/mine", b"too late", -1).is_err(), "the former connection speaks for nobody");
    third.close();
    let mut fourth = Client::connect(ensemble.addr(other));
    fourth.sync("/").unwrap();
    assert!(fourth.exists("/mine", false).is_err(), "ephemeral nodes go with their session");
}
