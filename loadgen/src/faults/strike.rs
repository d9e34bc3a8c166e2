//! One fault from its beginning to its end, in a thread of its own beside a load.

use super::args::{FaultArgs, Target};
use super::errand::Errand;
use super::fault::{Fault, Method};
use super::servers::Server;
use super::words;
use crate::engine::{Clock, Nanos, Stop};
use crate::random::Random;
use anyhow::{Context, Result};
use std::time::Duration;

/// How often an interrupt is looked for.
const GLANCE: Duration = Duration::from_millis(5);

/// What was done.
#[derive(Debug)]
pub struct Deed {
    /// The server.
    pub target: usize,
    /// Whether it led.
    pub led: bool,
    /// The fault was set off.
    pub at: Nanos,
    /// The server served again.
    pub back: Nanos,
}

/// Who strikes, and how.
#[derive(Clone, Debug)]
pub struct Striking {
    servers: Vec<Server>,
    method: Method,
    target: Target,
    downtime: Duration,
    clock: Clock,
    stop: Stop,
}

impl Striking {
    /// By the user's choice. `stop` ends it early: the fault is undone.
    pub fn new(servers: &[Server], args: &FaultArgs, clock: Clock, stop: &Stop) -> Striking {
        let (method, target, downtime) = (args.method(), args.target, args.downtime);
        Striking { servers: servers.to_vec(), method, target, downtime, clock, stop: stop.clone() }
    }

    /// Whether it can be done at all: that is told before anything is begun.
    ///
    /// # Errors
    /// No healthy ensemble; a server whose process cannot be found or started again.
    pub fn rehearse(&self, patience: Duration) -> Result<()> {
        words::await_leader(&self.servers, patience, &self.stop)?;
        for server in &self.servers {
            self.method.aim(server)?;
        }
        Ok(())
    }

    /// Waits for a healthy ensemble, and prepares the fault for one of its servers.
    fn aim(&self, mut random: Random) -> Result<(Fault, usize, bool)> {
        let leader = words::await_leader(&self.servers, self.method.patience, &self.stop)?;
        let target = self.target.choose(leader, self.servers.len(), &mut random);
        Ok((self.method.aim(&self.servers[target])?, target, target == leader))
    }

    /// Begins: `told` is called with the server when the fault is set off, the outcome comes when the server serves again.
    pub fn begin(&self, random: Random, told: impl FnOnce(usize) + Send + 'static) -> Errand<Deed> {
        let striking = self.clone();
        Errand::begin(move || striking.strike(random, told))
    }

    fn strike(&self, random: Random, told: impl FnOnce(usize)) -> Result<Deed> {
        let (mut fault, target, led) = self.aim(random)?;
        told(target);
        let at = self.clock.now();
        let striking = fault.set_off()?;
        let effective = self.wait_for(&striking).context("the fault");
        let until = at + crate::engine::nanos(self.downtime);
        while self.clock.now() < until && !self.stop.is_set() && effective.is_ok() {
            std::thread::sleep(GLANCE);
        }
        // Also after a fault that failed: whatever it did is undone.
        let returning = fault.undo(self.stop.clone())?;
        if let Some(mut process) = self.wait_for(&returning)? {
            // It goes on when loadgen has ended. Until then it is waited for: one that is killed again is not to stay as a zombie.
            std::thread::spawn(move || process.wait());
        }
        effective?;
        Ok(Deed { target, led, at, back: self.clock.now() })
    }

    /// Errands have limits of their own.
    fn wait_for<T: Send + 'static>(&self, errand: &Errand<T>) -> Result<T> {
        loop {
            match errand.outcome() {
                Some(outcome) => return outcome,
                None => std::thread::sleep(GLANCE),
            }
        }
    }
}
