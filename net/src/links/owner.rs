//! All links of one server, as the turn sees them: send, flush, disconnect, stop.

use crate::accept::Complaints;
use crate::bell::Bell;
use crate::links::alarm::Alarm;
use crate::links::config::{LinkLimits, LinksConfig};
use crate::links::envelope::tail_sum;
use crate::links::fault::LinkDown;
use crate::links::greeting::Ensemble;
use crate::links::identity::Identity;
use crate::links::link::{End, Link, Stage};
use crate::links::outbound::Tail;
use crate::links::peer::Peer;
use crate::links::resolver::Resolver;
use crate::links::secure::LinkTls;
use crate::links::service::LinkService;
use crate::links::stats::LinkStats;
use crate::readiness::Readiness;
use crate::sockets::SCRATCH_BYTES;
use crate::tls::HandshakeSteps;
use ringkeeper_core::frame::FrameBatch;
use ringkeeper_core::ids::ServerId;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Instant;

/// Token of the listening socket; connections count from 0.
pub(crate) const LISTENER_TOKEN: u64 = u64::MAX;
/// Token of the bell.
pub(crate) const BELL_TOKEN: u64 = u64::MAX - 1;
/// Token of the alarm.
pub(crate) const ALARM_TOKEN: u64 = u64::MAX - 2;
/// Most bytes that one link sends before it is the others' turn.
const FLUSH_BYTES: usize = 4 << 20;

/// The links of one server to all others. Its calls never call the [`LinkService`]; only the task of [`Links::run`] does.
pub struct Links {
    pub(crate) identity: Identity,
    pub(crate) limits: LinkLimits,
    pub(crate) service: Rc<dyn LinkService>,
    pub(crate) readiness: Readiness,
    pub(crate) scratch: RefCell<Vec<u8>>,
    pub(crate) tls: Option<LinkTls>,
    /// What came from a socket for TLS. Nothing unless there is TLS.
    pub(crate) wire: RefCell<Vec<u8>>,
    pub(crate) handshakes: HandshakeSteps,
    /// Rings when something happened that no socket tells of.
    pub(crate) bell: Arc<Bell>,
    pub(crate) alarm: Alarm,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) listener: RefCell<Option<TcpListener>>,
    /// No more connections are accepted until then: the process is out of resources.
    pub(crate) accept_again: Cell<Option<Instant>>,
    pub(crate) peers: Vec<Peer>,
    /// All connections by token.
    pub(crate) table: RefCell<BTreeMap<u64, Rc<Link>>>,
    pub(crate) next_token: Cell<u64>,
    /// Connections whose end the task has not dealt with.
    pub(crate) ended: RefCell<VecDeque<Rc<Link>>>,
    pub(crate) strangers: RefCell<Complaints>,
    /// The service has been called since it was last told that everything was handed over.
    pub(crate) called: Cell<bool>,
    pub(crate) stopped: Cell<bool>,
    /// The batch that was sent last, and its checksum: it often goes to several peers.
    last_batch: RefCell<(Weak<FrameBatch>, u32)>,
}

impl Links {
    /// No links yet: [`Links::run`] makes and accepts them.
    ///
    /// # Errors
    /// The system call's error: out of file descriptors or memory.
    pub fn new(config: LinksConfig, service: Rc<dyn LinkService>) -> io::Result<Rc<Links>> {
        let LinksConfig { own, ensemble, incarnation, listen, mut peers, seed, tls, limits } = config;
        let (readiness, bell, alarm) = (Readiness::new()?, Arc::new(Bell::new()?), Alarm::new()?);
        listen.set_nonblocking(true)?;
        readiness.add_listener(listen.as_raw_fd(), LISTENER_TOKEN)?;
        readiness.add_listener(bell.fd(), BELL_TOKEN)?;
        readiness.add_listener(alarm.fd(), ALARM_TOKEN)?;
        peers.retain(|(id, _)| *id != own);
        peers.sort_by_key(|(id, _)| *id);
        peers.dedup_by_key(|(id, _)| *id);
        let peer = |(id, address)| Peer::new(id, address, own, &limits, seed);
        Ok(Rc::new(Links {
            identity: Identity { own, incarnation, ensemble: Ensemble::new(&ensemble) },
            limits,
            service,
            readiness,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
            tls,
            wire: RefCell::default(),
            handshakes: HandshakeSteps::default(),
            resolver: Resolver::new(Arc::clone(&bell)),
            bell,
            alarm,
            listener: RefCell::new(Some(listen)),
            accept_again: Cell::default(),
            peers: peers.into_iter().map(peer).collect(),
            table: RefCell::default(),
            next_token: Cell::default(),
            ended: RefCell::default(),
            strangers: RefCell::default(),
            called: Cell::default(),
            stopped: Cell::default(),
            last_batch: RefCell::default(),
        }))
    }

