//! A timer of the kernel that wakes the event loop: epoll's own timeout counts whole milliseconds.

use super::clock::{Nanos, SECOND};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A timerfd. Its expiry is an event; nothing has to be read from it, because it is registered edge-triggered.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    /// What it is set to, so that it is not set again for nothing.
    armed: Nanos,
}

impl Timer {
    /// A timer that is not running, registered with `token`.
    ///
    /// # Errors
    /// Those of `timerfd_create` and of the registration.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Timer> {
        // SAFETY: no pointers are passed; the result is checked before use.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Timer { fd, armed: 0 })
    }

    /// Fires once at `when`, given that it is `now`. Replaces what was set before.
    ///
    /// # Errors
    /// Those of `timerfd_settime`.
    pub fn set(&mut self, now: Nanos, when: Nanos) -> io::Result<()> {
        if self.armed == when && when > now {
            return Ok(());
        }
        // A zero would disarm it.
        let delay = when.saturating_sub(now).max(1);
        let spec = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec {
                tv_sec: (delay / SECOND) as libc::time_t,
                tv_nsec: (delay % SECOND) as libc::c_long,
            },
        };
        // SAFETY: the descriptor is an open timerfd, `spec` outlives the call, and the old value is not asked for.
        let done = unsafe { libc::timerfd_settime(self.fd.as_raw_fd(), 0, &raw const spec, std::ptr::null_mut()) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        self.armed = when;
        Ok(())
    }
}
