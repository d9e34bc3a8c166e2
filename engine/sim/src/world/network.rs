//! The links between servers: a TCP connection for each pair. While one lasts it keeps order and loses nothing, however
//! long something takes; when it breaks, what was on its way may be lost, and the two ends notice at different times.

use crate::time::Time;
use ringkeeper_core::zab::Message;
use std::collections::VecDeque;

/// One direction between two servers.
#[derive(Debug, Default)]
pub struct Lane {
    /// On its way: when it arrives, over which generation of the link, what.
    pub queue: VecDeque<(Time, u64, Message)>,
    /// Nothing gets through until then.
    pub cut_until: Time,
    /// Everything sent until then takes so much longer.
    pub clog: (Time, Time),
}

/// See the module.
#[derive(Debug)]
pub struct Network {
    servers: usize,
    lanes: Vec<Lane>,
    /// The generation of the link that a server believes it has to another.
    ends: Vec<Option<u64>>,
    generation: u64,
}

impl Network {
    /// Nobody is linked.
    #[must_use]
    pub fn new(servers: usize) -> Network {
        let lanes = (0..servers * servers).map(|_| Lane::default()).collect();
        Network { servers, lanes, ends: vec![None; servers * servers], generation: 0 }
    }

    /// From the first to the second.
    pub fn lane(&mut self, from: usize, to: usize) -> &mut Lane {
        &mut self.lanes[from * self.servers + to]
    }

    /// Whether anything gets from the first to the second now.
    #[must_use]
    pub fn is_cut(&self, from: usize, to: usize, now: Time) -> bool {
        self.lanes[from * self.servers + to].cut_until > now
    }

    /// Whether anything gets both ways.
    #[must_use]
    pub fn is_open(&self, a: usize, b: usize, now: Time) -> bool {
        !self.is_cut(a, b, now) && !self.is_cut(b, a, now)
    }

    /// The link that `at` believes it has to `peer`.
    #[must_use]
    pub fn end(&self, at: usize, peer: usize) -> Option<u64> {
        self.ends[at * self.servers + peer]
    }

    /// `at` has no link to `peer` any more; which it was.
    pub fn forget(&mut self, at: usize, peer: usize) -> Option<u64> {
        self.ends[at * self.servers + peer].take()
    }

    /// Whether both believe in the same link.
    #[must_use]
    pub fn is_linked(&self, a: usize, b: usize) -> bool {
        self.end(a, b).is_some() && self.end(a, b) == self.end(b, a)
    }

    /// There is a new link. The ends of the old one must have been forgotten.
    pub fn link(&mut self, a: usize, b: usize) {
        self.generation += 1;
        for (at, peer) in [(a, b), (b, a)] {
            let end = &mut self.ends[at * self.servers + peer];
            assert!(end.is_none(), "an end is forgotten before it is made again");
            *end = Some(self.generation);
        }
    }
}
