//! The schedule of an open loop: when each operation is meant to start, whatever the server does.

use super::clock::{Nanos, SECOND};
use crate::random::Random;
use serde::Serialize;

/// How arrivals are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Arrival {
    /// Equal gaps.
    Fixed,
    /// Independent arrivals: exponentially distributed gaps, as from many clients that know nothing of each other.
    Poisson,
}

/// Yields the intended start times of one thread's operations, in order.
#[derive(Clone, Debug)]
pub struct Pacer {
    arrival: Arrival,
    /// Mean gap.
    gap: f64,
    origin: Nanos,
    /// Distance of the next arrival from the origin.
    offset: f64,
    issued: u64,
    phase: f64,
    random: Random,
}

impl Pacer {
    /// The schedule of thread `party` of `parties` that together make `rate` operations per second from `origin` on.
    /// Fixed schedules of several threads interleave.
    pub fn new(arrival: Arrival, rate: f64, party: usize, parties: usize, origin: Nanos, random: Random) -> Pacer {
        let gap = SECOND as f64 * parties as f64 / rate;
        let phase = gap * party as f64 / parties as f64;
        let mut pacer = Pacer { arrival, gap, origin, offset: phase, issued: 0, phase, random };
        if arrival == Arrival::Poisson {
            pacer.offset = pacer.exponential();
        }
        pacer
    }

    /// When the next operation is meant to start.
    pub fn next(&self) -> Nanos {
        self.origin + self.offset as Nanos
    }

    /// About how many operations are due at `now`.
    pub fn due(&self, now: Nanos) -> u64 {
        (now.saturating_sub(self.next()) as f64 / self.gap) as u64
    }

    /// Takes the next operation off the schedule: its intended time.
    pub fn take(&mut self) -> Nanos {
        let intended = self.next();
        self.issued += 1;
        self.offset = match self.arrival {
            // Multiplied, not summed: the rate must not drift.
            Arrival::Fixed => self.phase + self.gap * self.issued as f64,
            Arrival::Poisson => self.offset + self.exponential(),
        };
        intended
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.random.unit()).ln() * self.gap
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, Pacer, Random, SECOND};

    fn times(arrival: Arrival, rate: f64, party: usize, parties: usize, n: usize) -> Vec<u64> {
        let mut pacer = Pacer::new(arrival, rate, party, parties, 1_000, Random::new(1));
        (0..n).map(|_| pacer.take()).collect()
    }

    #[test]
    fn fixed_schedules_of_two_threads_interleave_without_drift() {
        assert_eq!(times(Arrival::Fixed, 1000.0, 0, 2, 3), [1_000, 2_001_000, 4_001_000]);
        assert_eq!(times(Arrival::Fixed, 1000.0, 1, 2, 3), [1_001_000, 3_001_000, 5_001_000]);
        let last = *times(Arrival::Fixed, 3.0, 0, 1, 3 * 3600 + 1).last().unwrap();
        assert_eq!(last, 1_000 + 3600 * SECOND);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        let times = times(Arrival::Poisson, 1_000_000.0, 0, 1, 200_001);
        let gaps: Vec<f64> = times.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let spread = (gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((980.0..1020.0).contains(&mean), "seed 1: mean {mean}");
        assert!((970.0..1030.0).contains(&spread), "seed 1: spread {spread}");
    }
}
