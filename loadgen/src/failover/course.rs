//! The course of a round: how many writes were acknowledged when.

use super::round::Record;
use crate::engine::Nanos;
use crate::op::OpKind;
use serde::Serialize;

/// The finest step. With few writes in a step, their number says little.
const STEP: Nanos = 20_000_000;
/// Steps that a round has at most, about.
const MOST: Nanos = 200;

/// Acknowledged writes, step by step. Times in milliseconds from the fault.
#[derive(Debug, PartialEq, Serialize)]
pub struct Course {
    /// When the first step begins. One of them begins with the fault.
    pub from_ms: f64,
    /// Length of a step.
    pub step_ms: f64,
    /// When the server's return began.
    pub undone_ms: f64,
    /// When it served again.
    pub returned_ms: Option<f64>,
    /// Writes of all clients that were acknowledged in each step.
    #[serde(serialize_with = "crate::one_line::serialize")]
    pub writes: Vec<u64>,
}

impl Course {
    /// Of a round. What is left of it at both ends and fills no step is not part of it.
    pub fn of(record: &Record) -> Course {
        let (before, after) = (record.fault.saturating_sub(record.began), record.ended.saturating_sub(record.fault));
        let step = ((before + after) / MOST).next_multiple_of(STEP).max(STEP);
        let from = record.fault.saturating_sub(before / step * step);
        let mut writes = vec![0; (before / step + after / step) as usize];
        let answered = record.tape.samples.iter().filter(|sample| sample.kind == OpKind::Create).map(|s| s.answered);
        for at in answered.filter(|at| *at >= from) {
            if let Some(n) = writes.get_mut(((at - from) / step) as usize) {
                *n += 1;
            }
        }
        let ms = |at: Nanos| (at as f64 - record.fault as f64) / 1e6;
        Course {
            from_ms: ms(from),
            step_ms: step as f64 / 1e6,
            undone_ms: ms(record.undone),
            returned_ms: record.returned.map(ms),
            writes,
        }
    }
}
