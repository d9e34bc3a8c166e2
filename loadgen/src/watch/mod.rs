//! `loadgen watch`: one change, told to many watchers.
//!
//! [`crowd`] is the watchers and the one who changes the node; [`findings`] is what became of the events.

mod args;
mod crowd;
mod findings;

pub use args::WatchArgs;

use crate::engine::{Clock, Nanos, Stop, nanos};
use crate::keyspace::KeySpace;
use crate::live::Progress;
use crate::results::{Document, Percentiles, Status};
use crate::roaming::Dialling;
use crate::run::{Bench, Exit, check_means, seed_from};
use crate::stats::latency_histogram;
use crate::{cpu, hdr, target};
use anyhow::Result;
use crowd::{Crowd, Round};
use findings::{Findings, summary};
use hdrhistogram::Histogram;
use std::time::SystemTime;

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
    let keys = KeySpace::new(&args.prefix, 1, 1)?;
    let node = format!("{}/watched-{:08x}", args.prefix, (seed_from(started) >> 8) as u32);
    let bench = Bench { target: &args.target, servers: &servers, clock, quiet: args.output.quiet };
    bench.prepare(stop, |tree| tree.make_prefix().and_then(|()| tree.make_node(&node)), &keys)?;
    let dialling = Dialling {
        servers: servers.clone(),
        session_timeout: nanos(args.target.session_timeout),
        connect_timeout: nanos(args.target.connect_timeout),
    };
    let mut crowd = Crowd::new(&node, (watchers, args.persistent), dialling, clock)?;
    let (found, times) = measure(args, &mut crowd, stop);
    crowd.close();
    // An interrupt that ended the rounds does not end this.
    if let Err(failure) = bench.prepare(&Stop::default(), |tree| tree.remove_node(&node), &keys) {
        eprintln!("loadgen: {node} is still there: {failure}");
    }
    if let Some(path) = &args.output.hdr_log {
        hdr::write(path, (started, started.elapsed().unwrap_or_default()), times.named())?;
    }
    let document = Document::new("watch", started, args, found);
    document.publish(args.output.json.as_deref(), |found| summary(args, found))?;
    Ok(args.limits.judge(document.result().status, document.result()))
}

/// Of all rounds.
struct Times {
    sending: Histogram<u64>,
    answer: Histogram<u64>,
    last: Histogram<u64>,
    rounds: u64,
    events: u64,
    /// While events were coming.
    busy: Nanos,
}

impl Times {
    fn new() -> Times {
        let [sending, answer, last] = [(); 3].map(|()| latency_histogram());
        Times { sending, answer, last, rounds: 0, events: 0, busy: 0 }
    }

    fn add(&mut self, round: &Round) {
        self.rounds += 1;
        self.events += round.told.len() as u64;
        for at in &round.told {
            self.sending.saturating_record(at.saturating_sub(round.sent));
            self.answer.saturating_record(at.saturating_sub(round.answered));
        }
        let length = round.told.iter().max().map_or(0, |last| last.saturating_sub(round.sent));
        self.last.saturating_record(length);
        self.busy += length;
    }

    fn named(&self) -> [(&'static str, &Histogram<u64>); 3] {
        [("from_sending", &self.sending), ("from_answer", &self.answer), ("last_event", &self.last)]
    }
}

fn measure(args: &WatchArgs, crowd: &mut Crowd, stop: &Stop) -> (Findings, Times) {
    let (mut times, mut failures, mut before) = (Times::new(), Vec::new(), None);
    let mut progress = Progress::new("changes", args.warmup + args.rounds, args.output.quiet);
    for number in 0..args.warmup + args.rounds {
        if number == args.warmup {
            before = cpu::of_processes(&args.output.server_pid).ok();
        }
        match crowd.round(stop) {
            Ok(round) if number >= args.warmup => times.add(&round),
            Ok(_) => {}
            Err(_) if stop.is_set() => break,
            Err(error) => {
                failures.push(format!("{error:#}"));
                break;
            }
        }
        progress.advance(1);
    }
    progress.finish();
    let after = cpu::of_processes(&args.output.server_pid).ok();
    let used = before.zip(after).filter(|_| !args.output.server_pid.is_empty() && times.events > 0);
    let events = times.events as f64;
    let found = Findings {
        status: Status::of(&failures, stop),
        failures,
        rounds: times.rounds,
        events: times.events,
        from_sending_us: Percentiles::new(&times.sending),
        from_answer_us: Percentiles::new(&times.answer),
        last_event_us: Percentiles::new(&times.last),
        events_per_second: if times.busy > 0 { events * 1e9 / times.busy as f64 } else { 0.0 },
        server_cpu_us_per_event: used.map(|(before, after)| after.cpu.since(&before.cpu).total_us() / events),
    };
    (found, times)
}
