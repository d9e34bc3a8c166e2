//! What was found, the figures of it that thresholds may name, and the summary.

use super::args::SessionsArgs;
use crate::figures::{PERCENTILES, Percentile};
use crate::results::{Percentiles, Status};
use crate::threshold::{Figures, Unit};
use crate::units::{bytes, count, duration};
use serde::Serialize;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// How it ended.
    pub status: Status,
    /// What went wrong.
    pub failures: Vec<String>,
    /// Sessions that were opened.
    pub opened: u64,
    /// How fast.
    pub opened_per_second: f64,
    /// Resident memory of the servers before the first was opened.
    pub rss_bytes_before: Option<u64>,
    /// Growth of it for each session, until the end of the time in which they were held.
    pub rss_bytes_per_session: Option<f64>,
    /// Processor time of the servers while the sessions were held, as a percentage of a core.
    pub server_core_percent: Option<f64>,
    /// From the sending of a ping to its answer, microseconds.
    pub ping_us: Option<Percentiles>,
    /// Pings that were answered.
    pub pings: u64,
    /// Connections lost before the fault.
    pub lost_while_held: u64,
    /// Connections lost.
    pub connections_lost: u64,
    /// Sessions that were over when they came back.
    pub sessions_expired: u64,
    /// From the fault until every session was connected.
    pub all_back_ms: Option<f64>,
    /// Of each session, from the loss of its connection to the next one, microseconds.
    pub back_us: Option<Percentiles>,
    /// Attempts to connect that failed after the sessions were open.
    pub failed_attempts: u64,
}

type Times = fn(&Findings) -> Option<&Percentiles>;
type Number = fn(&Findings) -> Option<f64>;

const TIMES: [(&str, Times); 2] = [("ping", |f| f.ping_us.as_ref()), ("back", |f| f.back_us.as_ref())];

const ALL_BACK: &str = "all-back";

const NUMBERS: [(&str, Number); 6] = [
    ("opened", |f| Some(f.opened_per_second)),
    ("lost", |f| Some(f.lost_while_held as f64)),
    ("expired", |f| Some(f.sessions_expired as f64)),
    ("failed-attempts", |f| Some(f.failed_attempts as f64)),
    ("memory", |f| f.rss_bytes_per_session),
    ("core", |f| f.server_core_percent),
];

fn number(name: &str) -> Option<Number> {
    NUMBERS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

fn times(name: &str) -> Option<(Times, Percentile)> {
    let (what, percentile) = name.split_once('.')?;
    let times = TIMES.iter().find(|(known, _)| *known == what)?.1;
    Some((times, PERCENTILES.iter().find(|(known, _)| *known == percentile)?.1))
}

impl Figures for Findings {
    fn unit(name: &str) -> Option<Unit> {
        let time = name == ALL_BACK || times(name).is_some();
        if time { Some(Unit::Time) } else { number(name).map(|_| Unit::Number) }
    }

    fn names() -> String {
        let numbers: Vec<&str> = NUMBERS.iter().map(|(name, _)| *name).collect();
        let percentiles: Vec<&str> = PERCENTILES.iter().map(|(name, _)| *name).collect();
        format!("ping and back with .{}, {ALL_BACK}, {}", percentiles.join(", ."), numbers.join(", "))
    }

    fn figure(&self, name: &str) -> Option<f64> {
        if name == ALL_BACK {
            return Some(self.all_back_ms? * 1e6);
        }
        if let Some(number) = number(name) {
            return number(self);
        }
        let (times, percentile) = times(name)?;
        Some(percentile(times(self)?) * 1e3)
    }
}

/// The summary.
pub fn summary(args: &SessionsArgs, found: &Findings) -> String {
    let servers: Vec<String> = args.servers.iter().map(ToString::to_string).collect();
    let mut text = format!("{} sessions at {}\n\n", count(args.sessions as f64), servers.join(","));
    text += &format!("{} sessions opened, {}/s", count(found.opened as f64), count(found.opened_per_second));
    if let Some(each) = found.rss_bytes_per_session {
        text += &format!("; {} of server memory each", bytes(each));
    }
    if let Some(percent) = found.server_core_percent {
        text += &format!("; held at {percent:.2} % of a core");
    }
    text.push('\n');
    text += &format!("{} pings answered{}\n", count(found.pings as f64), told(found.ping_us));
    if found.lost_while_held > 0 {
        text += &format!("{} connections lost while the sessions were held\n", count(found.lost_while_held as f64));
    }
    if let Some(ms) = found.all_back_ms {
        text += &format!(
            "{} for {}: {} connections lost, all back {} after the fault; {} attempts failed; a session was away{}\n",
            args.faults.kind().noun(),
            args.faults.target.noun(),
            count((found.connections_lost - found.lost_while_held) as f64),
            duration(ms * 1e6),
            count(found.failed_attempts as f64),
            told(found.back_us)
        );
    }
    text += &format!("{} sessions expired\n", count(found.sessions_expired as f64));
    if found.status == Status::Interrupted {
        text += "Interrupted: these are the figures up to then.\n";
    }
    for failure in &found.failures {
        text += &format!("FAILED: {failure}\n");
    }
    text
}

fn told(times: Option<Percentiles>) -> String {
    times.map_or_else(String::new, |t| {
        let [p50, p99, max] = [t.p50, t.p99, t.max].map(|us| duration(us * 1e3));
        format!(": p50 {p50}, p99 {p99}, max {max}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threshold::Threshold;

    #[test]
    fn every_figure_that_the_help_names_can_be_judged() {
        let found = Findings { all_back_ms: Some(150.0), sessions_expired: 2, ..Findings::default() };
        let holds = |text: &str| text.parse::<Threshold<Findings>>().unwrap().holds(&found);
        assert_eq!(holds("all-back > 0.1s"), Some(true));
        assert_eq!(holds("expired > 2"), Some(false));
        for missing in ["back.p99 > 1s", "ping.max > 1ms", "memory > 9k", "core > 5"] {
            assert_eq!(holds(missing), None, "{missing}");
        }
        for name in ["opened", "lost", "failed-attempts", "ping.p99.9"] {
            assert!(Findings::unit(name).is_some(), "{name}");
        }
        for name in ["back", "ping.p98", "all-back.p99", ""] {
            assert_eq!(Findings::unit(name), None, "{name}");
        }
    }
}
