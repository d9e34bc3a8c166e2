//! Snapshot files: the state at one exact transaction, as opaque bytes, compressed and checksummed in blocks.
//! `docs/formats.md` has the byte tables.

mod block;
mod reader;
pub mod retention;
pub mod task;
mod writer;

pub use reader::{SnapshotReader, verify};
pub use writer::SnapshotWriter;

use crate::error::{Corruption, OpenError};
use crate::format::{BLOCK, BlockBuf, numbered, u32_at, u64_at};
use ringkeeper_core::ids::{WallMs, Zxid};

/// Most bytes of state in one block, whatever a file says.
pub const MAX_BLOCK: usize = 16 << 20;

const MAGIC: &[u8; 8] = b"RK-SNAPS";
const VERSION: u32 = 1;

/// What a snapshot is of, stated by the state itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotHead {
    /// Last transaction that the state contains.
    pub zxid: Zxid,
    /// Digest of the state.
    pub digest: u64,
    /// Nodes in the state.
    pub nodes: u64,
    /// Sessions in the state.
    pub sessions: u64,
    /// The wall clock when it was taken.
    pub wall: WallMs,
}

/// Where a snapshot comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Made from this server's own state: its log holds the snapshot's transaction.
    Local,
    /// Received as a whole from the leader: the log before it is void.
    Installed,
}

/// The first block of a snapshot file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileHead {
    pub(crate) head: SnapshotHead,
    pub(crate) origin: Origin,
    /// Every batch of the log before this number was durable when the snapshot was begun: tells what was before a cut
    /// or restart of the log, and what after.
    pub(crate) log_batch: u64,
}

/// File name of the snapshot of `zxid`.
#[must_use]
pub fn snapshot_name(zxid: Zxid) -> String {
    format!("snap.{:016x}", zxid.0)
}

/// Name of a snapshot that is being written: never read by recovery.
#[must_use]
pub fn snapshot_tmp_name(zxid: Zxid) -> String {
    format!("snap.{:016x}.tmp", zxid.0)
}

/// The zxid in a snapshot's file name.
#[must_use]
pub fn snapshot_zxid(name: &str) -> Option<Zxid> {
    numbered(name, "snap.").map(Zxid)
}

fn crc(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[0..12]), &block[16..BLOCK])
}

impl FileHead {
    pub(crate) fn encode(&self) -> BlockBuf {
        let mut block = BlockBuf::with_capacity(BLOCK);
        block.resize(BLOCK, 0);
        block[0..8].copy_from_slice(MAGIC);
        block[8..12].copy_from_slice(&VERSION.to_le_bytes());
        block[16..24].copy_from_slice(&self.head.zxid.0.to_le_bytes());
        block[24..32].copy_from_slice(&self.head.digest.to_le_bytes());
        block[32..40].copy_from_slice(&self.head.nodes.to_le_bytes());
        block[40..48].copy_from_slice(&self.head.sessions.to_le_bytes());
        block[48..56].copy_from_slice(&self.head.wall.0.to_le_bytes());
        block[56..64].copy_from_slice(&self.log_batch.to_le_bytes());
        block[64] = matches!(self.origin, Origin::Installed).into();
        let crc = crc(&block);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        block
    }

    pub(crate) fn parse(block: &[u8], name: &str) -> Result<FileHead, OpenError> {
        let bad = |what: &str| OpenError::Corrupt(Corruption::new(name, 0, what));
        if block.len() < BLOCK || block[0..8] != *MAGIC || u32_at(block, 12) != crc(block) {
            return Err(bad("the snapshot's header fails its checksum"));
        }
        let version = u32_at(block, 8);
        if version != VERSION {
            return Err(OpenError::Version { file: name.into(), version, known: VERSION });
        }
        let head = SnapshotHead {
            zxid: Zxid(u64_at(block, 16)),
            digest: u64_at(block, 24),
            nodes: u64_at(block, 32),
            sessions: u64_at(block, 40),
            wall: WallMs(u64_at(block, 48) as i64),
        };
        if snapshot_zxid(name.trim_end_matches(".tmp")) != Some(head.zxid) {
            return Err(bad("the snapshot is of another transaction than its name says"));
        }
        let origin = if block[64] == 0 { Origin::Local } else { Origin::Installed };
        Ok(FileHead { head, origin, log_batch: u64_at(block, 56) })
    }
}

/// Of which transaction a snapshot is, by the first bytes of its file, of which only the first eight are checked. `None`:
/// it is no snapshot.
#[must_use]
pub fn zxid_of_file(begin: &[u8]) -> Option<Zxid> {
    (begin.len() >= BLOCK && begin[0..8] == *MAGIC).then(|| Zxid(u64_at(begin, 16)))
}

#[cfg(test)]
mod tests;
