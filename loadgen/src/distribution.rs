//! The shape of a distribution, in few points: what a curve of latencies by percentile is drawn from.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Points for each factor of ten between the quantiles' distances from 1.
const PER_DECADE: i32 = 8;

/// Pairs of a quantile and its value in microseconds, both ascending: closer and closer to 1, which is the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution(#[serde(serialize_with = "crate::one_line::serialize")] pub Vec<(f64, f64)>);

impl Distribution {
    /// Of a histogram of nanoseconds. A quantile beyond which there is less than one value tells nothing more than the
    /// maximum does: a million values make some fifty points.
    pub fn new(histogram: &Histogram<u64>) -> Distribution {
        if histogram.is_empty() {
            return Distribution::default();
        }
        let beyond = |step: i32| 10_f64.powf(-f64::from(step) / f64::from(PER_DECADE));
        let steps = (0..).take_while(|step| beyond(*step) * histogram.len() as f64 >= 1.0);
        let point = |q: f64| ((q * 1e10).round() / 1e10, histogram.value_at_quantile(q) as f64 / 1e3);
        let mut points: Vec<(f64, f64)> = steps.map(|step| point(1.0 - beyond(step))).collect();
        points.push((1.0, histogram.max() as f64 / 1e3));
        Distribution(points)
    }
}

#[cfg(test)]
mod tests {
    use super::Distribution;
    use crate::stats::latency_histogram;

    #[test]
    fn a_distribution_goes_from_the_least_to_the_greatest_and_is_densest_at_the_tail() {
        let mut histogram = latency_histogram();
        for us in 1..=100_000_u64 {
            histogram.record(us * 1000).unwrap();
        }
        let Distribution(points) = Distribution::new(&histogram);
        assert_eq!(points.len(), 5 * 8 + 1 + 1, "five decades, both ends, and the maximum");
        assert!(points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{points:?}");
        let close = |value: f64, to: f64| (value - to).abs() <= to / 500.0;
        let at = |q: f64| points.iter().find(|p| (p.0 - q).abs() < 1e-9).unwrap().1;
        assert!(close(at(0.9), 90_000.0) && close(at(0.999), 99_900.0), "{points:?}");
        assert!(close(points.last().unwrap().1, 100_000.0) && points.last().unwrap().0 == 1.0);
    }

    #[test]
    fn few_values_make_few_points_and_none_makes_none() {
        assert_eq!(Distribution::new(&latency_histogram()).0, []);
        let mut histogram = latency_histogram();
        histogram.record(5_000).unwrap();
        let points = Distribution::new(&histogram).0;
        assert_eq!(points.iter().map(|p| p.0).collect::<Vec<_>>(), [0.0, 1.0]);
    }
}
