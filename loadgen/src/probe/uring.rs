//! One operation at a time through io_uring.

use io_uring::squeue::Entry;
use io_uring::{IoUring, opcode, types};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// A ring for one operation at a time.
pub struct Ring(IoUring);

impl Ring {
    /// Makes it.
    ///
    /// # Errors
    /// If the kernel has no io_uring, or does not allow it.
    pub fn new() -> io::Result<Ring> {
        IoUring::new(2).map(Ring)
    }

    /// Writes all of `bytes` and waits until that has ended.
    ///
    /// # Errors
    /// Those of the write; a write of only a part.
    pub fn write(&mut self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let write = opcode::Write::new(types::Fd(file.as_raw_fd()), bytes.as_ptr(), len).offset(offset).build();
        match self.perform(&write)? {
            written if written == bytes.len() => Ok(()),
            written => Err(io::Error::new(io::ErrorKind::WriteZero, format!("{written} of {len} bytes were written"))),
        }
    }

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// Those of the sync.
    pub fn sync(&mut self, file: &File) -> io::Result<()> {
        let sync = opcode::Fsync::new(types::Fd(file.as_raw_fd())).flags(types::FsyncFlags::DATASYNC).build();
        self.perform(&sync).map(drop)
    }

    /// The result of an operation. It has ended when this returns, except if waiting for it failed; then the ring, which
    /// is dropped with its writer, ends it.
    fn perform(&mut self, entry: &Entry) -> io::Result<usize> {
        // SAFETY: the file and the buffer that the entry points to are borrowed by our callers until the operation ended.
        unsafe { self.0.submission().push(entry) }.map_err(io::Error::other)?;
        loop {
            match self.0.submit_and_wait(1) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok(_) => {}
            }
            if let Some(done) = self.0.completion().next() {
                let result = done.result();
                return usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
            }
        }
    }
}
