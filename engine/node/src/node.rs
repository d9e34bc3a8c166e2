//! A server whose connections, replica and tree belong to one executor, and its turn: one pass over everything that is
//! ready. Harvest, step, act. Batching falls out: what arrives while a turn runs is the next one.

use crate::{Backend, Clock, Halted};
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::ids::Instant;
use ringkeeper_core::replica::{Input, Replica};
use ringkeeper_core::tree::Tree;
use ringkeeper_txnlog::Log;

/// There is one copy of the tree.
const ONLY_COPY: usize = 0;

/// The pure machines, and what is on its way between them and the disk.
pub struct Node {
    /// The clients' connections.
    pub frontend: Frontend,
    /// The state.
    pub tree: Tree,
    /// The replica and its log.
    pub backend: Backend,
}

impl Node {
    /// Over a replica that has not been started.
    #[must_use]
    pub fn new(frontend: FrontendConfig, replica: Replica, tree: Tree, log: Log) -> Node {
        Node { frontend: Frontend::new(frontend), tree, backend: Backend::new(replica, log) }
    }

    /// The driver's duties before replies are sent, in order. The log's writes begin here, so that both go on at once; a
    /// reply exists only once the core has released it.
    ///
    /// # Errors
    /// The process must end.
    pub fn turn(&mut self, clock: &impl Clock) -> Result<(), Halted> {
        let Node { frontend, tree, backend } = self;
        let (now, wall) = (clock.now(), clock.wall());
        frontend.begin_turn(now);
        backend.take_arrivals();
        backend.turn_log(now)?;
        backend.finish_install(tree, 1)?;
        frontend.take_asks(&mut backend.inbox);
        backend.step(now, wall, tree, frontend);
        backend.act(tree, ONLY_COPY, clock)?;
        backend.turn_log(now)
    }

    /// The duties after the replies were sent: what may take its time. Whether another turn should follow at once.
    #[must_use]
    pub fn end_turn(&mut self, clock: &impl Clock) -> bool {
        self.backend.continue_snapshot(&mut self.tree, ONLY_COPY, clock);
        let sends_on = self.backend.continue_sending(&mut self.tree, ONLY_COPY);
        sends_on || self.frontend.has_asks() || self.backend.is_due()
    }

    /// A few milliseconds have passed. A turn must follow.
    pub fn tick(&mut self, now: Instant) {
        self.frontend.tick(now);
        self.backend.inputs.push(Input::Tick);
    }
}
