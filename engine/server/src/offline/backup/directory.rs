//! The directory of a backup.

use super::chain::{Base, Chain, chains};
use super::piece;
use crate::offline::directories::{create, must_be_empty};
use anyhow::Context as _;
use ringkeeper_core::ids::Zxid;
use ringkeeper_txnlog::disk::{Disk, ViewDisk};
use ringkeeper_txnlog::format::BLOCK;
use ringkeeper_txnlog::snapshot::{SnapshotReader, snapshot_zxid, verify};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Of the names of marks, before the zxid.
const REACHED: &str = "reached.";
const IDENTITY: &str = "backup.json";
const FORMAT: u64 = 1;
/// Bytes copied at once.
const COPY: usize = 256 * BLOCK;

/// A directory with a backup.
pub(crate) struct BackupDir {
    pub(crate) path: PathBuf,
    /// The ensemble that it is of.
    pub(crate) ensemble: u64,
    identity: File,
}

impl BackupDir {
    /// Whether there is one.
    pub(crate) fn is_one(path: &Path) -> bool {
        path.join(IDENTITY).exists()
    }

    /// Opens a backup.
    pub(crate) fn open(path: &Path) -> anyhow::Result<BackupDir> {
        let file = path.join(IDENTITY);
        let opened = match File::open(&file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => anyhow::bail!("{} holds no backup", path.display()),
            opened => opened.with_context(|| format!("opening {}", file.display()))?,
        };
        let identity: Value = serde_json::from_reader(&opened).with_context(|| file.display().to_string())?;
        let format = identity["format"].as_u64();
        anyhow::ensure!(
            format == Some(FORMAT),
            "{}: format {}, this program reads format {FORMAT}",
            file.display(),
            identity["format"]
        );
        let ensemble = identity["ensemble"].as_str().and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let ensemble = ensemble.with_context(|| format!("{}: there is no ensemble", file.display()))?;
        Ok(BackupDir { path: path.to_owned(), ensemble, identity: opened })
    }

    /// Opens the backup of that ensemble, or begins one, and keeps others from adding to it.
    pub(crate) fn open_or_begin(path: &Path, ensemble: u64) -> anyhow::Result<BackupDir> {
        if !path.join(IDENTITY).exists() {
            must_be_empty(path)?;
            std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
            let text = format!("{}\n", json!({"format": FORMAT, "ensemble": format!("{ensemble:016x}")}));
            let mut file = create(&path.join("backup.tmp"))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(path.join("backup.tmp"), path.join(IDENTITY))?;
            File::open(path)?.sync_all()?;
        }
        let dir = BackupDir::open(path)?;
        anyhow::ensure!(
            dir.ensemble == ensemble,
            "{} is a backup of another ensemble ({:016x}, not {ensemble:016x}): give another directory. A directory that was \
             restored or imported is of a new ensemble",
            path.display(),
            dir.ensemble
        );
        let locked = dir.identity.try_lock();
        locked.map_err(|_| anyhow::anyhow!("{}: another backup is being taken", path.display()))?;
        Ok(dir)
    }

    /// What there is of it.
    pub(crate) fn chains(&self) -> anyhow::Result<Vec<Chain>> {
        let (mut bases, mut pieces) = (Vec::new(), Vec::new());
        let view = ViewDisk::new(&self.path);
        for entry in view.list().with_context(|| format!("reading {}", self.path.display()))? {
            if let Some(zxid) = snapshot_zxid(&entry.name) {
                let context = || self.path.join(&entry.name).display().to_string();
                let wall = SnapshotReader::open(&*view, &entry.name).with_context(context)?.head().wall;
                bases.push(Base { zxid, wall });
            } else if entry.name.starts_with("frames.") && entry.name != "frames.tmp" {
                pieces.push(self.piece(&entry.name)?);
            }
        }
        Ok(chains(bases, pieces))
    }

