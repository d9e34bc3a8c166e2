//! The frontend: everything about client connections that is not ordered. One per client executor. It decodes
//! requests, answers reads from the tree, keeps each connection's requests in order, holds the watches and writes the
//! replies; what only the replica can decide goes into its inbox.
//!
//! Pure: the driver feeds it frames and takes its output, and lends it the tree to read.

mod connection;
mod hot;
mod limits;
mod measures;
mod members;
mod reads;
mod replies;
mod requests;
mod slow;
mod stats;
mod watches;

pub use connection::Operation;
pub use hot::{HotPath, HotPaths, SAMPLE};
pub use limits::{ConnectRate, LimitCounts, Limits};
pub use measures::{FrontendMeasures, Requests};
pub use members::Members;
pub use slow::SlowRequest;
pub use stats::{ConnInfo, FrontendStats, Latency, ResponseSize};

use crate::acl::Id;
use crate::defect::Defects;
use crate::exchange::{Ask, Inbox};
use crate::ids::{ConnId, Instant, SessionId};
use crate::tree::Tree;
use crate::watch::{WatchSummary, WatchTable};
use connection::{Conn, Pending, Phase};
use core::net::SocketAddr;
use core::time::Duration;
use hot::Sampler;
use limits::Bucket;
use std::sync::Arc;

/// Settings of a frontend; the server fills them from its configuration.
#[derive(Clone, Debug)]
pub struct FrontendConfig {
    /// Index of the client executor.
    pub index: u8,
    /// Whether the replica runs on the same executor and tells of each transaction as it is applied. Then a write may
    /// be submitted while reads wait before it; otherwise it waits until they have been answered.
    pub with_replica: bool,
    /// What clients may take.
    pub limits: Limits,
    /// Replies that a client has not taken yet; beyond that its socket is not read.
    pub max_unsent: usize,
    /// `DigestAuthenticationProvider.superDigest`
    pub super_digest: Option<String>,
    /// No ACL is ever checked (`skipACL`).
    pub skip_acl: bool,
    /// Schemes of which a client must have proved one before anything else is accepted (`enforce.auth.schemes`); empty:
    /// nothing is enforced.
    pub required_schemes: Vec<String>,
    /// What `/zookeeper/config` shows; `None`: what the tree has.
    pub members: Option<Members>,
    /// Requests that take at least so long are written down (`slow.request.threshold.ms`); `None`: none is.
    pub slow_threshold: Option<Duration>,
    /// Deliberate defects; none.
    pub defects: Defects,
}

impl Default for FrontendConfig {
    fn default() -> FrontendConfig {
        FrontendConfig {
            index: 0,
            with_replica: true,
            limits: Limits::default(),
            max_unsent: 1 << 20,
            super_digest: None,
            skip_acl: false,
            required_schemes: Vec::new(),
            members: None,
            slow_threshold: None,
            defects: Defects::default(),
        }
    }
}

/// What the driver must write to a connection.
#[derive(Debug)]
pub struct Output<'a> {
    /// The connection.
    pub conn: ConnId,
    /// To be sent, and emptied by the driver.
    pub bytes: &'a mut Vec<u8>,
    /// Close when all is sent. The connection does not exist any more after this output.
    pub close: bool,
}

/// All connections of one client executor.
#[derive(Debug)]
pub struct Frontend {
    config: FrontendConfig,
    now: Instant,
    conns: Vec<Slot>,
    free: Vec<u32>,
    /// Connections with output or to be closed.
    dirty: Vec<u32>,
    /// Connections whose session was heard from since the last tick.
    heard: Vec<u32>,
    asks: Inbox,
    /// Connections whose deferred requests wait for [`Frontend::settle`].
    unsettled: Vec<ConnId>,
    watches: WatchTable,
    /// Requests that wait on all connections, and their bytes.
    pending: usize,
    pending_bytes: usize,
    connects: Bucket,
    memory_short: bool,
    limit_counts: LimitCounts,
    /// Buffers of connections that have nothing to send: an idle connection holds none.
    spare: Vec<Vec<u8>>,
    /// The buffer lent out by the last [`Frontend::next_output`].
    lent: Vec<u8>,
    hit: Vec<u32>,
    stats: FrontendStats,
    measures: FrontendMeasures,
    sampler: Sampler,
    /// Slow requests that the driver has not taken yet.
    slow: Vec<SlowRequest>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    conn: Option<Box<Conn>>,
}

/// Bytes before each frame that state its length.
const LENGTH_PREFIX: usize = 4;
/// Buffers kept for reuse, and the largest that is kept.
const SPARE_BUFFERS: usize = 256;
const SPARE_CAPACITY: usize = 256 << 10;

impl Frontend {
    /// No connections yet.
    #[must_use]
    pub fn new(config: FrontendConfig) -> Frontend {
        Frontend {
            config,
            now: Instant::default(),
            conns: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            heard: Vec::new(),
            asks: Inbox::new(),
            unsettled: Vec::new(),
            watches: WatchTable::new(),
            pending: 0,
            pending_bytes: 0,
            connects: Bucket::default(),
            memory_short: false,
            limit_counts: LimitCounts::default(),
            spare: Vec::new(),
            lent: Vec::new(),
            hit: Vec::new(),
            stats: FrontendStats::default(),
            measures: FrontendMeasures::default(),
            sampler: Sampler::default(),
            slow: Vec::new(),
        }
    }

