//! The one task that reads: waits for the readiness set, receives, hands frames to the service. Replies are written by
//! the turn.
//!
//! All connections share one receive buffer: an idle one has none.

use crate::accept::{Accepted, EXHAUSTED_PAUSE, accept};
use crate::connection::{Connection, Phase};
use crate::framer::{Framer, Outcome};
use crate::handover::Admitted;
use crate::readiness::Event;
use crate::sockets::{HANDOVER_TOKEN, LISTENER_TOKEN, Listening, SCRATCH_BYTES, Sockets};
use crate::transport::{Received, Speaks, Transport};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

/// Most bytes that one connection may bring into a turn...
const READ_BYTES: usize = 32 << 10;
/// ...unless a longer frame has begun.
const READ_BYTES_LONG_FRAME: usize = SCRATCH_BYTES;
/// What a closed connection may still send before it is reset.
const DISCARD_BYTES: usize = 1 << 20;
/// Most connections accepted in one go.
const ACCEPTS: usize = 64;

impl Sockets {
    /// Reads for ever; to be spawned once.
    pub async fn run(self: Rc<Self>) {
        loop {
            self.readiness.wait().await;
            self.handshakes.begin_pass();
            if let Err(error) = self.readiness.take(|event| self.handle(event)) {
                tracing::error!(%error, "epoll_wait failed");
            }
        }
    }

    fn handle(&self, event: Event) {
        match event.token {
            HANDOVER_TOKEN => return self.take_over(),
            token @ LISTENER_TOKEN.. => return self.accept_waiting(token),
            _ => {}
        }
        // A connection that another event of the same batch has ended is not there any more.
        let Some(conn) = self.table.borrow().by_token(event.token) else {
            return;
        };
        if conn.phase() == Phase::Dead {
            return self.lose(&conn);
        }
        if event.writable && conn.unsent() > 0 && !self.send_more(&conn) {
            return self.lose(&conn);
        }
        if (event.readable || conn.has_whole_frame()) && self.read(&conn, event.ended) {
            self.lose(&conn);
        }
    }

    /// Returns whether the connection is lost.
    fn read(&self, conn: &Rc<Connection>, ended: bool) -> bool {
        loop {
            if conn.phase() == Phase::Open {
                if !self.service.accepts_input(conn.id) {
                    self.hold_back(conn);
                    return false;
                }
                if conn.has_whole_frame() {
                    self.hand_over(conn, &[]);
                    continue;
                }
            }
            let mut scratch = self.scratch.borrow_mut();
            let wanted = conn.framer.borrow().missing().clamp(READ_BYTES, READ_BYTES_LONG_FRAME);
            let (bytes, taken, over) = match self.receive(conn, &mut scratch, wanted) {
                Received::Nothing | Received::Closing => return false,
                Received::Lost => return true,
                Received::Bytes { bytes, taken, ended } => (bytes, taken, ended),
            };
            if conn.phase() != Phase::Open {
                if conn.discard(taken) > DISCARD_BYTES {
                    return true;
                }
            } else if bytes > 0 {
                self.hand_over(conn, &scratch.plain[..bytes]);
            }
            if over {
                return true;
            }
            if taken == wanted {
                // There may be more. It is the others' turn first.
                self.rearm(conn);
                return false;
            }
            if !ended && !conn.has_whole_frame() {
                return false;
            }
        }
    }

    fn hand_over(&self, conn: &Rc<Connection>, chunk: &[u8]) {
        let mut framer = conn.framer.borrow_mut();
        let mut frames = framer.feed(&self.config.rules, chunk);
        self.service.receive(conn.id, &mut frames);
        match frames.finish() {
            Outcome::More => {}
            Outcome::Word(word) => {
                conn.advance(Phase::Deaf);
                self.service.word(conn.id, word, framer.held());
                *framer = Framer::default();
            }
            Outcome::Fault(fault) => {
                tracing::info!(peer = %conn.peer, %fault, "closing connection");
                self.count(|stats| stats.bad_frames += 1);
                *framer = Framer::default();
                self.close(conn);
            }
        }
    }

    /// Returns false if the connection is lost.
    fn send_more(&self, conn: &Rc<Connection>) -> bool {
        if conn.send_more().is_err() {
            return false;
        }
        self.service.unsent(conn.id, conn.unsent());
        if conn.unsent() == 0 && conn.phase() == Phase::Flushing {
            self.linger(conn);
        }
        true
    }

    /// Forgets the connection; its socket is closed.
    fn lose(&self, conn: &Rc<Connection>) {
        self.note_lost_handshake(conn);
        conn.advance(Phase::Dead);
        self.uncount(conn);
        self.table.borrow_mut().remove(conn);
        self.service.gone(conn.id);
    }

    fn accept_waiting(&self, token: u64) {
        let listeners = self.listeners.borrow();
        let place = usize::try_from(token - LISTENER_TOKEN).unwrap_or(usize::MAX);
        let Some(Listening { socket: listener, speaks }) = listeners.get(place) else {
            return;
        };
        for _ in 0..ACCEPTS {
            let accepted = accept(listener, self.config.options, &mut self.complaints.borrow_mut());
            match accepted {
                Accepted::Connection(peer, fd) => self.admit(peer, fd, *speaks),
                Accepted::Failed => {}
                Accepted::Nobody => return,
                Accepted::Exhausted => {
                    // The socket stays ready: not to spin, it leaves the set until a tick puts it back.
                    self.paused.borrow_mut().push((Instant::now() + EXHAUSTED_PAUSE, token));
                    if let Err(error) = self.readiness.remove(listener.as_raw_fd()) {
                        tracing::error!(%error, "cannot pause accepting");
                    }
                    return;
                }
            }
        }
    }

    /// Counts an accepted socket, and gives it to the executor whose turn it is.
    fn admit(&self, peer: SocketAddr, fd: OwnedFd, speaks: Speaks) {
        self.count(|stats| stats.accepted += 1);
        let entered = self.config.door.enter(peer.ip());
        if let Err(refusal) = entered {
            self.count(|stats| stats.refused += 1);
            return self.complaints.borrow_mut().refused(peer, refusal);
        }
        let others = self.others.borrow();
        let next = self.next_other.get();
        self.next_other.set(if next == others.len() { 0 } else { next + 1 });
        match others.get(next) {
            Some(other) => other.give((Some(peer), fd, speaks)),
            None => self.adopt((Some(peer), fd, speaks)),
        }
    }

    fn take_over(&self) {
        self.handover.silence();
        while let Some(admitted) = self.handover.take() {
            self.adopt(admitted);
        }
    }

    fn adopt(&self, (peer, fd, speaks): Admitted) {
        let id = peer.map_or_else(|| self.service.opened_own(), |peer| self.service.opened(peer));
        let counted = peer.is_some();
        let peer = peer.unwrap_or(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0)));
        let transport = if speaks == Speaks::Either { Transport::Undecided } else { Transport::Plain };
        let conn = self.table.borrow_mut().insert(|token| Connection::new(id, peer, token, fd, transport));
        conn.counted.set(counted);
        if let Err(error) = self.readiness.add_connection(conn.fd(), conn.token) {
            tracing::warn!(%peer, %error, "cannot watch a connection: closing it");
            return self.lose(&conn);
        }
        match speaks {
            Speaks::Tls => _ = self.begin_tls(&conn),
            Speaks::Plain if counted => self.count_plain(&conn),
            Speaks::Plain | Speaks::Either => {}
        }
    }
}
