//! A real directory.

use super::{Disk, DiskFile, Entry};
use crate::error::{Attempt, OpenError};
use crate::format::{BLOCK, BlockBuf};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file of one block, written and synced when the directory is first opened. It shows whether the file system
/// accepts direct I/O, and gives an I/O runtime a non-empty file for its own probing.
pub const PROBE: &str = "probe";
/// A file that whoever uses the directory holds locked.
pub const LOCK: &str = "lock";

/// A directory of a mounted file system. Files are opened with `O_DIRECT` where the file system has it: recovery then
/// reads what the device holds, not what the page cache remembers of a write that failed, and background writing
/// pushes nothing out of the cache.
pub struct FsDisk {
    dir: PathBuf,
    direct: bool,
    /// Held for the life of the value: the lock ends with the descriptor.
    _lock: File,
}

impl FsDisk {
    /// Opens a directory, which is made if it is missing, and takes it for this process.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process has it; [`OpenError::Io`] otherwise.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Arc<FsDisk>, OpenError> {
        let dir = dir.into();
        make_dir(&dir).attempt(|| format!("making directory {}", dir.display()))?;
        let lock = lock(&dir)?;
        let direct = probe(&dir.join(PROBE)).attempt(|| format!("writing a probe in {}", dir.display()))?;
        File::open(&dir).and_then(|d| d.sync_all()).attempt(|| format!("syncing directory {}", dir.display()))?;
        if !direct {
            tracing::warn!(dir = %dir.display(), "file system without direct I/O: the log goes through the page cache");
        }
        Ok(Arc::new(FsDisk { dir, direct, _lock: lock }))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Whether the file system accepts direct I/O.
    #[must_use]
    pub fn direct(&self) -> bool {
        self.direct
    }

    fn options(&self) -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        if self.direct {
            options.custom_flags(libc::O_DIRECT);
        }
        options
    }
}

/// Makes the directory and, on the way, every missing parent; each new name is synced.
fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    make_dir(parent)?;
    match std::fs::create_dir(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .attempt(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.display().to_string())),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { what: format!("locking {}", path.display()), source }),
    }
}

/// Makes sure of the probe file and tells whether it can be read with direct I/O.
fn probe(path: &Path) -> io::Result<bool> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    if file.metadata()?.len() < BLOCK as u64 {
        file.write_all_at(&[0; BLOCK], 0)?;
    }
    file.sync_all()?;
    let direct = match OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(path) {
        Ok(direct) => direct,
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => return Ok(false),
        Err(e) => return Err(e),
    };
    let mut block = blank(BLOCK);
    let tried = direct.read_exact_at(&mut block, 0).and_then(|()| direct.write_all_at(&block, 0));
    match tried {
        Ok(()) => Ok(true),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP)) => Ok(false),
        Err(e) => Err(e),
    }
}

fn blank(len: usize) -> BlockBuf {
    let mut block = BlockBuf::with_capacity(len);
    block.resize(len, 0);
    block
}

