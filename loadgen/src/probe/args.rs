//! The command line of `probe`.

use super::Findings;
use crate::cli::within;
use crate::threshold::Limits;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  What a write to the disk under the current directory costs, by each way in which a server's log can do it:
      loadgen probe

  The disk that a server logs to, and the round trip to each server of an ensemble:
      loadgen probe --dir /var/lib/zookeeper -s zk1,zk2,zk3

  In a file, for reports; exit status 4 if the disk is not good enough:
      loadgen probe --dir /var/lib/zookeeper --json probe.json --fail-if 'buffered.p99 > 10ms'

What is measured: the time of one write of 4 KiB that has reached the disk when it ends, into space that was written before,
one write after the other. The ways take turns, so that a machine that drifts hurts all alike:
  uring-dsync      O_DIRECT|O_DSYNC through io_uring: one operation (Ringkeeper's log.driver=uring-dsync)
  uring-fdatasync  O_DIRECT through io_uring, then a sync through io_uring (log.driver=uring-fdatasync)
  pwrite-fdatasync O_DIRECT, then a sync, by system calls (log.driver=thread)
  pwrite-dsync     O_DIRECT|O_DSYNC by one system call
  buffered         a write to the page cache, then a sync, as ZooKeeper does it
A server that promises durability cannot answer a write of one lone client sooner than its disk and the way to it allow.
A round trip over loopback is that of two threads that wait in the kernel. The trip to a server is that of a session's
ping, which is answered without being ordered or logged.

Figures for --fail-if: each of the ways above, loopback, wake (on another core) and server (the farthest one), with .mean, .p50,
.p90, .p99, .p99.9, .p99.99 or .max.";

/// Measures what the machine allows: synchronous writes, round trips, wake-ups
///
/// A measured latency says little without its floor. No server is needed.
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen probe --help` for examples.")]
pub struct ProbeArgs {
    /// A directory of the file system that is to be measured. A file of 16 MiB is made there and removed again.
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Servers to which the round trip is measured, HOST or HOST:PORT.
    #[arg(short, long, value_name = "HOST:PORT,...", value_delimiter = ',')]
    pub servers: Vec<String>,
    /// Synchronous writes by each way.
    #[arg(short = 'n', long, default_value = "2000", value_parser = writes, value_name = "N")]
    pub writes: u32,
    #[command(flatten)]
    #[serde(flatten)]
    pub limits: Limits<Findings>,
    /// Write settings, environment and results to this file as JSON; `-` is standard output, without the summary.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub json: Option<PathBuf>,
    /// Write the times of each kind to this file as an HdrHistogram log, in nanoseconds.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub hdr_log: Option<PathBuf>,
}

fn writes(text: &str) -> Result<u32, String> {
    within(text, 1, 10_000_000).map(|n| n as u32)
}
