//! Time, as a node is told it.

use ringkeeper_core::ids::{Instant, WallMs};

/// The only clocks that a node knows.
pub trait Clock {
    /// The monotonic clock, by which every period is measured.
    fn now(&self) -> Instant;
    /// The wall clock, which is only ever shown.
    fn wall(&self) -> WallMs;
}
