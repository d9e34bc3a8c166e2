//! What there is to show of a document, whatever command wrote it.

mod comparison;
mod failover;
mod load;
mod other;

use super::figure::Figure;
use super::read::{Document, Unreadable};
use crate::failover::Phases;
use serde_json::{Map, Value};
use std::path::Path;

/// A measurement: a document, or a repetition of one that holds several.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// The name that the document itself has for what was measured.
    pub label: Option<String>,
    /// The name that the document itself has for the workload.
    pub workload: Option<String>,
    /// What is not as it should be: it failed, it was interrupted.
    pub remarks: Vec<String>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// The figures of each kind of operation, where there are several.
    pub kinds: Vec<(String, Vec<Figure>)>,
    /// Latencies by quantile: of all operations and of each kind.
    pub curves: Vec<Curve>,
    /// The course over time.
    pub course: Vec<Moment>,
    /// Times without an answer, by whose they are.
    pub gaps: Vec<Gaps>,
    /// What the failovers consist of, round by round.
    pub phases: Vec<Phases<Option<f64>>>,
    /// What the rounds of a failover were like, moment by moment.
    pub rounds: Vec<RoundCourse>,
}

/// Latencies by quantile.
#[derive(Clone, PartialEq, Debug)]
pub struct Curve {
    /// Of what.
    pub name: String,
    /// How many values it is of, if that is known.
    pub count: Option<u64>,
    /// Quantile and nanoseconds, ascending.
    pub points: Vec<(f64, f64)>,
}

/// A second of the course.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moment {
    /// It belongs to the warm-up.
    pub warmup: bool,
    /// When it ended, nanoseconds from the start of the load.
    pub at: f64,
    /// Replies per second.
    pub rate: f64,
    /// Median latency, nanoseconds; `None` if nothing was answered.
    pub p50: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
    /// Errors and lost connections.
    pub errors: u64,
}

/// Times without an answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Gaps {
    /// Whose.
    pub name: &'static str,
    /// Nanoseconds.
    pub lengths: Vec<f64>,
}

/// A round of a failover.
#[derive(Clone, PartialEq, Debug)]
pub struct RoundCourse {
    /// Time without a write, nanoseconds: what rounds are ordered by.
    pub gap: f64,
    /// From the fault until the server was started again, nanoseconds.
    pub undone: f64,
    /// Until it served again.
    pub returned: Option<f64>,
    /// Nanoseconds from the fault, acknowledged writes per second from there on.
    pub writes: Vec<(f64, f64)>,
}

/// What there is in a document: one measurement, or several.
///
/// # Errors
/// That it is not as its command writes it.
pub fn extract(file: &Path, document: &Document) -> Result<Extract, Unreadable> {
    let extracted = match document.command.as_str() {
        "run" | "fill" | "idle" => load::measurement(&document.result).map(Extract::one),
        "failover" => failover::measurement(&document.result).map(Extract::one),
        "compare" => comparison::extract(&document.result),
        _ => Ok(Extract::one(other::measurement(&document.result))),
    };
    let command = || document.command.clone();
    let extract = extracted.map_err(|why| Unreadable::Malformed { file: file.to_owned(), command: command(), why })?;
    if extract.measurements.iter().all(|measurement| measurement.figures.is_empty()) {
        return Err(Unreadable::Empty { file: file.to_owned(), command: command() });
    }
    Ok(extract)
}

/// What a document holds.
#[derive(Clone, Debug, Default)]
pub struct Extract {
    /// The measurements.
    pub measurements: Vec<Measurement>,
    /// What it says itself of how they compare.
    pub findings: Vec<String>,
}

impl Extract {
    fn one(measurement: Measurement) -> Extract {
        Extract { measurements: vec![measurement], findings: Vec::new() }
    }
}

/// How a measurement ended, unless it ended well, and why.
fn remarks(result: &Map<String, Value>) -> Vec<String> {
    let status = result.get("status").and_then(Value::as_str).filter(|status| *status != "complete");
    let failures = result.get("failures").and_then(Value::as_array).into_iter().flatten();
    let failures = failures.filter_map(Value::as_str).map(str::to_owned);
    status.map(|status| format!("ended as {status}")).into_iter().chain(failures).collect()
}
