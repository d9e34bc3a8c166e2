//! What lies between the sockets and the framers: nothing, or TLS.
//!
//! Without TLS nothing is copied: a connection receives straight into the shared buffer, from which frames are cut, and sends
//! from the buffer of the turn. All that it pays is a look at what it is, once a system call.

use crate::connection::{Connection, Phase};
use crate::sockets::{SCRATCH_BYTES, Sockets};
use crate::tls::{HandshakeSteps, Opened, RECORD_BYTES, Session, TlsRefusal, begins_tls};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};
use std::time::Instant;

/// Capacity of the buffer for encrypted output that is kept.
const KEPT_WIRE_BYTES: usize = 256 << 10;

/// What the connections of a listening socket speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaks {
    /// The protocol in the clear.
    Plain,
    /// TLS only.
    Tls,
    /// Either; the first byte tells.
    Either,
}

/// What a connection speaks.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain,
    /// The first byte will tell.
    Undecided,
    Tls(Box<Session>),
}

/// Buffers that all connections of an executor share.
pub(crate) struct Scratch {
    /// What clients have said.
    pub(crate) plain: Box<[u8]>,
    /// The same as it came from a socket. Nothing unless there is TLS.
    wire: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch { plain: vec![0; SCRATCH_BYTES + RECORD_BYTES].into_boxed_slice(), wire: Vec::new() }
    }
}

/// What a connection has brought.
pub(crate) enum Received {
    /// So many bytes of the client are in the scratch, of so many of the socket.
    Bytes { bytes: usize, taken: usize, ended: bool },
    /// There is nothing now.
    Nothing,
    /// The connection is lost.
    Lost,
    /// It is being closed, and is not to be read now.
    Closing,
}

/// TLS among the connections of an executor.
#[derive(Default)]
pub(crate) struct Handshakes {
    /// Those under way, by the time at which they have to be complete.
    deadlines: RefCell<VecDeque<(Instant, Weak<Connection>)>>,
    steps: HandshakeSteps,
    /// Output between TLS and a socket.
    wire: RefCell<Vec<u8>>,
}

impl Handshakes {
    /// Another pass over the events begins.
    pub(crate) fn begin_pass(&self) {
        self.steps.begin_pass();
    }

    /// Those whose time is over.
    fn late(&self, now: Instant) -> Vec<Rc<Connection>> {
        let mut deadlines = self.deadlines.borrow_mut();
        let due = deadlines.iter().take_while(|(deadline, _)| *deadline <= now).count();
        deadlines.drain(..due).filter_map(|(_, conn)| conn.upgrade()).collect()
    }
}

impl Sockets {
    /// Receives once from the socket, at most `wanted` bytes.
    pub(crate) fn receive(&self, conn: &Rc<Connection>, scratch: &mut Scratch, wanted: usize) -> Received {
        let is_tls = match &*conn.transport.borrow() {
            Transport::Plain | Transport::Undecided => false,
            Transport::Tls(session) => {
                if conn.phase() == Phase::Open && session.is_handshaking() && !self.handshakes.steps.may_step() {
                    self.rearm(conn);
                    return Received::Nothing;
                }
                // What does not count is not decrypted.
                conn.phase() == Phase::Open
            }
        };
        let into = match is_tls {
            true => {
                scratch.wire.resize(scratch.wire.len().max(wanted), 0);
                &mut scratch.wire[..wanted]
            }
            false => &mut scratch.plain[..wanted],
        };
        let taken = match conn.receive(into) {
            Ok(None) => return Received::Nothing,
            Ok(Some(0)) | Err(_) => return Received::Lost,
            Ok(Some(taken)) => taken,
        };
        if is_tls {
            return self.open(conn, scratch, taken);
        }
        if matches!(&*conn.transport.borrow(), Transport::Undecided) && conn.phase() == Phase::Open {
            if begins_tls(scratch.plain[0]) {
                scratch.wire.clear();
                scratch.wire.extend_from_slice(&scratch.plain[..taken]);
                return match self.begin_tls(conn) {
                    true => self.open(conn, scratch, taken),
                    false => Received::Closing,
                };
            }
            conn.transport.replace(Transport::Plain);
            self.count_plain(conn);
        }
        Received::Bytes { bytes: taken, taken, ended: false }
    }

    /// Begins a handshake. False if the connection gets none; it is closed.
    pub(crate) fn begin_tls(&self, conn: &Rc<Connection>) -> bool {
        let acceptor = self.config.tls.as_ref().expect("connections speak TLS only where there are terms for it");
        match acceptor.accept() {
            Ok(session) => {
                let deadline = Instant::now() + session.handshake_timeout();
                self.handshakes.deadlines.borrow_mut().push_back((deadline, Rc::downgrade(conn)));
                conn.transport.replace(Transport::Tls(Box::new(session)));
                true
            }
            Err(refusal) => {
                match refusal {
                    TlsRefusal::TooMany(_) => self.count(|stats| stats.handshakes_exceeded += 1),
                    _ => self.count(|stats| stats.handshakes_failed += 1),
                }
                self.complain(conn, &refusal);
                self.close(conn);
                false
            }
        }
    }

