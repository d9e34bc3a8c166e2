//! Directories of ZooKeeper's.

use super::directories::create;
use ringkeeper_core::ids::Epoch;
use ringkeeper_core::tree::Tree;
use ringkeeper_zookeeper_files::{Files, log_zxid, snapshot_zxid, write_snapshot};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The folder in both directories that has all files; the number is that of their format.
const VERSION: &str = "version-2";

/// Where a ZooKeeper server keeps its state.
pub(crate) struct ZooKeeperDirs {
    snapshots: PathBuf,
    logs: PathBuf,
    /// What its operator should look at.
    pub(crate) note: Option<&'static str>,
}

impl ZooKeeperDirs {
    /// Of `dataDir` and `dataLogDir`, or of the folders `version-2` in them.
    ///
    /// # Errors
    /// If there is no such folder.
    pub(crate) fn find(data: &Path, log: Option<&Path>) -> anyhow::Result<ZooKeeperDirs> {
        let snapshots = versioned(data)?;
        let logs = log.map(versioned).transpose()?.unwrap_or_else(|| snapshots.clone());
        let (in_snapshots, in_logs) = (read_names(&snapshots)?, read_names(&logs)?);
        let any = |names: &[String], zxid: fn(&str) -> Option<i64>| names.iter().any(|name| zxid(name).is_some());
        let apart = logs != snapshots;
        // ZooKeeper refuses to start on these, too: they are the traces of a dataLogDir that was forgotten.
        if apart && any(&in_snapshots, log_zxid) {
            let (snapshots, logs) = (snapshots.display(), logs.display());
            anyhow::bail!(
                "there are logs (log.*) in {snapshots}, beside those of {logs}: move away what is not needed"
            );
        }
        let note = (any(&in_snapshots, snapshot_zxid) && !any(&in_logs, log_zxid))
            .then_some("there are no logs: if ZooKeeper had a dataLogDir, give it, too (--zookeeper-log-dir)");
        Ok(ZooKeeperDirs { snapshots, logs, note })
    }

    /// The newest epoch that the server has promised; 0 if it has noted none.
    ///
    /// # Errors
    /// If what it has noted is no number.
    pub(crate) fn accepted_epoch(&self) -> anyhow::Result<Epoch> {
        let mut newest = 0;
        for name in ["acceptedEpoch", "currentEpoch"] {
            let path = self.snapshots.join(name);
            let text = match std::fs::read_to_string(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                text => text.with_context(|| format!("reading {}", path.display()))?,
            };
            let epoch: u32 = text.trim().parse().with_context(|| format!("{}: {:?}", path.display(), text.trim()))?;
            newest = newest.max(epoch);
        }
        Ok(Epoch(newest))
    }

    /// For messages.
    pub(crate) fn describe(&self) -> String {
        match self.logs == self.snapshots {
            true => self.snapshots.display().to_string(),
            false => format!("{} and {}", self.snapshots.display(), self.logs.display()),
        }
    }
}

fn versioned(dir: &Path) -> anyhow::Result<PathBuf> {
    let inside = dir.join(VERSION);
    if inside.is_dir() {
        return Ok(inside);
    }
    if dir.file_name().is_some_and(|name| name == VERSION) && dir.is_dir() {
        return Ok(dir.to_owned());
    }
    anyhow::bail!("{} holds no folder {VERSION}: give the dataDir of ZooKeeper's configuration", dir.display())
}

fn read_names(dir: &Path) -> anyhow::Result<Vec<String>> {
    names(dir).with_context(|| format!("reading {}", dir.display()))
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

impl Files for ZooKeeperDirs {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut all = names(&self.snapshots)?;
        if self.logs != self.snapshots {
            all.extend(names(&self.logs)?);
        }
        Ok(all)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + '_>> {
        let dir = if log_zxid(name).is_some() { &self.logs } else { &self.snapshots };
        Ok(Box::new(File::open(dir.join(name))?))
    }
}

/// Writes a directory that ZooKeeper starts from: a snapshot and epochs. Returns the bytes of the snapshot.
///
/// # Errors
/// Of the file system.
pub(crate) fn write(dir: &Path, tree: &Tree, digest: bool) -> anyhow::Result<u64> {
    let inside = dir.join(VERSION);
    std::fs::create_dir_all(&inside).with_context(|| format!("making {}", inside.display()))?;
    let zxid = tree.last_zxid();
    let epoch = zxid.epoch().0.to_string();
    for name in ["acceptedEpoch", "currentEpoch"] {
        whole_file(&inside.join(name), |file| file.write_all(epoch.as_bytes()))?;
    }
    let name = format!("snapshot.{:x}", zxid.0);
    let bytes = whole_file(&inside.join(name), |file| write_snapshot(tree, digest, file))?;
    for dir in [&inside, dir] {
        File::open(dir).and_then(|dir| dir.sync_all()).with_context(|| format!("syncing {}", dir.display()))?;
    }
    Ok(bytes)
}

/// A file that has its name only when all of it is on the disk.
fn whole_file<T>(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> anyhow::Result<T> {
    let tmp = path.with_added_extension("tmp");
    let written = create(&tmp).and_then(|file| {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let filled = fill(&mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&tmp, path)?;
        Ok(filled)
    });
    written.with_context(|| format!("writing {}", path.display()))
}

/// A file without its directory.
pub(crate) struct OneFile {
    path: PathBuf,
}

impl OneFile {
    pub(crate) fn new(path: &Path) -> OneFile {
        OneFile { path: path.to_owned() }
    }
}

impl Files for OneFile {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.path.file_name().map(|name| name.to_string_lossy().into_owned()).into_iter().collect())
    }

    fn open(&self, _: &str) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(File::open(&self.path)?))
    }
}
