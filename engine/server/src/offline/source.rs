//! Stored state of either kind: a server's directory or one snapshot, of ours or of ZooKeeper's.

use super::Directories;
use super::zookeeper::ZooKeeperDirs;
use super::{stored, zookeeper};
use anyhow::Context as _;
use ringkeeper_core::tree::{Loader, Tree};
use ringkeeper_txnlog::disk::ViewDisk;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::snapshot::{SnapshotReader, snapshot_zxid};
use ringkeeper_zookeeper_files as files;
use std::path::{Path, PathBuf};

/// Where a state is stored.
pub(crate) enum Source {
    /// A server's directories: its newest snapshot and the log after it.
    Directories(Directories),
    /// A snapshot by itself.
    Snapshot(PathBuf),
    /// ZooKeeper's directories.
    ZooKeeper(ZooKeeperDirs),
    /// A snapshot of ZooKeeper's by itself, which is of no single zxid.
    ZooKeeperSnapshot(PathBuf),
}

impl Source {
    /// Looks at what there is. `log` is where a server's log is, if it is apart.
    ///
    /// # Errors
    /// If it is nothing of the kind.
    pub(crate) fn find(path: &Path, log: Option<&Path>) -> anyhow::Result<Source> {
        if path.is_dir() {
            let is_zookeepers = path.join("version-2").is_dir() || path.ends_with("version-2");
            return Ok(match is_zookeepers {
                true => Source::ZooKeeper(ZooKeeperDirs::find(path, log)?),
                false => Source::Directories(Directories::new(path, log)),
            });
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if snapshot_zxid(&name).is_some() {
            return Ok(Source::Snapshot(path.to_owned()));
        }
        if files::snapshot_zxid(&name).is_some() {
            return Ok(Source::ZooKeeperSnapshot(path.to_owned()));
        }
        anyhow::bail!(
            "{} is neither a directory nor named like a snapshot (snap.<16 hex digits>, or ZooKeeper's snapshot.<hex>)",
            path.display()
        )
    }

    /// Reads the state, with every check. `progress` is told of pieces of any size.
    ///
    /// # Errors
    /// If it is damaged.
    pub(crate) fn read(&self, progress: &mut dyn FnMut()) -> anyhow::Result<Tree> {
        match self {
            Source::Directories(directories) => {
                let read = directories.patiently(|dirs| Ok(stored::read(dirs)?.tree));
                read.with_context(|| directories.data.display().to_string())
            }
            Source::Snapshot(path) => read_snapshot(path, progress),
            Source::ZooKeeper(dirs) => converted(dirs, progress).with_context(|| dirs.describe()),
            Source::ZooKeeperSnapshot(path) => {
                converted(&zookeeper::OneFile::new(path), progress).with_context(|| path.display().to_string())
            }
        }
    }
}

fn converted(files: &impl files::Files, progress: &mut dyn FnMut()) -> anyhow::Result<Tree> {
    let loaded = files::load(files, None, progress)?;
    Ok(files::into_tree(loaded.tree)?.0)
}

/// Reads one snapshot file of ours.
///
/// # Errors
/// If it is damaged.
pub(crate) fn read_snapshot(path: &Path, progress: &mut dyn FnMut()) -> anyhow::Result<Tree> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut loader = Loader::new();
    let read = SnapshotReader::open(&*ViewDisk::new(dir), &name).and_then(|reader| {
        reader.read(|bytes| {
            progress();
            loader.feed(bytes).map_err(|error| error.to_string())
        })?;
        Ok(*reader.head())
    });
    let tree = read.and_then(|head| {
        let tree = loader.finish().map_err(|error| OpenError::Refused(error.to_string()))?;
        if (tree.last_zxid(), tree.digest()) != (head.zxid, head.digest) {
            return Err(OpenError::Refused("its header has another zxid or digest than the state".to_owned()));
        }
        Ok(tree)
    });
    tree.with_context(|| path.display().to_string())
}
