//! All client connections of one executor, as the turn sees them: send, resume, stop.

use crate::accept;
use crate::admission::{Admission, ConnectionLimits};
use crate::connection::{Connection, Phase, Sent};
use crate::framer::Rules;
use crate::listener::SocketOptions;
use crate::reader;
use crate::service::Service;
use futures_io::AsyncWrite;
use glommio::net::TcpStream;
use ringkeeper_core::ids::ConnId;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// Bytes of the receive buffer that all connections of an executor share.
pub(crate) const SCRATCH_BYTES: usize = 256 << 10;
/// How long a closed connection waits for its peer to close too.
const LINGER: Duration = Duration::from_secs(2);
/// Capacity of an output buffer that is left with its connection for the next turn.
const KEPT_OUTPUT_BYTES: usize = 512;

/// What a set of connections is bound by.
#[derive(Clone, Debug)]
pub struct SocketsConfig {
    /// Framing.
    pub rules: Rules,
    /// How many connections.
    pub limits: ConnectionLimits,
    /// Options of accepted sockets.
    pub options: SocketOptions,
    /// A connection whose unsent output exceeds this is closed: its peer does not read.
    pub max_unsent: usize,
}

/// Counters since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SocketStats {
    /// Connections accepted, refused ones included.
    pub accepted: u64,
    /// Connections closed at once because of [`ConnectionLimits`].
    pub refused: u64,
    /// Connections closed because their peer did not read.
    pub too_slow: u64,
    /// Connections closed because of impossible lengths.
    pub bad_frames: u64,
}

/// The connections of one executor.
pub struct Sockets {
    pub(crate) config: SocketsConfig,
    pub(crate) service: Rc<dyn Service>,
    pub(crate) scratch: RefCell<Box<[u8]>>,
    pub(crate) admission: RefCell<Admission>,
    pub(crate) stats: Cell<SocketStats>,
    /// By slot of the connection's id. A slot may be taken over while its former user is still closing.
    table: RefCell<Vec<Option<Rc<Connection>>>>,
    held_back: RefCell<Vec<Rc<Connection>>>,
    lingering: RefCell<VecDeque<(Instant, Rc<Connection>)>>,
}

impl Sockets {
    /// No connections yet.
    #[must_use]
    pub fn new(config: SocketsConfig, service: Rc<dyn Service>) -> Rc<Sockets> {
        Rc::new(Sockets {
            admission: RefCell::new(Admission::new(config.limits)),
            config,
            service,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            stats: Cell::default(),
            table: RefCell::default(),
            held_back: RefCell::default(),
            lingering: RefCell::default(),
        })
    }

    /// Accepts connections from `listener`, in a task that ends when the returned handle is dropped.
    pub fn accept_from(self: &Rc<Self>, listener: TcpListener) -> glommio::Task<()> {
        glommio::spawn_local(accept::accept_loop(Rc::clone(self), listener))
    }

    /// Adopts an accepted, admitted socket and starts to read it.
    pub(crate) fn adopt(self: &Rc<Self>, peer: SocketAddr, stream: TcpStream) {
        let conn = Rc::new(Connection::new(self.service.opened(peer), peer, stream));
        let slot = conn.id.slot as usize;
        let mut table = self.table.borrow_mut();
        if table.len() <= slot {
            table.resize_with(slot + 1, || None);
        }
        table[slot] = Some(Rc::clone(&conn));
        drop(table);
        glommio::spawn_local(reader::read_loop(Rc::clone(self), conn)).detach();
    }

    /// Sends `bytes`, which is empty afterwards, and closes the connection behind them if `close` is set. Returns how
    /// many bytes now wait for the peer to read. A connection that does not exist any more swallows everything.
    pub fn send(self: &Rc<Self>, id: ConnId, bytes: &mut Vec<u8>, close: bool) -> usize {
        let Some(conn) = self.find(id) else {
            *bytes = Vec::new();
            return 0;
        };
        if !bytes.is_empty() && conn.phase() < Phase::Flushing {
            self.send_on(&conn, bytes);
        }
        if bytes.capacity() > KEPT_OUTPUT_BYTES {
            *bytes = Vec::new();
        } else {
            bytes.clear();
        }
        if close {
            self.close(&conn);
        }
        conn.unsent()
    }

