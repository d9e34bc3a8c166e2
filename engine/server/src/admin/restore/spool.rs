//! A snapshot that is sent is first written down, then read with every check, and only then does anything happen.

use crate::admin::folder::Folder;
use crate::admin::upload::Upload;
use crate::offline::source::read_snapshot;
use ringkeeper_core::tree::Tree;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::snapshot::{snapshot_name, zxid_of_file};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// In the data directory; there only during a restore.
const FOLDER: &str = "restore.tmp";
/// Bytes of a snapshot's header.
const HEADER: usize = 4096;
/// The first bytes of ZooKeeper's snapshots.
const ZOOKEEPER: &[u8] = b"ZKSN";

/// Why what was sent is of no use.
#[derive(Debug, Error)]
pub(super) enum BadUpload {
    #[error("the snapshot could not be received: {0}")]
    Broken(io::Error),
    #[error("{}: {error}", .path.display())]
    Disk { path: PathBuf, error: io::Error },
    #[error(
        "this is a snapshot of ZooKeeper's. Alone it is of no single transaction: make a data directory of it and the \
         logs with `ringkeeper import`, and send the snapshot of that"
    )]
    ZooKeepers,
    #[error("this is no snapshot of Ringkeeper's, as GET snapshot sends it")]
    Foreign,
    #[error("the snapshot has format version {version}, and this server reads {known}: was it sent by a newer one?")]
    Version { version: u32, known: u32 },
    #[error("the snapshot is damaged: {0:#}")]
    Damaged(anyhow::Error),
}

/// Receives a snapshot and reads it.
pub(super) fn receive(upload: &mut Upload<'_>, data_dir: &Path) -> Result<Tree, BadUpload> {
    let in_folder = |error| BadUpload::Disk { path: data_dir.join(FOLDER), error };
    let folder = Folder::new(data_dir, FOLDER).map_err(in_folder)?;
    let path = folder.path().join("received");
    let mut file = File::create(&path).map_err(in_folder)?;
    upload.save(&mut file).map_err(BadUpload::Broken)?;
    drop(file);
    let mut begin = Vec::new();
    File::open(&path).and_then(|file| file.take(HEADER as u64).read_to_end(&mut begin)).map_err(in_folder)?;
    let zxid = match zxid_of_file(&begin) {
        Some(zxid) => zxid,
        None if begin.starts_with(ZOOKEEPER) => return Err(BadUpload::ZooKeepers),
        None => return Err(BadUpload::Foreign),
    };
    let named = folder.path().join(snapshot_name(zxid));
    fs::rename(&path, &named).map_err(in_folder)?;
    let tree = read_snapshot(&named, &mut || {}).map_err(unreadable)?;
    tree.check_zxids().map_err(|error| BadUpload::Damaged(error.into()))?;
    Ok(tree)
}

fn unreadable(error: anyhow::Error) -> BadUpload {
    match error.downcast_ref() {
        Some(OpenError::Version { version, known, .. }) => BadUpload::Version { version: *version, known: *known },
        _ => BadUpload::Damaged(error),
    }
}
