//! The figures that are compared, and what several repetitions make of them.

use crate::units::{bytes, count, duration};
use serde::Serialize;
use serde_json::Value;

/// What a figure is measured in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Operations per second.
    PerSecond,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Bytes.
    Bytes,
    /// A number.
    Count,
}

/// A figure of a result.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Figure {
    /// Its name in JSON.
    pub key: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Where it is in a result.
    pointer: &'static str,
    /// What it is measured in.
    pub unit: Unit,
}

const fn figure(key: &'static str, label: &'static str, pointer: &'static str, unit: Unit) -> Figure {
    Figure { key, label, pointer, unit }
}

/// Those of `run`.
const RUN: [Figure; 6] = [
    figure("rate", "operations per second", "/rate", Unit::PerSecond),
    figure("p50_us", "p50", "/all/latency_us/p50", Unit::Micros),
    figure("p99_us", "p99", "/all/latency_us/p99", Unit::Micros),
    figure("p99_9_us", "p99.9", "/all/latency_us/p99_9", Unit::Micros),
    figure("cpu_us_per_op", "server CPU per operation", "/server/cpu_us_per_op", Unit::Micros),
    figure("rss_bytes", "server memory", "/server/rss_bytes_after", Unit::Bytes),
];

/// Those of `failover`.
const FAILOVER: [Figure; 7] = [
    figure("write_gap_p50_ms", "without a write, p50", "/write_gap_ms/p50", Unit::Millis),
    figure("write_gap_max_ms", "without a write, max", "/write_gap_ms/max", Unit::Millis),
    figure("survivor_gap_p50_ms", "clients of the others, p50", "/survivor_gap_ms/p50", Unit::Millis),
    figure("displaced_gap_p50_ms", "clients of the server, p50", "/displaced_gap_ms/p50", Unit::Millis),
    figure("back_p50_ms", "until it serves again, p50", "/back_ms/p50", Unit::Millis),
    figure("survivor_losses", "connections to the others lost", "/survivors/connections_lost", Unit::Count),
    figure("lost_writes", "acknowledged writes lost", "/verification/lost", Unit::Count),
];

/// Those of `watch`.
const WATCH: [Figure; 5] = [
    figure("events_per_second", "events per second", "/events_per_second", Unit::PerSecond),
    figure("event_p50_us", "event after the change, p50", "/from_sending_us/p50", Unit::Micros),
    figure("last_event_p50_us", "last event of a round, p50", "/last_event_us/p50", Unit::Micros),
    figure("last_event_p99_us", "last event of a round, p99", "/last_event_us/p99", Unit::Micros),
    figure("cpu_us_per_event", "server CPU per event", "/server_cpu_us_per_event", Unit::Micros),
];

/// Those of `sessions`.
const SESSIONS: [Figure; 7] = [
    figure("opened_per_second", "sessions opened per second", "/opened_per_second", Unit::PerSecond),
    figure("rss_bytes_per_session", "server memory per session", "/rss_bytes_per_session", Unit::Bytes),
    figure("ping_p99_us", "ping, p99", "/ping_us/p99", Unit::Micros),
    figure("all_back_ms", "until all are back", "/all_back_ms", Unit::Millis),
    figure("back_p50_us", "a session is back, p50", "/back_us/p50", Unit::Micros),
    figure("back_max_us", "a session is back, max", "/back_us/max", Unit::Micros),
    figure("sessions_expired", "sessions expired", "/sessions_expired", Unit::Count),
];

/// Those of `verify`, which fails if a promise is broken.
const VERIFY: [Figure; 2] = [
    figure("unknown", "operations of unknown outcome", "/unknown", Unit::Count),
    figure("connections_lost", "connections lost", "/connections_lost", Unit::Count),
];

/// The figures of a command's results.
pub fn of_command(command: &str) -> &'static [Figure] {
    match command {
        "failover" => &FAILOVER,
        "watch" => &WATCH,
        "sessions" => &SESSIONS,
        "verify" => &VERIFY,
        _ => &RUN,
    }
}

impl Figure {
    /// From a result.
    pub fn of(&self, result: &Value) -> Option<f64> {
        result.pointer(self.pointer)?.as_f64()
    }

    /// Whether more of it is better.
    pub fn more_is_better(&self) -> bool {
        self.unit == Unit::PerSecond
    }

    /// A value of it, as people read it.
    pub fn show(&self, value: f64) -> String {
        match self.unit {
            Unit::PerSecond | Unit::Count => count(value),
            Unit::Micros => duration(value * 1e3),
            Unit::Millis => duration(value * 1e6),
            Unit::Bytes => bytes(value),
        }
    }
}

/// A figure of several repetitions.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Sample {
    /// Repetitions that have the figure.
    pub count: usize,
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Sample {
    /// Of these values; `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Sample> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (count, middle) = (sorted.len(), sorted.len() / 2);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let median = if count % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Sample { count, median, min, max })
    }

    /// From the least to the greatest, as a share of the median.
    pub fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.max - self.min) / self.median.abs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_the_middle_and_the_ends() {
        let odd = Sample::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.count, odd.median, odd.min, odd.max, odd.spread()), (3, 2.0, 1.0, 3.0, 1.0));
        assert_eq!(Sample::of([4.0, 1.0]).unwrap().median, 2.5);
        assert_eq!(Sample::of([0.0]).unwrap().spread(), 0.0);
        assert_eq!(Sample::of([]), None);
    }

    #[test]
    fn figures_are_found_in_results() {
        let result = serde_json::json!({"rate": 5, "all": {"latency_us": {"p99": 7.5}}, "server": null});
        let found: Vec<Option<f64>> = of_command("run").iter().map(|figure| figure.of(&result)).collect();
        assert_eq!(found, [Some(5.0), None, Some(7.5), None, None, None]);
    }
}
