//! SIGTERM: servers that are asked to stop, one after the other, as for an upgrade.

use crate::support::ensemble::Ensemble;
use crate::{check_everywhere, check_journeys, wanderer, writer};

#[test]
fn a_leader_that_is_asked_to_stop_hands_over() {
    let mut ensemble = Ensemble::start(3);
    for round in 0..3 {
        let leader = ensemble.leader();
        let writers = writer::start(&ensemble.addrs_without(leader), 4, round);
        writers.progress(200);
        ensemble.stop(leader);
        writers.progress(200);
        ensemble.restart(leader);
        check_everywhere(&ensemble, writers);
    }
}

#[test]
fn rolling_restarts_under_load_lose_no_write_and_no_session() {
    let mut ensemble = Ensemble::start(3);
    // Some go only when they must, the others all the time: so every server has clients when it is stopped.
    let settled = wanderer::start(&ensemble.addrs(), 3, 1, 0);
    let restless = wanderer::start(&ensemble.addrs(), 3, 2, 100);
    for _ in 0..4 {
        for at in 0..3 {
            settled.progress(200);
            restless.progress(200);
            ensemble.stop(at);
            settled.progress(200);
            restless.progress(200);
            ensemble.restart(at);
        }
    }
    let (settled, restless) = (settled.stop(), restless.stop());
    assert!(check_journeys(&ensemble, &settled) > 0, "a server that stops ends its connections");
    assert!(check_journeys(&ensemble, &restless) > 0);
}
