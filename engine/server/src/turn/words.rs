//! Collects what four-letter words, the admin server and Prometheus tell, and has words answered.

use super::Turn;
use crate::config::{Data, Ensemble};
use crate::executor::clock::Readings;
use crate::four_letter::{
    Clocks, Connection, Deadlines, Descriptors, Directories, Environment, Latency, Mode, Needs, Opening, Reset,
    Snapshot, Watches, answer,
};
use crate::live::{Live, own_metrics};
use crate::metrics::{AdminMeasures, ChangeTimes, ExecutorLoad, Measures, resident_bytes};
use crate::spread::{Errand, Inquiry, Part, Request};
use crate::tls;
use ringkeeper_core::frontend::{Frontend, FrontendMeasures, FrontendStats, HotPaths, LimitCounts};
use ringkeeper_core::ids::{ConnId, SessionId, WallMs};
use ringkeeper_core::replica::ReplicaStatus;
use ringkeeper_core::tree::Tree;
use ringkeeper_core::zab::RoleChange;
use ringkeeper_net::{SocketStats, TlsEndpoint};
use ringkeeper_node::{Backend, Clock as _, Node};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What the words are answered with, beside the state of the server.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) live: Arc<Live>,
    pub(crate) environment: Environment,
    pub(crate) data: Data,
    /// The port for clients, unless there is only one for TLS.
    pub(crate) client_port: Option<u16>,
    /// The port for TLS.
    pub(crate) secure_client_port: Option<u16>,
    /// What TLS connections are made with.
    pub(crate) tls: Option<TlsEndpoint>,
    /// The subject of the super user's certificate.
    pub(crate) super_subject: Option<String>,
    /// The ensemble; `None`: this server stands alone.
    pub(crate) ensemble: Option<Arc<Ensemble>>,
}

impl Turn {
    /// The answer to a word; `rest` begins with its argument.
    pub(super) fn answer_word(&self, name: [u8; 4], rest: &[u8]) -> String {
        let Opening::Word(word) = Opening::of(name) else {
            unreachable!("the sockets know the words of the same table")
        };
        let words = &self.words;
        let node = &mut *self.node.borrow_mut();
        let admitted = words.live.current().words;
        let facts = admitted.admits(word).then(|| {
            words.run_errand(node, word.resets().map(Errand::Reset));
            let (replica, clients) = self.facts(node, word.needs());
            words.completed(clients.add_to(replica), word.needs())
        });
        let serving = facts.as_ref().filter(|facts| facts.answers);
        let mask = rest.first_chunk::<8>().map_or(0, |mask| u64::from_be_bytes(*mask));
        answer(word, mask, admitted, &words.environment, serving)
    }

    /// Tells those who ask all executors: here is the only one.
    pub(super) fn answer_inquiries(&self) {
        while let Some(request) = self.exchange.office().take() {
            if let Request::Inquiry(inquiry) = request {
                self.contribute(&inquiry);
            }
        }
    }

    fn contribute(&self, inquiry: &Inquiry) {
        let node = &mut *self.node.borrow_mut();
        self.words.run_errand(node, inquiry.errand);
        let (replica, clients) = self.facts(node, inquiry.needs);
        inquiry.contribute([Part::Replica(Box::new(replica)), Part::Clients(Box::new(clients))]);
    }

    fn facts(&self, node: &Node, needs: Needs) -> (Snapshot, ClientFacts) {
        let clocks = Clocks { now: self.clock.now(), wall: self.clock.wall() };
        let reading = |conn: ConnId| self.accepts(&node.frontend, conn);
        let mut clients = ClientFacts::of(&node.frontend, needs, clocks, reading);
        clients.stopping = self.stopping.get();
        clients.sockets = self.sockets.get().map(|sockets| sockets.stats()).unwrap_or_default();
        let mut replica = self.words.of_replica(&node.backend, &node.tree, needs, self.clock.readings());
        if needs.metrics {
            replica.measures.executors.push(ExecutorLoad::here("replica", self.turns.get()));
            replica.slow = self.slow.borrow().entries();
        }
        (replica, clients)
    }

