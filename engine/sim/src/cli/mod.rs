//! The command line.

mod bugs;
mod campaign;
mod replay;
mod scenarios;

use clap::{Parser, Subcommand, ValueEnum};
use ringkeeper_sim::plan::Mode;
use ringkeeper_sim::runner;
use std::process::ExitCode;

/// Runs whole Ringkeeper ensembles on simulated networks, disks and clocks, under faults that a seed decides on, and
/// checks everything that they promise.
///
/// Equal seeds and equal code give equal runs, to the last message. A seed that fails is looked at with `replay`, and
/// made small with `shrink`.
#[derive(Parser)]
#[command(name = "ringkeeper-sim", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run many seeds
    Run(campaign::Campaign),
    /// Run one seed, and tell what happens
    ///
    /// Example: ringkeeper-sim replay 4711 --mode safety --trace | less
    Replay(replay::Replay),
    /// Find the fewest faults with which a seed still fails, and print the command that replays just those
    Shrink(replay::Shrink),
    /// Plant one known mistake after the other, and count the seeds that it takes to find each
    Bugs(bugs::Bugs),
    /// Force the situations that chance meets too rarely
    Scenarios(scenarios::Scenarios),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum ModeArg {
    /// Nothing wrong happens while faults come and go; afterwards everybody agrees
    Safety,
    /// A quorum is left in peace while the other faults stay for good: it must come to work, and go on
    Liveness,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Mode {
        match mode {
            ModeArg::Safety => Mode::Safety,
            ModeArg::Liveness => Mode::Liveness,
        }
    }
}

impl ModeArg {
    fn name(self) -> &'static str {
        match self {
            ModeArg::Safety => "safety",
            ModeArg::Liveness => "liveness",
        }
    }
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    runner::keep_panics();
    let well = match cli.command {
        Command::Run(campaign) => campaign.run(),
        Command::Replay(replay) => replay.run(),
        Command::Shrink(shrink) => shrink.run(),
        Command::Bugs(bugs) => bugs.run(),
        Command::Scenarios(scenarios) => scenarios.run(),
    };
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
