//! What a seed stands for: the ensemble, its limits, and the faults with their times. All of it is drawn before anything
//! runs and is plain data, so that a fault can be taken out without moving the others.

mod fault;
mod limits;
mod permanent;

pub use fault::{Fault, Planned, Who};
pub use limits::Limits;
pub use permanent::Permanent;

use crate::time::{MS, Time};
use ringkeeper_core::zab::Defects;
use ringkeeper_txnlog::sim::Rng;
use std::fmt;

/// What is asked of an ensemble.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Nothing wrong happens while faults go on; when all of them have ended, everybody agrees again.
    Safety,
    /// A quorum is left in peace while the other faults stay for good: it must come to work, and go on.
    Liveness,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed that this was drawn from; what happens by chance at run time is drawn from it, too.
    pub seed: u64,
    /// What is asked.
    pub mode: Mode,
    /// Voters, observers, sizes, periods.
    pub limits: Limits,
    /// Faults, by time.
    pub faults: Vec<Planned>,
    /// What stays wrong for good once the faults have ended.
    pub permanent: Vec<Permanent>,
    /// From then on there are no new faults.
    pub calm: Time,
    /// Clients.
    pub clients: usize,
    /// A deliberate defect of the servers.
    pub defects: Defects,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64, mode: Mode) -> Plan {
        let mut rng = Rng::new(seed ^ 0x91A4);
        let limits = Limits::draw(&mut rng).with_read_only(seed);
        let calm = (400 + rng.below(1_800)) * MS;
        let faults = fault::draw(&mut rng, calm, limits.servers());
        let permanent = match mode {
            Mode::Safety => Vec::new(),
            Mode::Liveness => permanent::draw(&mut rng, limits.voters),
        };
        let clients = 2 + rng.below(4) as usize;
        Plan { seed, mode, limits, faults, permanent, calm, clients, defects: Defects::default() }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} ({:?}), {} clients, calm from {} ms", self.seed, self.mode, self.clients, self.calm / MS)?;
        writeln!(f, "{:?}", self.limits)?;
        for (index, planned) in self.faults.iter().enumerate() {
            writeln!(f, "  [{index}] at {:>6} ms: {:?}", planned.at / MS, planned.fault)?;
        }
        for permanent in &self.permanent {
            writeln!(f, "  for good: {permanent:?}")?;
        }
        Ok(())
    }
}
