//! A fourth server that serves clients and does not vote.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::client::Client;
use crate::support::ensemble::{Ensemble, HOLD, Plan};
use crate::{check_both, check_everywhere, check_written, wanderer, writer};

const OBSERVER: usize = 3;

fn with_an_observer(steady: bool) -> Ensemble {
    Ensemble::of(&Plan { observers: 1, steady, settings: HOLD, ..Plan::default() })
}

#[test]
fn clients_of_an_observer_read_and_write_whoever_leads() {
    let mut ensemble = with_an_observer(false);
    ensemble.wait_until("an observer", |ensemble| ensemble.mode(OBSERVER).as_deref() == Some("observer"));
    for round in 0..3 {
        let writers = writer::start(&[ensemble.addr(OBSERVER)], 4, round);
        writers.progress(300);
        let leader = ensemble.leader();
        ensemble.kill(leader);
        writers.progress(300);
        ensemble.restart(leader);
        check_everywhere(&ensemble, writers);
    }
    let mut here = Client::connect(ensemble.addr(OBSERVER));
    here.create("/here", b"1", 1).unwrap();
    assert_eq!(here.get("/here", false).unwrap().0.as_deref(), Some(&b"1"[..]));
    let mut there = Client::connect(ensemble.addr(ensemble.leader()));
    there.sync("/").unwrap();
    assert_eq!(there.exists("/here", true).unwrap().ephemeral_owner, here.session);
    here.close();
    assert_eq!(there.event().path, "/here");
}

#[test]
fn an_observer_does_not_keep_a_leader_in_office() {
    one_voter_and_an_observer_are_no_quorum(|leader| leader);
}

#[test]
fn an_observer_does_not_elect_a_leader() {
    one_voter_and_an_observer_are_no_quorum(|leader| (leader + 1) % 3);
}

/// Of the voters, only the one that `survivor` chooses, given the leader, is left.
fn one_voter_and_an_observer_are_no_quorum(survivor: impl Fn(usize) -> usize) {
    let mut ensemble = with_an_observer(false);
    let writers = writer::start(&[ensemble.addr(OBSERVER)], 2, 1);
    writers.progress(200);
    let voter = survivor(ensemble.leader());
    let killed = [(voter + 1) % 3, (voter + 2) % 3];
    killed.iter().for_each(|at| ensemble.kill(*at));
    [voter, OBSERVER].iter().for_each(|at| ensemble.wait_until_without_leader(*at));
    // Two servers live and reach each other: they would agree in less time than they hold their clients without a leader.
    writers.let_answers_arrive();
    let answers = writers.answers();
    writers.wait_for_the_end();
    assert_eq!(writers.answers(), answers, "acknowledged without a quorum");
    let written = writers.stop();
    [voter, OBSERVER].iter().for_each(|at| assert_eq!(ensemble.mode(*at), None, "there is no leader"));
    killed.iter().for_each(|at| ensemble.launch(*at));
    (0..4).for_each(|at| ensemble.wait_until_serving(at));
    assert!(ensemble.leader() < OBSERVER);
    check_written(&ensemble, &written);
}

#[test]
fn an_observer_that_is_killed_costs_nobody_a_write() {
    let mut ensemble = with_an_observer(true);
    let leader = ensemble.leader();
    let voters = ensemble.addrs_without(OBSERVER);
    let writers = writer::start(&voters, 3, 1);
    let wanderers = wanderer::start(&[ensemble.addr(OBSERVER), voters[0]], 2, 2, 0);
    for _ in 0..3 {
        writers.progress(200);
        wanderers.progress(100);
        ensemble.kill(OBSERVER);
        writers.progress(200);
        wanderers.progress(100);
        ensemble.restart(OBSERVER);
    }
    assert_eq!(ensemble.leader(), leader, "nobody had a reason to elect");
    assert!(check_both(&ensemble, writers, wanderers) > 0, "the observer had a client");
}

#[test]
fn an_observer_catches_up_after_a_restart_and_from_nothing() {
    let mut ensemble = with_an_observer(false);
    let writers = writer::start(&ensemble.addrs_without(OBSERVER), 3, 1);
    writers.progress(300);
    ensemble.stop(OBSERVER);
    writers.progress(300);
    ensemble.restart(OBSERVER);
    writers.progress(300);
    ensemble.kill(OBSERVER);
    ensemble.wipe(OBSERVER);
    writers.progress(300);
    ensemble.restart(OBSERVER);
    writers.progress(300);
    check_everywhere(&ensemble, writers);
}
