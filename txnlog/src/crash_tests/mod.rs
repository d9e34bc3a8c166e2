//! Whole lives of a disk under crashes and faults, from seeds: everything acknowledged survives, nothing invented
//! appears, what is damaged is reported. And the proof that these tests would notice if it were not so.
//!
//! `CRASH_SEEDS=n` sets the number of seeds, `CRASH_SEED=s` replays one.

mod model;
mod world;

use crate::planted::Defects;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{Sometimes, World};

/// Runs one seed; what went wrong, if anything did.
fn run(seed: u64, defects: Defects, seen: &mut Sometimes) -> Result<(), String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, defects);
        world.run();
        world.seen
    }));
    match outcome {
        Ok(counts) => {
            for (what, n) in counts {
                *seen.entry(what).or_default() += n;
            }
            Ok(())
        }
        Err(panic) => Err(panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_string()))
            .unwrap_or_default()),
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{name} is not a number: {v}")))
}

#[test]
fn what_is_acknowledged_survives_every_seed() {
    let mut seen = Sometimes::new();
    if let Some(seed) = number("CRASH_SEED") {
        World::new(seed, Defects::default()).run();
        return;
    }
    let seeds = number("CRASH_SEEDS").unwrap_or(1_000);
    for seed in 0..seeds {
        if let Err(error) = run(seed, Defects::default(), &mut seen) {
            panic!("seed {seed} fails: {error}\nreplay: CRASH_SEED={seed} cargo test -p ringkeeper-txnlog what_is_ack");
        }
    }
    println!("{seeds} seeds: {seen:#?}");
}
