//! One session's connection: bytes in, bytes out, operations in flight.

use super::clock::{Nanos, SECOND};
use super::failure::Failure;
use crate::op::OpKind;
use mio::net::TcpStream;
use ringkeeper_core::jute::{ConnectRequest, ConnectResponse, ReplyHeader, Request, WatcherEvent};
use ringkeeper_core::jute::{append_connect_request, append_request};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

/// Longest payload that is taken from a server. Servers do not limit what they send; this only tells a reply from
/// bytes that are none.
const MAX_FRAME: usize = 1 << 30;

/// How far the connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// TCP is not established.
    Connecting,
    /// The connect request is on its way or being answered.
    Greeting,
    /// The session is established.
    Ready,
    /// Closing of the session was asked for.
    Closing,
    /// Over.
    Closed,
}

/// An operation whose reply is awaited.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    /// When it was meant to be sent.
    pub intended: Nanos,
    /// When it was sent.
    pub sent: Nanos,
    /// What the job needs to recognise it.
    pub tag: u32,
    /// Its kind.
    pub kind: OpKind,
}

/// What came from a server.
#[derive(Debug)]
pub enum Arrived<'a> {
    /// The session is established.
    Session,
    /// The reply to an operation; a body only if the code is 0.
    Reply {
        /// The operation.
        op: InFlight,
        /// The zxid of the transaction, or of the newest one that the server had applied.
        zxid: i64,
        /// The error code.
        err: i32,
        /// The body.
        body: &'a [u8],
    },
    /// A watch has fired.
    Event {
        /// The zxid of the change, where the server tells it; -1 otherwise.
        zxid: i64,
        /// What happened.
        event: WatcherEvent<'a>,
    },
    /// The reply to the ping that was sent then.
    Pong {
        /// When the ping was sent.
        sent: Nanos,
    },
    /// The session is closed.
    Farewell {
        /// The zxid of the transaction that closed it.
        zxid: i64,
    },
}

/// What a client needs to continue its session on another connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    session: i64,
    passwd: Vec<u8>,
    /// Newest zxid that the client has seen: a server that is behind it must not serve the client.
    last_zxid: i64,
}

impl Identity {
    /// Of a client that has no session.
    fn none() -> Identity {
        Identity { session: 0, passwd: vec![0; 16], last_zxid: 0 }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub stream: TcpStream,
    /// How far it is.
    pub state: State,
    /// Where it leads.
    pub server: SocketAddr,
    /// Operations that await a reply, in the order of their xids.
    pub in_flight: VecDeque<InFlight>,
    /// When the connection attempt began.
    pub began: Nanos,
    identity: Identity,
    /// Session timeout: asked for, then granted.
    timeout: Nanos,
    out: Vec<u8>,
    written: usize,
    partial: Vec<u8>,
    next_xid: i32,
    awaited_xid: i32,
    last_sent: Nanos,
    last_heard: Nanos,
    ping_sent: Option<Nanos>,
}

impl Connection {
    /// Begins to connect, to ask for a new session.
    ///
    /// # Errors
    /// What the kernel can tell at once.
    pub fn begin(server: SocketAddr, timeout: Nanos, now: Nanos) -> io::Result<Connection> {
        Connection::resume(server, timeout, Identity::none(), now)
    }

    /// Begins to connect, to continue a session.
    ///
    /// # Errors
    /// What the kernel can tell at once.
    pub fn resume(server: SocketAddr, timeout: Nanos, identity: Identity, now: Nanos) -> io::Result<Connection> {
        Ok(Connection {
            stream: TcpStream::connect(server)?,
            state: State::Connecting,
            server,
            in_flight: VecDeque::new(),
            began: now,
            identity,
            timeout,
            out: Vec::new(),
            written: 0,
            partial: Vec::new(),
            next_xid: 1,
            awaited_xid: 1,
            last_sent: now,
            last_heard: now,
            ping_sent: None,
        })
    }

