//! The clients and their load, with faults beside it.

use super::client::Client;
use super::history::{Ask, Entry, History};
use super::script::Script;
use crate::engine::{Arrival, Clock, Failure, Nanos, Pacer, SECOND, Stop};
use crate::faults::{Deed, Errand, Striking};
use crate::random::Random;
use crate::roaming::{Dialling, Stage};
use anyhow::{Result, bail};

/// How long answers are awaited when the load is over.
const LAST_ANSWERS: Nanos = 10 * SECOND;
/// How long sessions get to close.
const FAREWELL: Nanos = 2 * SECOND;
/// One in so many operations is the end of a session.
const LIFE: u64 = 400;

/// The clients of one purpose.
pub struct Load<'h> {
    stage: Stage,
    clock: Clock,
    dialling: Dialling,
    clients: Vec<Client>,
    history: &'h mut History,
}

/// What is asked, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Operations per second.
    pub rate: f64,
    /// For each client, at most.
    pub depth: usize,
    /// The load.
    pub duration: Nanos,
    /// From the return of a server to the next fault.
    pub fault_every: Nanos,
    /// Seed of what is random here.
    pub seed: u64,
}

impl<'h> Load<'h> {
    /// Nobody is connected yet.
    ///
    /// # Errors
    /// Those of epoll and of the timer.
    pub fn new(dialling: &Dialling, clients: Vec<Client>, clock: Clock, history: &'h mut History) -> Result<Load<'h>> {
        Ok(Load { stage: Stage::new(clock)?, clock, dialling: dialling.clone(), clients, history })
    }

    fn pass(&mut self, until: Nanos) -> Result<(), Failure> {
        let now = self.clock.now();
        for client in &mut self.clients {
            client.tend(&self.dialling, self.stage.registry(), now, self.history)?;
        }
        self.stage.sleep(self.clients.iter().map(|client| client.roamer.wake()).fold(until, Nanos::min))?;
        let Load { stage, clock, dialling, clients, history } = self;
        stage.attend(|number, _, scratch| match clients.iter_mut().find(|client| client.roamer.is(number)) {
            Some(client) => client.serve(dialling, scratch, *clock, history),
            None => Ok(()),
        })
    }

    /// Everything that is on the clients' lists is asked and answered.
    ///
    /// # Errors
    /// What was not answered in time, and why.
    pub fn work_off(&mut self, patience: Nanos, stop: &Stop) -> Result<()> {
        let deadline = self.clock.now() + patience;
        while let Some(client) = self.clients.iter().find(|client| client.unfinished() > 0) {
            if stop.is_set() {
                bail!(Failure::Interrupted);
            }
            if self.clock.now() > deadline {
                let server = self.dialling.servers[client.roamer.home()];
                bail!("{server} has not answered within {} s: {}", patience / SECOND, client.roamer.trouble());
            }
            self.pass(deadline)?;
        }
        Ok(())
    }

    /// The load, until its time is over. The faults, each with what became of it.
    ///
    /// # Errors
    /// A breach of the protocol.
    pub fn play(&mut self, plan: Plan, striking: Option<&Striking>, stop: &Stop) -> Result<Vec<Result<Deed>>> {
        let origin = self.clock.now();
        let mut pacer = Pacer::new(Arrival::Poisson, plan.rate, 0, 1, origin, Random::of_party(plan.seed, 1));
        let mut random = Random::of_party(plan.seed, 2);
        let mut pause = move |every: Nanos| every / 2 + random.below(every.max(1));
        let mut turns = Random::of_party(plan.seed, 3);
        let (mut under_way, mut deeds): (Option<Errand<Deed>>, Vec<Result<Deed>>) = (None, Vec::new());
        let mut next_fault = striking.map_or(Nanos::MAX, |_| origin + pause(plan.fault_every));
        let end = origin + plan.duration;
        loop {
            let now = self.clock.now();
            let over = now >= end || stop.is_set();
            if over && under_way.is_none() {
                return Ok(deeds);
            }
            if let Some(deed) = under_way.as_ref().and_then(Errand::outcome) {
                // A fault that failed is not tried again: the ensemble is not what it should be.
                next_fault = if deed.is_ok() { self.clock.now() + pause(plan.fault_every) } else { Nanos::MAX };
                under_way = None;
                deeds.push(deed);
            }
            if let Some(striking) = striking.filter(|_| !over && now >= next_fault && under_way.is_none()) {
                under_way = Some(striking.begin(Random::of_party(plan.seed, now), |_| ()));
            }
            while pacer.next() <= now {
                pacer.take();
                let which = turns.below(self.clients.len() as u64) as usize;
                self.hand_out(which, plan.depth, turns.below(LIFE) == 0, now);
            }
            self.pass(pacer.next().min(now + SECOND / 100))?;
        }
    }

    fn hand_out(&mut self, which: usize, depth: usize, last: bool, now: Nanos) {
        let client = &mut self.clients[which];
        if client.roamer.is_over() {
            client.roamer.begin_anew();
        } else if last {
            client.close(now);
        } else if !client.roamer.is_closing() {
            client.take(depth);
        }
    }

    /// Waits for the last answers and closes all sessions; what does not come is of unknown outcome.
    ///
    /// # Errors
    /// A breach of the protocol.
    pub fn finish(mut self) -> Result<()> {
        let deadline = self.clock.now() + LAST_ANSWERS;
        let waiting = |client: &Client| client.unfinished() > 0 && !client.roamer.is_over();
        while self.clients.iter().any(waiting) && self.clock.now() < deadline {
            self.pass(deadline)?;
        }
        let now = self.clock.now();
        self.clients.iter_mut().for_each(|client| client.close(now));
        let deadline = now + FAREWELL;
        while self.clients.iter().any(|client| client.roamer.is_closing()) && self.clock.now() < deadline {
            self.pass(deadline)?;
        }
        let now = self.clock.now();
        self.clients.iter_mut().for_each(|client| client.give_up(now, self.history));
        Ok(())
    }
}

/// Clients that follow scripts on the nodes under `root`; their numbers begin at `first`.
pub fn actors(count: usize, first: u32, servers: usize, (root, keys): (&str, usize), seed: u64) -> Vec<Client> {
    let actor = |at: usize| {
        let number = first + at as u32;
        let random = |purpose| Random::of_party(seed ^ purpose, u64::from(number));
        let script = Script::new(root, keys as u64, number, random(1));
        Client::new(number, at % servers, random(2)).with_script(script)
    };
    (0..count).map(actor).collect()
}

/// What removes everything that a history has seen under its root, the deepest first.
pub fn removal(entries: &[Entry], root: &str) -> Vec<Ask> {
    let mut paths = std::collections::BTreeSet::from([root.to_owned()]);
    for entry in entries {
        if let Entry::Op(op) = entry
            && let (Ask::Get { path, .. }, 0) = (&op.ask, op.err)
        {
            paths.insert(path.clone());
        }
    }
    paths.into_iter().rev().map(|path| Ask::Delete { path, version: -1 }).collect()
}