    /// Queues a message. Returns whether there is a link to the peer that takes it; whether it arrives, only the peer
    /// can tell. Heads are at most [`crate::links::MAX_HEAD`] long, tails [`crate::links::MAX_TAIL`].
    ///
    /// # Panics
    /// If head or tail are longer.
    pub fn send(&self, to: ServerId, head: &[u8], tail: Tail) -> bool {
        let Some((peer, link)) = self.link(to) else {
            return false;
        };
        let tail_crc = self.tail_crc(&tail);
        let (len, queued) = {
            let mut outbound = link.outbound.borrow_mut();
            (outbound.push(head, tail, tail_crc), outbound.len())
        };
        peer.count(|traffic| {
            traffic.messages_out += 1;
            traffic.bytes_out += len as u64;
        });
        if queued > self.limits.max_queued {
            self.end(&link, End::Down(LinkDown::TooSlow { queued }));
            return false;
        }
        true
    }

    /// Gives the kernel what is queued; what it does not take follows as soon as it does. To be called at the end of a
    /// turn.
    pub fn flush(&self) {
        for peer in &self.peers {
            let link = peer.link.borrow().clone();
            if let Some(link) = link
                && !link.blocked.get()
            {
                self.flush_link(&link);
            }
        }
    }

    /// Bytes that wait to be sent to the peer: whoever has much more to send should wait until they are few.
    #[must_use]
    pub fn queued_bytes(&self, to: ServerId) -> usize {
        self.peer(to).map_or(0, |(_, peer)| peer.queued())
    }

    /// Whether there is a link to the peer.
    #[must_use]
    pub fn is_up(&self, peer: ServerId) -> bool {
        self.link(peer).is_some()
    }

    /// Drops the link to the peer, if there is one, with everything that is queued. A new one will be made.
    pub fn disconnect(&self, peer: ServerId) {
        if let Some((_, link)) = self.link(peer) {
            self.end(&link, End::Down(LinkDown::Dropped));
        }
    }

    /// Ends all links and accepts and makes no more. The task of [`Links::run`] reports them down and returns.
    pub fn stop(&self) {
        self.stopped.set(true);
        *self.listener.borrow_mut() = None;
        let all: Vec<Rc<Link>> = self.table.borrow().values().cloned().collect();
        for link in all {
            self.end(&link, End::Down(LinkDown::Stopped));
        }
        self.bell.ring();
    }

    /// Figures of the link to a peer; `None` if it is none.
    #[must_use]
    pub fn stats(&self, peer: ServerId) -> Option<LinkStats> {
        self.peer(peer).map(|(_, peer)| peer.stats())
    }

    /// A peer and its place in the list.
    pub(crate) fn peer(&self, id: ServerId) -> Option<(usize, &Peer)> {
        let place = self.peers.binary_search_by_key(&id, |peer| peer.id).ok()?;
        Some((place, &self.peers[place]))
    }

    /// Sends what is queued.
    pub(crate) fn flush_link(&self, link: &Rc<Link>) {
        match link.send_queued(FLUSH_BYTES) {
            Ok(false) => {}
            Ok(true) => {
                // The event that there is room comes when the others have had their turn.
                link.blocked.set(true);
                self.rearm(link);
            }
            Err(error) => self.end(link, End::Down(error.into())),
        }
    }

    /// Has whatever the connection has to offer reported.
    pub(crate) fn rearm(&self, link: &Rc<Link>) {
        if let Err(error) = self.readiness.rearm(link.fd(), link.token) {
            // Only possible for a descriptor that is not in the set.
            tracing::error!(%error, peer = %link.remote, "cannot watch a connection");
        }
    }

    /// Gives the connection up; the task deals with the rest. Only the first reason counts.
    pub(crate) fn end(&self, link: &Rc<Link>, end: End) {
        if link.stage() == Stage::Ended {
            return;
        }
        link.advance(Stage::Ended);
        *link.end.borrow_mut() = Some(end);
        if let Some(place) = link.place.get() {
            let mut current = self.peers[place].link.borrow_mut();
            if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, link)) {
                *current = None;
            }
        }
        self.ended.borrow_mut().push_back(Rc::clone(link));
        self.bell.ring();
    }

    fn link(&self, id: ServerId) -> Option<(&Peer, Rc<Link>)> {
        let (_, peer) = self.peer(id)?;
        let link = peer.link.borrow().clone()?;
        Some((peer, link))
    }

    fn tail_crc(&self, tail: &Tail) -> u32 {
        let Tail::Batch(batch) = tail else {
            return tail_sum(tail.as_bytes());
        };
        let mut last = self.last_batch.borrow_mut();
        // The address of a batch is not used again while there is a weak reference to it.
        if !std::ptr::eq(last.0.as_ptr(), Arc::as_ptr(batch)) {
            *last = (Arc::downgrade(batch), tail_sum(batch.as_bytes()));
        }
        last.1
    }
}
