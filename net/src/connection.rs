//! One connection: its socket, its place in the byte stream, what it could not send yet, how far its life has got.

use crate::framer::Framer;
use crate::transport::Transport;
use ringkeeper_core::ids::ConnId;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Where a connection is in its life; it only moves forward.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Phase {
    /// Frames are cut and handed to the service.
    Open,
    /// Nothing that comes in counts any more; an answer is still to be given.
    Deaf,
    /// The service has said its last word; what is unsent is still being sent.
    Flushing,
    /// Everything is sent and the sending side is shut. Input is thrown away until the peer closes too: closing a
    /// socket with unread input resets the connection, and the peer might lose the last reply.
    Lingering,
    /// Of no more use.
    Dead,
}

/// One accepted connection.
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) peer: SocketAddr,
    /// What the readiness set knows it under.
    pub(crate) token: u64,
    pub(crate) framer: RefCell<Framer>,
    /// What it speaks.
    pub(crate) transport: RefCell<Transport>,
    /// Back-pressure: the service did not accept input when there was some.
    pub(crate) held_back: Cell<bool>,
    /// Still counted by `Admission`.
    pub(crate) counted: Cell<bool>,
    fd: OwnedFd,
    /// Bytes thrown away since nothing that comes in counts.
    discarded: Cell<usize>,
    phase: Cell<Phase>,
    unsent: RefCell<Unsent>,
}

impl Connection {
    pub(crate) fn new(id: ConnId, peer: SocketAddr, token: u64, fd: OwnedFd, transport: Transport) -> Connection {
        Connection {
            id,
            peer,
            token,
            framer: RefCell::default(),
            transport: RefCell::new(transport),
            held_back: Cell::new(false),
            counted: Cell::new(true),
            fd,
            discarded: Cell::new(0),
            phase: Cell::new(Phase::Open),
            unsent: RefCell::default(),
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Moves on to `phase`; a connection that is further already stays there.
    pub(crate) fn advance(&self, phase: Phase) {
        self.phase.set(self.phase.get().max(phase));
    }

    /// Whether there is a whole frame that the service did not take when it was offered.
    pub(crate) fn has_whole_frame(&self) -> bool {
        let framer = self.framer.borrow();
        self.phase() == Phase::Open && !framer.held().is_empty() && framer.missing() == 0
    }

    /// Notes that so much input was thrown away; returns how much by now.
    pub(crate) fn discard(&self, bytes: usize) -> usize {
        self.discarded.set(self.discarded.get() + bytes);
        self.discarded.get()
    }

    /// Bytes that wait for the peer to read.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.borrow().len()
    }

    /// Sends behind what waits already, if anything does; what the kernel does not take is kept.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut unsent = self.unsent.borrow_mut();
        let taken = if unsent.len() > 0 { 0 } else { send_now(self.fd(), bytes)? };
        if taken < bytes.len() {
            unsent.append(&bytes[taken..]);
        }
        Ok(())
    }

    /// Sends of what waits as much as the kernel takes.
    pub(crate) fn send_more(&self) -> io::Result<()> {
        let mut unsent = self.unsent.borrow_mut();
        let taken = send_now(self.fd(), unsent.bytes())?;
        unsent.advance(taken);
        Ok(())
    }

    /// Receives once, without waiting: `None` if there is nothing, 0 at the end of the stream.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            // SAFETY: pointer and length are those of a live slice that the kernel may fill.
            let n = unsafe { libc::recv(self.fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
            if let Ok(n) = usize::try_from(n) {
                return Ok(Some(n));
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(None),
                io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            }
        }
    }

    /// Tells the peer that nothing more will come.
    pub(crate) fn shut_sending(&self) {
        self.advance(Phase::Lingering);
        // SAFETY: a plain system call on an open descriptor. It fails only if the peer has closed the connection
        // already, and then it is not needed.
        unsafe { libc::shutdown(self.fd(), libc::SHUT_WR) };
    }
}

/// Output that the socket did not take.
#[derive(Debug, Default)]
struct Unsent {
    bytes: Vec<u8>,
    /// Bytes of `bytes` that are sent.
    start: usize,
}

impl Unsent {
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn append(&mut self, more: &[u8]) {
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(more);
    }

    fn advance(&mut self, n: usize) {
        self.start += n;
        if self.len() == 0 {
            *self = Unsent::default();
        }
    }
}

/// One non-blocking `send`: the number of bytes that the kernel took, 0 if it has no room.
fn send_now(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    loop {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: pointer and length are those of a live slice, which the kernel only reads.
        let n = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
        if let Ok(n) = usize::try_from(n) {
            return Ok(n);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock => return Ok(0),
            io::ErrorKind::Interrupted => {}
            _ => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsent_output_keeps_its_order_and_gives_its_memory_back() {
        let mut unsent = Unsent::default();
        let (mut given, mut taken) = (0..=u8::MAX, Vec::new());
        for step in 1..80usize {
            let more: Vec<u8> = given.by_ref().take(step % 7).collect();
            unsent.append(&more);
            let n = (step % 5).min(unsent.len());
            taken.extend_from_slice(&unsent.bytes()[..n]);
            unsent.advance(n);
        }
        taken.extend_from_slice(unsent.bytes());
        unsent.advance(unsent.len());
        assert!(taken.iter().enumerate().all(|(at, byte)| at as u8 == *byte), "{taken:?}");
        assert_eq!(unsent.bytes.capacity(), 0);
    }
}
