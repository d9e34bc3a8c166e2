//! TLS on the way to a server: one session of TLS that a reading thread and those who send share.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a client speaks TLS: whom it trusts, and its own certificate. The server's certificate must be for the host that was named.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Tls {
    /// With this configuration.
    #[must_use]
    pub fn new(config: Arc<ClientConfig>) -> Tls {
        Tls(config)
    }
}

/// What a connection speaks, for whoever reads and whoever writes.
#[derive(Clone)]
pub(crate) enum Wire {
    Plain(Arc<TcpStream>),
    Tls(Arc<TlsStream>),
}

/// A connection that speaks TLS.
pub(crate) struct TlsStream {
    tcp: TcpStream,
    session: Mutex<ClientConnection>,
    /// Held from encrypting until what was encrypted is sent, so that records stay in order; never while one waits to receive.
    sending: Mutex<()>,
}

impl Wire {
    /// Over this connection to `host`. The handshake has as much time as the connection's timeouts give it.
    pub(crate) fn over(mut tcp: TcpStream, tls: Option<&Tls>, host: &str, patience: Duration) -> io::Result<Wire> {
        let Some(Tls(config)) = tls else { return Ok(Wire::Plain(Arc::new(tcp))) };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            io::Error::new(ErrorKind::InvalidInput, format!("{host} is no name that a certificate could have"))
        })?;
        let mut session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        tcp.set_read_timeout(Some(patience))?;
        session.complete_io(&mut tcp).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                io::Error::new(ErrorKind::TimedOut, "it accepts connections but does not speak TLS")
            }
            kind => io::Error::new(kind, format!("TLS: {error}")),
        })?;
        // Nobody waits for what is bounded elsewhere.
        session.set_buffer_limit(None);
        Ok(Wire::Tls(Arc::new(TlsStream { tcp, session: Mutex::new(session), sending: Mutex::new(()) })))
    }

    pub(crate) fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        self.tcp().set_read_timeout(Some(time))
    }

    /// Ends the connection in both directions.
    pub(crate) fn shutdown(&self) {
        // Whoever is gone already needs no end.
        let _ = self.tcp().shutdown(Shutdown::Both);
    }

    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Wire::Plain(tcp) => (&**tcp).write_all(bytes),
            Wire::Tls(stream) => stream.send(bytes),
        }
    }

    /// As [`Read::read`]; a timeout may come early.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(tcp) => (&**tcp).read(buffer),
            Wire::Tls(stream) => stream.receive(buffer),
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(stream) => &stream.tcp,
        }
    }
}

impl TlsStream {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            session.writer().write_all(bytes)?;
            while session.wants_write() {
                session.write_tls(&mut records)?;
            }
        }
        (&self.tcp).write_all(&records)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let lock = || self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match lock().reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            decided => return decided,
        }
        // Less than TLS keeps of what is not read yet.
        let mut records = [0; 8 << 10];
        let received = (&self.tcp).read(&mut records)?;
        let (mut session, mut records) = (lock(), &records[..received]);
        if received == 0 {
            return Ok(0);
        }
        while !records.is_empty() && session.read_tls(&mut records)? > 0 {
            session
                .process_new_packets()
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("TLS: {error}")))?;
        }
        let (read, answers) = (session.reader().read(buffer), session.wants_write());
        drop(session);
        if answers {
            self.send(&[])?;
        }
        read
    }
}
