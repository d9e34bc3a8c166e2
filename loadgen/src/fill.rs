//! `loadgen fill`.

use crate::cli::FillArgs;
use crate::crew::{Campaign, Span};
use crate::engine::{Clock, Job, Next, Stop, Verdict};
use crate::keyspace::KeySpace;
use crate::live::LiveLine;
use crate::op::OpKind;
use crate::random::Random;
use crate::results::{Document, FillResult, Measured, Status};
use crate::run::{Bench, Exit, check_means, exit_of, options, publish, seed_from};
use crate::workload::{Sizes, Values, check_body, create};
use crate::{target, units};
use anyhow::Result;
use ringkeeper_core::jute::append_request;
use serde::Serialize;
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

#[derive(Serialize)]
struct Settings<'a> {
    #[serde(flatten)]
    args: &'a FillArgs,
}

/// Runs the command.
///
/// # Errors
/// What kept it from beginning at all.
pub fn fill(args: &FillArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let keys = KeySpace::new(&args.prefix, args.count, args.keys_per_parent)?;
    let servers = target::resolve(&args.target.servers)?;
    check_means(args.connections, &args.output)?;
    let quiet = args.output.quiet;
    let bench = Bench { target: &args.target, servers: &servers, clock: Clock::start(), quiet };
    if args.remove {
        let removed = bench.prepare(stop, |tree| tree.remove_all(), &keys)?;
        println!("{} nodes removed under {}", units::count(removed as f64), args.prefix);
        return Ok(Exit::Fine);
    }
    bench.prepare(stop, |tree| tree.make_parents(), &keys)?;
    let campaign = campaign(args, &bench, stop);
    let mut live = LiveLine::new(quiet, args.output.report_every);
    let outcome =
        campaign.execute(&mut live, quiet, |_, _| Creation::new(keys.clone(), args.value_size, campaign.seed));
    let mut measured = Measured::new(&outcome, &args.output.server_pid, None);
    measured.fill = Some(result(&measured));
    let title = format!("{} nodes of {} bytes under {}", units::count(args.count as f64), args.value_size, args.prefix);
    let document = Document::new("fill", started, Settings { args }, measured);
    publish(&title, &args.output, &document, &outcome.totals)?;
    Ok(match exit_of(document.result(), &args.limits) {
        Exit::ErrorReplies if only_existed(document.result()) => Exit::Fine,
        exit => exit,
    })
}

fn campaign(args: &FillArgs, bench: &Bench<'_>, stop: &Stop) -> Campaign {
    Campaign {
        servers: target::spread(bench.servers, args.connections),
        threads: 1,
        options: options(&args.target, args.depth),
        kinds: vec![OpKind::Create],
        rate: None,
        warmup: Duration::ZERO,
        span: Span::Operations(args.count),
        catch_up: None,
        seed: seed_from(SystemTime::now()),
        pids: args.output.server_pid.clone(),
        clock: bench.clock,
        stop: stop.clone(),
    }
}

fn result(measured: &Measured) -> FillResult {
    let existed = existed(measured);
    let created = measured.operations - measured.error_replies();
    let growth = measured.server.as_ref().map(|s| s.rss_bytes_after as f64 - s.rss_bytes_before as f64);
    FillResult { created, existed, rss_bytes_per_node: growth.filter(|_| created > 0).map(|b| b / created as f64) }
}

fn existed(measured: &Measured) -> u64 {
    measured.all.errors.get(&crate::op::error_name(NODE_EXISTS)).copied().unwrap_or(0)
}

fn only_existed(measured: &Measured) -> bool {
    measured.status == Status::Complete && measured.error_replies() == existed(measured)
}

const NODE_EXISTS: i32 = -110;

/// Creates the keys in their order.
struct Creation {
    keys: KeySpace,
    values: Values,
    random: Random,
    next: u64,
    path: String,
}

impl Creation {
    fn new(keys: KeySpace, value_size: usize, seed: u64) -> Creation {
        let mut random = Random::new(seed);
        let values = Values::new(&Sizes::fixed(value_size), &mut random);
        Creation { keys, values, random, next: 0, path: String::new() }
    }
}

impl Job for Creation {
    fn next(&mut self, _: usize, out: &mut Vec<u8>, xid: i32) -> Next {
        if self.next == self.keys.keys() {
            return Next::NoMore;
        }
        self.keys.key(self.next, &mut self.path);
        self.next += 1;
        append_request(out, xid, &create(Cow::Borrowed(&self.path), self.values.draw(&mut self.random)));
        Next::Ask(OpKind::Create, 0)
    }

    fn answered(&mut self, kind: OpKind, _: u32, err: i32, body: &[u8]) -> Verdict {
        check_body(kind, err, body)
    }
}
