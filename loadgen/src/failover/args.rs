//! The command line of `failover`.

use super::findings::Findings;
use super::fleet::Rates;
use super::round::Plan;
use crate::cli::{prefix, rate, seconds, value_size, within};
use crate::engine::nanos;
use crate::faults::{FaultArgs, Server};
use crate::threshold::Limits;
use crate::units::parse_duration;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  Kill the leader of three servers on this machine ten times, and start it again each time as it was started before:
      loadgen failover -s 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183

  The leader stands still (SIGSTOP) instead of dying, as under a long garbage collection or a stuck hypervisor:
      loadgen failover -s 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 --fault pause --rounds 30

  Servers on other machines, killed and started through ssh; systemd units named after the server's id:
      loadgen failover -s 1=zk1:2181,2=zk2:2181,3=zk3:2181 \\
          --fault-command 'ssh {host} systemctl kill -s KILL zk@{id}' --start-command 'ssh {host} systemctl start zk@{id}'

  The leader is cut off from the others (its clients reach it all the same), and the cut is healed:
      loadgen failover -s zk1,zk2,zk3 \\
          --fault-command 'ssh {host} iptables -A INPUT -p tcp -m multiport --ports 2888,3888 -j DROP' \\
          --start-command 'ssh {host} iptables -D INPUT -p tcp -m multiport --ports 2888,3888 -j DROP'

  In continuous integration: exit status 4 if a failover took too long, or if anybody noticed who should not have:
      loadgen failover -s zk1,zk2,zk3 --restarts-itself --fault-command 'ssh {host} pkill -9 java' --rounds 20 \\
          --fail-if 'write-gap.p99 > 2s' --fail-if 'survivor-losses > 0' --json failover.json

What happens in a round: every client is connected to its own server, and writes and reads on a schedule that waits for
nobody. At a random moment the fault befalls the leader. When every client has written again, and after --downtime at
least, the server is started again (or goes on), still under load. Clients that lose their connection take their session
to another server at once, in random order, and come home before the next round.

What is measured: 'without a write' is the time from the last acknowledgement of a write before the fault to the first
after it, over all clients. Each client's own gap is reported apart for clients of the surviving servers and for those of
the server at fault; these have to find out first that it is gone, which takes two thirds of --session-timeout if it
stands still. Both kinds of gap cannot be shorter than the distance of writes on the schedule ('before the fault').
The time without a write around the change of leaders (the longest, unless the machine is busy) is divided by what the server that leads afterwards tells in mntr, if 4lw.commands.whitelist allows
it: when it noticed that the leader was gone, was elected, had its history with a quorum, and had something committed.
Ringkeeper tells all of it, ZooKeeper how long elections took. What is not told is '-', and what is left is unexplained: a few
microseconds if servers and loadgen share a clock, more if they are on machines whose clocks differ.
An operation in flight when its connection is lost is of unknown outcome: it counts neither as done nor as lost, and has
no latency.

At the end every write is read back from every server, after a sync. An acknowledged write that is missing anywhere fails
the run, and so do servers that differ in writes of unknown outcome, and reads that do not find what the same client wrote.

The placeholders of commands are {id}, {host}, {port}, {server} (address and port), and {pid} if the process is known.
Figures for --fail-if: write-gap, detect, elect, synchronise, first-commit, answer, steady-gap, return-gap, survivor-gap,
displaced-gap and back with .p50, .p90, .p99 or .max;
survivor-losses, survivor-unknown, losses, unknown, expired, errors.";

/// Measures what clients notice when a server dies, stands still or is cut off
///
/// It finds the leader, does the damage, has the server started again, and does so for as many rounds as it is told. It
/// needs nothing from the servers but the client protocol and the four-letter word srvr; mntr tells what a failover consists of.
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen failover --help` for examples.")]
pub struct FailoverArgs {
    /// All servers of the ensemble, HOST:PORT or ID=HOST:PORT. The id is for commands; without it, servers count from 1.
    #[arg(short, long, value_name = "[ID=]HOST:PORT,...", required = true, value_delimiter = ',')]
    pub servers: Vec<Server>,
    #[command(flatten)]
    #[serde(flatten)]
    pub faults: FaultArgs,
    /// How often.
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rounds: u32,
    /// Clients of each server.
    #[arg(short, long, default_value_t = 2, value_parser = clients, value_name = "N")]
    pub clients: usize,
    /// Writes per second, all clients together.
    #[arg(long, default_value = "600", value_name = "PER_SECOND", value_parser = rate)]
    pub write_rate: f64,
    /// Reads per second, all clients together; 0 is none.
    #[arg(long, default_value = "300", value_name = "PER_SECOND", value_parser = rate_or_none)]
    pub read_rate: f64,
    /// Load before the fault: the moment is drawn between this and twice this.
    #[arg(long, default_value = "1s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub lead: Duration,
    /// Load after the server's return.
    #[arg(long, default_value = "1s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub settle: Duration,
    /// Session timeout to ask for; the server may grant another.
    #[arg(long, default_value = "6s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub session_timeout: Duration,
    /// Limit of an attempt to connect, after which the next server is tried. Client libraries allow more (Java's the session
    /// timeout divided by the number of servers) and wait before they try again; this is to measure the servers.
    #[arg(long, default_value = "500ms", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub connect_timeout: Duration,
    /// Bytes of each value, at least: a value names its write. 4k is 4096.
    #[arg(short, long, default_value = "100", value_parser = value_size, value_name = "BYTES")]
    pub value_size: usize,
    /// Path under which all nodes are made.
    #[arg(long, default_value = "/loadgen", value_parser = prefix, value_name = "PATH")]
    pub prefix: String,
    /// Leave the nodes when all is done.
    #[arg(long)]
    pub keep: bool,
    /// Seed of the moments of the faults. [default: from the clock, reported]
    #[arg(long, value_name = "N")]
    #[serde(skip)]
    pub seed: Option<u64>,
    #[command(flatten)]
    #[serde(flatten)]
    pub limits: Limits<Findings>,
    /// Write settings, environment and results to this file as JSON; `-` is standard output, without the summary.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub json: Option<PathBuf>,
    /// Write the latencies to this file as an HdrHistogram log.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub hdr_log: Option<PathBuf>,
    /// No progress, only the summary.
    #[arg(short, long)]
    #[serde(skip)]
    pub quiet: bool,
}

impl FailoverArgs {
    /// The times of a round.
    pub fn plan(&self) -> Plan {
        Plan {
            rates: Rates { writes: self.write_rate, reads: self.read_rate },
            lead: nanos(self.lead),
            downtime: nanos(self.faults.downtime),
            settle: nanos(self.settle),
            patience: nanos(self.faults.patience),
        }
    }
}

fn clients(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000)
}

fn rate_or_none(text: &str) -> Result<f64, String> {
    if text.trim() == "0" { Ok(0.0) } else { rate(text) }
}
