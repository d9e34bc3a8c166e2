//! One other server, as the links see it: the way to it, the link if there is one, and its figures.

use crate::accept::Complaints;
use crate::links::config::{LinkLimits, PeerAddress};
use crate::links::dialler::Dialler;
use crate::links::link::Link;
use crate::links::stats::{LinkStats, LinkTraffic, UpLink};
use ringkeeper_core::ids::ServerId;
use rustls::pki_types::ServerName;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

/// One other server of the ensemble.
pub(crate) struct Peer {
    pub(crate) id: ServerId,
    pub(crate) address: PeerAddress,
    /// Its hosts, of which its certificate must name one.
    pub(crate) names: Vec<ServerName<'static>>,
    /// If it is this server that connects.
    pub(crate) dialler: Option<RefCell<Dialler>>,
    /// The link that is up.
    pub(crate) link: RefCell<Option<Rc<Link>>>,
    pub(crate) up: Cell<Option<UpLink>>,
    pub(crate) traffic: Cell<LinkTraffic>,
    pub(crate) connects: Cell<u64>,
    pub(crate) last_error: RefCell<Option<String>>,
    /// Lines in the log about not reaching it.
    pub(crate) unreached: RefCell<Complaints>,
    /// Lines in the log about what it says of itself.
    pub(crate) mismatched: RefCell<Complaints>,
}

impl Peer {
    pub(crate) fn new(id: ServerId, address: PeerAddress, own: ServerId, limits: &LinkLimits, seed: u64) -> Peer {
        // Peers must not all get the same jitter.
        let seed = seed ^ (u64::from(id.0) << 32);
        let dialler = (own > id).then(|| RefCell::new(Dialler::new(&address, limits, seed, Instant::now())));
        Peer {
            id,
            names: address.names(),
            address,
            dialler,
            link: RefCell::default(),
            up: Cell::default(),
            traffic: Cell::default(),
            connects: Cell::default(),
            last_error: RefCell::default(),
            unreached: RefCell::default(),
            mismatched: RefCell::default(),
        }
    }

    pub(crate) fn stats(&self) -> LinkStats {
        LinkStats {
            up: self.up.get(),
            traffic: self.traffic.get(),
            connects: self.connects.get(),
            last_error: self.last_error.borrow().clone(),
            queued: self.queued(),
        }
    }

    /// Bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.link.borrow().as_ref().map_or(0, |link| link.outbound.borrow().len())
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut LinkTraffic)) {
        let mut traffic = self.traffic.get();
        change(&mut traffic);
        self.traffic.set(traffic);
    }
}
