//! Sockets before glommio has them: binding, options, the limit on file descriptors.
//!
//! glommio's own `bind` fixes the backlog and sets `SO_REUSEPORT`, which lets two servers started by mistake share a
//! port in silence. So the listening socket is made here and handed over as a file descriptor.

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Connections that may wait for `accept`; the kernel cuts it to `net.core.somaxconn`.
pub const DEFAULT_BACKLOG: i32 = 4096;

/// Idle time before the kernel probes a peer, if keepalive is on.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// How an accepted socket is set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SocketOptions {
    /// Have the kernel probe silent peers (`tcpKeepAlive`). Sessions time out by themselves.
    pub keepalive: bool,
}

/// A listening socket on `addr`; port 0 takes a free one. An IPv6 wildcard address accepts IPv4 too.
///
/// # Errors
/// The system call's error; `AddrInUse` if another process listens there.
pub fn listen(addr: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server must not wait for its old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// Options of an accepted socket. Replies are assembled per turn, so Nagle's algorithm could only delay them.
///
/// # Errors
/// The system call's error: the peer may be gone already.
pub fn prepare_accepted(fd: BorrowedFd<'_>, options: SocketOptions) -> io::Result<()> {
    let socket = SockRef::from(&fd);
    socket.set_tcp_nodelay(true)?;
    if options.keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_IDLE))?;
    }
    Ok(())
}

/// Raises the soft limit on file descriptors to the hard one: every connection is one. Returns the limit in force.
///
/// # Errors
/// The system call's error.
pub fn raise_fd_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the kernel to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: `limit` is a valid rlimit that the kernel only reads.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(limit.rlim_cur)
}
