//! The command line of `watch`.

use super::findings::Findings;
use crate::cli::{OutputArgs, TargetArgs, positive_count, prefix};
use crate::threshold::Limits;
use clap::Args;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  A thousand watchers at three servers, a hundred changes:
      loadgen watch -s 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 --watchers 1000 --rounds 100

  The same with watches that stay (addWatch: Ringkeeper, ZooKeeper 3.6 and later), and what it costs the server:
      loadgen watch -s 127.0.0.1:2181 --watchers 1000 --persistent --server-pid $(pgrep -d, ringkeeper)

  In continuous integration: exit status 4 if the last of a thousand watchers is told too late:
      loadgen watch -s 127.0.0.1:2181 --watchers 1000 --fail-if 'last.p99 > 50ms'

In every round all sessions watch one node, one more session changes it, and each event is timed: from the sending of the change
and from its answer. (An event may come before the answer: from the answer, that counts as no time at all.)

Figures for --fail-if: sent (from the sending of a change to an event), answered (from its answer) and last (from the sending to
the last event of a round) with .mean, .p50, .p90, .p99, .p99.9, .p99.99 or .max; rate (events per second, while they came)
and cpu (the servers' microseconds for each event, with --server-pid).";

/// Measures how quickly one change is told to many watchers
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen watch --help` for examples.")]
pub struct WatchArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub target: TargetArgs,
    /// Sessions that watch, spread over the servers in turn.
    #[arg(short = 'n', long, default_value = "100", value_parser = positive_count, value_name = "N")]
    pub watchers: u64,
    /// Changes that are measured.
    #[arg(long, default_value = "100", value_parser = positive_count, value_name = "N")]
    pub rounds: u64,
    /// Changes before that.
    #[arg(short, long, default_value_t = 5, value_name = "N")]
    pub warmup: u64,
    /// Watches that stay, instead of watches that fire once and are left again.
    #[arg(long)]
    pub persistent: bool,
    /// Path under which the node is made.
    #[arg(long, default_value = "/loadgen", value_parser = prefix, value_name = "PATH")]
    pub prefix: String,
    #[command(flatten)]
    #[serde(flatten)]
    pub limits: Limits<Findings>,
    #[command(flatten)]
    #[serde(flatten)]
    pub output: OutputArgs,
}
