//! `loadgen sessions`: many sessions that ask nothing are opened, held, and taken up again when their server dies.
//!
//! [`dormitory`] keeps them; [`findings`] is what became of them.

mod args;
mod dormitory;
mod findings;

pub use args::SessionsArgs;

use crate::cpu::{self, Usage};
use crate::engine::{Clock, Nanos, Stop, nanos};
use crate::faults::{self, Deed, Errand, Striking};
use crate::random::Random;
use crate::results::{Document, Percentiles, Status};
use crate::roaming::Dialling;
use crate::run::{Exit, check_means};
use crate::stats::latency_histogram;
use crate::{hdr, units};
use anyhow::Result;
use dormitory::{Dormitory, Sleeper};
use findings::{Findings, summary};
use hdrhistogram::Histogram;
use std::time::{Duration, SystemTime};

/// How long an ensemble gets to show that it is healthy, before anything is begun.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// Runs the command.
///
/// # Errors
/// What kept it from beginning at all.
pub fn sessions(args: &SessionsArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let sessions = usize::try_from(args.sessions)?;
    check_means(sessions, &args.output)?;
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
    let mut dormitory = Dormitory::new(sessions, dialling, clock)?;
    let found = measure(args, &mut dormitory, striking, stop)?;
    let (pings, back) = (series(&dormitory, |sleeper| &sleeper.pings), series(&dormitory, |sleeper| &sleeper.gaps));
    dormitory.close();
    let found = Findings { ping_us: Percentiles::new(&pings), back_us: Percentiles::new(&back), ..found };
    if let Some(path) = &args.output.hdr_log {
        hdr::write(path, (started, started.elapsed().unwrap_or_default()), [("ping", &pings), ("back", &back)])?;
    }
    faults::tell_who_goes_on(&servers);
    publish(args, started, found)
}

/// Prints the summary, writes the document, and judges.
fn publish(args: &SessionsArgs, started: SystemTime, found: Findings) -> Result<Exit> {
    let document = Document::new("sessions", started, args, found);
    document.publish(args.output.json.as_deref(), |found| summary(args, found))?;
    Ok(args.limits.judge(document.result().status, document.result()))
}

/// Opens the sessions, holds them, and has a server fail.
fn measure(
    args: &SessionsArgs,
    dormitory: &mut Dormitory,
    striking: Option<Striking>,
    stop: &Stop,
) -> Result<Findings> {
    let mut found = open_and_hold(args, dormitory, stop)?;
    dormitory.failed_attempts = 0;
    if let Some(striking) = striking.filter(|_| !stop.is_set() && found.failures.is_empty()) {
        match storm(dormitory, &striking, nanos(args.faults.patience), stop) {
            Ok(ms) => found.all_back_ms = Some(ms),
            Err(_) if stop.is_set() => {}
            Err(error) => found.failures.push(format!("{error:#}")),
        }
    }
    found.failed_attempts = dormitory.failed_attempts;
    found.connections_lost = dormitory.sleepers().map(|sleeper| sleeper.lost).sum();
    found.sessions_expired = dormitory.sleepers().map(|sleeper| sleeper.expired).sum();
    found.pings = dormitory.sleepers().map(|sleeper| sleeper.pings.len() as u64).sum();
    let (lost, expired) = (found.lost_while_held, found.sessions_expired);
    found.failures.extend(unaccepted(args, "expired", expired, "sessions expired"));
    let unprovoked = "connections were lost while nothing was done to a server";
    found.failures.extend(unaccepted(args, "lost", lost, unprovoked));
    found.status = Status::of(&found.failures, stop);
    Ok(found)
}

fn open_and_hold(args: &SessionsArgs, dormitory: &mut Dormitory, stop: &Stop) -> Result<Findings> {
    let pids = &args.output.server_pid;
    let usage = || (!pids.is_empty()).then(|| cpu::of_processes(pids).ok()).flatten();
    let (empty, began) = (usage(), dormitory.now());
    dormitory.open(nanos(args.faults.patience), stop, args.output.quiet)?;
    let opening = (dormitory.now() - began).max(1);
    let (before, held_from) = (usage(), dormitory.now());
    let failure = dormitory.hold(nanos(args.duration), stop).err();
    let (after, held) = (usage(), (dormitory.now() - held_from).max(1));
    Ok(Findings {
        failures: failure.iter().map(|error| format!("{error:#}")).collect(),
        opened: args.sessions,
        opened_per_second: args.sessions as f64 * 1e9 / opening as f64,
        rss_bytes_before: empty.map(|usage| usage.rss_bytes),
        rss_bytes_per_session: growth(empty, after).map(|growth| growth / args.sessions as f64),
        server_core_percent: before.zip(after).map(|(b, a)| a.cpu.since(&b.cpu).total_us() * 1e5 / held as f64),
        lost_while_held: dormitory.sleepers().map(|sleeper| sleeper.lost).sum(),
        ..Findings::default()
    })
}

/// What is a failure unless the user has set a threshold for it.
fn unaccepted(args: &SessionsArgs, figure: &str, n: u64, what: &str) -> Option<String> {
    (n > 0 && !args.limits.has(figure)).then(|| format!("{} {what}", units::count(n as f64)))
}

fn growth(before: Option<Usage>, after: Option<Usage>) -> Option<f64> {
    before.zip(after).map(|(before, after)| after.rss_bytes as f64 - before.rss_bytes as f64)
}

fn series(dormitory: &Dormitory, of: fn(&Sleeper) -> &Vec<Nanos>) -> Histogram<u64> {
    let mut histogram = latency_histogram();
    dormitory.sleepers().flat_map(of).for_each(|time| histogram.saturating_record(*time));
    histogram
}

/// A fault; the time in milliseconds until all sessions were connected again.
fn storm(dormitory: &mut Dormitory, striking: &Striking, patience: Nanos, stop: &Stop) -> Result<f64> {
    dormitory.may_leave();
    let under_way: Errand<Deed> = striking.begin(Random::new(1), |_| ());
    let mut whole_since = dormitory.now();
    let deed = loop {
        if let Some(deed) = under_way.outcome() {
            break deed?;
        }
        let whole = dormitory.all_there();
        dormitory.pass(usize::MAX)?;
        if !whole && dormitory.all_there() {
            whole_since = dormitory.now();
        }
    };
    if !dormitory.all_there() {
        dormitory.await_all(patience, stop)?;
        whole_since = dormitory.now();
    }
    Ok(whole_since.saturating_sub(deed.at) as f64 / 1e6)
}
