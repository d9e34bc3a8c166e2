//! Wakes an executor from another thread: an eventfd in its readiness set.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// Readable from when it is rung until it is silenced.
#[derive(Debug)]
pub(crate) struct Bell {
    eventfd: File,
}

impl Bell {
    /// A silent bell.
    pub(crate) fn new() -> io::Result<Bell> {
        // SAFETY: no pointers; the descriptor is checked before it is owned.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else owns.
        Ok(Bell { eventfd: unsafe { File::from_raw_fd(fd) } })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }

    pub(crate) fn ring(&self) {
        // It can fail only when the counter is at its limit, and then the bell has rung.
        let _ = (&self.eventfd).write(&1u64.to_ne_bytes());
    }

    /// What happens after this rings it again.
    pub(crate) fn silence(&self) {
        let _ = (&self.eventfd).read(&mut [0; 8]);
    }
}
