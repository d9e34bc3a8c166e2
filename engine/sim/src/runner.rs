//! Runs plans, and tells how they ended.

use crate::plan::{Mode, Plan};
use crate::seen::Seen;
use crate::world::World;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

/// How a run ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Equal for equal seeds and equal code.
    pub hash: u64,
    /// How much has happened.
    pub events: u64,
    /// What has happened.
    pub seen: Seen,
}

thread_local! {
    /// Where and how the last panic of this thread came about.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a plan.
///
/// # Errors
/// What must not have happened.
pub fn run(plan: Plan, printed: bool) -> Result<Ended, String> {
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(plan);
        world.trace.printed = printed;
        world.run();
        Ended { hash: world.trace.hash(), events: world.trace.events(), seen: world.seen }
    }));
    result.map_err(|_| PANIC.with_borrow(Clone::clone))
}

/// Panics are reports from now on: they are kept for [`run`], and not printed.
pub fn keep_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
        let what = info.payload_as_str().unwrap_or("a panic without words");
        PANIC.set(format!("{what}\n  ({place})"));
    }));
}

/// Runs a seed as it is.
///
/// # Errors
/// What must not have happened.
pub fn run_seed(seed: u64, mode: Mode) -> Result<Ended, String> {
    run(Plan::of(seed, mode), false)
}
