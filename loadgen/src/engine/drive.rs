//! A load: a job, a schedule, a length.

use super::connection::{Connection, InFlight, State};
use super::{Engine, Failure, Job, NAP, Nanos, Next, Pacer, SECOND, Stop, nanos};
use crate::stats::{Ended, Recorder};
use std::time::Duration;

/// How long operations of the schedule that are overdue at its end are still sent: as long as the load lasted, at most
/// this.
const OVERTIME: Nanos = 10 * SECOND;
/// Connections that one pass of an open loop writes to, if they have room. A write costs more than a request: the more are
/// written to, the longer the next arrivals and the replies wait. With one, what comes together would all go one way.
const SPREAD: u64 = 2;
/// How long an interrupted load waits for replies.
const PATIENCE: Nanos = SECOND;

/// What ends a load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// The job: when it has no more to ask.
    Job,
    /// A time; operations are sent until then.
    Until(Nanos),
    /// A number of operations meant to start at `from` or later.
    Operations {
        /// How many.
        count: u64,
        /// Those before belong to the warm-up.
        from: Nanos,
    },
}

/// A load on the sessions of an engine.
#[derive(Debug)]
pub struct Drive<'j, J> {
    /// What is asked.
    pub job: &'j mut J,
    /// When; `None` is a closed loop: the next as soon as there is room.
    pub pacer: Option<Pacer>,
    /// Until when.
    pub length: Length,
}

/// What may be sent.
struct Gate {
    depth: usize,
    length: Length,
    counted: u64,
    /// The job has no more requests, or the load was interrupted.
    dry: bool,
    /// Operations sent.
    issued: u64,
}

impl Gate {
    /// Whether an operation meant for `intended` may be sent.
    fn admits(&self, intended: Nanos) -> bool {
        !self.dry
            && match self.length {
                Length::Job => true,
                Length::Until(end) => intended < end,
                Length::Operations { count, .. } => self.counted < count,
            }
    }

    /// Sends one operation; tells whether there was one.
    fn issue<J: Job>(
        &mut self,
        connection: &mut Connection,
        index: usize,
        (intended, sent): (Nanos, Nanos),
        job: &mut J,
    ) -> bool {
        let (out, xid) = connection.request();
        let (kind, tag) = match job.next(index, out, xid) {
            Next::Ask(kind, tag) => (kind, tag),
            Next::NotNow => return false,
            Next::NoMore => {
                self.dry = true;
                return false;
            }
        };
        connection.sent(InFlight { intended, sent, tag, kind });
        self.issued += 1;
        if let Length::Operations { from, .. } = self.length
            && intended >= from
        {
            self.counted += 1;
        }
        true
    }

    /// Closed loop: fills the pipeline of a connection.
    fn fill<J: Job>(&mut self, connection: &mut Connection, index: usize, now: Nanos, job: &mut J) {
        while connection.in_flight.len() < self.depth && self.admits(now) {
            if !self.issue(connection, index, (now, now), job) {
                break;
            }
        }
    }
}

impl Engine {
    /// Puts a load on the sessions and returns when it is over and all its replies are there. Recorded intervals are
    /// complete only after [`Recorder::finish`], whatever the outcome.
    ///
    /// # Errors
    /// The first connection that fails, unless losses are tolerated; any breach of the protocol.
    pub fn drive<J: Job>(
        &mut self,
        drive: Drive<'_, J>,
        mut recorder: Option<&mut Recorder>,
    ) -> Result<Ended, Failure> {
        let Drive { job, pacer, length } = drive;
        let gate = Gate { depth: self.options.depth, length, counted: 0, dry: false, issued: 0 };
        let settled = self.tally.settled;
        // By schedule: a thread that comes late to a load has the same time for it.
        let began = pacer.as_ref().map_or_else(|| self.clock.now(), Pacer::next);
        let mut load = Load { gate, pacer, turn_of: 0, interrupted_at: None, dirty: Vec::new(), settled, began };
        if load.pacer.is_none() {
            load.start(self, job)?;
        }
        loop {
            let now = self.clock.now();
            if let Some(recorder) = &mut recorder {
                recorder.tick(now);
            }
            load.heed(&self.stop, now);
            load.issue_due(self, job)?;
            let in_flight = load.gate.issued - (self.tally.settled - load.settled);
            if let Some(ended) = load.over(now, in_flight) {
                return Ok(ended);
            }
            let timeout = load.sleep(self, now, in_flight, recorder.as_deref())?;
            let Load { gate, pacer, .. } = &mut load;
            let closed = pacer.is_none();
            self.turn(Some(timeout), job, &mut recorder, |connection, index, now, job| {
                if closed {
                    gate.fill(connection, index, now, job);
                }
                Ok(())
            })?;
            self.care()?;
        }
    }
}

