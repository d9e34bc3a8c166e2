//! `ringkeeper doctor`: examines a host before a server is deployed on it.
//!
//! ```text
//!   facts ──────────► judge ──────► findings ──► text, JSON
//!   /proc, /sys,  └─► recommend ──► settings ──┘
//!   trying, timing
//! ```
//!
//! Collecting is here and in [`facts`] and [`timing`]; what follows from the facts is pure, so that machines that nobody has
//! at hand can be judged in tests.

mod facts;
mod finding;
mod judge;
mod recommend;
mod text;
mod timing;

use crate::config::{Config, Problems};
use facts::{Facts, Host, Wanted};
use finding::Finding;
use recommend::Recommendation;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(crate) use finding::Severity;

/// What is examined, and how.
pub(crate) struct Order {
    /// The configuration of the server, with its warnings, or why it is refused.
    pub(crate) config: Result<(Config, Problems), Problems>,
    /// The data directory if the configuration is refused, as far as it is known.
    pub(crate) data_dir: Option<PathBuf>,
    /// The unit that starts the server.
    pub(crate) unit: String,
    /// How many writes are timed with each of the log's drivers.
    pub(crate) writes: u32,
    /// Ends the timing early.
    pub(crate) stop: Arc<AtomicBool>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The version of this program.
    version: &'static str,
    findings: Vec<Finding>,
    recommendation: Recommendation,
    facts: Facts,
}

/// Examines this host. `progress` hears how many log writes of how many have been timed.
pub(crate) fn examine(order: &Order, progress: impl FnMut(u32, u32)) -> Report {
    let wanted = match &order.config {
        Ok((config, problems)) => Wanted::of(config, problems),
        Err(problems) => Wanted::refused(problems, order.data_dir.clone()),
    };
    let mut facts = Facts::read(&Host, wanted, &order.unit);
    facts.try_out(&Host, order.config.as_ref().ok().map(|(config, _)| config));
    time_log(&mut facts, order, progress);
    Report::of(facts)
}

/// Where the log cannot be written, or no ring be made, there is a finding already.
fn time_log(facts: &mut Facts, order: &Order, progress: impl FnMut(u32, u32)) {
    let Some(dir) = facts.log_storage().filter(|storage| storage.not_writable.is_none()) else { return };
    if order.writes == 0 || facts.kernel.uring.refused.is_some() {
        return;
    }
    match timing::measure(dir.examined.as_ref(), order.writes, &order.stop, progress) {
        Ok(log) => facts.log = log,
        Err(error) => facts.log_failure = Some(format!("{error:#}")),
    }
}

impl Report {
    fn of(facts: Facts) -> Report {
        let (findings, recommendation) = (judge::judge(&facts), recommend::recommend(&facts));
        Report { version: crate::version::long(), findings, recommendation, facts }
    }

    /// The worst that was found.
    pub(crate) fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.verdict.severity).max().unwrap_or(Severity::Ok)
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        text::report(self)
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("a report has no keys but text");
        json + "\n"
    }
}
