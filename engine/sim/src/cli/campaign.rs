//! Many seeds, on all cores.

use super::ModeArg;
use clap::Args;
use ringkeeper_sim::plan::Mode;
use ringkeeper_sim::runner;
use ringkeeper_sim::seen::Seen;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// From so many seeds on, a rare path that was never taken is a failure.
const ENOUGH: u64 = 1_000;
/// More failures than this say nothing new.
const MOST_FAILURES: usize = 10;

/// Run many seeds.
///
/// Example: ringkeeper-sim run --seeds 2000, or, for an hour of new seeds, ringkeeper-sim run --from 1000000 --minutes 60
#[derive(Args)]
pub(super) struct Campaign {
    /// What is asked; without it, both
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Seeds of each mode
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Ends after so many minutes, however many seeds were run
    #[arg(long)]
    minutes: Option<u64>,
    /// Threads; without it, one for each core
    #[arg(long)]
    jobs: Option<usize>,
    /// Run every seed twice, and compare
    #[arg(long)]
    twice: bool,
}

/// What all threads have found.
#[derive(Default)]
struct Found {
    seen: Seen,
    failures: Vec<(u64, String)>,
    events: u64,
    /// The seed that took longest.
    slowest: (Duration, u64),
}

impl Campaign {
    pub(super) fn run(&self) -> bool {
        let modes = self.mode.map_or(vec![ModeArg::Safety, ModeArg::Liveness], |mode| vec![mode]);
        // Both are run, whatever the first one comes to.
        let well: Vec<bool> = modes.into_iter().map(|mode| self.run_mode(mode)).collect();
        well.into_iter().all(|well| well)
    }

    fn run_mode(&self, mode: ModeArg) -> bool {
        let jobs = self.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        let (next, began) = (AtomicU64::new(self.from), Instant::now());
        let found = Mutex::new(Found::default());
        let end = self.from.saturating_add(if self.minutes.is_some() { u64::MAX } else { self.seeds });
        let late = || self.minutes.is_some_and(|minutes| began.elapsed() >= Duration::from_secs(minutes * 60));
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || late() || lock(&found).failures.len() >= MOST_FAILURES {
                            return;
                        }
                        self.one(seed, mode, &found);
                        progress(mode, seed - self.from, began);
                    }
                });
            }
        });
        let run = next.load(Ordering::Relaxed).min(end) - self.from;
        report(mode, run, began.elapsed(), &lock(&found))
    }

    fn one(&self, seed: u64, mode: ModeArg, found: &Mutex<Found>) {
        let began = Instant::now();
        let mut result = runner::run_seed(seed, Mode::from(mode));
        if self.twice && result.is_ok() && runner::run_seed(seed, Mode::from(mode)) != result {
            result = Err("two runs of it differ".into());
        }
        let found = &mut *lock(found);
        found.slowest = found.slowest.max((began.elapsed(), seed));
        match result {
            Ok(ended) => {
                found.seen.merge(&ended.seen);
                found.events += ended.events;
            }
            Err(what) => {
                println!("seed {seed} ({}): {what}", mode.name());
                println!("  look at it:    ringkeeper-sim replay {seed} --mode {} --trace", mode.name());
                println!("  make it small: ringkeeper-sim shrink {seed} --mode {}", mode.name());
                found.failures.push((seed, what));
            }
        }
    }
}

fn lock(found: &Mutex<Found>) -> std::sync::MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn progress(mode: ModeArg, done: u64, began: Instant) {
    if done.is_multiple_of(50) && std::io::stdout().is_terminal() {
        print!("\r{}: {done} seeds, {:.0} s ", mode.name(), began.elapsed().as_secs_f64());
        let _ = std::io::stdout().flush();
    }
}

fn report(mode: ModeArg, seeds: u64, took: Duration, found: &Found) -> bool {
    println!("\n{}: {seeds} seeds in {:.1} s, {} events", mode.name(), took.as_secs_f64(), found.events);
    for (what, times) in found.seen.iter() {
        println!("  {times:>12} {what}");
    }
    println!("  slowest: seed {} with {:.1} s", found.slowest.1, found.slowest.0.as_secs_f64());
    let missing = if seeds >= ENOUGH { found.seen.missing() } else { Vec::new() };
    for what in &missing {
        println!("  never: {what}");
    }
    let failed = found.failures.len();
    println!("{}: {failed} of {seeds} seeds failed", mode.name());
    failed == 0 && missing.is_empty()
}
