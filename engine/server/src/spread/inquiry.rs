//! Facts that somebody wants from all executors, and what they are to do before they tell them. Four-letter words, the
//! admin server and Prometheus ask in this way.

use super::bell::Bell;
use crate::four_letter::{Needs, Reset, Snapshot};
use crate::turn::ClientFacts;
use crossbeam::queue::SegQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// What one executor contributes.
pub(crate) enum Part {
    Replica(Box<Snapshot>),
    Clients(Box<ClientFacts>),
}

/// What the executors do before they tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Errand {
    /// Count anew.
    Reset(Reset),
    /// Take a snapshot.
    TakeSnapshot,
}

/// Facts are being collected.
pub(crate) struct Inquiry {
    pub(crate) needs: Needs,
    pub(crate) errand: Option<Errand>,
    parts: SegQueue<Part>,
    missing: AtomicUsize,
    complete: Bell,
}

impl Inquiry {
    /// From so many executors.
    pub(super) fn new(needs: Needs, errand: Option<Errand>, executors: usize) -> Inquiry {
        let missing = AtomicUsize::new(executors);
        Inquiry { needs, errand, parts: SegQueue::new(), missing, complete: Bell::default() }
    }

    /// One executor's facts.
    pub(crate) fn contribute(&self, parts: impl IntoIterator<Item = Part>) {
        parts.into_iter().for_each(|part| self.parts.push(part));
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.complete.ring();
        }
    }

    /// All facts together.
    pub(crate) async fn collected(&self) -> Option<Snapshot> {
        self.complete.heard().await;
        let (mut replica, mut clients) = (None, ClientFacts::default());
        while let Some(part) = self.parts.pop() {
            match part {
                Part::Replica(facts) => replica = Some(*facts),
                Part::Clients(facts) => clients = clients.joined(*facts),
            }
        }
        replica.map(|facts| clients.add_to(facts))
    }

    /// As [`Inquiry::collected`], for a thread without an executor; `None` if an executor has not told in time.
    pub(crate) fn wait(&self, patience: Duration) -> Option<Snapshot> {
        let deadline = Instant::now() + patience;
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut collected = std::pin::pin!(self.collected());
        loop {
            if let Poll::Ready(facts) = collected.as_mut().poll(&mut Context::from_waker(&waker)) {
                return facts;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            std::thread::park_timeout(left);
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Unpark>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inquiry(executors: usize) -> Arc<Inquiry> {
        Arc::new(Inquiry::new(Needs::default(), None, executors))
    }

    #[test]
    fn a_thread_is_woken_by_the_last_contribution() {
        let inquiry = inquiry(2);
        let other = Arc::clone(&inquiry);
        let executors = std::thread::spawn(move || {
            other.contribute([Part::Clients(Box::default())]);
            other.contribute([Part::Replica(Box::default())]);
        });
        assert!(inquiry.wait(Duration::from_secs(60)).is_some());
        executors.join().unwrap();
    }

    #[test]
    fn an_executor_that_does_not_turn_is_not_waited_for_for_ever() {
        let inquiry = inquiry(2);
        inquiry.contribute([Part::Replica(Box::default())]);
        assert!(inquiry.wait(Duration::from_millis(10)).is_none());
    }
}
