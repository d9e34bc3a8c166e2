//! `loadgen failover`: what clients notice when a server dies, stands still or is cut off.
//!
//! Pure, and tested alone: [`ledger`] (what became of each write), [`gaps`], [`findings`] (from what happened to figures),
//! [`figures`], [`phases`] (what a gap is made of), and the comparison in [`verify`]. The rest does what they need: [`fleet`] and [`client`] hold sessions that
//! survive their servers, [`crate::faults`] does the damage and undoes it, and [`round`] puts these in an order.

mod args;
mod client;
mod course;
mod figures;
mod findings;
mod fleet;
mod gaps;
mod ledger;
mod phases;
mod readings;
mod report;
mod requests;
mod round;
mod tape;
mod tree;
mod verify;

pub use args::FailoverArgs;
pub use phases::{Phases, of_result as phases_of};

use crate::engine::{Clock, Failure, Options, Stop, nanos};
use crate::faults::{self, Errand, Method, Server};
use crate::keyspace::KeySpace;
use crate::random::Random;
use crate::results::Document;
use crate::roaming::Dialling;
use crate::run::{Exit, seed_from};
use crate::{cpu, hdr};
use anyhow::Result;
use findings::{Findings, Gathering};
use fleet::Fleet;
use ledger::Ledger;
use readings::Reading;
use round::{Played, Round};
use serde::Serialize;
use std::process::Child;
use std::time::{Duration, SystemTime};
use tree::Gardener;
use verify::Verification;

/// How long an ensemble gets to show that it is healthy, before anything is begun.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Operations in flight while writes are read back and removed.
const DEPTH: usize = 64;

#[derive(Serialize)]
struct Settings<'a> {
    #[serde(flatten)]
    args: &'a FailoverArgs,
    fault: faults::Kind,
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// What kept it from beginning at all.
pub fn failover(args: &FailoverArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let seed = args.seed.unwrap_or_else(|| seed_from(started));
    let run = (seed_from(started) >> 8) as u32;
    let mut campaign = Campaign::begin(args, run, seed, stop)?;
    let failures: Vec<String> = campaign.rounds().err().iter().map(|error| format!("{error:#}")).collect();
    let (found, histograms) = campaign.end(failures);
    if let Some(path) = &args.hdr_log {
        hdr::write(path, (started, started.elapsed().unwrap_or_default()), histograms.named())?;
    }
    publish(args, seed, started, found)
}

/// Prints the summary, writes the document, and judges.
fn publish(args: &FailoverArgs, seed: u64, started: SystemTime, found: Findings) -> Result<Exit> {
    let document = Document::new("failover", started, Settings { args, fault: args.faults.kind(), seed }, found);
    document.publish(args.json.as_deref(), |found| report::summary(&report::title(args), found))?;
    Ok(args.limits.judge(document.result().status, document.result()))
}

/// A run.
struct Campaign<'a> {
    args: &'a FailoverArgs,
    servers: Vec<Server>,
    method: Method,
    keys: KeySpace,
    clock: Clock,
    stop: &'a Stop,
    fleet: Fleet,
    random: Random,
    gathering: Gathering,
    /// Servers that were started by us. They go on when loadgen has ended.
    processes: Vec<Child>,
    /// Processor time and clock when the load began.
    since: (f64, u64),
}

