//! The only clock of the server: the core is told the time.

use ringkeeper_core::ids::{Instant, WallMs};
use std::time::{SystemTime, UNIX_EPOCH};

/// The origin lies this far before the start, so that "never" and "at start" are different instants.
const HEAD_START: Instant = Instant(1_000_000_000);

/// The clocks' readings at one time, and when the server started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readings {
    pub(crate) now: Instant,
    pub(crate) wall: WallMs,
    /// The wall clock, in microseconds.
    pub(crate) wall_us: u64,
    pub(crate) started: Instant,
}

/// Readings of the monotonic clock, from an origin shortly before the start, and of the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Clock {
        Clock { start: std::time::Instant::now() }
    }

    /// Microseconds since 1970 by the wall clock; before 1970 it is 1970.
    pub(crate) fn wall_micros(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// All readings, for those who tell people.
    pub(crate) fn readings(&self) -> Readings {
        let (now, wall) = (ringkeeper_node::Clock::now(self), ringkeeper_node::Clock::wall(self));
        Readings { now, wall, wall_us: self.wall_micros(), started: self.started() }
    }

    /// When it started.
    pub(crate) fn started(&self) -> Instant {
        HEAD_START
    }
}

impl ringkeeper_node::Clock for Clock {
    fn now(&self) -> Instant {
        HEAD_START.plus(self.start.elapsed())
    }

    /// Before 1970 it is 1970.
    fn wall(&self) -> WallMs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
