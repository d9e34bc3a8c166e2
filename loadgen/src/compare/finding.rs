//! What follows from the figures, in words. Nothing is measured here.

use super::figures::{Figure, Sample};
use serde::Serialize;

/// Whether two samples differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The first is better.
    Better,
    /// The first is worse.
    Worse,
    /// What differs is no more than what repetitions differ by.
    Noise,
    /// One repetition does not tell how far repetitions scatter.
    Unknown,
}

/// A figure of two variants.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// The workload.
    pub workload: String,
    /// The two variants.
    pub variants: [String; 2],
    /// Name of the figure.
    pub figure: &'static str,
    /// The medians.
    pub medians: [f64; 2],
    /// The first median by the second; `None` if the second is 0.
    pub ratio: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}

/// A smaller difference is nothing to act upon, however well it is repeated.
const LEAST: f64 = 0.02;

/// Judges the first sample beside the second.
///
/// The ranges from the least to the greatest must not meet, and the medians must lie further apart than the wider of the
/// ranges, and than [`LEAST`]: otherwise the difference is noise. This is careful with few repetitions, where ranges that do not meet are
/// no rarity (see [`chance`]).
pub fn judge(first: &Sample, second: &Sample, more_is_better: bool) -> Verdict {
    if first.count < 2 || second.count < 2 {
        return Verdict::Unknown;
    }
    let meet = first.min <= second.max && second.min <= first.max;
    let smaller = first.median.abs().min(second.median.abs());
    let apart = (first.median - second.median).abs();
    let small = smaller > 0.0 && apart / smaller <= first.spread().max(second.spread()).max(LEAST);
    if meet || small {
        Verdict::Noise
    } else if (first.median > second.median) == more_is_better {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}

/// How likely the ranges of two variants that do not differ at all are not to meet, with so many repetitions of each: of
/// all orders of the values, those in which all of one come before all of the other.
pub fn chance(repetitions: u32) -> f64 {
    let n = f64::from(repetitions);
    let orders = (1..=repetitions).fold(1.0, |orders, k| orders * (n + f64::from(k)) / f64::from(k));
    2.0 / orders
}

/// What is known of a figure of two variants.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The figure.
    pub figure: Figure,
    /// What it was.
    pub samples: [Sample; 2],
}

impl Pair {
    /// As it goes into the document.
    pub fn compare(&self, workload: &str, variants: [&str; 2]) -> Comparison {
        let [first, second] = &self.samples;
        Comparison {
            workload: workload.to_owned(),
            variants: variants.map(str::to_owned),
            figure: self.figure.key,
            medians: [first.median, second.median],
            ratio: (second.median != 0.0).then(|| first.median / second.median),
            verdict: judge(first, second, self.figure.more_is_better()),
        }
    }

    /// Neither has any of it, such as of losses: nothing is to be said.
    fn is_nothing(&self) -> bool {
        self.samples.iter().all(|sample| sample.min == 0.0 && sample.max == 0.0)
    }

    fn clause(&self) -> String {
        let [first, second] = &self.samples;
        let values = format!("{} against {}", self.figure.show(first.median), self.figure.show(second.median));
        if first.median <= 0.0 || second.median <= 0.0 {
            return format!("{} {values}", self.figure.label);
        }
        format!("{} {values} ({} times)", self.figure.label, ratio(first.median / second.median))
    }
}

/// A ratio with as many digits as say something.
fn ratio(ratio: f64) -> String {
    match ratio {
        r if r < 0.0995 => format!("{r:.3}"),
        r if r < 9.95 => format!("{r:.2}"),
        r if r < 99.5 => format!("{r:.1}"),
        r => format!("{r:.0}"),
    }
}

/// A sentence on two variants under a workload.
pub fn sentence(workload: &str, variants: [&str; 2], pairs: &[Pair]) -> String {
    let [first, second] = variants;
    let judged: Vec<(Verdict, &Pair)> = pairs
        .iter()
        .filter(|pair| !pair.is_nothing())
        .map(|pair| (judge(&pair.samples[0], &pair.samples[1], pair.figure.more_is_better()), pair))
        .collect();
    let of = |verdict: Verdict| judged.iter().filter(move |(found, _)| *found == verdict).map(|(_, pair)| *pair);
    let mut parts = Vec::new();
    for (verdict, word) in [(Verdict::Better, "better"), (Verdict::Worse, "worse")] {
        let clauses: Vec<String> = of(verdict).map(Pair::clause).collect();
        if !clauses.is_empty() {
            parts.push(format!("{word}: {}", clauses.join(", ")));
        }
    }
    let noise: Vec<&str> = of(Verdict::Noise).map(|pair| pair.figure.label).collect();
    match noise.len() {
        0 => {}
        n if n == judged.len() => parts.push("every difference is within the noise".into()),
        _ => parts.push(format!("within the noise: {}", noise.join(", "))),
    }
    let unknown: Vec<String> = of(Verdict::Unknown).map(Pair::clause).collect();
    if !unknown.is_empty() {
        parts.push(format!("not to be judged from one repetition: {}", unknown.join(", ")));
    }
    format!("{workload}: {first} beside {second}: {}.", parts.join("; "))
}

/// A sentence on which of several variants is best under a workload, and which cannot be told from it.
pub fn best(workload: &str, figures: &[(&Figure, Vec<(&str, Sample)>)]) -> Option<String> {
    let (mut told, mut even) = (Vec::new(), Vec::new());
    for (figure, samples) in figures {
        match champion(figure, samples) {
            Some(clause) => told.push(clause),
            None if samples.is_empty() => {}
            None => even.push(figure.label),
        }
    }
    let mut parts = Vec::new();
    if !told.is_empty() {
        parts.push(format!("best: {}", told.join("; ")));
    }
    if !even.is_empty() {
        parts.push(format!("nobody can be told from the best in {}", even.join(", ")));
    }
    (!parts.is_empty()).then(|| format!("{workload}: {}.", parts.join("; ")))
}

