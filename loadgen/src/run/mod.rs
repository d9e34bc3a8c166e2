//! `loadgen run`: [`args`] and [`shape`] (flags and files) become a [`plan`]; [`search`] and [`saturate`] look for the highest
//! rate that holds. What other commands share with it is here, too.

mod args;
mod plan;
mod saturate;
mod search;
mod shape;

use crate::cli::{OutputArgs, TargetArgs};
use crate::crew::{Campaign, Span};
use crate::engine::{Clock, Engine, Failure, Options, Stop, nanos};
use crate::keyspace::KeySpace;
use crate::live::LiveLine;
use crate::prepare::Preparation;
use crate::random::Random;
use crate::results::{Document, Measured, Status};
use crate::threshold::Limits;
use crate::totals::Totals;
use crate::workload::{Nodes, Workload};
use crate::{cpu, hdr, summary, target};
use anyhow::Result;
pub use args::RunArgs;
use plan::Plan;
pub use saturate::Saturation;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// How a command ended, as its exit status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// All went well.
    Fine,
    /// It failed.
    Failed,
    /// Some operations were answered with an error code.
    ErrorReplies,
    /// A figure is worse than the user allows.
    PastThreshold,
    /// By the user.
    Interrupted,
}

impl Exit {
    /// Of something that ended so; `passed`: a threshold was.
    pub fn of(status: Status, passed: bool) -> Exit {
        match status {
            Status::Failed => Exit::Failed,
            Status::Interrupted => Exit::Interrupted,
            Status::Complete if passed => Exit::PastThreshold,
            Status::Complete => Exit::Fine,
        }
    }
}

/// Sessions that prepare the tree, and the operations in flight on each.
const PREPARING: (usize, usize) = (4, 64);

#[derive(Serialize)]
struct Settings<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// What kept it from measuring at all.
pub fn run(args: &RunArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let plan = args.plan().map_err(anyhow::Error::msg)?;
    let (quiet, seed) = (plan.output.quiet, plan.seed.unwrap_or_else(|| seed_from(started)));
    let keys = KeySpace::new(&plan.prefix, plan.keys, plan.keys_per_parent)?;
    let servers = target::resolve(&plan.target.servers)?;
    check_means(plan.connections, &plan.output)?;
    let bench = Bench { target: &plan.target, servers: &servers, clock: Clock::start(), quiet };
    let make = |tree: &mut Preparation<'_>| {
        if plan.mix.uses_keys() {
            tree.make_keys(&plan.value_size, Random::new(seed)).map(drop)
        } else {
            tree.make_prefix()
        }
    };
    bench.prepare(stop, make, &keys)?;
    let live = LiveLine::new(quiet, plan.output.report_every).with_leader_of(&servers);
    let id = (seed_from(started) >> 8) as u32;
    let mut run = Run { plan: &plan, keys: &keys, bench: &bench, seed, id, stop, live };
    let taken = match &plan.aim.until_saturated {
        Some(bound) => saturate::saturate(&mut run, bound),
        None => run.measure(plan.rate, 0),
    };
    let document = Document::new("run", started, Settings { plan: &plan, seed }, taken.measured);
    publish(&plan.title(), &plan.output, &document, &taken.totals)?;
    let exit = match exit_of(document.result(), &plan.aim.limits) {
        Exit::Fine | Exit::ErrorReplies if document.result().held_nowhere() => Exit::PastThreshold,
        exit => exit,
    };
    if plan.aim.cleanup {
        clean_up(&bench, &keys, exit);
    }
    Ok(exit)
}

/// What measurements of a run have in common.
struct Run<'a> {
    plan: &'a Plan,
    keys: &'a KeySpace,
    bench: &'a Bench<'a>,
    seed: u64,
    /// Tells this run's nodes from those of others.
    id: u32,
    stop: &'a Stop,
    live: LiveLine,
}

/// A measurement.
struct Taken {
    measured: Measured,
    totals: Totals,
}

