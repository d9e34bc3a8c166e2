//! The command line of `sessions`.

use super::findings::Findings;
use crate::cli::{OutputArgs, positive_count, seconds};
use crate::faults::{FaultArgs, Server};
use crate::threshold::Limits;
use crate::units::parse_duration;
use clap::Args;
use serde::Serialize;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  Three thousand sessions at three servers, what they cost, and how they come back when the leader is killed:
      loadgen sessions -s 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 -n 3000 --fault kill

  What 10,000 idle sessions cost the server in memory and processor time:
      loadgen sessions -s 127.0.0.1:2181 -n 10k --duration 60s --server-pid $(pgrep -d, ringkeeper)

  In continuous integration: exit status 4 if it takes too long until all are back, or if a session expires:
      loadgen sessions -s zk1,zk2,zk3 -n 5k --restarts-itself --fault-command 'ssh {host} pkill -9 java' \\
          --fail-if 'all-back > 5s' --fail-if 'expired > 0'

ZooKeeper limits the connections of one address (maxClientCnxns=60): set it to 0 for this. From one address to one
address there are at most some 28,000 local ports; a server that listens on several addresses can be named by them:
      loadgen sessions -s 127.0.0.1,127.0.0.2,127.0.0.3 -n 80k

Sessions are kept as a client must keep them: a ping after a third of the session timeout in which nothing was sent. One that
loses its connection goes to another server at once. A session that expires, and a connection that is lost while nothing was
done to a server, end in exit status 1; who sets a threshold for expired or for lost accepts what is below it.

Figures for --fail-if: ping (from sending it to its answer) and back (from the loss of a connection to the next one) with .mean,
.p50, .p90, .p99, .p99.9, .p99.99 or .max; all-back (from the fault until every session was connected); opened (per second),
lost (connections, while the sessions were held), expired, failed-attempts, memory (the servers' bytes for each session) and
core (the percentage of a core that the servers used while the sessions were held).";

/// Opens many sessions, holds them, and measures how they come back after a fault
///
/// Without a fault, it measures what idle sessions cost.
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen sessions --help` for examples.")]
pub struct SessionsArgs {
    /// The servers, HOST:PORT or ID=HOST:PORT. The id is for commands; without it, servers count from 1.
    #[arg(short, long, value_name = "[ID=]HOST:PORT,...", default_value = "127.0.0.1:2181", value_delimiter = ',')]
    pub servers: Vec<Server>,
    /// Sessions to open; 10k is 10,000.
    #[arg(short = 'n', long, default_value = "1000", value_parser = positive_count, value_name = "N")]
    pub sessions: u64,
    /// How long to hold them once all are open, before a fault.
    #[arg(short = 't', long, default_value = "10s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// Session timeout to ask for; the server may grant another.
    #[arg(long, default_value = "10s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub session_timeout: Duration,
    /// Limit of an attempt to connect, after which the next server is tried.
    #[arg(long, default_value = "2s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub connect_timeout: Duration,
    #[command(flatten)]
    #[serde(flatten)]
    pub faults: FaultArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub limits: Limits<Findings>,
    #[command(flatten)]
    #[serde(flatten)]
    pub output: OutputArgs,
}

impl SessionsArgs {
    /// What no single flag can tell.
    ///
    /// # Errors
    /// Why these flags make no sense together.
    pub fn check(&self) -> Result<(), String> {
        if self.faults.chosen().is_some() { self.faults.check(&self.servers) } else { Ok(()) }
    }
}
