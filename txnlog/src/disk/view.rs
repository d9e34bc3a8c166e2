//! A real directory that is only looked at: also one that a running server has.

use super::fs::{FsFile, drop_cache};
use super::{Disk, DiskFile, Entry};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads what a server has stored and changes nothing, not even the lock. What a server that runs is just writing may be
/// seen in part, or under another name a moment later.
pub struct ViewDisk {
    dir: PathBuf,
}

impl ViewDisk {
    /// Looks at a directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Arc<ViewDisk> {
        Arc::new(ViewDisk { dir: dir.into() })
    }
}

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the directory is only looked at"))
}

impl Disk for ViewDisk {
    fn describe(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        super::fs::list(&self.dir)
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        refused()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.dir.join(name);
        // Around the page cache, as the server writes; where the file system has that.
        if let Ok(file) = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(&path) {
            return Ok(Arc::new(FsFile::new(file, true)));
        }
        let file = File::open(&path)?;
        drop_cache(&file);
        Ok(Arc::new(FsFile::new(file, false)))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn sync_dir(&self) -> io::Result<()> {
        refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::FsDisk;
    use crate::format::BLOCK;

    #[test]
    fn it_sees_what_another_has_and_touches_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let disk = FsDisk::open(tmp.path()).unwrap();
        disk.create("f").unwrap().write_at(0, &[7; BLOCK]).unwrap();
        let view = ViewDisk::new(tmp.path());
        assert_eq!(view.list().unwrap(), disk.list().unwrap());
        let mut block = vec![0; BLOCK];
        assert_eq!(view.open("f").unwrap().read_at(0, &mut block).unwrap(), BLOCK);
        assert_eq!(block, [7; BLOCK]);
        assert!(view.create("g").is_err() && view.remove("f").is_err() && view.rename("f", "g").is_err());
        assert!(view.open("f").unwrap().write_at(0, &block).is_err());
        assert!(ViewDisk::new(tmp.path().join("missing")).list().is_err());
    }
}
