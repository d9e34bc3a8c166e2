//! What a disk must still hold after whatever happened to it.

use crate::epochs::Epochs;
use crate::recovery::Rebuild;
use crate::snapshot::SnapshotHead;
use ringkeeper_core::frame::{Frame, FrameBatch};
use ringkeeper_core::ids::Zxid;
use std::sync::Arc;

/// A transaction: its place, and a number that no other one ever had. Two transactions of the same zxid (one lost in a
/// crash, the other made later) differ in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) zxid: Zxid,
    pub(crate) flavour: u64,
}

/// A history and how much of it was promised.
#[derive(Clone, Default, Debug)]
pub(crate) struct History {
    /// All that was appended, in order.
    pub(crate) entries: Vec<Entry>,
    /// So many are acknowledged: they survive the end of the process.
    pub(crate) acked: usize,
    /// So many are on stable storage: they survive power loss.
    pub(crate) stable: usize,
    /// The log was told that so many are committed: no more may be in the state.
    pub(crate) told: usize,
    /// A batch that is acknowledged, or on stable storage, was made when so many were: these must be in the state.
    pub(crate) stated: (usize, usize),
}

impl History {
    pub(crate) fn last(&self) -> Zxid {
        self.entries.last().map_or(Zxid::ZERO, |e| e.zxid)
    }

    fn brief(&self) -> String {
        let History { entries, acked, stable, told, stated } = self;
        let last: Vec<_> = entries.iter().rev().take(8).collect();
        format!("{acked} acknowledged, {stable} stable, {told} told as committed, {stated:?} stated, of {last:?}..")
    }

    /// How many entries are at or before `zxid`.
    pub(crate) fn through(&self, zxid: Zxid) -> usize {
        self.entries.partition_point(|e| e.zxid <= zxid)
    }

    /// One of which everything is stable and known to be committed, or at least so many transactions.
    pub(crate) fn settled(entries: Vec<Entry>, committed: usize) -> History {
        let (acked, stable) = (entries.len(), entries.len());
        History { entries, acked, stable, told: committed, stated: (committed, committed) }
    }

    fn allows(&self, found: &State, power_lost: bool) -> bool {
        let (floor, stated) = if power_lost { (self.stable, self.stated.1) } else { (self.acked, self.stated.0) };
        let len = found.entries.len();
        let whole = len >= floor && self.entries.get(..len) == Some(&found.entries[..]);
        whole && (stated..=self.told).contains(&found.given)
    }
}

/// How a life ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    Process,
    Power,
}

/// What was promised.
#[derive(Default, Debug)]
pub(crate) struct Model {
    pub(crate) now: History,
    /// What may be found instead, as long as the cut or restart that ended it is not known to be durable.
    pub(crate) before: Option<History>,
    /// May be found instead, as long as the snapshot that brings it is being installed.
    pub(crate) installing: Option<History>,
    pub(crate) epochs: Epochs,
    /// May be found instead.
    pub(crate) saving: Option<Epochs>,
    flavour: u64,
}

impl Model {
    pub(crate) fn new_flavour(&mut self) -> u64 {
        self.flavour += 1;
        self.flavour
    }

    /// Compares what recovery found, and goes on from there.
    pub(crate) fn recovered(&mut self, state: State, epochs: Epochs, death: Death) -> Result<(), String> {
        let power = death == Death::Power;
        let fits = |h: &Option<History>| h.as_ref().is_some_and(|h| h.allows(&state, power));
        let installed = self.installing.as_ref().is_some_and(|h| h.allows(&state, true));
        let found = &state.entries;
        if !self.now.allows(&state, power) && !fits(&self.before) && !installed {
            return Err(format!(
                "after the end of {death:?}: found {} transactions {:?}.., {} of them in the state; promised {}; or {:?}",
                found.len(),
                &found[found.len().saturating_sub(4)..],
                state.given,
                self.now.brief(),
                self.before.as_ref().map(History::brief),
            ));
        }
        if epochs != self.epochs && Some(epochs) != self.saving {
            return Err(format!("found {epochs:?}, saved {:?}, perhaps {:?}", self.epochs, self.saving));
        }
        self.now = History::settled(state.entries, state.given);
        (self.before, self.installing) = (None, None);
        (self.epochs, self.saving) = (epochs, None);
        Ok(())
    }
}

/// Bytes of a snapshot: the entries.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(|e| [e.zxid.0.to_le_bytes(), e.flavour.to_le_bytes()].concat()).collect()
}

/// The state that recovery rebuilds.
#[derive(Default, Debug)]
pub(crate) struct State {
    /// With those of the tail.
    pub(crate) entries: Vec<Entry>,
    /// Without them.
    pub(crate) given: usize,
    partial: Vec<u8>,
    expected: u64,
}

impl Rebuild for State {
    fn begin(&mut self, head: &SnapshotHead) {
        *self = State { expected: head.nodes, ..State::default() };
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let word = |b: &[u8]| crate::format::u64_at(b, 0);
        let entry = |b: &[u8]| Entry { zxid: Zxid(word(&b[..8])), flavour: word(&b[8..]) };
        self.entries = self.partial.chunks(16).map(entry).collect();
        self.given = self.entries.len();
        if self.entries.len() as u64 == self.expected { Ok(()) } else { Err("entries are missing".into()) }
    }

    fn empty(&mut self) {
        *self = State::default();
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        self.entries.push(Entry { zxid: frame.zxid(), flavour: frame.session().0 as u64 });
        self.given += 1;
        Ok(())
    }
}

impl State {
    /// What was found behind the state: it must continue it, frame by frame.
    pub(crate) fn add_tail(&mut self, tail: &[Arc<FrameBatch>]) {
        for batch in tail {
            let last = self.entries.last().map_or(Zxid::ZERO, |e| e.zxid);
            assert_eq!(batch.prev(), last, "the tail follows the state");
            self.entries.extend(batch.frames().map(|f| Entry { zxid: f.zxid(), flavour: f.session().0 as u64 }));
        }
    }
}
