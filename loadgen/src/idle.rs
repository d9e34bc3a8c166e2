//! `loadgen idle`.

use crate::cli::IdleArgs;
use crate::cpu;
use crate::crew::{Campaign, Outcome, Span};
use crate::engine::{Clock, Nothing, Options, Stop};
use crate::live::LiveLine;
use crate::op::OpKind;
use crate::results::{Document, IdleResult, Measured};
use crate::run::{Exit, check_means, exit_of, options, publish};
use crate::{target, units};
use anyhow::Result;
use serde::Serialize;
use std::time::{Duration, SystemTime};

#[derive(Serialize)]
struct Settings<'a> {
    #[serde(flatten)]
    args: &'a IdleArgs,
}

/// Runs the command.
///
/// # Errors
/// What kept it from beginning at all.
pub fn idle(args: &IdleArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let servers = target::resolve(&args.target.servers)?;
    let sessions = usize::try_from(args.sessions)?;
    check_means(sessions, &args.output)?;
    let campaign = Campaign {
        servers: target::spread(&servers, sessions),
        threads: 1,
        options: Options { tolerate_loss: true, ..options(&args.target, 1) },
        kinds: vec![OpKind::Ping],
        rate: None,
        warmup: Duration::ZERO,
        span: Span::Time(args.duration),
        hold: true,
        catch_up: None,
        seed: 0,
        pids: args.output.server_pid.clone(),
        clock: Clock::start(),
        stop: stop.clone(),
    };
    let pids = &args.output.server_pid;
    let rss_before = if pids.is_empty() { None } else { Some(cpu::of_processes(pids)?.rss_bytes) };
    let mut live = LiveLine::new(args.output.quiet, args.output.report_every);
    let outcome = campaign.execute(&mut live, args.output.quiet, |_, _| Nothing);
    let mut measured = Measured::new(&outcome, pids, None);
    measured.idle = Some(result(&outcome, &measured, rss_before));
    let title = format!("{} idle sessions at {}", units::count(sessions as f64), args.target.servers.join(","));
    let document = Document::new("idle", started, Settings { args }, measured);
    publish(&title, &args.output, &document, &outcome.totals)?;
    Ok(exit_of(document.result(), &args.fail_if))
}

fn result(outcome: &Outcome, measured: &Measured, rss_before: Option<u64>) -> IdleResult {
    let opened = outcome.opened as f64;
    let growth = measured.server.as_ref().zip(rss_before).map(|(s, before)| s.rss_bytes_after as f64 - before as f64);
    IdleResult {
        sessions: outcome.opened as u64,
        lost: measured.lost_connections.values().sum(),
        opened_per_second: opened / outcome.opening.as_secs_f64().max(1e-9),
        rss_bytes_before: rss_before,
        rss_bytes_per_session: growth.filter(|_| opened > 0.0).map(|growth| growth / opened),
        server_core_percent: measured.server.as_ref().map(|server| server.cost.cores * 100.0),
    }
}
