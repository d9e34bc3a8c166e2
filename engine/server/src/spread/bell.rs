//! Wakes a task of one executor from any thread.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

/// Rung by anyone, heard by one task. Ringing while nobody listens is remembered.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: AtomicBool,
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    /// There is something to look at.
    pub(crate) fn ring(&self) {
        // Rung and not yet heard: the listener is on its way.
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = listener {
            waker.wake();
        }
    }

    /// Waits until it has rung since the last time this returned.
    pub(crate) async fn heard(&self) {
        poll_fn(|cx| {
            if self.rung.swap(false, Ordering::AcqRel) {
                return Poll::Ready(());
            }
            *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            // It may have rung between the look and the waker's arrival.
            if self.rung.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await
    }
}
