//! `loadgen self-test`: what loadgen itself costs, and how wrong its latencies are.
//!
//! The null server answers at once, from a process of its own, so that the kernel accounts for the two apart. What remains of
//! a latency is the kernel's way there and back, and loadgen's own lateness.

use crate::cli::{self, TargetArgs, seconds};
use crate::crew::{Campaign, Span};
use crate::engine::{Arrival, Clock, Stop};
use crate::hdr;
use crate::keyspace::KeySpace;
use crate::live::LiveLine;
use crate::null_server::{Conduct, NullServer};
use crate::random::Random;
use crate::results::{Document, Measured, Status};
use crate::run::{Exit, options};
use crate::threshold::{self, Figures, Threshold, Unit, texts};
use crate::totals::Totals;
use crate::units::{count, duration, parse_duration};
use crate::workload::{Distribution, Mix, Nodes, Sizes, Workload};
use anyhow::{Context, Result, bail};
use clap::Args;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

const EXAMPLES: &str = "\
Examples:
  What loadgen itself costs on this machine, and how wrong its latencies are:
      loadgen self-test

  As a check of a machine before a measurement; exit status 4 if it is too busy:
      loadgen self-test --fail-if 'p99 > 100us' --fail-if 'cpu > 1.5' --json self-test.json

Two measurements are made against a server that does nothing but reply. First 16 connections with 64 operations in flight on
each, as fast as it goes: the maximum rate, and loadgen's processor time per operation. Then an open loop at half of that
rate: what loadgen adds to the latencies that it reports. Counted from the intended time, that includes its lateness; once
sent, only the way to the server and back.

A machine that does something else at the same time gives larger figures: measure when it is idle. Loadgen and the null
server take a core each.

Figures for --fail-if: rate (the maximum), cpu (microseconds per operation at that rate), p50, p99, p99.9 and max (at half of
it, from the intended time), service.p50, service.p99, service.p99.9 and service.max (once sent).";

const KEYS: u64 = 10_000;

