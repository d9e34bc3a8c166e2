//! Times of which documents tell the percentiles, and logs everything.

use crate::results::Percentiles;
use crate::stats::latency_histogram;
use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};

/// Nanoseconds. As JSON their percentiles in microseconds; null if there is none.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Times {
    /// None yet.
    pub fn new() -> Times {
        Times(latency_histogram())
    }

    /// Takes one.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// `None` if there is none.
    pub fn percentiles(&self) -> Option<Percentiles> {
        Percentiles::new(&self.0)
    }

    /// All of them.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.percentiles().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn documents_tell_percentiles_in_microseconds_or_nothing() {
        let mut times = Times::new();
        assert!(serde_json::to_value(&times).unwrap().is_null());
        times.record(5_000_000);
        let told = serde_json::to_value(&times).unwrap();
        let p50 = told["p50"].as_f64().unwrap();
        assert!(times.len() == 1 && (4_900.0..5_100.0).contains(&p50), "{told}");
    }
}
