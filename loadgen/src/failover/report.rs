//! What people read: a line for each round, and the summary.

use super::args::FailoverArgs;
use super::findings::{Findings, Quantiles, RoundFindings, Troubles};
use crate::results::{Percentiles, Status};
use crate::units::{count, duration};
use std::fmt::Write as _;

fn ms(value: f64) -> String {
    duration(value * 1e6)
}

/// A round in a line.
pub fn line(number: usize, of: u32, round: &RoundFindings) -> String {
    let led = if round.led { "leader" } else { "follower" };
    let worst = |gaps: &[f64]| ms(gaps.iter().copied().fold(0.0, f64::max));
    let gap = if round.write_gap_open {
        format!("no write for {} to the end", ms(round.write_gap_ms))
    } else {
        format!("{} without a write", ms(round.write_gap_ms))
    };
    let back = round.back_ms.map_or("not back".into(), |back| format!("back after {}", ms(back)));
    format!(
        "round {number:>3}/{of}  {} ({led}): {gap}; survivors' clients at most {}, {}; the others at most {}; {back}",
        round.server,
        worst(&round.survivor_gap_ms),
        losses(&round.survivors),
        worst(&round.displaced_gap_ms),
    )
}

fn losses(troubles: &Troubles) -> String {
    match troubles.connections_lost {
        0 => "no connection lost".into(),
        1 => "1 connection lost".into(),
        n => format!("{n} connections lost"),
    }
}

/// What was done, in a line.
pub fn title(args: &FailoverArgs) -> String {
    let servers: Vec<String> = args.servers.iter().map(ToString::to_string).collect();
    format!(
        "{}: {} of {}; {} clients, {} writes and {} reads per second; session timeout {}",
        args.faults.kind().noun(),
        args.faults.target.noun(),
        servers.join(","),
        args.clients * args.servers.len(),
        count(args.write_rate),
        count(args.read_rate),
        duration(args.session_timeout.as_secs_f64() * 1e9),
    )
}

/// The summary.
pub fn summary(title: &str, found: &Findings) -> String {
    let mut text = format!("{title}\n\n");
    gaps(&mut text, found);
    text.push('\n');
    latencies(&mut text, found);
    text.push('\n');
    troubles(&mut text, "clients of surviving servers", &found.survivors);
    troubles(&mut text, "clients of the server at fault", &found.displaced);
    if found.lost_between > 0 {
        let _ = writeln!(text, "between rounds: {} connections lost", count(found.lost_between as f64));
    }
    verification(&mut text, found);
    let late = ms(found.late_ms);
    let _ = writeln!(text, "loadgen handed operations out at most {late} late; it used {:.2} cores", found.own_cores);
    if found.status == Status::Interrupted {
        text.push_str("Interrupted: these are the figures up to then.\n");
    }
    for failure in &found.failures {
        let _ = writeln!(text, "FAILED: {failure}");
    }
    text
}

fn row(text: &mut String, name: &str, cells: [String; 5]) {
    let _ = write!(text, "{name:<38}");
    for cell in cells {
        let _ = write!(text, "{cell:>10}");
    }
    text.push('\n');
}

fn gaps(text: &mut String, found: &Findings) {
    row(text, "", ["figures", "p50", "p90", "p99", "max"].map(str::to_owned));
    if found.write_gap_ms.count > 0 {
        row(text, "without a write, around the fault", quantiles(&found.write_gap_ms));
        phases(text, found);
    }
    for (name, q) in [
        ("  before the fault", &found.steady_gap_ms),
        ("  while the server came back", &found.return_gap_ms),
        ("a client of a surviving server", &found.survivor_gap_ms),
        ("a client of the server at fault", &found.displaced_gap_ms),
        ("the server served again after", &found.back_ms),
    ] {
        if q.count > 0 {
            row(text, name, quantiles(q));
        }
    }
}

/// What the time without a write consists of; `-` is what no server tells.
fn phases(text: &mut String, found: &Findings) {
    let untold = found.phases_ms.elect.is_none();
    if untold && found.rounds.iter().any(|round| round.led) {
        text.push_str("  (of what it consists no server tells: mntr has to be in 4lw.commands.whitelist)\n");
    }
    for (name, quantiles) in found.phases_ms.named().into_iter().filter(|_| !untold) {
        let cells = match quantiles {
            Some(q) => self::quantiles(q),
            None => std::array::from_fn(|_| "-".to_owned()),
        };
        let indent = if name == found.phases_ms.named()[0].0 { "  " } else { "    " };
        row(text, &format!("{indent}{name}"), cells);
    }
}

fn quantiles(q: &Quantiles) -> [String; 5] {
    [count(q.count as f64), ms(q.p50), ms(q.p90), ms(q.p99), ms(q.max)]
}

fn latencies(text: &mut String, found: &Findings) {
    let l = &found.latency_us;
    row(text, "latency from the intended time", ["", "p50", "p90", "p99", "max"].map(str::to_owned));
    for (name, p) in [
        ("writes before the fault", l.steady_writes),
        ("reads before the fault", l.steady_reads),
        ("writes around it, surviving servers", l.survivor_writes),
        ("reads around it, surviving servers", l.survivor_reads),
        ("writes around it, server at fault", l.displaced_writes),
        ("reads around it, server at fault", l.displaced_reads),
    ] {
        if let Some(p) = p {
            row(text, name, percentiles(&p));
        }
    }
    if found.survivors.with(&found.displaced).unknown_writes > 0 {
        text.push_str(
            "(operations that were answered; what was in flight when its connection was lost has no latency)\n",
        );
    }
}

fn percentiles(p: &Percentiles) -> [String; 5] {
    let [p50, p90, p99, max] = [p.p50, p.p90, p.p99, p.max].map(|us| duration(us * 1e3));
    [String::new(), p50, p90, p99, max]
}

fn troubles(text: &mut String, whose: &str, t: &Troubles) {
    let _ = write!(
        text,
        "{whose}: {} connections lost, {} writes of unknown outcome, {} reads unanswered",
        count(t.connections_lost as f64),
        count(t.unknown_writes as f64),
        count(t.unanswered_reads as f64)
    );
    if t.sessions_expired > 0 {
        let _ = write!(text, ", {} sessions expired", count(t.sessions_expired as f64));
    }
    for (error, n) in &t.errors {
        let _ = write!(text, ", {} x {error}", count(*n as f64));
    }
    text.push('\n');
}

fn verification(text: &mut String, found: &Findings) {
    let Some(v) = &found.verification else {
        text.push_str("nothing was read back\n");
        return;
    };
    let lost = if v.lost == 0 { "none is missing".into() } else { format!("{} ARE MISSING", count(v.lost as f64)) };
    let _ = write!(
        text,
        "{} acknowledged writes, read back from each of {} servers: {lost}",
        count(v.acknowledged as f64),
        v.servers
    );
    if v.unknown > 0 {
        let _ = write!(
            text,
            "; of {} of unknown outcome {} are there",
            count(v.unknown as f64),
            count(v.unknown_done as f64)
        );
    }
    text.push('\n');
}
