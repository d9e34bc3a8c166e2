//! What is measured: distributions of times and sizes in buckets of fixed bounds. Recording is a few instructions and
//! never allocates; whoever counts owns the counters, and what several have counted is put together when asked for.

use core::time::Duration;

/// Buckets for each power of two.
const PARTS: usize = 4;
const PART_BITS: u32 = 2;
/// Values from here on (half an hour, in nanoseconds) are counted in the last bucket.
const POWERS: usize = 41;
const BUCKETS: usize = (POWERS - 1) * PARTS;

/// A distribution of whole numbers. A quantile of it is at most a quarter too large.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: [0; BUCKETS], count: 0, sum: 0, min: 0, max: 0 }
    }
}

/// The bucket of a value: below 4 each value has its own, above each power of two has four.
const fn bucket(value: u64) -> usize {
    if value < PARTS as u64 {
        return value as usize;
    }
    let power = value.ilog2();
    let part = (value >> (power - PART_BITS)) as usize & (PARTS - 1);
    let at = (power as usize - 1) * PARTS + part;
    if at < BUCKETS { at } else { BUCKETS - 1 }
}

/// The largest value of a bucket.
const fn bound(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let shift = bucket / PARTS - 1;
    (((PARTS + bucket % PARTS + 1) as u64) << shift) - 1
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Counts a time, in nanoseconds.
    pub fn record_time(&mut self, time: Duration) {
        self.record(nanos(time));
    }

    /// Counts the same value `times` times.
    pub fn record_many(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += times;
        self.sum = self.sum.saturating_add(value.saturating_mul(times));
        self.buckets[bucket(value)] += times;
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Histogram) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest; 0 if there is none.
    #[must_use]
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The largest; 0 if there is none.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The mean; 0 if there is none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// How many values are below 2^`power`, which is exact.
    #[must_use]
    pub fn below_power(&self, power: u32) -> u64 {
        let end = if power as usize >= POWERS { BUCKETS } else { bucket(1 << power) };
        self.buckets[..end].iter().sum()
    }

    /// A value that at least this part of all values (0 to 1) do not exceed; 0 if there is none.
    #[must_use]
    pub fn quantile(&self, part: f64) -> u64 {
        let wanted = ((self.count as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, times) in self.buckets.iter().enumerate() {
            seen += times;
            if seen >= wanted {
                return bound(at).min(self.max);
            }
        }
        self.max
    }
}

/// A time in whole nanoseconds.
#[must_use]
pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap_or_overlap() {
        assert_eq!(bucket(0), 0);
        for at in 0..BUCKETS - 1 {
            assert_eq!((bucket(bound(at)), bucket(bound(at) + 1)), (at, at + 1));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_at_most_a_quarter_too_large() {
        let mut seen = Histogram::default();
        (1..=1000).for_each(|value| seen.record(value * 1000));
        for (part, exact) in [(0.5, 500_000), (0.95, 950_000), (0.99, 990_000), (1.0, 1_000_000)] {
            let told = seen.quantile(part);
            assert!(told >= exact && told as f64 <= exact as f64 * 1.25, "{part}: {told} for {exact}");
        }
        assert_eq!((seen.count(), seen.min(), seen.max(), seen.mean()), (1000, 1000, 1_000_000, 500_500.0));
    }

    #[test]
    fn counts_below_powers_of_two_are_exact() {
        let mut seen = Histogram::default();
        [0, 1, 2, 3, 4, 7, 8, 1023, 1024, u64::MAX].into_iter().for_each(|value| seen.record(value));
        let below = [0, 1, 2, 3, 10, 11, 40, 41].map(|power| seen.below_power(power));
        assert_eq!(below, [1, 2, 4, 6, 8, 9, 9, 10]);
    }

    #[test]
    fn merging_is_counting_together() {
        let (mut a, mut b, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in [5, 900, 17] {
            a.record(value);
            both.record(value);
        }
        b.record_many(3, 4);
        (0..4).for_each(|_| both.record(3));
        a.merge(&b);
        a.merge(&Histogram::default());
        assert_eq!(a, both);
        assert_eq!(Histogram::default().quantile(0.99), 0);
    }
}
