//! Sessions that ask nothing, and the event loop that keeps them.

use crate::engine::{Arrived, Clock, Connection, Failure, Nanos, SECOND, Stop};
use crate::live::Progress;
use crate::random::Random;
use crate::roaming::{Dialling, Roamer, Stage, Traveller};
use anyhow::{Result, bail};

/// Handshakes under way at a time while sessions are opened: fewer than the shortest usual listen backlog (ZooKeeper's 50).
const HANDSHAKES: usize = 32;
/// So many attempts of one session, one after the other, fail before opening is given up.
const ATTEMPTS: usize = 5;

/// One session.
#[derive(Default)]
pub struct Sleeper {
    lost_at: Option<Nanos>,
    /// From the loss of each connection to the next one.
    pub gaps: Vec<Nanos>,
    /// Of each ping, until its answer.
    pub pings: Vec<Nanos>,
    /// Connections lost.
    pub lost: u64,
    /// Sessions that were over when it came back.
    pub expired: u64,
}

impl Traveller for Sleeper {
    fn established(&mut self, _: &mut Connection, now: Nanos) {
        self.gaps.extend(self.lost_at.take().map(|lost| now - lost));
    }

    fn ask(&mut self, _: &mut Connection, _: Nanos) {}

    fn heed(&mut self, connection: &mut Connection, arrived: Arrived<'_>, _: Nanos) -> Result<(), Failure> {
        match arrived {
            Arrived::Reply { .. } | Arrived::Event { .. } => Err(connection.breach("answer to nothing".into())),
            _ => Ok(()),
        }
    }

    fn pinged(&mut self, took: Nanos) {
        self.pings.push(took);
    }

    fn lost(&mut self, _: &Connection, _: &Failure, now: Nanos) {
        self.lost += 1;
        self.lost_at = Some(now);
    }

    fn expired(&mut self, _: Nanos) {
        self.expired += 1;
    }
}

/// All sessions.
pub struct Dormitory {
    stage: Stage,
    clock: Clock,
    dialling: Dialling,
    beds: Vec<(Roamer, Sleeper)>,
    /// Attempts to connect that failed.
    pub failed_attempts: u64,
}

impl Dormitory {
    /// So many sessions, spread over the servers in turn. They connect as time passes.
    ///
    /// # Errors
    /// Those of epoll and of the timer.
    pub fn new(sessions: usize, dialling: Dialling, clock: Clock) -> Result<Dormitory, Failure> {
        let servers = dialling.servers.len();
        let bed = |at: usize| (Roamer::new(at, at % servers, Random::of_party(1, at as u64)), Sleeper::default());
        let beds = (0..sessions).map(bed).collect();
        Ok(Dormitory { stage: Stage::new(clock)?, clock, dialling, beds, failed_attempts: 0 })
    }

    /// The sessions.
    pub fn sleepers(&self) -> impl Iterator<Item = &Sleeper> {
        self.beds.iter().map(|(_, sleeper)| sleeper)
    }

    /// The time.
    pub fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// Whether every session is connected.
    pub fn all_there(&self) -> bool {
        self.beds.iter().all(|(roamer, _)| roamer.is_connected())
    }

    /// From now on sessions go to other servers when they lose their own.
    pub fn may_leave(&mut self) {
        self.beds.iter_mut().for_each(|(roamer, _)| roamer.may_leave());
    }

    /// Does what is due, and waits a moment for something to happen. At most so many handshakes go on at a time.
    ///
    /// # Errors
    /// A breach of the protocol, and what this machine does not give.
    pub fn pass(&mut self, at_a_time: usize) -> Result<(), Failure> {
        let now = self.clock.now();
        let Dormitory { stage, clock, dialling, beds, failed_attempts } = self;
        let mut dialling_now = beds.iter().filter(|(roamer, _)| roamer.is_dialling()).count();
        for (roamer, sleeper) in beds.iter_mut() {
            if !roamer.is_connected() && !roamer.is_dialling() && roamer.wake() <= now {
                if dialling_now >= at_a_time {
                    continue;
                }
                dialling_now += 1;
                *failed_attempts += u64::from(roamer.attempts() > 1);
            }
            roamer.tend(dialling, stage.registry(), now, sleeper)?;
        }
        stage.sleep(now + SECOND / 100)?;
        stage.attend(|at, _, scratch| {
            let (roamer, sleeper) = &mut beds[at];
            roamer.serve(dialling, scratch, *clock, sleeper)
        })
    }

    /// Opens all sessions.
    ///
    /// # Errors
    /// If servers give no session, or not in time; an interrupt.
    pub fn open(&mut self, patience: Nanos, stop: &Stop, quiet: bool) -> Result<()> {
        let (mut progress, mut shown) = (Progress::new("opening sessions", self.beds.len() as u64, quiet), 0);
        let deadline = self.clock.now() + patience;
        while !self.all_there() {
            self.check_time(deadline, patience, stop)?;
            if let Some((roamer, _)) = self.beds.iter().find(|(roamer, _)| roamer.attempts() >= ATTEMPTS) {
                let open = self.beds.iter().filter(|(roamer, _)| roamer.is_connected()).count();
                bail!(
                    "{open} of {} sessions are open, the next failed {ATTEMPTS} times: {}",
                    self.beds.len(),
                    roamer.trouble()
                );
            }
            self.pass(HANDSHAKES)?;
            let open = self.beds.iter().filter(|(roamer, _)| roamer.is_connected()).count() as u64;
            progress.advance(open.saturating_sub(shown));
            shown = shown.max(open);
        }
        progress.finish();
        Ok(())
    }

    /// Waits until every session is connected.
    ///
    /// # Errors
    /// If they are not in time; an interrupt.
    pub fn await_all(&mut self, patience: Nanos, stop: &Stop) -> Result<()> {
        let deadline = self.clock.now() + patience;
        while !self.all_there() {
            self.check_time(deadline, patience, stop)?;
            self.pass(usize::MAX)?;
        }
        Ok(())
    }

    fn check_time(&self, deadline: Nanos, patience: Nanos, stop: &Stop) -> Result<()> {
        if stop.is_set() {
            bail!(Failure::Interrupted);
        }
        if self.clock.now() > deadline {
            let missing: Vec<&Roamer> = self.beds.iter().map(|(r, _)| r).filter(|r| !r.is_connected()).collect();
            let why = missing.first().map_or("", |roamer| roamer.trouble());
            bail!("{} sessions are not connected after {} s: {why}", missing.len(), patience / SECOND);
        }
        Ok(())
    }

    /// Holds all sessions for so long.
    ///
    /// # Errors
    /// If no server has any of them any more; a breach of the protocol.
    pub fn hold(&mut self, time: Nanos, stop: &Stop) -> Result<()> {
        let until = self.clock.now() + time;
        while self.clock.now() < until && !stop.is_set() {
            self.pass(usize::MAX)?;
            let given_up = |roamer: &Roamer| !roamer.is_connected() && roamer.attempts() >= ATTEMPTS;
            if self.beds.iter().all(|(roamer, _)| given_up(roamer)) {
                bail!("no session is connected any more: {}", self.beds[0].0.trouble());
            }
        }
        Ok(())
    }

    /// Closes all sessions. Servers that do not answer within a second are left alone.
    pub fn close(mut self) {
        for (roamer, _) in &mut self.beds {
            roamer.say_goodbye();
        }
        let deadline = self.clock.now() + SECOND;
        while self.beds.iter().any(|(roamer, _)| roamer.is_closing()) && self.clock.now() < deadline {
            // Whatever a server does to a session that is being given up is of no interest.
            let _ = self.pass(0);
        }
    }
}
