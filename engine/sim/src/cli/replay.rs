//! One seed: as it is, with some of its faults, or with as few as it takes to fail.

use super::ModeArg;
use clap::Args;
use ringkeeper_sim::plan::{Mode, Plan};
use ringkeeper_sim::runner;
use ringkeeper_sim::time::MS;

/// Which seed, and what of it.
#[derive(Args)]
pub(super) struct Which {
    /// The seed
    seed: u64,
    /// What is asked
    #[arg(long, value_enum, default_value = "safety")]
    mode: ModeArg,
    /// Only these faults, by their numbers
    #[arg(long, value_delimiter = ',')]
    keep: Option<Vec<usize>>,
    /// Fewer clients
    #[arg(long)]
    clients: Option<usize>,
    /// When it becomes calm, in milliseconds
    #[arg(long)]
    calm: Option<u64>,
}

#[derive(Args)]
pub(super) struct Replay {
    #[command(flatten)]
    which: Which,
    /// Tell everything that happens
    #[arg(long)]
    trace: bool,
}

#[derive(Args)]
pub(super) struct Shrink {
    #[command(flatten)]
    which: Which,
}

impl Which {
    fn plan(&self) -> Plan {
        let mut plan = Plan::of(self.seed, Mode::from(self.mode));
        if let Some(keep) = &self.keep {
            plan = with_faults(&plan, keep);
        }
        plan.clients = self.clients.unwrap_or(plan.clients);
        plan.calm = self.calm.map_or(plan.calm, |ms| ms * MS);
        plan
    }
}

impl Replay {
    pub(super) fn run(&self) -> bool {
        let plan = self.which.plan();
        print!("{plan}");
        match runner::run(plan, self.trace) {
            Ok(ended) => {
                for (what, times) in ended.seen.iter() {
                    println!("  {times:>8} {what}");
                }
                println!("nothing wrong; {} events, hash {:016x}", ended.events, ended.hash);
                true
            }
            Err(what) => {
                println!("FAILED: {what}");
                false
            }
        }
    }
}

impl Shrink {
    pub(super) fn run(&self) -> bool {
        let mut plan = self.which.plan();
        let Err(what) = runner::run(plan.clone(), false) else {
            println!("seed {} does not fail", self.which.seed);
            return false;
        };
        println!("it fails: {what}");
        let mut keep: Vec<usize> = (0..plan.faults.len()).collect();
        let fails = |plan: &Plan| runner::run(plan.clone(), false).is_err();
        fewest_faults(&plan, &mut keep, fails);
        while plan.clients > 1 {
            let fewer = Plan { clients: plan.clients - 1, ..plan.clone() };
            if !fails(&with_faults(&fewer, &keep)) {
                break;
            }
            plan = fewer;
        }
        let smallest = with_faults(&plan, &keep);
        println!("{smallest}");
        if let Err(what) = runner::run(smallest, false) {
            println!("FAILED: {what}");
        }
        let numbers: Vec<String> = keep.iter().map(usize::to_string).collect();
        let (seed, mode) = (self.which.seed, self.which.mode.name());
        println!(
            "ringkeeper-sim replay {seed} --mode {mode} --clients {} --keep {} --trace",
            plan.clients,
            numbers.join(",")
        );
        true
    }
}

/// Takes out larger and then smaller groups of faults, as long as what remains still fails.
fn fewest_faults(plan: &Plan, keep: &mut Vec<usize>, fails: impl Fn(&Plan) -> bool) {
    let mut group = keep.len().div_ceil(2);
    while group > 0 {
        let mut at = 0;
        while at < keep.len() {
            let mut fewer = keep.clone();
            fewer.drain(at..(at + group).min(keep.len()));
            if fails(&with_faults(plan, &fewer)) {
                println!("  {} faults are enough", fewer.len());
                *keep = fewer;
            } else {
                at += group;
            }
        }
        group /= 2;
    }
}

/// The plan with only these faults. They keep their times.
fn with_faults(plan: &Plan, keep: &[usize]) -> Plan {
    let kept = keep.iter().filter_map(|index| plan.faults.get(*index).copied());
    Plan { faults: kept.collect(), ..plan.clone() }
}
