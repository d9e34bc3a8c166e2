//! One connection to one server: frames cut from the stream, and the exchange that begins it.

use crate::client::Options;
use crate::tls::Wire;
use ringkeeper_core::jute::{ConnectRequest, ConnectResponse, append_connect_request, first_payload};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Longest payload that is accepted: far above what servers send (a list of all children is as long as it is), far below what
/// could exhaust the memory of a tool's machine.
const MAX_PAYLOAD: usize = 512 << 20;

/// The reading half.
pub(crate) struct Connection {
    wire: Wire,
    buffer: Vec<u8>,
}

/// What a server granted.
pub(crate) struct Granted {
    pub timeout: Duration,
    pub session: i64,
    pub passwd: Vec<u8>,
    pub read_only: bool,
}

/// What became of the attempt to open a connection.
pub(crate) enum Opened {
    Granted(Connection, Granted),
    /// The session is gone.
    Expired,
}

impl Connection {
    /// Connects and asks for the session of `request`, all within `patience`.
    pub(crate) fn open(
        (host, address): (&str, SocketAddr),
        request: &ConnectRequest<'_>,
        options: &Options,
        patience: Duration,
    ) -> io::Result<Opened> {
        let deadline = Instant::now() + patience;
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(patience))?;
        let wire = Wire::over(stream, options.tls.as_ref(), host, patience)?;
        let mut connection = Connection { wire, buffer: Vec::new() };
        let mut out = Vec::new();
        append_connect_request(&mut out, request);
        connection.wire.write_all(&out)?;
        let frame = connection
            .frame_before(deadline)?
            .ok_or_else(|| io::Error::new(ErrorKind::TimedOut, "it accepts connections but does not answer"))?;
        let response = ConnectResponse::decode(&frame)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("not ZooKeeper's protocol: {error}")))?;
        let Ok(timeout @ 1..) = u64::try_from(response.timeout_ms) else { return Ok(Opened::Expired) };
        let granted = Granted {
            timeout: Duration::from_millis(timeout),
            session: response.session_id,
            passwd: response.passwd.to_vec(),
            read_only: response.read_only == Some(true),
        };
        Ok(Opened::Granted(connection, granted))
    }

    /// A handle for writing.
    pub(crate) fn writer(&self) -> Wire {
        self.wire.clone()
    }

    /// The next frame without its length, or `None` if there is none before the deadline.
    pub(crate) fn frame_before(&mut self, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        loop {
            let payload = first_payload(&self.buffer, MAX_PAYLOAD).map_err(|error| {
                io::Error::new(ErrorKind::InvalidData, format!("not ZooKeeper's protocol: {error}"))
            })?;
            if let Some(payload) = payload {
                let frame = payload.to_vec();
                self.buffer.drain(..frame.len() + ringkeeper_core::jute::PREFIX_LEN);
                return Ok(Some(frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.wire.set_read_timeout(left)?;
            let mut chunk = [0; 64 << 10];
            match self.wire.read(&mut chunk) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
