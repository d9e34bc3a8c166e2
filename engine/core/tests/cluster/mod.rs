//! A cluster of whole servers that a test drives, with clients that count.

mod client;
mod disk;

pub use client::Client;
use disk::Disk;
use ringkeeper_core::exchange::Inbox;
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::ids::{ConnId, Instant, ServerId, WallMs, Zxid};
use ringkeeper_core::peer;
use ringkeeper_core::replica::{Effect, Input, Replica, ReplicaConfig};
use ringkeeper_core::tree::{Loader, Tree};
use ringkeeper_core::zab::{Message, Quorum, RoleChange, StateHead, SyncStart, Synchronised};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// SplitMix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn permille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }
}

/// A server that runs.
struct Live {
    replica: Replica,
    tree: Tree,
    frontend: Frontend,
    inbox: Inbox,
    inputs: Vec<Input>,
    loader: Loader,
}

struct Node {
    live: Option<Live>,
    disk: Disk,
    /// What its connections were sent and have not read, and which are closed.
    sent: BTreeMap<(u32, u32), Vec<u8>>,
    closed: BTreeSet<(u32, u32)>,
    lives: u32,
}

pub struct Cluster {
    rng: Rng,
    now: u64,
    nodes: Vec<Node>,
    wires: BTreeMap<(usize, usize), VecDeque<(u64, Message)>>,
    up: BTreeSet<(usize, usize)>,
    cut: BTreeSet<usize>,
    history_bytes: u64,
    snap_count: u64,
    epochs_led: BTreeSet<u32>,
    pub synchronised: SyncCounts,
    digests: BTreeMap<Zxid, u64>,
}

/// How often learners were brought up to date in which way.
#[derive(Clone, Copy, Default, Debug)]
pub struct SyncCounts {
    pub from_memory: u64,
    pub from_log: u64,
    pub cut_back: u64,
    pub by_state: u64,
    /// Behind the state, what had been committed meanwhile came from the log.
    pub by_state_and_log: u64,
}

impl SyncCounts {
    fn count(&mut self, how: &Synchronised) {
        *match (how.start, how.from_log) {
            (SyncStart::Snap(_), false) => &mut self.by_state,
            (SyncStart::Snap(_), true) => &mut self.by_state_and_log,
            (SyncStart::Trunc(_), _) => &mut self.cut_back,
            (SyncStart::Diff, true) => &mut self.from_log,
            (SyncStart::Diff, false) => &mut self.from_memory,
        } += 1;
    }

    pub fn add(&mut self, other: &SyncCounts) {
        self.from_memory += other.from_memory;
        self.from_log += other.from_log;
        self.cut_back += other.cut_back;
        self.by_state += other.by_state;
        self.by_state_and_log += other.by_state_and_log;
    }
}

/// A connection of a client: at which server, in which of its lives, and which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wire {
    at: usize,
    life: u32,
    conn: ConnId,
}

impl Cluster {
    pub fn new(count: usize, seed: u64) -> Cluster {
        let mut rng = Rng(seed ^ 0x5EED);
        let history_bytes = if rng.permille(500) { 1 + rng.below(4096) } else { 8 << 20 };
        let snap_count = if rng.permille(500) { 50 + rng.below(500) } else { u64::MAX };
        let node =
            |_| Node { live: None, disk: Disk::default(), sent: BTreeMap::new(), closed: BTreeSet::new(), lives: 0 };
        let mut cluster = Cluster {
            rng,
            now: 1_000,
            nodes: (0..count).map(node).collect(),
            wires: BTreeMap::new(),
            up: BTreeSet::new(),
            cut: BTreeSet::new(),
            history_bytes,
            snap_count,
            epochs_led: BTreeSet::new(),
            synchronised: SyncCounts::default(),
            digests: BTreeMap::new(),
        };
        cluster.start_all();
        cluster
    }

    fn id(at: usize) -> ServerId {
        ServerId(at as u8 + 1)
    }

