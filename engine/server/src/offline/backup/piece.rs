//! A file of transactions: a header, then frames end to end as the log has them.
//!
//! ```text
//!  off size field             all integers are little-endian
//!    0   8  "RK-FRAMS"
//!    8   4  version           1
//!   12   4  crc               CRC-32C of bytes 0..12 and 16..64
//!   16   8  prev              zxid before the first frame
//!   24   8  last              zxid of the last one
//!   32   8  frames            their number
//!   40   8  bytes             of all frames
//!   48   8  ensemble          that they are of
//!   56   8  wall              of the last one, milliseconds since 1970
//!   64  ..  frames
//! ```

use crate::offline::directories::create;
use anyhow::Context as _;
use ringkeeper_core::frame::{Frame, FrameBuf, MAX_LEN};
use ringkeeper_core::ids::{WallMs, Zxid};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"RK-FRAMS";
const VERSION: u32 = 1;
const HEADER: usize = 64;

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) prev: Zxid,
    pub(crate) last: Zxid,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) ensemble: u64,
    pub(crate) wall: WallMs,
}

fn crc(header: &[u8; HEADER]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..])
}

impl Head {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let fields = [self.prev.0, self.last.0, self.frames, self.bytes, self.ensemble, self.wall.0 as u64];
        for (field, place) in fields.iter().zip(header[16..].chunks_exact_mut(8)) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        let crc = crc(&header);
        header[12..16].copy_from_slice(&crc.to_le_bytes());
        header
    }

    fn decode(header: &[u8; HEADER]) -> anyhow::Result<Head> {
        anyhow::ensure!(header[..8] == *MAGIC, "at offset 0: no file of transactions");
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        anyhow::ensure!(word(12) == crc(header), "at offset 0: the header fails its checksum");
        let version = word(8);
        anyhow::ensure!(version == VERSION, "has format version {version}, this program reads version {VERSION}");
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        Ok(Head {
            prev: Zxid(long(16)),
            last: Zxid(long(24)),
            frames: long(32),
            bytes: long(40),
            ensemble: long(48),
            wall: WallMs(long(56) as i64),
        })
    }

    /// Of no transactions after `prev`: there is no such file.
    pub(crate) fn nothing(prev: Zxid, ensemble: u64) -> Head {
        Head { prev, last: prev, frames: 0, bytes: 0, ensemble, wall: WallMs(0) }
    }

    /// The file's name.
    pub(crate) fn name(&self) -> String {
        format!("frames.{:016x}-{:016x}", self.prev.0, self.last.0)
    }
}

/// Writes a file, which has no name before it is complete.
pub(crate) struct PieceWriter {
    dir: PathBuf,
    file: BufWriter<File>,
    head: Head,
}

impl PieceWriter {
    /// For the transactions after `prev`.
    pub(crate) fn create(dir: &Path, prev: Zxid, ensemble: u64) -> anyhow::Result<PieceWriter> {
        let tmp = dir.join("frames.tmp");
        let mut file =
            BufWriter::with_capacity(1 << 20, create(&tmp).with_context(|| format!("creating {}", tmp.display()))?);
        file.write_all(&[0; HEADER])?;
        Ok(PieceWriter { dir: dir.to_owned(), file, head: Head::nothing(prev, ensemble) })
    }

    /// The next one.
    pub(crate) fn add(&mut self, frame: &Frame<'_>) -> anyhow::Result<()> {
        let (last, prev) = (self.head.last, frame.prev_zxid());
        anyhow::ensure!(prev == last, "transaction {} follows {prev}, the backup ends at {last}", frame.zxid());
        self.file.write_all(frame.as_bytes())?;
        self.head.last = frame.zxid();
        self.head.wall = frame.wall();
        self.head.frames += 1;
        self.head.bytes += frame.as_bytes().len() as u64;
        Ok(())
    }

    /// Everything is on the disk and has its name when this returns. Without transactions there is no file.
    pub(crate) fn finish(self) -> anyhow::Result<Head> {
        let PieceWriter { dir, file, head } = self;
        let tmp = dir.join("frames.tmp");
        if head.frames == 0 {
            std::fs::remove_file(&tmp)?;
            return Ok(head);
        }
        let mut file = file.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head.encode())?;
        file.sync_all()?;
        std::fs::rename(&tmp, dir.join(head.name()))?;
        File::open(&dir)?.sync_all()?;
        Ok(head)
    }
}

