//! Wakes the task of the links at a given time: a timerfd in its readiness set, so that there is one thing to wait for.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// Readable from the time it is set to until it is silenced.
pub(crate) struct Alarm {
    timerfd: OwnedFd,
    at: Cell<Option<Instant>>,
}

impl Alarm {
    /// An alarm that is not set.
    pub(crate) fn new() -> io::Result<Alarm> {
        // SAFETY: no pointers; the descriptor is checked before it is owned.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else owns.
        Ok(Alarm { timerfd: unsafe { OwnedFd::from_raw_fd(fd) }, at: Cell::new(None) })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.timerfd.as_raw_fd()
    }

    /// Rings at `at` and at no other time; `None` is never.
    pub(crate) fn set(&self, at: Option<Instant>) {
        if self.at.replace(at) == at {
            return;
        }
        // A timer of zero would be switched off.
        let left =
            at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1)));
        let value = libc::timespec {
            tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let timer = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // SAFETY: `timer` is valid for the call; the kernel is not asked for the old setting.
        if unsafe { libc::timerfd_settime(self.fd(), 0, &raw const timer, std::ptr::null_mut()) } != 0 {
            tracing::error!(error = %io::Error::last_os_error(), "cannot set a timer");
        }
    }

    /// To be called when it has rung.
    pub(crate) fn silence(&self) {
        let mut expirations = [0; 8];
        // SAFETY: the buffer is as long as is said. Having nothing to read is no fault: it was set again meanwhile.
        unsafe { libc::read(self.fd(), expirations.as_mut_ptr().cast(), expirations.len()) };
        self.at.set(None);
    }
}
