//! What people read.

use super::{Findings, VerifyArgs};
use crate::results::Status;
use crate::units::{count, duration};
use std::fmt::Write as _;

/// What was done, in a line.
pub fn title(args: &VerifyArgs) -> String {
    if let Some(path) = &args.check {
        return format!("the history in {}", path.display());
    }
    let servers: Vec<String> = args.servers.iter().map(ToString::to_string).collect();
    let faults = args
        .faults
        .chosen()
        .map_or("no faults".into(), |kind| format!("{} for {}", kind.noun(), args.faults.target.noun()));
    format!(
        "{} clients x {} deep at {}; {} operations per second on {} keys; {faults}",
        args.clients,
        args.depth,
        servers.join(","),
        count(args.rate),
        args.keys
    )
}

/// The summary.
pub fn summary(title: &str, found: &Findings) -> String {
    let verdict = &found.verdict;
    let number = |n: u64| count(n as f64);
    let mut text = format!("{title}\n\n");
    let _ = writeln!(
        text,
        "{} operations done, {} refused, {} of unknown outcome (of these {} were seen to be done); {} watch events; {} sessions",
        number(verdict.done),
        number(verdict.refused),
        number(verdict.unknown),
        number(verdict.unknown_done),
        number(verdict.events),
        number(verdict.sessions)
    );
    for fault in &found.faults {
        let led = if fault.led { "leader" } else { "follower" };
        let _ = writeln!(
            text,
            "fault at {}: {} ({led}), back {} later",
            duration(fault.at_s * 1e9),
            fault.server,
            duration((fault.back_s - fault.at_s) * 1e9)
        );
    }
    let _ = writeln!(
        text,
        "{} connections lost, {} sessions expired; checked in {}",
        number(found.connections_lost),
        number(found.sessions_expired),
        duration(found.check_seconds * 1e9)
    );
    if found.status == Status::Interrupted {
        text.push_str("Interrupted: this is what there was up to then.\n");
    }
    for failure in &found.failures {
        let _ = writeln!(text, "FAILED: {failure}");
    }
    if verdict.counts.is_empty() && found.failures.is_empty() {
        text.push_str("Every promise was kept.\n");
    } else {
        for (promise, n) in &verdict.counts {
            let _ = writeln!(text, "BROKEN {} times: {promise}", number(*n));
        }
    }
    text
}
