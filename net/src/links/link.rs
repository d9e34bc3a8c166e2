//! One connection between two servers, from the first packet to the end: how far it has got, what it holds.

use crate::links::fault::LinkDown;
use crate::links::greeting::GREETING_BYTES;
use crate::links::identity::{Mismatch, Origin};
use crate::links::inbound::Inbound;
use crate::links::outbound::{Outbound, send_output};
use crate::links::secure::Transport;
use socket2::{SockRef, Socket};
use std::cell::{Cell, RefCell};
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

/// Where a connection is in its life; it only moves forward.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stage {
    /// The kernel makes the connection.
    Connecting,
    /// TLS is agreed on, or it is not known yet whether it is spoken.
    Securing,
    /// The other side has not said (all of) who it is.
    Greeting,
    /// Messages pass.
    Up,
    /// Of no more use.
    Ended,
}

/// Why a connection ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// It was a link, or could have become one.
    Down(LinkDown),
    /// It is none.
    Refused(Mismatch),
    /// It was not made in time.
    ConnectTimeout,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Down(down) => down.fmt(f),
            End::Refused(mismatch) => mismatch.fmt(f),
            End::ConnectTimeout => f.write_str("no answer to the attempt to connect"),
        }
    }
}

/// One connection.
pub(crate) struct Link {
    /// What the readiness set knows it under; never used again.
    pub(crate) token: u64,
    pub(crate) remote: SocketAddr,
    pub(crate) origin: Origin,
    /// Place of the peer in the list of peers; an accepted connection has none until it has greeted.
    pub(crate) place: Cell<Option<usize>>,
    /// Until when the current stage may last, if it is not `Up`.
    pub(crate) deadline: Cell<Instant>,
    pub(crate) transport: RefCell<Transport>,
    pub(crate) greeting: RefCell<GreetingIn>,
    pub(crate) inbound: RefCell<Inbound>,
    pub(crate) outbound: RefCell<Outbound>,
    /// The socket has no room; an event will tell when it has.
    pub(crate) blocked: Cell<bool>,
    /// It was reported up, so it has to be reported down.
    pub(crate) was_up: Cell<bool>,
    pub(crate) end: RefCell<Option<End>>,
    stage: Cell<Stage>,
    fd: OwnedFd,
}

/// What has arrived of a greeting.
pub(crate) struct GreetingIn {
    pub(crate) bytes: [u8; GREETING_BYTES],
    pub(crate) len: usize,
}

impl GreetingIn {
    /// Takes from the chunk what belongs to the greeting. Returns what is there by now.
    pub(crate) fn complete(&mut self, chunk: &mut &[u8]) -> &[u8] {
        let take = (GREETING_BYTES - self.len).min(chunk.len());
        let (front, rest) = chunk.split_at(take);
        self.bytes[self.len..self.len + take].copy_from_slice(front);
        self.len += take;
        *chunk = rest;
        &self.bytes[..self.len]
    }
}

impl Link {
    pub(crate) fn new(token: u64, socket: Socket, remote: SocketAddr, origin: Origin, deadline: Instant) -> Link {
        let stage = if origin == Origin::Accepted { Stage::Securing } else { Stage::Connecting };
        Link {
            token,
            remote,
            origin,
            place: Cell::new(None),
            deadline: Cell::new(deadline),
            transport: RefCell::new(Transport::Plain),
            greeting: RefCell::new(GreetingIn { bytes: [0; GREETING_BYTES], len: 0 }),
            inbound: RefCell::default(),
            outbound: RefCell::default(),
            blocked: Cell::new(false),
            was_up: Cell::new(false),
            end: RefCell::default(),
            stage: Cell::new(stage),
            fd: socket.into(),
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Moves on to `stage`; a connection that is further already stays there.
    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.set(self.stage.get().max(stage));
    }

    /// It is known that there is no TLS.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(&*self.transport.borrow(), Transport::Plain)
    }

    /// It is known that there is TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        matches!(&*self.transport.borrow(), Transport::Tls(_))
    }

    /// Why an attempt to connect has failed, if it has.
    pub(crate) fn connect_error(&self) -> io::Result<()> {
        SockRef::from(&self.fd).take_error()?.map_or(Ok(()), Err)
    }

    /// Sends of what is queued up to `limit` bytes, or until the socket takes no more. Returns whether something that
    /// it would take is left.
    pub(crate) fn send_queued(&self, limit: usize) -> io::Result<bool> {
        let (mut outbound, mut transport) = (self.outbound.borrow_mut(), self.transport.borrow_mut());
        let enough = outbound.len().saturating_sub(limit);
        loop {
            let has_room = match &mut *transport {
                Transport::Tls(session) => outbound.send_sealed(session, self.fd.as_fd())?,
                _ if outbound.len() == 0 => return Ok(false),
                _ => outbound.send(self.fd.as_fd())?,
            };
            if !has_room {
                self.blocked.set(true);
                return Ok(false);
            }
            if outbound.len() <= enough {
                return Ok(outbound.len() > 0);
            }
        }
    }

    /// Sends what TLS itself has to say, and nothing that is queued: that goes at the end of a turn, and a session that has
    /// failed takes it no more.
    pub(crate) fn send_tls(&self) -> io::Result<()> {
        if let Transport::Tls(session) = &mut *self.transport.borrow_mut()
            && !send_output(session, self.fd.as_fd())?
        {
            self.blocked.set(true);
        }
        Ok(())
    }

    /// Receives once, without waiting: `None` if there is nothing, 0 at the end of the stream. No byte is written to the
    /// buffer that was not received.
    pub(crate) fn receive(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<Option<usize>> {
        loop {
            match SockRef::from(&self.fd).recv_with_flags(buffer, libc::MSG_DONTWAIT) {
                Ok(n) => return Ok(Some(n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
