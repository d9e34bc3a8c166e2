//! `loadgen sessions`: many sessions that ask nothing are opened, held, and taken up again when their server dies.

use crate::cli::{OutputArgs, positive_count, seconds};
use crate::cpu;
use crate::engine::{Arrived, Clock, Connection, Failure, Nanos, SECOND, Stop, nanos};
use crate::faults::{self, Errand, FaultArgs, Server, Striking};
use crate::random::Random;
use crate::results::{Document, Percentiles, Status};
use crate::roaming::{Dialling, Roamer, Stage, Traveller};
use crate::run::{Exit, check_means};
use crate::stats::latency_histogram;
use crate::units::{bytes, count, duration, parse_duration};
use anyhow::{Result, bail};
use clap::Args;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::{Duration, SystemTime};

const EXAMPLES: &str = "\
Examples:
  Three thousand sessions at three servers, what they cost, and how they come back when the leader is killed:
      loadgen sessions -s 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 -n 3000 --fault kill

  Only held, with their servers' memory:
      loadgen sessions -s 127.0.0.1:2181 -n 10k --duration 60s --server-pid $(pidof ringkeeper)

ZooKeeper limits the connections of one address (maxClientCnxns=60): set it to 0 for this. A session that expires fails the run.";

/// Opens many sessions, holds them, and measures how they come back after a fault
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen sessions --help` for examples.")]
pub struct SessionsArgs {
    /// The servers, HOST:PORT or ID=HOST:PORT. The id is for commands; without it, servers count from 1.
    #[arg(short, long, value_name = "[ID=]HOST:PORT,...", required = true, value_delimiter = ',')]
    pub servers: Vec<Server>,
    /// Sessions to open; 10k is 10,000.
    #[arg(short = 'n', long, default_value = "1000", value_parser = positive_count, value_name = "N")]
    pub sessions: u64,
    /// How long to hold them once all are open.
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

/// What was found.
#[derive(Debug, Serialize)]
struct Findings {
    status: Status,
    failures: Vec<String>,
    opened: u64,
    opened_per_second: f64,
    rss_bytes_before: Option<u64>,
    rss_bytes_per_session: Option<f64>,
    server_core_percent: Option<f64>,
    connections_lost: u64,
    sessions_expired: u64,
    /// From the fault until every session was connected.
    all_back_ms: Option<f64>,
    /// Of each session, from the loss of its connection to the next one, microseconds.
    back_us: Option<Percentiles>,
    /// Attempts to connect that failed after the sessions were open.
    failed_attempts: u64,
}

/// One session.
#[derive(Default)]
struct Sleeper {
    lost_at: Option<Nanos>,
    gaps: Vec<Nanos>,
    lost: u64,
    expired: u64,
}

impl Traveller for Sleeper {
    fn established(&mut self, _: &mut Connection, now: Nanos) {
        self.gaps.extend(self.lost_at.take().map(|lost| now - lost));
    }

    fn ask(&mut self, _: &mut Connection, _: Nanos) {}

    fn heed(&mut self, connection: &mut Connection, arrived: Arrived<'_>, _: Nanos) -> Result<(), Failure> {
        match arrived {
            Arrived::Reply { .. } | Arrived::Event { .. } => Err(connection.breach("answer to nothing".into())),
            _ => Ok(()),
        }
    }

    fn lost(&mut self, _: &Connection, _: &Failure, now: Nanos) {
        self.lost += 1;
        self.lost_at = Some(now);
    }

    fn expired(&mut self, _: Nanos) {
        self.expired += 1;
    }
}

struct Dormitory {
    stage: Stage,
    clock: Clock,
    dialling: Dialling,
    beds: Vec<(Roamer, Sleeper)>,
    failed_attempts: u64,
}

/// Handshakes under way at a time while sessions are opened: fewer than the shortest usual listen backlog (ZooKeeper's 50).
const HANDSHAKES: usize = 32;

impl Dormitory {
    fn pass(&mut self, at_a_time: usize) -> Result<(), Failure> {
        let now = self.clock.now();
        let Dormitory { stage, clock, dialling, beds, failed_attempts } = self;
        let mut dialling_now = beds.iter().filter(|(roamer, _)| roamer.is_dialling()).count();
        for (roamer, sleeper) in beds.iter_mut() {
            if !roamer.is_connected() && !roamer.is_dialling() && roamer.wake() <= now {
                if dialling_now >= at_a_time {
                    continue;
                }
                dialling_now += 1;
                *failed_attempts += u64::from(roamer.attempts() > 1);
            }
            roamer.tend(dialling, stage.registry(), now, sleeper)?;
        }
        stage.sleep(now + SECOND / 100)?;
        stage.attend(|at, _, scratch| {
            let (roamer, sleeper) = &mut beds[at];
            roamer.serve(dialling, scratch, *clock, sleeper)
        })
    }

    fn all_there(&self) -> bool {
        self.beds.iter().all(|(roamer, _)| roamer.is_connected())
    }

    fn await_all(&mut self, at_a_time: usize, patience: Nanos, stop: &Stop) -> Result<()> {
        let deadline = self.clock.now() + patience;
        while !self.all_there() {
            if stop.is_set() {
                bail!(Failure::Interrupted);
            }
            if self.clock.now() > deadline {
                let missing: Vec<&Roamer> = self.beds.iter().map(|(r, _)| r).filter(|r| !r.is_connected()).collect();
                let why = missing.first().map_or("", |roamer| roamer.trouble());
                bail!("{} sessions are not connected after {} s: {why}", missing.len(), patience / SECOND);
            }
            self.pass(at_a_time)?;
        }
        Ok(())
    }

    fn hold(&mut self, time: Nanos, stop: &Stop) -> Result<(), Failure> {
        let until = self.clock.now() + time;
        while self.clock.now() < until && !stop.is_set() {
            self.pass(usize::MAX)?;
        }
        Ok(())
    }
}

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
        striking.rehearse(Duration::from_secs(5))?;
    }
    let dialling = Dialling {
        servers: servers.iter().map(|server| server.address).collect(),
        session_timeout: nanos(args.session_timeout),
        connect_timeout: nanos(args.connect_timeout),
    };
    let bed = |at: usize| (Roamer::new(at, at % servers.len(), Random::of_party(1, at as u64)), Sleeper::default());
    let beds = (0..sessions).map(bed).collect();
    let mut dormitory = Dormitory { stage: Stage::new(clock)?, clock, dialling, beds, failed_attempts: 0 };
    let pids = &args.output.server_pid;
    let usage = || (!pids.is_empty()).then(|| cpu::of_processes(pids).ok()).flatten();
    let empty = usage();
    let began = clock.now();
    dormitory.await_all(HANDSHAKES, nanos(args.faults.patience), stop)?;
    let opening = (clock.now() - began).max(1);
    let before = usage();
    let mut failures = Vec::new();
    let held_from = clock.now();
    failures.extend(dormitory.hold(nanos(args.duration), stop).err().map(|error| error.to_string()));
    let held = (clock.now() - held_from).max(1);
    let after = usage();
    dormitory.failed_attempts = 0;
    let mut all_back_ms = None;
    if let Some(striking) = striking.filter(|_| !stop.is_set() && failures.is_empty()) {
        match storm(&mut dormitory, &striking, nanos(args.faults.patience), stop) {
            Ok(ms) => all_back_ms = Some(ms),
            Err(_) if stop.is_set() => {}
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    let sum = |of: fn(&Sleeper) -> u64| dormitory.beds.iter().map(|(_, sleeper)| of(sleeper)).sum::<u64>();
    let (lost, expired) = (sum(|sleeper| sleeper.lost), sum(|sleeper| sleeper.expired));
    if expired > 0 {
        failures.push(format!("{expired} sessions expired"));
    }
    let mut back: Histogram<u64> = latency_histogram();
    for gap in dormitory.beds.iter().flat_map(|(_, sleeper)| &sleeper.gaps) {
        back.saturating_record(*gap);
    }
    let cores = before.zip(after).map(|(b, a)| a.cpu.since(&b.cpu).total_us() * 1e3 / held as f64);
    let found = Findings {
        status: match (failures.is_empty(), stop.is_set()) {
            (false, _) => Status::Failed,
            (true, true) => Status::Interrupted,
            (true, false) => Status::Complete,
        },
        failures,
        opened: args.sessions,
        opened_per_second: args.sessions as f64 * 1e9 / opening as f64,
        rss_bytes_before: empty.map(|usage| usage.rss_bytes),
        rss_bytes_per_session: empty
            .zip(after)
            .map(|(empty, after)| (after.rss_bytes as f64 - empty.rss_bytes as f64) / args.sessions as f64),
        server_core_percent: cores.map(|cores| cores * 100.0),
        connections_lost: lost,
        sessions_expired: expired,
        all_back_ms,
        back_us: Percentiles::new(&back),
        failed_attempts: dormitory.failed_attempts,
    };
    for (roamer, _) in &mut dormitory.beds {
        roamer.say_goodbye();
    }
    let exit = Exit::of(found.status, false);
    let document = Document::new("sessions", started, args, found);
    document.publish(args.output.json.as_deref(), |found| summary(args, found))?;
    Ok(exit)
}

/// A fault; the time in milliseconds until all sessions were connected again.
fn storm(dormitory: &mut Dormitory, striking: &Striking, patience: Nanos, stop: &Stop) -> Result<f64> {
    for (roamer, _) in &mut dormitory.beds {
        roamer.may_leave();
    }
    let under_way: Errand<faults::Deed> = striking.begin(Random::new(1), |_| ());
    let mut whole_since = dormitory.clock.now();
    let deed = loop {
        if let Some(deed) = under_way.outcome() {
            break deed?;
        }
        let whole = dormitory.all_there();
        dormitory.pass(usize::MAX)?;
        if !whole && dormitory.all_there() {
            whole_since = dormitory.clock.now();
        }
    };
    if !dormitory.all_there() {
        dormitory.await_all(usize::MAX, patience, stop)?;
        whole_since = dormitory.clock.now();
    }
    Ok(whole_since.saturating_sub(deed.at) as f64 / 1e6)
}

fn summary(args: &SessionsArgs, found: &Findings) -> String {
    let servers: Vec<String> = args.servers.iter().map(ToString::to_string).collect();
    let mut text = format!("{} sessions at {}\n\n", count(args.sessions as f64), servers.join(","));
    text += &format!("opened at {}/s", count(found.opened_per_second));
    if let Some(each) = found.rss_bytes_per_session {
        text += &format!("; {} of server memory each", bytes(each));
    }
    if let Some(percent) = found.server_core_percent {
        text += &format!("; held at {percent:.2} % of a core");
    }
    text.push('\n');
    if let Some(ms) = found.all_back_ms {
        text += &format!(
            "{} for {}: {} connections lost, all back {} after the fault; {} attempts failed",
            args.faults.kind().noun(),
            args.faults.target.noun(),
            count(found.connections_lost as f64),
            duration(ms * 1e6),
            count(found.failed_attempts as f64)
        );
        if let Some(t) = found.back_us {
            let [p50, p99, max] = [t.p50, t.p99, t.max].map(|us| duration(us * 1e3));
            text += &format!("; a session was away p50 {p50}, p99 {p99}, max {max}");
        }
        text.push('\n');
    }
    text += &format!("{} sessions expired\n", count(found.sessions_expired as f64));
    for failure in &found.failures {
        text += &format!("FAILED: {failure}\n");
    }
    text
}
