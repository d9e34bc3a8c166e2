//! A session that survives its servers.

use crate::engine::{Arrived, Clock, Connection, Failure, Identity, Nanos, State};
use crate::random::Random;
use mio::{Interest, Registry, Token};
use std::io;
use std::net::SocketAddr;

/// Time between attempts to connect, once every server was tried. Client libraries wait longer (Java's up to a second); this
/// measures the servers.
const REDIAL: Nanos = 20_000_000;

/// How sessions connect.
#[derive(Clone, Debug)]
pub struct Dialling {
    /// The servers.
    pub servers: Vec<SocketAddr>,
    /// Session timeout to ask for.
    pub session_timeout: Nanos,
    /// Limit of an attempt: a server that stands still accepts connections and says nothing.
    pub connect_timeout: Nanos,
}

/// Whose session it is: what it asks, and what it makes of the answers.
pub trait Traveller {
    /// A connection with a session is there: new, or the one before.
    fn established(&mut self, connection: &mut Connection, now: Nanos) {
        let _ = (connection, now);
    }

    /// Appends what is to be asked.
    fn ask(&mut self, connection: &mut Connection, now: Nanos);

    /// A reply, an event, or the end of the session.
    ///
    /// # Errors
    /// A breach of the protocol.
    fn heed(&mut self, connection: &mut Connection, arrived: Arrived<'_>, now: Nanos) -> Result<(), Failure>;

    /// A ping was answered, so long after it was sent.
    fn pinged(&mut self, took: Nanos) {
        let _ = took;
    }

    /// A connection with a session is lost: what is in flight on it is of unknown outcome.
    fn lost(&mut self, connection: &Connection, failure: &Failure, now: Nanos);

    /// The session has expired. The next one is new.
    fn expired(&mut self, now: Nanos);
}

/// See the module.
#[derive(Debug)]
pub struct Roamer {
    token: Token,
    home: usize,
    /// The server that it is connected to, or tries next.
    at: usize,
    /// It tries no other server than its own.
    homing: bool,
    connection: Option<Connection>,
    identity: Option<Identity>,
    /// Attempts to connect since it was connected.
    attempts: usize,
    /// The order in which servers are tried, the one that was lost last.
    route: Vec<usize>,
    random: Random,
    next_attempt: Nanos,
    /// Why the last attempt failed.
    trouble: String,
}

impl Roamer {
    /// A session that is pinned to the server `home`, and chooses among the others by `random`. Its events come with the
    /// token `number`.
    pub fn new(number: usize, home: usize, random: Random) -> Roamer {
        Roamer {
            token: Token(number),
            home,
            at: home,
            homing: true,
            connection: None,
            identity: None,
            attempts: 0,
            route: Vec::new(),
            random,
            next_attempt: 0,
            trouble: String::new(),
        }
    }

    /// Whether its events come with this token.
    pub fn is(&self, number: usize) -> bool {
        self.token.0 == number
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

    /// Attempts that failed since it was connected.
    pub fn attempts(&self) -> usize {
        self.attempts
    }

    /// Whether it has a session on a connection.
    pub fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.state == State::Ready)
    }