    /// The newest state that it has had, by the names of its files.
    pub(crate) fn reached(&self) -> anyhow::Result<Zxid> {
        let entries = ViewDisk::new(&self.path).list().with_context(|| format!("reading {}", self.path.display()))?;
        let marked = |name: &str| {
            let last = name.strip_prefix(REACHED).or_else(|| name.strip_prefix("frames.")?.rsplit('-').next())?;
            u64::from_str_radix(last, 16).ok().map(Zxid)
        };
        let reached = entries.iter().filter_map(|entry| snapshot_zxid(&entry.name).or_else(|| marked(&entry.name)));
        Ok(reached.max().unwrap_or(Zxid::ZERO))
    }

    /// Marks how far it reaches, when that is on the disk.
    pub(crate) fn reaches(&self, zxid: Zxid) -> anyhow::Result<()> {
        let name = format!("{REACHED}{:016x}", zxid.0);
        let path = self.path.join(&name);
        let marked =
            File::create(&path).and_then(|file| file.sync_all()).and_then(|()| File::open(&self.path)?.sync_all());
        marked.with_context(|| format!("writing {}", path.display()))?;
        for entry in ViewDisk::new(&self.path).list()? {
            if entry.name.starts_with(REACHED) && entry.name < name {
                std::fs::remove_file(self.path.join(&entry.name))?;
            }
        }
        Ok(())
    }

    fn piece(&self, name: &str) -> anyhow::Result<piece::Head> {
        let path = self.path.join(name);
        let head = piece::head(&path)?;
        let path = path.display();
        anyhow::ensure!(
            head.ensemble == self.ensemble,
            "{path} is of another ensemble ({:016x}, not {:016x}): move it away",
            head.ensemble,
            self.ensemble
        );
        anyhow::ensure!(
            head.name() == name,
            "{path} has transactions after {} through {}, and should be named {}",
            head.prev,
            head.last,
            head.name()
        );
        Ok(head)
    }

    /// Copies a snapshot of a server's, and verifies the copy.
    pub(crate) fn copy_snapshot(&self, from: &dyn Disk, name: &str) -> anyhow::Result<()> {
        let source = from.open(name).with_context(|| format!("opening {}", from.describe(name)))?;
        self.add_snapshot(name, |copy| {
            let mut buffer = vec![0; COPY];
            let mut at = 0;
            loop {
                let got =
                    source.read_at(at, &mut buffer).with_context(|| format!("reading {}", from.describe(name)))?;
                copy.write_all(&buffer[..got]).with_context(|| format!("writing a copy of {}", from.describe(name)))?;
                at += got as u64;
                if got < buffer.len() {
                    return Ok(());
                }
            }
        })
    }

    /// Adds a snapshot that `fill` writes, when every check of it has been passed.
    ///
    /// # Errors
    /// Those of `fill`; if it is no snapshot of that name; of the file system.
    pub(crate) fn add_snapshot(
        &self,
        name: &str,
        fill: impl FnOnce(&mut File) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (tmp, path) = (self.path.join(format!("{name}.tmp")), self.path.join(name));
        let mut file = create(&tmp).with_context(|| format!("creating {}", tmp.display()))?;
        fill(&mut file)?;
        file.sync_all()?;
        verify(&*ViewDisk::new(&self.path), &format!("{name}.tmp"))?;
        std::fs::rename(&tmp, &path)?;
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }
}

