//! The turn: one pass over everything that is ready. Harvest, step, act, write.
//!
//! Here one executor owns all three: connections, replica and tree (`client.cores=0`). The core decides; this is the
//! list of what the driver owes it, in order. Batching falls out: what arrives while a turn runs is the next one.

mod backend;
mod peers;
mod service;
mod snapshots;
mod transfer;
mod words;

use crate::executor::clock::Clock;
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::replica::{Input, Replica};
use ringkeeper_core::tree::Tree;
use ringkeeper_net::{Signal, Sockets};
use ringkeeper_txnlog::Log;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

pub(crate) use backend::Backend;
pub(crate) use peers::Peers;
pub(crate) use words::{ClientFacts, Words};

/// There is one copy of the tree.
const ONLY_COPY: usize = 0;

/// What one executor owns, and the turn over it.
pub(crate) struct Turn {
    core: RefCell<Core>,
    clock: Clock,
    /// Something arrived: a turn is due.
    due: Rc<Signal>,
    sockets: OnceCell<Rc<Sockets>>,
    words: Arc<Words>,
    /// No more requests are taken: the server is about to stop.
    stopping: Cell<bool>,
}

/// The pure machines, and what is on its way between them and the disk.
struct Core {
    frontend: Frontend,
    tree: Tree,
    backend: Backend,
}

/// The log has failed, or an invariant is broken: the process must end, at once.
#[derive(Debug)]
pub(crate) struct Halted(pub(crate) String);

impl Turn {
    /// Over a replica that has not been started.
    pub(crate) fn new(
        frontend: FrontendConfig,
        replica: Replica,
        tree: Tree,
        log: Log,
        words: Arc<Words>,
        clock: Clock,
    ) -> Turn {
        let core = Core { frontend: Frontend::new(frontend), tree, backend: Backend::new(replica, log) };
        Turn {
            core: RefCell::new(core),
            clock,
            due: Rc::default(),
            sockets: OnceCell::new(),
            words,
            stopping: Cell::new(false),
        }
    }

    /// Turns for ever; returns only when the process must end.
    pub(crate) async fn run(self: Rc<Self>, sockets: Rc<Sockets>) -> Halted {
        assert!(self.sockets.set(Rc::clone(&sockets)).is_ok(), "turns are run once");
        loop {
            if let Err(halted) = self.turn(&sockets) {
                return halted;
            }
            self.due.wait().await;
        }
    }

    /// Has a turn follow whenever the log has something to tell. A task of its own, so that the turn is queued behind
    /// the sockets that became ready at the same time.
    pub(crate) async fn watch_log(self: Rc<Self>) {
        loop {
            let ready = self.core.borrow_mut().backend.log_ready();
            ready.await;
            self.due.raise();
        }
    }

    /// The driver's duties, in order. The log's writes begin before replies are sent, so that both go on at once; a
    /// reply exists only once the core has released it.
    fn turn(&self, sockets: &Sockets) -> Result<(), Halted> {
        let core = &mut *self.core.borrow_mut();
        let Core { frontend, tree, backend } = core;
        let (now, wall) = (self.clock.now(), self.clock.wall());
        frontend.begin_turn(now);
        backend.take_arrivals();
        backend.turn_log(now)?;
        backend.finish_install(tree, 1)?;
        frontend.take_asks(&mut backend.inbox);
        backend.step(now, wall, tree, frontend);
        backend.act(tree, ONLY_COPY, self.clock)?;
        backend.turn_log(now)?;
        write_replies(frontend, sockets);
        sockets.resume(|conn| self.accepts(frontend, conn));
        backend.continue_snapshot(tree, ONLY_COPY);
        if backend.continue_sending(tree, ONLY_COPY) {
            self.due.raise();
        }
        if frontend.has_asks() || backend.is_due() {
            self.due.raise();
        }
        Ok(())
    }

    /// Every few milliseconds: time passes for sessions, connections and the log.
    pub(crate) fn tick(&self, sockets: &Sockets) {
        let core = &mut *self.core.borrow_mut();
        core.frontend.tick(self.clock.now());
        core.backend.inputs.push(Input::Tick);
        sockets.tick(std::time::Instant::now());
        self.due.raise();
    }

    /// What is raised for a turn to follow.
    pub(crate) fn due(&self) -> Rc<Signal> {
        Rc::clone(&self.due)
    }

    /// The replica talks to these from now on.
    pub(crate) fn link(&self, peers: Peers) {
        self.core.borrow_mut().backend.link(peers);
    }

    /// Whether requests are taken.
    pub(crate) fn is_serving(&self) -> bool {
        let core = self.core.borrow();
        core.backend.replica.status(&core.tree).serving
    }

    /// Takes no more requests, so that what is in flight ends.
    pub(crate) fn begin_stop(&self, sockets: &Sockets) {
        self.stopping.set(true);
        sockets.stop_accepting();
        self.core.borrow_mut().backend.inputs.push(Input::Leave);
        self.due.raise();
    }

    /// Whether everything in flight has ended: nothing undecided, nothing unsent.
    pub(crate) fn has_stopped(&self, sockets: &Sockets) -> bool {
        self.stopping.get() && self.core.borrow().backend.replica.is_idle() && sockets.is_drained()
    }

    /// After the last turn: the log, to be closed.
    pub(crate) fn take_log(&self) -> Option<Log> {
        self.core.borrow_mut().backend.take_log()
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
