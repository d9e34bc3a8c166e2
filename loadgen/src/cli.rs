//! The command line. Commands with many flags keep them in a module of their own.

use crate::compare::CompareArgs;
use crate::failover::FailoverArgs;
use crate::keyspace::check_prefix;
use crate::probe::ProbeArgs;
use crate::report::ReportArgs;
use crate::results::Measured;
use crate::run::RunArgs;
use crate::self_test::SelfTestArgs;
use crate::sessions::SessionsArgs;
use crate::threshold::Limits;
use crate::units::{parse_count, parse_duration, parse_size};
use crate::verify::VerifyArgs;
use crate::watch::WatchArgs;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use serde::{Serialize, Serializer};
use std::path::PathBuf;
use std::time::Duration;

/// Measures a coordination cluster from the client's side of the wire.
///
/// It speaks the ZooKeeper client protocol and nothing else, so that it measures Ringkeeper, ZooKeeper and ClickHouse
/// Keeper alike. Every command ends with a summary on standard output; progress goes to standard error.
///
/// Exit status: 0 all went well; 1 it failed (no server, a lost connection, a breach of the protocol); 2 the command
/// line is wrong; 3 it went through, but some operations were answered with an error code; 4 a threshold of --fail-if was
/// passed; 130 interrupted (what was measured until then is reported).
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line; ends the process if it is wrong, or asks for help.
    pub fn read() -> Cli {
        let cli = Cli::parse();
        if let Command::Run(args) = &cli.command
            && let Err(what) = args.plan()
        {
            Cli::command().error(ErrorKind::ArgumentConflict, what).exit();
        }
        let together = match &cli.command {
            Command::Failover(args) => args.faults.check(&args.servers),
            Command::Verify(args) => args.check(),
            Command::Sessions(args) => args.check(),
            _ => Ok(()),
        };
        if let Err(what) = together {
            Cli::command().error(ErrorKind::ArgumentConflict, what).exit();
        }
        cli
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Run(Box<RunArgs>),
    Fill(FillArgs),
    Failover(FailoverArgs),
    Probe(ProbeArgs),
    Compare(CompareArgs),
    SelfTest(SelfTestArgs),
    Report(ReportArgs),
    Verify(VerifyArgs),
    Watch(WatchArgs),
    Sessions(SessionsArgs),
}

const FILL_EXAMPLES: &str = "\
Examples:
  A million nodes of 100 bytes, and what they take of the server's memory:
      loadgen fill -s 127.0.0.1:2181 --count 1m --value-size 100 --server-pid $(pgrep -d, ringkeeper)

  Measure on the tree that was filled:
      loadgen run -s 127.0.0.1:2181 --prefix /fill --keys 1m --keys-per-parent 1000

  Remove it again:
      loadgen fill -s 127.0.0.1:2181 --remove

A fill that was interrupted can be repeated: nodes that exist already are left as they are.";

/// Creates a large number of nodes quickly
///
/// The nodes are those that `run` uses with the same prefix, keys and keys per parent.
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = FILL_EXAMPLES, after_help = "See `loadgen fill --help` for examples.")]
pub struct FillArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub target: TargetArgs,
    /// Nodes to create; 1m is a million.
    #[arg(short = 'n', long, default_value = "100k", value_parser = positive_count, value_name = "N")]
    pub count: u64,
    /// Bytes of each value; 4k is 4096.
    #[arg(short, long, default_value = "100", value_parser = value_size, value_name = "BYTES")]
    pub value_size: usize,
    /// Nodes that share a parent.
    #[arg(long, default_value = "1000", value_parser = positive_count, value_name = "N")]
    pub keys_per_parent: u64,
    /// Path under which all nodes are made.
    #[arg(long, default_value = "/fill", value_parser = prefix, value_name = "PATH")]
    pub prefix: String,
    /// Remove what earlier fills and runs made under the prefix, and create nothing.
    #[arg(long)]
    pub remove: bool,
    /// Sessions.
    #[arg(short, long, default_value_t = 8, value_parser = connections, value_name = "N")]
    pub connections: usize,
    /// Creates in flight on each connection.
    #[arg(short, long, default_value_t = 64, value_parser = depth, value_name = "N")]
    pub depth: usize,
    #[command(flatten)]
    #[serde(flatten)]
    pub limits: Limits<Measured>,
    #[command(flatten)]
    #[serde(flatten)]
    pub output: OutputArgs,
}

/// Where the servers are.
#[derive(Clone, Debug, Args, Serialize)]
pub struct TargetArgs {
    /// Servers, HOST or HOST:PORT; the port is 2181 unless given.
    #[arg(short, long, value_name = "HOST:PORT,...", default_value = "127.0.0.1:2181", value_delimiter = ',')]
    pub servers: Vec<String>,
    /// Session timeout to ask for; the server may grant another.
    #[arg(long, default_value = "30s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub session_timeout: Duration,
    /// Limit for establishing a session.
    #[arg(long, default_value = "10s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub connect_timeout: Duration,
}

/// What is reported, and where.
#[derive(Clone, Debug, Args, Serialize)]
pub struct OutputArgs {
    /// Process ids of servers on this machine: their processor time per operation and their memory are reported.
    #[arg(long, value_name = "PID,...", value_delimiter = ',')]
    pub server_pid: Vec<u32>,
    /// Write settings, environment and results to this file as JSON; `-` is standard output, without the summary.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub json: Option<PathBuf>,
    /// Write the latencies of each kind to this file as an HdrHistogram log, in nanoseconds.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub hdr_log: Option<PathBuf>,
    /// Seconds between progress lines. [default: 1 on a terminal, 5 elsewhere]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    #[serde(skip)]
    pub report_every: Option<u64>,
    /// No progress, only the summary.
    #[arg(short, long)]
    #[serde(skip)]
    pub quiet: bool,
}

pub(crate) fn seconds<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64(d.as_secs_f64())
}

pub(crate) fn connections(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000_000)
}

pub(crate) fn depth(text: &str) -> Result<usize, String> {
    within(text, 1, 100_000)
}

pub(crate) fn threads(text: &str) -> Result<usize, String> {
    within(text, 1, 1_024)
}

pub(crate) fn within(text: &str, low: u64, high: u64) -> Result<usize, String> {
    let n = parse_count(text)?;
    if (low..=high).contains(&n) { Ok(n as usize) } else { Err(format!("it must be within {low} and {high}")) }
}

pub(crate) fn positive_count(text: &str) -> Result<u64, String> {
    match parse_count(text)? {
        0 => Err("it must be at least 1".into()),
        n => Ok(n),
    }
}

/// Servers refuse frames of a mebibyte.
const LARGEST_VALUE: usize = 1 << 20;

pub(crate) fn value_size(text: &str) -> Result<usize, String> {
    match parse_size(text)? {
        n if n > LARGEST_VALUE => Err(format!("servers take at most {LARGEST_VALUE} bytes")),
        n => Ok(n),
    }
}

pub(crate) fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err("it must be within 0 and 1".into()) }
}

pub(crate) fn prefix(text: &str) -> Result<String, String> {
    check_prefix(text).map(|()| text.to_owned())
}

pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = match parse_count(text) {
        Ok(n) => n as f64,
        Err(_) => text.parse().map_err(|_| format!("{text:?} is no number"))?,
    };
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err("it must be above 0".into()) }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
