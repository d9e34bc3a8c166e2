//! What costs much is done at a bounded rate.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At least so long is between two times.
pub(crate) struct Rate {
    interval: Duration,
    last: Mutex<Option<Instant>>,
}

impl Rate {
    pub(super) fn new(interval: Duration) -> Rate {
        Rate { interval, last: Mutex::new(None) }
    }

    /// Takes the place if it is free.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let free = last.is_none_or(|last| now.duration_since(last) >= self.interval);
        if free {
            *last = Some(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_free_again_after_the_interval() {
        let rate = Rate::new(Duration::from_secs(10));
        let start = Instant::now();
        assert!(rate.take(start));
        assert!(!rate.take(start + Duration::from_secs(9)));
        assert!(rate.take(start + Duration::from_secs(10)));
    }
}
