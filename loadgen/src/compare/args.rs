//! The command line of `compare`.

use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  Two ways to write the log, three servers each, three repetitions in turn (A B A B A B):
      loadgen compare -o drivers --variant 'a=ringkeeper log.driver=uring-dsync' --variant 'b=ringkeeper log.driver=thread' \\
          --run '-c 64 -d 64 --read-ratio 0' --run '-c 1 --read-ratio 0'

  Ringkeeper beside Debian's ZooKeeper, with a failover of each:
      loadgen compare -o beside --variant ringkeeper --variant zookeeper --run '-c 64 --read-ratio 0' --failover '-n 5'

  Two builds of a server, in continuous integration: exit status 4 if the new one is worse by more than the noise:
      loadgen compare -o builds --variant 'old=ringkeeper:/opt/old/ringkeeper' --variant 'new=ringkeeper:target/release/ringkeeper' \\
          --run '-c 64 -d 64' --repetitions 5 --baseline old --fail-if-worse

  From a file, which can say more; --plan only tells what would be done and how long it would take:
      loadgen compare beside-zookeeper.toml -o results --plan

The file:
      title = \"Log drivers\"
      servers = 3                        # of each ensemble
      repetitions = 3
      baseline = \"zookeeper\"             # compare the others with this one; without it, each pair
      [settings]                         # of all variants that are not commands: any key of zoo.cfg
      tickTime = 2000
      [[variant]]
      name = \"ringkeeper\"                # kind is ringkeeper, zookeeper or command; the first unless given
      binary = \"/opt/ringkeeper\"         # unless given, the program ringkeeper beside loadgen, or on the PATH
      [variant.settings]
      snapCount = 500000
      [variant.matrix]                   # a variant for each combination
      log.driver = [\"uring-dsync\", \"thread\"]
      log.durability = [\"always\", \"os\"]
      [[variant]]
      name = \"zookeeper\"
      kind = \"zookeeper\"
      class_path = \"/usr/share/java/*\"   # and java = \"/usr/bin/java\"; unless given, Debian's
      jvm = [\"-Xmx1g\"]
      [[variant]]
      name = \"containers\"
      kind = \"command\"                   # {dir} is a fresh directory
      start = \"docker compose up -d\"
      stop = \"docker compose down\"
      addresses = [\"127.0.0.1:2181\", \"127.0.0.1:2182\", \"127.0.0.1:2183\"]
      pids = \"pgrep -f clickhouse-keeper\" # unless given, whoever listens on the addresses
      [[workload]]
      name = \"writes 64 x 64\"
      run = \"-c 64 -d 64 --read-ratio 0 --warmup 2s --duration 5s\"     # as `loadgen run --help` tells
      [[workload]]
      name = \"leader killed\"
      failover = \"--fault kill --rounds 5\"                            # as `loadgen failover --help` tells
      [[workload]]
      name = \"fan-out\"
      watch = \"--watchers 1000\"                                       # and so are sessions and verify

What is done: in each repetition each variant is started with fresh data, gets all workloads in turn, and is stopped. The
repetitions take turns, so that a machine that drifts hurts all alike. A figure is the median of the repetitions with their
least and greatest; a difference counts as noise if these ranges overlap, or if it is smaller than the wider of them or than 2 %.

What is written: compare.md with the tables and what follows from them, compare.json with the same and every result,
report.html and pictures/ to look at, runs/ with the JSON, the latencies (HdrHistogram logs) and the output of
every run, logs/ with what the servers said.";

/// Compares settings or systems: starts them in turn, puts the same load on each, tells what differs and what is noise
///
/// Ensembles run on this machine, each with fresh data. Leave the machine alone meanwhile.
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen compare --help` for examples and the form of the file.")]
pub struct CompareArgs {
    /// What to compare, and under which loads: a TOML file.
    #[arg(value_name = "FILE")]
    pub definition: Option<PathBuf>,
    /// Directory for everything that is written. Made if it is missing; one with results is refused.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// A variant: KIND, KIND:PROGRAM, NAME=KIND or NAME=KIND:PROGRAM, and settings. Beside those of the file.
    #[arg(long, value_name = "[NAME=]KIND [KEY=VALUE ...]")]
    pub variant: Vec<String>,
    /// A workload of `loadgen run` with these options. Beside those of the file.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub run: Vec<String>,
    /// A workload of `loadgen failover` with these options.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub failover: Vec<String>,
    /// Servers of each ensemble. [default: of the file, or 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub servers: Option<u8>,
    /// How often each variant is measured. [default: of the file, or 3]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub repetitions: Option<u32>,
    /// The variant that the others are compared with. [default: of the file, or each pair is compared]
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Exit with status 4 if a figure of another variant is worse than the baseline's by more than the noise.
    #[arg(long)]
    pub fail_if_worse: bool,
    /// Directory under which servers keep their data while they run. Its disk is what is measured.
    #[arg(long, default_value = "target/compare", value_name = "DIR")]
    pub dir: PathBuf,
    /// Tell what would be done, and do nothing.
    #[arg(long)]
    #[serde(skip)]
    pub plan: bool,
    /// No progress, only the tables.
    #[arg(short, long)]
    #[serde(skip)]
    pub quiet: bool,
}
