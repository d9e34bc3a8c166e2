//! Real processes as one ensemble: whoever is killed, stopped, paused, wiped, restarted or cut off, every acknowledged write
//! is there, executed once and in order, clients of the others notice nothing, sessions are kept, and all servers end up
//! with the same state.
//!
//! `RINGKEEPER_LEADER_KILLS` sets how often the leader is killed.

#[path = "../support/mod.rs"]
mod support;

mod crashes;
mod load;
mod memory;
mod observers;
mod partitions;
mod pauses;
mod peer_tls;
#[path = "../tls/pki.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "of what other tests use, too")]
mod pki;
mod read_only;
mod restarts;
mod sessions;
mod wanderer;
mod writer;

use load::Load;
use support::ensemble::Ensemble;
use wanderer::Journey;
use writer::Writer;

/// Ends the load. No writer has lost its connection; every server has what was acknowledged, and all have the same.
fn check_everywhere(ensemble: &Ensemble, writers: Load<Writer>) {
    let written = writers.stop();
    assert!(written.iter().all(Writer::has_all_answers), "a connection was lost");
    check_written(ensemble, &written);
}

/// Every server has what was acknowledged, and all have the same.
fn check_written(ensemble: &Ensemble, written: &[Writer]) {
    ensemble.wait_until_equal();
    for addr in ensemble.addrs() {
        written.iter().for_each(|one| one.verify(addr));
    }
}

/// Ends both loads before either is checked: servers are compared while nobody writes.
fn check_both(ensemble: &Ensemble, writers: Load<Writer>, wanderers: Load<Journey>) -> u64 {
    let journeys = wanderers.stop();
    check_everywhere(ensemble, writers);
    check_journeys(ensemble, &journeys)
}

/// Every server has exactly what was written, and all have the same; how often servers were changed.
fn check_journeys(ensemble: &Ensemble, journeys: &[Journey]) -> u64 {
    ensemble.wait_until_equal();
    for addr in ensemble.addrs() {
        journeys.iter().for_each(|one| one.verify(addr));
    }
    journeys.iter().map(|one| one.moves).sum()
}