    pub fn start_all(&mut self) {
        for at in 0..self.nodes.len() {
            if self.nodes[at].live.is_none() {
                self.start(at);
            }
        }
    }

    fn start(&mut self, at: usize) {
        let config = ReplicaConfig {
            id: Cluster::id(at),
            quorum: Quorum::majority((0..self.nodes.len()).map(Cluster::id)),
            history_bytes: self.history_bytes,
            snap_count: self.snap_count,
            seed: self.rng.next(),
            hold_clients: Duration::from_secs(3),
            ..ReplicaConfig::default()
        };
        let node = &mut self.nodes[at];
        let (tree, tail) = node.disk.recover();
        let replica = Replica::new(config, node.disk.epochs, &tree, tail, 0);
        let frontend = Frontend::new(FrontendConfig::default());
        node.lives += 1;
        node.live =
            Some(Live { replica, tree, frontend, inbox: Inbox::new(), inputs: Vec::new(), loader: Loader::new() });
    }

    pub fn crash(&mut self, at: usize, rng: &mut Rng) {
        for other in 0..self.nodes.len() {
            self.unlink(at, other);
        }
        let node = &mut self.nodes[at];
        node.live = None;
        node.sent.clear();
        node.closed.clear();
        node.disk.crash(rng);
    }

    /// A part of what a server has on disk cannot be read any more.
    pub fn damage(&mut self, at: usize, rng: &mut Rng) {
        self.nodes[at].disk.damage(rng);
    }

    /// Reads of logs that have met damage.
    pub fn damaged_reads(&self) -> u64 {
        self.nodes.iter().map(|node| node.disk.damaged_reads).sum()
    }

    pub fn is_running(&self, at: usize) -> bool {
        self.nodes[at].live.is_some()
    }

    pub fn running(&self) -> usize {
        self.nodes.iter().filter(|node| node.live.is_some()).count()
    }

    pub fn cut(&mut self, at: usize) {
        self.cut.insert(at);
    }

    pub fn mend(&mut self) {
        self.cut.clear();
    }

    pub fn heal(&mut self) {
        self.mend();
        self.start_all();
    }

    pub fn role(&self, at: usize) -> RoleChange {
        let live = self.nodes[at].live.as_ref();
        live.map_or(RoleChange::Looking, |live| live.replica.status(&live.tree).role)
    }

    pub fn leader(&self) -> Option<usize> {
        let epoch = |at: usize| if let RoleChange::Leading { epoch } = self.role(at) { Some(epoch) } else { None };
        (0..self.nodes.len()).filter_map(|at| Some((epoch(at)?, at))).max().map(|(_, at)| at)
    }

    pub fn leaders_seen(&self) -> usize {
        self.epochs_led.len()
    }

    pub fn run_until_led(&mut self) {
        for _ in 0..2_000 {
            self.step();
            let following = |at: &usize| self.role(*at) != RoleChange::Looking;
            if (0..self.nodes.len()).filter(following).count() == self.nodes.len() {
                return;
            }
        }
        panic!("no leader is found");
    }

    fn unlink(&mut self, a: usize, b: usize) {
        if self.up.remove(&(a.min(b), a.max(b))) {
            for (at, other) in [(a, b), (b, a)] {
                self.wires.remove(&(at, other));
                if let Some(live) = &mut self.nodes[at].live {
                    live.inputs.push(Input::LinkDown(Cluster::id(other)));
                }
            }
        }
    }

    fn link_all(&mut self) {
        for a in 0..self.nodes.len() {
            for b in a + 1..self.nodes.len() {
                let open = !self.cut.contains(&a) && !self.cut.contains(&b);
                let both = self.is_running(a) && self.is_running(b);
                if self.up.contains(&(a, b)) {
                    if !open && self.rng.permille(2) {
                        self.unlink(a, b);
                    }
                } else if open && both && self.rng.permille(300) {
                    self.up.insert((a, b));
                    for (at, other) in [(a, b), (b, a)] {
                        let live = self.nodes[at].live.as_mut().unwrap();
                        live.inputs.push(Input::LinkUp(Cluster::id(other)));
                    }
                }
            }
        }
    }

