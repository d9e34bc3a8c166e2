//! The turn: one pass over everything that is ready. Harvest, step, act, write.
//!
//! Here one executor owns all three: connections, replica and tree (`client.cores=0`).

mod peers;
mod service;
mod words;

use crate::executor::clock::Clock;
use crate::executor::until_due;
use crate::live::{Complaints, Follower};
use crate::metrics::SlowLog;
use crate::spread::Exchange;
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::replica::{Input, Replica};
use ringkeeper_core::tree::Tree;
use ringkeeper_net::{Signal, Sockets};
use ringkeeper_node::{Clock as _, Halted, Node};
use ringkeeper_txnlog::Log;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

pub(crate) use peers::Peers;
pub(crate) use words::{ClientFacts, Words};

/// What one executor owns, and the turn over it.
pub(crate) struct Turn {
    node: RefCell<Node>,
    clock: Clock,
    /// Something arrived: a turn is due.
    due: Rc<Signal>,
    sockets: OnceCell<Rc<Sockets>>,
    words: Arc<Words>,
    live: Follower,
    complaints: Complaints,
    /// No more requests are taken: the server is about to stop.
    stopping: Cell<bool>,
    exchange: Exchange,
    slow: RefCell<SlowLog>,
    turns: Cell<u64>,
}

impl Turn {
    /// Over a replica that has not been started.
    pub(crate) fn new(
        frontend: FrontendConfig,
        replica: Replica,
        tree: Tree,
        log: Log,
        words: Arc<Words>,
        clock: Clock,
        exchange: Exchange,
    ) -> Turn {
        Turn {
            node: RefCell::new(Node::new(frontend, replica, tree, log)),
            clock,
            due: Rc::default(),
            sockets: OnceCell::new(),
            live: Follower::new(Arc::clone(&words.live)),
            complaints: Complaints::default(),
            words,
            stopping: Cell::new(false),
            exchange,
            slow: RefCell::default(),
            turns: Cell::new(0),
        }
    }

    /// Turns for ever; returns only when the process must end.
    pub(crate) async fn run(self: Rc<Self>, sockets: Rc<Sockets>) -> Halted {
        assert!(self.sockets.set(Rc::clone(&sockets)).is_ok(), "turns are run once");
        loop {
            if let Err(halted) = self.turn(&sockets) {
                return halted;
            }
            let deadline = self.node.borrow_mut().backend.log_deadline();
            until_due(&self.due, deadline, self.clock.now()).await;
        }
    }

    /// Has a turn follow whenever the log has something to tell. A task of its own, so that the turn is queued behind
    /// the sockets that became ready at the same time.
    pub(crate) async fn watch_log(self: Rc<Self>) {
        loop {
            let ready = self.node.borrow_mut().backend.log_ready();
            ready.await;
            self.due.raise();
        }
    }

    /// Has a turn follow whenever somebody collects facts.
    pub(crate) async fn watch_office(self: Rc<Self>) {
        loop {
            self.exchange.office().bell.heard().await;
            self.answer_inquiries();
            self.due.raise();
        }
    }

    /// Replies are sent when the log's writes have begun.
    fn turn(&self, sockets: &Sockets) -> Result<(), Halted> {
        self.turns.set(self.turns.get() + 1);
        let node = &mut *self.node.borrow_mut();
        node.turn(&self.clock)?;
        self.note_slow(node);
        write_replies(&mut node.frontend, sockets);
        node.backend.replied(&self.clock);
        sockets.resume(|conn| self.accepts(&node.frontend, conn));
        if node.end_turn(&self.clock) {
            self.due.raise();
        }
        Ok(())
    }

    /// Every few milliseconds: time passes for sessions, connections and the log.
    pub(crate) fn tick(&self, sockets: &Sockets) {
        let node = &mut *self.node.borrow_mut();
        node.tick(self.clock.now());
        self.take_over(node);
        let now = std::time::Instant::now();
        self.complaints.tell(now, node.frontend.limit_counts());
        sockets.tick(now);
        self.due.raise();
    }

    /// What the operator has changed.
    fn take_over(&self, node: &mut Node) {
        if let Some(current) = self.live.changed() {
            node.frontend.set_limits(current.limits.clients.clone());
        }
        if let Some(short) = self.live.memory_changed() {
            node.frontend.set_memory_short(short);
            node.backend.inputs.push(Input::MemoryShort(short));
        }
    }

    /// What is raised for a turn to follow.
    pub(crate) fn due(&self) -> Rc<Signal> {
        Rc::clone(&self.due)
    }

    /// The replica talks to these from now on.
    pub(crate) fn link(&self, peers: Peers) {
        self.node.borrow_mut().backend.link(Box::new(peers));
    }

    /// Whether requests are taken.
    pub(crate) fn is_serving(&self) -> bool {
        let node = self.node.borrow();
        node.backend.replica.status(&node.tree).serving
    }

    /// Takes no more requests, so that what is in flight ends.
    pub(crate) fn begin_stop(&self, sockets: &Sockets) {
        self.stopping.set(true);
        sockets.stop_accepting();
        self.node.borrow_mut().backend.inputs.push(Input::Leave);
        self.due.raise();
    }

    /// Whether everything in flight has ended: nothing undecided, nothing unsent.
    pub(crate) fn has_stopped(&self, sockets: &Sockets) -> bool {
        self.stopping.get() && self.node.borrow().backend.replica.is_idle() && sockets.is_drained()
    }

    /// After the last turn: the log, to be closed.
    pub(crate) fn take_log(&self) -> Option<Log> {
        self.node.borrow_mut().backend.take_log()
    }
}

/// Gives the sockets what the frontend has for them.
pub(crate) fn write_replies(frontend: &mut Frontend, sockets: &Sockets) {
    while let Some(output) = frontend.next_output() {
        let conn = output.conn;
        let unsent = sockets.send(conn, output.bytes, output.close);
        if unsent > 0 {
            frontend.unsent(conn, unsent);
        }
    }
}
