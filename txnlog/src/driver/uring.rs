//! The log through io_uring on the executor that owns it: glommio's `DmaFile`, direct I/O.
//!
//! With `O_DSYNC` a commit is one operation; without, a write and then a fdatasync, which the kernel hands to a worker
//! thread. Must be made and used on one glommio executor.

use super::{Completion, Completions, LogDevice, Preparer};
use crate::config::{DriverKind, Durability, LogConfig};
use crate::disk::FsDisk;
use crate::error::{Attempt, OpenError};
use crate::format::segment_name;
use crate::writer::{Done, LogOp, WriteOp};
use glommio::io::{DmaFile, OpenOptions};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// The drivers `uring-dsync` and `uring-fdatasync`.
pub struct UringDevice {
    dir: PathBuf,
    /// Files are opened with `O_DSYNC`: a write that has ended is durable.
    dsync: bool,
    files: Rc<RefCell<BTreeMap<u64, Rc<DmaFile>>>>,
    completions: Arc<Completions>,
    preparer: Preparer,
}

impl UringDevice {
    /// Opens the segment that is to be written next.
    ///
    /// # Errors
    /// If the file system has no direct I/O, or of the operating system.
    pub async fn open(
        disk: Arc<FsDisk>,
        kind: DriverKind,
        config: &LogConfig,
        current: u64,
        completions: Arc<Completions>,
    ) -> Result<UringDevice, OpenError> {
        let dir = disk.path().to_path_buf();
        if !disk.direct() {
            return Err(OpenError::Config(format!(
                "the file system of {} has no direct I/O, which this log driver needs: use the driver `thread`",
                dir.display()
            )));
        }
        // The first file that glommio opens on a device decides what it believes about the device; of an empty one it
        // would learn something wrong.
        let probe = dir.join(crate::disk::PROBE);
        let opened = OpenOptions::new().read(true).dma_open(&probe).await;
        let closed = match opened {
            Ok(file) => file.close().await,
            Err(e) => Err(e),
        };
        closed.map_err(io::Error::from).attempt(|| format!("opening {}", probe.display()))?;
        let dsync = kind == DriverKind::UringDsync && config.durability == Durability::Always;
        let file = open_segment(&dir, current, dsync).await;
        let file = file.attempt(|| format!("opening {}", dir.join(segment_name(current)).display()))?;
        let files = Rc::new(RefCell::new(BTreeMap::from([(current, file)])));
        let (rate, defects) = (config.prepare_rate, config.defects);
        let preparer = Preparer::start(disk, rate, defects, Arc::clone(&completions), Box::new(|_, _| {}));
        let preparer = preparer.attempt(|| "starting a thread".into())?;
        Ok(UringDevice { dir, dsync, files, completions, preparer })
    }

    fn file(&self, segment: u64) -> Rc<DmaFile> {
        Rc::clone(self.files.borrow().get(&segment).expect("a segment is open before it is written to"))
    }

    /// Closes the segments before this one: they are finished.
    pub(super) fn close_before(&self, segment: u64) {
        let mut files = self.files.borrow_mut();
        if files.first_key_value().is_some_and(|(&first, _)| first < segment) {
            let rest = files.split_off(&segment);
            for (_, file) in std::mem::replace(&mut *files, rest) {
                glommio::spawn_local(async move { file.close_rc().await }).detach();
            }
        }
    }

    fn write(&self, op: WriteOp) {
        self.close_before(op.segment);
        let file = self.file(op.segment);
        let (completions, sync) = (Arc::clone(&self.completions), op.sync && !self.dsync);
        glommio::spawn_local(async move {
            let result = write(&file, &op, sync).await.map_err(|e| e.to_string());
            completions.push(Completion::Log(Done::Write { id: op.id, result }));
        })
        .detach();
    }

    fn sync(&self, id: u64, segment: u64) {
        let (file, completions) = (self.file(segment), Arc::clone(&self.completions));
        glommio::spawn_local(async move {
            let result = file.fdatasync().await.map_err(|e| e.to_string());
            completions.push(Completion::Log(Done::Sync { id, result }));
        })
        .detach();
    }
}

async fn open_segment(dir: &std::path::Path, segment: u64, dsync: bool) -> io::Result<Rc<DmaFile>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if dsync {
        options.custom_flags(libc::O_DSYNC);
    }
    let file = options.dma_open(dir.join(segment_name(segment))).await.map_err(io::Error::from)?;
    Ok(Rc::new(file))
}

async fn write(file: &DmaFile, op: &WriteOp, sync: bool) -> io::Result<()> {
    let len = op.batch.padded_len();
    let mut buf = file.alloc_dma_buffer(len);
    op.batch.fill(&mut buf.as_bytes_mut()[..len]);
    let written = file.write_at(buf, op.offset).await.map_err(io::Error::from)?;
    if written != len {
        return Err(io::Error::new(io::ErrorKind::WriteZero, format!("{written} of {len} bytes were written")));
    }
    if sync { file.fdatasync().await.map_err(io::Error::from) } else { Ok(()) }
}

impl LogDevice for UringDevice {
    fn submit(&mut self, op: LogOp) {
        match op {
            LogOp::Write(op) => self.write(op),
            LogOp::Sync { id, segment } => self.sync(id, segment),
            op @ (LogOp::Prepare(_) | LogOp::Delete { .. }) => self.preparer.submit(op),
        }
    }

    fn settle(&mut self, done: Done) -> Option<Done> {
        let Done::Prepared { segment, result: Ok(()) } = done else { return Some(done) };
        if self.files.borrow().contains_key(&segment) {
            return Some(done);
        }
        let (dir, dsync) = (self.dir.clone(), self.dsync);
        let (files, completions) = (Rc::clone(&self.files), Arc::clone(&self.completions));
        glommio::spawn_local(async move {
            let result = match open_segment(&dir, segment, dsync).await {
                Ok(file) => {
                    files.borrow_mut().insert(segment, file);
                    Ok(())
                }
                Err(e) => Err(crate::writer::PrepareError::Failed(format!("opening it: {e}"))),
            };
            completions.push(Completion::Log(Done::Prepared { segment, result }));
        })
        .detach();
        None
    }

    fn hurry(&mut self) {
        self.preparer.hurry();
    }
}

impl Drop for UringDevice {
    fn drop(&mut self) {
        self.close_before(u64::MAX);
    }
}
