//! `loadgen watch`: one change, told to many watchers.

use crate::cli::{OutputArgs, TargetArgs, positive_count};
use crate::cpu;
use crate::engine::{Arrived, Clock, Connection, Failure, InFlight, Nanos, SECOND, Stop, nanos};
use crate::op::OpKind;
use crate::random::Random;
use crate::results::{Document, Percentiles, Status};
use crate::roaming::{Dialling, Roamer, Stage, Traveller};
use crate::run::{Exit, check_means};
use crate::stats::latency_histogram;
use crate::target;
use crate::units::{count, duration};
use crate::workload::create;
use anyhow::{Result, bail};
use clap::Args;
use ringkeeper_core::jute::{Request, SetData, append_request};
use serde::Serialize;
use std::borrow::Cow;
use std::time::SystemTime;

/// The node that is watched.
const NODE: &str = "/loadgen-watched";
const PATIENCE: Nanos = 30 * SECOND;

const EXAMPLES: &str = "\
Examples:
  A thousand watchers at three servers, a hundred changes:
      loadgen watch -s 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 --watchers 1000 --rounds 100

  The same with watches that stay (addWatch: Ringkeeper, ZooKeeper 3.6 and later), and what it costs the server:
      loadgen watch -s 127.0.0.1:2181 --watchers 1000 --persistent --server-pid $(pidof ringkeeper)

In every round all sessions watch one node, one more session changes it, and each event is timed: from the sending of the change
and from its answer. (An event may come before the answer: from the answer, that counts as no time at all.)";

/// Measures how quickly one change is told to many watchers
#[derive(Clone, Debug, Args, Serialize)]
#[command(after_long_help = EXAMPLES, after_help = "See `loadgen watch --help` for examples.")]
pub struct WatchArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub target: TargetArgs,
    /// Sessions that watch, spread over the servers in turn.
    #[arg(short = 'n', long, default_value = "100", value_parser = positive_count, value_name = "N")]
    pub watchers: u64,
    /// Changes that are measured.
    #[arg(long, default_value = "100", value_parser = positive_count, value_name = "N")]
    pub rounds: u64,
    /// Changes before that.
    #[arg(short, long, default_value_t = 5, value_name = "N")]
    pub warmup: u64,
    /// Watches that stay, instead of watches that fire once and are left again.
    #[arg(long)]
    pub persistent: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub output: OutputArgs,
}

/// What was found. Times in microseconds.
#[derive(Debug, Serialize)]
struct Findings {
    status: Status,
    failures: Vec<String>,
    rounds: u64,
    events: u64,
    from_sending_us: Option<Percentiles>,
    from_answer_us: Option<Percentiles>,
    /// Of each round, until its last event.
    last_event_us: Option<Percentiles>,
    /// While events were coming.
    events_per_second: f64,
    server_cpu_us_per_event: Option<f64>,
}

/// One session: the first changes the node, the others watch it.
#[derive(Default)]
struct Party {
    changes: bool,
    persistent: bool,
    /// The request to send next.
    to_do: bool,
    /// It watches, or its change was answered.
    ready_at: Option<Nanos>,
    sent: Nanos,
    told_at: Option<Nanos>,
    trouble: Option<String>,
}

impl Traveller for Party {
    fn established(&mut self, _: &mut Connection, _: Nanos) {
        self.to_do = !self.changes;
    }

    fn ask(&mut self, connection: &mut Connection, now: Nanos) {
        if std::mem::take(&mut self.to_do) {
            let path = Cow::Borrowed(NODE);
            let request = match (self.changes, self.persistent) {
                (true, _) => Request::SetData(SetData { path, data: Some(b"changed"), version: -1 }),
                (false, true) => Request::AddWatch { path, mode: 0 },
                (false, false) => Request::GetData { path, watch: true },
            };
            let (out, xid) = connection.request();
            append_request(out, xid, &request);
            connection.sent(InFlight { intended: now, sent: now, tag: 0, kind: OpKind::Get });
            self.sent = now;
        }
    }

