//! The way back from a driver to the executor: a queue, and a waker that may be used from any thread.

use crate::epochs::{Epochs, NotSaved};
use crate::reader::{ReadOutcome, ReadTicket};
use crate::snapshot::task::SnapshotEnd;
use crate::writer::Done;
use crossbeam::queue::SegQueue;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Something in the background has ended.
#[derive(Debug)]
pub enum Completion {
    /// A request of the log's writer.
    Log(Done),
    /// The epoch record was replaced, or not.
    Epochs(Epochs, Result<(), NotSaved>),
    /// A snapshot has its name, or failed.
    Snapshot(SnapshotEnd),
    /// What a snapshot made superfluous is removed, or not.
    Purged(Result<(), String>),
    /// The log was read.
    Read {
        /// Which read it is.
        ticket: ReadTicket,
        /// How often the log had been cut back or restarted when it was asked for.
        generation: u32,
        /// What was found.
        outcome: ReadOutcome,
    },
}

/// Completions that wait to be harvested.
#[derive(Default)]
pub struct Completions {
    queue: SegQueue<Completion>,
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Completions {
    /// Adds one and wakes the executor.
    pub fn push(&self, completion: Completion) {
        self.queue.push(completion);
        self.ring();
    }

    /// Wakes the executor: there is something to look at.
    pub fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the oldest.
    pub fn pop(&self) -> Option<Completion> {
        self.queue.pop()
    }

    /// Ready when the bell has rung since the last time this was ready.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.rung.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        // The bell may have rung between the look and the waker's arrival.
        if self.rung.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }
}
