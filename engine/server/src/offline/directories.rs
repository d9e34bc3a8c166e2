//! The directories of a server.

use ringkeeper_txnlog::disk::{Disk, FsDisk, LOCK, ViewDisk};
use ringkeeper_txnlog::epochs::EPOCHS;
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::recovery::Dirs;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What an empty directory may hold: who a server is says nothing about its state, and file systems have a folder of their
/// own at the top.
const NO_CONTENT: [&str; 2] = ["myid", "lost+found"];

/// How often a running server may come in between, and how long it is left alone then.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// Where a server keeps its state. Both may be the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Directories {
    /// Snapshots and the epoch record.
    pub(crate) data: PathBuf,
    /// The log.
    pub(crate) log: PathBuf,
}

impl Directories {
    /// `log` is `data` if it is not given.
    pub(crate) fn new(data: &Path, log: Option<&Path>) -> Directories {
        Directories { data: data.to_owned(), log: log.unwrap_or(data).to_owned() }
    }

    /// Without keeping a server from using them.
    ///
    /// # Errors
    /// If there is nothing of a server's.
    pub(crate) fn look_at(&self) -> anyhow::Result<Dirs> {
        self.must_exist()?;
        Ok(Dirs { log: ViewDisk::new(&self.log), data: ViewDisk::new(&self.data) })
    }

    /// Does something with them that only looks. What a running server renames or removes meanwhile can look like damage:
    /// then it is done anew.
    ///
    /// # Errors
    /// Of the last attempt.
    pub(crate) fn patiently<T>(&self, mut look: impl FnMut(Dirs) -> anyhow::Result<T>) -> anyhow::Result<T> {
        for _ in 1..ATTEMPTS {
            match look(self.look_at()?) {
                Err(_) if self.in_use() => std::thread::sleep(PAUSE),
                result => return result,
            }
        }
        look(self.look_at()?)
    }

    /// For this process alone, with the log's as what it really is. What is missing is made.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(crate) fn take(&self) -> Result<(Dirs, Arc<FsDisk>), OpenError> {
        let data = FsDisk::open(&self.data)?;
        let log = if self.log == self.data { Arc::clone(&data) } else { FsDisk::open(&self.log)? };
        Ok((Dirs { log: Arc::clone(&log) as Arc<dyn Disk>, data }, log))
    }

    /// Whether a server runs on them.
    fn in_use(&self) -> bool {
        let lock = File::open(self.data.join(LOCK));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// # Errors
    /// If there is nothing of a server's.
    pub(crate) fn must_exist(&self) -> anyhow::Result<()> {
        let of_a_server = |name: &str| name == EPOCHS || name.starts_with("segment.") || name.starts_with("snap.");
        for dir in [&self.data, &self.log] {
            let names = names(dir).map_err(|e| anyhow::anyhow!("reading {}: {e}", dir.display()))?;
            if !names.iter().any(|name| of_a_server(name)) {
                let hint = if names.iter().any(|name| name == "version-2") {
                    "; it is one of ZooKeeper's: `ringkeeper import` reads it"
                } else {
                    ""
                };
                anyhow::bail!("{} holds no state of a Ringkeeper server{hint}", dir.display());
            }
        }
        Ok(())
    }

    /// # Errors
    /// If there is anything in one of them.
    pub(crate) fn must_be_empty(&self) -> anyhow::Result<()> {
        [&self.data, &self.log].into_iter().try_for_each(|dir| must_be_empty(dir))
    }
}

/// A new file, which nobody else may read: access lists protect what is in it no more.
///
/// # Errors
/// Of the file system.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// # Errors
/// If there is anything in the directory; it need not exist.
pub(crate) fn must_be_empty(dir: &Path) -> anyhow::Result<()> {
    let names = match names(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => anyhow::bail!("reading {}: {e}", dir.display()),
        Ok(names) => names,
    };
    match names.iter().find(|name| !NO_CONTENT.contains(&&***name)) {
        None => Ok(()),
        Some(name) => anyhow::bail!(
            "{} is not empty (there is {name}): nothing is ever overwritten, give another directory",
            dir.display()
        ),
    }
}

/// Names of everything in a directory; what is no text is shown as well as it can be.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn nothing_is_overwritten_in_either_directory() {
        let tmp = tempfile::tempdir().unwrap();
        let (data, log) = (tmp.path().join("data"), tmp.path().join("log"));
        let directories = Directories::new(&data, Some(&log));
        directories.must_be_empty().unwrap();
        fs::create_dir(&data).unwrap();
        fs::create_dir(&log).unwrap();
        fs::write(data.join("myid"), "1").unwrap();
        directories.must_be_empty().expect("who the server is says nothing of its state");
        fs::write(log.join("segment.1"), "").unwrap();
        let said = directories.must_be_empty().unwrap_err().to_string();
        assert!(said.contains("log is not empty (there is segment.1)"), "{said}");
        fs::remove_file(log.join("segment.1")).unwrap();
        fs::write(data.join("notes.txt"), "").unwrap();
        assert!(directories.must_be_empty().unwrap_err().to_string().contains("notes.txt"));
    }

    #[test]
    fn nobody_else_may_read_what_access_lists_protected() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("snapshot");
        let mode = create(&path).unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
