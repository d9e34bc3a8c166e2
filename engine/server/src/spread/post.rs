//! What goes between the replica's executor and one client executor.

use super::bell::Bell;
use super::inquiry::Inquiry;
use crossbeam::queue::SegQueue;
use ringkeeper_core::bulletin::Bulletin;
use ringkeeper_core::exchange::Inbox;
use ringkeeper_core::frontend::SlowRequest;
use std::sync::Arc;

/// To a client executor.
pub(super) enum Letter {
    /// What the replica has done.
    Bulletin(Arc<Bulletin>),
    /// Somebody collects facts.
    Inquiry(Arc<Inquiry>),
}

/// To the replica's executor.
pub(crate) enum Request {
    /// What only the replica can decide.
    Asks(Inbox),
    /// Somebody collects facts.
    Inquiry(Arc<Inquiry>),
    /// Requests that were slow.
    Slow(Vec<SlowRequest>),
}

/// The mailbox of one client executor.
#[derive(Default)]
pub(crate) struct Post {
    letters: SegQueue<Letter>,
    pub(crate) bell: Bell,
}

impl Post {
    /// Adds a letter; the bell is rung when the turn that sends is over.
    pub(super) fn add(&self, letter: Letter) {
        self.letters.push(letter);
    }

    /// Adds a letter and rings.
    pub(super) fn send(&self, letter: Letter) {
        self.add(letter);
        self.bell.ring();
    }

    pub(super) fn take(&self) -> Option<Letter> {
        self.letters.pop()
    }
}

/// The mailbox of the replica's executor.
#[derive(Default)]
pub(crate) struct Office {
    requests: SegQueue<Request>,
    pub(crate) bell: Bell,
}

impl Office {
    pub(super) fn send(&self, request: Request) {
        self.requests.push(request);
        self.bell.ring();
    }

    pub(crate) fn take(&self) -> Option<Request> {
        self.requests.pop()
    }
}