/// The state of a load.
struct Load {
    gate: Gate,
    pacer: Option<Pacer>,
    /// Connection that is to take the next arrival.
    turn_of: usize,
    interrupted_at: Option<Nanos>,
    /// Connections with output to write; the same one may stand there twice.
    dirty: Vec<usize>,
    /// Operations that the engine had settled when the load began.
    settled: u64,
    began: Nanos,
}

impl Load {
    fn start<J: Job>(&mut self, engine: &mut Engine, job: &mut J) -> Result<(), Failure> {
        for index in 0..engine.connections.len() {
            let now = engine.clock.now();
            self.gate.fill(&mut engine.connections[index], index, now, job);
            flush(engine, index)?;
        }
        Ok(())
    }

    fn heed(&mut self, stop: &Stop, now: Nanos) {
        if stop.is_set() && self.interrupted_at.is_none() {
            self.interrupted_at = Some(now);
            self.gate.dry = true;
        }
    }

    /// Open loop: sends what is due, over the connections in turn, each up to its depth. A few that are due at a time go
    /// to a connection each; many, in equal groups to [`SPREAD`] of them.
    fn issue_due<J: Job>(&mut self, engine: &mut Engine, job: &mut J) -> Result<(), Failure> {
        let now = engine.clock.now();
        let given_up = self.overtime_is_over(now);
        let Some(pacer) = &mut self.pacer else { return Ok(()) };
        let count = engine.connections.len();
        let group = 1 + pacer.due(now) / SPREAD;
        let (mut full, mut together) = (0, 0);
        while full < count && !given_up && pacer.next() <= now && self.gate.admits(pacer.next()) {
            let index = self.turn_of;
            let connection = &mut engine.connections[index];
            let has_room = connection.state == State::Ready && connection.in_flight.len() < self.gate.depth;
            together += 1;
            if !has_room || together == group {
                self.turn_of = (index + 1) % count;
                together = 0;
            }
            if !has_room {
                full += 1;
                continue;
            }
            full = 0;
            self.gate.issue(connection, index, (pacer.take(), now), job);
            if self.dirty.last() != Some(&index) {
                self.dirty.push(index);
            }
        }
        for &index in &self.dirty {
            flush(engine, index)?;
        }
        self.dirty.clear();
        Ok(())
    }

    /// How the load ended, if it did.
    fn over(&self, now: Nanos, in_flight: u64) -> Option<Ended> {
        let interrupted = self.interrupted_at.is_some();
        let impatient = self.interrupted_at.is_some_and(|at| now > at + PATIENCE);
        let reached = match self.gate.length {
            Length::Job => false,
            Length::Until(end) => now >= end,
            Length::Operations { count, .. } => self.gate.counted >= count,
        };
        if !(interrupted || reached || self.gate.dry) || (in_flight > 0 && !impatient) {
            return None;
        }
        let unsent = self.unsent(now);
        if unsent > 0 && !interrupted && !self.overtime_is_over(now) {
            return None;
        }
        Some(Ended { unsent, unanswered: in_flight, interrupted })
    }

    fn overtime_is_over(&self, now: Nanos) -> bool {
        matches!(self.gate.length, Length::Until(end) if now > end + OVERTIME.min(end.saturating_sub(self.began)))
    }

    /// Operations of the schedule that are due and were not sent.
    fn unsent(&self, now: Nanos) -> u64 {
        let (Some(pacer), Length::Until(end)) = (&self.pacer, self.gate.length) else { return 0 };
        let mut pacer = pacer.clone();
        let mut overdue = 0;
        while pacer.next() < end.min(now) {
            pacer.take();
            overdue += 1;
        }
        overdue
    }

    /// How long to wait for events; sets the timer if something is to be done before long.
    fn sleep(
        &self,
        engine: &mut Engine,
        now: Nanos,
        in_flight: u64,
        recorder: Option<&Recorder>,
    ) -> Result<Duration, Failure> {
        let mut wake = recorder.map_or(Nanos::MAX, Recorder::next_cut).min(engine.next_care.max(now + 1));
        if let Length::Until(end) = self.gate.length
            && end > now
        {
            wake = wake.min(end);
        }
        if let Some(pacer) = &self.pacer {
            let room = in_flight < (self.gate.depth * engine.connections.len()) as u64;
            if room && self.gate.admits(pacer.next()) {
                wake = wake.min(pacer.next());
            }
        }
        if wake <= now {
            return Ok(Duration::ZERO);
        }
        // Far deadlines are left to a later pass: the timer costs a system call.
        if wake - now < nanos(NAP) {
            engine.timer.set(now, wake).map_err(|cause| Failure::Local { what: "timer", cause })?;
        }
        Ok(NAP)
    }
}

fn flush(engine: &mut Engine, index: usize) -> Result<(), Failure> {
    let connection = &mut engine.connections[index];
    let flushed = connection.flush();
    flushed.map_err(|cause| connection.ended(Some(cause), 0))
}