    /// A millisecond passes.
    pub fn step(&mut self) {
        self.now += 1;
        self.link_all();
        for at in 0..self.nodes.len() {
            if self.is_running(at) {
                self.turn(at);
            }
        }
    }

    fn turn(&mut self, at: usize) {
        let now = self.now;
        for from in 0..self.nodes.len() {
            let cut = self.cut.contains(&from) || self.cut.contains(&at);
            while let Some(wire) = self.wires.get_mut(&(from, at)).filter(|_| !cut) {
                let Some((_, message)) = wire.pop_front_if(|(when, _)| *when <= now) else { break };
                let live = self.nodes[at].live.as_mut().unwrap();
                live.inputs.push(Input::Message(Cluster::id(from), message));
            }
        }
        let node = &mut self.nodes[at];
        let live = node.live.as_mut().unwrap();
        node.disk.finish(now, &mut live.inputs);
        if now % 20 == at as u64 {
            live.frontend.tick(Instant(now * 1_000_000));
            live.inputs.push(Input::Tick);
        }
        loop {
            let effects = self.one_step(at);
            for effect in effects {
                self.act(at, effect);
            }
            let live = self.nodes[at].live.as_ref().unwrap();
            if live.inputs.is_empty() && !live.frontend.has_asks() {
                break;
            }
        }
        self.watch(at);
    }

    fn one_step(&mut self, at: usize) -> Vec<Effect> {
        let now = self.now;
        let node = &mut self.nodes[at];
        let live = node.live.as_mut().unwrap();
        live.frontend.take_asks(&mut live.inbox);
        let mut effects = Vec::new();
        let (instant, wall) = (Instant(now * 1_000_000), WallMs(now as i64));
        let Live { replica, tree, frontend, inbox, inputs, .. } = live;
        replica.step(instant, wall, tree, inbox, inputs, frontend, &mut effects);
        node.disk.committed(live.tree.last_zxid());
        while let Some(output) = live.frontend.next_output() {
            let key = (output.conn.slot, output.conn.generation);
            node.sent.entry(key).or_default().append(output.bytes);
            if output.close {
                node.closed.insert(key);
            }
        }
        effects
    }

    fn act(&mut self, at: usize, effect: Effect) {
        let delay = self.now + 1 + self.rng.below(3);
        let node = &mut self.nodes[at];
        let live = node.live.as_mut().unwrap();
        match effect {
            Effect::SaveEpochs(epochs) => node.disk.save(delay, epochs),
            Effect::Append(batch) => node.disk.append(delay, batch),
            Effect::Truncate(to) => node.disk.truncate(to),
            Effect::Send(to, message) => self.transmit(at, to.0 as usize - 1, &message),
            Effect::Unlink(peer) => self.unlink(at, peer.0 as usize - 1),
            Effect::SendState(to) => Cluster::send_state(live, to),
            Effect::BeginInstall(_) => live.loader = Loader::new(),
            Effect::InstallChunk { bytes, last } => {
                live.loader.feed(&bytes).unwrap();
                if last {
                    live.tree = std::mem::take(&mut live.loader).finish().unwrap();
                    node.disk.install(&live.tree);
                    live.inputs.push(Input::Installed);
                }
            }
            Effect::AbortInstall => live.inputs.push(Input::InstallFailed),
            Effect::TakeSnapshot => {
                node.disk.snapshot(&live.tree);
                live.inputs.push(Input::SnapshotEnded { done: true });
            }
            Effect::ReadLog(read) => node.disk.read(delay, read),
            Effect::Synchronised(how) => self.synchronised.count(&how),
            Effect::Ended(_) => {}
            Effect::Halt(reason) => panic!("server {at} halts: {reason}"),
        }
    }

