//! Makes connections to the peers with lower ids.

use crate::links::dialler::Step;
use crate::links::fault::LinkDown;
use crate::links::greeting::GREETING_BYTES;
use crate::links::identity::Origin;
use crate::links::link::{End, Link, Stage};
use crate::links::owner::Links;
use crate::links::peer::Peer;
use ringkeeper_core::ids::ServerId;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

impl Links {
    /// Takes the steps that are due towards peers without a link.
    pub(crate) fn dial_due(&self, now: Instant) {
        for (place, peer) in self.peers.iter().enumerate() {
            let Some(dialler) = &peer.dialler else {
                continue;
            };
            loop {
                let step = dialler.borrow_mut().step(now);
                match step {
                    None => break,
                    Some(Step::Resolve) => self.resolver.start(place, peer.address.hosts()),
                    Some(Step::Connect(address)) => self.dial(place, address, now),
                }
            }
        }
    }

    /// Takes what the resolver has found.
    pub(crate) fn take_resolved(&self) {
        while let Some(resolved) = self.resolver.take() {
            let peer = &self.peers[resolved.place];
            if let Some(problem) = resolved.problem {
                peer.unreached.borrow_mut().warn(|| {
                    tracing::warn!(server = peer.id.0, problem, "cannot resolve the address of a server: still trying");
                });
                *peer.last_error.borrow_mut() = Some(problem);
            }
            if let Some(dialler) = &peer.dialler {
                dialler.borrow_mut().resolved(resolved.addresses, Instant::now());
            }
        }
    }

    /// The kernel has made a connection, or failed to.
    pub(crate) fn connected(&self, link: &Rc<Link>) {
        if let Err(error) = link.connect_error() {
            return self.end(link, End::Down(error.into()));
        }
        let Origin::Dialled(peer) = link.origin else {
            return;
        };
        if !self.begin_tls(link, peer) {
            self.await_greeting(link);
            self.greet_first(link, peer);
        }
    }

    /// What comes next is the other side's greeting.
    pub(crate) fn await_greeting(&self, link: &Rc<Link>) {
        link.advance(Stage::Greeting);
        link.deadline.set(Instant::now() + self.limits.greeting_timeout);
    }

    /// Says who this server is.
    pub(crate) fn greet_first(&self, link: &Rc<Link>, peer: ServerId) {
        link.outbound.borrow_mut().push_raw(&self.identity.greeting(peer, 0));
        if let Err(error) = link.send_queued(GREETING_BYTES) {
            self.end(link, End::Down(error.into()));
        }
    }

    /// Gives a new connection its place in table and readiness set.
    pub(crate) fn watch(&self, socket: Socket, remote: SocketAddr, origin: Origin, deadline: Instant) -> Rc<Link> {
        let token = self.next_token.replace(self.next_token.get() + 1);
        let link = Rc::new(Link::new(token, socket, remote, origin, deadline));
        self.table.borrow_mut().insert(token, Rc::clone(&link));
        if let Err(error) = self.readiness.add_connection(link.fd(), token) {
            self.end(&link, End::Down(error.into()));
        }
        link
    }

    fn dial(&self, place: usize, address: SocketAddr, now: Instant) {
        let peer = &self.peers[place];
        match self.begin_to_connect(address) {
            Ok(socket) => {
                let deadline = now + self.limits.connect_timeout;
                let link = self.watch(socket, address, Origin::Dialled(peer.id), deadline);
                link.place.set(Some(place));
            }
            Err(error) => not_reached(peer, address, error, now),
        }
    }

    fn begin_to_connect(&self, address: SocketAddr) -> io::Result<Socket> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        self.set_options(&socket)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => Ok(socket),
        }
    }

    /// Messages are assembled per turn, so Nagle's algorithm could only delay them.
    pub(crate) fn set_options(&self, socket: &Socket) -> io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        if !self.limits.user_timeout.is_zero() {
            socket.set_tcp_user_timeout(Some(self.limits.user_timeout))?;
        }
        Ok(())
    }
}

/// An attempt failed at once.
fn not_reached(peer: &Peer, address: SocketAddr, error: io::Error, now: Instant) {
    let error = LinkDown::from(error);
    peer.unreached.borrow_mut().warn(|| {
        tracing::warn!(server = peer.id.0, remote = %address, %error, "cannot reach a server: still trying");
    });
    *peer.last_error.borrow_mut() = Some(error.to_string());
    if let Some(dialler) = &peer.dialler {
        dialler.borrow_mut().failed(now);
    }
}