    /// Writes down what the turn has found slow.
    pub(super) fn note_slow(&self, node: &mut Node) {
        let requests = node.frontend.take_slow();
        if !requests.is_empty() {
            let clocks = Clocks { now: self.clock.now(), wall: self.clock.wall() };
            self.slow.borrow_mut().add(clocks, requests, |request| node.backend.stages_of(request));
        }
    }
}

impl Words {
    fn run_errand(&self, node: &mut Node, errand: Option<Errand>) {
        match errand {
            Some(Errand::Reset(Reset::Connections)) => node.frontend.reset_connection_stats(),
            Some(Errand::Reset(Reset::Server)) => {
                node.frontend.reset_stats();
                self.reset_measures(&mut node.backend);
            }
            Some(Errand::TakeSnapshot) => node.backend.want_snapshot(),
            None => {}
        }
    }

    /// Starts counting anew what clients' executors do not count.
    pub(crate) fn reset_measures(&self, backend: &mut Backend) {
        backend.reset_measures();
        self.live.count_admin(|measures| *measures = AdminMeasures::default());
    }

    fn mode(&self, status: &ReplicaStatus) -> Mode {
        match (&self.ensemble, status.role) {
            _ if status.read_only => Mode::ReadOnly,
            (Some(_), RoleChange::Leading { .. }) => Mode::Leader,
            (Some(ensemble), _) if ensemble.me().votes => Mode::Follower,
            (Some(_), _) => Mode::Observer,
            (None, _) => Mode::Standalone,
        }
    }

    /// The facts that the replica's executor knows.
    pub(crate) fn of_replica(&self, backend: &Backend, tree: &Tree, needs: Needs, readings: Readings) -> Snapshot {
        let Readings { now, wall, wall_us, started } = readings;
        let status = backend.replica.status(tree);
        let mut facts = Snapshot {
            serving: status.serving,
            answers: status.serving || status.read_only,
            mode: self.mode(&status),
            role: Some(status.role),
            epoch: status.epoch,
            outlook: if status.serving { String::new() } else { backend.replica.outlook() },
            zxid: status.last_zxid,
            uptime_ms: now.millis() - started.millis(),
            node_count: tree.node_count() as u64,
            ephemeral_count: tree.ephemeral_count() as u64,
            data_size: tree.approximate_data_size(),
            global_sessions: status.sessions as u64,
            local_sessions: status.local_sessions as u64,
            digests: vec![(status.last_zxid, tree.digest())],
            log_room: status.log_room,
            proposal_size: backend.replica.measures().proposal_size,
            learners: backend.learners(now, status.proposed),
            newest_snapshot: backend.newest_snapshot(),
            snapshot_failures: backend.snapshot_failures(),
            client_port: self.client_port,
            secure_client_port: self.secure_client_port,
            server_id: self.ensemble.as_ref().map_or(0, |ensemble| ensemble.id),
            ensemble: self.ensemble.clone(),
            settings: Arc::clone(&self.live.current().settings),
            ..Snapshot::default()
        };
        if needs.sessions {
            facts.sessions = Deadlines::of(backend.replica.session_buckets(), Clocks { now, wall });
            facts.session_timeouts = tree.sessions().map(|(session, entry)| (session, entry.timeout_ms)).collect();
            let owners = tree.sessions_with_ephemerals();
            facts.ephemerals = owners.map(|(session, _)| (session, tree.ephemerals(session))).collect();
        }
        if needs.root_acl {
            facts.root_acl = tree.get("/").and_then(|root| root.acl().clone());
        }
        if needs.metrics {
            let backend = backend.measures();
            facts.part_since_ms = now.since(backend.role.since).as_millis() as u64;
            facts.clock_us = wall_us;
            facts.leader_change = backend.role.change.and_then(|change| ChangeTimes::of(change, now, wall_us));
            facts.measures = Box::new(Measures { backend, ..Measures::default() });
        }
        facts
    }

