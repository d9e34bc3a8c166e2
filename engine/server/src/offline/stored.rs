//! The state that a server has stored.

use ringkeeper_core::ids::Zxid;
use ringkeeper_core::tree::{Applied, Tree};
use ringkeeper_node::recover;
use ringkeeper_txnlog::config::{LogConfig, SnapshotConfig};
use ringkeeper_txnlog::epochs::Epochs;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::recovery::{Dirs, Recovery};

/// What was found.
pub(crate) struct Stored {
    /// As far as it is known to be committed.
    pub(crate) tree: Tree,
    /// What the server has promised.
    #[cfg_attr(not(test), expect(dead_code, reason = "for tests"))]
    pub(crate) epochs: Epochs,
    /// The last transaction of the log, if it is not known whether the ensemble has it.
    pub(crate) unknown_through: Option<Zxid>,
}

/// Reads the newest snapshot and the log behind it, and changes nothing. What a server that stands alone has logged is
/// committed; what a server of an ensemble has logged last may not be.
///
/// # Errors
/// [`OpenError`]
pub(crate) fn read(dirs: Dirs) -> Result<Stored, OpenError> {
    let mut recovery = Recovery::open(dirs, LogConfig::default(), SnapshotConfig::default())?;
    let epochs = recovery.epochs();
    let mut recovered = recover(&mut recovery)?;
    let last = recovered.tail.last().map(|batch| batch.last());
    let unknown_through = last.filter(|_| epochs.shared);
    if unknown_through.is_none() {
        let mut applied = Applied::default();
        for frame in recovered.tail.iter().flat_map(|batch| batch.frames()) {
            let refused = |e| OpenError::Refused(format!("transaction {}: {e}", frame.zxid()));
            recovered.tree.apply(&frame, &mut applied).map_err(refused)?;
        }
    }
    Ok(Stored { tree: recovered.tree, epochs, unknown_through })
}
