//! The figures of a measurement that thresholds may name: `--fail-if 'get.p99 > 5ms'`.

use crate::op::OpKind;
use crate::results::{KindResult, Measured, Percentiles};
use crate::threshold::{Figures, Unit};

/// One of several percentiles.
pub type Percentile = fn(&Percentiles) -> f64;
type Number = fn(&Measured) -> Option<f64>;

/// Percentiles by name.
pub const PERCENTILES: [(&str, Percentile); 7] = [
    ("mean", |p| p.mean),
    ("p50", |p| p.p50),
    ("p90", |p| p.p90),
    ("p99", |p| p.p99),
    ("p99.9", |p| p.p99_9),
    ("p99.99", |p| p.p99_99),
    ("max", |p| p.max),
];

const NUMBERS: [(&str, Number); 5] = [
    ("rate", |m| Some(m.rate)),
    ("errors", |m| Some(m.error_replies() as f64)),
    ("unsent", |m| Some(m.unsent as f64)),
    ("unanswered", |m| Some(m.unanswered as f64)),
    ("cpu", |m| m.server.as_ref()?.cost.cpu_us_per_op),
];

fn number(name: &str) -> Option<Number> {
    NUMBERS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// Reads `p99` (of all kinds) or `get.p99`.
fn percentile(name: &str) -> Option<(Option<&'static str>, Percentile)> {
    let find = |name: &str| PERCENTILES.iter().find(|(known, _)| *known == name).map(|(_, percentile)| *percentile);
    if let Some(percentile) = find(name) {
        return Some((None, percentile));
    }
    let (kind, name) = name.split_once('.')?;
    let kind = OpKind::ALL.iter().map(|kind| kind.name()).find(|known| *known == kind)?;
    Some((Some(kind), find(name)?))
}

impl Figures for Measured {
    fn unit(name: &str) -> Option<Unit> {
        number(name).map(|_| Unit::Number).or_else(|| percentile(name).map(|_| Unit::Time))
    }

    fn names() -> String {
        let percentiles: Vec<&str> = PERCENTILES.iter().map(|(name, _)| *name).collect();
        let numbers: Vec<&str> = NUMBERS.iter().map(|(name, _)| *name).collect();
        format!("{} (of one kind: get.p99), {}", percentiles.join(", "), numbers.join(", "))
    }

    fn figure(&self, name: &str) -> Option<f64> {
        if let Some(number) = number(name) {
            return number(self);
        }
        let (kind, percentile) = percentile(name)?;
        let counts: &KindResult = match kind {
            Some(kind) => self.kinds.get(kind)?,
            None => &self.all,
        };
        Some(percentile(counts.latency_us.as_ref()?) * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_or_of_one_kind() {
        for name in ["p50", "p99.9", "max", "get.p99", "set.p99.9", "ping.max"] {
            assert_eq!(Measured::unit(name), Some(Unit::Time), "{name}");
        }
        assert_eq!(percentile("get.p99.9").unwrap().0, Some("get"));
        for name in ["rate", "errors", "cpu"] {
            assert_eq!(Measured::unit(name), Some(Unit::Number), "{name}");
        }
        for name in ["p98", "got.p99", "get.rate", "get", ""] {
            assert_eq!(Measured::unit(name), None, "{name}");
        }
    }
}
