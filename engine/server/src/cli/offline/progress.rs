//! How far a command has come, for whoever waits at a terminal. Elsewhere nothing is said.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

/// Steps between two looks at the clock.
const STEPS: u64 = 1024;
const EVERY: Duration = Duration::from_millis(200);

/// One line on the terminal, written over again and again, and gone with the value.
pub(super) struct Progress {
    what: &'static str,
    shown: bool,
    done: u64,
    last: Option<Instant>,
}

impl Progress {
    /// `what` is said before the number of steps.
    pub(super) fn new(what: &'static str) -> Progress {
        Progress { what, shown: stderr().is_terminal(), done: 0, last: None }
    }

    /// One more step.
    pub(super) fn step(&mut self) {
        self.done += 1;
        if self.shown && self.done.is_multiple_of(STEPS) && self.last.is_none_or(|last| last.elapsed() >= EVERY) {
            self.last = Some(Instant::now());
            let _ = write!(stderr(), "\r\x1b[K{} {}", self.what, self.done);
        }
    }

    /// From now on this is being done, and its steps are not counted.
    pub(super) fn say(&mut self, what: &str) {
        if self.shown {
            self.last = Some(Instant::now());
            let _ = write!(stderr(), "\r\x1b[K{what}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.last.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
