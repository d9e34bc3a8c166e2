//! All clients and their event loop, in one thread that sleeps most of the time.

use super::client::{Books, Client, Due};
use super::ledger::Ledger;
use super::tape::Tape;
use crate::engine::{Arrival, Clock, Failure, Nanos, Pacer, SECOND};
use crate::op::OpKind;
use crate::random::Random;
use crate::roaming::{Dialling, Stage};

/// How long sessions get to close.
const FAREWELL: Nanos = SECOND;

/// What is asked, whatever the servers do.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Writes per second, all clients together.
    pub writes: f64,
    /// Reads per second, all clients together.
    pub reads: f64,
}

/// The schedule of a round: equal distances, the clients in turn. (Random arrivals would be gaps of their own.)
#[derive(Debug)]
struct Schedule {
    kind: OpKind,
    pacer: Pacer,
    turn_of: usize,
}

impl Schedule {
    fn new(kind: OpKind, rate: f64, origin: Nanos) -> Option<Schedule> {
        let pacer = || Pacer::new(Arrival::Fixed, rate, 0, 1, origin, Random::new(0));
        (rate > 0.0).then(|| Schedule { kind, pacer: pacer(), turn_of: 0 })
    }
}

/// The clients.
#[derive(Debug)]
pub struct Fleet {
    stage: Stage,
    clock: Clock,
    dialling: Dialling,
    clients: Vec<Client>,
    schedules: Vec<Schedule>,
    ledger: Ledger,
    tape: Tape,
}

impl Fleet {
    /// `per_server` clients for each server. They connect as time passes; `seed` decides where they go when they lose it.
    ///
    /// # Errors
    /// Those of epoll and of the timer.
    pub fn new(
        dialling: Dialling,
        per_server: usize,
        ledger: Ledger,
        clock: Clock,
        seed: u64,
    ) -> Result<Fleet, Failure> {
        let stage = Stage::new(clock)?;
        let servers = dialling.servers.len();
        let random = |number| Random::of_party(seed, number as u64);
        let client = |number| Client::new(number, number % servers, random(number));
        let clients = (0..servers * per_server).map(client).collect();
        Ok(Fleet { stage, clock, dialling, clients, schedules: Vec::new(), ledger, tape: Tape::default() })
    }

    /// The time.
    pub fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// The clients.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// The load begins at `origin`.
    pub fn begin_load(&mut self, rates: Rates, origin: Nanos) {
        let between = |rate: f64| if rate > 0.0 { (SECOND as f64 / rate / 2.0) as Nanos } else { 0 };
        let writes = Schedule::new(OpKind::Create, rates.writes, origin);
        let reads = Schedule::new(OpKind::Get, rates.reads, origin + between(rates.reads));
        self.schedules = writes.into_iter().chain(reads).collect();
    }

    /// Nothing more is asked.
    pub fn end_load(&mut self) {
        self.schedules.clear();
    }

    /// What the clients saw since this was last called.
    pub fn take_tape(&mut self) -> Tape {
        std::mem::take(&mut self.tape)
    }

    /// All clients go to their own servers.
    pub fn go_home(&mut self) {
        self.clients.iter_mut().for_each(|client| client.roamer.go_home());
    }

    /// From now on clients go to other servers when they lose their own.
    pub fn may_leave(&mut self) {
        self.clients.iter_mut().for_each(|client| client.roamer.may_leave());
    }

    /// Gives up what is unanswered.
    pub fn give_up(&mut self) {
        let mut books = Books { ledger: &mut self.ledger, tape: &mut self.tape };
        let now = self.clock.now();
        self.clients.iter_mut().for_each(|client| client.give_up(now, &mut books));
    }

    /// Sends what is due, waits for something to happen, at most until `until`, and attends to it.
    ///
    /// # Errors
    /// A breach of the protocol, and what this machine does not give.
    pub fn pass(&mut self, until: Nanos) -> Result<(), Failure> {
        let now = self.clock.now();
        self.hand_out(now);
        let mut books = Books { ledger: &mut self.ledger, tape: &mut self.tape };
        for client in &mut self.clients {
            client.tend(&self.dialling, self.stage.registry(), now, &mut books)?;
        }
        self.sleep(until)?;
        self.attend()
    }

    /// Gives operations that are due to their clients, connected or not.
    fn hand_out(&mut self, now: Nanos) {
        for schedule in &mut self.schedules {
            while schedule.pacer.next() <= now {
                let intended = schedule.pacer.take();
                self.tape.late = self.tape.late.max(now - intended);
                self.clients[schedule.turn_of].take(Due { kind: schedule.kind, intended });
                schedule.turn_of = (schedule.turn_of + 1) % self.clients.len();
            }
        }
    }

    fn sleep(&mut self, until: Nanos) -> Result<(), Failure> {
        let due = self.schedules.iter().map(|schedule| schedule.pacer.next());
        let wake = self.clients.iter().map(|client| client.roamer.wake()).chain(due).fold(until, Nanos::min);
        self.stage.sleep(wake)
    }

    fn attend(&mut self) -> Result<(), Failure> {
        let mut books = Books { ledger: &mut self.ledger, tape: &mut self.tape };
        self.stage
            .attend(|number, _, scratch| self.clients[number].serve(&self.dialling, scratch, self.clock, &mut books))
    }

    /// Closes all sessions. Servers that do not answer within a second are left alone.
    pub fn close(mut self) -> Ledger {
        self.end_load();
        for client in &mut self.clients {
            client.roamer.say_goodbye();
        }
        let deadline = self.clock.now() + FAREWELL;
        while self.clients.iter().any(|client| client.roamer.is_closing()) && self.clock.now() < deadline {
            // Whatever a server does to a session that is being given up is of no interest.
            let _ = self.pass(deadline);
        }
        self.ledger
    }
}
