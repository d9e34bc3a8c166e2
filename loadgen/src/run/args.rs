//! The command line of `run`.

use super::shape::Shape;
use crate::cli::OutputArgs;
use crate::results::Measured;
use crate::threshold::{Limits, Threshold};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  A first look: 16 connections, one operation in flight on each, half reads, half writes, for ten seconds:
      loadgen run -s 127.0.0.1:2181

  The most writes that the server can do: 64 connections, 64 operations in flight on each:
      loadgen run -s 127.0.0.1:2181 -c 64 -d 64 --read-ratio 0 --warmup 10s

  The latency of one lone client:
      loadgen run -s 127.0.0.1:2181 -c 1 -d 1 --read-ratio 0

  Latency under a load of 5,000 operations per second that does not wait for the server (an open loop). Latency
  counts from the time at which an operation was meant to start, so a stall of the server shows in full:
      loadgen run -s 10.0.0.1,10.0.0.2,10.0.0.3 -c 30 -d 16 --rate 5000 --mix set=20,get=75,create=2,delete=3

  The highest rate at which the 99th percentile stays within 5 ms:
      loadgen run -s 10.0.0.1,10.0.0.2,10.0.0.3 -c 60 -d 64 --until-saturated 'p99 <= 5ms'

  A workload from a file, with another number of sessions than the file says:
      loadgen run -s 127.0.0.1:2181 --workload loadgen/workloads/service-discovery.toml -c 200

  Locks: ephemeral nodes come and go, transactions of three sets, gets that leave a watch; few keys get most of it:
      loadgen run -s 127.0.0.1:2181 --mix ephemeral=50,multi:3=10,watch=40 --key-distribution hot:1%:90%

  What an operation costs the server, with all figures in a file for later:
      loadgen run -s 127.0.0.1:2181 -c 64 -d 64 --server-pid $(pgrep -d, ringkeeper) --json result.json --cleanup

  In continuous integration: exit status 4 if it is too slow, or if anything went wrong:
      loadgen run -s 127.0.0.1:2181 --rate 5000 --fail-if 'p99 > 5ms' --fail-if 'rate < 4900' --fail-if 'errors > 0'

Operations: set, get, exists and children (the names of a key's siblings) are about the keys. create makes nodes of this
run, delete removes them again; while there is nothing to delete, a create is sent in its place. ephemeral creates a node
that goes with its session, and the next time deletes it (counted as release). multi:N is a transaction of N sets,
check-set one of a check and a set. watch is a get that leaves a watch; the events that come are counted.

A workload file is TOML; its keys are the names of the flags: servers, session-timeout, connect-timeout, connections,
depth, value-size, read-ratio, mix, keys, key-distribution, keys-per-parent, prefix, rate, arrival, duration, ops, warmup,
threads, seed. mix may be a table. Flags override the file. There are examples in loadgen/workloads:
service-discovery.toml, locks.toml and configuration.toml.

What is measured: latency of every operation that is meant to start within the window (after the warm-up), however
late its reply comes; throughput counts replies that arrive within the window. Replies with an error code count as
errors and not in the latencies. A lost connection ends the run.

--until-saturated doubles the rate until the bound breaks, then halves the distance until it is within 5 %. A rate also
counts as too high if errors come, or if less than 97 % of it is completed within the window (in windows shorter than 5 s: less
than what came before the last 150 ms). The result is the step at the rate found.

Figures for --fail-if and --until-saturated: mean, p50, p90, p99, p99.9, p99.99 and max, of all operations or of one kind
(get.p99); rate; errors, unsent, unanswered; cpu (the servers' microseconds per operation, with --server-pid).";

/// Puts a load on servers and measures throughput, latency and cost
///
/// Keys are created under the prefix first; connections go to the servers in turn.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen run --help` for examples.")]
pub struct RunArgs {
    #[command(flatten)]
    pub shape: Shape,
    #[command(flatten)]
    pub aim: Aim,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What is to come of it.
#[derive(Clone, Debug, Args, Serialize)]
pub struct Aim {
    /// Take the workload from a file; flags override what is in it.
    #[arg(long, value_name = "FILE")]
    pub workload: Option<PathBuf>,
    /// Search the highest rate of an open loop at which this holds, beginning with --rate or 1,000 per second.
    #[arg(long, conflicts_with = "ops", value_name = "FIGURE <= BOUND")]
    #[serde(serialize_with = "text")]
    pub until_saturated: Option<Threshold<Measured>>,
    /// Remove what was made under the prefix afterwards.
    #[arg(long)]
    pub cleanup: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub limits: Limits<Measured>,
}

fn text<S: serde::Serializer>(threshold: &Option<Threshold<Measured>>, s: S) -> Result<S::Ok, S::Error> {
    threshold.as_ref().map(ToString::to_string).serialize(s)
}
