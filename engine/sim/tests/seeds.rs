//! A few seeds of each mode, every scenario, and the promise that equal seeds make equal runs. Thousands of seeds are run
//! by the program itself: `.ci/test` does.

#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

use ringkeeper_sim::plan::{Mode, Plan};
use ringkeeper_sim::runner;
use ringkeeper_sim::scenario::SCENARIOS;

fn run(mode: Mode, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if let Err(what) = runner::run_seed(seed, mode) {
            panic!("{}{what}", Plan::of(seed, mode));
        }
    }
}

#[test]
fn nothing_wrong_happens_under_faults() {
    run(Mode::Safety, 0..60);
}

#[test]
fn a_quorum_that_is_left_in_peace_works() {
    run(Mode::Liveness, 0..25);
}

/// As long as the servers take the same steps these meet what they have met once.
#[test]
fn seeds_that_have_found_a_mistake_find_it_no_more() {
    // A follower that began anew, while what it had sent waited for a restore, handed that over a second time.
    runner::run_seed(6_003_712, Mode::Liveness).unwrap();
}

#[test]
fn a_seed_makes_the_same_run_every_time() {
    for seed in 0..15 {
        for mode in [Mode::Safety, Mode::Liveness] {
            let first = runner::run_seed(seed, mode).unwrap();
            assert_eq!(runner::run_seed(seed, mode).unwrap(), first, "seed {seed}, {mode:?}");
        }
    }
}

#[test]
fn different_seeds_make_different_runs() {
    let one = runner::run_seed(1, Mode::Safety).unwrap();
    let other = runner::run_seed(2, Mode::Safety).unwrap();
    assert_ne!(one.hash, other.hash);
}

#[test]
fn a_fault_that_is_taken_out_does_not_move_the_others() {
    let plan = Plan::of(7, Mode::Safety);
    assert!(plan.faults.len() > 2, "{plan}");
    let fewer = Plan { faults: plan.faults[1..].to_vec(), ..plan.clone() };
    assert_eq!(fewer.faults[0], plan.faults[1]);
    runner::run(fewer, false).unwrap();
}

#[test]
fn every_scenario_shows_what_it_forces() {
    for scenario in SCENARIOS {
        if let Err(what) = scenario.run(12, false) {
            panic!("{}: {what}", scenario.name);
        }
    }
}
