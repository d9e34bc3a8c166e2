//! Reading a snapshot file. A helper thread can read and decompress ahead of the consumer.

use super::block::{BLOCK_HEADER, BlockHeader, Codec, TOTALS, Totals};
use super::{FileHead, MAX_BLOCK, SnapshotHead};
use crate::disk::{Disk, DiskFile};
use crate::error::{Attempt, Corruption, OpenError};
use crate::format::{BLOCK, BlockBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// Bytes read at once.
const READ: usize = 1 << 20;
/// Blocks that may wait for the consumer.
const AHEAD: usize = 8;

/// An open snapshot whose header is intact.
pub struct SnapshotReader {
    name: String,
    file: Arc<dyn DiskFile>,
    len: u64,
    head: FileHead,
}

impl SnapshotReader {
    /// Opens a snapshot file.
    ///
    /// # Errors
    /// Corruption of the header, an unknown version, or the disk's errors.
    pub fn open(disk: &dyn Disk, name: &str) -> Result<SnapshotReader, OpenError> {
        let file = disk.open(name).attempt(|| format!("opening {}", disk.describe(name)))?;
        let len = file.len().attempt(|| format!("reading {}", disk.describe(name)))?;
        let mut block = BlockBuf::new();
        block.resize(BLOCK, 0);
        let got = file.read_at(0, &mut block).map_err(|e| Corruption::new(name, 0, format!("unreadable: {e}")))?;
        let head = FileHead::parse(&block[..got], name)?;
        Ok(SnapshotReader { name: name.into(), file, len, head })
    }

    /// What the snapshot says that it is of.
    #[must_use]
    pub fn head(&self) -> &SnapshotHead {
        &self.head.head
    }

    pub(crate) fn file_head(&self) -> &FileHead {
        &self.head
    }

    /// Reads everything into `sink`, in the calling thread.
    ///
    /// # Errors
    /// Corruption, or what `sink` refused as [`OpenError::Refused`].
    pub fn read(&self, mut sink: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), OpenError> {
        let mut blocks = Blocks::new(self)?;
        let mut raw = Vec::new();
        while blocks.next(&mut raw)? {
            sink(&raw).map_err(OpenError::Refused)?;
        }
        Ok(())
    }

    /// Like [`SnapshotReader::read`], with a thread that reads and decompresses ahead.
    ///
    /// # Errors
    /// As for [`SnapshotReader::read`].
    pub fn read_ahead(&self, mut sink: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), OpenError> {
        let (full, ready) = sync_channel::<Result<Vec<u8>, OpenError>>(AHEAD);
        let (empty, spare) = sync_channel::<Vec<u8>>(AHEAD + 1);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut blocks = match Blocks::new(self) {
                    Ok(blocks) => blocks,
                    Err(e) => {
                        let _ = full.send(Err(e));
                        return;
                    }
                };
                loop {
                    let mut raw = spare.try_recv().unwrap_or_default();
                    let message = match blocks.next(&mut raw) {
                        Ok(false) => return,
                        Ok(true) => Ok(raw),
                        Err(e) => Err(e),
                    };
                    // The consumer is gone when it refused something: then there is nothing left to do.
                    if full.send(message).is_err() {
                        return;
                    }
                }
            });
            for block in ready {
                let raw = block?;
                sink(&raw).map_err(OpenError::Refused)?;
                let _ = empty.try_send(raw);
            }
            Ok(())
        })
    }
}

/// Reads a snapshot file from end to end, compares every checksum, and keeps nothing.
///
/// # Errors
/// As for [`SnapshotReader::read`].
pub fn verify(disk: &dyn Disk, name: &str) -> Result<(), OpenError> {
    SnapshotReader::open(disk, name)?.read(|_| Ok(()))
}

/// The blocks of a snapshot, one after the other.
struct Blocks<'a> {
    reader: &'a SnapshotReader,
    buf: BlockBuf,
    /// Bytes of the file that `buf` holds begin here; a multiple of a block.
    start: u64,
    end: u64,
    /// The next block begins here.
    at: u64,
    totals: Totals,
    decompressor: zstd::bulk::Decompressor<'static>,
    ended: bool,
}