    /// The server has connected to itself, on behalf of an operator whom it knows: nothing is refused to this connection,
    /// and it may ask for more than others.
    pub fn open_own(&mut self, now: Instant) -> ConnId {
        let id = self.open(now, SocketAddr::from((core::net::Ipv6Addr::UNSPECIFIED, 0)));
        let conn = self.conn(id).expect("it was opened just now");
        (conn.own, conn.auth) = (true, [Id::new("super", "")].into());
        id
    }

    /// A client has connected from `peer`.
    pub fn open(&mut self, now: Instant, peer: SocketAddr) -> ConnId {
        self.now = now;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.conns.push(Slot::default());
            u32::try_from(self.conns.len() - 1).expect("fewer than 2^32 connections")
        });
        let entry = &mut self.conns[slot as usize];
        let id = ConnId { frontend: self.config.index, slot, generation: entry.generation };
        let host: Arc<[Id]> = [Id::new("ip", &ip_text(peer))].into();
        entry.conn = Some(Box::new(Conn::new(now, peer, host)));
        self.stats.connections += 1;
        self.measures.connections_opened += 1;
        id
    }

    /// The connection speaks TLS; its client's certificate stands for these identities.
    pub fn secured(&mut self, id: ConnId, identities: Vec<Id>) {
        if let Some(conn) = self.conn(id) {
            conn.secure = true;
            conn.add_identities(identities);
        }
    }

    /// A whole frame has come in, without its length. Reads are answered at once if nothing is before them.
    pub fn receive(&mut self, now: Instant, id: ConnId, frame: &[u8], tree: &Tree) {
        self.now = now;
        self.stats.packets_received += 1;
        self.measures.bytes_received += (frame.len() + LENGTH_PREFIX) as u64;
        let Some(conn) = self.conn(id) else { return };
        conn.traffic.received += 1;
        let (phase, own) = (conn.phase, conn.own);
        if !own && frame.len() > self.config.limits.large_request && !self.admits_large(id, frame.len()) {
            return;
        }
        match phase {
            Phase::New => self.connect_request(id, frame, tree),
            Phase::Connecting => self.defer(id, frame, now),
            Phase::Open => self.request(id, frame, now, tree),
            Phase::Closing => {}
        }
    }

    /// The socket is lost. Telling it twice, or of a connection that the frontend has closed itself, is harmless.
    pub fn gone(&mut self, now: Instant, id: ConnId) {
        self.now = now;
        self.drop_conn(id);
    }

    /// Some time (a few milliseconds) has passed: sessions that were heard from are reported, connections that never
    /// asked for a session are closed.
    pub fn tick(&mut self, now: Instant) {
        self.now = now;
        for slot in core::mem::take(&mut self.heard) {
            if let Some(conn) = &mut self.conns[slot as usize].conn {
                conn.heard = false;
                let session = conn.session;
                if session != SessionId::NONE {
                    self.asks.push(Ask::Touch { session });
                }
            }
        }
        self.close_sessionless(now);
        self.sampler.tick(now);
    }

    fn close_sessionless(&mut self, now: Instant) {
        let limit = self.config.limits.sessionless_timeout;
        if now.since(self.stats.sessionless_checked) < limit / 4 {
            return;
        }
        self.stats.sessionless_checked = now;
        let late: Vec<ConnId> = self
            .ids()
            .filter(|id| self.peek(*id).is_some_and(|conn| conn.phase == Phase::New && now.since(conn.opened) >= limit))
            .collect();
        self.measures.sessionless_closed += late.len() as u64;
        for id in late {
            self.limit_counts.sessionless_expired += 1;
            self.close(id);
        }
    }

    /// A turn begins: latencies of what it answers count to here.
    pub fn begin_turn(&mut self, now: Instant) {
        self.now = now;
    }

    /// Moves what only the replica can decide into `inbox`, behind what is there.
    pub fn take_asks(&mut self, inbox: &mut Inbox) {
        if !self.asks.is_empty() {
            inbox.append(&mut self.asks);
        }
    }

    /// Whether [`Frontend::take_asks`] has something to move.
    #[must_use]
    pub fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Whether the connection's socket should be read. While false, requests wait with the client.
    #[must_use]
    pub fn accepts_input(&self, id: ConnId) -> bool {
        self.peek(id).is_some_and(|conn| {
            let limits = &self.config.limits;
            let all_full = self.pending >= limits.pending || self.pending_bytes > limits.pending_bytes;
            let full = conn.pending.len() >= limits.connection_pending
                || conn.unsent + conn.out.len() > self.config.max_unsent
                // A connection without anything pending may always ask: nobody starves behind the others.
                || all_full && !conn.pending.is_empty();
            !full && conn.phase != Phase::Closing
        })
    }

    /// The next connection with something to send. The driver sends and empties `bytes`; what a socket does not take
    /// it keeps itself, and reports by [`Frontend::unsent`].
    pub fn next_output(&mut self) -> Option<Output<'_>> {
        self.keep_buffer();
        loop {
            let slot = self.dirty.pop()?;
            let entry = &mut self.conns[slot as usize];
            let id = ConnId { frontend: self.config.index, slot, generation: entry.generation };
            let Some(conn) = &mut entry.conn else { continue };
            conn.dirty = false;
            self.lent = core::mem::take(&mut conn.out);
            self.measures.bytes_sent += self.lent.len() as u64;
            let close = conn.phase == Phase::Closing;
            if close {
                self.drop_conn(id);
            }
            return Some(Output { conn: id, bytes: &mut self.lent, close });
        }
    }

    /// So many bytes of the connection's output could not be written yet.
    pub fn unsent(&mut self, id: ConnId, bytes: usize) {
        if let Some(conn) = self.conn(id) {
            conn.unsent = bytes;
        }
    }

    /// A request, or its reply, waits behind what waits already.
    fn push_pending(&mut self, id: ConnId, pending: Pending) {
        let bytes = pending.bytes();
        let Some(conn) = self.conn(id) else { return };
        conn.pending.push_back(pending);
        self.pending += 1;
        self.pending_bytes += bytes;
    }

    /// What waited first has been taken out of its connection's queue.
    fn popped_pending(&mut self, bytes: usize) {
        self.pending -= 1;
        self.pending_bytes -= bytes;
    }

    fn keep_buffer(&mut self) {
        let mut buffer = core::mem::take(&mut self.lent);
        if buffer.capacity() > 0 && buffer.capacity() <= SPARE_CAPACITY && self.spare.len() < SPARE_BUFFERS {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        if id.frontend != self.config.index {
            return None;
        }
        let slot = self.conns.get_mut(id.slot as usize)?;
        if slot.generation == id.generation { slot.conn.as_deref_mut() } else { None }
    }

    fn peek(&self, id: ConnId) -> Option<&Conn> {
        if id.frontend != self.config.index {
            return None;
        }
        let slot = self.conns.get(id.slot as usize)?;
        if slot.generation == id.generation { slot.conn.as_deref() } else { None }
    }

    fn ids(&self) -> impl Iterator<Item = ConnId> + '_ {
        let frontend = self.config.index;
        self.conns.iter().enumerate().filter(|(_, slot)| slot.conn.is_some()).map(move |(at, slot)| ConnId {
            frontend,
            slot: at as u32,
            generation: slot.generation,
        })
    }

    /// The connection's output, to append to; the driver will be told.
    fn out(&mut self, id: ConnId) -> Option<&mut Vec<u8>> {
        if id.frontend != self.config.index {
            return None;
        }
        let slot = self.conns.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let conn = slot.conn.as_deref_mut()?;
        if !conn.dirty {
            conn.dirty = true;
            self.dirty.push(id.slot);
        }
        if conn.out.capacity() == 0
            && let Some(buffer) = self.spare.pop()
        {
            conn.out = buffer;
        }
        conn.reply_start = conn.out.len();
        conn.traffic.sent += 1;
        self.stats.packets_sent += 1;
        Some(&mut conn.out)
    }

    /// Sends what is there, then closes. Requests not yet answered stay unanswered.
    fn close(&mut self, id: ConnId) {
        let slot = id.slot;
        let Some(conn) = self.conn(id) else { return };
        if conn.phase == Phase::Closing {
            return;
        }
        conn.phase = Phase::Closing;
        let first = !core::mem::replace(&mut conn.dirty, true);
        if first {
            self.dirty.push(slot);
        }
        self.watches.remove_conn(slot);
    }

    fn drop_conn(&mut self, id: ConnId) {
        let Some(slot) = self.conns.get_mut(id.slot as usize) else { return };
        if slot.generation != id.generation {
            return;
        }
        let Some(conn) = slot.conn.take() else { return };
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot);
        self.stats.connections -= 1;
        self.pending -= conn.pending.len();
        self.pending_bytes -= conn.pending_bytes();
        self.watches.remove_conn(id.slot);
        self.asks.push(Ask::Gone { conn: id, session: conn.session });
    }

    /// Watches held by the connections.
    #[must_use]
    pub fn watch_summary(&self) -> WatchSummary {
        self.watches.summary()
    }

    /// Every watched path with the sessions that watch it, by path.
    #[must_use]
    pub fn watches_by_path(&self) -> Vec<(&str, Vec<SessionId>)> {
        let session = |slot: u32| self.conns[slot as usize].conn.as_ref().map_or(SessionId::NONE, |c| c.session);
        self.watches
            .by_path()
            .into_iter()
            .map(|(path, slots)| (path, slots.into_iter().map(session).collect()))
            .collect()
    }
}

/// An address as ACLs of the scheme `ip` know it. A v4 address that came in over a v6 socket is a v4 address.
fn ip_text(peer: SocketAddr) -> String {
    peer.ip().to_canonical().to_string()
}
