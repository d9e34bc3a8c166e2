//! What the user allows: `--fail-if 'get.p99 > 5ms'`. Which figures there are is the command's matter.

use crate::results::Status;
use crate::run::Exit;
use crate::units::{count, duration, parse_count, parse_duration};
use clap::Args;
use serde::{Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// What a command found, as figures with names.
pub trait Figures {
    /// What a figure is counted in; `None` if the command knows no such figure.
    fn unit(name: &str) -> Option<Unit>;

    /// The names of all figures, for people.
    fn names() -> String;

    /// A figure, times in nanoseconds; `None` if nothing was measured that it could follow from.
    fn figure(&self, name: &str) -> Option<f64>;
}

/// What a figure is counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A time.
    Time,
    /// Nothing.
    Number,
}

impl Unit {
    fn parse(self, text: &str) -> Result<f64, String> {
        match self {
            Unit::Time => Ok(parse_duration(text)?.as_secs_f64() * 1e9),
            Unit::Number => match parse_count(text) {
                Ok(n) => Ok(n as f64),
                Err(_) => text.parse().map_err(|_| format!("it is a number, and {text:?} is none")),
            },
        }
    }

    fn tell(self, value: f64) -> String {
        match self {
            Unit::Time => duration(value),
            Unit::Number if value.fract() == 0.0 => count(value),
            Unit::Number => format!("{value:.2}"),
        }
    }
}

/// How a figure compares with a bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    AtLeast,
    AtMost,
    Above,
    Below,
}

/// As they are written; those that begin with another come before it.
const COMPARISONS: [(&str, Comparison); 4] =
    [(">=", Comparison::AtLeast), ("<=", Comparison::AtMost), (">", Comparison::Above), ("<", Comparison::Below)];

/// A condition on a figure of `F`.
pub struct Threshold<F> {
    text: String,
    name: String,
    comparison: Comparison,
    bound: f64,
    unit: Unit,
    of: PhantomData<fn(&F)>,
}

impl<F: Figures> Threshold<F> {
    /// The figure's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is so; `None` if what was found has no such figure.
    pub fn holds(&self, found: &F) -> Option<bool> {
        let value = found.figure(&self.name)?;
        Some(match self.comparison {
            Comparison::AtLeast => value >= self.bound,
            Comparison::AtMost => value <= self.bound,
            Comparison::Above => value > self.bound,
            Comparison::Below => value < self.bound,
        })
    }

    /// What the figure is, in words.
    pub fn told(&self, found: &F) -> String {
        let value = found.figure(&self.name).map(|value| self.unit.tell(value));
        value.map_or_else(|| format!("there is no {}", self.name), |value| format!("{} is {value}", self.name))
    }
}

/// The part of a command line that says what is allowed.
#[derive(Debug, Args, Serialize)]
#[serde(bound = "")]
pub struct Limits<F: Figures + fmt::Debug + 'static> {
    /// Exit with status 4 if a figure is past its bound (>, <, >= or <=); may be given several times.
    #[arg(long, value_name = "FIGURE > BOUND")]
    #[serde(serialize_with = "texts")]
    pub fail_if: Vec<Threshold<F>>,
}

impl<F: Figures + fmt::Debug + 'static> Limits<F> {
    /// The exit status of something that ended so. Thresholds that are passed are told.
    pub fn judge(&self, status: Status, found: &F) -> Exit {
        Exit::of(status, any_passed(&self.fail_if, found))
    }

    /// Whether there is a threshold for a figure: what is below it is accepted.
    pub fn has(&self, figure: &str) -> bool {
        self.fail_if.iter().any(|threshold| threshold.name() == figure)
    }
}

impl<F: Figures + fmt::Debug + 'static> Clone for Limits<F> {
    fn clone(&self) -> Limits<F> {
        Limits { fail_if: self.fail_if.clone() }
    }
}

/// Tells the user which of the thresholds are passed; whether any is. One whose figure is missing counts as passed: nobody
/// is to rely on a check that checks nothing.
pub fn any_passed<F: Figures>(thresholds: &[Threshold<F>], found: &F) -> bool {
    let passed = thresholds.iter().filter(|threshold| threshold.holds(found).unwrap_or(true));
    passed.inspect(|threshold| eprintln!("loadgen: past the threshold {threshold}: {}", threshold.told(found))).count()
        > 0
}

