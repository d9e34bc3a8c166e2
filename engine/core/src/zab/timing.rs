//! When silence means death. Heartbeats go over every link; a peer is given up after a multiple of the largest gap that
//! was lately seen between its messages, within bounds. So three servers and their load on two busy cores do not lose
//! each other, and servers with cores of their own notice silence early.

use crate::ids::Instant;
use core::time::Duration;

/// Settings of failure detection.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Something is sent over every link at least so often.
    pub heartbeat: Duration,
    /// Silence that is always borne.
    pub silence_min: Duration,
    /// Silence that is never borne.
    pub silence_max: Duration,
    /// Gaps that are borne for each gap seen.
    pub silence_factor: u32,
    /// After the first quorum of votes, how long others are waited for.
    pub finalize: Duration,
    /// A leader that is not joined by a quorum in this time gives up.
    pub join: Duration,
    /// A leader whose quorum is not synchronised in this time gives up.
    pub sync: Duration,
    /// A leader whose log makes no progress for this time gives up.
    pub disk_stall: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            heartbeat: Duration::from_millis(40),
            silence_min: Duration::from_millis(250),
            silence_max: Duration::from_millis(1500),
            silence_factor: 3,
            finalize: Duration::from_millis(10),
            join: Duration::from_millis(500),
            sync: Duration::from_secs(20),
            disk_stall: Duration::from_secs(2),
        }
    }
}

/// What is known of how regularly a peer is heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hearing {
    last: Instant,
    /// The largest gap lately; falls by an eighth with each heartbeat's time in which there was no larger one.
    gap: Duration,
    fallen: Instant,
}

impl Hearing {
    pub(super) fn new(now: Instant) -> Hearing {
        Hearing { last: now, gap: Duration::ZERO, fallen: now }
    }

    /// Something came in.
    pub(super) fn heard(&mut self, now: Instant, timing: &Timing) {
        let gap = now.since(self.last);
        if gap >= self.gap {
            (self.gap, self.fallen) = (gap, now);
        } else if now.since(self.fallen) >= timing.heartbeat {
            (self.gap, self.fallen) = (self.gap - self.gap / 8, now);
        }
        self.last = now;
    }

    /// This server itself was away for `lost`: it could not have heard anything.
    pub(super) fn excuse(&mut self, now: Instant, lost: Duration) {
        self.last = self.last.plus(lost).min(now);
    }

    /// How much silence is borne.
    pub(super) fn patience(&self, timing: &Timing) -> Duration {
        (self.gap * timing.silence_factor).clamp(timing.silence_min, timing.silence_max)
    }

    /// Whether the peer has been silent for too long.
    pub(super) fn is_silent(&self, now: Instant, timing: &Timing) -> bool {
        now.since(self.last) > self.patience(timing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Instant {
        Instant(n * 1_000_000)
    }

    #[test]
    fn patience_follows_the_gaps_within_bounds() {
        let timing = Timing::default();
        let mut hearing = Hearing::new(ms(0));
        assert_eq!(hearing.patience(&timing), timing.silence_min);
        hearing.heard(ms(200), &timing);
        assert_eq!(hearing.patience(&timing), Duration::from_millis(600));
        for n in 1..100 {
            hearing.heard(ms(200 + n * 40), &timing);
        }
        assert_eq!(hearing.patience(&timing), timing.silence_min);
        hearing.heard(ms(100_000), &timing);
        assert_eq!(hearing.patience(&timing), timing.silence_max);
    }

    #[test]
    fn a_gap_is_forgotten_in_the_same_time_whether_much_or_little_is_heard() {
        let timing = Timing::default();
        for step in [1, 5, 40] {
            let mut hearing = Hearing::new(ms(0));
            hearing.heard(ms(2_000), &timing);
            for n in (2_000..4_000).step_by(step) {
                hearing.heard(ms(n), &timing);
            }
            assert_eq!(hearing.patience(&timing), timing.silence_min, "a message every {step} ms");
        }
    }

    #[test]
    fn own_absence_is_no_silence() {
        let timing = Timing::default();
        let mut hearing = Hearing::new(ms(0));
        assert!(hearing.is_silent(ms(1000), &timing));
        hearing.excuse(ms(1000), Duration::from_millis(900));
        assert!(!hearing.is_silent(ms(1000), &timing));
    }
}
