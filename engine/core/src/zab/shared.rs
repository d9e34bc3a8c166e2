//! What a server knows whatever its part: settings, durable promises, history, links.

use super::timing::Hearing;
use super::{Defect, Defects, Epochs, History, Message, Output, Quorum, Standing, Status, Timing};
use crate::frame::FrameBatch;
use crate::ids::{Instant, ServerId, Zxid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Settings of agreement.
#[derive(Clone, Debug)]
pub struct ZabConfig {
    /// This server.
    pub id: ServerId,
    /// Who votes.
    pub quorum: Quorum,
    /// Failure detection and bounds.
    pub timing: Timing,
    /// The zxid counter at which an epoch ends; `u32::MAX` but in tests.
    pub last_counter: u32,
    /// Bytes of recent transactions that are kept for those who must catch up.
    pub history_bytes: u64,
    /// Identity of an ensemble that this server founds; random, not 0.
    pub ensemble_seed: u64,
    /// If this server has stood alone until now, its data is to be that of the ensemble.
    pub bootstrap: bool,
    /// Deliberate defects; none.
    pub defects: Defects,
}

/// A server that there is a link to.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) hearing: Hearing,
    pub(super) status: Option<Status>,
    /// When something was last sent.
    pub(super) sent: Instant,
    /// The status that it was told last.
    pub(super) told: Option<Status>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: ServerId,
    pub(super) quorum: Quorum,
    pub(super) timing: Timing,
    pub(super) last_counter: u32,
    pub(super) ensemble_seed: u64,
    bootstrap: bool,
    defects: Defects,
    pub(super) now: Instant,
    /// Durable.
    pub(super) epochs: Epochs,
    /// What they will be when everything asked for is durable.
    pub(super) asked: Epochs,
    pub(super) saving: VecDeque<Epochs>,
    pub(super) history: History,
    /// This server's disk has everything through this transaction, and nothing that was cut off.
    pub(super) durable: Zxid,
    /// Known to be committed.
    pub(super) committed: Zxid,
    pub(super) peers: BTreeMap<ServerId, Peer>,
    /// A state is on its way to take the place of this server's, which stays as it is until then.
    pub(super) installing: Option<Zxid>,
    /// Reads of the log that were asked for.
    pub(super) reads: u64,
    pub(super) out: Vec<Output>,
}

impl Shared {
    pub(super) fn new(config: ZabConfig, epochs: Epochs, state: Zxid, tail: &[Arc<FrameBatch>]) -> Shared {
        assert!(epochs.current <= epochs.accepted, "the current epoch has been accepted: {epochs:?}");
        assert!(config.ensemble_seed != 0, "an ensemble has an identity");
        let lapsed = epochs.lapsed && !config.defects.has(Defect::LapseForgotten);
        let epochs = Epochs { lapsed, ..epochs };
        let mut history = History::new(state, config.history_bytes);
        for batch in tail {
            history.append(Arc::clone(batch));
        }
        Shared {
            id: config.id,
            quorum: config.quorum,
            timing: config.timing,
            last_counter: config.last_counter,
            ensemble_seed: config.ensemble_seed,
            bootstrap: config.bootstrap,
            defects: config.defects,
            now: Instant::default(),
            epochs,
            asked: epochs,
            saving: VecDeque::new(),
            durable: history.last(),
            history,
            committed: state,
            peers: BTreeMap::new(),
            installing: None,
            reads: 0,
            out: Vec::new(),
        }
    }

    /// Whether a defect is planted.
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defects.has(defect)
    }

    /// To a server that there is a link to; to any other, nothing.
    pub(super) fn send(&mut self, to: ServerId, message: Message) {
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.sent = self.now;
            self.out.push(Output::Send { to, message });
        }
    }

    /// Has the changed epochs made durable, if anything changed.
    pub(super) fn save(&mut self, change: impl FnOnce(&mut Epochs)) {
        let mut next = self.asked;
        change(&mut next);
        if next == self.asked {
            return;
        }
        assert!(next.current <= next.accepted, "a server follows only whom it has accepted: {next:?}");
        assert!(!(next.member && next.lapsed), "a member has lost nothing: {next:?}");
        assert!(next.accepted >= self.asked.accepted && next.current >= self.asked.current, "epochs never fall");
        self.asked = next;
        self.saving.push_back(next);
        self.out.push(Output::SaveEpochs(next));
    }

    /// These epochs, which were asked for, are durable. Earlier ones were passed over: whatever they promised, these do.
    pub(super) fn saved(&mut self, epochs: Epochs) {
        while self.epochs != epochs {
            self.epochs = self.saving.pop_front().expect("epochs are saved when that is asked for");
        }
    }

    /// The next transactions, for the log.
    pub(super) fn append(&mut self, batch: Arc<FrameBatch>) {
        self.history.append(Arc::clone(&batch));
        self.out.push(Output::Append(batch));
    }

    /// Everything behind `to` is not part of the history.
    pub(super) fn truncate(&mut self, to: Zxid) {
        assert!(
            to >= self.committed,
            "{to} is before {}, which is committed: nothing committed is cut off",
            self.committed
        );
        self.history.truncate(to);
        // Until the cut itself is durable, a crash brings back what was cut off: nothing may be built on its absence.
        self.durable = if self.has(Defect::CutNotDurable) { self.durable.min(to) } else { Zxid::ZERO };
        self.out.push(Output::Truncate(to));
    }

    /// The history is that of a state taken over as a whole.
    pub(super) fn restart_at(&mut self, zxid: Zxid) {
        self.history.restart(zxid);
        self.durable = zxid;
        self.committed = self.committed.max(zxid);
    }

    /// Everything through `zxid` is committed.
    pub(super) fn commit(&mut self, zxid: Zxid) {
        if zxid > self.committed {
            assert!(zxid <= self.history.last(), "{zxid} is committed but is not in the history");
            self.committed = zxid;
            self.history.commit(zxid);
            self.out.push(Output::Committed(zxid));
        }
    }

    /// The statuses of the servers that are in sight.
    pub(super) fn in_sight(&self) -> BTreeMap<ServerId, Status> {
        let seen = self.peers.iter().filter(|(_, peer)| !peer.hearing.is_silent(self.now, &self.timing));
        seen.filter_map(|(id, peer)| peer.status.clone().map(|status| (*id, status))).collect()
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { founder: self.bootstrap && self.stood_alone(), ..Standing::from(&self.epochs) }
    }

    /// This server has data that nobody else has had a part in.
    pub(super) fn stood_alone(&self) -> bool {
        self.epochs.member && !self.epochs.shared
    }

    /// Whether nobody else votes.
    pub(super) fn is_alone(&self) -> bool {
        self.quorum.is_reached_by(|id| id == self.id)
    }

    /// The voters in sight, and this server if it is one.
    pub(super) fn reaches(&self, in_sight: &BTreeMap<ServerId, Status>) -> BTreeSet<ServerId> {
        self.quorum.voters().filter(|id| *id == self.id || in_sight.contains_key(id)).collect()
    }
}