    /// With what the system tells. Asking it takes its time, so whoever wants to know does it, and no executor that only
    /// contributes.
    pub(crate) fn completed(&self, mut facts: Snapshot, needs: Needs) -> Snapshot {
        if needs.directories {
            facts.directories = Directories::measure(self.data.dir.clone(), self.data.log_dir.clone());
        }
        if needs.metrics {
            facts.measures.memory = self.live.memory();
            facts.measures.admin = self.live.admin_measures();
            facts.measures.handshakes = self.tls.as_ref().map_or(0, TlsEndpoint::handshakes_under_way);
            facts.measures.certificate_seconds =
                self.live.certificate_ends().map(|ends| (ends.0 - tls::now().0).div_euclid(1000));
            facts.resident_bytes = resident_bytes();
            facts.metrics = own_metrics(&facts);
            facts.descriptors = Descriptors::gather();
        }
        facts
    }
}

/// The facts that client executors know.
#[derive(Debug, Default)]
pub(crate) struct ClientFacts {
    stats: FrontendStats,
    limits: LimitCounts,
    measures: FrontendMeasures,
    hot: HotPaths,
    watches: usize,
    connections: Vec<Connection>,
    watched: Vec<(SessionId, Vec<String>)>,
    deadlines: Vec<(WallMs, (SocketAddr, SessionId))>,
    pub(crate) executors: Vec<ExecutorLoad>,
    pub(crate) sockets: SocketStats,
    /// No more requests are taken.
    pub(crate) stopping: bool,
}

impl ClientFacts {
    /// Those of one frontend. `reading` tells of which connections more requests are taken.
    pub(crate) fn of(
        frontend: &Frontend,
        needs: Needs,
        clocks: Clocks,
        reading: impl Fn(ConnId) -> bool,
    ) -> ClientFacts {
        let mut facts = ClientFacts {
            stats: frontend.stats(),
            limits: frontend.limit_counts(),
            watches: frontend.watch_summary().watches,
            ..ClientFacts::default()
        };
        if needs.connections {
            let connections = frontend.connections();
            facts.connections = connections.map(|info| Connection::of(&info, reading(info.id), clocks)).collect();
        }
        if needs.sessions {
            let deadlines = frontend.connections().map(|info| {
                let limit = match info.session {
                    SessionId::NONE => frontend.sessionless_timeout(),
                    _ => Duration::from_millis(u64::try_from(info.timeout_ms).unwrap_or(0)),
                };
                let heard = info.established.max(info.last_response);
                (clocks.wall_at(heard.plus(limit)), (info.peer, info.session))
            });
            facts.deadlines = deadlines.collect();
        }
        if needs.watches {
            facts.watched = Watches::of(frontend.watches_by_path()).by_session;
        }
        if needs.metrics {
            facts.measures = frontend.measures().clone();
            facts.hot = frontend.hot_paths(clocks.now);
        }
        facts
    }

    /// With those of another client executor.
    pub(crate) fn joined(mut self, other: ClientFacts) -> ClientFacts {
        self.stats.merge(&other.stats);
        self.limits.merge(&other.limits);
        self.measures.merge(&other.measures);
        self.hot.merge(other.hot);
        self.watches += other.watches;
        self.connections.extend(other.connections);
        self.watched.extend(other.watched);
        self.deadlines.extend(other.deadlines);
        self.executors.extend(other.executors);
        self.sockets.merge(&other.sockets);
        self.stopping |= other.stopping;
        self
    }

    /// Completes the replica's facts.
    pub(crate) fn add_to(self, mut facts: Snapshot) -> Snapshot {
        facts.serving &= !self.stopping;
        facts.answers &= !self.stopping;
        facts.latency = Latency::from(&self.stats.latency);
        facts.received = self.stats.packets_received;
        facts.sent = self.stats.packets_sent;
        facts.alive_connections = self.stats.connections as u64;
        facts.outstanding = self.stats.outstanding as u64;
        facts.response_size = self.stats.response_size;
        facts.auth_failed = self.stats.auth_failed;
        facts.watch_count = self.watches as u64;
        facts.connections = self.connections;
        facts.watches.by_session = self.watched;
        facts.connection_deadlines = Deadlines::by_second(self.deadlines);
        facts.hot = self.hot;
        facts.measures.frontend = self.measures;
        facts.measures.sockets = self.sockets;
        facts.measures.limits = self.limits;
        facts.measures.executors.extend(self.executors);
        facts.measures.executors.sort_by(|a, b| a.name.cmp(&b.name));
        facts
    }
}