    fn send_state(live: &mut Live, to: ServerId) {
        let head = live.tree.snapshot_begin();
        let (zxid, digest) = (head.zxid, head.digest);
        let head = StateHead { zxid, digest, nodes: head.node_count, sessions: head.session_count };
        if !live.replica.state_begins(to, head) {
            live.tree.snapshot_abort();
            return;
        }
        loop {
            let mut bytes = Vec::new();
            let last = live.tree.snapshot_slice(16, &mut bytes);
            live.replica.state_chunk(to, bytes.into(), last);
            if last {
                return;
            }
        }
    }

    /// Through the codec, so that it is tested with everything else.
    fn transmit(&mut self, from: usize, to: usize, message: &Message) {
        if !self.up.contains(&(from.min(to), from.max(to))) {
            return;
        }
        let (head, tail) = peer::encode(message);
        let tail = match &tail {
            peer::Tail::None => None,
            peer::Tail::Batch(batch) => Some(batch.as_bytes()),
            peer::Tail::Bytes(bytes) => Some(&bytes[..]),
        };
        let tail = tail.map(|bytes| {
            let mut buf = ringkeeper_core::frame::FrameBuf::new();
            buf.extend_from_slice(bytes);
            buf
        });
        let message = peer::decode(&head, tail).unwrap();
        let arrives = self.now + self.rng.below(3);
        let wire = self.wires.entry((from, to)).or_default();
        let arrives = wire.back().map_or(arrives, |(when, _)| arrives.max(*when));
        wire.push_back((arrives, message));
    }

    /// Equal histories make equal trees; an epoch has one leader.
    fn watch(&mut self, at: usize) {
        let live = self.nodes[at].live.as_ref().unwrap();
        let (zxid, digest) = (live.tree.last_zxid(), live.tree.digest());
        let known = self.digests.entry(zxid).or_insert(digest);
        assert_eq!(*known, digest, "server {at} has another tree at {zxid}");
        if let RoleChange::Leading { epoch } = live.replica.status(&live.tree).role {
            self.epochs_led.insert(epoch.0);
        }
    }

    pub fn check_equal(&self) {
        let trees: Vec<_> =
            self.nodes.iter().map(|n| n.live.as_ref().map(|l| (l.tree.last_zxid(), l.tree.digest()))).collect();
        assert!(trees.iter().all(|tree| *tree == trees[0]), "{trees:?}");
    }

    pub fn tree(&self, at: usize) -> &Tree {
        &self.nodes[at].live.as_ref().unwrap().tree
    }

    /// A connection to a server, if it runs.
    pub fn connect(&mut self, at: usize) -> Option<Wire> {
        let now = Instant(self.now * 1_000_000);
        let node = &mut self.nodes[at];
        let live = node.live.as_mut()?;
        let conn = live.frontend.open(now, "127.0.0.1:4711".parse().unwrap());
        Some(Wire { at, life: node.lives, conn })
    }

    /// False if the connection is lost.
    pub fn is_open(&self, wire: Wire) -> bool {
        let node = &self.nodes[wire.at];
        let key = (wire.conn.slot, wire.conn.generation);
        node.live.is_some() && node.lives == wire.life && !node.closed.contains(&key)
    }

    pub fn send(&mut self, wire: Wire, payload: &[u8]) {
        let now = Instant(self.now * 1_000_000);
        if self.is_open(wire) {
            let live = self.nodes[wire.at].live.as_mut().unwrap();
            live.frontend.receive(now, wire.conn, payload, &live.tree);
        }
    }

    pub fn receive(&mut self, wire: Wire) -> Vec<u8> {
        let node = &mut self.nodes[wire.at];
        if node.lives != wire.life {
            return Vec::new();
        }
        node.sent.remove(&(wire.conn.slot, wire.conn.generation)).unwrap_or_default()
    }

    /// The client closes its connection.
    pub fn hang_up(&mut self, wire: Wire) {
        let now = Instant(self.now * 1_000_000);
        if self.is_open(wire) {
            self.nodes[wire.at].live.as_mut().unwrap().frontend.gone(now, wire.conn);
        }
    }
}
