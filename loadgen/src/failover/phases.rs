//! What a failover is made of: the time without a write around the change of leaders, divided by the moments that the new leader
//! tells. (On a busy machine the longest time without a write may be another one, when the new leader has long been there.)
//!
//! ```text
//!   last write   fault    noticed   elected   established   first commit   first write
//!       ├─before───┼─detect──┼──elect──┼─synchronise─┼─first commit─┼───answer───┤
//! ```
//!
//! The outer moments are a client's, by loadgen's clock; those in between are the server's, and what a server does not tell stays
//! unexplained. The phases of elections are taken as the server tells them, not as what is left: so they can contradict the
//! gap that clients saw, and then the rest is negative.

use super::findings::Quantiles;
use super::gaps::Gap;
use super::readings::Change;
use crate::engine::Nanos;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The parts of a gap, or what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases<T> {
    /// The gap that is divided.
    pub whole: T,
    /// From the last acknowledged write to the fault: writes come at distances.
    pub before: T,
    /// From the fault until the server that leads now had noticed that it had no leader.
    pub detect: T,
    /// Until a quorum had elected it.
    pub elect: T,
    /// Until a quorum had its history.
    pub synchronise: T,
    /// Until something of the new epoch was committed, as far as a client had to wait for that: what the former leader had
    /// left is answered before.
    pub first_commit: T,
    /// Until a client had heard of a write.
    pub answer: T,
    /// What is left of the whole.
    pub unexplained: T,
}

/// How the phases are called, in their order.
const NAMES: [&str; 8] = [
    "around the change of leaders",
    "last write to fault",
    "fault to noticed",
    "noticed to elected",
    "elected to synchronised",
    "synchronised to first commit",
    "first commit to first answer",
    "unexplained",
];

impl<T> Phases<T> {
    /// Each with its name.
    pub fn named(&self) -> [(&'static str, &T); 8] {
        let each = [
            &self.whole,
            &self.before,
            &self.detect,
            &self.elect,
            &self.synchronise,
            &self.first_commit,
            &self.answer,
            &self.unexplained,
        ];
        std::array::from_fn(|at| (NAMES[at], each[at]))
    }
}

impl Phases<Option<Quantiles>> {
    /// Those of many rounds; a phase of which nobody tells has none.
    pub fn of_rounds(rounds: &[Phases<Option<f64>>]) -> Phases<Option<Quantiles>> {
        let over = |part: fn(&Phases<Option<f64>>) -> Option<f64>| {
            Some(Quantiles::of(rounds.iter().filter_map(part))).filter(|quantiles| quantiles.count > 0)
        };
        Phases {
            whole: over(|round| round.whole),
            before: over(|round| round.before),
            detect: over(|round| round.detect),
            elect: over(|round| round.elect),
            synchronise: over(|round| round.synchronise),
            first_commit: over(|round| round.first_commit),
            answer: over(|round| round.answer),
            unexplained: over(|round| round.unexplained),
        }
    }
}

/// The phases of all rounds in a result of `failover` that have some. Results of older versions have none.
pub fn of_result(result: &Value) -> Vec<Phases<Option<f64>>> {
    let rounds = result.get("rounds").and_then(Value::as_array).into_iter().flatten();
    rounds.filter_map(|round| Phases::deserialize(round.get("phases_ms")?).ok()).collect()
}

impl Phases<Option<f64>> {
    /// Divides a gap, in milliseconds: the one around the change. `fault` is loadgen's clock, and so are the ends of the gap.
    pub fn of(gap: &Gap, fault: Nanos, change: &Change) -> Phases<Option<f64>> {
        // Milliseconds from the fault.
        let from_fault = |at: Nanos| (at as f64 - fault as f64) / 1e6;
        let (from, to) = (from_fault(gap.from), from_fault(gap.to));
        let (before, elect) = (Some((-from).max(0.0)), Some(change.elect));
        let mut phases = Phases { before, elect, ..Phases::default() };
        if let Some(told) = &change.moments {
            // Answers that were on their way at the fault may come a little later.
            phases.detect = Some((told.noticed - from.max(0.0)).max(0.0));
            phases.synchronise = Some(told.synchronise);
            let established = told.noticed + change.elect + told.synchronise;
            let end = to.max(established);
            let committed = told.first_commit.map_or(end, |took| (established + took).min(end));
            phases.first_commit = told.first_commit.map(|_| committed - established);
            phases.answer = told.first_commit.map(|_| end - committed);
        }
        let explained: f64 = phases.named().into_iter().filter_map(|(_, part)| *part).sum();
        // Of the gap itself: the difference of its rounded ends can be a little more than the gap that is told elsewhere.
        let whole = gap.length() as f64 / 1e6;
        phases.whole = Some(whole);
        // In whole nanoseconds; nothing is nothing, and not less.
        phases.unexplained = Some(((whole - explained) * 1e6).round() / 1e6 + 0.0);
        phases
    }
}

#[cfg(test)]
mod tests {
    use super::super::readings::Moments;
    use super::*;

