//! How far it is, and how long it will take: by the plan at first, by what was measured as soon as there is something.

use super::definition::Definition;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What a start and an end take, about.
const TURNAROUND: Duration = Duration::from_secs(3);

/// A part of the work: a workload of a variant, or (without one) its start and end.
type Part = (usize, Option<usize>);

/// Parts that are done and parts that are not.
#[derive(Debug)]
pub struct Progress {
    planned: BTreeMap<Part, Duration>,
    taken: BTreeMap<Part, Duration>,
    repetitions: u32,
    left: BTreeMap<Part, u32>,
    since: Instant,
}

impl Progress {
    /// Nothing is done.
    pub fn new(definition: &Definition) -> Progress {
        let mut planned = BTreeMap::new();
        for variant in 0..definition.variants.len() {
            planned.insert((variant, None), TURNAROUND);
            for (at, workload) in definition.workloads.iter().enumerate() {
                planned.insert((variant, Some(at)), workload.planned);
            }
        }
        let left = planned.keys().map(|part| (*part, definition.repetitions)).collect();
        Progress { planned, taken: BTreeMap::new(), repetitions: definition.repetitions, left, since: Instant::now() }
    }

    /// A part begins.
    pub fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// It is done.
    pub fn done(&mut self, part: Part) {
        self.taken.insert(part, self.since.elapsed());
        if let Some(left) = self.left.get_mut(&part) {
            *left = left.saturating_sub(1);
        }
    }

    /// How long the rest takes, about.
    pub fn remaining(&self) -> Duration {
        self.left.iter().map(|(part, left)| self.time_of(part) * *left).sum()
    }

    fn time_of(&self, part: &Part) -> Duration {
        self.taken.get(part).or_else(|| self.planned.get(part)).copied().unwrap_or_default()
    }

    /// Where it stands.
    pub fn mark(&self) -> String {
        let workloads = || self.left.iter().filter(|((_, workload), _)| workload.is_some());
        let all = workloads().count() as u32 * self.repetitions;
        let left: u32 = workloads().map(|(_, left)| left).sum();
        format!("[{}/{all}, {} left]", all - left + 1, rough(self.remaining()))
    }
}

/// A time that nobody has to believe to the second.
pub fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 90 => format!("{seconds} s"),
        seconds => format!("{} min", (seconds + 30) / 60),
    }
}

/// What would be done.
pub fn plan(definition: &Definition) -> String {
    let mut text = format!("{}\n\n", definition.title);
    let _ = writeln!(
        text,
        "{} repetitions of {} variants with {} servers each; {} in all, about",
        definition.repetitions,
        definition.variants.len(),
        definition.servers,
        rough(Progress::new(definition).remaining())
    );
    text.push_str("\nIn each repetition each of these is started, put under all loads, and stopped:\n");
    for variant in &definition.variants {
        let _ = writeln!(text, "  {}  {}", variant.name, variant.settings.line());
    }
    text.push_str("\nLoads:\n");
    for workload in &definition.workloads {
        let _ = writeln!(text, "  {}: {} {}", workload.name, workload.command, workload.options.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_roughly() {
        assert_eq!(
            [0, 89, 90, 149, 150].map(|s| rough(Duration::from_secs(s))),
            ["0 s", "89 s", "2 min", "2 min", "3 min"]
        );
    }

    #[test]
    fn what_was_measured_counts_for_more_than_the_plan() {
        let planned = BTreeMap::from([((0, None), TURNAROUND), ((0, Some(0)), Duration::from_secs(100))]);
        let left = planned.keys().map(|part| (*part, 2)).collect();
        let mut progress = Progress { planned, taken: BTreeMap::new(), repetitions: 2, left, since: Instant::now() };
        assert_eq!(progress.remaining(), Duration::from_secs(206));
        assert_eq!(progress.mark(), "[1/2, 3 min left]");
        progress.begin();
        progress.done((0, Some(0)));
        assert!(progress.remaining() < Duration::from_secs(100), "it took no time at all");
        assert!(progress.mark().starts_with("[2/2, "), "{}", progress.mark());
    }
}