impl Run<'_> {
    /// Measures once, in an open loop if there is a rate. Each step of several makes nodes of its own.
    fn measure(&mut self, rate: Option<f64>, step: u32) -> Taken {
        let Plan { mix, prefix, key_distribution, value_size, .. } = self.plan;
        let campaign = self.campaign(rate);
        let id = self.id.wrapping_add(step);
        let outcome = campaign.execute(&mut self.live, self.plan.output.quiet, |thread, connections| {
            let nodes = connections.map(|connection| Nodes::new(prefix, id, connection)).collect();
            let random = Random::of_party(self.seed, thread as u64);
            Workload::new(mix, self.keys.clone(), (*key_distribution, value_size), random, nodes)
        });
        let measured = Measured::new(&outcome, &self.plan.output.server_pid, rate);
        Taken { measured, totals: outcome.totals }
    }

    fn campaign(&self, rate: Option<f64>) -> Campaign {
        let plan = self.plan;
        Campaign {
            servers: target::spread(self.bench.servers, plan.connections),
            threads: plan.threads,
            options: options(&plan.target, plan.depth),
            kinds: plan.mix.kinds(),
            rate: rate.map(|rate| (rate, plan.arrival)),
            warmup: plan.warmup,
            span: plan.ops.map_or(Span::Time(plan.duration), Span::Operations),
            catch_up: Some(plan.prefix.clone()),
            seed: self.seed,
            pids: plan.output.server_pid.clone(),
            clock: self.bench.clock,
            stop: self.stop.clone(),
        }
    }
}

/// How sessions of a command are held.
pub fn options(target: &TargetArgs, depth: usize) -> Options {
    Options { depth, session_timeout: nanos(target.session_timeout), connect_timeout: nanos(target.connect_timeout) }
}

/// Checks what this machine must have before anything is sent.
///
/// # Errors
/// What is missing.
pub fn check_means(connections: usize, output: &OutputArgs) -> Result<()> {
    cpu::allow_open_files(connections)?;
    cpu::of_processes(&output.server_pid)?;
    Ok(())
}

/// The servers, and what work on their tree needs.
pub struct Bench<'a> {
    /// How to reach them.
    pub target: &'a TargetArgs,
    /// Their addresses.
    pub servers: &'a [SocketAddr],
    /// The clock of the command.
    pub clock: Clock,
    /// Show no progress.
    pub quiet: bool,
}

impl Bench<'_> {
    /// Does work on the tree through a few sessions that are closed again afterwards.
    ///
    /// # Errors
    /// Those of the work, and of the sessions; an interrupt.
    pub fn prepare<T>(
        &self,
        stop: &Stop,
        work: impl FnOnce(&mut Preparation<'_>) -> Result<T, Failure>,
        keys: &KeySpace,
    ) -> Result<T, Failure> {
        let (sessions, depth) = (PREPARING.0.max(self.servers.len()), PREPARING.1);
        let servers = target::spread(self.servers, sessions);
        let mut engine = Engine::open(&servers, options(self.target, depth), self.clock, stop.clone(), |_| {})?;
        let done = if stop.is_set() {
            Err(Failure::Interrupted)
        } else {
            let names = self.target.servers.join(",");
            work(&mut Preparation::new((&mut engine, sessions), names, keys, self.quiet))
        };
        engine.close();
        done
    }
}

/// Removes what the run made. A failure is told, but does not change how the run ended.
fn clean_up(bench: &Bench<'_>, keys: &KeySpace, exit: Exit) {
    if exit == Exit::Failed {
        eprintln!("loadgen: the nodes under {} are still there: the run failed", keys.prefix());
        return;
    }
    // An interrupt ended the run; its nodes are still to be removed. A second one ends the process.
    if let Err(failure) = bench.prepare(&Stop::default(), |tree| tree.remove_all(), keys) {
        eprintln!("loadgen: cleanup: {failure}");
    }
}

/// Prints the summary, writes the document and the log of latencies.
///
/// # Errors
/// Those of the files.
pub fn publish<S: Serialize>(title: &str, output: &OutputArgs, document: &Document<S>, totals: &Totals) -> Result<()> {
    document.publish(output.json.as_deref(), |measured| summary::summary(title, measured))?;
    if let Some(path) = &output.hdr_log {
        let length = Duration::from_secs_f64(totals.seconds());
        let began = SystemTime::now().checked_sub(length).unwrap_or(SystemTime::UNIX_EPOCH);
        hdr::write(path, (began, length), totals.named())?;
    }
    Ok(())
}

/// The exit status that belongs to a result. Thresholds that are passed are told. Who sets a threshold for errors
/// accepts those below it.
pub fn exit_of(measured: &Measured, limits: &Limits<Measured>) -> Exit {
    match limits.judge(measured.status, measured) {
        Exit::Fine if measured.error_replies() > 0 && !limits.has("errors") => Exit::ErrorReplies,
        exit => exit,
    }
}

/// A seed that differs from run to run.
pub fn seed_from(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64)
}
