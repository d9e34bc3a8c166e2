//! What follows from the rounds. All of it is computed from [`Record`]s; nothing is measured here.
//!
//! Clients whose server the fault did not befall are *survivors'*, the others are *displaced*.

use super::course::Course;
use super::gaps::{Gap, longest};
use super::phases::Phases;
use super::round::Record;
use super::tape::Sample;
use super::verify::Verification;
use crate::engine::Nanos;
use crate::faults::Server;
use crate::op::{OpKind, error_name};
use crate::results::{Percentiles, Status};
use crate::stats::latency_histogram;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// How it ended.
    pub status: Status,
    /// What went wrong.
    pub failures: Vec<String>,
    /// Time without any acknowledged write, of all clients, around the fault; one for each round.
    pub write_gap_ms: Quantiles,
    /// What the part of that around the change of leaders consists of, in those rounds whose new leader tells it.
    pub phases_ms: Phases<Option<Quantiles>>,
    /// The same before the fault: what the schedule and an undisturbed ensemble make of it.
    pub steady_gap_ms: Quantiles,
    /// The same while the server returned.
    pub return_gap_ms: Quantiles,
    /// Time without an acknowledged write around the fault, of each client of a surviving server in each round.
    pub survivor_gap_ms: Quantiles,
    /// The same, of clients of the server that the fault befell.
    pub displaced_gap_ms: Quantiles,
    /// From the start of the server (or the end of its pause) until it served.
    pub back_ms: Quantiles,
    /// Clients of surviving servers.
    pub survivors: Troubles,
    /// Clients of the server that the fault befell.
    pub displaced: Troubles,
    /// Connections lost between rounds, when nothing was asked and nothing was broken.
    pub lost_between: u64,
    /// Latencies, from the intended time.
    pub latency_us: Latencies<Option<Percentiles>>,
    /// What was read back at the end; `None` if no server could be read.
    pub verification: Option<Verification>,
    /// Reads that did not find what the same client had written before.
    pub stale_reads: u64,
    /// The longest time by which an operation was handed out after it was meant to be.
    pub late_ms: f64,
    /// Cores that loadgen kept busy under load, on average.
    pub own_cores: f64,
    /// The rounds.
    pub rounds: Vec<RoundFindings>,
}

/// What a round was like.
#[derive(Debug, Serialize)]
pub struct RoundFindings {
    /// The server that the fault befell.
    pub server: String,
    /// Whether it led.
    pub led: bool,
    /// Load before the fault.
    pub lead_ms: f64,
    /// From setting the fault off until it had taken effect (the process had ended, the command had returned).
    pub effect_ms: f64,
    /// Time without any acknowledged write.
    pub write_gap_ms: f64,
    /// No write was acknowledged any more.
    pub write_gap_open: bool,
    /// What the time without any acknowledged write around the change of leaders consists of; `None` if the leader stayed, or
    /// servers do not tell.
    pub phases_ms: Option<Phases<Option<f64>>>,
    /// From the fault to the first acknowledgement after the gap.
    pub first_write_after_ms: f64,
    /// Time without any acknowledged write before the fault.
    pub steady_gap_ms: f64,
    /// Time without any acknowledged write while the server returned.
    pub return_gap_ms: Option<f64>,
    /// From the start of the server until it served.
    pub back_ms: Option<f64>,
    /// Time without an acknowledged write of each survivors' client.
    pub survivor_gap_ms: Vec<f64>,
    /// Of each displaced client.
    pub displaced_gap_ms: Vec<f64>,
    /// Survivors' troubles.
    pub survivors: Troubles,
    /// The others'.
    pub displaced: Troubles,
    /// Connections lost since the round before.
    pub lost_between: u64,
    /// Loadgen's own lateness.
    pub late_ms: f64,
    /// Acknowledged writes over time.
    pub course: Course,
}

/// What went wrong for a group of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Troubles {
    /// Connections lost.
    pub connections_lost: u64,
    /// The same by the way in which it was noticed.
    pub losses: BTreeMap<&'static str, u64>,
    /// Sessions that had expired.
    pub sessions_expired: u64,
    /// Writes whose outcome is unknown: their connection was lost before the answer.
    pub unknown_writes: u64,
    /// Reads without an answer for the same reason.
    pub unanswered_reads: u64,
    /// Answers with an error code.
    pub errors: BTreeMap<String, u64>,
}

impl Troubles {
    fn add(&mut self, other: &Troubles) {
        self.connections_lost += other.connections_lost;
        self.sessions_expired += other.sessions_expired;
        self.unknown_writes += other.unknown_writes;
        self.unanswered_reads += other.unanswered_reads;
        for (kind, n) in &other.losses {
            *self.losses.entry(kind).or_insert(0) += n;
        }
        for (error, n) in &other.errors {
            *self.errors.entry(error.clone()).or_insert(0) += n;
        }
    }

    /// Both groups together.
    pub fn with(&self, other: &Troubles) -> Troubles {
        let mut sum = self.clone();
        sum.add(other);
        sum
    }
}

