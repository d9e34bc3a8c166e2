//! Accepts connections: limits, socket options, and calm when file descriptors run out.

use crate::admission::Refusal;
use crate::listener::{SocketOptions, prepare_accepted};
use socket2::Socket;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Pause after an `accept` that failed for want of resources: connections end in their own time.
pub(crate) const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// At most one complaint in this time.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// What one attempt to accept gave.
pub(crate) enum Accepted {
    /// A connection.
    Connection(SocketAddr, OwnedFd),
    /// Nobody waits.
    Nobody,
    /// One connection failed before it was accepted.
    Failed,
    /// The process or the machine has no room for more.
    Exhausted,
}

/// Takes one waiting connection from a non-blocking listener.
pub(crate) fn accept(listener: &TcpListener, options: SocketOptions, complaints: &mut Complaints) -> Accepted {
    match listener.accept() {
        Ok((stream, peer)) => {
            if let Err(error) = prepare_accepted(stream.as_fd(), options) {
                tracing::debug!(%peer, %error, "cannot set socket options");
            }
            Accepted::Connection(peer, Socket::from(stream).into())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Accepted::Nobody,
        Err(error) if out_of_resources(&error) => {
            complaints.warn(|| tracing::warn!(%error, "cannot accept connections: raise the limit of open files"));
            Accepted::Exhausted
        }
        Err(error) => {
            tracing::debug!(%error, "a connection was lost before it was accepted");
            Accepted::Failed
        }
    }
}

/// Keeps a flood of connections from becoming a flood of log lines.
#[derive(Default)]
pub(crate) struct Complaints {
    last: Option<Instant>,
}

impl Complaints {
    pub(crate) fn refused(&mut self, peer: SocketAddr, refusal: Refusal) {
        self.warn(|| match refusal {
            Refusal::PerAddress => tracing::warn!(%peer, "too many connections from this address (maxClientCnxns)"),
            Refusal::Total => tracing::warn!(%peer, "too many connections (maxCnxns, or the limit of open files)"),
        });
    }

    /// Writes the line unless there was one a short time ago.
    pub(crate) fn warn(&mut self, write: impl FnOnce()) {
        let now = Instant::now();
        if self.last.is_none_or(|last| now - last >= COMPLAINT_INTERVAL) {
            self.last = Some(now);
            write();
        }
    }
}

fn out_of_resources(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
