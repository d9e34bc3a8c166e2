//! How busy an executor is.

use std::time::Duration;

/// One executor since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorLoad {
    /// `replica`, `client-0`, …
    pub name: String,
    /// Passes over everything that was ready.
    pub turns: u64,
    /// Time in which it was not waiting.
    pub busy: Duration,
}

impl ExecutorLoad {
    /// The executor of this thread.
    pub(crate) fn here(name: &str, turns: u64) -> ExecutorLoad {
        let busy = glommio::executor().executor_stats().total_runtime();
        ExecutorLoad { name: name.to_owned(), turns, busy }
    }
}