/// Measures loadgen itself
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen self-test --help` for examples.")]
pub struct SelfTestArgs {
    /// Connections to the null server.
    #[arg(short = 'c', long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: u16,
    /// Operations in flight on each connection, at most.
    #[arg(short = 'd', long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub depth: u16,
    /// Length of each of the two measurements.
    #[arg(short = 't', long, default_value = "5s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// Load before each of them.
    #[arg(short, long, default_value = "1s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub warmup: Duration,
    /// Rate of the second measurement. [default: half of the maximum]
    #[arg(short, long, value_name = "PER_SECOND", value_parser = cli::rate)]
    pub rate: Option<f64>,
    /// Exit with status 4 if a figure is past its bound (>, <, >= or <=); may be given several times.
    #[arg(long, value_name = "FIGURE > BOUND")]
    #[serde(serialize_with = "texts")]
    pub fail_if: Vec<Threshold<Findings>>,
    /// Write settings, environment and results to this file as JSON; `-` is standard output, without the summary.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub json: Option<PathBuf>,
    /// Write the latencies of both measurements to this file as an HdrHistogram log, in nanoseconds.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub hdr_log: Option<PathBuf>,
    /// No progress, only the summary.
    #[arg(short, long)]
    #[serde(skip)]
    pub quiet: bool,
    /// Be the null server, until standard input ends.
    #[arg(long, hide = true)]
    #[serde(skip)]
    pub serve: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// As fast as it goes.
    pub maximum: Measured,
    /// Half as fast; `None` if it did not come to that.
    pub half: Option<Measured>,
}

/// Runs the command.
///
/// # Errors
/// What kept it from measuring at all.
pub fn self_test(args: &SelfTestArgs, stop: &Stop) -> Result<Exit> {
    if args.serve {
        return serve();
    }
    let started = SystemTime::now();
    let (found, totals) = measure(args, stop)?;
    let document = Document::new("self-test", started, args, found);
    document.publish(args.json.as_deref(), summary)?;
    if let Some(path) = &args.hdr_log {
        hdr::write(path, (started, started.elapsed().unwrap_or_default()), named(&totals))?;
    }
    let found = document.result();
    let passed = threshold::any_passed(&args.fail_if, found);
    Ok(Exit::of(found.half.as_ref().unwrap_or(&found.maximum).status, passed))
}

/// What was found, and what it was found from: the totals of each measurement.
fn measure(args: &SelfTestArgs, stop: &Stop) -> Result<(Findings, Vec<Totals>)> {
    let server = Server::start()?;
    let (maximum, totals) = server.measure(args, None, stop)?;
    let (mut half, mut totals) = (None, vec![totals]);
    let rate = args.rate.unwrap_or(maximum.rate / 2.0);
    if maximum.status == Status::Complete && rate >= 1.0 {
        let (measured, more) = server.measure(args, Some(rate), stop)?;
        half = Some(measured);
        totals.push(more);
    }
    Ok((Findings { maximum, half }, totals))
}

/// The latencies, with the names that they have in a log.
fn named(totals: &[Totals]) -> Vec<(String, &Histogram<u64>)> {
    let each = ["maximum", "half"].iter().zip(totals);
    each.flat_map(|(when, totals)| totals.named().into_iter().map(move |(name, of)| (format!("{when}.{name}"), of)))
        .collect()
}

/// The null server in a process of its own, which ends with its standard input.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Result<Server> {
        let program = std::env::current_exe().context("where loadgen is")?;
        let mut process = Command::new(program)
            .args(["self-test", "--serve"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the null server")?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let Ok(address) = line.trim().parse() else { bail!("the null server did not start") };
        Ok(Server { process, address })
    }

    fn measure(&self, args: &SelfTestArgs, rate: Option<f64>, stop: &Stop) -> Result<(Measured, Totals)> {
        let (connections, depth) = (usize::from(args.connections), usize::from(args.depth));
        let (mix, keys, sizes) = (Mix::reads(0.5), KeySpace::new("/loadgen", KEYS, 100)?, Sizes::fixed(100));
        let (session_timeout, connect_timeout) = (Duration::from_secs(30), Duration::from_secs(10));
        let target = TargetArgs { servers: vec![self.address.to_string()], session_timeout, connect_timeout };
        let campaign = Campaign {
            servers: vec![self.address; connections],
            threads: 1,
            options: options(&target, depth),
            kinds: mix.kinds(),
            rate: rate.map(|rate| (rate, Arrival::Poisson)),
            warmup: args.warmup,
            span: Span::Time(args.duration),
            catch_up: None,
            seed: 1,
            pids: vec![self.process.id()],
            clock: Clock::start(),
            stop: stop.clone(),
        };
        let mut live = LiveLine::new(args.quiet, None);
        let outcome = campaign.execute(&mut live, args.quiet, |_, mine| {
            let nodes = mine.map(|connection| Nodes::new("/loadgen", 0, connection)).collect();
            Workload::new(&mix, keys.clone(), (Distribution::Uniform, &sizes), Random::new(1), nodes)
        });
        Ok((Measured::new(&outcome, &campaign.pids, rate), outcome.totals))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn serve() -> Result<Exit> {
    let server = NullServer::begin(Conduct::default()).context("null server")?;
    println!("{}", server.address);
    std::io::stdout().flush()?;
    // Whatever ends it, the server is not needed any more.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(Exit::Fine)
}

impl Findings {
    fn cpu_us(&self) -> Option<f64> {
        self.maximum.loadgen.cpu_us_per_op
    }
}

impl Figures for Findings {
    fn unit(name: &str) -> Option<Unit> {
        match name {
            "rate" | "cpu" => Some(Unit::Number),
            _ => ["p50", "p99", "p99.9", "max"]
                .contains(&name.strip_prefix("service.").unwrap_or(name))
                .then_some(Unit::Time),
        }
    }

    fn names() -> String {
        "rate, cpu, and p50, p99, p99.9 and max, as they are or with service. before them".into()
    }

    fn figure(&self, name: &str) -> Option<f64> {
        match name {
            "rate" => return Some(self.maximum.rate),
            "cpu" => return self.cpu_us(),
            _ => {}
        }
        let all = &self.half.as_ref()?.all;
        let (times, name) = name.strip_prefix("service.").map_or((all.latency_us, name), |name| (all.service_us, name));
        let times = times?;
        let us = match name {
            "p50" => times.p50,
            "p99" => times.p99,
            "p99.9" => times.p99_9,
            "max" => times.max,
            _ => return None,
        };
        Some(us * 1e3)
    }
}

fn summary(found: &Findings) -> String {
    let mut text = format!("maximum rate, pipelined: {}/s", count(found.maximum.rate));
    if let Some(us) = found.cpu_us() {
        text += &format!("\nprocessor time per operation at that rate: {us:.2} µs");
    }
    if let Some(server) = found.maximum.server.as_ref().and_then(|server| server.cost.cpu_us_per_op) {
        text += &format!(" (null server: {server:.2} µs)");
    }
    text.push('\n');
    if let Some(half) = &found.half {
        text +=
            &format!("open loop of {}/s, {}/s completed:\n", count(half.offered_rate.unwrap_or(0.0)), count(half.rate));
        for (name, times) in [("from the intended time", half.all.latency_us), ("once sent", half.all.service_us)] {
            let Some(t) = times else { continue };
            let [p50, p99, p99_9, max] = [t.p50, t.p99, t.p99_9, t.max].map(|us| duration(us * 1e3));
            text += &format!("  {name:<24} p50 {p50}, p99 {p99}, p99.9 {p99_9}, max {max}\n");
        }
    }
    for failure in found.maximum.failures.iter().chain(found.half.iter().flat_map(|half| &half.failures)) {
        text += &format!("FAILED: {failure}\n");
    }
    text
}
