//! The event loop that drives many sessions from one thread.
//!
//! One pass: wait for events; take all replies that a readable socket has, refill its pipeline, write once. In an open
//! loop the schedule ([`Pacer`]) decides when a request is sent, a kernel timer wakes the loop for it, and latency
//! counts from the scheduled time. What is asked and what the answers must look like is the [`Job`]'s matter.

mod clock;
mod connection;
mod drive;
mod failure;
mod pacer;
mod timer;

pub use crate::op::OpKind;
use crate::stats::Recorder;
pub use clock::{Clock, Nanos, SECOND, nanos};
pub use connection::{Arrived, Connection, Identity, InFlight, State};
pub use drive::{Drive, Length};
pub use failure::Failure;
use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
pub use pacer::{Arrival, Pacer};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
pub use timer::Timer;

/// Handshakes under way at a time: fewer than the shortest usual listen backlog (ZooKeeper's 50).
const HANDSHAKES: usize = 32;
/// Events taken per pass.
const EVENTS: usize = 1024;
/// Bytes read at a time.
const SCRATCH: usize = 256 << 10;
/// Longest sleep: how quickly an interrupt is noticed.
const NAP: Duration = Duration::from_millis(100);
/// How often each session is looked at for pings and silence.
const CARE: Nanos = SECOND / 4;
/// Sessions looked at together, at least: many sessions are not to be pinged at the same instant.
const CARE_SLICE: usize = 20;
/// Parts of [`CARE`], at most.
const CARE_SLICES: usize = 50;
/// How long sessions get to close.
const FAREWELL: Nanos = 2 * SECOND;
const TIMER: Token = Token(usize::MAX);

/// What an operation's answer was, in the eyes of its job.
pub type Verdict = Result<(), String>;

/// What a job did when it was asked for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It appended one of this kind; the number comes back with the answer.
    Ask(OpKind, u32),
    /// Nothing: this connection has no more to ask until it gets an answer.
    NotNow,
    /// Nothing: there is no more to ask, on any connection.
    NoMore,
}

/// Decides what is asked.
pub trait Job {
    /// Appends the next request of connection `conn` to `out` with the given xid, if there is one.
    fn next(&mut self, conn: usize, out: &mut Vec<u8>, xid: i32) -> Next;

    /// Judges a reply. An error is a breach of the protocol and ends everything; an error code is no breach.
    ///
    /// # Errors
    /// What is wrong with the reply.
    fn answered(&mut self, kind: OpKind, tag: u32, err: i32, body: &[u8]) -> Verdict;

    /// Judges the event of a watch.
    ///
    /// # Errors
    /// Unless the job leaves watches.
    fn noticed(&mut self) -> Verdict {
        Err("event of a watch that nobody left".into())
    }
}

/// A job that asks nothing: sessions are only kept alive.
#[derive(Debug)]
pub struct Nothing;

impl Job for Nothing {
    fn next(&mut self, _: usize, _: &mut Vec<u8>, _: i32) -> Next {
        Next::NoMore
    }

    fn answered(&mut self, kind: OpKind, _: u32, _: i32, _: &[u8]) -> Verdict {
        Err(format!("reply to a {} that nobody sent", kind.name()))
    }
}

/// How sessions are held.
#[derive(Clone, Debug)]
pub struct Options {
    /// Operations in flight per connection, at most.
    pub depth: usize,
    /// Session timeout to ask for.
    pub session_timeout: Nanos,
    /// Limit of a handshake.
    pub connect_timeout: Nanos,
}

/// Set from outside to end a load early.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    interrupted: Arc<AtomicBool>,
}

