//! A client with one session, which it takes from server to server as client libraries do.

use super::ledger::{Fate, Ledger, WriteId};
use super::requests::{NO_WRITE, append_read, append_write};
use super::tape::{Loss, Refusal, Sample, Tape};
use crate::engine::{Arrived, Clock, Connection, Failure, Identity, InFlight, Nanos, State};
use crate::op::OpKind;
use crate::random::Random;
use crate::workload::check_body;
use mio::{Interest, Registry, Token};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

/// Time between attempts to connect, once every server was tried. Client libraries wait longer (Java's up to a second); this
/// measures the servers.
const REDIAL: Nanos = 20_000_000;
/// An operation of the schedule.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// What.
    pub kind: OpKind,
    /// When it was meant to be sent.
    pub intended: Nanos,
}

/// Where a client writes down what it does and sees.
pub struct Books<'a> {
    /// The writes of all clients.
    pub ledger: &'a mut Ledger,
    /// The round.
    pub tape: &'a mut Tape,
}

/// How clients connect.
#[derive(Clone, Debug)]
pub struct Dialling {
    /// The servers.
    pub servers: Vec<SocketAddr>,
    /// Session timeout to ask for.
    pub session_timeout: Nanos,
    /// Limit of an attempt: a server that stands still accepts connections and says nothing.
    pub connect_timeout: Nanos,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    number: usize,
    home: usize,
    /// The server that it is connected to, or tries next.
    at: usize,
    /// It tries no other server than its own.
    homing: bool,
    connection: Option<Connection>,
    identity: Option<Identity>,
    /// Operations that are due and not sent: there is no connection.
    waiting: VecDeque<Due>,
    /// Attempts to connect since it was connected.
    attempts: usize,
    /// The order in which servers are tried, the one that was lost last.
    route: Vec<usize>,
    random: Random,
    next_attempt: Nanos,
    /// Why the last attempt failed.
    trouble: String,
    /// The newest write that was acknowledged, and when that one was sent.
    newest: Option<(u32, Nanos)>,
}

impl Client {
    /// A client that is pinned to the server `home`, and chooses among the others by `random`.
    pub fn new(number: usize, home: usize, random: Random) -> Client {
        Client {
            number,
            home,
            at: home,
            homing: true,
            connection: None,
            identity: None,
            waiting: VecDeque::new(),
            attempts: 0,
            route: Vec::new(),
            random,
            next_attempt: 0,
            trouble: String::new(),
            newest: None,
        }
    }

    /// The server that it is connected to, or tries next.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The server that it is pinned to.
    pub fn home(&self) -> usize {
        self.home
    }

    /// Why it is not connected.
    pub fn trouble(&self) -> &str {
        &self.trouble
    }

