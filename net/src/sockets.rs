//! All client connections of one executor, as the turn sees them: send, resume, tick, stop.

use crate::accept::{Complaints, EXHAUSTED_PAUSE};
use crate::admission::Door;
use crate::connection::{Connection, Phase};
use crate::framer::Rules;
use crate::handover::Handover;
use crate::listener::SocketOptions;
use crate::readiness::Readiness;
use crate::service::Service;
use crate::table::Table;
use crate::tls::TlsEndpoint;
use crate::transport::{Handshakes, Scratch, Speaks};
use ringkeeper_core::ids::ConnId;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of the receive buffer that all connections of an executor share.
pub(crate) const SCRATCH_BYTES: usize = 256 << 10;
/// How long a closed connection waits for its peer to close too.
const LINGER: Duration = Duration::from_secs(2);
/// Capacity of an output buffer that is left with its connection for the next turn.
const KEPT_OUTPUT_BYTES: usize = 512;
/// Token of the bell that rings when another executor hands a connection over.
pub(crate) const HANDOVER_TOKEN: u64 = u64::MAX;
/// Token of the first listening socket; those of the others follow.
pub(crate) const LISTENER_TOKEN: u64 = u64::MAX - 16;

/// What a set of connections is bound by.
#[derive(Clone, Debug)]
pub struct SocketsConfig {
    /// Framing.
    pub rules: Rules,
    /// Who may connect; shared by all executors of a server.
    pub door: Door,
    /// Options of accepted sockets.
    pub options: SocketOptions,
    /// What TLS connections are made with; shared by all executors of a server. `None` where there are none.
    pub tls: Option<TlsEndpoint>,
    /// A connection whose unsent output exceeds this is closed: its peer does not read.
    pub max_unsent: usize,
}

/// Counters since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SocketStats {
    /// Connections accepted, refused ones included.
    pub accepted: u64,
    /// Connections closed at once because of [`crate::ConnectionLimits`].
    pub refused: u64,
    /// Connections closed because their peer did not read.
    pub too_slow: u64,
    /// Connections closed because of impossible lengths.
    pub bad_frames: u64,
    /// Times that a connection was not read because the service did not accept input.
    pub held_back: u64,
    /// Connections of this machine without TLS, where there is TLS.
    pub plain_local: u64,
    /// Those of other machines.
    pub plain_remote: u64,
    /// TLS handshakes that came to nothing.
    pub handshakes_failed: u64,
    /// Connections closed because there were too many handshakes under way.
    pub handshakes_exceeded: u64,
}

impl SocketStats {
    /// Puts the counters of two sets of connections together.
    pub fn merge(&mut self, other: &SocketStats) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.too_slow += other.too_slow;
        self.bad_frames += other.bad_frames;
        self.held_back += other.held_back;
        self.plain_local += other.plain_local;
        self.plain_remote += other.plain_remote;
        self.handshakes_failed += other.handshakes_failed;
        self.handshakes_exceeded += other.handshakes_exceeded;
    }
}

/// A socket to accept connections from.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub socket: TcpListener,
    /// What its connections speak.
    pub speaks: Speaks,
}

/// The connections of one executor. Its calls never call the [`Service`]; only the task of [`Sockets::run`] does.
pub struct Sockets {
    pub(crate) config: SocketsConfig,
    pub(crate) service: Rc<dyn Service>,
    pub(crate) readiness: Readiness,
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) handshakes: Handshakes,
    pub(crate) complaints: RefCell<Complaints>,
    pub(crate) tls_complaints: RefCell<Complaints>,
    pub(crate) listeners: RefCell<Vec<Listening>>,
    pub(crate) table: RefCell<Table>,
    pub(crate) handover: Arc<Handover>,
    /// Executors that get accepted connections in turn with this one.
    pub(crate) others: RefCell<Vec<Arc<Handover>>>,
    pub(crate) next_other: Cell<usize>,
    /// Nobody is accepted by these listening sockets until then: the process is out of resources.
    pub(crate) paused: RefCell<Vec<(Instant, u64)>>,
    stats: Cell<SocketStats>,
    held_back: RefCell<Vec<Rc<Connection>>>,
    lingering: RefCell<VecDeque<(Instant, Weak<Connection>)>>,
}

impl Sockets {
    /// No connections yet.
    ///
    /// # Errors
    /// The system call's error: out of file descriptors or memory.
    pub fn new(config: SocketsConfig, service: Rc<dyn Service>) -> io::Result<Rc<Sockets>> {
        let (readiness, handover) = (Readiness::new()?, Handover::new()?);
        readiness.add_listener(handover.fd(), HANDOVER_TOKEN)?;
        Ok(Rc::new(Sockets {
            config,
            service,
            readiness,
            scratch: RefCell::new(Scratch::new()),
            handshakes: Handshakes::default(),
            complaints: RefCell::default(),
            tls_complaints: RefCell::default(),
            listeners: RefCell::default(),
            table: RefCell::default(),
            handover,
            others: RefCell::default(),
            next_other: Cell::new(0),
            paused: RefCell::default(),
            stats: Cell::default(),
            held_back: RefCell::default(),
            lingering: RefCell::default(),
        }))
    }

    /// Where another executor can hand connections over to this one.
    #[must_use]
    pub fn handover(&self) -> Arc<Handover> {
        Arc::clone(&self.handover)
    }

