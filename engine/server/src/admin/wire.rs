//! A connection to the admin server, with TLS or without, for the one thread that reads and writes it.

use ringkeeper_net::{TlsEndpoint, begins_tls};
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// TLS of the admin server.
#[derive(Debug, Clone)]
pub(crate) struct Secure {
    /// What connections are made with.
    pub(crate) endpoint: TlsEndpoint,
    /// Those without it are taken, too.
    pub(crate) or_plain: bool,
}

impl Secure {
    /// For messages.
    pub(crate) const fn speaks(&self) -> &'static str {
        if self.or_plain { "HTTP and HTTPS" } else { "HTTPS" }
    }
}

/// See the module.
pub(super) enum Wire {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

/// A socket of which a read waits as long as nothing may happen, and never beyond the deadline, if there is one.
pub(super) struct Socket {
    stream: TcpStream,
    idle: Duration,
    deadline: Option<Instant>,
}

impl Socket {
    /// How long the next read may wait.
    fn patience(&self) -> io::Result<Duration> {
        let left = self.deadline.map_or(self.idle, |at| at.saturating_duration_since(Instant::now()).min(self.idle));
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.patience()?))?;
        self.stream.read(into)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Wire {
    /// A connection that has said nothing yet.
    pub(super) fn new(stream: TcpStream, idle: Duration) -> io::Result<Wire> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(idle))?;
        Ok(Wire::Plain(Socket { stream, idle, deadline: None }))
    }

    fn socket(&mut self) -> &mut Socket {
        match self {
            Wire::Plain(socket) => socket,
            Wire::Tls(tls) => &mut tls.sock,
        }
    }

    /// Until then all reads have to be done; without a time each may wait as long as nothing may happen.
    pub(super) fn set_deadline(&mut self, at: Option<Instant>) {
        self.socket().deadline = at;
    }

    /// Waits for the first byte, which stays: whether it is one of TLS. `None` if the connection ends before.
    pub(super) fn begins_tls(&mut self) -> io::Result<Option<bool>> {
        let socket = self.socket();
        socket.stream.set_read_timeout(Some(socket.patience()?))?;
        let mut first = [0];
        Ok((socket.stream.peek(&mut first)? > 0).then(|| begins_tls(first[0])))
    }

    /// The same connection with TLS, whose handshake is to come.
    pub(super) fn over_tls(self, endpoint: &TlsEndpoint) -> io::Result<Wire> {
        let Wire::Plain(mut socket) = self else { return Ok(self) };
        let (config, time) = endpoint.accepting();
        socket.deadline = Some(Instant::now() + time);
        let conn = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Wire::Tls(Box::new(StreamOwned::new(conn, socket))))
    }

    /// Completes the handshake, if there is one.
    pub(super) fn shake_hands(&mut self) -> io::Result<()> {
        let Wire::Tls(tls) = self else { return Ok(()) };
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock).map_err(|error| match error.kind() {
                // What reads say that have waited in vain, or were not to wait any more.
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long")
                }
                _ => error,
            })?;
        }
        Ok(())
    }

    /// What whoever is there has shown of itself, in DER.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        match self {
            Wire::Plain(_) => None,
            Wire::Tls(tls) => tls.conn.peer_certificates()?.first().map(|der| &**der),
        }
    }

    /// Says that nothing more will be sent. What still comes (the body of a request that should have none) is read for a
    /// moment: closing at once would take the answer back.
    pub(super) fn close(&mut self, linger: Duration) -> io::Result<()> {
        const BYTES: usize = 1 << 20;
        if let Wire::Tls(tls) = self {
            tls.conn.send_close_notify();
            while tls.conn.wants_write() {
                tls.conn.write_tls(&mut tls.sock)?;
            }
        }
        let socket = self.socket();
        socket.stream.shutdown(Shutdown::Write)?;
        (socket.idle, socket.deadline) = (linger, None);
        let (mut piece, mut swallowed) = ([0; 4096], 0);
        while swallowed < BYTES {
            match socket.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(read) => swallowed += read,
            }
        }
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(into),
            Wire::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(bytes),
            Wire::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(socket) => socket.flush(),
            Wire::Tls(tls) => tls.flush(),
        }
    }
}