/// Latencies by what was asked, of whom, and when.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Latencies<T> {
    pub steady_writes: T,
    pub steady_reads: T,
    pub survivor_writes: T,
    pub survivor_reads: T,
    pub displaced_writes: T,
    pub displaced_reads: T,
}

impl<T> Latencies<T> {
    /// Each with its name.
    pub fn named(&self) -> [(&'static str, &T); 6] {
        [
            ("steady_writes", &self.steady_writes),
            ("steady_reads", &self.steady_reads),
            ("survivor_writes", &self.survivor_writes),
            ("survivor_reads", &self.survivor_reads),
            ("displaced_writes", &self.displaced_writes),
            ("displaced_reads", &self.displaced_reads),
        ]
    }
}

/// Percentiles of a few figures: each is one of them (nearest rank), not something between two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many figures there are.
    pub count: usize,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

impl Quantiles {
    /// Of these figures; all zero if there are none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Quantiles {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let rank = |share: f64| ((share * sorted.len() as f64).ceil() as usize).max(1) - 1;
        let at = |share: f64| sorted.get(rank(share)).copied().unwrap_or(0.0);
        Quantiles { count: sorted.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) }
    }
}

fn ms(ns: Nanos) -> f64 {
    ns as f64 / 1e6
}

impl RoundFindings {
    /// What a record says.
    pub fn of(record: &Record, servers: &[Server]) -> RoundFindings {
        let acks = |client: Option<usize>| {
            let samples = record.tape.samples.iter();
            let writes =
                samples.filter(move |s| s.kind == OpKind::Create && client.is_none_or(|client| s.client == client));
            writes.map(|sample| sample.answered)
        };
        let (span, window) = (record.began..record.ended, record.fault..record.undone);
        let gap = longest(acks(None), &span, &window);
        let before = record.began..record.fault;
        let after = record.undone..record.ended;
        let steady = longest(acks(None), &before, &before);
        let back = record.returned.map(|at| ms(at - record.undone));
        let gaps_of = |survivors: bool| -> Vec<f64> {
            let clients = (0..record.placed.len()).filter(|&client| record.survives(client) == survivors);
            clients.filter_map(|client| Some(ms(longest(acks(Some(client)), &span, &window)?.length()))).collect()
        };
        RoundFindings {
            server: servers[record.target].to_string(),
            led: record.target == record.leader,
            lead_ms: ms(record.fault - record.began),
            effect_ms: ms(record.effective.saturating_sub(record.fault)),
            write_gap_ms: gap.map_or(0.0, |gap| ms(gap.length())),
            write_gap_open: gap.is_some_and(|gap| gap.open),
            phases_ms: record.phases(),
            first_write_after_ms: gap.map_or(0.0, |gap| ms(gap.to.saturating_sub(record.fault))),
            steady_gap_ms: steady.as_ref().map_or(0.0, |gap| ms(gap.length())),
            return_gap_ms: back.and_then(|_| longest(acks(None), &after, &after)).map(|gap: Gap| ms(gap.length())),
            back_ms: back,
            survivor_gap_ms: gaps_of(true),
            displaced_gap_ms: gaps_of(false),
            survivors: record.troubles(true),
            displaced: record.troubles(false),
            lost_between: record.lost_between,
            late_ms: ms(record.tape.late),
            course: Course::of(record),
        }
    }
}

impl Record {
    /// What the gap around the change of leaders consists of. Where it is, only the new leader can tell; else it is the longest.
    fn phases(&self) -> Option<Phases<Option<f64>>> {
        let change = self.change.as_ref()?;
        let end = change.established(self.fault).map_or(self.undone, |established| established.max(self.fault + 1));
        let writes = self.tape.samples.iter().filter(|sample| sample.kind == OpKind::Create);
        let acks = writes.map(|sample| sample.answered);
        let gap = longest(acks, &(self.began..self.ended), &(self.fault..end))?;
        Some(Phases::of(&gap, self.fault, change))
    }

    /// Whether a client was at another server than the one that the fault befell.
    fn survives(&self, client: usize) -> bool {
        self.placed[client] != self.target
    }

    fn troubles(&self, survivors: bool) -> Troubles {
        let of_group = |client: usize| self.survives(client) == survivors;
        let losses = || self.tape.losses.iter().filter(|loss| of_group(loss.client));
        let (mut by_kind, mut errors) = (BTreeMap::new(), BTreeMap::new());
        for loss in losses() {
            *by_kind.entry(loss.kind).or_insert(0) += 1;
        }
        for refusal in self.tape.refusals.iter().filter(|refusal| of_group(refusal.client)) {
            *errors.entry(format!("{}: {}", refusal.kind.name(), error_name(refusal.code))).or_insert(0) += 1;
        }
        Troubles {
            connections_lost: losses().count() as u64,
            losses: by_kind,
            sessions_expired: self.tape.expired.iter().filter(|&&client| of_group(client)).count() as u64,
            unknown_writes: losses().map(|loss| loss.unknown_writes).sum(),
            unanswered_reads: losses().map(|loss| loss.unanswered_reads).sum(),
            errors,
        }
    }

