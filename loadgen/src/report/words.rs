//! Findings in words: what differs between two parties, by how much, and whether that is more than noise.

use super::figure::{Better, Figure, Spread, Unit};
use super::section::{Party, Section};
use std::fmt::Write as _;

/// With so many values on both sides, a rank test says more than whether the ranges touch.
const MANY: usize = 8;
/// Standard deviations by which ranks have to differ: chance does that once in 370 times.
const SIGNIFICANT: f64 = 3.0;
/// A smaller difference is none, whatever the spread.
const SAME: f64 = 0.01;

/// What is said of each party beside the first.
pub fn findings(section: &Section) -> Vec<String> {
    let Some((base, others)) = section.parties.split_first() else { return Vec::new() };
    let figures = section.headlines();
    others.iter().filter_map(|party| comparison(party, base, &figures)).collect()
}

fn comparison(party: &Party, base: &Party, figures: &[&Figure]) -> Option<String> {
    // Rounds are repetitions as well, even in one file.
    let single = |party: &Party| figures.iter().any(|figure| party.values(&figure.name).len() == 1);
    let caution = if single(party) || single(base) {
        " With one measurement on a side, how much of this is chance is not known."
    } else {
        ""
    };
    let clauses: Vec<(&str, String)> = figures.iter().filter_map(|figure| clause(party, base, figure)).collect();
    let mut said = String::new();
    for judgement in ["Better", "Worse", "Different", "Within the noise", "The same"] {
        let of_it: Vec<&str> = clauses.iter().filter(|(j, _)| *j == judgement).map(|(_, text)| text.as_str()).collect();
        if !of_it.is_empty() {
            let _ = write!(said, " {judgement}: {}.", of_it.join("; "));
        }
    }
    (!said.is_empty()).then(|| format!("{} beside {}.{said}{caution}", party.label, base.label))
}

/// What is said of a figure, and under which heading.
fn clause(party: &Party, base: &Party, figure: &Figure) -> Option<(&'static str, String)> {
    let (own, other) = (party.values(&figure.name), base.values(&figure.name));
    let (a, b) = (Spread::of(&own)?, Spread::of(&other)?);
    let [ours, theirs] = [a, b].map(|spread| figure.unit.exact(spread.median));
    let judgement = match verdict(&own, &other) {
        Verdict::Same => return Some(("The same", format!("{} ({ours} against {theirs})", figure.name))),
        Verdict::Noise => "Within the noise",
        Verdict::Unjudged | Verdict::Clear => match (figure.better, a.median > b.median) {
            (Better::More, true) | (Better::Less, false) => "Better",
            (Better::More, false) | (Better::Less, true) => "Worse",
            (Better::Neither, _) => "Different",
        },
    };
    Some((judgement, format!("{} {} ({ours} against {theirs})", figure.name, ratio(&a, &b, figure))))
}

