//! The sum of all intervals of all threads, and its course over time.

use crate::engine::{Nanos, SECOND};
use crate::live::Moment;
use crate::op::{OpKind, error_name};
use crate::stats::{Interval, Phase, Window, latency_histogram};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Operations of the measured window.
#[derive(Clone, Debug)]
pub struct Counts {
    /// From the intended time to the reply, successes only.
    pub latency: Histogram<u64>,
    /// From the sending to the reply; only in an open loop.
    pub service: Option<Histogram<u64>>,
    /// Replies with an error, by code.
    pub errors: BTreeMap<i32, u64>,
}

impl Counts {
    fn new(open_loop: bool) -> Counts {
        let service = open_loop.then(latency_histogram);
        Counts { latency: latency_histogram(), service, errors: BTreeMap::new() }
    }

    fn add<'e>(
        &mut self,
        latency: &Histogram<u64>,
        service: Option<&Histogram<u64>>,
        errors: impl IntoIterator<Item = (&'e i32, &'e u64)>,
    ) {
        add(&mut self.latency, latency);
        if let (Some(sum), Some(service)) = (&mut self.service, service) {
            add(sum, service);
        }
        for (code, n) in errors {
            *self.errors.entry(*code).or_insert(0) += n;
        }
    }

    /// Operations answered: with success or an error.
    pub fn operations(&self) -> u64 {
        self.latency.len() + self.errors.values().sum::<u64>()
    }
}

/// A second of the course.
#[derive(Clone, Debug)]
pub struct Second {
    /// Part of the measurement.
    pub phase: Phase,
    /// When it began.
    pub from: Nanos,
    /// When it ended.
    pub to: Nanos,
    /// Replies in it.
    pub completed: u64,
    /// Replies with an error.
    pub errors: u64,
    /// Latencies of all kinds.
    pub latency: Histogram<u64>,
}

/// Everything that was counted.
#[derive(Clone, Debug)]
pub struct Totals {
    /// By kind, in the order of the mix.
    pub kinds: Vec<(OpKind, Counts)>,
    /// Replies that arrived within the measured window.
    pub completed: u64,
    /// Events of watches that arrived within it.
    pub events: u64,
    /// The course, second by second.
    pub course: Vec<Course>,
    /// Errors of the warm-up, which are not part of the result but are worth a warning.
    pub warmup_errors: u64,
    open_loop: bool,
    window: Window,
    measured_to: Nanos,
    last_reply: Nanos,
    pending: BTreeMap<(Phase, u32), Second>,
    watermarks: Vec<(Phase, u32)>,
    errors_so_far: BTreeMap<String, u64>,
}

/// A point of the course.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Part of the measurement.
    pub phase: Phase,
    /// Seconds from the start of the load to the end of this second.
    pub at: f64,
    /// Replies per second.
    pub rate: f64,
    /// Percentiles 50, 90, 99, 99.9, and the maximum, nanoseconds.
    pub latency: [u64; 5],
    /// Replies with an error.
    pub errors: u64,
}

impl Totals {
    /// Nothing yet.
    pub fn new(kinds: &[OpKind], open_loop: bool, threads: usize, window: Window) -> Totals {
        Totals {
            kinds: kinds.iter().map(|kind| (*kind, Counts::new(open_loop))).collect(),
            open_loop,
            completed: 0,
            events: 0,
            course: Vec::new(),
            warmup_errors: 0,
            window,
            measured_to: window.from,
            last_reply: window.from,
            pending: BTreeMap::new(),
            watermarks: vec![(Phase::Warmup, 0); threads],
            errors_so_far: BTreeMap::new(),
        }
    }

    /// Adds a thread's interval. Returns the seconds that all threads have completed by it.
    pub fn add(&mut self, thread: usize, interval: &Interval) -> Vec<Moment> {
        let errors: u64 = interval.lanes.iter().flat_map(|lane| lane.errors.values()).sum();
        for (code, n) in interval.lanes.iter().flat_map(|lane| &lane.errors) {
            *self.errors_so_far.entry(error_name(*code)).or_insert(0) += n;
        }
        match interval.phase {
            Phase::Warmup => self.warmup_errors += errors,
            Phase::Measure | Phase::Drain => self.sum(interval),
        }
        self.watermarks[thread] = (interval.phase, interval.index + 1);
        self.pend(interval, errors);
        self.complete_seconds()
    }