    /// Whether it waits for an attempt to connect to succeed.
    pub fn is_dialling(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| matches!(connection.state, State::Connecting | State::Greeting))
    }

    /// Whether it waits for its session to be closed.
    pub fn is_closing(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.state == State::Closing)
    }

    /// Operations that await an answer.
    pub fn in_flight(&self) -> usize {
        self.connection.as_ref().map_or(0, |connection| connection.in_flight.len())
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

    /// Connects, sends what is to be asked, keeps the session alive.
    ///
    /// # Errors
    /// Those of the registration.
    pub fn tend(
        &mut self,
        dialling: &Dialling,
        registry: &Registry,
        now: Nanos,
        traveller: &mut impl Traveller,
    ) -> Result<(), Failure> {
        let Some(mut connection) = self.connection.take() else {
            return if now < self.next_attempt { Ok(()) } else { self.dial(dialling, registry, now) };
        };
        let failure = match connection.state {
            State::Connecting | State::Greeting => connection.late(now, dialling.connect_timeout),
            State::Ready => match send(&mut connection, now, traveller) {
                Ok(()) => connection.silent(now),
                Err(cause) => Some(connection.ended(Some(cause), 0)),
            },
            State::Closing | State::Closed => None,
        };
        match failure {
            Some(failure) => self.lose(&connection, failure, dialling, now, traveller),
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
                let registered = registry.register(&mut connection.stream, self.token, interest);
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

    /// Something happened on its socket.
    ///
    /// # Errors
    /// A breach of the protocol.
    pub fn serve(
        &mut self,
        dialling: &Dialling,
        scratch: &mut [u8],
        clock: Clock,
        traveller: &mut impl Traveller,
    ) -> Result<(), Failure> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        match self.converse(&mut connection, scratch, clock, traveller) {
            Ok(()) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(failure) => self.lose(&connection, failure, dialling, clock.now(), traveller),
        }
    }

    fn converse(
        &mut self,
        connection: &mut Connection,
        scratch: &mut [u8],
        clock: Clock,
        traveller: &mut impl Traveller,
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
            connection.receive(&scratch[..n], now, |connection, arrived| {
                match arrived {
                    Arrived::Session => {
                        self.attempts = 0;
                        traveller.established(connection, now);
                    }
                    Arrived::Pong { sent } => traveller.pinged(now.saturating_sub(sent)),
                    Arrived::Farewell { .. } => {
                        connection.state = State::Closed;
                        traveller.heed(connection, arrived, now)?;
                    }
                    Arrived::Reply { .. } | Arrived::Event { .. } => traveller.heed(connection, arrived, now)?,
                }
                Ok(())
            })?;
        }
        connection.flush().map_err(|cause| connection.ended(Some(cause), 0))
    }

    /// Its connection is over, or never was. What was in flight is unknown; what was not sent waits.
    fn lose(
        &mut self,
        connection: &Connection,
        failure: Failure,
        dialling: &Dialling,
        now: Nanos,
        traveller: &mut impl Traveller,
    ) -> Result<(), Failure> {
        if matches!(connection.state, State::Closing | State::Closed) {
            if connection.state == State::Closing {
                traveller.lost(connection, &failure, now);
            }
            self.next_attempt = Nanos::MAX;
            return Ok(());
        }
        if connection.state == State::Ready {
            self.identity = Some(connection.identity().clone());
            traveller.lost(connection, &failure, now);
        }
        match failure {
            Failure::Protocol { .. } | Failure::Local { .. } => return Err(failure),
            Failure::SessionExpired { .. } => {
                self.identity = None;
                traveller.expired(now);
            }
            _ => {}
        }
        self.try_elsewhere(&failure, dialling, now);
        Ok(())
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
    pub fn give_up(&mut self, traveller: &mut impl Traveller, now: Nanos) {
        if let Some(connection) = self.connection.take_if(|connection| !connection.in_flight.is_empty()) {
            self.identity = Some(connection.identity().clone());
            traveller.lost(&connection, &Failure::GivenUp, now);
        }
    }

    /// Asks the server to close the session; tells whether it was asked.
    pub fn say_goodbye(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        // A server that is gone closes the session by itself, when it expires.
        connection.state == State::Ready && connection.say_goodbye().is_ok()
    }

    /// Begins anew, with another session, when the one before is closed.
    pub fn begin_anew(&mut self) {
        (self.connection, self.identity, self.attempts, self.next_attempt) = (None, None, 0, 0);
    }

    /// Whether its session was closed, or given up while it was being closed.
    pub fn is_over(&self) -> bool {
        match &self.connection {
            Some(connection) => connection.state == State::Closed,
            None => self.next_attempt == Nanos::MAX,
        }
    }
}

fn send(connection: &mut Connection, now: Nanos, traveller: &mut impl Traveller) -> io::Result<()> {
    traveller.ask(connection, now);
    connection.flush()?;
    connection.keep_alive(now)
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