    fn heed(&mut self, connection: &mut Connection, arrived: Arrived<'_>, now: Nanos) -> Result<(), Failure> {
        match arrived {
            Arrived::Reply { err: 0, .. } => self.ready_at = Some(now),
            Arrived::Reply { err, .. } => {
                return Err(connection.breach(format!("a watch was answered {}", crate::op::error_name(err))));
            }
            Arrived::Event { .. } if self.told_at.is_some() => {
                return Err(connection.breach("an event came twice".into()));
            }
            Arrived::Event { .. } => {
                self.told_at = Some(now);
                if !self.persistent {
                    (self.ready_at, self.to_do) = (None, true);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, _: &Connection, failure: &Failure, _: Nanos) {
        self.trouble = Some(failure.to_string());
    }

    fn expired(&mut self, _: Nanos) {}
}

struct Crowd {
    stage: Stage,
    clock: Clock,
    dialling: Dialling,
    parties: Vec<(Roamer, Party)>,
}

impl Crowd {
    /// Waits until something is so for all.
    fn until(&mut self, what: &str, stop: &Stop, so: impl Fn(&Roamer, &Party) -> bool) -> Result<()> {
        let deadline = self.clock.now() + PATIENCE;
        while !self.parties.iter().all(|(roamer, party)| so(roamer, party)) {
            if stop.is_set() {
                bail!(Failure::Interrupted);
            }
            if let Some(trouble) = self.parties.iter().find_map(|(_, party)| party.trouble.as_ref()) {
                bail!("{trouble}");
            }
            let now = self.clock.now();
            if now > deadline {
                let n = self.parties.iter().filter(|(roamer, party)| !so(roamer, party)).count();
                let why = self.parties.iter().map(|(roamer, _)| roamer.trouble()).find(|why| !why.is_empty());
                bail!("{what}: {n} sessions still wait after {} s {}", PATIENCE / SECOND, why.unwrap_or(""));
            }
            let Crowd { stage, clock, dialling, parties } = self;
            let mut dialled = parties.iter().filter(|(roamer, _)| roamer.is_dialling()).count();
            for (roamer, party) in parties.iter_mut() {
                if !roamer.is_connected() && !roamer.is_dialling() {
                    if dialled >= HANDSHAKES {
                        continue;
                    }
                    dialled += 1;
                }
                roamer.tend(dialling, stage.registry(), now, party)?;
            }
            stage.sleep(now + SECOND / 100)?;
            stage.attend(|at, _, scratch| {
                let (roamer, party) = &mut parties[at];
                roamer.serve(dialling, scratch, *clock, party)
            })?;
        }
        Ok(())
    }

    /// One change; when it was sent, when it was answered, when each was told.
    fn round(&mut self, stop: &Stop) -> Result<(Nanos, Nanos, Vec<Nanos>)> {
        self.until("watches", stop, |roamer, party| {
            roamer.is_connected() && (party.changes || party.ready_at.is_some())
        })?;
        for (_, party) in &mut self.parties {
            party.told_at = None;
        }
        let writer = &mut self.parties[0].1;
        (writer.to_do, writer.ready_at) = (true, None);
        self.until(
            "events",
            stop,
            |_, party| if party.changes { party.ready_at.is_some() } else { party.told_at.is_some() },
        )?;
        let writer = &self.parties[0].1;
        let told = self.parties.iter().filter_map(|(_, party)| party.told_at).collect();
        Ok((writer.sent, writer.ready_at.unwrap_or_default(), told))
    }
}

/// Handshakes under way at a time: fewer than the shortest usual listen backlog (ZooKeeper's 50).
const HANDSHAKES: usize = 32;

/// Runs the command.
///
/// # Errors
/// What kept it from measuring at all.
pub fn watch(args: &WatchArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let servers = target::resolve(&args.target.servers)?;
    let watchers = usize::try_from(args.watchers)?;
    check_means(watchers + 1, &args.output)?;
    let clock = Clock::start();
    make_node(args, &servers, clock, stop)?;
    let dialling = Dialling {
        servers: servers.clone(),
        session_timeout: nanos(args.target.session_timeout),
        connect_timeout: nanos(args.target.connect_timeout),
    };
    let party = |at: usize| {
        let roamer = Roamer::new(at, at % servers.len(), Random::new(at as u64));
        (roamer, Party { changes: at == 0, persistent: args.persistent, ..Party::default() })
    };
    let mut crowd = Crowd { stage: Stage::new(clock)?, clock, dialling, parties: (0..=watchers).map(party).collect() };
    let found = measure(args, &mut crowd, stop);
    for (roamer, _) in &mut crowd.parties {
        roamer.say_goodbye();
    }
    let exit = Exit::of(found.status, false);
    let document = Document::new("watch", started, args, found);
    document.publish(args.output.json.as_deref(), |found| summary(args, found))?;
    Ok(exit)
}

fn make_node(args: &WatchArgs, servers: &[std::net::SocketAddr], clock: Clock, stop: &Stop) -> Result<()> {
    use crate::engine::{Drive, Engine, Length};
    use crate::prepare::{Batch, CatchUp, Opinion};
    let mut engine = Engine::open(servers, crate::run::options(&args.target, 1), clock, stop.clone(), |_| {})?;
    let mut progress = crate::live::Progress::new("", 0, true);
    let ask = |_: u64, out: &mut Vec<u8>, xid: i32| append_request(out, xid, &create(Cow::Borrowed(NODE), b"new"));
    let judge = |_: u64, _: i32, _: &[u8]| Opinion::Fine;
    let kind = OpKind::Create;
    let mut batch = Batch { kind, total: 1, asked: 0, ask, judge, progress: &mut progress, refused: None };
    engine.drive(Drive { job: &mut batch, pacer: None, length: Length::Job, hold: false }, None)?;
    let mut sync = CatchUp::new(servers.len(), NODE);
    engine.drive(Drive { job: &mut sync, pacer: None, length: Length::Job, hold: false }, None)?;
    engine.close();
    Ok(())
}

fn measure(args: &WatchArgs, crowd: &mut Crowd, stop: &Stop) -> Findings {
    let (mut sending, mut answer, mut last) = (latency_histogram(), latency_histogram(), latency_histogram());
    let (mut rounds, mut events, mut busy, mut failures) = (0, 0, 0, Vec::new());
    let mut before = None;
    for round in 0..args.warmup + args.rounds {
        if round == args.warmup {
            before = cpu::of_processes(&args.output.server_pid).ok();
        }
        match crowd.round(stop) {
            Ok(_) if round < args.warmup => {}
            Ok((sent, answered, told)) => {
                rounds += 1;
                events += told.len() as u64;
                for &at in &told {
                    sending.saturating_record(at.saturating_sub(sent));
                    answer.saturating_record(at.saturating_sub(answered));
                }
                let length = told.iter().max().map_or(0, |last| last.saturating_sub(sent));
                last.saturating_record(length);
                busy += length;
            }
            Err(_) if stop.is_set() => break,
            Err(error) => {
                failures.push(format!("{error:#}"));
                break;
            }
        }
    }
    let after = cpu::of_processes(&args.output.server_pid).ok();
    let used = before.zip(after).filter(|_| !args.output.server_pid.is_empty() && events > 0);
    Findings {
        status: match (failures.is_empty(), stop.is_set()) {
            (false, _) => Status::Failed,
            (true, true) => Status::Interrupted,
            (true, false) => Status::Complete,
        },
        failures,
        rounds,
        events,
        from_sending_us: Percentiles::new(&sending),
        from_answer_us: Percentiles::new(&answer),
        last_event_us: Percentiles::new(&last),
        events_per_second: if busy > 0 { events as f64 * 1e9 / busy as f64 } else { 0.0 },
        server_cpu_us_per_event: used.map(|(before, after)| after.cpu.since(&before.cpu).total_us() / events as f64),
    }
}

fn summary(args: &WatchArgs, found: &Findings) -> String {
    let kind = if args.persistent { "persistent watches" } else { "watches" };
    let mut text = format!(
        "{} {kind} at {}; {} changes\n\n",
        count(args.watchers as f64),
        args.target.servers.join(","),
        found.rounds
    );
    for (name, times) in [
        ("event after the change was sent", found.from_sending_us),
        ("event after the change was answered", found.from_answer_us),
        ("last event of a round", found.last_event_us),
    ] {
        if let Some(t) = times {
            let [p50, p99, max] = [t.p50, t.p99, t.max].map(|us| duration(us * 1e3));
            text += &format!("{name:<38} p50 {p50}, p99 {p99}, max {max}\n");
        }
    }
    text += &format!("{} events, {}/s while they came", count(found.events as f64), count(found.events_per_second));
    if let Some(us) = found.server_cpu_us_per_event {
        text += &format!("; {us:.2} µs of the servers' processor time each");
    }
    text.push('\n');
    for failure in &found.failures {
        text += &format!("FAILED: {failure}\n");
    }
    text
}