    /// Accepts connections from `listeners` from now on, and deals them out in turn: to itself, then to each of
    /// `others`. (Executors that all accept for themselves end up with unequal shares.)
    ///
    /// # Errors
    /// The system call's error.
    pub fn accept_from(&self, listeners: Vec<Listening>, others: Vec<Arc<Handover>>) -> io::Result<()> {
        for (token, Listening { socket, .. }) in (LISTENER_TOKEN..HANDOVER_TOKEN).zip(&listeners) {
            socket.set_nonblocking(true)?;
            self.readiness.add_listener(socket.as_raw_fd(), token)?;
        }
        *self.listeners.borrow_mut() = listeners;
        *self.others.borrow_mut() = others;
        Ok(())
    }

    /// Closes the listening sockets: new connections are refused by the kernel.
    pub fn stop_accepting(&self) {
        self.listeners.borrow_mut().clear();
    }

    /// Sends `bytes`, which is empty afterwards, and closes the connection behind them if `close` is set. Returns how
    /// many bytes now wait for the peer to read. A connection that does not exist any more swallows everything.
    pub fn send(&self, id: ConnId, bytes: &mut Vec<u8>, close: bool) -> usize {
        let conn = self.table.borrow().by_id(id);
        let unsent = conn.map_or(0, |conn| {
            if !bytes.is_empty() && conn.phase() < Phase::Flushing {
                self.send_on(&conn, bytes);
            }
            if close {
                self.close(&conn);
            }
            conn.unsent()
        });
        if bytes.capacity() > KEPT_OUTPUT_BYTES {
            *bytes = Vec::new();
        } else {
            bytes.clear();
        }
        unsent
    }

    /// Lets those connections go on that were held back and that `accepts_input` (what [`Service::accepts_input`] would
    /// say) accepts now. To be called at the end of a turn.
    pub fn resume(&self, accepts_input: impl Fn(ConnId) -> bool) {
        self.held_back.borrow_mut().retain(|conn| {
            if conn.phase() == Phase::Open && !accepts_input(conn.id) {
                return true;
            }
            conn.held_back.set(false);
            self.rearm(conn);
            false
        });
    }

    /// To be called every few milliseconds: ends connections that have lingered and TLS handshakes that have lasted for too
    /// long, accepts again after a shortage of resources.
    pub fn tick(&self, now: Instant) {
        let mut lingering = self.lingering.borrow_mut();
        while lingering.front().is_some_and(|(deadline, _)| *deadline <= now) {
            if let Some(conn) = lingering.pop_front().and_then(|(_, conn)| conn.upgrade()) {
                self.kill(&conn);
            }
        }
        drop(lingering);
        self.end_late_handshakes(now);
        self.paused.borrow_mut().retain_mut(|(until, token)| {
            let listeners = self.listeners.borrow();
            let listener = listeners.get(usize::try_from(*token - LISTENER_TOKEN).unwrap_or(usize::MAX));
            let waits = *until > now;
            let failed =
                || listener.is_some_and(|l| self.readiness.add_listener(l.socket.as_raw_fd(), *token).is_err());
            if !waits && failed() {
                *until = now + EXHAUSTED_PAUSE;
                return true;
            }
            waits
        });
    }

    /// Counters since start.
    #[must_use]
    pub fn stats(&self) -> SocketStats {
        self.stats.get()
    }

    /// Whether every connection has got all of its output.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.table.borrow().iter().all(|conn| conn.unsent() == 0 || conn.phase() == Phase::Dead)
    }

    /// Notes that the service does not accept input of the connection now.
    pub(crate) fn hold_back(&self, conn: &Rc<Connection>) {
        if !conn.held_back.replace(true) {
            self.count(|stats| stats.held_back += 1);
            self.held_back.borrow_mut().push(Rc::clone(conn));
        }
    }

    /// Closes the connection once its output is sent.
    pub(crate) fn close(&self, conn: &Rc<Connection>) {
        if conn.phase() >= Phase::Flushing {
            return;
        }
        self.uncount(conn);
        if conn.unsent() > 0 {
            conn.advance(Phase::Flushing);
        } else {
            self.linger(conn);
        }
    }

    /// All output is sent: shuts the sending side, and gives the peer time to close.
    pub(crate) fn linger(&self, conn: &Rc<Connection>) {
        self.say_goodbye(conn);
        conn.shut_sending();
        self.lingering.borrow_mut().push_back((Instant::now() + LINGER, Rc::downgrade(conn)));
        self.rearm(conn);
    }

    /// Gives the connection up; the event that this makes will remove it.
    pub(crate) fn kill(&self, conn: &Connection) {
        conn.advance(Phase::Dead);
        self.rearm(conn);
    }

    /// Has whatever the connection has to offer reported. At the least that is room to write; if there is none, it is
    /// reported when there is some.
    pub(crate) fn rearm(&self, conn: &Connection) {
        if let Err(error) = self.readiness.rearm(conn.fd(), conn.token) {
            // Only possible for a descriptor that is not in the set.
            tracing::error!(%error, peer = %conn.peer, "cannot watch a connection");
        }
    }

    pub(crate) fn uncount(&self, conn: &Connection) {
        if conn.counted.replace(false) {
            self.config.door.leave(conn.peer.ip());
        }
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut SocketStats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }

    fn send_on(&self, conn: &Connection, bytes: &[u8]) {
        if self.send_through(conn, bytes).is_err() {
            self.kill(conn);
        } else if conn.unsent() > self.config.max_unsent {
            tracing::warn!(peer = %conn.peer, unsent = conn.unsent(), "client does not read: closing");
            self.count(|stats| stats.too_slow += 1);
            self.kill(conn);
        }
    }
}