    fn sum(&mut self, interval: &Interval) {
        if interval.phase == Phase::Measure {
            self.completed += interval.completed;
            self.events += interval.events;
            self.measured_to = self.measured_to.max(interval.to);
        }
        for ((_, counts), lane) in self.kinds.iter_mut().zip(&interval.lanes) {
            counts.add(&lane.latency, lane.service.as_ref(), &lane.errors);
        }
    }

    fn pend(&mut self, interval: &Interval, errors: u64) {
        let fresh = || Second {
            phase: interval.phase,
            from: interval.from,
            to: interval.to,
            completed: 0,
            errors: 0,
            latency: latency_histogram(),
        };
        let second = self.pending.entry((interval.phase, interval.index)).or_insert_with(fresh);
        second.to = second.to.max(interval.to);
        second.completed += interval.completed;
        second.errors += errors;
        for lane in &interval.lanes {
            add(&mut second.latency, &lane.latency);
        }
    }

    fn complete_seconds(&mut self) -> Vec<Moment> {
        let passed = self.watermarks.iter().min().copied().unwrap_or_default();
        let mut moments = Vec::new();
        while let Some(entry) = self.pending.first_entry().filter(|entry| *entry.key() < passed) {
            let second = entry.remove();
            moments.extend(self.complete(&second));
        }
        moments
    }

    fn complete(&mut self, second: &Second) -> Option<Moment> {
        let length = second.to.saturating_sub(second.from);
        // A sliver at the end of a phase says nothing about a rate.
        if length <= SECOND / 20 {
            return None;
        }
        let latency = &second.latency;
        let point = Course {
            phase: second.phase,
            at: seconds(second.to.saturating_sub(self.window.start)),
            rate: second.completed as f64 * SECOND as f64 / length as f64,
            latency: [0.5, 0.9, 0.99, 0.999, 1.0].map(|quantile| latency.value_at_quantile(quantile)),
            errors: second.errors,
        };
        self.course.push(point);
        let of = (self.window.until != Nanos::MAX).then(|| seconds(self.window.until - self.window.start));
        Some(Moment {
            phase: point.phase,
            at: point.at,
            of,
            rate: point.rate,
            latency: (!latency.is_empty()).then(|| (point.latency[0], point.latency[2])),
            errors: self.errors_so_far.iter().map(|(kind, n)| (kind.clone(), *n)).collect(),
        })
    }

    /// Notes that a thread ended.
    pub fn ended(&mut self, thread: usize, last_reply: Nanos) {
        self.watermarks[thread] = (Phase::Drain, u32::MAX);
        self.last_reply = self.last_reply.max(last_reply);
        self.complete_seconds();
    }

    /// Length of the measured window, seconds: to its planned end, to the last reply if a number of operations was
    /// asked for, or to the moment of the interruption.
    pub fn seconds(&self) -> f64 {
        let end = if self.window.until == Nanos::MAX { self.last_reply } else { self.measured_to };
        seconds(end.saturating_sub(self.window.from))
    }

    /// Replies per second within the window.
    pub fn rate(&self) -> f64 {
        let seconds = self.seconds();
        if seconds > 0.0 { self.completed as f64 / seconds } else { 0.0 }
    }

    /// Latencies with the names of their kinds; those once sent apart.
    pub fn named(&self) -> Vec<(String, &Histogram<u64>)> {
        let mut named = Vec::new();
        for (kind, counts) in &self.kinds {
            named.push((kind.name().to_owned(), &counts.latency));
            named.extend(counts.service.as_ref().map(|service| (format!("{}.service", kind.name()), service)));
        }
        named
    }

    /// All kinds together.
    pub fn all(&self) -> Counts {
        let mut all = Counts::new(self.open_loop);
        for (_, counts) in &self.kinds {
            all.add(&counts.latency, counts.service.as_ref(), &counts.errors);
        }
        all
    }
}

fn seconds(ns: Nanos) -> f64 {
    ns as f64 / SECOND as f64
}

fn add(sum: &mut Histogram<u64>, part: &Histogram<u64>) {
    sum.add(part).expect("all latency histograms have the same bounds");
}
