//! Adds to a backup what a server has that it lacks.

use super::BackupDir;
use super::piece::{Head, PieceWriter};
use crate::offline::Directories;
use anyhow::Context as _;
use ringkeeper_core::ids::Zxid;
use ringkeeper_txnlog::config::{LogConfig, SnapshotConfig};
use ringkeeper_txnlog::disk::Disk;
use ringkeeper_txnlog::recovery::{Dirs, Recovery};
use std::path::Path;

/// What was added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    /// A snapshot, if there was none or the log no longer reached back to what there was.
    pub(crate) snapshot: Option<Zxid>,
    /// The newest state that the backup had before.
    pub(crate) before: Option<Zxid>,
    /// The transactions.
    pub(crate) piece: Head,
}

impl Taken {
    /// The last transaction before those that the backup lacks for good, if there are any.
    pub(crate) fn gap_after(&self) -> Option<Zxid> {
        self.before.filter(|_| self.snapshot.is_some())
    }
}

/// Takes everything that is new. `progress` is told of each transaction.
///
/// # Errors
/// If the server's directories are damaged, are of another ensemble than the backup, or of the file system.
pub(crate) fn take(from: &Directories, to: &Path, progress: &mut dyn FnMut()) -> anyhow::Result<Taken> {
    from.patiently(|dirs| try_take(dirs, to, progress)).with_context(|| from.data.display().to_string())
}

/// Writes a file with the transactions after one into a directory, and tells of which ensemble they are. `None` if the log does
/// not reach back so far.
///
/// # Errors
/// If the server's directories are damaged, or `after` is none of its transactions; of the file system.
pub(crate) fn take_after(from: &Directories, to: &Path, after: Zxid) -> anyhow::Result<(u64, Option<Head>)> {
    let taken = from.patiently(|dirs| {
        let recovery = Recovery::open(dirs, LogConfig::default(), SnapshotConfig::default())?;
        Ok((recovery.epochs().ensemble, take_frames(&recovery, to, after, &mut || ())?))
    });
    taken.with_context(|| from.data.display().to_string())
}

fn try_take(dirs: Dirs, to: &Path, progress: &mut dyn FnMut()) -> anyhow::Result<Taken> {
    let data = dirs.data.clone();
    let recovery = Recovery::open(dirs, LogConfig::default(), SnapshotConfig::default())?;
    let dir = BackupDir::open_or_begin(to, recovery.epochs().ensemble)?;
    let before = dir.chains()?.last().map(super::Chain::last);
    let from_beginning = recovery.snapshots().next().is_none().then_some(Zxid::ZERO);
    if let Some(after) = before.or(from_beginning)
        && let Some(piece) = take_frames(&recovery, &dir.path, after, progress)?
    {
        dir.reaches(piece.last)?;
        return Ok(Taken { snapshot: None, before, piece });
    }
    let zxid = copy_newest(&recovery, &*data, &dir, before)?;
    let piece = take_frames(&recovery, &dir.path, zxid, progress)?;
    let piece = piece.with_context(|| format!("the log does not reach back to the snapshot of {zxid}"))?;
    dir.reaches(piece.last)?;
    Ok(Taken { snapshot: Some(zxid), before, piece })
}

/// Copies the newest snapshot that is intact; the log goes on from there.
fn copy_newest(recovery: &Recovery, data: &dyn Disk, dir: &BackupDir, before: Option<Zxid>) -> anyhow::Result<Zxid> {
    let mut snapshots: Vec<(&str, Zxid)> = recovery.snapshots().collect();
    snapshots.reverse();
    let mut why =
        anyhow::anyhow!("the log does not reach back, and there is no newer snapshot than what the backup has");
    for (name, zxid) in snapshots.into_iter().take_while(|(_, zxid)| before.is_none_or(|before| *zxid > before)) {
        match dir.copy_snapshot(data, name) {
            Ok(()) => return Ok(zxid),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// `None` if the log does not reach back so far.
fn take_frames(
    recovery: &Recovery,
    to: &Path,
    after: Zxid,
    progress: &mut dyn FnMut(),
) -> anyhow::Result<Option<Head>> {
    let mut piece = PieceWriter::create(to, after, recovery.epochs().ensemble)?;
    let read = recovery.frames(Some(after), |frame, committed| {
        progress();
        // What may still be cut off is for the next time.
        if committed { piece.add(frame).map_err(|error| format!("{error:#}")) } else { Ok(()) }
    })?;
    read.map(|_| piece.finish()).transpose()
}