    /// Takes `taken` bytes of the socket from the scratch through TLS.
    fn open(&self, conn: &Rc<Connection>, scratch: &mut Scratch, taken: usize) -> Received {
        // The service may send from within, and closing sends too: nothing is borrowed any more.
        let (opened, completed) = match self.exchange(conn, scratch, taken) {
            Ok(outcome) => outcome,
            Err(_) => return Received::Lost,
        };
        match (opened, completed) {
            (Ok(Opened { bytes, ended }), completed @ (None | Some(Ok(_)))) => {
                if let Some(Ok(certificate)) = completed {
                    self.service.secured(conn.id, certificate.as_deref());
                }
                Received::Bytes { bytes, taken, ended }
            }
            (Err(refusal), _) | (_, Some(Err(refusal))) => {
                self.count(|stats| stats.handshakes_failed += 1);
                self.complain(conn, &refusal);
                self.close(conn);
                Received::Closing
            }
        }
    }

    /// Hands TLS what came, and sends what it has to say to that. An error is the socket's.
    fn exchange(&self, conn: &Connection, scratch: &mut Scratch, taken: usize) -> io::Result<Exchanged> {
        let mut transport = conn.transport.borrow_mut();
        let Transport::Tls(session) = &mut *transport else { unreachable!("only what speaks TLS is opened") };
        let opened = session.open(&scratch.wire[..taken], &mut scratch.plain);
        let wire = &mut *self.handshakes.wire.borrow_mut();
        session.take_output(wire);
        send_and_clear(conn, wire)?;
        Ok((opened, session.completed(conn.peer.ip())))
    }

    /// Where there is TLS, those who do without are counted.
    pub(crate) fn count_plain(&self, conn: &Connection) {
        if self.config.tls.is_some() {
            self.count(|stats| match conn.peer.ip().to_canonical().is_loopback() {
                true => stats.plain_local += 1,
                false => stats.plain_remote += 1,
            });
        }
    }

    /// Ends handshakes that take too long.
    pub(crate) fn end_late_handshakes(&self, now: Instant) {
        for conn in self.handshakes.late(now) {
            if conn.phase() == Phase::Open && is_handshaking(&conn) {
                self.count(|stats| stats.handshakes_failed += 1);
                self.complain(&conn, &"the handshake took too long (ssl.handshake.timeout.ms)");
                self.close(&conn);
            }
        }
    }

    /// Sends, or keeps what the socket does not take.
    pub(crate) fn send_through(&self, conn: &Connection, bytes: &[u8]) -> io::Result<()> {
        match &mut *conn.transport.borrow_mut() {
            Transport::Tls(session) => {
                let wire = &mut *self.handshakes.wire.borrow_mut();
                session.seal(bytes, wire);
                send_and_clear(conn, wire)
            }
            Transport::Plain | Transport::Undecided => conn.send(bytes),
        }
    }

    /// Tells the client that nothing more will come, where TLS has words for it.
    pub(crate) fn say_goodbye(&self, conn: &Connection) {
        if let Transport::Tls(session) = &mut *conn.transport.borrow_mut() {
            let wire = &mut *self.handshakes.wire.borrow_mut();
            session.say_goodbye(wire);
            // Whoever is gone needs to hear nothing.
            let _ = send_and_clear(conn, wire);
        }
    }

    /// The connection is gone: in the middle of its handshake?
    pub(crate) fn note_lost_handshake(&self, conn: &Connection) {
        if conn.phase() < Phase::Flushing && is_handshaking(conn) {
            self.count(|stats| stats.handshakes_failed += 1);
            tracing::debug!(peer = %conn.peer, "client left in the middle of the TLS handshake");
        }
    }

    /// Who comes with something wrong comes again: one line in a while is enough.
    fn complain(&self, conn: &Connection, why: &dyn std::fmt::Display) {
        let peer = conn.peer;
        tracing::debug!(%peer, %why, "TLS connection refused");
        let warn = || tracing::warn!(%peer, %why, "TLS connection refused (told once in ten seconds at most)");
        self.tls_complaints.borrow_mut().warn(warn);
    }
}

/// What came, and how the handshake ended if it did by this.
type Exchanged = (Result<Opened, TlsRefusal>, Option<Result<Option<Vec<u8>>, TlsRefusal>>);

fn is_handshaking(conn: &Connection) -> bool {
    matches!(&*conn.transport.borrow(), Transport::Tls(session) if session.is_handshaking())
}

fn send_and_clear(conn: &Connection, wire: &mut Vec<u8>) -> io::Result<()> {
    let sent = if wire.is_empty() { Ok(()) } else { conn.send(wire) };
    wire.clear();
    wire.shrink_to(KEPT_WIRE_BYTES);
    sent
}
