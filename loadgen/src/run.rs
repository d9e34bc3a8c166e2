//! `loadgen run`.

use crate::cli::{OutputArgs, RunArgs, TargetArgs};
use crate::crew::{Campaign, Span};
use crate::engine::{Clock, Engine, Failure, Options, Stop, nanos};
use crate::keyspace::{Fresh, KeySpace};
use crate::live::LiveLine;
use crate::prepare::Preparation;
use crate::random::Random;
use crate::results::{Document, Measured, Status};
use crate::threshold::{self, Threshold};
use crate::totals::Totals;
use crate::workload::{Mix, Workload};
use crate::{cpu, hdr, summary, target};
use anyhow::Result;
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

/// Sessions that prepare the tree, and the operations in flight on each.
const PREPARING: (usize, usize) = (4, 64);

#[derive(Serialize)]
struct Settings<'a> {
    #[serde(flatten)]
    args: &'a RunArgs,
    mix: String,
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// What kept it from measuring at all.
pub fn run(args: &RunArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let mix = match (&args.mix, args.read_ratio) {
        (Some(mix), _) => mix.clone(),
        (None, ratio) => Mix::reads(ratio.unwrap_or(0.5)),
    };
    let keys = KeySpace::new(&args.prefix, args.keys, args.keys_per_parent)?;
    let servers = target::resolve(&args.target.servers)?;
    check_means(args.connections, &args.output)?;
    let seed = args.seed.unwrap_or_else(|| seed_from(started));
    let bench = Bench { target: &args.target, servers: &servers, clock: Clock::start(), quiet: args.output.quiet };
    bench.prepare(
        stop,
        |tree| {
            if mix.uses_keys() {
                tree.make_keys(args.value_size, Random::new(seed)).map(drop)
            } else {
                tree.make_prefix()
            }
        },
        &keys,
    )?;
    let campaign = campaign(args, &mix, &bench, seed, stop);
    let run_id = (seed_from(started) >> 8) as u32;
    let mut live = LiveLine::new(args.output.quiet, args.output.report_every);
    let outcome = campaign.execute(&mut live, args.output.quiet, |thread, connections| {
        let fresh = connections.map(|connection| Fresh::new(keys.prefix(), run_id, connection)).collect();
        let random = Random::of_party(seed, thread as u64);
        Workload::new(&mix, keys.clone(), args.value_size, random, fresh)
    });
    let measured = Measured::new(&outcome, &args.output.server_pid, args.rate);
    let settings = Settings { args, mix: mix.to_string(), seed };
    let document = Document::new("run", started, settings, measured);
    publish(&title(args, &mix), &args.output, &document, &outcome.totals)?;
    let exit = exit_of(document.result(), &args.fail_if);
    if args.cleanup {
        clean_up(&bench, &keys, exit);
    }
    Ok(exit)
}

fn campaign(args: &RunArgs, mix: &Mix, bench: &Bench<'_>, seed: u64, stop: &Stop) -> Campaign {
    Campaign {
        servers: target::spread(bench.servers, args.connections),
        threads: args.threads,
        options: options(&args.target, args.depth),
        kinds: mix.kinds(),
        rate: args.rate.map(|rate| (rate, args.arrival)),
        warmup: args.warmup,
        span: args.ops.map_or(Span::Time(args.duration), Span::Operations),
        hold: false,
        catch_up: Some(args.prefix.clone()),
        seed,
        pids: args.output.server_pid.clone(),
        clock: bench.clock,
        stop: stop.clone(),
    }
}

fn title(args: &RunArgs, mix: &Mix) -> String {
    let connections = if args.connections == 1 { "connection" } else { "connections" };
    let loop_kind = args.rate.map_or_else(
        || "closed loop".into(),
        |rate| {
            format!("open loop of {}/s ({})", crate::units::count(rate), format!("{:?}", args.arrival).to_lowercase())
        },
    );
    format!(
        "{} {connections} x {} deep to {}; {mix}; {}-byte values; {loop_kind}",
        args.connections,
        args.depth,
        args.target.servers.join(","),
        args.value_size
    )
}

/// How sessions of a command are held.
pub fn options(target: &TargetArgs, depth: usize) -> Options {
    Options {
        depth,
        session_timeout: nanos(target.session_timeout),
        connect_timeout: nanos(target.connect_timeout),
        tolerate_loss: false,
    }
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
        let (sessions, depth) = PREPARING;
        let servers = target::spread(self.servers, sessions);
        let mut engine = Engine::open(&servers, options(self.target, depth), self.clock, stop.clone(), |_| {})?;
        let done = if stop.is_set() {
            Err(Failure::Interrupted)
        } else {
            let names = self.target.servers.join(",");
            work(&mut Preparation::new(&mut engine, names, keys, self.quiet))
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
    let to_stdout = output.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if !to_stdout {
        print!("{}", summary::summary(title, document.result()));
    }
    if let Some(path) = &output.json {
        document.write(path)?;
    }
    if let Some(path) = &output.hdr_log {
        let length = Duration::from_secs_f64(totals.seconds());
        let began = SystemTime::now().checked_sub(length).unwrap_or(SystemTime::UNIX_EPOCH);
        hdr::write(path, (began, length), totals.named())?;
    }
    Ok(())
}

/// The exit status that belongs to a result. Thresholds that are passed are told. Who sets a threshold for errors (or lost
/// connections) accepts those below it.
pub fn exit_of(measured: &Measured, fail_if: &[Threshold<Measured>]) -> Exit {
    let passed = threshold::any_passed(fail_if, measured);
    let accepted = |figure: &str| fail_if.iter().any(|threshold| threshold.name() == figure);
    match measured.status {
        Status::Failed => Exit::Failed,
        Status::Interrupted => Exit::Interrupted,
        Status::Complete if passed => Exit::PastThreshold,
        Status::Complete if !measured.lost_connections.is_empty() && !accepted("lost") => Exit::Failed,
        Status::Complete if measured.error_replies() > 0 && !accepted("errors") => Exit::ErrorReplies,
        Status::Complete => Exit::Fine,
    }
}

/// A seed that differs from run to run.
pub fn seed_from(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64)
}
