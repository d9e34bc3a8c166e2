//! Four-letter words: collects what a word shows, and has it put into text.

use super::Turn;
use crate::config::Data;
use crate::four_letter::{
    Clocks, Connection, Deadlines, Descriptors, Directories, Environment, Latency, Metric, MetricValue, Mode, Needs,
    Opening, Reset, Snapshot, Watches, answer,
};
use crate::live::{Acted, Live, MemoryUse};
use ringkeeper_core::frontend::{Frontend, FrontendStats};
use ringkeeper_core::ids::{ConnId, Instant, SessionId, WallMs};
use ringkeeper_core::tree::Tree;
use ringkeeper_core::zab::RoleChange;
use ringkeeper_net::SocketStats;
use ringkeeper_node::{Backend, Clock as _, SyncCounts};
use std::sync::Arc;

/// What the words are answered with, beside the state of the server.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) live: Arc<Live>,
    pub(crate) environment: Environment,
    pub(crate) data: Data,
    pub(crate) client_port: u16,
    /// Whether this server votes in its ensemble; `None`: it stands alone.
    pub(crate) in_ensemble: Option<bool>,
}

/// The clocks' readings, and when the server started.
pub(crate) type Readings = (Instant, WallMs, Instant);

impl Turn {
    /// The answer to a word; `rest` begins with its argument.
    pub(super) fn answer_word(&self, name: [u8; 4], rest: &[u8]) -> String {
        let Opening::Word(word) = Opening::of(name) else {
            unreachable!("the sockets know the words of the same table")
        };
        let words = &self.words;
        let node = &mut *self.node.borrow_mut();
        let admitted = words.live.current().words;
        if admitted.admits(word) {
            match word.resets() {
                Some(Reset::Connections) => node.frontend.reset_connection_stats(),
                Some(Reset::Server) => node.frontend.reset_stats(),
                None => {}
            }
        }
        let serving = node.backend.replica.status(&node.tree).serving && !self.stopping.get();
        let snapshot = serving.then(|| {
            let (now, wall) = (self.clock.now(), self.clock.wall());
            let reading = |conn: ConnId| self.accepts(&node.frontend, conn);
            let sockets = self.sockets.get().map(|sockets| sockets.stats()).unwrap_or_default();
            let clients = ClientFacts::of(&node.frontend, sockets, word.needs(), Clocks { now, wall }, reading);
            clients.add_to(
                words.live.memory(),
                words.of_replica(&node.backend, &node.tree, word.needs(), (now, wall, self.clock.started())),
            )
        });
        let mask = rest.first_chunk::<8>().map_or(0, |mask| u64::from_be_bytes(*mask));
        answer(word, mask, admitted, &words.environment, snapshot.as_ref())
    }
}

impl Words {
    fn mode(&self, role: RoleChange) -> Mode {
        match (self.in_ensemble, role) {
            (Some(_), RoleChange::Leading { .. }) => Mode::Leader,
            (Some(true), _) => Mode::Follower,
            (Some(false), _) => Mode::Observer,
            (None, _) => Mode::Standalone,
        }
    }

    /// The facts that the replica's executor knows.
    pub(crate) fn of_replica(&self, backend: &Backend, tree: &Tree, needs: Needs, readings: Readings) -> Snapshot {
        let (now, wall, started) = readings;
        let status = backend.replica.status(tree);
        let mut facts = Snapshot {
            mode: self.mode(status.role),
            zxid: status.last_zxid,
            uptime_ms: now.millis() - started.millis(),
            node_count: tree.node_count() as u64,
            ephemeral_count: tree.ephemeral_count() as u64,
            data_size: tree.approximate_data_size(),
            global_sessions: status.sessions as u64,
            digests: vec![(status.last_zxid, tree.digest())],
            client_port: self.client_port,
            settings: Arc::clone(&self.live.current().settings),
            ..Snapshot::default()
        };
        if needs.sessions {
            facts.sessions = Deadlines::of(backend.replica.session_buckets(), Clocks { now, wall });
            let owners = tree.sessions_with_ephemerals();
            facts.ephemerals = owners.map(|(session, _)| (session, tree.ephemerals(session))).collect();
        }
        if needs.directories {
            facts.directories = Directories::measure(self.data.dir.clone(), self.data.log_dir.clone());
        }
        if needs.metrics {
            facts.descriptors = Descriptors::gather();
            facts.metrics = synchronisations(backend.sync_counts());
        }
        facts
    }
}

/// How learners were brought up to date, under ZooKeeper's names.
fn synchronisations(counts: SyncCounts) -> Vec<Metric> {
    [("diff_count", counts.diff), ("snap_count", counts.snap)]
        .map(|(name, count)| Metric { name: name.to_owned(), value: MetricValue::Count(count.cast_signed()) })
        .into()
}

/// The facts that client executors know.
#[derive(Debug, Default)]
pub(crate) struct ClientFacts {
    stats: FrontendStats,
    acted: Acted,
    watches: usize,
    connections: Vec<Connection>,
    watched: Vec<(SessionId, Vec<String>)>,
}

impl ClientFacts {
    /// Those of one frontend and its sockets. `reading` tells of which connections more requests are taken.
    pub(crate) fn of(
        frontend: &Frontend,
        sockets: SocketStats,
        needs: Needs,
        clocks: Clocks,
        reading: impl Fn(ConnId) -> bool,
    ) -> ClientFacts {
        let mut facts = ClientFacts {
            stats: frontend.stats(),
            acted: Acted { sockets, clients: frontend.limit_counts() },
            watches: frontend.watch_summary().watches,
            ..ClientFacts::default()
        };
        if needs.connections {
            let connections = frontend.connections();
            facts.connections = connections.map(|info| Connection::of(&info, reading(info.id), clocks)).collect();
        }
        if needs.watches {
            facts.watched = Watches::of(frontend.watches_by_path()).by_session;
        }
        facts
    }

    /// With those of another client executor.
    pub(crate) fn joined(mut self, other: ClientFacts) -> ClientFacts {
        self.stats.merge(&other.stats);
        self.acted.merge(&other.acted);
        self.watches += other.watches;
        self.connections.extend(other.connections);
        self.watched.extend(other.watched);
        self
    }

    /// Completes the replica's facts.
    pub(crate) fn add_to(self, memory: MemoryUse, mut facts: Snapshot) -> Snapshot {
        facts.latency = Latency::from(&self.stats.latency);
        facts.received = self.stats.packets_received;
        facts.sent = self.stats.packets_sent;
        facts.alive_connections = self.stats.connections as u64;
        facts.outstanding = self.stats.outstanding as u64;
        facts.response_size = self.stats.response_size;
        facts.auth_failed = self.stats.auth_failed;
        facts.watch_count = self.watches as u64;
        facts.metrics.extend(self.acted.metrics(memory));
        facts.connections = self.connections;
        facts.watches.by_session = self.watched;
        facts
    }
}
