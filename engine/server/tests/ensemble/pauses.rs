//! SIGSTOP: a server that stands still, and wakes up as what it was.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::client::{Client, Item};
use crate::support::ensemble::Ensemble;
use crate::support::wire::{Dec, Enc, op};
use crate::{check_both, check_everywhere, check_written, wanderer, writer};
use std::time::{Duration, Instant};

const BAD_VERSION: i32 = -103;

#[test]
fn a_leader_that_was_paused_acknowledges_nothing_and_comes_back_as_a_follower() {
    let ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let writers = writer::start(&ensemble.addrs_without(leader), 4, 1);
    writers.progress(300);
    ensemble.pause(leader);
    // Another one is elected while it sleeps.
    writers.progress(300);
    ensemble.resume(leader);
    ensemble.wait_until_serving(leader);
    writers.progress(300);
    check_everywhere(&ensemble, writers);
}

/// Longer than any patience of the servers with each other, and than they hold clients without a leader.
const LONG: Duration = Duration::from_secs(22);

#[test]
fn a_leader_that_was_paused_for_long_has_nothing_to_say_of_its_own() {
    let ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let others = ensemble.addrs_without(leader);
    let writers = writer::start(&others, 4, 1);
    let its_own = writer::start(&[ensemble.addr(leader)], 2, 2);
    let wanderers = wanderer::start(&ensemble.addrs(), 3, 3, 0);
    let mut witnesses = [Client::connect(ensemble.addr(leader)), Client::connect(ensemble.addr(leader))];
    witnesses[0].create("/witness", b"", 0).unwrap();
    writers.progress(300);
    its_own.progress(100);
    wanderers.progress(100);

    ensemble.pause(leader);
    let paused = Instant::now();
    // What is sent to it now it finds when it wakes up: it must not be judged by what it knew when it fell asleep.
    witnesses[0].send(op::SET_DATA, &Enc::new().str("/witness").buf(Some(b"leader")).i32(0).0);
    for witness in &mut witnesses {
        witness.send(op::SYNC, &Enc::new().str("/witness").0);
        witness.send(op::GET_DATA, &Enc::new().str("/witness").bool(false).0);
    }
    ensemble.leader_among(&[(leader + 1) % 3, (leader + 2) % 3]);
    let mut other = Client::connect(others[0]);
    other.set("/witness", b"majority", 0).expect("the node is as the witness made it");
    writers.progress(300);
    wanderers.progress(300);
    std::thread::sleep(LONG.saturating_sub(paused.elapsed()));

    ensemble.resume(leader);
    let [writing, reading] = &mut witnesses;
    if let Item::Reply(set, _) = writing.item() {
        assert_eq!(set.err, BAD_VERSION, "the node has been written in the meantime");
    }
    reads_what_the_majority_wrote(writing);
    reads_what_the_majority_wrote(reading);
    ensemble.wait_until_serving(leader);
    writers.progress(300);
    // A writer of the leader's has lost its connection, or all its requests were executed in the end.
    let its_own = its_own.stop();
    let moves = check_both(&ensemble, writers, wanderers);
    check_written(&ensemble, &its_own);
    assert!(moves > 0, "a paused server is left by its clients");
}

/// The answers to sync and getData are those of the ensemble, as far as there are any.
fn reads_what_the_majority_wrote(witness: &mut Client) {
    let Item::Reply(sync, _) = witness.item() else { return };
    assert_eq!(sync.err, 0);
    let Item::Reply(get, body) = witness.item() else { return };
    assert_eq!((get.err, Dec(&body).buf().unwrap()), (0, Some(&b"majority"[..])));
}
