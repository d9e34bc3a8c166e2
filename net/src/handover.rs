//! Accepted sockets on their way to the executor that will own them. One executor accepts and deals them out in turn.

use crate::bell::Bell;
use crossbeam::queue::SegQueue;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

/// An executor's end is in its readiness set; the other end belongs to whoever accepts.
#[derive(Debug)]
pub struct Handover {
    waiting: SegQueue<(Option<SocketAddr>, OwnedFd)>,
    /// Rings while something waits.
    bell: Bell,
}

impl Handover {
    /// Nothing waits.
    ///
    /// # Errors
    /// The system call's error: out of file descriptors or memory.
    pub(crate) fn new() -> io::Result<Arc<Handover>> {
        Ok(Arc::new(Handover { waiting: SegQueue::new(), bell: Bell::new()? }))
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.bell.fd()
    }

    /// Hands an admitted socket over.
    pub(crate) fn give(&self, peer: SocketAddr, fd: OwnedFd) {
        self.waiting.push((Some(peer), fd));
        self.bell.ring();
    }

    /// Hands over one end of a pair of sockets whose other end is in this process. It counts towards no limit.
    pub fn give_own(&self, fd: OwnedFd) {
        self.waiting.push((None, fd));
        self.bell.ring();
    }

    /// Silences the bell. What is given after this rings it again.
    pub(crate) fn silence(&self) {
        self.bell.silence();
    }

    /// A socket, and from where it is connected; `None`: from this process.
    pub(crate) fn take(&self) -> Option<(Option<SocketAddr>, OwnedFd)> {
        self.waiting.pop()
    }
}
