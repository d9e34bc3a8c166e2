//! Accepted sockets on their way to the executor that will own them. One executor accepts and deals them out in turn.

use crossbeam::queue::SegQueue;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// An executor's end is in its readiness set; the other end belongs to whoever accepts.
#[derive(Debug)]
pub struct Handover {
    waiting: SegQueue<(SocketAddr, OwnedFd)>,
    /// An eventfd: readable while something waits.
    bell: File,
}

impl Handover {
    /// Nothing waits.
    ///
    /// # Errors
    /// The system call's error: out of file descriptors or memory.
    pub(crate) fn new() -> io::Result<Arc<Handover>> {
        // SAFETY: no pointers; the descriptor is checked before it is owned.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else owns.
        let bell = unsafe { File::from_raw_fd(fd) };
        Ok(Arc::new(Handover { waiting: SegQueue::new(), bell }))
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }

    /// Hands an admitted socket over.
    pub(crate) fn give(&self, peer: SocketAddr, fd: OwnedFd) {
        self.waiting.push((peer, fd));
        // It can fail only when the counter is at its limit, and then the bell has rung.
        let _ = (&self.bell).write(&1u64.to_ne_bytes());
    }

    /// Silences the bell. What is given after this rings it again.
    pub(crate) fn silence(&self) {
        let _ = (&self.bell).read(&mut [0; 8]);
    }

    pub(crate) fn take(&self) -> Option<(SocketAddr, OwnedFd)> {
        self.waiting.pop()
    }
}