impl Stop {
    /// The flag itself, for a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    /// Asks all loads to end.
    pub fn now(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Whether they were asked to.
    pub fn is_set(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// One thread's sessions and their event loop.
#[derive(Debug)]
pub struct Engine {
    poll: Poll,
    events: Events,
    timer: Timer,
    clock: Clock,
    options: Options,
    stop: Stop,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
    tally: Tally,
    next_care: Nanos,
    /// Session at which the next look begins.
    care_from: usize,
}

/// What happened to the sessions of an engine since it was made.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Sessions established.
    established: usize,
    /// Operations that are in flight no more: answered, or lost with their connection.
    settled: u64,
}

impl Engine {
    /// Establishes a session with each of `servers`, which may name a server many times. `progress` is told of every
    /// session. An interrupt leaves the rest out.
    ///
    /// # Errors
    /// The first that fails.
    pub fn open(
        servers: &[SocketAddr],
        options: Options,
        clock: Clock,
        stop: Stop,
        mut progress: impl FnMut(usize),
    ) -> Result<Engine, Failure> {
        let local = |what| move |cause| Failure::Local { what, cause };
        let poll = Poll::new().map_err(local("epoll"))?;
        let timer = Timer::new(poll.registry(), TIMER).map_err(local("timer"))?;
        let mut engine = Engine {
            poll,
            events: Events::with_capacity(EVENTS),
            timer,
            clock,
            options,
            stop,
            connections: Vec::with_capacity(servers.len()),
            scratch: vec![0; SCRATCH],
            tally: Tally::default(),
            next_care: 0,
            care_from: 0,
        };
        let mut told = 0;
        while engine.tally.established < servers.len() && !engine.stop.is_set() {
            engine.begin_handshakes(servers)?;
            engine.turn(Some(NAP), &mut Nothing, &mut None, |_, _, _, _| Ok(()))?;
            engine.care()?;
            progress(engine.tally.established - told);
            told = engine.tally.established;
        }
        Ok(engine)
    }

    fn begin_handshakes(&mut self, servers: &[SocketAddr]) -> Result<(), Failure> {
        while self.connections.len() < servers.len() && self.connections.len() - self.tally.established < HANDSHAKES {
            let server = servers[self.connections.len()];
            let token = Token(self.connections.len());
            let connection = Connection::begin(server, self.options.session_timeout, self.clock.now());
            let refused = |cause| Failure::Connect { server: server.to_string(), cause };
            let mut connection = connection.map_err(refused)?;
            self.poll
                .registry()
                .register(&mut connection.stream, token, Interest::READABLE | Interest::WRITABLE)
                .map_err(|cause| Failure::Local { what: "epoll", cause })?;
            self.connections.push(connection);
        }
        Ok(())
    }

    /// Waits for events and serves them. `refill` is called for each connection whose replies were taken, with the
    /// time of the reading, before its output is written.
    fn turn<J: Job>(
        &mut self,
        timeout: Option<Duration>,
        job: &mut J,
        recorder: &mut Option<&mut Recorder>,
        mut refill: impl FnMut(&mut Connection, usize, Nanos, &mut J) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other.map_err(|cause| Failure::Local { what: "epoll", cause })?,
        }
        // Taken out while served: a pass touches connections and events at the same time.
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut result = Ok(());
        for event in events.iter().filter(|event| event.token() != TIMER) {
            result = self.serve(event, job, recorder, &mut refill);
            if result.is_err() {
                break;
            }
        }
        self.events = events;
        result
    }

    fn serve<J: Job>(
        &mut self,
        event: &Event,
        job: &mut J,
        recorder: &mut Option<&mut Recorder>,
        refill: &mut impl FnMut(&mut Connection, usize, Nanos, &mut J) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let index = event.token().0;
        let connection = &mut self.connections[index];
        if connection.state == State::Closed {
            return Ok(());
        }
        let mut pass = Pass { connection, scratch: &mut self.scratch, clock: self.clock, tally: &mut self.tally };
        let result = pass.run(index, event, job, recorder, refill);
        result.or_else(|failure| self.lose(index, failure))
    }

    /// A connection failed: that is fatal, unless its session was being closed.
    fn lose(&mut self, index: usize, failure: Failure) -> Result<(), Failure> {
        let connection = &mut self.connections[index];
        if connection.state == State::Closing {
            connection.state = State::Closed;
            return Ok(());
        }
        connection.state = State::Closed;
        self.tally.settled += connection.in_flight.len() as u64;
        connection.in_flight.clear();
        Err(failure)
    }

    /// Pings sessions that were quiet, and looks for servers that are.
    fn care(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        if now < self.next_care {
            return Ok(());
        }
        let count = self.connections.len();
        let slices = (count / CARE_SLICE).clamp(1, CARE_SLICES);
        self.next_care = now + CARE.min(self.options.session_timeout / 8) / slices as Nanos;
        // A full pass may have left replies unread: silence means nothing then.
        let all_read = self.events.iter().count() < EVENTS;
        let from = if self.care_from < count { self.care_from } else { 0 };
        let to = (from + count.div_ceil(slices)).min(count);
        self.care_from = to;
        for index in from..to {
            let connection = &mut self.connections[index];
            let failure = match connection.state {
                State::Connecting | State::Greeting => connection.late(now, self.options.connect_timeout),
                State::Ready => match connection.keep_alive(now) {
                    Err(cause) => Some(connection.ended(Some(cause), 0)),
                    Ok(()) if all_read => connection.silent(now),
                    Ok(()) => None,
                },
                State::Closing | State::Closed => None,
            };
            if let Some(failure) = failure {
                self.lose(index, failure)?;
            }
        }
        Ok(())
    }

    /// Closes all sessions. Servers that do not answer within two seconds are left alone.
    pub fn close(mut self) {
        for connection in &mut self.connections {
            if connection.state == State::Ready && connection.say_goodbye().is_err() {
                connection.state = State::Closed;
            }
        }
        let deadline = self.clock.now() + FAREWELL;
        while self.connections.iter().any(|c| c.state == State::Closing) && self.clock.now() < deadline {
            // Whatever a server does to a session that is being given up is of no interest.
            let _ = self.turn(Some(NAP), &mut Farewell, &mut None, |_, _, _, _| Ok(()));
        }
    }
}

/// Takes replies that still come while sessions are closed.
struct Farewell;

impl Job for Farewell {
    fn next(&mut self, _: usize, _: &mut Vec<u8>, _: i32) -> Next {
        Next::NoMore
    }