impl BackupDir {
    /// Adds transactions that `fill` writes, when every one of them has been checked: they have to follow `after`, and to be of
    /// the same ensemble.
    ///
    /// # Errors
    /// Those of `fill`; if they are others; of the file system.
    pub(crate) fn add_piece(
        &self,
        after: Zxid,
        fill: impl FnOnce(&mut File) -> anyhow::Result<()>,
    ) -> anyhow::Result<piece::Head> {
        let tmp = self.path.join("frames.tmp");
        let mut file = create(&tmp).with_context(|| format!("creating {}", tmp.display()))?;
        fill(&mut file)?;
        file.sync_all()?;
        piece::read(&tmp, |_| Ok(true))?;
        let head = piece::head(&tmp)?;
        anyhow::ensure!(
            (head.prev, head.ensemble) == (after, self.ensemble),
            "transactions after {} of ensemble {:016x} have come, and not those after {after} of {:016x}",
            head.prev,
            head.ensemble,
            self.ensemble
        );
        std::fs::rename(&tmp, self.path.join(head.name()))?;
        File::open(&self.path)?.sync_all()?;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_is_damaged_is_not_taken_into_a_backup() {
        let tmp = tempfile::tempdir().unwrap();
        let (from, to) = (tmp.path().join("from"), tmp.path().join("to"));
        std::fs::create_dir(&from).unwrap();
        let name = "snap.0000000000000005";
        std::fs::write(from.join(name), vec![7; 3 * BLOCK]).unwrap();
        let backup = BackupDir::open_or_begin(&to, 9).unwrap();
        assert!(backup.copy_snapshot(&*ViewDisk::new(&from), name).is_err());
        assert!(!to.join(name).exists() && backup.chains().unwrap().is_empty());
    }

    #[test]
    fn what_is_not_as_it_should_be_is_not_added() {
        let tmp = tempfile::tempdir().unwrap();
        let backup = BackupDir::open_or_begin(tmp.path(), 9).unwrap();
        let head = piece::Head::nothing(Zxid(5), 9);
        let add = |after: u64, bytes: Vec<u8>| {
            let added = backup.add_piece(Zxid(after), |file| Ok(file.write_all(&bytes)?));
            added.map_err(|error| format!("{error:#}"))
        };
        let good = head.encode().to_vec();
        assert_eq!(add(5, good.clone()), Ok(head));
        assert!(add(4, good.clone()).unwrap_err().contains("and not those after 0x4"));
        assert!(add(5, piece::Head { ensemble: 8, ..head }.encode().to_vec()).unwrap_err().contains("of ensemble"));
        assert!(add(5, good[..good.len() - 1].to_vec()).is_err(), "cut short");
        assert!(add(5, piece::Head { frames: 1, ..head }.encode().to_vec()).is_err(), "one is missing");
        assert!(backup.add_piece(Zxid(5), |_| anyhow::bail!("the connection was closed")).is_err());
        assert!(backup.add_snapshot("snap.0000000000000005", |file| Ok(file.write_all(&good)?)).is_err());
        assert_eq!(backup.chains().unwrap().len(), 0, "none of these is there");
    }

    #[test]
    fn one_at_a_time_adds_to_a_backup() {
        let tmp = tempfile::tempdir().unwrap();
        let first = BackupDir::open_or_begin(tmp.path(), 9).unwrap();
        let second = BackupDir::open_or_begin(tmp.path(), 9).err().map(|error| error.to_string());
        assert!(second.as_deref().is_some_and(|said| said.contains("another backup is being taken")), "{second:?}");
        assert!(BackupDir::open(tmp.path()).is_ok(), "reading it goes on");
        drop(first);
        assert!(BackupDir::open_or_begin(tmp.path(), 9).is_ok());
    }

    #[test]
    fn a_backup_of_another_format_or_ensemble_is_left_alone() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("backup");
        drop(BackupDir::open_or_begin(&dir, 9).unwrap());
        let refused = |ensemble| BackupDir::open_or_begin(&dir, ensemble).err().map(|error| error.to_string());
        assert_eq!(refused(9), None);
        assert!(refused(8).unwrap().contains("a backup of another ensemble"));
        std::fs::write(dir.join(IDENTITY), "{\"format\":2,\"ensemble\":\"0000000000000009\"}").unwrap();
        assert!(refused(9).unwrap().contains("format 2, this program reads format 1"));
    }
}
