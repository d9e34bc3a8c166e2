//! Figures: what is measured, in which unit, and what several repetitions say of it.

use crate::units::{bytes, count, duration};

/// What a number is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    /// Per second.
    Rate,
    /// Bytes.
    Bytes,
    /// A number of things.
    Count,
    /// A quantity without a unit.
    Plain,
    /// A share, 1 is all.
    Share,
}

impl Unit {
    /// As it stands in a table.
    pub fn exact(self, value: f64) -> String {
        match self {
            Unit::Time => duration(value),
            Unit::Rate if value.abs() >= 100.0 => format!("{}/s", count(value)),
            Unit::Rate => format!("{}/s", three_digits(value)),
            Unit::Count if value.fract() == 0.0 || value.abs() >= 100.0 => count(value),
            Unit::Bytes => bytes(value),
            Unit::Share => format!("{} %", three_digits(value * 100.0)),
            Unit::Count | Unit::Plain => three_digits(value),
        }
    }

    /// As it stands at an axis: no digit more than needed.
    pub fn short(self, value: f64) -> String {
        let scaled = |scales: &[(f64, &str)]| {
            let fits = scales.iter().rev().find(|(scale, _)| value.abs() >= scale * 0.9999);
            let (scale, unit) = fits.or(scales.first()).copied().unwrap_or((1.0, ""));
            let number = three_digits(value / scale);
            if unit.is_empty() { number } else { format!("{number} {unit}") }
        };
        match self {
            _ if value == 0.0 => "0".into(),
            Unit::Time => scaled(&[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")]),
            Unit::Bytes => scaled(&[(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB")]),
            Unit::Share => format!("{} %", three_digits(value * 100.0)),
            Unit::Rate | Unit::Count | Unit::Plain => scaled(&[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")]),
        }
    }
}

/// Three significant digits, without zeros at the end.
fn three_digits(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.995 => 2,
        v if v >= 0.0995 => 3,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// Which way is an improvement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Better {
    /// More is better.
    More,
    /// Less is better.
    Less,
    /// Neither: it is told, but not judged.
    Neither,
}

/// A figure of a measurement.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// Which way is an improvement.
    pub better: Better,
    /// It is one of those that a comparison is about: it has bars, and a part in the findings.
    pub headline: bool,
    /// What was found: one value, or one for each round of the measurement.
    pub values: Vec<f64>,
}

impl Figure {
    /// A figure with one value.
    pub fn new(name: impl Into<String>, unit: Unit, better: Better, value: f64) -> Figure {
        Figure { name: name.into(), unit, better, headline: false, values: vec![value] }
    }

    /// The same as one that comparisons are about.
    pub fn headline(self) -> Figure {
        Figure { headline: true, ..self }
    }

    /// What the values say; `None` if there are none.
    pub fn spread(&self) -> Option<Spread> {
        Spread::of(&self.values)
    }
}

/// Least, middle and greatest of some values.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The one in the middle, or the mean of the two that are.
    pub median: f64,
    /// The greatest.
    pub max: f64,
    /// How many there are.
    pub count: usize,
}

impl Spread {
    /// Of these values; `None` if there is no finite one.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { sorted[half - 1].midpoint(sorted[half]) };
        Some(Spread { min, median, max, count: sorted.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Spread, Unit};

    #[test]
    fn axes_have_no_digit_more_than_needed() {
        let time = [500.0, 1e3, 2.5e6, 1e7, 1e9, 1.2e11].map(|ns| Unit::Time.short(ns));
        assert_eq!(time, ["500 ns", "1 µs", "2.5 ms", "10 ms", "1 s", "120 s"]);
        assert_eq!([0.0, 20.0, 2_500.0, 1e4, 3e6].map(|n| Unit::Rate.short(n)), ["0", "20", "2.5 k", "10 k", "3 M"]);
        assert_eq!(Unit::Bytes.short(1_572_864.0), "1.5 MiB");
        assert_eq!([0.999, 0.5, 1.0].map(|share| Unit::Share.short(share)), ["99.9 %", "50 %", "100 %"]);
    }

    #[test]
    fn tables_have_three_digits() {
        assert_eq!(Unit::Rate.exact(61_234.4), "61,234/s");
        assert_eq!(Unit::Rate.exact(0.25), "0.25/s");
        assert_eq!(Unit::Time.exact(677_375.0), "677 µs");
        assert_eq!(Unit::Plain.exact(1.105), "1.1");
    }

    #[test]
    fn a_spread_is_of_what_is_finite() {
        let spread = |values: &[f64]| Spread::of(values).map(|s| (s.min, s.median, s.max, s.count));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0, 3)));
        assert_eq!(spread(&[4.0, f64::INFINITY, 1.0]), Some((1.0, 2.5, 4.0, 2)));
        assert_eq!(spread(&[f64::NAN]), None);
    }
}
