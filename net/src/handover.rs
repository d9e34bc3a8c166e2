//! Accepted sockets on their way to the executor that will own them. One executor accepts and deals them out in turn.

use crate::bell::Bell;
use crate::transport::Speaks;
use crossbeam::queue::SegQueue;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

/// A socket with its peer (`None`: this process) and what it speaks.
pub(crate) type Admitted = (Option<SocketAddr>, OwnedFd, Speaks);

/// An executor's end is in its readiness set; the other end belongs to whoever accepts.
#[derive(Debug)]
pub struct Handover {
    waiting: SegQueue<Admitted>,
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
    pub(crate) fn give(&self, admitted: Admitted) {
        self.waiting.push(admitted);
        self.bell.ring();
    }

    /// Hands over one end of a pair of sockets whose other end is in this process. It counts towards no limit.
    pub fn give_own(&self, fd: OwnedFd) {
        self.waiting.push((None, fd, Speaks::Plain));
        self.bell.ring();
    }

    /// Silences the bell. What is given after this rings it again.
    pub(crate) fn silence(&self) {
        self.bell.silence();
    }

    pub(crate) fn take(&self) -> Option<Admitted> {
        self.waiting.pop()
    }
}
