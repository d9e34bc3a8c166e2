//! Threads that put a load on servers until they are told to stop, and are watched meanwhile.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is not there in this time never will be.
const NEVER: Duration = Duration::from_secs(120);

/// What the threads and the test tell each other.
#[derive(Default)]
pub struct Signs {
    stop: AtomicBool,
    failed: AtomicBool,
    begun: AtomicUsize,
    answers: AtomicU64,
}

impl Signs {
    /// Whether no more requests are to be sent.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A client has its session and its node.
    pub fn begins(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was answered.
    pub fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Some clients at work, of which each ends up as a `W`.
pub struct Load<W> {
    signs: Arc<Signs>,
    threads: Vec<JoinHandle<W>>,
}

impl<W: Send + 'static> Load<W> {
    /// One thread for each number below `count`.
    pub fn start(count: usize, work: impl Fn(usize, &Signs) -> W + Send + Sync + 'static) -> Load<W> {
        let (signs, work) = (Arc::new(Signs::default()), Arc::new(work));
        let threads = (0..count).map(|n| {
            let (signs, work) = (Arc::clone(&signs), Arc::clone(&work));
            thread::spawn(move || {
                let guard = Failing(&signs);
                let done = work(n, &signs);
                std::mem::forget(guard);
                done
            })
        });
        let threads = threads.collect();
        Load { signs, threads }
    }

    /// Answers so far, of all.
    pub fn answers(&self) -> u64 {
        self.signs.answers.load(Ordering::Relaxed)
    }

    /// Waits until all clients have begun and there have been so many more answers.
    ///
    /// # Panics
    /// If a thread has panicked, or there is no answer for very long.
    pub fn progress(&self, answers: u64) {
        let begun = || self.signs.begun.load(Ordering::Relaxed);
        let mut last = (Instant::now(), self.answers());
        let target = last.1 + answers;
        while self.answers() < target || begun() < self.threads.len() {
            if self.answers() > last.1 {
                last = (Instant::now(), self.answers());
            }
            assert!(last.0.elapsed() < NEVER, "the servers answer no more");
            assert!(!self.signs.failed.load(Ordering::Relaxed), "a client has failed");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What a server has answered is in the clients' sockets: gives the threads the time to take and count it. Less than
    /// servers hold their clients without a leader.
    pub fn let_answers_arrive(&self) {
        thread::sleep(Duration::from_secs(8));
    }

    /// Waits until all have ended of themselves.
    ///
    /// # Panics
    /// If one of them does not for very long.
    pub fn wait_for_the_end(&self) {
        let started = Instant::now();
        while !self.threads.iter().all(JoinHandle::is_finished) {
            assert!(started.elapsed() < NEVER, "a client still works");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets them take their last answers.
    pub fn stop(self) -> Vec<W> {
        self.signs.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("a client has failed")).collect()
    }
}

/// Tells that its thread panicked.
struct Failing<'a>(&'a Signs);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        self.0.failed.store(true, Ordering::Relaxed);
    }
}
