//! `--until-saturated`: the highest rate at which a bound holds.

use super::search::Search;
use super::{Run, Taken};
use crate::results::{Measured, Percentiles, Status};
use crate::threshold::Threshold;
use crate::units::{count, exact};
use serde::Serialize;

/// The rate with which the search begins unless one is given.
const BEGIN: f64 = 1_000.0;
/// Share of the schedule that need not be completed within the window: what comes at its end is answered behind it.
const LATE: f64 = 0.03;
/// At least what is due in so many seconds: in a short window the share is next to nothing.
const LATE_SECONDS: f64 = 0.15;

/// What the search found.
#[derive(Debug, Serialize)]
pub struct Saturation {
    /// What was to hold.
    pub bound: String,
    /// The highest rate at which it did.
    pub rate: Option<f64>,
    /// The lowest at which it did not.
    pub broke_at: Option<f64>,
    /// All steps, in their order.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Rate of the schedule.
    pub offered_rate: f64,
    /// Replies per second.
    pub rate: f64,
    /// Whether the bound held.
    pub held: bool,
    /// How it went, in words.
    pub verdict: String,
    /// From the intended time.
    pub latency_us: Option<Percentiles>,
    /// Once sent.
    pub service_us: Option<Percentiles>,
    /// Replies with an error.
    pub errors: u64,
    /// Operations of the schedule that were not sent.
    pub unsent: u64,
    /// Processor time of the servers per operation.
    pub server_cpu_us_per_op: Option<f64>,
}

/// Searches. The result is the step at the rate found; if there is none, or if it was cut short, the last one.
pub fn saturate(run: &mut Run<'_>, bound: &Threshold<Measured>) -> Taken {
    let mut rate = run.plan.rate.unwrap_or(BEGIN);
    let mut search = Search::new(rate);
    let mut steps: Vec<Step> = Vec::new();
    let mut best = None;
    let mut taken = loop {
        let taken = run.measure(Some(rate), steps.len() as u32);
        let whole = taken.measured.status == Status::Complete;
        let step = Step::of(&taken.measured, judge(&taken.measured, bound));
        if !run.plan.output.quiet {
            eprintln!("step {}: {}/s: {}", steps.len() + 1, exact(rate), step.verdict);
        }
        // A step that was cut short says nothing about its rate.
        if whole {
            search.note(step.held);
        }
        let next = search.next().filter(|_| whole);
        let held = step.held;
        steps.push(step);
        match (held, next) {
            (true, Some(next)) => (best, rate) = (Some(taken), next),
            (false, Some(next)) => rate = next,
            (true, None) => break taken,
            (false, None) => break best.filter(|_| whole).unwrap_or(taken),
        }
    };
    let (bound, held, broke) = (bound.to_string(), search.held(), search.broke());
    taken.measured.saturation = Some(Saturation { bound, rate: held, broke_at: broke, steps });
    taken
}

/// Whether a step holds, and how it went.
fn judge(measured: &Measured, bound: &Threshold<Measured>) -> Result<String, String> {
    if let Some(failure) = measured.failures.first() {
        return Err(failure.clone());
    }
    if measured.status == Status::Interrupted {
        return Err("interrupted".into());
    }
    let errors = measured.error_replies();
    if errors > 0 {
        return Err(format!("replies with an error: {}", count(errors as f64)));
    }
    let scheduled = measured.operations + measured.unsent + measured.unanswered;
    if !keeps_up(measured.completed, scheduled, measured.seconds) {
        return Err(format!("only {}/s were completed", count(measured.rate)));
    }
    let told = bound.told(measured);
    match bound.holds(measured) {
        Some(true) => Ok(told),
        Some(false) => Err(format!("{told}: too much")),
        None => Err(told),
    }
}

/// Whether what was due was completed within the window, but for what came at its end.
fn keeps_up(completed: u64, scheduled: u64, seconds: f64) -> bool {
    let late = LATE.max(LATE_SECONDS / seconds).min(1.0);
    completed as f64 >= scheduled as f64 * (1.0 - late) - 1.0
}

impl Step {
    fn of(measured: &Measured, verdict: Result<String, String>) -> Step {
        Step {
            offered_rate: measured.offered_rate.unwrap_or(0.0),
            rate: measured.rate,
            held: verdict.is_ok(),
            verdict: verdict.unwrap_or_else(|why| why),
            latency_us: measured.all.latency_us,
            service_us: measured.all.service_us,
            errors: measured.error_replies(),
            unsent: measured.unsent,
            server_cpu_us_per_op: measured.server.as_ref().and_then(|server| server.cost.cpu_us_per_op),
        }
    }
}

impl Saturation {
    /// What was found, in words.
    pub fn told(&self) -> String {
        let rate = |rate: f64| format!("{}/s", exact(rate));
        match (self.rate, self.broke_at) {
            (Some(held), Some(broke)) => {
                let why = self.steps.iter().find(|step| step.offered_rate == broke).map_or("", |step| &step.verdict);
                format!("{} holds up to {}; at {}: {why}", self.bound, rate(held), rate(broke))
            }
            (Some(held), None) => format!("{} holds at {}, the highest rate that was tried", self.bound, rate(held)),
            (None, _) => format!("{} holds at no rate that was tried", self.bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::keeps_up;

    #[test]
    fn what_comes_at_the_end_of_a_window_need_not_be_completed_within_it() {
        assert!(keeps_up(9_710, 10_000, 10.0) && !keeps_up(9_690, 10_000, 10.0));
        assert!(keeps_up(860, 1_000, 1.0) && !keeps_up(840, 1_000, 1.0), "what comes in 150 ms");
        assert!(keeps_up(3, 4, 60.0), "one operation is no backlog");
        assert!(keeps_up(0, 10, 0.1) && keeps_up(0, 0, 0.0), "too short to tell: the bound judges");
    }
}
