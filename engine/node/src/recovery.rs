//! Taking up what is stored, and what the log tells in the core's terms.

use ringkeeper_core::frame::{Frame, FrameBatch};
use ringkeeper_core::replica::Input;
use ringkeeper_core::tree::{Applied, Loader, Tree};
use ringkeeper_core::zab;
use ringkeeper_txnlog::LogEvent;
use ringkeeper_txnlog::epochs::Epochs;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::recovery::{Rebuild, Recovery, Summary};
use ringkeeper_txnlog::snapshot::SnapshotHead;
use std::sync::Arc;

/// A server's state after a start.
pub struct Recovered {
    /// The state, as far as it is known to be committed.
    pub tree: Tree,
    /// What this server has promised.
    pub epochs: zab::Epochs,
    /// What the log holds behind the tree: not known to be committed.
    pub tail: Vec<Arc<FrameBatch>>,
    /// What recovery did.
    pub summary: Summary,
}

/// Reads the newest snapshot and the log behind it. Then the log can be made ready to be continued.
///
/// # Errors
/// [`OpenError`]
pub fn recover(recovery: &mut Recovery) -> Result<Recovered, OpenError> {
    let mut state = Rebuilding::default();
    let summary = recovery.replay(&mut state)?;
    Ok(Recovered { tree: state.tree, epochs: known(recovery.epochs()), tail: recovery.take_tail(), summary })
}

/// The tree, while it is rebuilt.
struct Rebuilding {
    tree: Tree,
    loader: Loader,
    applied: Applied,
}

impl Default for Rebuilding {
    fn default() -> Rebuilding {
        Rebuilding { tree: Tree::new(), loader: Loader::new(), applied: Applied::default() }
    }
}

impl Rebuild for Rebuilding {
    fn begin(&mut self, _: &SnapshotHead) {
        self.loader = Loader::new();
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.loader.feed(bytes).map_err(|error| error.to_string())
    }

    fn end(&mut self) -> Result<(), String> {
        self.tree = std::mem::take(&mut self.loader).finish().map_err(|error| error.to_string())?;
        Ok(())
    }

    fn empty(&mut self) {
        self.tree = Tree::new();
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        self.tree.apply(frame, &mut self.applied).map_err(|error| error.to_string())
    }
}

/// What the log's news mean to the replica.
///
/// # Errors
/// The reason why the process must end.
pub(crate) fn input(event: LogEvent) -> Result<Input, String> {
    Ok(match event {
        LogEvent::Durable { through, generation } => Input::LogDurable { through, generation },
        LogEvent::Room(room) => Input::LogRoom(room),
        LogEvent::EpochsSaved(epochs) => Input::EpochsSaved(known(epochs)),
        LogEvent::SnapshotDone { .. } => Input::SnapshotEnded { done: true },
        LogEvent::SnapshotFailed { .. } => Input::SnapshotEnded { done: false },
        LogEvent::Read { .. } => unreachable!("reads are answered to whoever asked for them"),
        LogEvent::Failed(failure) => return Err(failure.to_string()),
    })
}

/// The core's epochs as the log stores them.
pub(crate) fn stored(epochs: zab::Epochs) -> Epochs {
    let zab::Epochs { accepted, current, ensemble, member, lapsed, shared } = epochs;
    Epochs { accepted, current, ensemble, member, lapsed, shared }
}

/// What the log has stored as the core knows it.
fn known(epochs: Epochs) -> zab::Epochs {
    let Epochs { accepted, current, ensemble, member, lapsed, shared } = epochs;
    zab::Epochs { accepted, current, ensemble, member, lapsed, shared }
}
