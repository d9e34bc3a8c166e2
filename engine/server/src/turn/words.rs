//! Four-letter words: collects what a word shows, and has it put into text.

use super::{Core, Turn};
use crate::config::{Data, Settings};
use crate::four_letter::{
    Clocks, Connection, Deadlines, Descriptors, Directories, Environment, Latency, Mode, Needs, Opening, Reset,
    Snapshot, Watches, Whitelist, Word, answer,
};
use ringkeeper_core::ids::ConnId;
use std::sync::Arc;

/// What the words are answered with, beside the state of the server.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) admitted: Whitelist,
    pub(crate) environment: Environment,
    pub(crate) settings: Arc<Settings>,
    pub(crate) data: Data,
    pub(crate) client_port: u16,
}

impl Turn {
    /// The answer to a word; `rest` begins with its argument.
    pub(super) fn answer_word(&self, name: [u8; 4], rest: &[u8]) -> String {
        let Opening::Word(word) = Opening::of(name) else {
            unreachable!("the sockets know the words of the same table")
        };
        let words = &self.words;
        let mut core = self.core.borrow_mut();
        if words.admitted.admits(word) {
            core.reset(word);
        }
        let serving = core.replica.status(&core.tree).serving && !self.stopping.get();
        let snapshot = serving.then(|| self.facts(&core, word.needs()));
        let mask = rest.first_chunk::<8>().map_or(0, |mask| u64::from_be_bytes(*mask));
        answer(word, mask, words.admitted, &words.environment, snapshot.as_ref())
    }

    fn facts(&self, core: &Core, needs: Needs) -> Snapshot {
        let clocks = Clocks { now: self.clock.now(), wall: self.clock.wall() };
        let (tree, status, stats) = (&core.tree, core.replica.status(&core.tree), core.frontend.stats());
        let mut facts = Snapshot {
            mode: Mode::Standalone,
            zxid: status.last_zxid,
            uptime_ms: clocks.now.millis() - self.clock.started().millis(),
            latency: Latency::from(&stats.latency),
            received: stats.packets_received,
            sent: stats.packets_sent,
            alive_connections: stats.connections as u64,
            outstanding: stats.outstanding as u64,
            node_count: tree.node_count() as u64,
            watch_count: core.frontend.watch_summary().watches as u64,
            ephemeral_count: tree.ephemeral_count() as u64,
            data_size: tree.approximate_data_size(),
            global_sessions: status.sessions as u64,
            auth_failed: stats.auth_failed,
            digests: vec![(status.last_zxid, tree.digest())],
            client_port: self.words.client_port,
            settings: Arc::clone(&self.words.settings),
            ..Snapshot::default()
        };
        if needs.connections {
            let reading = |conn: ConnId| self.accepts(&core.frontend, conn);
            let connections = core.frontend.connections();
            facts.connections = connections.map(|info| Connection::of(&info, reading(info.id), clocks)).collect();
        }
        if needs.watches {
            facts.watches = Watches::of(core.frontend.watches_by_path());
        }
        if needs.sessions {
            facts.sessions = Deadlines::of(core.replica.session_buckets(), clocks);
            let owners = tree.sessions_with_ephemerals();
            facts.ephemerals = owners.map(|(session, _)| (session, tree.ephemerals(session))).collect();
        }
        if needs.directories {
            let data = &self.words.data;
            facts.directories = Directories::measure(data.dir.clone(), data.log_dir.clone());
        }
        if needs.metrics {
            facts.descriptors = Descriptors::gather();
        }
        facts
    }
}

impl Core {
    fn reset(&mut self, word: Word) {
        match word.resets() {
            Some(Reset::Connections) => self.frontend.reset_connection_stats(),
            Some(Reset::Server) => self.frontend.reset_stats(),
            None => {}
        }
    }
}