impl<'a> Campaign<'a> {
    /// Looks at the ensemble and makes the nodes that are needed.
    fn begin(args: &'a FailoverArgs, run: u32, seed: u64, stop: &'a Stop) -> Result<Campaign<'a>> {
        let servers = faults::number(&args.servers);
        let keys = KeySpace::new(&args.prefix, 1, 1)?;
        let method = args.faults.method();
        let leader = faults::await_leader(&servers, FIRST_LOOK, stop)?;
        // Whatever keeps the fault from being set off is said before anything is written.
        for server in &servers {
            method.aim(server)?;
        }
        let clock = Clock::start();
        let clients = args.clients * servers.len();
        let ledger = Ledger::new(&args.prefix, run, clients, args.value_size);
        let mut gardener = Gardener::hire(servers[leader].address, options(args), clock, args.quiet)?;
        gardener.plant(&keys, &ledger, clients)?;
        gardener.dismiss();
        let dialling = Dialling {
            servers: servers.iter().map(|server| server.address).collect(),
            session_timeout: nanos(args.session_timeout),
            connect_timeout: nanos(args.connect_timeout),
        };
        let fleet = Fleet::new(dialling, args.clients, ledger, clock, seed)?;
        let since = (cpu::own().total_us(), clock.now());
        let (random, gathering) = (Random::new(seed), Gathering::default());
        Ok(Campaign {
            args,
            servers,
            method,
            keys,
            clock,
            stop,
            fleet,
            random,
            gathering,
            processes: Vec::new(),
            since,
        })
    }

    /// Plays all rounds.
    fn rounds(&mut self) -> Result<()> {
        for number in 1..=self.args.rounds {
            if self.stop.is_set() {
                break;
            }
            let played = match self.round() {
                Ok(Some(played)) => played,
                Ok(None) => break,
                // Cut short in the middle of things: that is no failure of the servers.
                Err(_) if self.stop.is_set() => break,
                Err(error) => return Err(error.context(format!("round {number}"))),
            };
            let line =
                report::line(number as usize, self.args.rounds, self.gathering.add(&played.record, &self.servers));
            if !self.args.quiet {
                eprintln!("{line}");
            }
            self.processes.extend(played.process);
            if let Some(failure) = played.failure {
                return Err(anyhow::Error::msg(failure).context(format!("round {number}")));
            }
        }
        Ok(())
    }

    /// One round; `None` if it was interrupted.
    fn round(&mut self) -> Result<Option<Played>> {
        // Those that were killed again are not to stay as zombies.
        self.processes.retain_mut(|process| matches!(process.try_wait(), Ok(None)));
        let leader = self.leader()?;
        let before = self.readings()?;
        let target = self.args.faults.target.choose(leader, self.servers.len(), &mut self.random);
        let fault = self.method.aim(&self.servers[target])?;
        let mut round = Round { fleet: &mut self.fleet, plan: self.args.plan(), stop: self.stop };
        round.gather()?;
        if self.stop.is_set() {
            return Ok(None);
        }
        let mut played = round.play(fault, leader, target, &mut self.random)?;
        if let Some(played) = &mut played {
            played.record.change = readings::change(&before, &self.readings()?, played.record.fault_us);
        }
        Ok(played)
    }

    /// Waits for a healthy ensemble, while the sessions are kept alive.
    fn leader(&mut self) -> Result<usize> {
        let (servers, patience, stop) = (self.servers.clone(), self.args.faults.patience, self.stop.clone());
        self.meanwhile(&Errand::begin(move || faults::await_leader(&servers, patience, &stop)))
    }

    /// What the servers tell of their elections.
    fn readings(&mut self) -> Result<Vec<Reading>> {
        let servers = self.servers.clone();
        self.meanwhile(&Errand::begin(move || Ok(readings::ask(&servers))))
    }

    /// Keeps the sessions alive until an errand is done.
    fn meanwhile<T: Send + 'static>(&mut self, errand: &Errand<T>) -> Result<T> {
        loop {
            if let Some(outcome) = errand.outcome() {
                return outcome;
            }
            self.fleet.pass(self.fleet.now() + GLANCE)?;
        }
    }

    /// Reads everything back, removes it, and draws the conclusions.
    fn end(self, mut failures: Vec<String>) -> (Findings, findings::Latencies<hdrhistogram::Histogram<u64>>) {
        let interrupted = self.stop.is_set();
        let (cpu_us, began) = self.since;
        let busy = (cpu::own().total_us() - cpu_us) * 1e3 / (self.clock.now() - began).max(1) as f64;
        let Campaign { args, servers, keys, clock, fleet, gathering, .. } = self;
        let aftermath = Aftermath { args, servers: &servers, keys: &keys, clock, ledger: &fleet.close() };
        let verification = aftermath.verify(&mut failures);
        faults::tell_who_goes_on(&servers);
        // What is wrong is left to be looked at.
        let fine = failures.is_empty() && verification.as_ref().is_some_and(|found| found.breaches.is_empty());
        if args.keep || !fine {
            eprintln!("loadgen: the nodes under {} are still there", aftermath.ledger.root());
        } else if let Err(failure) = aftermath.clear() {
            eprintln!("loadgen: removing nodes: {failure}");
        }
        let histograms = gathering.histograms().clone();
        (gathering.conclude(failures, interrupted, verification, busy), histograms)
    }
}

/// What is done when the load is over.
struct Aftermath<'a> {
    args: &'a FailoverArgs,
    servers: &'a [Server],
    keys: &'a KeySpace,
    clock: Clock,
    ledger: &'a Ledger,
}

impl Aftermath<'_> {
    /// Reads every write back from every server; `None` if that went with no server.
    fn verify(&self, failures: &mut Vec<String>) -> Option<Verification> {
        let mut holdings = Vec::new();
        for server in self.servers {
            match verify::read_back(self.ledger, server.address, &options(self.args), self.clock) {
                Ok(held) => holdings.push((server.to_string(), held)),
                Err(failure) => failures.push(format!("cannot read back: {failure}")),
            }
        }
        (!holdings.is_empty()).then(|| Verification::of(self.ledger, &holdings))
    }

    /// Removes what was made.
    fn clear(&self) -> Result<(), Failure> {
        let (server, clients) = (self.servers[0].address, self.args.clients * self.servers.len());
        let mut gardener = Gardener::hire(server, options(self.args), self.clock, self.args.quiet)?;
        gardener.clear(self.keys, self.ledger, clients)?;
        gardener.dismiss();
        Ok(())
    }
}

/// How often what goes on beside the clients is looked at.
const GLANCE: u64 = 10_000_000;

/// How sessions are held that do not have to survive.
fn options(args: &FailoverArgs) -> Options {
    Options {
        depth: DEPTH,
        session_timeout: nanos(args.session_timeout.max(Duration::from_secs(10))),
        connect_timeout: nanos(Duration::from_secs(10)),
    }
}