/// The best for a figure; `None` if no other can be told from it.
fn champion(figure: &Figure, samples: &[(&str, Sample)]) -> Option<String> {
    /// More than so many are counted instead of named.
    const NAMED: usize = 3;
    let sign = if figure.more_is_better() { -1.0 } else { 1.0 };
    let (name, winner) = samples.iter().min_by(|a, b| (sign * a.1.median).total_cmp(&(sign * b.1.median)))?;
    let others = || samples.iter().filter(|(other, _)| other != name);
    let even = |sample: &Sample| judge(winner, sample, figure.more_is_better()) != Verdict::Better;
    let equal: Vec<&str> = others().filter(|(_, sample)| even(sample)).map(|(other, _)| *other).collect();
    let rest = match equal.len() {
        n if n == others().count() => return None,
        0 => String::new(),
        n if n > NAMED => format!(" (and {n} that cannot be told from it)"),
        _ => format!(" (not to be told from it: {})", equal.join(", ")),
    };
    Some(format!("{} {} by {name}{rest}", figure.label, figure.show(winner.median)))
}

#[cfg(test)]
mod tests {
    use super::super::figures::of_command;
    use super::*;

    fn sample<const N: usize>(values: [f64; N]) -> Sample {
        Sample::of(values).unwrap()
    }

    #[test]
    fn a_difference_must_be_wider_than_what_repetitions_differ_by() {
        let steady = sample([100.0, 101.0, 102.0]);
        for (other, verdict) in [
            (sample([200.0, 202.0, 204.0]), Verdict::Worse),
            (sample([50.0, 50.5, 51.0]), Verdict::Better),
            (sample([102.0, 150.0, 200.0]), Verdict::Noise),
            // Apart, but by less than the other one's own range.
            (sample([104.0, 110.0, 130.0]), Verdict::Noise),
            (sample([500.0]), Verdict::Unknown),
            (steady, Verdict::Noise),
        ] {
            assert_eq!(judge(&steady, &other, true), verdict, "{other:?}");
            let turned = match verdict {
                Verdict::Better => Verdict::Worse,
                Verdict::Worse => Verdict::Better,
                same => same,
            };
            assert_eq!(judge(&other, &steady, true), turned, "{other:?} the other way round");
            assert_eq!(judge(&steady, &other, false), turned, "{other:?} where less is better");
        }
        assert_eq!(
            judge(&sample([100.0, 100.0]), &sample([101.0, 101.0]), true),
            Verdict::Noise,
            "too little to matter"
        );
        assert_eq!(judge(&sample([0.0, 0.0]), &sample([0.0, 0.0]), false), Verdict::Noise);
        assert_eq!(judge(&sample([0.0, 0.0]), &sample([4.0, 8.0]), false), Verdict::Better);
    }

    #[test]
    fn chance_is_the_share_of_orders_that_look_apart() {
        assert_eq!([1, 2, 3, 4].map(chance), [1.0, 2.0 / 6.0, 0.1, 2.0 / 70.0]);
    }

    #[test]
    fn a_sentence_says_what_is_better_what_is_worse_and_what_is_noise() {
        let figures = of_command("run");
        let pair = |at: usize, first, second| Pair { figure: figures[at], samples: [sample(first), sample(second)] };
        let pairs = [
            pair(0, [30_000.0, 31_000.0], [10_000.0, 10_100.0]),
            pair(1, [100.0, 110.0], [105.0, 106.0]),
            pair(5, [2048.0, 2048.0], [1024.0, 1024.0]),
        ];
        assert_eq!(
            sentence("writes", ["a", "b"], &pairs),
            "writes: a beside b: better: operations per second 30,500 against 10,050 (3.03 times); worse: server memory \
             2.0 KiB against 1.0 KiB (2.00 times); within the noise: p50."
        );
        assert_eq!(sentence("w", ["a", "b"], &pairs[1..2]), "w: a beside b: every difference is within the noise.");
        let once = Pair { figure: figures[1], samples: [sample([100.0]), sample([50.0])] };
        assert_eq!(
            sentence("w", ["a", "b"], &[once]),
            "w: a beside b: not to be judged from one repetition: p50 100 µs against 50.0 µs (2.00 times)."
        );
        let losses = Pair { figure: of_command("failover")[5], samples: [sample([0.0, 0.0]), sample([4.0, 4.0])] };
        let nothing = Pair { figure: of_command("failover")[6], samples: [sample([0.0, 0.0]), sample([0.0, 0.0])] };
        assert!(
            sentence("w", ["a", "b"], &[losses, nothing])
                .ends_with("better: connections to the others lost 0 against 4.")
        );
    }

    #[test]
    fn the_best_is_named_with_those_that_cannot_be_told_from_it() {
        let [rate, p50, p99, ..] = of_command("run") else { panic!() };
        let samples = vec![("a", sample([9.0, 10.0])), ("b", sample([5.0, 5.1])), ("c", sample([5.1, 5.2]))];
        assert_eq!(
            best("w", &[(p99, samples.clone()), (rate, samples.clone())]).unwrap(),
            "w: best: p99 5.05 µs by b (not to be told from it: c); operations per second 10 by a."
        );
        let even = vec![("a", sample([9.0, 10.0])), ("b", sample([9.0, 10.5]))];
        assert_eq!(
            best("w", &[(p99, samples), (p50, even), (rate, Vec::new())]).unwrap(),
            "w: best: p99 5.05 µs by b (not to be told from it: c); nobody can be told from the best in p50."
        );
        assert_eq!(best("w", &[(p99, Vec::new())]), None);
    }
}