    /// Lets those connections go on that were held back and that `accepts_input` (what [`Service::accepts_input`] would
    /// say) accepts now. To be called at the end of a turn.
    pub fn resume(&self, accepts_input: impl Fn(ConnId) -> bool) {
        self.held_back.borrow_mut().retain(|conn| {
            let still = conn.phase() == Phase::Open && !accepts_input(conn.id);
            if !still {
                conn.release();
            }
            still
        });
    }

    /// To be called every few milliseconds: ends connections that have lingered for too long.
    pub fn tick(&self, now: Instant) {
        let mut lingering = self.lingering.borrow_mut();
        while lingering.front().is_some_and(|(deadline, _)| *deadline <= now) {
            if let Some((_, conn)) = lingering.pop_front() {
                conn.kill();
            }
        }
    }

    /// Open connections.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.admission.borrow().total()
    }

    /// Counters since start.
    #[must_use]
    pub fn stats(&self) -> SocketStats {
        self.stats.get()
    }

    /// Whether every connection has got all of its output.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.table.borrow().iter().flatten().all(|conn| conn.unsent() == 0 || conn.phase() == Phase::Dead)
    }

    /// Notes that back-pressure holds the connection's reading task.
    pub(crate) fn hold_back(&self, conn: &Rc<Connection>, waker: &Waker) {
        if conn.hold_back(waker) {
            self.held_back.borrow_mut().push(Rc::clone(conn));
        }
    }

    /// The connection's reading task has ended.
    pub(crate) fn forget(&self, conn: &Rc<Connection>) {
        self.uncount(conn);
        conn.advance(Phase::Dead);
        let mut table = self.table.borrow_mut();
        let entry = &mut table[conn.id.slot as usize];
        if entry.as_ref().is_some_and(|c| Rc::ptr_eq(c, conn)) {
            *entry = None;
        }
        drop(table);
        self.service.gone(conn.id);
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
        conn.wake();
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut SocketStats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }

    fn find(&self, id: ConnId) -> Option<Rc<Connection>> {
        self.table.borrow().get(id.slot as usize)?.as_ref().filter(|conn| conn.id == id).cloned()
    }

    fn send_on(self: &Rc<Self>, conn: &Rc<Connection>, bytes: &[u8]) {
        match conn.send(bytes) {
            Sent::All => {}
            Sent::Lost => conn.kill(),
            kept => {
                if conn.unsent() > self.config.max_unsent {
                    tracing::warn!(peer = %conn.peer, unsent = conn.unsent(), "client does not read: closing");
                    self.count(|stats| stats.too_slow += 1);
                    conn.kill();
                } else if kept == Sent::KeptFirst {
                    glommio::spawn_local(Rc::clone(self).drain_loop(Rc::clone(conn))).detach();
                }
            }
        }
    }

    /// Sends what the kernel did not take at once, as the peer makes room.
    async fn drain_loop(self: Rc<Self>, conn: Rc<Connection>) {
        // glommio polls a new task at once, and this one is made within a turn: the service must not be called yet.
        yield_once().await;
        let mut left = conn.unsent();
        while left > 0 && conn.phase() != Phase::Dead {
            let drained =
                poll_fn(|cx| conn.drain(|bytes| Pin::new(&mut *conn.stream.borrow_mut()).poll_write(cx, bytes))).await;
            match drained {
                Ok(n) => left = n,
                Err(_) => return conn.kill(),
            }
            self.service.unsent(conn.id, left);
        }
        if conn.phase() == Phase::Flushing {
            self.linger(&conn);
        }
    }

    fn linger(&self, conn: &Rc<Connection>) {
        conn.shut_sending();
        self.lingering.borrow_mut().push_back((Instant::now() + LINGER, Rc::clone(conn)));
    }

    fn uncount(&self, conn: &Connection) {
        if conn.counted.replace(false) {
            self.admission.borrow_mut().leave(conn.peer.ip());
        }
    }
}

/// Lets everything that is ready to run go first.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
