//! A family of metrics: one name, one meaning, any number of series.

use ringkeeper_core::measure::Histogram;

/// What distinguishes the series of a family.
pub type Labels = Vec<(&'static str, String)>;

/// One name with all its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// As it is exported.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub help: &'static str,
    /// What was measured.
    pub series: Series,
}

/// Measurements by labels.
#[derive(Debug, Clone, PartialEq)]
pub enum Series {
    /// Numbers that only rise, until the server starts again or is told to count anew.
    Counter(Vec<(Labels, f64)>),
    /// Numbers that rise and fall.
    Gauge(Vec<(Labels, f64)>),
    /// ZooKeeper's form of a distribution: count, sum and quantiles.
    Summary(Box<Histogram>, Unit, Depth),
    /// Distributions in buckets.
    Histogram(Vec<(Labels, Histogram)>, Unit),
}

/// How much a summary tells, in ZooKeeper's terms (`DetailLevel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The median.
    Basic,
    /// Higher quantiles, too.
    Advanced,
}

/// What the numbers of a distribution, which are whole, stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, shown as seconds.
    Seconds,
    /// Nanoseconds, shown as milliseconds.
    Millis,
    /// Just numbers.
    Plain,
}

impl Unit {
    /// The number as it is shown.
    pub fn shown(self, value: f64) -> f64 {
        match self {
            Unit::Seconds => value / 1e9,
            Unit::Millis => value / 1e6,
            Unit::Plain => value,
        }
    }

    /// The powers of two at which buckets end: for times 8 µs to 34 s, for numbers 1 to 16 million.
    pub const fn powers(self) -> std::ops::RangeInclusive<u32> {
        match self {
            Unit::Seconds | Unit::Millis => 13..=35,
            Unit::Plain => 1..=24,
        }
    }
}

impl Family {
    /// One number that only rises.
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Family {
        Family { name, help, series: Series::Counter(vec![(Vec::new(), value as f64)]) }
    }

    /// A time that only rises, in seconds.
    pub fn counter_seconds(name: &'static str, help: &'static str, seconds: f64) -> Family {
        Family { name, help, series: Series::Counter(vec![(Vec::new(), seconds)]) }
    }

    /// One number.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Family {
        Family { name, help, series: Series::Gauge(vec![(Vec::new(), value)]) }
    }

    /// Numbers that only rise, by one label.
    pub fn counters(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, f64)>,
    ) -> Family {
        Family { name, help, series: Series::Counter(labelled(label, values)) }
    }

    /// Numbers by one label.
    pub fn gauges(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, f64)>,
    ) -> Family {
        Family { name, help, series: Series::Gauge(labelled(label, values)) }
    }

    /// One distribution.
    pub fn histogram(name: &'static str, help: &'static str, unit: Unit, seen: &Histogram) -> Family {
        Family { name, help, series: Series::Histogram(vec![(Vec::new(), seen.clone())], unit) }
    }

    /// Distributions by one label.
    pub fn histograms<'a>(
        name: &'static str,
        help: &'static str,
        unit: Unit,
        label: &'static str,
        seen: impl IntoIterator<Item = (&'static str, &'a Histogram)>,
    ) -> Family {
        let seen = seen.into_iter().map(|(value, seen)| (vec![(label, value.to_owned())], seen.clone()));
        Family { name, help, series: Series::Histogram(seen.collect(), unit) }
    }

    /// A distribution in ZooKeeper's form.
    pub fn summary(name: &'static str, help: &'static str, unit: Unit, depth: Depth, seen: &Histogram) -> Family {
        Family { name, help, series: Series::Summary(Box::new(seen.clone()), unit, depth) }
    }
}

fn labelled<T>(label: &'static str, values: impl IntoIterator<Item = (String, T)>) -> Vec<(Labels, T)> {
    values.into_iter().map(|(value, number)| (vec![(label, value)], number)).collect()
}
