//! The turn: one pass over everything that is ready. Harvest, step, act, write.
//!
//! Here one executor owns all three: connections, replica and tree (`client.cores=0`). The core decides; this is the
//! list of what the driver owes it, in order. Batching falls out: what arrives while a turn runs is the next one.

mod service;
mod snapshots;
mod words;

use crate::executor::clock::Clock;
use crate::storage;
use ringkeeper_core::exchange::Inbox;
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::ids::Instant;
use ringkeeper_core::replica::{Effect, Input, Replica};
use ringkeeper_core::tree::Tree;
use ringkeeper_net::{Signal, Sockets};
use ringkeeper_txnlog::{Log, LogEvent};
use snapshots::Progress;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

pub(crate) use words::Words;

/// What one executor owns, and the turn over it.
pub(crate) struct Turn {
    core: RefCell<Core>,
    clock: Clock,
    /// Something arrived: a turn is due.
    due: Signal,
    sockets: OnceCell<Rc<Sockets>>,
    words: Words,
    /// No more requests are taken: the server is about to stop.
    stopping: Cell<bool>,
}

/// The pure machines, and what is on its way between them and the disk.
struct Core {
    frontend: Frontend,
    replica: Replica,
    tree: Tree,
    /// There until it is closed, after the last turn.
    log: Option<Log>,
    snapshot: Option<Progress>,
    inbox: Inbox,
    inputs: Vec<Input>,
    effects: Vec<Effect>,
    events: Vec<LogEvent>,
}

/// The log has failed, or an invariant is broken: the process must end, at once.
#[derive(Debug)]
pub(crate) struct Halted(pub(crate) String);

impl Turn {
    /// Over a replica that has not been started.
    pub(crate) fn new(
        frontend: FrontendConfig,
        mut replica: Replica,
        tree: Tree,
        log: Log,
        words: Words,
        clock: Clock,
    ) -> Turn {
        let mut effects = Vec::new();
        replica.start(&mut effects);
        let core = Core {
            frontend: Frontend::new(frontend),
            replica,
            tree,
            log: Some(log),
            snapshot: None,
            inbox: Inbox::new(),
            inputs: Vec::new(),
            effects,
            events: Vec::new(),
        };
        Turn {
            core: RefCell::new(core),
            clock,
            due: Signal::default(),
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
            let ready = self.core.borrow_mut().log().ready();
            ready.await;
            self.due.raise();
        }
    }

    /// The driver's duties, in order. The log's writes begin before replies are sent, so that both go on at once; a
    /// reply exists only once the core has released it.
    fn turn(&self, sockets: &Sockets) -> Result<(), Halted> {
        let core = &mut *self.core.borrow_mut();
        let (now, wall) = (self.clock.now(), self.clock.wall());
        core.turn_log(now)?;
        core.frontend.take_asks(&mut core.inbox);
        core.replica.step(
            now,
            wall,
            &mut core.tree,
            &mut core.inbox,
            &mut core.inputs,
            &mut core.frontend,
            &mut core.effects,
        );
        core.act(self.clock)?;
        core.turn_log(now)?;
        core.write_replies(sockets);
        sockets.resume(|conn| self.accepts(&core.frontend, conn));
        core.continue_snapshot();
        if core.frontend.has_asks() || !core.inputs.is_empty() {
            self.due.raise();
        }
        Ok(())
    }

    /// Every few milliseconds: time passes for sessions, connections and the log.
    pub(crate) fn tick(&self, sockets: &Sockets) {
        let core = &mut *self.core.borrow_mut();
        core.frontend.tick(self.clock.now());
        core.inputs.push(Input::Tick);
        sockets.tick(std::time::Instant::now());
        self.due.raise();
    }

    /// Takes no more requests, so that what is in flight ends.
    pub(crate) fn begin_stop(&self, sockets: &Sockets) {
        self.stopping.set(true);
        sockets.stop_accepting();
    }

    /// Whether everything in flight has ended: nothing undecided, nothing unsent.
    pub(crate) fn has_stopped(&self, sockets: &Sockets) -> bool {
        self.stopping.get() && self.core.borrow().replica.is_idle() && sockets.is_drained()
    }

    /// After the last turn: the log, to be closed.
    pub(crate) fn take_log(&self) -> Option<Log> {
        self.core.borrow_mut().log.take()
    }
}

impl Core {
    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("turns end before the log is closed")
    }

    /// Takes what the log has to tell, and has it start what is due.
    fn turn_log(&mut self, now: Instant) -> Result<(), Halted> {
        let mut events = std::mem::take(&mut self.events);
        self.log().turn(now, &mut events);
        for event in events.drain(..) {
            match &event {
                LogEvent::SnapshotDone { .. } => self.snapshot_ended(None),
                LogEvent::SnapshotFailed { reason, .. } => self.snapshot_ended(Some(reason)),
                _ => {}
            }
            self.inputs.push(storage::input(event).map_err(Halted)?);
        }
        self.events = events;
        Ok(())
    }

    fn act(&mut self, clock: Clock) -> Result<(), Halted> {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Append(batch) => self.log().append(batch),
                Effect::SaveEpochs(epochs) => self.log().save_epochs(storage::stored(epochs)),
                Effect::TakeSnapshot => self.begin_snapshot(clock),
                Effect::Halt(reason) => return Err(Halted(reason)),
            }
        }
        self.effects = effects;
        Ok(())
    }

    fn write_replies(&mut self, sockets: &Sockets) {
        while let Some(output) = self.frontend.next_output() {
            let conn = output.conn;
            let unsent = sockets.send(conn, output.bytes, output.close);
            if unsent > 0 {
                self.frontend.unsent(conn, unsent);
            }
        }
    }
}
