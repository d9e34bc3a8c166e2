//! `compare`: results of other commands, several for each variant and workload.

use super::{Extract, Measurement, failover, load, other};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Comparison {
    cells: Vec<Cell>,
    #[serde(default)]
    findings: Vec<String>,
}

#[derive(Deserialize)]
struct Cell {
    label: String,
    workload: String,
    #[serde(default)]
    command: String,
    repetitions: Vec<Value>,
    #[serde(default)]
    failures: Vec<String>,
}

/// Reads a result of `compare`: every repetition is a measurement.
///
/// # Errors
/// What is missing or of the wrong kind.
pub fn extract(result: &Value) -> Result<Extract, serde_json::Error> {
    let comparison = Comparison::deserialize(result)?;
    let mut measurements = Vec::new();
    for cell in comparison.cells {
        let mut failures = cell.failures;
        for repetition in &cell.repetitions {
            let measured = match cell.command.as_str() {
                "failover" => failover::measurement(repetition)?,
                // Older documents do not say it.
                "" | "run" => load::measurement(repetition)?,
                _ => other::measurement(repetition),
            };
            let mut remarks = measured.remarks;
            remarks.append(&mut failures);
            let (label, workload) = (Some(cell.label.clone()), Some(cell.workload.clone()));
            measurements.push(Measurement { label, workload, remarks, ..measured });
        }
    }
    Ok(Extract { measurements, findings: comparison.findings })
}
