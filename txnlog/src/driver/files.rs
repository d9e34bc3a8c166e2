//! Carrying out writes and syncs one after the other, on any disk: what the log thread does, and the simulator.

use crate::disk::{Disk, DiskFile};
use crate::format::{BlockBuf, segment_name};
use crate::planted::{Defects, planted};
use crate::segment::sync_file;
use crate::writer::{Done, WriteOp};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The segments that are open for writing.
pub struct Files {
    disk: Arc<dyn Disk>,
    open: BTreeMap<u64, Arc<dyn DiskFile>>,
    buf: BlockBuf,
    defects: Defects,
}

impl Files {
    /// None yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, defects: Defects) -> Files {
        Files { disk, open: BTreeMap::new(), buf: BlockBuf::new(), defects }
    }

    /// Takes a segment that is already open.
    pub fn adopt(&mut self, segment: u64, file: Arc<dyn DiskFile>) {
        self.open.insert(segment, file);
    }

    /// Closes every segment; one that is written to again is opened again.
    pub fn close_all(&mut self) {
        self.open.clear();
    }

    fn file(&mut self, segment: u64) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.open.get(&segment) {
            return Ok(Arc::clone(file));
        }
        let file = self.disk.open(&segment_name(segment))?;
        self.open.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// Writes a batch, and syncs it if that is asked for.
    pub fn write(&mut self, op: &WriteOp) -> Done {
        let result = self.write_only(op).and_then(|()| if op.sync { self.sync_only(op.segment) } else { Ok(()) });
        Done::Write { id: op.id, result: result.map_err(|e| e.to_string()) }
    }

    /// Syncs a segment.
    pub fn sync(&mut self, id: u64, segment: u64) -> Done {
        Done::Sync { id, result: self.sync_only(segment).map_err(|e| e.to_string()) }
    }

    /// The write of a batch without its sync.
    ///
    /// # Errors
    /// Of the disk.
    pub fn write_only(&mut self, op: &WriteOp) -> io::Result<()> {
        let file = self.file(op.segment)?;
        // A segment is entered only when the ones before it are finished.
        self.open.retain(|&segment, _| segment >= op.segment);
        let len = op.batch.padded_len();
        self.buf.resize(len, 0);
        op.batch.fill(&mut self.buf[..len]);
        file.write_at(op.offset, &self.buf[..len])
    }

    /// A sync without an answer.
    ///
    /// # Errors
    /// Of the disk.
    pub fn sync_only(&mut self, segment: u64) -> io::Result<()> {
        let result = self.file(segment).and_then(|file| sync_file(&*file, self.defects));
        if planted!(self.defects, SyncErrorIgnored) { Ok(()) } else { result }
    }
}
