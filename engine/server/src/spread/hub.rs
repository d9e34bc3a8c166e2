//! The turn of the replica's executor, when connections are elsewhere.

use super::post::{Letter, Request};
use super::published::{Published, Publisher};
use super::{Errand, Exchange, Inquiry, Part, Posting};
use crate::executor::clock::Clock;
use crate::executor::until_due;
use crate::four_letter::{Clocks, Reset};
use crate::live::Follower;
use crate::metrics::{ExecutorLoad, SlowLog};
use crate::turn::{Peers, Words};
use ringkeeper_core::bulletin::Bulletin;
use ringkeeper_core::frame::FrameBuf;
use ringkeeper_core::replica::{Input, Replica};
use ringkeeper_core::tree::Tree;
use ringkeeper_net::Signal;
use ringkeeper_node::{Backend, Clock as _, Halted};
use ringkeeper_txnlog::Log;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The replica and the writing side of the tree.
pub(crate) struct Hub {
    state: RefCell<State>,
    exchange: Exchange,
    published: Published,
    clock: Clock,
    due: Rc<Signal>,
    words: Arc<Words>,
    live: Follower,
}

struct State {
    backend: Backend,
    publisher: Publisher,
    bulletin: Bulletin,
    slow: SlowLog,
    turns: u64,
}

impl Hub {
    /// Over a replica that has not been started.
    pub(crate) fn new(
        replica: Replica,
        tree: Tree,
        log: Log,
        words: Arc<Words>,
        clock: Clock,
        exchange: Exchange,
    ) -> Hub {
        let (publisher, published) = Publisher::new(tree.clone(), tree);
        let state = State {
            backend: Backend::new(replica, log),
            publisher,
            bulletin: Bulletin::new(),
            slow: SlowLog::default(),
            turns: 0,
        };
        let live = Follower::new(Arc::clone(&words.live));
        Hub { state: RefCell::new(state), exchange, published, clock, due: Rc::default(), words, live }
    }

    /// What the client executors are started with.
    pub(crate) fn postings(&self) -> Vec<Posting> {
        (0..self.exchange.client_executors())
            .map(|index| Posting {
                index,
                exchange: self.exchange.clone(),
                published: self.published.clone(),
                words: Arc::clone(&self.words),
            })
            .collect()
    }

    /// Turns for ever; returns only when the process must end.
    pub(crate) async fn run(self: Rc<Self>) -> Halted {
        loop {
            if let Err(halted) = self.turn() {
                return halted;
            }
            let deadline = self.state.borrow_mut().backend.log_deadline();
            until_due(&self.due, deadline, self.clock.now()).await;
        }
    }

    /// Has a turn follow whenever the log has something to tell.
    pub(crate) async fn watch_log(self: Rc<Self>) {
        loop {
            let ready = self.state.borrow_mut().backend.log_ready();
            ready.await;
            self.due.raise();
        }
    }

    /// Has a turn follow whenever a client executor has something to ask.
    pub(crate) async fn watch_office(self: Rc<Self>) {
        loop {
            self.exchange.office.bell.heard().await;
            self.due.raise();
        }
    }

    /// As [`crate::turn::Turn`]'s, but that the replica's words go into a bulletin, and the tree is published.
    fn turn(&self) -> Result<(), Halted> {
        let state = &mut *self.state.borrow_mut();
        let (now, wall) = (self.clock.now(), self.clock.wall());
        state.turns += 1;
        state.backend.take_arrivals();
        state.backend.turn_log(now)?;
        while let Some(request) = self.exchange.office.take() {
            match request {
                Request::Asks(mut asks) => state.backend.inbox.append(&mut asks),
                Request::Inquiry(inquiry) => self.answer(state, &inquiry),
                Request::Slow(requests) => {
                    state.slow.add(Clocks { now, wall }, requests, |request| state.backend.stages_of(request));
                }
            }
        }
        let copy = state.publisher.written();
        let mut tree = state
            .publisher
            .write()
            .map_err(|error| Halted(format!("the two copies of the tree have diverged: {error}")))?;
        state.backend.finish_install(&mut tree, 2)?;
        state.backend.step(now, wall, &mut tree, &mut state.bulletin);
        state.backend.act(&mut tree, copy, &self.clock)?;
        let waits_for_other_copy = state.backend.continue_snapshot(&mut tree, copy, &self.clock);
        if state.backend.continue_sending(&mut tree, copy) {
            self.due.raise();
        }
        drop(tree);
        state.backend.turn_log(now)?;
        if !state.bulletin.is_empty() {
            self.hand_out(state);
            state.backend.replied(&self.clock);
        } else if waits_for_other_copy {
            state.publisher.publish(&FrameBuf::new());
            self.due.raise();
        }
        if state.backend.is_due() {
            self.due.raise();
        }
        Ok(())
    }

    /// Does the errand, and tells what the replica's executor knows.
    fn answer(&self, state: &mut State, inquiry: &Inquiry) {
        match inquiry.errand {
            Some(Errand::Reset(Reset::Server)) => self.words.reset_measures(&mut state.backend),
            Some(Errand::TakeSnapshot) => state.backend.want_snapshot(),
            Some(Errand::Reset(Reset::Connections)) | None => {}
        }
        let tree = self.published.read();
        let mut facts = self.words.of_replica(&state.backend, &tree, inquiry.needs, self.clock.readings());
        if inquiry.needs.metrics {
            facts.slow = state.slow.entries();
            facts.measures.executors.push(ExecutorLoad::here("replica", state.turns));
        }
        inquiry.contribute([Part::Replica(Box::new(facts))]);
    }

    /// The bulletin first, then the tree, then the bells.
    fn hand_out(&self, state: &mut State) {
        let bulletin = Arc::new(std::mem::take(&mut state.bulletin));
        for post in &*self.exchange.posts {
            post.add(Letter::Bulletin(Arc::clone(&bulletin)));
        }
        state.publisher.publish(bulletin.frames());
        for post in &*self.exchange.posts {
            post.bell.ring();
        }
    }

    /// Every few milliseconds: time passes for sessions and the log.
    pub(crate) fn tick(&self) {
        let inputs = &mut self.state.borrow_mut().backend.inputs;
        inputs.push(Input::Tick);
        inputs.extend(self.live.memory_changed().map(Input::MemoryShort));
        self.due.raise();
    }

    /// What is raised for a turn to follow.
    pub(crate) fn due(&self) -> Rc<Signal> {
        Rc::clone(&self.due)
    }

    /// The replica talks to these from now on.
    pub(crate) fn link(&self, peers: Peers) {
        self.state.borrow_mut().backend.link(Box::new(peers));
    }

    /// The server is about to stop: somebody else should lead.
    pub(crate) fn begin_stop(&self) {
        self.state.borrow_mut().backend.inputs.push(Input::Leave);
        self.due.raise();
    }

    /// Whether requests are taken.
    pub(crate) fn is_serving(&self) -> bool {
        self.state.borrow().backend.replica.status(&self.published.read()).serving
    }

    /// Whether no client executor serves any more, and nothing is undecided.
    pub(crate) fn has_stopped(&self) -> bool {
        self.exchange.serving.load(Ordering::Acquire) == 0 && self.state.borrow().backend.replica.is_idle()
    }

    /// After the last turn: the log, to be closed.
    pub(crate) fn take_log(&self) -> Option<Log> {
        self.state.borrow_mut().backend.take_log()
    }
}
