//! Something slow that goes on beside the load, in a thread of its own.

use anyhow::{Result, anyhow};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// Work under way.
#[derive(Debug)]
pub struct Errand<T> {
    done: Receiver<Result<T>>,
}

impl<T: Send + 'static> Errand<T> {
    /// Begins it.
    pub fn begin(work: impl FnOnce() -> Result<T> + Send + 'static) -> Errand<T> {
        let (tell, done) = channel();
        // If nobody waits for the errand any more, nobody misses its outcome.
        std::thread::spawn(move || tell.send(work()));
        Errand { done }
    }

    /// Its outcome, if it is done. To be taken once.
    pub fn outcome(&self) -> Option<Result<T>> {
        match self.done.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(anyhow!("an errand ended without an outcome"))),
        }
    }
}