    /// The series that an answer belongs to: before the fault, or around it, until the server was started.
    fn series<'l, T>(&self, sample: &Sample, latencies: &'l mut Latencies<T>) -> Option<&'l mut T> {
        let write = sample.kind == OpKind::Create;
        if sample.answered <= self.fault {
            return Some(if write { &mut latencies.steady_writes } else { &mut latencies.steady_reads });
        }
        if sample.intended >= self.undone {
            return None;
        }
        Some(match (self.survives(sample.client), write) {
            (true, true) => &mut latencies.survivor_writes,
            (true, false) => &mut latencies.survivor_reads,
            (false, true) => &mut latencies.displaced_writes,
            (false, false) => &mut latencies.displaced_reads,
        })
    }
}

/// Gathers rounds.
#[derive(Debug)]
pub struct Gathering {
    rounds: Vec<RoundFindings>,
    histograms: Latencies<Histogram<u64>>,
    stale_reads: Vec<String>,
}

impl Default for Gathering {
    fn default() -> Gathering {
        let [a, b, c, d, e, f] = std::array::from_fn(|_| latency_histogram());
        let histograms = Latencies {
            steady_writes: a,
            steady_reads: b,
            survivor_writes: c,
            survivor_reads: d,
            displaced_writes: e,
            displaced_reads: f,
        };
        Gathering { rounds: Vec::new(), histograms, stale_reads: Vec::new() }
    }
}

impl Gathering {
    /// Takes a round.
    pub fn add(&mut self, record: &Record, servers: &[Server]) -> &RoundFindings {
        for sample in &record.tape.samples {
            if let Some(histogram) = record.series(sample, &mut self.histograms) {
                histogram.saturating_record(sample.answered.saturating_sub(sample.intended));
            }
        }
        self.stale_reads.extend(record.tape.stale_reads.iter().cloned());
        self.rounds.push(RoundFindings::of(record, servers));
        &self.rounds[self.rounds.len() - 1]
    }

    /// The latencies of all rounds.
    pub fn histograms(&self) -> &Latencies<Histogram<u64>> {
        &self.histograms
    }

    /// What follows from all rounds. A lost write and a stale read are failures.
    pub fn conclude(
        self,
        mut failures: Vec<String>,
        interrupted: bool,
        verification: Option<Verification>,
        own_cores: f64,
    ) -> Findings {
        failures.extend(verification.iter().flat_map(|verification| verification.breaches.iter().cloned()));
        failures.extend(self.stale_reads.first().map(|first| {
            format!("{} reads did not find what the client had written before: {first}", self.stale_reads.len())
        }));
        let status = match (failures.is_empty(), interrupted) {
            (false, _) => Status::Failed,
            (true, true) => Status::Interrupted,
            (true, false) => Status::Complete,
        };
        let rounds = &self.rounds;
        let each = |figure: fn(&RoundFindings) -> f64| Quantiles::of(rounds.iter().map(figure));
        let some = |figure: fn(&RoundFindings) -> Option<f64>| Quantiles::of(rounds.iter().filter_map(figure));
        let all = |figures: fn(&RoundFindings) -> &Vec<f64>| Quantiles::of(rounds.iter().flat_map(figures).copied());
        let sum = |group: fn(&RoundFindings) -> &Troubles| {
            rounds.iter().map(group).fold(Troubles::default(), |sum, troubles| sum.with(troubles))
        };
        let h = &self.histograms;
        Findings {
            status,
            failures,
            write_gap_ms: each(|round| round.write_gap_ms),
            phases_ms: Phases::of_rounds(&rounds.iter().filter_map(|round| round.phases_ms).collect::<Vec<_>>()),
            steady_gap_ms: each(|round| round.steady_gap_ms),
            return_gap_ms: some(|round| round.return_gap_ms),
            survivor_gap_ms: all(|round| &round.survivor_gap_ms),
            displaced_gap_ms: all(|round| &round.displaced_gap_ms),
            back_ms: some(|round| round.back_ms),
            survivors: sum(|round| &round.survivors),
            displaced: sum(|round| &round.displaced),
            lost_between: rounds.iter().map(|round| round.lost_between).sum(),
            latency_us: Latencies {
                steady_writes: Percentiles::new(&h.steady_writes),
                steady_reads: Percentiles::new(&h.steady_reads),
                survivor_writes: Percentiles::new(&h.survivor_writes),
                survivor_reads: Percentiles::new(&h.survivor_reads),
                displaced_writes: Percentiles::new(&h.displaced_writes),
                displaced_reads: Percentiles::new(&h.displaced_reads),
            },
            verification,
            stale_reads: self.stale_reads.len() as u64,
            late_ms: rounds.iter().map(|round| round.late_ms).fold(0.0, f64::max),
            own_cores,
            rounds: self.rounds,
        }
    }
}

#[cfg(test)]
mod tests;
