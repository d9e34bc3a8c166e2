//! One round: load, a fault at a random moment, recovery, the server's return.

use super::client::Client;
use super::fleet::{Fleet, Rates};
use super::readings::{self, Change};
use super::tape::Tape;
use crate::engine::{Nanos, SECOND, Stop};
use crate::faults::{Errand, Fault};
use crate::random::Random;
use crate::roaming::Roamer;
use anyhow::{Context, Result, bail};
use std::process::Child;

/// From the call to the first operation.
const RUN_UP: Nanos = SECOND / 50;
/// How long answers are awaited when the load is over.
const LAST_ANSWERS: Nanos = 5 * SECOND;

/// The times of a round.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Load.
    pub rates: Rates,
    /// Load before the fault: at least this, at most twice.
    pub lead: Nanos,
    /// From the fault to the server's start, at least.
    pub downtime: Nanos,
    /// Load after the server's return.
    pub settle: Nanos,
    /// What has not come back by then will not.
    pub patience: Nanos,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The server that the fault befell.
    pub target: usize,
    /// The leader before it.
    pub leader: usize,
    /// The first operation was meant for then.
    pub began: Nanos,
    /// The fault was set off.
    pub fault: Nanos,
    /// The same by the wall clock, in microseconds since 1970.
    pub fault_us: f64,
    /// It had taken effect.
    pub effective: Nanos,
    /// It began to be undone.
    pub undone: Nanos,
    /// The server served again.
    pub returned: Option<Nanos>,
    /// The last operation was meant for then.
    pub ended: Nanos,
    /// The server of each client at the fault.
    pub placed: Vec<usize>,
    /// Clients of which no write was acknowledged after the fault.
    pub unrecovered: Vec<usize>,
    /// Connections lost since the last round, when nothing was asked.
    pub lost_between: u64,
    /// The change of leaders that followed, as far as servers tell.
    pub change: Option<Change>,
    /// What the clients saw.
    pub tape: Tape,
}

/// A round that went as far as its fault.
#[derive(Debug)]
pub struct Played {
    /// What happened.
    pub record: Record,
    /// The server's process, if it was started by us.
    pub process: Option<Child>,
    /// What went wrong.
    pub failure: Option<String>,
}

/// Plays a round.
#[derive(Debug)]
pub struct Round<'r> {
    /// The clients.
    pub fleet: &'r mut Fleet,
    /// The times.
    pub plan: Plan,
    /// Ends it early: the fault is undone, what was seen is kept.
    pub stop: &'r Stop,
}

