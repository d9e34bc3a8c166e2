//! What was found, the figures of it that thresholds may name, and the summary.

use super::args::WatchArgs;
use crate::figures::{PERCENTILES, Percentile};
use crate::results::{Percentiles, Status};
use crate::threshold::{Figures, Unit};
use crate::units::{count, duration};
use serde::Serialize;

/// What was found. Times in microseconds.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// How it ended.
    pub status: Status,
    /// What went wrong.
    pub failures: Vec<String>,
    /// Changes that were measured.
    pub rounds: u64,
    /// Events that told of them.
    pub events: u64,
    /// From the sending of a change to an event.
    pub from_sending_us: Option<Percentiles>,
    /// From its answer.
    pub from_answer_us: Option<Percentiles>,
    /// From its sending to the last event of the round.
    pub last_event_us: Option<Percentiles>,
    /// While events were coming.
    pub events_per_second: f64,
    /// What an event cost the servers.
    pub server_cpu_us_per_event: Option<f64>,
}

type Times = fn(&Findings) -> Option<&Percentiles>;

const TIMES: [(&str, Times); 3] = [
    ("sent", |f| f.from_sending_us.as_ref()),
    ("answered", |f| f.from_answer_us.as_ref()),
    ("last", |f| f.last_event_us.as_ref()),
];

fn times(name: &str) -> Option<(Times, Percentile)> {
    let (what, percentile) = name.split_once('.')?;
    let times = TIMES.iter().find(|(known, _)| *known == what)?.1;
    Some((times, PERCENTILES.iter().find(|(known, _)| *known == percentile)?.1))
}

impl Figures for Findings {
    fn unit(name: &str) -> Option<Unit> {
        match name {
            "rate" | "cpu" => Some(Unit::Number),
            name => times(name).map(|_| Unit::Time),
        }
    }

    fn names() -> String {
        let percentiles: Vec<&str> = PERCENTILES.iter().map(|(name, _)| *name).collect();
        format!("sent, answered and last with .{}, and rate, cpu", percentiles.join(", ."))
    }

    fn figure(&self, name: &str) -> Option<f64> {
        match name {
            "rate" => Some(self.events_per_second),
            "cpu" => self.server_cpu_us_per_event,
            name => {
                let (times, percentile) = times(name)?;
                Some(percentile(times(self)?) * 1e3)
            }
        }
    }
}

/// The summary.
pub fn summary(args: &WatchArgs, found: &Findings) -> String {
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
    if found.status == Status::Interrupted {
        text += "Interrupted: these are the figures up to then.\n";
    }
    for failure in &found.failures {
        text += &format!("FAILED: {failure}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threshold::Threshold;

    #[test]
    fn every_figure_that_the_help_names_can_be_judged() {
        let found = Findings { events_per_second: 500.0, ..Findings::default() };
        let holds = |text: &str| text.parse::<Threshold<Findings>>().unwrap().holds(&found);
        assert_eq!(holds("rate < 501"), Some(true));
        for missing in ["last.p99 > 1s", "sent.max > 1ms", "answered.p99.9 > 0ms", "cpu > 5"] {
            assert_eq!(holds(missing), None, "{missing}");
        }
        for name in ["last", "sent.p98", "rate.p99", ""] {
            assert_eq!(Findings::unit(name), None, "{name}");
        }
    }
}