/// As they were written, for the settings of a document.
///
/// # Errors
/// The serializer's.
pub fn texts<F, S: Serializer>(thresholds: &[Threshold<F>], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(thresholds.iter().map(|threshold| &threshold.text))
}

impl<F: Figures> FromStr for Threshold<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Threshold<F>, String> {
        let text = text.trim();
        let at = text.find(['<', '>']).ok_or("write FIGURE > BOUND or FIGURE < BOUND, such as 'p99 > 5ms'")?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let unit = F::unit(name).ok_or_else(|| format!("{name:?} is no figure; there are {}", F::names()))?;
        let found = COMPARISONS.into_iter().find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)));
        let (comparison, bound) = found.ok_or("write >, <, >= or <=")?;
        let bound = unit.parse(bound.trim()).map_err(|why| format!("{name}: {why}"))?;
        Ok(Threshold { text: text.to_owned(), name: name.to_owned(), comparison, bound, unit, of: PhantomData })
    }
}

impl<F> Clone for Threshold<F> {
    fn clone(&self) -> Threshold<F> {
        let (text, name) = (self.text.clone(), self.name.clone());
        Threshold { text, name, comparison: self.comparison, bound: self.bound, unit: self.unit, of: PhantomData }
    }
}

impl<F> fmt::Debug for Threshold<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<F> fmt::Display for Threshold<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A result with a time, a number, and a number that is missing.
    struct Found {
        wait: f64,
        losses: f64,
    }

    impl Figures for Found {
        fn unit(name: &str) -> Option<Unit> {
            match name {
                "wait.p99" => Some(Unit::Time),
                "losses" | "missing" => Some(Unit::Number),
                _ => None,
            }
        }

        fn names() -> String {
            "wait.p99, losses and missing".into()
        }

        fn figure(&self, name: &str) -> Option<f64> {
            match name {
                "wait.p99" => Some(self.wait),
                "losses" => Some(self.losses),
                _ => None,
            }
        }
    }

    const FOUND: Found = Found { wait: 151e6, losses: 2.5 };

    #[test]
    fn figures_are_compared_in_their_unit() {
        for (text, holds) in [
            ("wait.p99 > 150ms", true),
            ("wait.p99>0.151s", false),
            ("wait.p99 >= 151ms", true),
            ("wait.p99 <= 151ms", true),
            ("wait.p99 < 151000us", false),
            ("losses < 3", true),
            ("losses > 2.5", false),
            ("losses > 1k", false),
        ] {
            let threshold: Threshold<Found> = text.parse().unwrap();
            assert_eq!(threshold.holds(&FOUND), Some(holds), "{text}");
        }
    }

    #[test]
    fn what_is_passed_is_told_and_a_figure_that_is_missing_is_passed() {
        let parse = |text: &str| text.parse::<Threshold<Found>>().unwrap();
        assert_eq!(parse("wait.p99 > 1ms").told(&FOUND), "wait.p99 is 151 ms");
        assert_eq!(parse("losses > 1").told(&FOUND), "losses is 2.50");
        assert!(!any_passed(&[parse("losses > 3"), parse("wait.p99 > 1s")], &FOUND));
        assert!(any_passed(&[parse("losses > 3"), parse("losses < 3")], &FOUND));
        assert!(any_passed(&[parse("missing > 3")], &FOUND), "nothing was checked");
    }

    #[test]
    fn thresholds_that_make_no_sense_are_refused() {
        for (text, says) in [
            ("wait.p99", "FIGURE > BOUND"),
            ("wait.p98 > 5ms", "wait.p99, losses"),
            ("> 5ms", "no figure"),
            ("wait.p99 > 5 parsecs", "wait.p99: unit"),
            ("wait.p99 >", "no time"),
            ("losses > few", "none"),
            ("losses => 5", "no figure"),
            ("losses =< 5", "no figure"),
        ] {
            let error = text.parse::<Threshold<Found>>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