impl Round<'_> {
    /// All clients are connected to their own servers.
    ///
    /// # Errors
    /// If one cannot be connected.
    pub fn gather(&mut self) -> Result<()> {
        self.fleet.go_home();
        let deadline = self.fleet.now() + self.plan.patience;
        let at_home = |client: &Client| client.roamer.is_connected() && client.roamer.at() == client.roamer.home();
        while !self.fleet.clients().iter().all(at_home) && !self.stop.is_set() {
            if self.fleet.now() > deadline {
                let lost = self.fleet.clients().iter().find(|client| !at_home(client));
                bail!("a client cannot connect: {}", lost.map_or("", |client| client.roamer.trouble()));
            }
            self.fleet.pass(deadline)?;
        }
        Ok(())
    }

    /// Load, the fault, recovery, the return. `None` if it was interrupted: gaps that were cut short say nothing.
    ///
    /// # Errors
    /// What kept the fault from being set off; a breach of the protocol.
    pub fn play(
        &mut self,
        mut fault: Fault,
        leader: usize,
        target: usize,
        random: &mut Random,
    ) -> Result<Option<Played>> {
        self.fleet.may_leave();
        let lost_between = self.fleet.take_tape().losses.len() as u64;
        let began = self.fleet.now() + RUN_UP;
        self.fleet.begin_load(self.plan.rates, began);
        let lead = self.plan.lead + random.below(self.plan.lead.max(1));
        self.pass_until(began + lead)?;
        if self.stop.is_set() {
            self.finish()?;
            return Ok(None);
        }
        let mut record = Record { target, leader, began, lost_between, ..Record::default() };
        record.placed = self.fleet.clients().iter().map(|client| client.roamer.at()).collect();
        (record.fault, record.fault_us) = (self.fleet.now(), readings::wall_us());
        let striking = fault.set_off()?;
        let mut failure = self.recover(&striking, &mut record).err().map(|error| format!("{error:#}"));
        let cut_short = self.stop.is_set();
        record.undone = self.fleet.now();
        let mut process = None;
        match self.bring_back(fault, &mut record) {
            Ok(child) => process = child,
            Err(error) => failure = failure.or(Some(format!("{error:#}"))),
        }
        if failure.is_none() && !self.stop.is_set() {
            self.pass_until(self.fleet.now() + self.plan.settle)?;
        }
        record.ended = self.fleet.now();
        self.finish()?;
        record.tape = self.fleet.take_tape();
        Ok((!cut_short || failure.is_some()).then_some(Played { record, process, failure }))
    }

    fn pass_until(&mut self, when: Nanos) -> Result<()> {
        while self.fleet.now() < when && !self.stop.is_set() {
            self.fleet.pass(when)?;
        }
        Ok(())
    }

    /// Waits until the fault has taken effect and every client has had a write acknowledged that it sent after that.
    fn recover(&mut self, striking: &Errand<()>, record: &mut Record) -> Result<()> {
        let deadline = record.fault + self.plan.patience;
        while record.effective == 0 {
            match striking.outcome() {
                Some(outcome) => {
                    outcome.context("the fault")?;
                    record.effective = self.fleet.now();
                }
                None if self.stop.is_set() => return Ok(()),
                None => self.fleet.pass(self.fleet.now() + GLANCE)?,
            }
        }
        let since = record.effective;
        let recovered = |client: &Client| client.acknowledged().is_some_and(|sent| sent > since);
        while !self.fleet.clients().iter().all(recovered) || self.fleet.now() < record.fault + self.plan.downtime {
            if self.stop.is_set() {
                return Ok(());
            }
            if self.fleet.now() > deadline {
                return Err(self.unrecovered(record, recovered));
            }
            self.fleet.pass(self.fleet.now() + GLANCE)?;
        }
        Ok(())
    }

    fn unrecovered(&self, record: &mut Record, recovered: impl Fn(&Client) -> bool) -> anyhow::Error {
        let clients = self.fleet.clients();
        record.unrecovered = (0..clients.len()).filter(|&at| !recovered(&clients[at])).collect();
        let (n, all, seconds) = (record.unrecovered.len(), clients.len(), self.plan.patience / SECOND);
        let first = record.unrecovered.first().map(|&at| &clients[at].roamer);
        let apart = first.filter(|roamer| !roamer.is_connected());
        let why = apart.map_or("connected, and no answer", Roamer::trouble);
        anyhow::anyhow!(
            "{n} of {all} clients had no write acknowledged within {seconds} s of the fault; the first: {why}"
        )
    }

    /// Undoes the fault and waits until the server serves, under load.
    fn bring_back(&mut self, fault: Fault, record: &mut Record) -> Result<Option<Child>> {
        let returning = fault.undo(self.stop.clone())?;
        loop {
            if let Some(outcome) = returning.outcome() {
                record.returned = outcome.is_ok().then(|| self.fleet.now());
                return outcome;
            }
            self.fleet.pass(self.fleet.now() + GLANCE)?;
        }
    }

    /// Ends the load and waits for the last answers; what does not come is of unknown outcome.
    fn finish(&mut self) -> Result<()> {
        self.fleet.end_load();
        let deadline = self.fleet.now() + LAST_ANSWERS;
        while self.fleet.clients().iter().any(|client| client.unfinished() > 0) && self.fleet.now() < deadline {
            self.fleet.pass(deadline)?;
        }
        self.fleet.give_up();
        Ok(())
    }
}

/// How often what goes on beside the load is looked at.
const GLANCE: Nanos = SECOND / 200;
