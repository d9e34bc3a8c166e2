//! Mistakes in the servers that the simulator must notice. The rarer ones take thousands of seeds: `ringkeeper-sim bugs`.

#![cfg(feature = "planted-bugs")]

use ringkeeper_sim::planted::BUGS;
use ringkeeper_sim::runner;

#[test]
fn mistakes_are_noticed() {
    for bug in BUGS {
        let found = (0..400).any(|seed| runner::run(bug.plan(seed), false).is_err());
        assert!(found, "{}", bug.name);
    }
}
