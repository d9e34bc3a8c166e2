//! A four-letter word asked on one executor, answered from the facts of all.

use super::bell::Bell;
use crate::four_letter::{Needs, Snapshot};
use crate::live::MemoryUse;
use crate::turn::ClientFacts;
use crossbeam::queue::SegQueue;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What one executor contributes.
pub(super) enum Part {
    Replica(Box<Snapshot>),
    Clients(Box<ClientFacts>),
}

/// Facts are being collected.
pub(super) struct Inquiry {
    pub(super) needs: Needs,
    parts: SegQueue<Part>,
    missing: AtomicUsize,
    complete: Bell,
}

impl Inquiry {
    /// From so many executors.
    pub(super) fn new(needs: Needs, executors: usize) -> Inquiry {
        Inquiry { needs, parts: SegQueue::new(), missing: AtomicUsize::new(executors), complete: Bell::default() }
    }

    /// One executor's facts.
    pub(super) fn contribute(&self, part: Part) {
        self.parts.push(part);
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.complete.ring();
        }
    }

    /// All facts together; `None` if the replica has given none, because it does not serve.
    pub(super) async fn collected(&self, memory: MemoryUse) -> Option<Snapshot> {
        self.complete.heard().await;
        let (mut replica, mut clients) = (None, ClientFacts::default());
        while let Some(part) = self.parts.pop() {
            match part {
                Part::Replica(facts) => replica = Some(*facts),
                Part::Clients(facts) => clients = clients.joined(*facts),
            }
        }
        replica.map(|facts| clients.add_to(memory, facts))
    }
}
