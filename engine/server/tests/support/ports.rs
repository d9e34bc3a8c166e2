//! Ports for servers of tests that run side by side, in several processes.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A port that nothing listens on, below those that the system gives to outgoing connections. It belongs to this process as
/// long as it lives: others that run tests side by side pass over it, also while nothing listens on it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(7919);
    for _ in 0..22_000 {
        let n = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + n % 22_000).expect("below 32000");
        if is_ours(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("there is no free port on loopback: is it down?")
}

/// Reserves a port for this process: a lock on the byte of that number, in a file that all tests share.
fn is_ours(port: u16) -> bool {
    static SHARED: OnceLock<File> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let path = std::env::temp_dir().join("ringkeeper-test-ports");
        File::options().create(true).truncate(false).read(true).write(true).open(path).unwrap()
    });
    let (kind, whence) = (libc::F_WRLCK as libc::c_short, libc::SEEK_SET as libc::c_short);
    let lock = libc::flock { l_type: kind, l_whence: whence, l_start: port.into(), l_len: 1, l_pid: 0 };
    // SAFETY: the call reads the structure, and the descriptor is open.
    unsafe { libc::fcntl(shared.as_raw_fd(), libc::F_OFD_SETLK, &lock) == 0 }
}
