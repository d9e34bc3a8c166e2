//! Accepts connections: limits, socket options, and calm when file descriptors run out.

use crate::admission::Refusal;
use crate::listener::prepare_accepted;
use crate::sockets::Sockets;
use glommio::GlommioError;
use glommio::net::TcpListener;
use glommio::timer::sleep;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Pause after an `accept` that failed for want of resources: connections end in their own time.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// At most one complaint in this time.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// Runs until it is dropped.
pub(crate) async fn accept_loop(sockets: Rc<Sockets>, listener: std::net::TcpListener) {
    // SAFETY: the descriptor is a listening socket, and ownership passes to glommio's listener.
    let listener = unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) };
    let mut complaints = Complaints { last: None };
    loop {
        match listener.shared_accept().await {
            Ok(accepted) => match accepted.peer_addr() {
                Ok(peer) => admit(&sockets, peer, accepted, &mut complaints),
                Err(error) => tracing::debug!(%error, "a connection was closed before it was accepted"),
            },
            Err(error) if out_of_resources(&error) => {
                complaints.warn(|| tracing::warn!(%error, "cannot accept connections: raise the limit of open files"));
                sleep(EXHAUSTED_PAUSE).await;
            }
            Err(error) => {
                // ECONNABORTED and the like concern one connection; a short pause bounds what an unforeseen error that
                // stays can cost.
                tracing::debug!(%error, "accept failed");
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

fn admit(
    sockets: &Rc<Sockets>,
    peer: std::net::SocketAddr,
    accepted: glommio::net::AcceptedTcpStream,
    complaints: &mut Complaints,
) {
    let stream = accepted.bind_to_executor();
    sockets.count(|stats| stats.accepted += 1);
    if let Err(refusal) = sockets.admission.borrow_mut().enter(peer.ip()) {
        sockets.count(|stats| stats.refused += 1);
        complaints.warn(|| match refusal {
            Refusal::PerAddress => tracing::warn!(%peer, "too many connections from this address (maxClientCnxns)"),
            Refusal::Total => tracing::warn!(%peer, "too many connections (maxCnxns)"),
        });
        return;
    }
    // SAFETY: `stream` keeps the descriptor open for the length of the call.
    let fd = unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) };
    if let Err(error) = prepare_accepted(fd, sockets.config.options) {
        tracing::debug!(%peer, %error, "cannot set socket options");
    }
    sockets.adopt(peer, stream);
}

/// Keeps a flood of connections from becoming a flood of log lines.
struct Complaints {
    last: Option<Instant>,
}

impl Complaints {
    fn warn(&mut self, write: impl FnOnce()) {
        let now = Instant::now();
        if self.last.is_none_or(|last| now - last >= COMPLAINT_INTERVAL) {
            self.last = Some(now);
            write();
        }
    }
}

fn out_of_resources(error: &GlommioError<()>) -> bool {
    let code = match error {
        GlommioError::IoError(error) => error.raw_os_error(),
        GlommioError::EnhancedIoError { source, .. } => source.raw_os_error(),
        _ => None,
    };
    matches!(code, Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
        || matches!(error, GlommioError::IoError(error) if error.kind() == io::ErrorKind::OutOfMemory)
}
