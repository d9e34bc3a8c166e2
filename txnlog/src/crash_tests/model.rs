//! What a disk must still hold after whatever happened to it.

use crate::epochs::Epochs;
use crate::recovery::Rebuild;
use crate::snapshot::SnapshotHead;
use ringkeeper_core::frame::Frame;
use ringkeeper_core::ids::Zxid;

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
}

impl History {
    pub(crate) fn last(&self) -> Zxid {
        self.entries.last().map_or(Zxid::ZERO, |e| e.zxid)
    }

    /// How many entries are at or before `zxid`.
    pub(crate) fn through(&self, zxid: Zxid) -> usize {
        self.entries.partition_point(|e| e.zxid <= zxid)
    }

    fn allows(&self, found: &[Entry], power_lost: bool) -> bool {
        let floor = if power_lost { self.stable } else { self.acked };
        found.len() >= floor && self.entries.get(..found.len()) == Some(found)
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
    pub(crate) fn recovered(&mut self, found: &[Entry], epochs: Epochs, death: Death) -> Result<(), String> {
        let power = death == Death::Power;
        let fits = |h: &Option<History>| h.as_ref().is_some_and(|h| h.allows(found, power));
        let installed = self.installing.as_ref().is_some_and(|h| h.entries == found);
        if !self.now.allows(found, power) && !fits(&self.before) && !installed {
            return Err(format!(
                "after the end of {death:?}: found {} transactions {:?}..; promised {} acknowledged, {} stable of {:?}; or {:?}",
                found.len(),
                &found[found.len().saturating_sub(4)..],
                self.now.acked,
                self.now.stable,
                self.now.entries.iter().rev().take(8).collect::<Vec<_>>(),
                self.before.as_ref().map(|b| (b.acked, b.stable, b.entries.len())),
            ));
        }
        if epochs != self.epochs && Some(epochs) != self.saving {
            return Err(format!("found {epochs:?}, saved {:?}, perhaps {:?}", self.epochs, self.saving));
        }
        self.now = History { entries: found.to_vec(), acked: found.len(), stable: found.len() };
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
    pub(crate) entries: Vec<Entry>,
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
        if self.entries.len() as u64 == self.expected { Ok(()) } else { Err("entries are missing".into()) }
    }

    fn empty(&mut self) {
        *self = State::default();
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        self.entries.push(Entry { zxid: frame.zxid(), flavour: frame.session().0 as u64 });
        Ok(())
    }
}
