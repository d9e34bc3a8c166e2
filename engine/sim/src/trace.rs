//! What happens, as a number that two runs of one seed must share, and as text when one run is looked at.

use crate::time::{MS, Time};

/// See the module.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    /// Whether it is printed.
    pub printed: bool,
    events: u64,
}

impl Trace {
    /// Something has happened. All that distinguishes it from what could have happened instead belongs in `what`.
    pub fn note(&mut self, now: Time, what: &[u64]) {
        self.events += 1;
        self.fold(now);
        what.iter().for_each(|word| self.fold(*word));
    }

    /// Text that belongs to it, made only if somebody looks.
    pub fn say(&self, now: Time, text: impl FnOnce() -> String) {
        if self.printed {
            println!("{:>10.3} ms  {}", now as f64 / MS as f64, text());
        }
    }

    // One round of a multiplicative hash: what matters is that any difference shows.
    fn fold(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }

    /// Of everything so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How much has happened.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }
}
