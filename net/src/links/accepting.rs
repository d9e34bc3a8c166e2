//! Accepts connections of the peers with higher ids, and of strangers.

use crate::accept::{Accepted, EXHAUSTED_PAUSE, accept};
use crate::links::identity::{Mismatch, Origin};
use crate::links::link::{End, Link, Stage};
use crate::links::owner::{LISTENER_TOKEN, Links};
use crate::links::secure::Transport;
use crate::listener::SocketOptions;
use crate::transport::Speaks;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

/// Most connections accepted in one go.
const ACCEPTS: usize = 16;
/// Most accepted connections that have not greeted. The oldest makes room: a peer greets at once.
const STRANGERS: usize = 64;

impl Links {
    pub(crate) fn accept_waiting(&self) {
        let listener = self.listener.borrow();
        let Some(listener) = listener.as_ref() else {
            return;
        };
        for _ in 0..ACCEPTS {
            let accepted = accept(listener, SocketOptions::default(), &mut self.strangers.borrow_mut());
            match accepted {
                Accepted::Connection(remote, fd) => self.welcome(remote, fd),
                Accepted::Failed => {}
                Accepted::Nobody => return,
                Accepted::Exhausted => {
                    // The socket stays ready: not to spin, it leaves the set for a moment.
                    self.accept_again.set(Some(Instant::now() + EXHAUSTED_PAUSE));
                    if let Err(error) = self.readiness.remove(listener.as_raw_fd()) {
                        tracing::error!(%error, "cannot pause accepting");
                    }
                    return;
                }
            }
        }
    }

    /// Accepts again after a shortage of resources.
    pub(crate) fn accept_again(&self, now: Instant) {
        if self.accept_again.get().is_none_or(|at| at > now) {
            return;
        }
        self.accept_again.set(None);
        if let Some(listener) = self.listener.borrow().as_ref()
            && self.readiness.add_listener(listener.as_raw_fd(), LISTENER_TOKEN).is_err()
        {
            self.accept_again.set(Some(now + EXHAUSTED_PAUSE));
        }
    }

    /// Says in the log why a connection was turned away.
    pub(crate) fn complain(&self, link: &Link, mismatch: &Mismatch) {
        let remote = link.remote;
        match (link.origin, link.place.get()) {
            (Origin::Dialled(server), Some(place)) => self.peers[place].mismatched.borrow_mut().warn(|| {
                tracing::warn!(server = server.0, %remote, "no link to the server at this address: {mismatch}");
            }),
            _ => self.strangers.borrow_mut().warn(|| {
                tracing::warn!(%remote, "turned a connection to the peer port away: {mismatch}");
            }),
        }
    }

    fn welcome(&self, remote: SocketAddr, fd: OwnedFd) {
        let socket = socket2::Socket::from(fd);
        if let Err(error) = self.set_options(&socket) {
            return tracing::debug!(%remote, %error, "cannot set socket options");
        }
        self.make_room();
        let within = match &self.tls {
            Some(tls) if tls.accept != Speaks::Plain => tls.endpoint.handshake_timeout(),
            _ => self.limits.greeting_timeout,
        };
        let link = self.watch(socket, remote, Origin::Accepted, Instant::now() + within);
        match self.accepts() {
            Speaks::Plain => link.advance(Stage::Greeting),
            Speaks::Tls | Speaks::Either => drop(link.transport.replace(Transport::Undecided)),
        }
    }

    fn make_room(&self) {
        let is_stranger = |link: &&Rc<Link>| link.origin == Origin::Accepted && link.stage() < Stage::Up;
        let oldest = {
            let table = self.table.borrow();
            let mut strangers = table.values().filter(is_stranger);
            let oldest = strangers.next().cloned();
            oldest.filter(|_| strangers.count() + 1 >= STRANGERS)
        };
        if let Some(oldest) = oldest {
            self.end(&oldest, End::Refused(Mismatch::Silent));
        }
    }
}