/// Reads the header.
pub(crate) fn head(path: &Path) -> anyhow::Result<Head> {
    open(path).map(|(head, _)| head).with_context(|| path.display().to_string())
}

fn open(path: &Path) -> anyhow::Result<(Head, BufReader<File>)> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut header = [0; HEADER];
    file.read_exact(&mut header)?;
    Ok((Head::decode(&header)?, file))
}

/// Gives `each` all transactions in order, every one verified, until it has had enough (`false`).
pub(crate) fn read(path: &Path, mut each: impl FnMut(&Frame<'_>) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    read_frames(path, &mut each).with_context(|| path.display().to_string())
}

fn read_frames(path: &Path, each: &mut impl FnMut(&Frame<'_>) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let (head, mut file) = open(path)?;
    let (mut last, mut at, mut frame) = (head.prev, HEADER as u64, FrameBuf::new());
    for _ in 0..head.frames {
        let offset = || format!("at offset {at}");
        let mut len = [0; 4];
        file.read_exact(&mut len).with_context(offset)?;
        let whole = u32::from_le_bytes(len) as usize;
        anyhow::ensure!((4..=MAX_LEN).contains(&whole), "at offset {at}: a transaction of {whole} bytes");
        frame.clear();
        frame.extend_from_slice(&len);
        frame.resize(whole, 0);
        file.read_exact(&mut frame[4..]).with_context(offset)?;
        let parsed = Frame::parse(&frame).with_context(offset)?;
        let (prev, zxid) = (parsed.prev_zxid(), parsed.zxid());
        anyhow::ensure!(prev == last, "at offset {at}: transaction {zxid} follows {prev}, not {last}");
        if !each(&parsed)? {
            return Ok(());
        }
        last = zxid;
        at += whole as u64;
    }
    anyhow::ensure!(last == head.last, "it ends with transaction {last}, not {}", head.last);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringkeeper_core::frame::{FrameHeader, encode};
    use ringkeeper_core::ids::{SessionId, Tag};

    fn frames(zxids: std::ops::Range<u64>) -> FrameBuf {
        let mut out = FrameBuf::new();
        for zxid in zxids {
            let header = FrameHeader {
                zxid: Zxid(zxid),
                prev_zxid: Zxid(zxid - 1),
                session: SessionId(1),
                wall: WallMs(1000 * zxid as i64),
                cxid: 0,
                txn_type: -11,
                tag: Tag::NONE,
            };
            encode(&mut out, &header, |_| {});
        }
        out
    }

    fn write(dir: &Path, prev: u64, zxids: std::ops::Range<u64>) -> anyhow::Result<Head> {
        let mut writer = PieceWriter::create(dir, Zxid(prev), 7)?;
        let bytes = frames(zxids);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let frame = Frame::parse(rest)?;
            writer.add(&frame)?;
            rest = &rest[frame.as_bytes().len()..];
        }
        writer.finish()
    }

    #[test]
    fn what_is_written_is_read_and_a_flipped_bit_of_any_byte_is_noticed() {
        let tmp = tempfile::tempdir().unwrap();
        let written = write(tmp.path(), 4, 5..9).unwrap();
        assert_eq!((written.frames, written.wall, written.last), (4, WallMs(8000), Zxid(8)));
        let path = tmp.path().join(written.name());
        assert_eq!(head(&path).unwrap(), written);
        let zxids = |path: &Path| {
            let mut zxids = Vec::new();
            read(path, |frame| {
                zxids.push(frame.zxid().0);
                Ok(true)
            })
            .map(|()| zxids)
        };
        assert_eq!(zxids(&path).unwrap(), [5, 6, 7, 8]);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            std::fs::write(&path, &bad).unwrap();
            assert!(zxids(&path).is_err(), "byte {at}");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(zxids(&path).is_err());
    }

    #[test]
    fn a_gap_is_refused_and_nothing_new_is_no_file() {
        let tmp = tempfile::tempdir().unwrap();
        assert!(write(tmp.path(), 3, 5..9).is_err());
        assert_eq!(write(tmp.path(), 4, 5..5).unwrap().frames, 0);
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
    }
}
