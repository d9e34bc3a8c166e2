//! `loadgen verify`: whether servers keep their promises, with or without faults.
//!
//! [`script`] says what clients ask, [`client`] asks it and writes down what comes back, [`wire`] translates, [`load`] drives
//! them; the [`history`] of all that is judged by [`check`], which knows of nothing else. [`latencies`] are by the way.

mod args;
pub mod check;
mod client;
mod history;
mod latencies;
mod load;
mod report;
mod script;
mod wire;

pub use args::VerifyArgs;

use crate::engine::{Clock, Nanos, SECOND, Stop, nanos};
use crate::faults::{self, Deed, Server, Striking};
use crate::hdr;
use crate::keyspace::KeySpace;
use crate::random::Random;
use crate::results::{Document, Status};
use crate::roaming::Dialling;
use crate::run::{Exit, seed_from};
use crate::times::Times;
use anyhow::{Context, Result};
use check::{Promises, Verdict};
use client::Client;
use history::{Ask, Entry, History};
use load::{Load, Plan};
use script::Script;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How long an ensemble gets to show that it is healthy, before anything is begun.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// How it ended.
    pub status: Status,
    /// What went wrong.
    pub failures: Vec<String>,
    /// Length of the load; `None` if a history was checked.
    pub seconds: Option<f64>,
    /// The faults.
    pub faults: Vec<FaultSeen>,
    /// Connections lost.
    pub connections_lost: u64,
    /// Sessions expired.
    pub sessions_expired: u64,
    /// How long the check took.
    pub check_seconds: f64,
    /// How long operations took that were done, by kind.
    pub latency_us: BTreeMap<&'static str, Times>,
    /// What the check says.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// A fault.
#[derive(Debug, Serialize)]
pub struct FaultSeen {
    server: String,
    led: bool,
    at_s: f64,
    back_s: f64,
}

#[derive(Serialize)]
struct Settings<'a> {
    #[serde(flatten)]
    args: &'a VerifyArgs,
    fault: Option<faults::Kind>,
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// What kept it from beginning at all.
pub fn verify(args: &VerifyArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let seed = args.seed.unwrap_or_else(|| seed_from(started));
    let found = match &args.check {
        Some(path) => judge(args, &history::read(path)?, Vec::new(), false),
        None => Run::begin(args, started, seed, stop)?.complete()?,
    };
    let exit = Exit::of(found.status, false);
    let document = Document::new("verify", started, Settings { args, fault: args.faults.chosen(), seed }, found);
    document.publish(args.json.as_deref(), |found| report::summary(&report::title(args), found))?;
    if let Some(path) = &args.hdr_log {
        let series = document.result().latency_us.iter().map(|(name, times)| (name, times.histogram()));
        hdr::write(path, (started, started.elapsed().unwrap_or_default()), series)?;
    }
    Ok(exit)
}

/// Checks a history, and draws the conclusions.
fn judge(args: &VerifyArgs, entries: &[Entry], mut failures: Vec<String>, interrupted: bool) -> Findings {
    let began = std::time::Instant::now();
    let verdict = check::check(entries, Promises { sync: !args.weak_sync });
    failures.extend(verdict.violations.iter().cloned());
    let status = match (failures.is_empty(), interrupted) {
        (false, _) => Status::Failed,
        (true, true) => Status::Interrupted,
        (true, false) => Status::Complete,
    };
    Findings {
        status,
        failures,
        seconds: None,
        faults: Vec::new(),
        connections_lost: entries.iter().filter(|entry| matches!(entry, Entry::Lost { .. })).count() as u64,
        sessions_expired: entries.iter().filter(|entry| matches!(entry, Entry::Expired { .. })).count() as u64,
        check_seconds: began.elapsed().as_secs_f64(),
        latency_us: latencies::of(entries),
        verdict,
    }
}

/// A run against servers.
struct Run<'a> {
    args: &'a VerifyArgs,
    servers: Vec<Server>,
    striking: Option<Striking>,
    dialling: Dialling,
    root: String,
    seed: u64,
    clock: Clock,
    stop: &'a Stop,
    history: History,
}

