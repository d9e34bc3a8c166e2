//! Writing a snapshot file.

use super::block::{BlockHeader, Codec, Totals};
use super::{FileHead, Origin, SnapshotHead, reader, snapshot_name, snapshot_tmp_name};
use crate::config::SnapshotConfig;
use crate::disk::{Disk, DiskFile};
use crate::error::{Attempt, OpenError};
use crate::format::{BLOCK, BlockBuf, padded};
use crate::planted::planted;
use crate::segment::{sync_dir, sync_file};
use ringkeeper_core::ids::Zxid;
use std::sync::Arc;

/// Bytes that are collected before they are written.
const WRITE: usize = 1 << 20;

/// Writes one snapshot: [`write`](Self::write) all of its bytes, [`complete`](Self::complete), then
/// [`publish`](Self::publish). A writer that is dropped before leaves at most a `.tmp` file, which no one reads.
pub struct SnapshotWriter {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    config: SnapshotConfig,
    zxid: Zxid,
    compressor: zstd::bulk::Compressor<'static>,
    /// Bytes of state that do not fill a block yet.
    raw: Vec<u8>,
    /// Bytes of the file that are not written yet, from `at` on.
    out: BlockBuf,
    at: u64,
    totals: Totals,
    written: u64,
}

impl SnapshotWriter {
    /// Starts the file. `log_batch` is what [`LogWriter::durable_before`](crate::writer::LogWriter::durable_before) says.
    ///
    /// # Errors
    /// Of the disk.
    pub fn create(
        disk: Arc<dyn Disk>,
        head: SnapshotHead,
        origin: Origin,
        log_batch: u64,
        config: &SnapshotConfig,
    ) -> Result<SnapshotWriter, OpenError> {
        let name = snapshot_tmp_name(head.zxid);
        let file = disk.create(&name).attempt(|| format!("creating {}", disk.describe(&name)))?;
        let compressor = zstd::bulk::Compressor::new(config.level).attempt(|| "starting zstd".into())?;
        let out = FileHead { head, origin, log_batch }.encode();
        Ok(SnapshotWriter {
            disk,
            file,
            config: config.clone(),
            zxid: head.zxid,
            compressor,
            raw: Vec::with_capacity(config.block_bytes),
            out,
            at: 0,
            totals: Totals::default(),
            written: 0,
        })
    }

    /// Adds bytes of the state. Returns how many bytes went to the disk meanwhile, for pacing.
    ///
    /// # Errors
    /// Of the disk. The snapshot is then lost.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<u64, OpenError> {
        let before = self.written;
        while !bytes.is_empty() {
            let part = bytes.len().min(self.config.block_bytes - self.raw.len());
            self.raw.extend_from_slice(&bytes[..part]);
            bytes = &bytes[part..];
            if self.raw.len() == self.config.block_bytes {
                self.flush_block()?;
            }
        }
        Ok(self.written - before)
    }

    fn flush_block(&mut self) -> Result<(), OpenError> {
        let raw = std::mem::take(&mut self.raw);
        let compressed = self.compressor.compress(&raw).attempt(|| "compressing a block".into())?;
        let smaller = compressed.len() < raw.len();
        let (codec, stored) = if smaller { (Codec::Zstd, &compressed) } else { (Codec::Raw, &raw) };
        let header = BlockHeader {
            index: self.totals.blocks,
            raw: raw.len() as u32,
            stored: stored.len() as u32,
            codec,
            raw_crc: crc32c::crc32c(&raw),
        };
        self.out.extend_from_slice(&header.encode(self.zxid, stored));
        self.out.extend_from_slice(stored);
        self.totals.add(&raw);
        self.raw = raw;
        self.raw.clear();
        if self.out.len() >= WRITE { self.write_out(self.out.len() / BLOCK * BLOCK) } else { Ok(()) }
    }

    /// Writes the first `len` bytes that are collected.
    fn write_out(&mut self, len: usize) -> Result<(), OpenError> {
        let name = snapshot_tmp_name(self.zxid);
        self.file.write_at(self.at, &self.out[..len]).attempt(|| format!("writing {}", self.disk.describe(&name)))?;
        let rest = self.out.len() - len;
        self.out.copy_within(len.., 0);
        self.out.resize(rest, 0);
        self.at += len as u64;
        self.written += len as u64;
        Ok(())
    }

    /// Writes the end, makes everything durable, and reads it back. [`publish`](Self::publish) comes next.
    ///
    /// # Errors
    /// Of the disk, or corruption if what is read back is not what was written. The snapshot is then lost.
    pub fn complete(&mut self) -> Result<(), OpenError> {
        if !self.raw.is_empty() {
            self.flush_block()?;
        }
        let totals = self.totals.encode();
        let end = BlockHeader {
            index: self.totals.blocks,
            raw: 0,
            stored: totals.len() as u32,
            codec: Codec::End,
            raw_crc: self.totals.raw_crc,
        };
        self.out.extend_from_slice(&end.encode(self.zxid, &totals));
        self.out.extend_from_slice(&totals);
        self.out.resize(padded(self.out.len()), 0);
        self.write_out(self.out.len())?;
        self.verify()
    }

    fn verify(&self) -> Result<(), OpenError> {
        let (tmp, defects) = (snapshot_tmp_name(self.zxid), self.config.defects);
        if !planted!(defects, RenameBeforeSync) {
            sync_file(&*self.file, defects).attempt(|| format!("syncing {}", self.disk.describe(&tmp)))?;
        }
        if planted!(defects, PurgeBeforeVerify) { Ok(()) } else { reader::verify(&*self.disk, &tmp) }
    }

    /// Gives the completed file its name. Only when this has succeeded may anything older be removed.
    ///
    /// # Errors
    /// Of the disk. It is then not known under which name the file will be found.
    pub fn publish(&self) -> Result<(), OpenError> {
        let (tmp, name) = (snapshot_tmp_name(self.zxid), snapshot_name(self.zxid));
        let renamed = self.disk.rename(&tmp, &name).and_then(|()| sync_dir(&*self.disk, self.config.defects));
        renamed.attempt(|| format!("naming {}", self.disk.describe(&name)))
    }

    /// Removes what was written.
    pub fn abandon(self) {
        // If this fails the file stays until the next start removes it.
        let _ = self.disk.remove(&snapshot_tmp_name(self.zxid));
    }

    /// Bytes of state so far.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.totals.raw + self.raw.len() as u64
    }
}