    const MS: Nanos = 1_000_000;

    fn gap(from: u64, to: u64) -> Gap {
        Gap { from: from * MS, to: to * MS, open: false }
    }

    fn change(noticed: f64, first_commit: Option<f64>) -> Change {
        Change { elect: 3.0, moments: Some(Moments { noticed, synchronise: 4.0, first_commit }) }
    }

    fn parts(phases: &Phases<Option<f64>>) -> [Option<f64>; 7] {
        let named = phases.named();
        std::array::from_fn(|at| *named[at + 1].1)
    }

    #[test]
    fn the_parts_of_a_gap_make_the_whole() {
        // The fault is at 1,000 ms; noticed after 2, elected at 5, established at 9, a commit at 10, an answer at 12.
        let phases = Phases::of(&gap(998, 1_012), 1_000 * MS, &change(2.0, Some(1.0)));
        assert_eq!(parts(&phases), [2.0, 2.0, 3.0, 4.0, 1.0, 2.0, 0.0].map(Some));
        // Answers came until 1 ms after the fault.
        let phases = Phases::of(&gap(1_001, 1_012), 1_000 * MS, &change(2.0, Some(1.0)));
        assert_eq!(parts(&phases), [0.0, 1.0, 3.0, 4.0, 1.0, 2.0, 0.0].map(Some));
    }

    #[test]
    fn the_whole_is_the_gap_to_the_last_digit() {
        // 21.353293 + 12.730155 is 34.083448000000004 in floating point.
        let gap = Gap { from: 987_269_845, to: 1_021_353_293, open: false };
        let phases = Phases::of(&gap, 1_000 * MS, &change(2.0, Some(1.0)));
        assert_eq!(phases.whole, Some(34.083_448));
    }

    #[test]
    fn a_write_of_the_former_leader_is_answered_before_the_first_commit() {
        let phases = Phases::of(&gap(998, 1_010), 1_000 * MS, &change(2.0, Some(500.0)));
        assert_eq!(parts(&phases), [2.0, 2.0, 3.0, 4.0, 1.0, 0.0, 0.0].map(Some));
        let phases = Phases::of(&gap(998, 1_010), 1_000 * MS, &change(2.0, None));
        let expected = [Some(2.0), Some(2.0), Some(3.0), Some(4.0), None, None, Some(1.0)];
        assert_eq!(parts(&phases), expected, "what is not told is unexplained");
    }

    #[test]
    fn a_server_that_contradicts_the_clients_leaves_a_negative_rest() {
        let phases = Phases::of(&gap(998, 1_006), 1_000 * MS, &change(2.0, Some(1.0)));
        assert_eq!(parts(&phases), [2.0, 2.0, 3.0, 4.0, 0.0, 0.0, -3.0].map(Some), "a write before it was established");
    }

    #[test]
    fn of_an_election_alone_the_rest_is_unexplained() {
        let phases = Phases::of(&gap(990, 1_200), 1_000 * MS, &Change { elect: 30.0, moments: None });
        let expected = [Some(10.0), None, Some(30.0), None, None, None, Some(170.0)];
        assert_eq!(parts(&phases), expected);
    }
}
