//! The figures that thresholds may name: `--fail-if 'write-gap.p99 > 150ms'`.

use super::findings::{Findings, Quantiles};
use crate::threshold::{Figures, Unit};

/// `None`: there is none, because nobody tells it.
type Times = fn(&Findings) -> Option<&Quantiles>;
type Percentile = fn(&Quantiles) -> f64;
type Count = fn(&Findings) -> u64;

/// A figure that has percentiles.
const GAPS: [(&str, Times); 11] = [
    ("write-gap", |found| Some(&found.write_gap_ms)),
    ("detect", |found| found.phases_ms.detect.as_ref()),
    ("elect", |found| found.phases_ms.elect.as_ref()),
    ("synchronise", |found| found.phases_ms.synchronise.as_ref()),
    ("first-commit", |found| found.phases_ms.first_commit.as_ref()),
    ("answer", |found| found.phases_ms.answer.as_ref()),
    ("steady-gap", |found| Some(&found.steady_gap_ms)),
    ("return-gap", |found| Some(&found.return_gap_ms)),
    ("survivor-gap", |found| Some(&found.survivor_gap_ms)),
    ("displaced-gap", |found| Some(&found.displaced_gap_ms)),
    ("back", |found| Some(&found.back_ms)),
];

const PERCENTILES: [(&str, Percentile); 4] =
    [("p50", |q| q.p50), ("p90", |q| q.p90), ("p99", |q| q.p99), ("max", |q| q.max)];

/// A figure that is a number.
const COUNTS: [(&str, Count); 6] = [
    ("survivor-losses", |found| found.survivors.connections_lost),
    ("survivor-unknown", |found| found.survivors.unknown_writes),
    ("losses", |found| found.survivors.with(&found.displaced).connections_lost + found.lost_between),
    ("unknown", |found| found.survivors.with(&found.displaced).unknown_writes),
    ("expired", |found| found.survivors.with(&found.displaced).sessions_expired),
    ("errors", |found| found.survivors.with(&found.displaced).errors.values().sum()),
];

fn count(name: &str) -> Option<Count> {
    COUNTS.iter().find(|(known, _)| *known == name).map(|(_, count)| *count)
}

fn percentile(name: &str) -> Option<(Times, Percentile)> {
    let (gap, percentile) = name.split_once('.')?;
    let gap = GAPS.iter().find(|(known, _)| *known == gap)?.1;
    let percentile = PERCENTILES.iter().find(|(known, _)| *known == percentile)?.1;
    Some((gap, percentile))
}

impl Figures for Findings {
    fn unit(name: &str) -> Option<Unit> {
        count(name).map(|_| Unit::Number).or_else(|| percentile(name).map(|_| Unit::Time))
    }

    fn names() -> String {
        let gaps: Vec<&str> = GAPS.iter().map(|(name, _)| *name).collect();
        let counts: Vec<&str> = COUNTS.iter().map(|(name, _)| *name).collect();
        format!("{} with .p50, .p90, .p99 or .max, and {}", gaps.join(", "), counts.join(", "))
    }

    fn figure(&self, name: &str) -> Option<f64> {
        if let Some(count) = count(name) {
            return Some(count(self) as f64);
        }
        let (gap, percentile) = percentile(name)?;
        let gap = gap(self)?;
        (gap.count > 0).then(|| percentile(gap) * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::Gathering;
    use super::*;
    use crate::threshold::Threshold;

    #[test]
    fn gaps_have_percentiles_and_troubles_are_counted() {
        let mut found = Gathering::default().conclude(Vec::new(), false, None, 0.0);
        found.write_gap_ms = Quantiles::of([10.0, 20.0, 151.0]);
        found.displaced.connections_lost = 2;
        let holds = |text: &str| text.parse::<Threshold<Findings>>().unwrap().holds(&found);
        assert_eq!(holds("write-gap.p99 > 150ms"), Some(true));
        assert_eq!(holds("write-gap.max > 151ms"), Some(false), "as much is allowed");
        assert_eq!(holds("write-gap.p50 > 0.03s"), Some(false));
        assert_eq!(holds("survivor-losses > 0"), Some(false));
        assert_eq!(holds("losses > 1"), Some(true));
        assert_eq!(holds("back.p99 > 1s"), None, "nobody came back");
        assert_eq!(holds("elect.p99 > 1s"), None, "nobody tells");
        found.phases_ms.elect = Some(Quantiles::of([2.0]));
        assert_eq!(found.figure("elect.max"), Some(2e6));
    }

    #[test]
    fn other_names_are_no_figures() {
        for name in ["write-gap", "write-gap.p98", "gap.p99", "losses.p99", ""] {
            assert_eq!(Findings::unit(name), None, "{name}");
        }
    }
}
