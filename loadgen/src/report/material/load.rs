//! `run`, `fill` (and `idle`, which older versions had): a load, and what became of it.

use super::{Curve, Measurement, Moment, remarks};
use crate::report::figure::{Better, Figure, Unit};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const US: f64 = 1e3;
const SECOND: f64 = 1e9;

#[derive(Deserialize)]
struct Load {
    rate: f64,
    offered_rate: Option<f64>,
    #[serde(default)]
    unsent: u64,
    #[serde(default)]
    unanswered: u64,
    all: Kind,
    #[serde(default)]
    kinds: BTreeMap<String, Kind>,
    server: Option<Server>,
    fill: Option<Fill>,
    idle: Option<Idle>,
    #[serde(default)]
    course: Vec<Point>,
}

#[derive(Deserialize)]
struct Kind {
    operations: u64,
    #[serde(default)]
    errors: BTreeMap<String, u64>,
    latency_us: Option<Percentiles>,
    /// Older documents have none.
    #[serde(default)]
    distribution: Vec<(f64, f64)>,
}

/// A distribution of times, microseconds.
#[derive(Clone, Copy, Deserialize)]
pub struct Percentiles {
    min: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    p99_99: f64,
    max: f64,
}

#[derive(Deserialize)]
struct Server {
    cpu_us_per_op: Option<f64>,
    rss_bytes_after: f64,
}

#[derive(Deserialize)]
struct Fill {
    rss_bytes_per_node: Option<f64>,
}

#[derive(Deserialize)]
struct Idle {
    opened_per_second: f64,
    rss_bytes_per_session: Option<f64>,
    server_core_percent: Option<f64>,
}

#[derive(Deserialize)]
struct Point {
    #[serde(default)]
    phase: String,
    at_s: f64,
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    #[serde(default)]
    errors: u64,
}

/// Reads a result of `run` and its like.
pub fn measurement(result: &Value) -> Result<Measurement, serde_json::Error> {
    let load = Load::deserialize(result)?;
    let mut curves: Vec<Curve> = load.kinds.iter().filter_map(|(name, kind)| kind.curve(name)).collect();
    if curves.len() != 1 {
        curves.extend(load.all.curve("all"));
    }
    let kinds = if load.kinds.len() > 1 {
        load.kinds.iter().map(|(name, kind)| (name.clone(), kind.figures(load.rate, load.all.operations))).collect()
    } else {
        Vec::new()
    };
    Ok(Measurement {
        remarks: result.as_object().map(|result| load.remarks(result)).unwrap_or_default(),
        figures: load.figures(),
        kinds,
        curves,
        course: load.course.iter().map(Point::moment).collect(),
        ..Measurement::default()
    })
}

/// Reads the seconds of a course; none if they are something else.
pub fn course(points: &Value) -> Vec<Moment> {
    let points: Vec<Point> = Vec::deserialize(points).unwrap_or_default();
    points.iter().map(Point::moment).collect()
}

impl Load {
    fn figures(&self) -> Vec<Figure> {
        use Better::{Less, Neither};
        use Unit::{Bytes, Rate, Share, Time};
        let mut figures = Vec::new();
        if let Some(offered) = self.offered_rate {
            figures.push(Figure::new("offered", Rate, Neither, offered));
        }
        let rate = Figure::new("throughput", Rate, Better::More, self.rate);
        // In an open loop, and of idle sessions, the rate is what was asked for; falling behind shows in the latencies.
        let asked_for = self.offered_rate.is_some() || self.idle.is_some();
        figures.push(if asked_for { rate } else { rate.headline() });
        figures.extend(self.all.latency_us.into_iter().flat_map(Percentiles::figures));
        if let Some(server) = &self.server {
            let cpu = server.cpu_us_per_op.map(|us| Figure::new("CPU per operation", Time, Less, us * US).headline());
            figures.extend(cpu);
            figures.push(Figure::new("server memory", Bytes, Less, server.rss_bytes_after).headline());
        }
        if let Some(per_node) = self.fill.as_ref().and_then(|fill| fill.rss_bytes_per_node) {
            figures.push(Figure::new("memory per node", Bytes, Less, per_node).headline());
        }
        if let Some(idle) = &self.idle {
            figures.push(Figure::new("sessions opened", Rate, Better::More, idle.opened_per_second));
            let memory = idle.rss_bytes_per_session;
            figures.extend(memory.map(|bytes| Figure::new("memory per session", Bytes, Less, bytes).headline()));
            let cores = idle.server_core_percent;
            figures
                .extend(cores.map(|percent| Figure::new("share of a core", Share, Less, percent / 100.0).headline()));
        }
        figures
    }

    fn remarks(&self, result: &Map<String, Value>) -> Vec<String> {
        let mut remarks = remarks(result);
        let counted = |n: u64, what: &str| (n > 0).then(|| format!("{} {what}", Unit::Count.exact(n as f64)));
        remarks
            .extend(counted(self.unsent, "operations of the schedule were never sent: read latencies as lower bounds"));
        remarks.extend(counted(self.unanswered, "operations were sent and never answered"));
        remarks.extend(self.all.errors.iter().filter_map(|(kind, n)| counted(*n, &format!("x {kind}"))));
        remarks
    }
}

impl Kind {
    fn figures(&self, rate: f64, of: u64) -> Vec<Figure> {
        let share = if of > 0 { self.operations as f64 / of as f64 } else { 0.0 };
        let mut figures = vec![Figure::new("throughput", Unit::Rate, Better::More, rate * share)];
        figures.extend(self.latency_us.into_iter().flat_map(Percentiles::figures));
        figures
    }

    fn curve(&self, name: &str) -> Option<Curve> {
        let coarse = || self.latency_us.map(|p| p.points()).unwrap_or_default();
        let points = if self.distribution.is_empty() { coarse() } else { self.distribution.clone() };
        let points: Vec<(f64, f64)> = points
            .into_iter()
            .filter(|(q, us)| (0.0..=1.0).contains(q) && us.is_finite() && *us >= 0.0)
            .map(|(q, us)| (q, us * US))
            .collect();
        (points.len() > 1).then(|| Curve { name: name.to_owned(), count: Some(self.operations), points })
    }
}

impl Percentiles {
    /// As figures of a table.
    pub fn figures(self) -> Vec<Figure> {
        let time = |name: &str, us: f64| Figure::new(name, Unit::Time, Better::Less, us * US);
        vec![
            time("p50", self.p50).headline(),
            time("p99", self.p99).headline(),
            time("p99.9", self.p99_9),
            time("max", self.max),
        ]
    }

    /// As points of a curve: all that older documents have.
    pub fn points(self) -> Vec<(f64, f64)> {
        vec![
            (0.0, self.min),
            (0.5, self.p50),
            (0.9, self.p90),
            (0.99, self.p99),
            (0.999, self.p99_9),
            (0.9999, self.p99_99),
            (1.0, self.max),
        ]
    }
}

impl Point {
    fn moment(&self) -> Moment {
        let time = |us: f64| (self.rate > 0.0 && us > 0.0).then_some(us * US);
        Moment {
            warmup: self.phase == "warmup",
            at: self.at_s * SECOND,
            rate: self.rate,
            p50: time(self.p50_us),
            p99: time(self.p99_us),
            errors: self.errors,
        }
    }
}