impl<'a> Blocks<'a> {
    fn new(reader: &'a SnapshotReader) -> Result<Blocks<'a>, OpenError> {
        let decompressor = zstd::bulk::Decompressor::new().attempt(|| "starting zstd".into())?;
        let at = BLOCK as u64;
        let totals = Totals::default();
        Ok(Blocks { reader, buf: BlockBuf::new(), start: at, end: at, at, totals, decompressor, ended: false })
    }

    fn bad(&self, what: impl Into<String>) -> OpenError {
        let zxid = self.reader.head.head.zxid;
        Corruption::new(&self.reader.name, self.at, what).between(None, Some(zxid)).into()
    }

    /// Makes sure that `len` bytes from the current place are in the buffer; their place in it.
    fn need(&mut self, len: usize) -> Result<usize, OpenError> {
        let want = self.at + len as u64;
        if want > self.reader.len {
            return Err(self.bad("the snapshot is cut short"));
        }
        if want > self.end {
            let from = self.at / BLOCK as u64 * BLOCK as u64;
            let kept = (self.end - from.min(self.end)) as usize;
            let drop = (from - self.start) as usize;
            if kept > 0 {
                self.buf.copy_within(drop..drop + kept, 0);
            }
            let total = ((want - from) as usize).next_multiple_of(READ).min((self.reader.len - from) as usize);
            if self.buf.len() < total {
                self.buf.resize(total, 0);
            }
            (self.start, self.end) = (from, from + kept as u64);
            let read = crate::disk::read_exact_at(&*self.reader.file, self.end, &mut self.buf[kept..total]);
            read.map_err(|e| self.bad(format!("unreadable: {e}")))?;
            self.end = from + total as u64;
        }
        Ok((self.at - self.start) as usize)
    }

    /// Reads the next block into `raw`; false when the end was reached and everything added up.
    fn next(&mut self, raw: &mut Vec<u8>) -> Result<bool, OpenError> {
        if self.ended {
            return Ok(false);
        }
        let zxid = self.reader.head.head.zxid;
        let at = self.need(BLOCK_HEADER)?;
        let Some(header) = BlockHeader::parse(&self.buf[at..]) else { return Err(self.bad("not a block")) };
        if header.raw as usize > MAX_BLOCK || header.stored as usize > MAX_BLOCK {
            return Err(self.bad("a block of impossible length"));
        }
        let at = self.need(BLOCK_HEADER + header.stored as usize)?;
        let (head, stored) = self.buf[at..at + BLOCK_HEADER + header.stored as usize].split_at(BLOCK_HEADER);
        if !BlockHeader::check(head, zxid, stored) {
            return Err(self.bad("a block fails its checksum"));
        }
        if header.index != self.totals.blocks {
            return Err(self.bad(format!("block {} where {} belongs", header.index, self.totals.blocks)));
        }
        if header.codec == Codec::End {
            let totals = (stored.len() == TOTALS).then(|| Totals::decode(stored));
            return self.end(totals, header.stored);
        }
        raw.clear();
        match header.codec {
            Codec::Raw => raw.extend_from_slice(stored),
            _ => {
                raw.reserve(header.raw as usize);
                let done = self.decompressor.decompress_to_buffer(stored, raw);
                done.map_err(|e| self.bad(format!("a block does not decompress: {e}")))?;
            }
        }
        if raw.len() != header.raw as usize || crc32c::crc32c(raw) != header.raw_crc {
            return Err(self.bad("a block decompresses to something else"));
        }
        self.totals.add(raw);
        self.at += (BLOCK_HEADER + header.stored as usize) as u64;
        Ok(true)
    }

    fn end(&mut self, totals: Option<Totals>, stored: u32) -> Result<bool, OpenError> {
        if totals != Some(self.totals) {
            return Err(self.bad(format!("the snapshot does not add up: {totals:?}, read {:?}", self.totals)));
        }
        self.at += BLOCK_HEADER as u64 + u64::from(stored);
        if self.at.next_multiple_of(BLOCK as u64) != self.reader.len {
            return Err(self.bad("bytes behind the end of the snapshot"));
        }
        self.ended = true;
        Ok(false)
    }
}
