//! Forced situations.

use clap::Args;
use ringkeeper_sim::scenario::SCENARIOS;

/// Force the situations that chance meets too rarely.
#[derive(Args)]
pub(super) struct Scenarios {
    /// Only those whose name contains this
    only: Option<String>,
    /// Variations of each
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Tell everything that happens in the first one
    #[arg(long)]
    trace: bool,
}

impl Scenarios {
    pub(super) fn run(&self) -> bool {
        let mut well = true;
        for scenario in SCENARIOS {
            if self.only.as_ref().is_some_and(|only| !scenario.name.contains(only.as_str())) {
                continue;
            }
            match scenario.run(self.seeds, self.trace) {
                Ok(seen) => {
                    let shown: Vec<String> =
                        scenario.shows.iter().map(|what| format!("{what}: {}", seen.times(what))).collect();
                    println!("{:<58} {}", scenario.name, shown.join(", "));
                }
                Err(what) => {
                    println!("{:<58} FAILED: {what}", scenario.name);
                    well = false;
                }
            }
        }
        well
    }
}
