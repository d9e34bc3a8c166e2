//! A server's clocks: the monotonic one runs a little too fast or too slow and begins anywhere with each start, the wall
//! clock is wrong by whatever somebody has set.

use crate::time::{MS, SECOND, Time};
use ringkeeper_core::ids::{Instant, WallMs};
use ringkeeper_node::Clock;

/// The wall clock at the beginning of the simulation.
const WALL_START: i64 = 1_800_000_000_000;
const MILLION: u128 = 1_000_000;

/// What a server's clocks have to do with the simulation's.
#[derive(Clone, Copy, Debug)]
pub struct ServerClock {
    /// Parts in a million that are too many.
    pub drift_ppm: i64,
    /// Where the monotonic clock began.
    pub origin: Time,
    /// By how much the wall clock is wrong.
    pub wall_offset: i64,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    now: Instant,
    wall: WallMs,
}

impl ServerClock {
    /// At this time of the simulation.
    #[must_use]
    pub fn read(&self, now: Time) -> Reading {
        let rate = (MILLION as i64 + self.drift_ppm) as u128;
        let passed = (u128::from(now) * rate / MILLION) as u64;
        let wall = WALL_START + (now / MS) as i64 + self.wall_offset;
        Reading { now: Instant(SECOND + self.origin + passed), wall: WallMs(wall) }
    }
}

impl Clock for Reading {
    fn now(&self) -> Instant {
        self.now
    }

    fn wall(&self) -> WallMs {
        self.wall
    }
}
