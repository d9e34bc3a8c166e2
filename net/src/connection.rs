//! One connection: its socket, what it could not send yet, and how far its life has got.

use glommio::net::TcpStream;
use ringkeeper_core::ids::ConnId;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Poll, Waker, ready};

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
    /// The socket is of no more use; the reading task will notice and end.
    Dead,
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

/// What became of a piece of output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// The kernel has it all.
    All,
    /// Some is kept; a task that waits for room is at work already.
    Kept,
    /// Some is kept, and it is the first: a task has to wait for room.
    KeptFirst,
    /// The connection is lost.
    Lost,
}

/// One accepted connection.
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) peer: SocketAddr,
    /// The reading task and the draining task each borrow it only within a poll.
    pub(crate) stream: RefCell<TcpStream>,
    fd: RawFd,
    phase: Cell<Phase>,
    unsent: RefCell<Unsent>,
    /// Back-pressure holds the reading task.
    held_back: Cell<bool>,
    /// The reading task's, while it waits for something else than its socket.
    waker: Cell<Option<Waker>>,
    /// Still counted by `Admission`.
    pub(crate) counted: Cell<bool>,
}

impl Connection {
    pub(crate) fn new(id: ConnId, peer: SocketAddr, stream: TcpStream) -> Connection {
        Connection {
            id,
            peer,
            fd: stream.as_raw_fd(),
            stream: RefCell::new(stream),
            phase: Cell::new(Phase::Open),
            unsent: RefCell::default(),
            held_back: Cell::new(false),
            waker: Cell::new(None),
            counted: Cell::new(true),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Moves on to `phase`; a connection that is further already stays there.
    pub(crate) fn advance(&self, phase: Phase) {
        self.phase.set(self.phase.get().max(phase));
    }

    /// Parks the reading task until [`Connection::wake`]. Returns whether it was not held back before.
    pub(crate) fn hold_back(&self, waker: &Waker) -> bool {
        self.waker.set(Some(waker.clone()));
        !self.held_back.replace(true)
    }

    /// Back-pressure has ended.
    pub(crate) fn release(&self) {
        self.held_back.set(false);
        self.wake();
    }

    /// Wakes the reading task if it is parked.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Bytes that wait for the peer to read.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.borrow().len()
    }

    /// Sends behind what waits already, if anything does; what the kernel does not take is kept.
    pub(crate) fn send(&self, bytes: &[u8]) -> Sent {
        let mut unsent = self.unsent.borrow_mut();
        if unsent.len() > 0 {
            unsent.append(bytes);
            return Sent::Kept;
        }
        match send_now(self.fd, bytes) {
            Ok(n) if n == bytes.len() => Sent::All,
            Ok(n) => {
                unsent.append(&bytes[n..]);
                Sent::KeptFirst
            }
            Err(_) => Sent::Lost,
        }
    }

    /// Hands what waits to `write`, notes how much of it was taken, and returns how much is left.
    pub(crate) fn drain(&self, write: impl FnOnce(&[u8]) -> Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let mut unsent = self.unsent.borrow_mut();
        let taken = ready!(write(&unsent.bytes[unsent.start..]))?;
        unsent.advance(taken);
        Poll::Ready(Ok(unsent.len()))
    }

    /// Tells the peer that nothing more will come.
    pub(crate) fn shut_sending(&self) {
        self.advance(Phase::Lingering);
        self.shutdown(libc::SHUT_WR);
        self.wake();
    }

    /// Gives the socket up. The reading task wakes, finds the end of the stream, and closes it.
    pub(crate) fn kill(&self) {
        self.advance(Phase::Dead);
        self.shutdown(libc::SHUT_RDWR);
        self.wake();
    }

    fn shutdown(&self, how: libc::c_int) {
        // SAFETY: a plain system call on a descriptor that `stream` keeps open. It fails only if the peer has closed
        // the connection already, and then it is not needed.
        unsafe { libc::shutdown(self.fd, how) };
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
