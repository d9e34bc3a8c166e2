//! The JSON document of a measurement.
//!
//! ```text
//! schema        1; rises when a field changes its meaning or goes
//! command       run, fill, sessions, failover, ...
//! started_ms    wall clock, milliseconds since 1970
//! settings      the command line as understood
//! environment   of the machine that loadgen ran on
//! result        see `Measured`, and the `Findings` of the other commands; latencies in microseconds
//! ```

use crate::crew::{Consumed, Outcome};
use crate::distribution::Distribution;
use crate::engine::Stop;
use crate::environment::Environment;
use crate::op::error_name;
use crate::run::Saturation;
use crate::stats::Phase;
use crate::totals::{Counts, Totals};
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Document<Settings, Findings = Measured> {
    schema: u32,
    command: &'static str,
    started_ms: u64,
    settings: Settings,
    environment: Environment,
    result: Findings,
}

impl<Settings: Serialize, Findings: Serialize> Document<Settings, Findings> {
    /// A document of a measurement that began at `started`.
    pub fn new(command: &'static str, started: SystemTime, settings: Settings, result: Findings) -> Self {
        let started_ms = started.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        Document { schema: 1, command, started_ms, settings, environment: Environment::probe(), result }
    }

    /// What was measured.
    pub fn result(&self) -> &Findings {
        &self.result
    }

    /// Prints the summary, and writes the document if `json` says where. If that is standard output, there is no summary.
    ///
    /// # Errors
    /// Those of the file.
    pub fn publish(&self, json: Option<&Path>, summary: impl FnOnce(&Findings) -> String) -> Result<()> {
        if json != Some(Path::new("-")) {
            print!("{}", summary(&self.result));
        }
        json.map_or(Ok(()), |path| self.write(path))
    }

    /// Writes it to a file, or to standard output if the path is `-`.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        if path == Path::new("-") {
            return std::io::stdout().lock().write_all(text.as_bytes()).context("standard output");
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As planned.
    #[default]
    Complete,
    /// By the user, early.
    Interrupted,
    /// By a failure.
    Failed,
}

impl Status {
    /// Of something that ended with these failures, early if it was stopped.
    pub fn of(failures: &[String], stop: &Stop) -> Status {
        match (failures.is_empty(), stop.is_set()) {
            (false, _) => Status::Failed,
            (true, true) => Status::Interrupted,
            (true, false) => Status::Complete,
        }
    }
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// How it ended.
    pub status: Status,
    /// What went wrong.
    pub failures: Vec<String>,
    /// Length of the measured window.
    pub seconds: f64,
    /// Operations of the window that were answered, errors included.
    pub operations: u64,
    /// Replies that arrived within the window.
    pub completed: u64,
    /// Those per second.
    pub rate: f64,
    /// Rate of the schedule, in an open loop.
    pub offered_rate: Option<f64>,
    /// Operations of the schedule that were never sent, because the server did not keep up.
    pub unsent: u64,
    /// Operations sent whose outcome is unknown: interrupted, or lost with their connection.
    pub unanswered: u64,
    /// Events of watches that arrived within the window.
    pub events: u64,
    /// All kinds together.
    pub all: KindResult,
    /// By kind.
    pub kinds: BTreeMap<&'static str, KindResult>,
    /// The server processes within the window.
    pub server: Option<ServerCost>,
    /// Loadgen itself within the window.
    pub loadgen: Cost,
    /// Set by `run --until-saturated`, of which the rest is the best step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturation: Option<Saturation>,
    /// Set by `fill`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<FillResult>,
    /// Second by second, warm-up included.
    pub course: Vec<Point>,
}

/// Operations of a kind.
#[derive(Debug, Serialize)]
pub struct KindResult {
    /// Answered, errors included.
    pub operations: u64,
    /// Replies with an error, by name.
    pub errors: BTreeMap<String, u64>,
    /// From the intended time to the reply; `None` without a success.
    pub latency_us: Option<Percentiles>,
    /// From the sending to the reply: less than the above by the time that an operation of an open loop had to wait
    /// for its turn. `None` in a closed loop, where the two are the same.
    pub service_us: Option<Percentiles>,
    /// The shape of `latency_us`: pairs of a quantile and its value in microseconds.
    pub distribution: Distribution,
}

/// A distribution of times, microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Percentiles {
    pub mean: f64,
    pub min: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub p99_99: f64,
    pub max: f64,
}

/// Processor time in the window.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// Microseconds per completed operation.
    pub cpu_us_per_op: Option<f64>,
    /// Of these in user mode.
    pub user_us_per_op: Option<f64>,
    /// Of these in the kernel.
    pub system_us_per_op: Option<f64>,
    /// Cores busy on average.
    pub cores: f64,
}