/// How one median compares to the other.
fn ratio(a: &Spread, b: &Spread, figure: &Figure) -> String {
    let (long, longer, shorter) = match figure.unit {
        Unit::Time if !figure.name.contains("CPU") => ("long", "longer", "shorter"),
        _ => ("much", "more", "less"),
    };
    if a.median <= 0.0 || b.median <= 0.0 {
        return if a.median > b.median { longer.into() } else { shorter.into() };
    }
    let percent =
        |share: f64| if share < 0.1 { format!("{:.1} %", share * 100.0) } else { format!("{:.0} %", share * 100.0) };
    let times = |ratio: f64| if ratio < 10.0 { format!("{ratio:.1} times") } else { format!("{ratio:.0} times") };
    match a.median / b.median {
        ratio if ratio >= 2.0 => format!("{} as {long}", times(ratio)),
        ratio if ratio >= 1.0 => format!("{} {longer}", percent(ratio - 1.0)),
        ratio if ratio > 0.5 => format!("{} {shorter}", percent(1.0 - ratio)),
        ratio => format!("{} {shorter}", times(1.0 / ratio)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// There is no difference to speak of.
    Same,
    /// Repetitions differ as much.
    Noise,
    /// More than repetitions do.
    Clear,
    /// There are no repetitions to judge by.
    Unjudged,
}

fn verdict(a: &[f64], b: &[f64]) -> Verdict {
    let (Some(left), Some(right)) = (Spread::of(a), Spread::of(b)) else { return Verdict::Unjudged };
    let scale = left.median.abs().max(right.median.abs());
    if (left.median - right.median).abs() <= scale * SAME {
        return Verdict::Same;
    }
    if left.count < 2 || right.count < 2 {
        return Verdict::Unjudged;
    }
    let apart = left.max < right.min || right.max < left.min;
    let clear = if left.count >= MANY && right.count >= MANY { apart || ranks_differ(a, b) } else { apart };
    if clear { Verdict::Clear } else { Verdict::Noise }
}

/// Mann and Whitney's test: how often a value of `a` is below one of `b`, in standard deviations from a half.
fn ranks_differ(a: &[f64], b: &[f64]) -> bool {
    let mut sorted = b.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |value: f64| sorted.partition_point(|other| *other < value) as f64;
    let up_to = |value: f64| sorted.partition_point(|other| *other <= value) as f64;
    let u: f64 = a.iter().map(|value| f64::midpoint(below(*value), up_to(*value))).sum();
    let (m, n) = (a.len() as f64, b.len() as f64);
    let deviation = (m * n * (m + n + 1.0) / 12.0).sqrt();
    ((u - m * n / 2.0) / deviation).abs() >= SIGNIFICANT
}

#[cfg(test)]
mod tests {
    use super::{Verdict, findings, verdict};
    use crate::report::figure::{Better, Figure, Unit};
    use crate::report::material::Measurement;
    use crate::report::section::{Party, Section};

    fn party(label: &str, rates: &[f64]) -> Party {
        let measured = |rate: &f64| Measurement {
            figures: vec![
                Figure::new("throughput", Unit::Rate, Better::More, *rate).headline(),
                Figure::new("p99", Unit::Time, Better::Less, 1e12 / *rate).headline(),
            ],
            ..Measurement::default()
        };
        Party { label: label.into(), style: 0, measurements: rates.iter().map(measured).collect() }
    }

    fn said(a: &[f64], b: &[f64]) -> String {
        let mut section = Section::of_title("run", "x");
        section.parties = vec![party("base", a), party("new", b)];
        findings(&section).concat()
    }

    #[test]
    fn differences_are_told_with_direction_and_size() {
        assert_eq!(
            said(&[1_000.0, 1_010.0, 990.0], &[3_100.0, 3_000.0, 2_900.0]),
            "new beside base. Better: throughput 3.0 times as much (3,000/s against 1,000/s); \
             p99 3.0 times shorter (333 ms against 1.00 s)."
        );
        let worse = said(&[1_000.0, 1_010.0], &[800.0, 806.0]);
        assert!(worse.contains("Worse: throughput 20 % less (803/s against 1,005/s); p99 25 % longer"), "{worse}");
    }

    #[test]
    fn overlapping_repetitions_are_noise_and_single_ones_are_not_judged() {
        assert!(said(&[1_000.0, 1_200.0], &[1_100.0, 1_300.0]).contains("Within the noise: throughput 9.1 % more"));
        assert!(said(&[1_000.0], &[1_300.0]).contains("how much of this is chance is not known"));
        assert!(said(&[1_000.0, 1_001.0], &[1_003.0, 1_002.0]).contains("The same: throughput"));
    }

    #[test]
    fn many_rounds_are_judged_by_rank_not_by_their_outliers() {
        let fast: Vec<f64> = (0..30).map(|n| 20.0 + f64::from(n) / 10.0).chain([400.0]).collect();
        let slow: Vec<f64> = (0..30).map(|n| 200.0 + f64::from(n)).collect();
        assert_eq!(verdict(&fast, &slow), Verdict::Clear);
        let shifted: Vec<f64> = fast.iter().map(|ms| ms * 1.02).collect();
        assert_eq!(verdict(&fast, &shifted), Verdict::Noise);
        assert_eq!(verdict(&[f64::NAN], &[1.0]), Verdict::Unjudged);
    }
}