impl<'a> Run<'a> {
    /// Looks at the servers and makes the nodes that are needed.
    fn begin(args: &'a VerifyArgs, started: SystemTime, seed: u64, stop: &'a Stop) -> Result<Run<'a>> {
        let servers = faults::number(&args.servers);
        let clock = Clock::start();
        let striking = args.faults.chosen().map(|_| Striking::new(&servers, &args.faults, clock, stop));
        if let Some(striking) = &striking {
            striking.rehearse(FIRST_LOOK)?;
        }
        let dialling = Dialling {
            servers: servers.iter().map(|server| server.address).collect(),
            session_timeout: nanos(args.session_timeout),
            connect_timeout: nanos(args.connect_timeout),
        };
        let history = History::new(args.history.as_deref())?;
        let root = format!("{}/verify-{:08x}", args.prefix, (seed_from(started) >> 8) as u32);
        let mut run = Run { args, servers, striking, dialling, root, seed, clock, stop, history };
        run.prepare()?;
        Ok(run)
    }

    fn prepare(&mut self) -> Result<()> {
        let keys = KeySpace::new(&self.args.prefix, 1, 1)?;
        let node = |path: String| Ask::Create { path, data: String::new(), ephemeral: false, sequential: false };
        // The prefix may be there, so it is no part of the history.
        let mut aside = History::new(None)?;
        let client = Client::new(0, 0, Random::new(self.seed)).with_list(keys.ancestry().into_iter().map(node), false);
        let mut load = Load::new(&self.dialling, vec![client], self.clock, &mut aside)?;
        load.work_off(nanos(FIRST_LOOK), self.stop)?;
        load.finish()?;
        let client = Client::new(0, 0, Random::new(self.seed)).with_list(Script::beginning(&self.root), false);
        let mut load = Load::new(&self.dialling, vec![client], self.clock, &mut self.history)?;
        load.work_off(nanos(FIRST_LOOK), self.stop)?;
        load.finish()
    }

    /// The load, the reading of everything, the check.
    fn complete(mut self) -> Result<Findings> {
        let (args, servers) = (self.args, self.dialling.servers.len());
        let plan = Plan {
            rate: args.rate,
            depth: args.depth,
            duration: nanos(args.duration),
            fault_every: nanos(args.fault_every),
            seed: self.seed,
        };
        let began = self.clock.now();
        let clients = load::actors(args.clients, 1, servers, (&self.root, args.keys), self.seed);
        let mut load = Load::new(&self.dialling, clients, self.clock, &mut self.history)?;
        let played = load.play(plan, self.striking.as_ref(), self.stop);
        let seconds = (self.clock.now() - began) as f64 / 1e9;
        let finished = load.finish();
        let mut failures: Vec<String> = Vec::new();
        let deeds = played.unwrap_or_else(|error| {
            failures.push(format!("{error:#}"));
            Vec::new()
        });
        failures.extend(finished.err().map(|error| format!("{error:#}")));
        failures.extend(self.audit().err().map(|error| format!("cannot read back: {error:#}")));
        let interrupted = self.stop.is_set();
        let mut faults = Vec::new();
        for deed in deeds {
            match deed {
                Ok(deed) => faults.push(self.seen(began, &deed)),
                // Cut short in the middle of things: that is no failure of the servers.
                Err(_) if interrupted => {}
                Err(error) => failures.push(format!("{error:#}")),
            }
        }
        let entries = std::mem::replace(&mut self.history, History::new(None)?).finish()?;
        let mut found = judge(args, &entries, failures, interrupted);
        (found.seconds, found.faults) = (Some(seconds), faults);
        self.clean_up(&entries, found.status != Status::Failed);
        faults::tell_who_goes_on(&self.servers);
        Ok(found)
    }

    fn seen(&self, began: Nanos, deed: &Deed) -> FaultSeen {
        let s = |at: Nanos| at.saturating_sub(began) as f64 / 1e9;
        FaultSeen {
            server: self.servers[deed.target].to_string(),
            led: deed.led,
            at_s: s(deed.at),
            back_s: s(deed.back),
        }
    }

    /// Reads everything from every server.
    fn audit(&mut self) -> Result<()> {
        let path = || self.root.clone();
        let first = self.args.clients as u32 + 1;
        let reader = |server: usize| {
            let asks = [
                Ask::Sync { path: path() },
                Ask::Get { path: path(), watch: false },
                Ask::Children { path: path(), watch: false },
            ];
            Client::new(first + server as u32, server, Random::new(self.seed)).with_list(asks, true)
        };
        let readers = (0..self.dialling.servers.len()).map(reader).collect();
        let mut load = Load::new(&self.dialling, readers, self.clock, &mut self.history)?;
        // An interrupt that ended the load does not end this.
        load.work_off(AUDIT.min(nanos(self.args.faults.patience)), &Stop::default())?;
        load.finish()
    }

    /// Removes what was made; what is wrong is left to be looked at.
    fn clean_up(&self, entries: &[Entry], fine: bool) {
        if self.args.keep || !fine {
            eprintln!("loadgen: the nodes under {} are still there", self.root);
        } else if let Err(error) = self.clear(entries) {
            eprintln!("loadgen: removing nodes: {error:#}");
        }
    }

    fn clear(&self, entries: &[Entry]) -> Result<()> {
        let mut asks = load::removal(entries, &self.root);
        // If there is something else under the prefix, the server refuses that.
        asks.push(Ask::Delete { path: self.args.prefix.clone(), version: -1 });
        let mut aside = History::new(None)?;
        let client = Client::new(0, 0, Random::new(self.seed)).with_list(asks, false);
        let mut load = Load::new(&self.dialling, vec![client], self.clock, &mut aside)?;
        load.work_off(AUDIT, &Stop::default()).context("cleanup")?;
        load.finish()
    }
}

/// How long reading everything back may take.
const AUDIT: Nanos = 30 * SECOND;