    /// Whether it has a session on a connection.
    pub fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.state == State::Ready)
    }

    /// Whether it waits for its session to be closed.
    pub fn is_closing(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.state == State::Closing)
    }

    /// Operations that were neither answered nor given up.
    pub fn unfinished(&self) -> usize {
        self.waiting.len() + self.connection.as_ref().map_or(0, |connection| connection.in_flight.len())
    }

    /// When the newest acknowledged write was sent.
    pub fn acknowledged(&self) -> Option<Nanos> {
        self.newest.map(|(_, sent)| sent)
    }

    /// Takes an operation off the schedule.
    pub fn take(&mut self, due: Due) {
        self.waiting.push_back(due);
    }

    /// Goes to its own server, and to no other until it may leave.
    pub fn go_home(&mut self) {
        self.homing = true;
        if self.at != self.home || !self.is_connected() {
            self.hang_up();
            (self.at, self.attempts, self.next_attempt) = (self.home, 0, 0);
        }
    }

    /// From now on it goes to another server when it loses its own.
    pub fn may_leave(&mut self) {
        self.homing = false;
    }

    /// Leaves its connection without closing the session. Nothing may be in flight.
    fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            debug_assert!(connection.in_flight.is_empty(), "a client moves when it has all answers");
            if connection.state == State::Ready {
                self.identity = Some(connection.identity().clone());
            }
        }
    }

    /// When it next has something to do by itself.
    pub fn wake(&self) -> Nanos {
        if self.connection.is_some() { Nanos::MAX } else { self.next_attempt }
    }

    /// Connects, sends what is due, keeps the session alive.
    ///
    /// # Errors
    /// Those of the registration.
    pub fn tend(
        &mut self,
        dialling: &Dialling,
        registry: &Registry,
        now: Nanos,
        books: &mut Books<'_>,
    ) -> Result<(), Failure> {
        let Some(mut connection) = self.connection.take() else {
            return if now < self.next_attempt { Ok(()) } else { self.dial(dialling, registry, now) };
        };
        let failure = match connection.state {
            State::Connecting | State::Greeting => connection.late(now, dialling.connect_timeout),
            State::Ready => match self.send(&mut connection, now, books) {
                Ok(()) => connection.silent(now),
                Err(cause) => Some(connection.ended(Some(cause), 0)),
            },
            State::Closing | State::Closed => None,
        };
        match failure {
            Some(failure) => self.lost(connection, failure, dialling, now, books),
            None => {
                self.connection = Some(connection);
                Ok(())
            }
        }
    }

    fn dial(&mut self, dialling: &Dialling, registry: &Registry, now: Nanos) -> Result<(), Failure> {
        let (server, timeout) = (dialling.servers[self.at], dialling.session_timeout);
        let connection = match &self.identity {
            Some(identity) => Connection::resume(server, timeout, identity.clone(), now),
            None => Connection::begin(server, timeout, now),
        };
        match connection {
            Ok(mut connection) => {
                let interest = Interest::READABLE | Interest::WRITABLE;
                let registered = registry.register(&mut connection.stream, Token(self.number), interest);
                registered.map_err(|cause| Failure::Local { what: "epoll", cause })?;
                self.connection = Some(connection);
            }
            Err(cause) => {
                let failure = Failure::Connect { server: server.to_string(), cause };
                self.try_elsewhere(&failure, dialling, now);
            }
        }
        Ok(())
    }

    fn send(&mut self, connection: &mut Connection, now: Nanos, books: &mut Books<'_>) -> io::Result<()> {
        while let Some(Due { kind, intended }) = self.waiting.pop_front() {
            let (out, xid) = connection.request();
            let tag = match kind {
                OpKind::Create => append_write(out, xid, self.number, books.ledger),
                _ => append_read(out, xid, self.number, self.newest.map(|(number, _)| number), books.ledger),
            };
            connection.sent(InFlight { intended, sent: now, tag, kind });
        }
        connection.flush()?;
        connection.keep_alive(now)
    }

    /// Something happened on its socket.
    ///
    /// # Errors
    /// A breach of the protocol.
    pub fn serve(
        &mut self,
        dialling: &Dialling,
        scratch: &mut [u8],
        clock: Clock,
        books: &mut Books<'_>,
    ) -> Result<(), Failure> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        match self.converse(&mut connection, scratch, clock, books) {
            Ok(()) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(failure) => self.lost(connection, failure, dialling, clock.now(), books),
        }
    }

    fn converse(
        &mut self,
        connection: &mut Connection,
        scratch: &mut [u8],
        clock: Clock,
        books: &mut Books<'_>,
    ) -> Result<(), Failure> {
        if connection.state == State::Connecting {
            let greeted = connection.greet(clock.now());
            return greeted.map(drop).map_err(|cause| connection.ended(Some(cause), 0));
        }
        loop {
            let n = match connection.read(scratch) {
                Ok(0) => return Err(connection.ended(None, 0)),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(connection.ended(Some(e), 0)),
            };
            let now = clock.now();
            connection.receive(&scratch[..n], now, |connection, arrived| self.heed(connection, arrived, now, books))?;
        }
        connection.flush().map_err(|cause| connection.ended(Some(cause), 0))
    }

    fn heed(
        &mut self,
        connection: &mut Connection,
        arrived: Arrived<'_>,
        now: Nanos,
        books: &mut Books<'_>,
    ) -> Result<(), Failure> {
        match arrived {
            Arrived::Session => self.attempts = 0,
            Arrived::Reply { op, err, body } => {
                check_body(op.kind, err, body).map_err(|what| connection.breach(what))?;
                self.answered(op, err, body, now, books);
            }
            Arrived::Pong { .. } | Arrived::Event => {}
            Arrived::Farewell => connection.state = State::Closed,
        }
        Ok(())
    }

    fn answered(&mut self, op: InFlight, err: i32, body: &[u8], now: Nanos, books: &mut Books<'_>) {
        let client = self.number;
        let write = (op.tag != NO_WRITE).then_some(WriteId { client, number: op.tag });
        match (op.kind, write) {
            (OpKind::Create, Some(id)) => {
                let fate = if err == 0 { Fate::Acknowledged } else { Fate::Refused(err) };
                books.ledger.settle(id, fate);
                if err == 0 {
                    self.newest = Some((op.tag, op.sent));
                }
            }
            (OpKind::Get, Some(id)) if !books.ledger.is_found(id, err, body) => {
                let code = crate::op::error_name(err);
                books.tape.stale_reads.push(format!("client {client} did not read its write {}: {code}", id.number));
            }
            _ => {}
        }
        if err == 0 {
            let (kind, intended) = (op.kind, op.intended);
            books.tape.samples.push(Sample { client, kind, intended, answered: now });
        } else {
            books.tape.refusals.push(Refusal { client, kind: op.kind, code: err });
        }
    }

    /// Its connection is over, or never was. What was in flight is unknown; what was not sent waits.
    fn lost(
        &mut self,
        connection: Connection,
        failure: Failure,
        dialling: &Dialling,
        now: Nanos,
        books: &mut Books<'_>,
    ) -> Result<(), Failure> {
        if matches!(connection.state, State::Closing | State::Closed) {
            self.next_attempt = Nanos::MAX;
            return Ok(());
        }
        let established = connection.state == State::Ready;
        if established {
            self.identity = Some(connection.identity().clone());
            self.note_loss(&connection, failure.kind(), books);
        }
        match failure {
            Failure::Protocol { .. } | Failure::Local { .. } => return Err(failure),
            Failure::SessionExpired { .. } => {
                self.identity = None;
                books.tape.expired.push(self.number);
            }
            _ => {}
        }
        self.try_elsewhere(&failure, dialling, now);
        Ok(())
    }

    fn note_loss(&self, connection: &Connection, kind: &'static str, books: &mut Books<'_>) {
        let (mut unknown_writes, mut unanswered_reads) = (0, 0);
        for op in &connection.in_flight {
            if op.kind == OpKind::Create {
                books.ledger.settle(WriteId { client: self.number, number: op.tag }, Fate::Unknown);
                unknown_writes += 1;
            } else {
                unanswered_reads += 1;
            }
        }
        books.tape.losses.push(Loss { client: self.number, kind, unknown_writes, unanswered_reads });
    }

    fn try_elsewhere(&mut self, failure: &Failure, dialling: &Dialling, now: Nanos) {
        self.trouble = failure.to_string();
        let servers = dialling.servers.len();
        if self.attempts == 0 {
            self.route = route(self.at, servers, &mut self.random);
        }
        self.at = if self.homing { self.home } else { self.route[self.attempts % servers] };
        self.attempts += 1;
        let all_tried = self.homing || self.attempts > servers;
        self.next_attempt = if all_tried { now + REDIAL } else { now };
    }

    /// Gives up what was not answered: nobody waits for it any more.
    pub fn give_up(&mut self, books: &mut Books<'_>) {
        self.waiting.clear();
        if let Some(connection) = self.connection.take_if(|connection| !connection.in_flight.is_empty()) {
            self.identity = Some(connection.identity().clone());
            self.note_loss(&connection, "given up", books);
        }
    }

    /// Asks the server to close the session.
    pub fn say_goodbye(&mut self) {
        if let Some(connection) = &mut self.connection
            && connection.state == State::Ready
        {
            // A server that is gone closes the session by itself, when it expires.
            let _ = connection.say_goodbye();
        }
    }
}

/// All servers in random order, as client libraries try them: clients do not all run to the same one. The one that was just
/// lost is the last.
fn route(lost: usize, servers: usize, random: &mut Random) -> Vec<usize> {
    let mut route: Vec<usize> = (0..servers).filter(|server| *server != lost).collect();
    for last in (1..route.len()).rev() {
        route.swap(last, random.below(last as u64 + 1) as usize);
    }
    route.push(lost);
    route
}

#[cfg(test)]
mod tests {
    use super::{Random, route};
    use std::collections::BTreeSet;

    #[test]
    fn a_client_tries_every_server_once_and_the_lost_one_last() {
        let mut random = Random::new(1);
        let routes: BTreeSet<Vec<usize>> = (0..100).map(|_| route(1, 4, &mut random)).collect();
        assert_eq!(routes.len(), 6, "all orders of the three others: {routes:?}");
        assert!(routes.iter().all(|route| route[3] == 1 && route.iter().collect::<BTreeSet<_>>().len() == 4));
    }
}
