//! The figures that thresholds may name: `--fail-if 'uring-dsync.p99 > 5ms'`.

use super::Findings;
use super::disk::WAYS;
use crate::figures::{PERCENTILES, Percentile};
use crate::threshold::{Figures, Unit};
use crate::times::Times;

/// What is timed, beside the ways to write.
const OTHERS: [&str; 3] = ["loopback", "wake", "server"];

fn parse(name: &str) -> Option<(&str, Percentile)> {
    let (what, percentile) = name.split_once('.')?;
    let known = WAYS.iter().any(|way| way.name() == what) || OTHERS.contains(&what);
    let percentile = PERCENTILES.iter().find(|(known, _)| *known == percentile)?.1;
    known.then_some((what, percentile))
}

impl Figures for Findings {
    fn unit(name: &str) -> Option<Unit> {
        parse(name).map(|_| Unit::Time)
    }

    fn names() -> String {
        let what: Vec<&str> = WAYS.iter().map(|way| way.name()).chain(OTHERS).collect();
        let percentiles: Vec<&str> = PERCENTILES.iter().map(|(name, _)| *name).collect();
        format!("{}, each with .{}", what.join(", "), percentiles.join(", ."))
    }

    fn figure(&self, name: &str) -> Option<f64> {
        let (what, percentile) = parse(name)?;
        let of = |times: &Times| Some(percentile(&times.percentiles()?) * 1e3);
        match what {
            "loopback" => of(&self.loopback.latency_us),
            "wake" => of(self.wake.other_core_us.as_ref()?),
            // The farthest of several.
            "server" => {
                let trips = self.servers.iter().filter_map(|server| of(&server.trip.latency_us));
                trips.max_by(f64::total_cmp)
            }
            way => of(&self.disk.ways.iter().find(|found| found.way == way)?.latency_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_percentiles() {
        for name in ["uring-dsync.p99", "buffered.p99.9", "loopback.p50", "wake.max", "server.p99"] {
            assert_eq!(Findings::unit(name), Some(Unit::Time), "{name}");
        }
        for name in ["uring-dsync", "disk.p99", "wake.p98", ""] {
            assert_eq!(Findings::unit(name), None, "{name}");
        }
        assert!(Findings::names().contains("pwrite-dsync") && Findings::names().contains(".p99.99"));
    }
}
