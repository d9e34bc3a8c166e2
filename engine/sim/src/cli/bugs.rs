//! The proof that the simulator would notice: mistakes that are easily made, each planted on its own.

use clap::Args;
use ringkeeper_sim::planted::{BUGS, Bug};
use ringkeeper_sim::runner;
use std::time::Instant;

/// Plant one known mistake after the other, and count the seeds that it takes to find each.
///
/// Needs a build with the feature `planted-bugs`.
#[derive(Args)]
pub(super) struct Bugs {
    /// Seeds that are tried for each
    #[arg(long, default_value_t = 5_000)]
    seeds: u64,
    /// Only bugs whose name contains this
    #[arg(long)]
    only: Option<String>,
}

impl Bugs {
    pub(super) fn run(&self) -> bool {
        if !cfg!(feature = "planted-bugs") {
            eprintln!("this program was built without the feature planted-bugs: there is nothing to plant");
            return false;
        }
        let wanted = |bug: &&Bug| self.only.as_ref().is_none_or(|only| bug.name.contains(only.as_str()));
        let mut well = true;
        for bug in BUGS.iter().filter(wanted) {
            let began = Instant::now();
            match (0..self.seeds).find_map(|seed| Some((seed, runner::run(bug.plan(seed), false).err()?))) {
                Some((seed, what)) => {
                    let line = what.lines().next().unwrap_or_default();
                    println!("{:<34} seed {:>5}, {:>6.1} s: {line}", bug.name, seed, began.elapsed().as_secs_f64());
                }
                None => {
                    println!("{:<34} NOT FOUND in {} seeds", bug.name, self.seeds);
                    well = false;
                }
            }
        }
        well
    }
}
