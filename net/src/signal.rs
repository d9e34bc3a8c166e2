//! "There is something to do": wakes the one task that waits for it, on the same executor.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Raised any number of times, it wakes its waiter once. The waiter is queued behind every task that was ready when it
/// was raised: all that the kernel has reported by then is seen in one turn.
#[derive(Debug, Default)]
pub struct Signal {
    raised: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Signal {
    /// Lets the waiter go on, now or when it waits next.
    pub fn raise(&self) {
        if !self.raised.replace(true)
            && let Some(waiter) = self.waiter.borrow().as_ref()
        {
            waiter.wake_by_ref();
        }
    }

    /// Waits until the signal has been raised, and lowers it. Only one task may wait.
    pub async fn wait(&self) {
        poll_fn(|cx| {
            if self.raised.replace(false) {
                return Poll::Ready(());
            }
            let mut waiter = self.waiter.borrow_mut();
            match waiter.as_mut() {
                Some(waiter) => waiter.clone_from(cx.waker()),
                None => *waiter = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }
}
