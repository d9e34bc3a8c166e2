//! What the machine must offer, found out before glommio is started: it would panic where a sentence is due.

use std::io;
use thiserror::Error;

/// glommio refuses to start with less locked memory.
pub(crate) const MEMLOCK_BYTES: u64 = 512 << 10;

/// What is missing.
#[derive(Debug, Error)]
pub enum Unfit {
    /// `io_uring_setup` is blocked.
    #[error(
        "the kernel refuses io_uring ({0}), which Ringkeeper needs. In a container its seccomp profile usually is the \
         reason: allow io_uring_setup, io_uring_enter and io_uring_register (docker run --security-opt \
         seccomp=PROFILE, or =unconfined to try). Outside one, look at sysctl kernel.io_uring_disabled (0 allows it) \
         and at the kernel's version (5.8 or later)"
    )]
    NoUring(io::Error),
    /// The limit on locked memory is too low.
    #[error(
        "the limit on locked memory is {0} KiB, {need} KiB are needed: raise it with ulimit -l, LimitMEMLOCK= in a \
         systemd unit, or docker run --ulimit memlock=-1", need = MEMLOCK_BYTES >> 10
    )]
    Memlock(u64),
    /// Anything else that the kernel says.
    #[error("the kernel refuses {what}: {source}")]
    Kernel {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

/// Whether an executor can be started here.
///
/// # Errors
/// [`Unfit`], with the remedy.
pub fn check() -> Result<(), Unfit> {
    check_memlock()?;
    check_uring()
}

fn check_uring() -> Result<(), Unfit> {
    try_uring().map_err(|error| match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => Unfit::NoUring(error),
        _ => Unfit::Kernel { what: "an io_uring", source: error },
    })
}

/// Makes a small ring and closes it again.
///
/// # Errors
/// The kernel's answer.
pub(crate) fn try_uring() -> io::Result<()> {
    /// `struct io_uring_params` of linux/io_uring.h: 120 bytes, all zero for "no wishes".
    #[repr(C, align(8))]
    struct Params([u8; 120]);
    let mut params = Params([0; 120]);
    // SAFETY: the kernel fills `params`, which is as large as it expects.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1u32, &raw mut params) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = libc::c_int::try_from(fd).expect("a descriptor is a C int");
    // SAFETY: closes the descriptor that was just made.
    unsafe { libc::close(fd) };
    Ok(())
}

fn check_memlock() -> Result<(), Unfit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the kernel to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } != 0 {
        return Err(Unfit::Kernel { what: "to tell the limit on locked memory", source: io::Error::last_os_error() });
    }
    if limit.rlim_cur < MEMLOCK_BYTES {
        limit.rlim_cur = limit.rlim_max.min(MEMLOCK_BYTES);
        // SAFETY: `limit` is a valid rlimit that the kernel only reads. If it fails, the check below says so.
        unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
    }
    if limit.rlim_cur < MEMLOCK_BYTES { Err(Unfit::Memlock(limit.rlim_cur >> 10)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_remedy() {
        let blocked = Unfit::NoUring(io::Error::from_raw_os_error(libc::EPERM)).to_string();
        assert!(["seccomp", "kernel.io_uring_disabled", "docker run"].iter().all(|word| blocked.contains(word)));
        assert!(Unfit::Memlock(64).to_string().contains("64 KiB, 512 KiB are needed"));
    }
}
