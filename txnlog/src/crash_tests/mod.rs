//! Whole lives of a disk under crashes and faults, from seeds: everything acknowledged survives, nothing invented
//! appears, what is damaged is reported. And the proof that these tests would notice if it were not so.
//!
//! `CRASH_SEEDS=n` sets the number of seeds, `CRASH_FROM=s` the first; `CRASH_SEED=s` replays one and tells what
//! happens in it (with `--nocapture`).

mod actions;
mod damage;
mod model;
mod reading;
mod repair;
mod watermark;
mod world;

use crate::planted::{Defects, Planted};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use world::{Sometimes, World};

thread_local! {
    /// A panic of this thread is expected: it is shown by whoever catches it.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Lets panics of quiet threads pass without a backtrace.
fn install_quiet_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
}

/// Runs one seed; what went wrong, if anything did.
fn run(seed: u64, defects: Defects, seen: &mut Sometimes) -> Result<(), String> {
    install_quiet_hook();
    QUIET.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, defects);
        world.run();
        world.seen
    }));
    QUIET.set(false);
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

/// What must have happened at least once in a thousand seeds, or the test tests less than it says.
const MUST_HAPPEN: [&str; 31] = [
    "a part of a batch is committed",
    "all is committed",
    "append",
    "closed",
    "crash",
    "crash during recovery",
    "cut back",
    "damage did not matter",
    "damage reported",
    "disk full",
    "incompleteness reported",
    "log failed",
    "no room",
    "older snapshot used",
    "oversize frame",
    "read",
    "read after a reset",
    "read of what is gone",
    "read of what is unknown",
    "read of what is not durable",
    "restart finished by recovery",
    "rotation",
    "seal",
    "segment removed",
    "segment used again",
    "snapshot",
    "snapshot failed",
    "snapshot installed",
    "tail",
    "torn tail",
    "watermark alone",
];

#[test]
fn what_is_acknowledged_survives_every_seed() {
    if let Some(seed) = number("CRASH_SEED") {
        let mut world = World::new(seed, Defects::default());
        world.traced = true;
        world.run();
        return;
    }
    let mut seen = Sometimes::new();
    let seeds = number("CRASH_SEEDS").unwrap_or(10_000);
    let from = number("CRASH_FROM").unwrap_or(0);
    for seed in from..from + seeds {
        if let Err(error) = run(seed, Defects::default(), &mut seen) {
            panic!(
                "seed {seed} fails: {error}\nreplay: CRASH_SEED={seed} cargo test -p ringkeeper-txnlog --lib \
                 what_is_acknowledged -- --nocapture"
            );
        }
    }
    println!("{seeds} seeds: {seen:#?}");
    if seeds >= 1_000 {
        for what in MUST_HAPPEN {
            assert!(seen.contains_key(what), "`{what}` has not happened in {seeds} seeds: {seen:#?}");
        }
    }
}

/// Every deliberate defect, and within how many seeds it must be noticed.
const PLANTED: [(Planted, u64); 15] = [
    (Planted::AckBeforeSync, 20),
    (Planted::NoChecksum, 100),
    (Planted::TailNotWiped, 1_000),
    (Planted::DirectoryNotSynced, 20),
    (Planted::SyncErrorIgnored, 200),
    (Planted::GenerationNotChecked, 50),
    (Planted::RenameBeforeSync, 50),
    (Planted::ChainNotChecked, 500),
    (Planted::PurgeBeforeVerify, 500),
    (Planted::CutAnywhere, 100),
    (Planted::RecoveredTailNotSynced, 500),
    (Planted::RotateWithoutSync, 500),
    (Planted::ReleaseTooMuch, 50),
    (Planted::AckOutOfOrder, 500),
    (Planted::WatermarkTooHigh, 20),
];

#[test]
fn every_planted_defect_is_noticed() {
    for (bug, bound) in PLANTED {
        let caught = (0..bound).find_map(|seed| {
            let error = run(seed, Defects::planted(bug), &mut Sometimes::new()).err()?;
            Some((seed, error))
        });
        let (seed, error) = caught.unwrap_or_else(|| panic!("{bug:?} goes unnoticed for {bound} seeds"));
        println!("{bug:?}: seed {seed}: {error:.200}");
    }
}
