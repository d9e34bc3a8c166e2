//! The storage boundary: one directory and the files in it, seen through few and simple operations.
//!
//! Everything that recovery, snapshots, the epoch record and segment preparation do to a disk passes through [`Disk`]
//! and [`DiskFile`]. [`FsDisk`] is a real directory, [`crate::sim::SimDisk`] one that loses power.

mod fs;
pub mod sim;
mod view;

pub use fs::{FsDisk, LOCK, PROBE};
pub use view::ViewDisk;

use std::io;
use std::sync::Arc;

/// A file name with the file's length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// Name in the directory.
    pub name: String,
    /// Length in bytes.
    pub len: u64,
}

/// One directory.
///
/// Nothing that is done to names (create, rename, remove) is certain to survive power loss before
/// [`Disk::sync_dir`], nothing written to a file before [`DiskFile::sync_data`].
pub trait Disk: Send + Sync {
    /// For messages: the path of a file in the directory.
    fn describe(&self, name: &str) -> String;
    /// The regular files, sorted by name.
    fn list(&self) -> io::Result<Vec<Entry>>;
    /// Creates an empty file for writing, or empties the one of that name.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name; a file that had that name is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes all changes of names durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// An open file. Offsets and lengths of writes are multiples of 4 KiB; so are those of reads, except that a read may
/// end at the end of the file. Buffers should be 4 KiB-aligned (others are copied on the way).
pub trait DiskFile: Send + Sync {
    /// Fills `buf` from `offset` on and returns how much the file had.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `buf`.
    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()>;
    /// Makes everything written so far durable. After an error nothing may be assumed, least of all that another
    /// attempt could help.
    fn sync_data(&self) -> io::Result<()>;
    /// Reserves space for `len` bytes, so that a full disk shows before the writing starts. May do nothing.
    fn reserve(&self, len: u64) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the length is zero.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Whether an error means that the disk (or the quota) is full.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Reads exactly `buf.len()` bytes.
pub(crate) fn read_exact_at(file: &dyn DiskFile, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    let got = file.read_at(offset, buf)?;
    if got == buf.len() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{got} of {} bytes at offset {offset}", buf.len())))
}
