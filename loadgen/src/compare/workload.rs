//! A load that each variant is put under: a command of loadgen's own.

use crate::cli::{Cli, Command};
use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What preparing a run takes, about.
const PREPARING: Duration = Duration::from_secs(1);

/// A load.
#[derive(Clone, Debug, Serialize)]
pub struct Workload {
    /// What it is called.
    pub name: String,
    /// The command: `run`, `failover`, `watch`, `sessions` or `verify`.
    pub command: &'static str,
    /// Its options.
    pub options: Vec<String>,
    /// How long it takes, about.
    #[serde(skip)]
    pub planned: Duration,
    /// It breaks servers, and so needs some that survive.
    #[serde(skip)]
    pub breaks: bool,
}

/// A workload as the file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadFile {
    name: String,
    run: Option<String>,
    failover: Option<String>,
    watch: Option<String>,
    sessions: Option<String>,
    verify: Option<String>,
}

/// What a run of loadgen needs beside the options.
#[derive(Debug)]
pub struct Setting<'a> {
    /// The servers.
    pub addresses: &'a [String],
    /// Their processes.
    pub pids: &'a [u32],
    /// Where the result goes.
    pub json: &'a str,
    /// Where the latencies go.
    pub hdr_log: &'a str,
    /// Seed: the same for all variants of a repetition.
    pub seed: u32,
}

impl WorkloadFile {
    /// From a flag.
    pub fn run(options: &str) -> WorkloadFile {
        WorkloadFile { name: format!("run {options}"), run: Some(options.into()), ..WorkloadFile::default() }
    }

    /// From a flag.
    pub fn failover(options: &str) -> WorkloadFile {
        WorkloadFile { name: format!("failover {options}"), failover: Some(options.into()), ..WorkloadFile::default() }
    }

    /// The command and its options, if there is one and no other.
    fn command(self) -> Option<(&'static str, String)> {
        let WorkloadFile { run, failover, watch, sessions, verify, .. } = self;
        let all = [("run", run), ("failover", failover), ("watch", watch), ("sessions", sessions), ("verify", verify)];
        let mut given = all.into_iter().filter_map(|(command, options)| Some((command, options?)));
        given.next().filter(|_| given.next().is_none())
    }
}

impl Workload {
    /// Checks it as the command itself would.
    ///
    /// # Errors
    /// What the command would say of its options.
    pub fn new(file: WorkloadFile) -> Result<Workload> {
        let named = format!("workload {:?}", file.name);
        Workload::of(file).context(named)
    }

    fn of(file: WorkloadFile) -> Result<Workload> {
        let name = file.name.clone();
        let (command, options) = file.command().context(ONE_COMMAND)?;
        let options = shlex::split(&options).context("a quote is not closed")?;
        let mut workload = Workload { name, command, options, planned: Duration::ZERO, breaks: false };
        let addresses = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(str::to_owned);
        let setting = Setting { addresses: &addresses, pids: &[1], json: "-", hdr_log: "-", seed: 1 };
        let line = std::iter::once("loadgen".to_owned()).chain(workload.arguments(&setting));
        let cli = Cli::try_parse_from(line).map_err(|error| anyhow::anyhow!("{}", complaint(&error)))?;
        let (servers, planned, breaks) = scope(&cli.command)?;
        if servers != addresses.len() {
            bail!("the servers are those of the variants: leave -s away");
        }
        (workload.planned, workload.breaks) = (planned + PREPARING, breaks);
        Ok(workload)
    }

    /// The command line, without the program.
    pub fn arguments(&self, setting: &Setting<'_>) -> Vec<String> {
        let mut line = vec![self.command.to_owned(), "-s".into(), setting.addresses.join(",")];
        line.extend(self.options.iter().cloned());
        if ["run", "watch", "sessions"].contains(&self.command) && !setting.pids.is_empty() {
            let pids: Vec<String> = setting.pids.iter().map(ToString::to_string).collect();
            line.extend(["--server-pid".into(), pids.join(",")]);
        }
        let seeded = self.options.iter().any(|option| option == "--seed" || option.starts_with("--seed="));
        if ["run", "failover", "verify"].contains(&self.command) && !seeded {
            line.extend(["--seed".into(), setting.seed.to_string()]);
        }
        line.extend(["--quiet".into(), "--json".into(), setting.json.into()]);
        line.extend(["--hdr-log".into(), setting.hdr_log.into()]);
        line
    }
}

const ONE_COMMAND: &str = "either `run`, `failover`, `watch`, `sessions` or `verify` is needed, with options";

/// How many servers a command is about, how long it takes, about, and whether it breaks servers.
fn scope(command: &Command) -> Result<(usize, Duration, bool)> {
    Ok(match command {
        Command::Run(args) => {
            let plan = args.plan().map_err(anyhow::Error::msg)?;
            (plan.target.servers.len(), plan.warmup + plan.duration, false)
        }
        Command::Failover(args) => {
            args.faults.check(&args.servers).map_err(anyhow::Error::msg)?;
            let round = args.lead.mul_f64(1.5) + args.faults.downtime + args.settle + PREPARING;
            (args.servers.len(), round * args.rounds, true)
        }
        Command::Watch(args) => (args.target.servers.len(), PREPARING, false),
        Command::Sessions(args) => {
            args.check().map_err(anyhow::Error::msg)?;
            (args.servers.len(), args.duration + args.faults.downtime, args.faults.chosen().is_some())
        }
        Command::Verify(args) => {
            args.check().map_err(anyhow::Error::msg)?;
            (args.servers.len(), args.duration, args.faults.chosen().is_some())
        }
        _ => bail!(ONE_COMMAND),
    })
}

/// What clap says, without its advice about the command line.
fn complaint(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = text.find("\n\nUsage").or_else(|| text.find("\n\nFor more")).unwrap_or(text.len());
    text[..end].trim_end().to_owned()
}