impl Disk for FsDisk {
    fn describe(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        list(&self.dir)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.options().create(true).truncate(true).open(self.dir.join(name))?;
        Ok(Arc::new(FsFile::new(file, self.direct)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.options().open(self.dir.join(name))?;
        if !self.direct {
            // Pages of a write that failed are "clean" but not on the disk: drop them before believing them.
            drop_cache(&file);
        }
        Ok(Arc::new(FsFile::new(file, self.direct)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

/// The regular files of a directory, sorted by name. One that goes meanwhile is left out.
pub(super) fn list(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = match entry.metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            meta => meta?,
        };
        if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
            entries.push(Entry { name, len: meta.len() });
        }
    }
    entries.sort();
    Ok(entries)
}

/// Asks the kernel to forget the clean pages of a file. Only advice: a refusal changes nothing.
pub(super) fn drop_cache(file: &File) {
    // SAFETY: the descriptor is open for the duration of the call, which takes no pointers.
    let _ = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
}

pub(super) struct FsFile {
    file: File,
    direct: bool,
    /// Turned on by the first failed write or sync: from then on everything fails, so that no later success can hide
    /// it.
    broken: AtomicBool,
}

impl FsFile {
    pub(super) fn new(file: File, direct: bool) -> FsFile {
        FsFile { file, direct, broken: AtomicBool::new(false) }
    }

    fn must_copy(&self, buf: &[u8]) -> bool {
        self.direct && !((buf.as_ptr() as usize).is_multiple_of(BLOCK) && buf.len().is_multiple_of(BLOCK))
    }

    fn guard(&self, result: io::Result<()>) -> io::Result<()> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::Error::other("an earlier write or sync of this file failed"));
        }
        if result.is_err() {
            self.broken.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl DiskFile for FsFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if self.must_copy(buf) {
            let mut aligned = blank(buf.len().next_multiple_of(BLOCK));
            let got = read_fully(&self.file, offset, &mut aligned)?.min(buf.len());
            buf[..got].copy_from_slice(&aligned[..got]);
            return Ok(got);
        }
        read_fully(&self.file, offset, buf)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        assert!(offset.is_multiple_of(BLOCK as u64) && buf.len().is_multiple_of(BLOCK), "writes are whole blocks");
        if self.must_copy(buf) {
            let mut aligned = blank(buf.len());
            aligned.copy_from_slice(buf);
            return self.guard(self.file.write_all_at(&aligned, offset));
        }
        self.guard(self.file.write_all_at(buf, offset))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.guard(self.file.sync_data())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let len = libc::off_t::try_from(len).map_err(io::Error::other)?;
        // SAFETY: the descriptor is open for the duration of the call, which takes no pointers.
        if unsafe { libc::fallocate(self.file.as_raw_fd(), 0, 0, len) } == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            e if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => Ok(()),
            e => Err(e),
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

fn read_fully(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buf.len() {
        match file.read_at(&mut buf[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        // A direct read that stops inside a block has met the end of the file; going on would be misaligned.
        if !got.is_multiple_of(BLOCK) {
            break;
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_belongs_to_one_user_at_a_time() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("a/b");
        let first = FsDisk::open(&dir).unwrap();
        assert!(matches!(FsDisk::open(&dir), Err(OpenError::InUse(_))));
        drop(first);
        FsDisk::open(&dir).unwrap();
    }

    #[test]
    fn blocks_read_back_also_from_unaligned_memory() {
        let tmp = tempfile::tempdir().unwrap();
        let disk = FsDisk::open(tmp.path()).unwrap();
        let file = disk.create("f").unwrap();
        let bytes: Vec<u8> = (0..2 * BLOCK + 1).map(|i| i as u8).collect();
        file.write_at(BLOCK as u64, &bytes[1..]).unwrap();
        file.sync_data().unwrap();
        let file = disk.open("f").unwrap();
        let mut back = vec![0; 3 * BLOCK + 1];
        assert_eq!(file.read_at(0, &mut back[1..]).unwrap(), 3 * BLOCK);
        assert_eq!(&back[1 + BLOCK..], &bytes[1..]);
        assert_eq!(file.read_at(2 * BLOCK as u64, &mut back).unwrap(), BLOCK);
        assert_eq!(file.len().unwrap(), 3 * BLOCK as u64);
    }

    #[test]
    fn names_are_listed_sorted() {
        let tmp = tempfile::tempdir().unwrap();
        let disk = FsDisk::open(tmp.path()).unwrap();
        for name in ["c", "a", "b"] {
            disk.create(name).unwrap();
        }
        disk.rename("c", "d").unwrap();
        disk.remove("a").unwrap();
        disk.sync_dir().unwrap();
        let names: Vec<String> = disk.list().unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["b", "d", "lock", "probe"]);
    }
}
