//! A network between the servers that loses packets, while clients reach every server.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::ensemble::{Ensemble, Plan};
use crate::support::network::Network;
use crate::support::skipped;
use crate::{check_everywhere, check_journeys, check_written, wanderer, writer};

/// Three servers that can be cut off from each other; `None` if there can be none here.
fn ensemble(test: &str) -> Option<(Network, Ensemble)> {
    match Network::new(3) {
        Ok(network) => {
            let ensemble = Ensemble::of(&Plan { network: Some(&network), ..Plan::default() });
            Some((network, ensemble))
        }
        Err(reason) => {
            skipped(test, &reason);
            None
        }
    }
}

#[test]
fn a_leader_that_is_cut_off_acknowledges_nothing_while_the_others_go_on() {
    let Some((network, ensemble)) = ensemble("a_leader_that_is_cut_off") else { return };
    let leader = ensemble.leader();
    let writers = writer::start(&ensemble.addrs_without(leader), 4, 1);
    let its_own = writer::start(&[ensemble.addr(leader)], 2, 2);
    let wanderers = wanderer::start(&ensemble.addrs(), 3, 3, 0);
    writers.progress(300);
    its_own.progress(100);
    wanderers.progress(100);

    network.unplug(leader);
    ensemble.leader_among(&[(leader + 1) % 3, (leader + 2) % 3]);
    writers.progress(300);
    wanderers.progress(300);
    // Once it knows, it has nobody to acknowledge a write to: its clients wait, and then are let go.
    ensemble.wait_until_without_leader(leader);
    its_own.let_answers_arrive();
    let answers = its_own.answers();
    its_own.wait_for_the_end();
    assert_eq!(its_own.answers(), answers, "acknowledged without a quorum");
    let its_own = its_own.stop();

    network.plug(leader);
    ensemble.wait_until_serving(leader);
    writers.progress(300);
    wanderers.progress(300);
    check_everywhere(&ensemble, writers);
    check_written(&ensemble, &its_own);
    assert!(check_journeys(&ensemble, wanderers) > 0, "a server without a leader is left by its clients");
}

#[test]
fn a_leader_whose_packets_are_lost_is_replaced() {
    let Some((network, ensemble)) = ensemble("a_leader_whose_packets_are_lost") else { return };
    let cut = |from: usize, to: usize| network.lose_packets(from, to);
    let mend = |from: usize, to: usize| network.deliver_packets(from, to);
    one_way(&ensemble, |leader, other| cut(leader, other), |leader, other| mend(leader, other));
}

#[test]
fn a_leader_that_packets_do_not_reach_is_replaced() {
    let Some((network, ensemble)) = ensemble("a_leader_that_packets_do_not_reach") else { return };
    let cut = |from: usize, to: usize| network.lose_packets(from, to);
    let mend = |from: usize, to: usize| network.deliver_packets(from, to);
    one_way(&ensemble, |leader, other| cut(other, leader), |leader, other| mend(other, leader));
}

/// Cuts the leader off in one direction, twice, and demands a leader that can lead.
fn one_way(ensemble: &Ensemble, cut: impl Fn(usize, usize), mend: impl Fn(usize, usize)) {
    for round in 0..2 {
        let leader = ensemble.leader();
        let others = [(leader + 1) % 3, (leader + 2) % 3];
        let writers = writer::start(&ensemble.addrs_without(leader), 4, 2 * round);
        let wanderers = wanderer::start(&ensemble.addrs(), 3, 2 * round + 1, 0);
        writers.progress(300);
        wanderers.progress(100);
        others.iter().for_each(|other| cut(leader, *other));
        ensemble.leader_among(&others);
        writers.progress(300);
        wanderers.progress(300);
        others.iter().for_each(|other| mend(leader, *other));
        ensemble.wait_until_serving(leader);
        writers.progress(100);
        check_everywhere(ensemble, writers);
        check_journeys(ensemble, wanderers);
    }
}
