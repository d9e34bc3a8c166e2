//! Time as the engine counts it.

use std::time::{Duration, Instant};

/// Nanoseconds since the process's [`Clock`] was started.
pub type Nanos = u64;

/// Nanoseconds of one second.
pub const SECOND: Nanos = 1_000_000_000;

/// The monotonic clock with a common origin, so that readings of all threads compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts at 0.
    pub fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// Nanoseconds since the start.
    pub fn now(&self) -> Nanos {
        nanos(self.origin.elapsed())
    }

    /// How long it is until `when`; zero if it has passed.
    pub fn until(&self, when: Nanos) -> Duration {
        Duration::from_nanos(when.saturating_sub(self.now()))
    }
}

/// A duration in nanoseconds; saturates after 584 years.
pub fn nanos(d: Duration) -> Nanos {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