    fn answered(&mut self, _: OpKind, _: u32, _: i32, _: &[u8]) -> Verdict {
        Ok(())
    }

    fn noticed(&mut self) -> Verdict {
        Ok(())
    }
}

/// One connection's share of a pass.
struct Pass<'e> {
    connection: &'e mut Connection,
    scratch: &'e mut [u8],
    clock: Clock,
    tally: &'e mut Tally,
}

impl Pass<'_> {
    fn run<J: Job>(
        &mut self,
        index: usize,
        event: &Event,
        job: &mut J,
        recorder: &mut Option<&mut Recorder>,
        refill: &mut impl FnMut(&mut Connection, usize, Nanos, &mut J) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.connection.state == State::Connecting {
            let established = self.connection.greet(self.clock.now());
            return established.map(drop).map_err(|cause| self.ended(Some(cause)));
        }
        loop {
            let n = match self.connection.read(self.scratch) {
                Ok(0) => return Err(self.ended(None)),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(self.ended(Some(e))),
            };
            let now = self.clock.now();
            let tally = &mut *self.tally;
            self.connection.receive(&self.scratch[..n], now, |connection, arrived| {
                settle(connection, arrived, now, tally, job, recorder)
            })?;
            if self.connection.state == State::Closed {
                return Ok(());
            }
            if self.connection.state == State::Ready {
                refill(self.connection, index, now, job)?;
            }
            // A short read emptied the socket; only the end of the stream could still be behind it.
            if n < self.scratch.len() && !event.is_read_closed() {
                break;
            }
        }
        self.connection.flush().map_err(|cause| self.ended(Some(cause)))
    }

    fn ended(&self, cause: Option<io::Error>) -> Failure {
        self.connection.ended(cause, self.tally.established)
    }
}

fn settle<J: Job>(
    connection: &mut Connection,
    arrived: Arrived<'_>,
    now: Nanos,
    tally: &mut Tally,
    job: &mut J,
    recorder: &mut Option<&mut Recorder>,
) -> Result<(), Failure> {
    match arrived {
        Arrived::Session => tally.established += 1,
        Arrived::Reply { op, err, body, .. } => {
            tally.settled += 1;
            job.answered(op.kind, op.tag, err, body).map_err(|what| connection.breach(what))?;
            if let Some(recorder) = recorder {
                recorder.record(op.kind, op.intended, op.sent, now, err);
            }
        }
        Arrived::Pong { sent } => {
            if let Some(recorder) = recorder {
                recorder.record(OpKind::Ping, sent, sent, now, 0);
            }
        }
        Arrived::Event { .. } => {
            job.noticed().map_err(|what| connection.breach(what))?;
            if let Some(recorder) = recorder {
                recorder.noticed();
            }
        }
        Arrived::Farewell { .. } => connection.state = State::Closed,
    }
    Ok(())
}
