//! The command line of `verify`.

use crate::cli::{prefix, rate, seconds, within};
use crate::faults::{FaultArgs, Server};
use crate::units::parse_duration;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  Twelve clients at three servers for half a minute; what they saw is kept:
      loadgen verify -s 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 --history seen.jsonl

  The same while the leader is killed every few seconds, and started again as it was started before:
      loadgen verify -s 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 --fault kill --duration 2m

  Servers on other machines, stopped and started through ssh:
      loadgen verify -s 1=zk1:2181,2=zk2:2181,3=zk3:2181 --fault-every 10s \\
          --fault-command 'ssh {host} systemctl kill -s KILL zk@{id}' --start-command 'ssh {host} systemctl start zk@{id}'

  Check a history that was recorded before, without any server:
      loadgen verify --check seen.jsonl

Clients create, set, delete, read, list and watch a few nodes, so that they get into each other's way; some nodes are ephemeral
or sequential, some changes are multis, now and then a session is closed and another one opened. Lost connections are part of it:
the client goes on at another server with its session and its watches; an operation whose answer was lost may have been done or
not. At the end everything is read from every server.

What is checked: writes take effect in one order, which is that of their zxids, agrees with real time and with the order in
which each session asked; every write and every refusal fits what was there; reads are not older than what their session has
seen, and after a sync not older than what anybody had seen before it; sequence numbers rise; watches fire once and before
anything newer is seen; ephemeral nodes go when their session ends, and not before; nothing that was acknowledged is lost.
A violation is told with the operations that prove it, and ends in exit status 1; the nodes are left to be looked at.

The placeholders of commands are {id}, {host}, {port}, {server} (address and port), and {pid} if the process is known.";

/// Records what clients see, and checks that servers keep their promises
///
/// It drives servers with operations that conflict, with or without faults, and looks for what must not happen: lost writes,
/// stale reads, events that come late or twice.
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen verify --help` for examples.")]
pub struct VerifyArgs {
    /// The servers, HOST:PORT or ID=HOST:PORT. The id is for commands; without it, servers count from 1.
    #[arg(short, long, value_name = "[ID=]HOST:PORT,...", required_unless_present = "check", value_delimiter = ',')]
    pub servers: Vec<Server>,
    /// Check this history, and ask no server.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["servers", "history", "fault", "fault_command"])]
    pub check: Option<PathBuf>,
    /// Write what the clients saw to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub history: Option<PathBuf>,
    /// Clients, each with a session of its own. They begin at the servers in turn.
    #[arg(short, long, default_value_t = 12, value_parser = clients, value_name = "N")]
    pub clients: usize,
    /// Operations in flight for each client, at most.
    #[arg(short, long, default_value_t = 4, value_parser = depth, value_name = "N")]
    pub depth: usize,
    /// Operations per second, all clients together.
    #[arg(short, long, default_value = "1000", value_name = "PER_SECOND", value_parser = rate)]
    pub rate: f64,
    /// How long.
    #[arg(short = 't', long, default_value = "30s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// Nodes that most operations are about: the fewer, the more they conflict.
    #[arg(short, long, default_value_t = 8, value_parser = keys, value_name = "N")]
    pub keys: usize,
    /// Do not check what a sync promises. The leader of a ZooKeeper ensemble answers a sync at once, though a follower may
    /// have acknowledged already what the leader itself has yet to apply.
    #[arg(long)]
    pub weak_sync: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub faults: FaultArgs,
    /// Time between two faults, from the return of the server. Without --fault and --fault-command there are none.
    #[arg(long, default_value = "3s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub fault_every: Duration,
    /// Session timeout to ask for; the server may grant another.
    #[arg(long, default_value = "6s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub session_timeout: Duration,
    /// Limit of an attempt to connect, after which the next server is tried.
    #[arg(long, default_value = "500ms", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub connect_timeout: Duration,
    /// Path under which all nodes are made.
    #[arg(long, default_value = "/loadgen", value_parser = prefix, value_name = "PATH")]
    pub prefix: String,
    /// Leave the nodes when all is done.
    #[arg(long)]
    pub keep: bool,
    /// Seed of what is asked, and of the moments of the faults. [default: from the clock, reported]
    #[arg(long, value_name = "N")]
    #[serde(skip)]
    pub seed: Option<u64>,
    /// Write settings, environment and results to this file as JSON; `-` is standard output, without the summary.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub json: Option<PathBuf>,
    /// Write the latencies of each kind of operation to this file as an HdrHistogram log, in nanoseconds.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub hdr_log: Option<PathBuf>,
    /// No progress, only the summary.
    #[arg(short, long)]
    #[serde(skip)]
    pub quiet: bool,
}

impl VerifyArgs {
    /// What no single flag can tell.
    ///
    /// # Errors
    /// Why these flags make no sense together.
    pub fn check(&self) -> Result<(), String> {
        if self.faults.chosen().is_some() { self.faults.check(&self.servers) } else { Ok(()) }
    }
}

fn clients(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000)
}

fn depth(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000)
}

fn keys(text: &str) -> Result<usize, String> {
    within(text, 2, 10_000)
}
