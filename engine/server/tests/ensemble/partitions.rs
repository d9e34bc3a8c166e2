//! A network between the servers that loses packets, while clients reach every server.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::ensemble::{Ensemble, HOLD, Plan};
use crate::support::network::Network;
use crate::support::skipped;
use crate::{check_both, check_written, wanderer, writer};

/// Three servers that can be cut off from each other; `None` if there can be none here.
fn ensemble(test: &str) -> Option<(Network, Ensemble)> {
    match Network::new(3) {
        Ok(network) => {
            let ensemble =
                Ensemble::of(&Plan { steady: false, settings: HOLD, network: Some(&network), ..Plan::default() });
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
    let Some((network, ensemble)) = ensemble("a_leader_that_is_cut_off_acknowledges_nothing") else { return };
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
    let moves = check_both(&ensemble, writers, wanderers);
    check_written(&ensemble, &its_own);
    assert!(moves > 0, "a server without a leader is left by its clients");
}

/// Which packets between the leader and the others are lost.
#[derive(Clone, Copy)]
enum Lost {
    FromTheLeader,
    ToTheLeader,
}

impl Lost {
    fn direction(self, leader: usize, other: usize) -> (usize, usize) {
        match self {
            Lost::FromTheLeader => (leader, other),
            Lost::ToTheLeader => (other, leader),
        }
    }
}

#[test]
fn a_leader_that_is_heard_by_nobody_is_replaced() {
    a_leader_cut_off_one_way_is_replaced("a_leader_that_is_heard_by_nobody", Lost::FromTheLeader);
}

#[test]
fn a_leader_that_hears_nobody_is_replaced() {
    a_leader_cut_off_one_way_is_replaced("a_leader_that_hears_nobody", Lost::ToTheLeader);
}

fn a_leader_cut_off_one_way_is_replaced(test: &str, lost: Lost) {
    let Some((network, ensemble)) = ensemble(test) else { return };
    for round in 0..2 {
        let leader = ensemble.leader();
        let others = [(leader + 1) % 3, (leader + 2) % 3];
        let writers = writer::start(&ensemble.addrs_without(leader), 4, 2 * round);
        let wanderers = wanderer::start(&ensemble.addrs(), 3, 2 * round + 1, 0);
        writers.progress(300);
        wanderers.progress(100);
        for (from, to) in others.map(|other| lost.direction(leader, other)) {
            network.lose_packets(from, to);
        }
        ensemble.leader_among(&others);
        writers.progress(300);
        wanderers.progress(300);
        for (from, to) in others.map(|other| lost.direction(leader, other)) {
            network.deliver_packets(from, to);
        }
        ensemble.wait_until_serving(leader);
        writers.progress(100);
        check_both(&ensemble, writers, wanderers);
    }
}