    /// Tells whether TCP is established by now, and if so asks for a session.
    ///
    /// # Errors
    /// Why the connection failed.
    pub fn greet(&mut self, now: Nanos) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotConnected => return Ok(false),
            Err(e) => return Err(e),
        }
        self.stream.set_nodelay(true)?;
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.identity.last_zxid,
            timeout_ms: i32::try_from(self.timeout / 1_000_000).unwrap_or(i32::MAX),
            session_id: self.identity.session,
            passwd: Some(&self.identity.passwd),
            read_only: Some(false),
        };
        append_connect_request(&mut self.out, &request);
        self.state = State::Greeting;
        self.last_sent = now;
        self.last_heard = now;
        self.flush()?;
        Ok(true)
    }

    /// What continues this session elsewhere.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where the next request of this connection is to be appended, and with which xid. Follow up with
    /// [`Connection::sent`].
    pub fn request(&mut self) -> (&mut Vec<u8>, i32) {
        (&mut self.out, self.next_xid)
    }

    /// Notes that a request was appended to the output.
    pub fn sent(&mut self, op: InFlight) {
        self.next_xid = following(self.next_xid);
        self.last_sent = op.sent;
        self.in_flight.push_back(op);
    }

    /// Writes what there is to write, as far as the socket takes it: the rest goes out when the socket has room.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(n) => {
                    self.written += n;
                    if self.written < self.out.len() {
                        // The socket is full; the event that it has room is sure to come.
                        return Ok(());
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads once into `scratch`.
    ///
    /// # Errors
    /// Those of the socket, `WouldBlock` included.
    pub fn read(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(scratch) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Takes bytes that were read at `now` and hands on all whole replies in them.
    ///
    /// # Errors
    /// The handler's, or the server's breach of the protocol.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        now: Nanos,
        mut handle: impl FnMut(&mut Connection, Arrived<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.last_heard = now;
        if self.partial.is_empty() {
            let used = self.frames(bytes, &mut handle)?;
            self.partial.extend_from_slice(&bytes[used..]);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            let used = self.frames(&whole, &mut handle)?;
            whole.drain(..used);
            self.partial = whole;
        }
        Ok(())
    }

    /// Hands on the frames at the front of `bytes`; returns how many bytes they took.
    fn frames(
        &mut self,
        bytes: &[u8],
        handle: &mut impl FnMut(&mut Connection, Arrived<'_>) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let mut rest = bytes;
        while let Some((head, tail)) = rest.split_first_chunk::<4>() {
            let len = i32::from_be_bytes(*head);
            let len = usize::try_from(len).ok().filter(|&len| len <= MAX_FRAME);
            let len = len.ok_or_else(|| self.breach(format!("frame of {} bytes", i32::from_be_bytes(*head))))?;
            let Some((payload, tail)) = tail.split_at_checked(len) else { break };
            rest = tail;
            let arrived = self.arrived(payload)?;
            handle(self, arrived)?;
        }
        Ok(bytes.len() - rest.len())
    }

    fn arrived<'a>(&mut self, payload: &'a [u8]) -> Result<Arrived<'a>, Failure> {
        if self.state == State::Greeting {
            return self.welcome(payload);
        }
        let (header, body) =
            ReplyHeader::decode(payload).map_err(|_| self.breach(format!("reply of {} bytes", payload.len())))?;
        if header.xid == ReplyHeader::PING {
            let sent = self.ping_sent.take().ok_or_else(|| self.breach("reply to a ping that was not sent".into()))?;
            return Ok(Arrived::Pong { sent });
        }
        if header.xid == ReplyHeader::NOTIFICATION {
            let event = WatcherEvent::decode(body);
            let event = event.map_err(|_| self.breach(format!("event of {} bytes", body.len())))?;
            return Ok(Arrived::Event { zxid: header.zxid, event });
        }
        if header.err == SESSION_EXPIRED {
            return Err(Failure::SessionExpired { server: self.server.to_string(), session: self.identity.session });
        }
        if header.xid != self.awaited_xid {
            let server = self.server.to_string();
            return Err(Failure::Skipped { server, got: header.xid, due: self.awaited_xid });
        }
        self.identity.last_zxid = self.identity.last_zxid.max(header.zxid);
        if let Some(op) = self.in_flight.pop_front() {
            self.awaited_xid = following(self.awaited_xid);
            Ok(Arrived::Reply { op, zxid: header.zxid, err: header.err, body })
        } else if self.state == State::Closing {
            Ok(Arrived::Farewell { zxid: header.zxid })
        } else {
            Err(self.breach(format!("reply to xid {}, which was not sent", header.xid)))
        }
    }

    fn welcome<'a>(&mut self, payload: &[u8]) -> Result<Arrived<'a>, Failure> {
        let response = ConnectResponse::decode(payload)
            .map_err(|_| self.breach(format!("connect response of {} bytes", payload.len())))?;
        if response.timeout_ms <= 0 || response.session_id == 0 {
            return Err(Failure::SessionExpired { server: self.server.to_string(), session: response.session_id });
        }
        self.identity.session = response.session_id;
        self.identity.passwd = response.passwd.to_vec();
        self.timeout = response.timeout_ms as Nanos * 1_000_000;
        self.state = State::Ready;
        Ok(Arrived::Session)
    }

    /// Sends a ping if nothing was sent for a third of the session timeout, as clients do.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn keep_alive(&mut self, now: Nanos) -> io::Result<()> {
        if self.ping_sent.is_some() || now.saturating_sub(self.last_sent) < self.timeout / 3 {
            return Ok(());
        }
        append_request(&mut self.out, ReplyHeader::PING, &Request::Ping);
        self.ping_sent = Some(now);
        self.last_sent = now;
        self.flush()
    }

    /// The failure, if nothing was heard for two thirds of the session timeout.
    pub fn silent(&self, now: Nanos) -> Option<Failure> {
        let silence = now.saturating_sub(self.last_heard);
        (silence > self.timeout / 3 * 2).then(|| Failure::Silent {
            server: self.server.to_string(),
            in_flight: self.in_flight.len(),
            millis: silence / 1_000_000,
        })
    }

    /// The session, once it is established.
    pub fn session(&self) -> i64 {
        self.identity.session
    }

    /// The session timeout that was granted.
    pub fn timeout(&self) -> Nanos {
        self.timeout
    }

    /// Asks the server to close the session.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn say_goodbye(&mut self) -> io::Result<()> {
        append_request(&mut self.out, self.next_xid, &Request::CloseSession);
        self.state = State::Closing;
        self.flush()
    }

    /// The failure of a connection that ended with `cause`, or was closed by the server if there is none.
    pub fn ended(&self, cause: Option<io::Error>, established: usize) -> Failure {
        let server = self.server.to_string();
        match (self.state, cause) {
            // Accepted and reset before we could say a word: it was the server, not the network.
            (State::Connecting, Some(cause)) if !reset(&cause) => Failure::Connect { server, cause },
            (State::Connecting | State::Greeting, _) => Failure::Turned { server, established },
            (_, cause) => Failure::Lost {
                server,
                in_flight: self.in_flight.len(),
                cause: cause.map_or_else(|| "the server closed it".into(), |e| e.to_string()),
            },
        }
    }

    /// The failure of a handshake that lasts longer than `limit`.
    pub fn late(&self, now: Nanos, limit: Nanos) -> Option<Failure> {
        (now.saturating_sub(self.began) > limit)
            .then(|| Failure::ConnectTimeout { server: self.server.to_string(), seconds: limit.div_ceil(SECOND) })
    }

    /// A breach of the protocol.
    pub fn breach(&self, what: String) -> Failure {
        Failure::Protocol { server: self.server.to_string(), what }
    }
}

const SESSION_EXPIRED: i32 = -112;

fn reset(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Xids of operations are positive.
fn following(xid: i32) -> i32 {
    xid.checked_add(1).unwrap_or(1)
}
