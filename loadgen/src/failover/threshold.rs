//! What the user allows: `--fail-if 'write-gap.p99 > 150ms'`.

use super::findings::{Findings, Quantiles};
use crate::units::parse_duration;
use std::fmt;
use std::str::FromStr;

type Times = fn(&Findings) -> &Quantiles;
type Percentile = fn(&Quantiles) -> f64;
type Count = fn(&Findings) -> u64;

/// A figure that has percentiles.
const GAPS: [(&str, Times); 6] = [
    ("write-gap", |found| &found.write_gap_ms),
    ("steady-gap", |found| &found.steady_gap_ms),
    ("return-gap", |found| &found.return_gap_ms),
    ("survivor-gap", |found| &found.survivor_gap_ms),
    ("displaced-gap", |found| &found.displaced_gap_ms),
    ("back", |found| &found.back_ms),
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

#[derive(Clone, Copy)]
enum Figure {
    /// Milliseconds.
    Time(Times, Percentile),
    Count(Count),
}

/// A bound that must not be passed.
#[derive(Clone)]
pub struct Threshold {
    text: String,
    figure: Figure,
    bound: f64,
}

impl Threshold {
    /// What is wrong with the findings, if they pass the bound.
    pub fn passed_by(&self, found: &Findings) -> Option<String> {
        let (value, told) = match self.figure {
            Figure::Time(figure, percentile) => {
                let ms = percentile(figure(found));
                (ms, crate::units::duration(ms * 1e6))
            }
            Figure::Count(count) => (count(found) as f64, count(found).to_string()),
        };
        (value > self.bound).then(|| format!("{}: it is {told}", self.text))
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Threshold, String> {
        let (name, bound) = text.split_once('>').ok_or("write FIGURE > BOUND, such as 'write-gap.p99 > 150ms'")?;
        let (name, bound) = (name.trim(), bound.trim());
        let text = text.trim().to_owned();
        if let Some((_, count)) = COUNTS.iter().find(|(known, _)| *known == name) {
            let bound = bound.parse().map_err(|_| format!("{name} is a number, and {bound:?} is none"))?;
            return Ok(Threshold { text, figure: Figure::Count(*count), bound });
        }
        let (gap, percentile) = name.split_once('.').unwrap_or((name, ""));
        let gap = GAPS.iter().find(|(known, _)| *known == gap).ok_or_else(unknown)?.1;
        let percentile = PERCENTILES.iter().find(|(known, _)| *known == percentile).ok_or_else(unknown)?.1;
        let bound = parse_duration(bound)?.as_secs_f64() * 1e3;
        Ok(Threshold { text, figure: Figure::Time(gap, percentile), bound })
    }
}

fn unknown() -> String {
    let gaps: Vec<&str> = GAPS.iter().map(|(name, _)| *name).collect();
    let counts: Vec<&str> = COUNTS.iter().map(|(name, _)| *name).collect();
    format!("the figures are {} with .p50, .p90, .p99 or .max, and {}", gaps.join(", "), counts.join(", "))
}

impl fmt::Debug for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::Gathering;
    use super::*;

    fn passed(text: &str, found: &Findings) -> Option<String> {
        text.parse::<Threshold>().unwrap().passed_by(found)
    }

    #[test]
    fn a_figure_above_its_bound_is_told() {
        let mut found = Gathering::default().conclude(Vec::new(), false, None, 0.0);
        found.write_gap_ms = Quantiles::of([10.0, 20.0, 151.0]);
        found.displaced.connections_lost = 2;
        assert_eq!(passed("write-gap.p99 > 150ms", &found).unwrap(), "write-gap.p99 > 150ms: it is 151 ms");
        assert_eq!(passed("write-gap.max > 151ms", &found), None, "as much is allowed");
        assert_eq!(passed("write-gap.p50>0.03s", &found), None);
        assert_eq!(passed("survivor-losses > 0", &found), None);
        assert!(passed("losses > 1", &found).unwrap().contains("it is 2"));
    }

    #[test]
    fn thresholds_that_make_no_sense_are_refused() {
        for (text, says) in [
            ("write-gap.p99", "FIGURE > BOUND"),
            ("write-gap > 5ms", "p50"),
            ("write-gap.p98 > 5ms", "p50"),
            ("gap.p99 > 5ms", "write-gap"),
            ("write-gap.p99 > 5 parsecs", "unit"),
            ("losses > few", "none"),
        ] {
            let error = text.parse::<Threshold>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