/// What the servers used.
#[derive(Debug, Serialize)]
pub struct ServerCost {
    /// The processes.
    pub pids: Vec<u32>,
    /// Their processor time.
    #[serde(flatten)]
    pub cost: Cost,
    /// Resident memory at the start of the window.
    pub rss_bytes_before: u64,
    /// Resident memory at its end.
    pub rss_bytes_after: u64,
    /// Threads at its end.
    pub threads: u64,
}

/// A second of the course.
#[derive(Debug, Serialize)]
pub struct Point {
    phase: Phase,
    at_s: f64,
    rate: f64,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    p99_9_us: f64,
    max_us: f64,
    errors: u64,
}

/// What `fill` found.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FillResult {
    /// Nodes made.
    pub created: u64,
    /// Nodes that were there before.
    pub existed: u64,
    /// Growth of the servers' resident memory per node made.
    pub rss_bytes_per_node: Option<f64>,
}

impl Measured {
    /// From the outcome of a measurement.
    pub fn new(outcome: &Outcome, pids: &[u32], offered_rate: Option<f64>) -> Measured {
        let totals = &outcome.totals;
        let all = totals.all();
        let lost_in_flight: usize = outcome.failures.iter().map(|failure| failure.in_flight()).sum();
        Measured {
            status: status(outcome),
            failures: outcome.failures.iter().map(ToString::to_string).collect(),
            seconds: totals.seconds(),
            operations: all.operations(),
            completed: totals.completed,
            rate: totals.rate(),
            offered_rate,
            unsent: outcome.ended.unsent,
            unanswered: outcome.ended.unanswered + lost_in_flight as u64,
            events: totals.events,
            all: KindResult::new(&all),
            kinds: totals.kinds.iter().map(|(kind, counts)| (kind.name(), KindResult::new(counts))).collect(),
            server: ServerCost::new(&outcome.consumed, pids, totals),
            loadgen: Cost::new(outcome.consumed.own, totals),
            saturation: None,
            fill: None,
            course: totals.course.iter().map(Point::new).collect(),
        }
    }

    /// Whether it was a search for a rate that found none.
    pub fn held_nowhere(&self) -> bool {
        self.saturation.as_ref().is_some_and(|saturation| saturation.rate.is_none())
    }

    /// Replies with an error.
    pub fn error_replies(&self) -> u64 {
        self.all.errors.values().sum()
    }
}

fn status(outcome: &Outcome) -> Status {
    match outcome {
        Outcome { failures, .. } if !failures.is_empty() => Status::Failed,
        Outcome { interrupted: true, .. } => Status::Interrupted,
        _ => Status::Complete,
    }
}

impl KindResult {
    fn new(counts: &Counts) -> KindResult {
        KindResult {
            operations: counts.operations(),
            errors: counts.errors.iter().map(|(code, n)| (error_name(*code), *n)).collect(),
            latency_us: Percentiles::new(&counts.latency),
            service_us: counts.service.as_ref().and_then(Percentiles::new),
            distribution: Distribution::new(&counts.latency),
        }
    }
}

impl Percentiles {
    /// Of a histogram of nanoseconds; `None` if nothing is in it.
    pub fn new(histogram: &Histogram<u64>) -> Option<Percentiles> {
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Some(Percentiles {
            mean: histogram.mean() / 1e3,
            min: histogram.min() as f64 / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: histogram.max() as f64 / 1e3,
        })
    }
}

impl Cost {
    fn new(cpu: crate::cpu::CpuTime, totals: &Totals) -> Cost {
        let operations = totals.completed as f64;
        let per_op = |us: f64| (operations > 0.0).then_some(us / operations);
        let seconds = totals.seconds();
        Cost {
            cpu_us_per_op: per_op(cpu.total_us()),
            user_us_per_op: per_op(cpu.user_us),
            system_us_per_op: per_op(cpu.system_us),
            cores: if seconds > 0.0 { cpu.total_us() / 1e6 / seconds } else { 0.0 },
        }
    }
}

impl ServerCost {
    fn new(consumed: &Consumed, pids: &[u32], totals: &Totals) -> Option<ServerCost> {
        let (before, after) = consumed.servers?;
        Some(ServerCost {
            pids: pids.to_vec(),
            cost: Cost::new(after.cpu.since(&before.cpu), totals),
            rss_bytes_before: before.rss_bytes,
            rss_bytes_after: after.rss_bytes,
            threads: after.threads,
        })
    }
}

impl Point {
    fn new(course: &crate::totals::Course) -> Point {
        let us = |ns: u64| ns as f64 / 1e3;
        let [p50, p90, p99, p99_9, max] = course.latency;
        Point {
            phase: course.phase,
            at_s: course.at,
            rate: course.rate,
            p50_us: us(p50),
            p90_us: us(p90),
            p99_us: us(p99),
            p99_9_us: us(p99_9),
            max_us: us(max),
            errors: course.errors,
        }
    }
}
