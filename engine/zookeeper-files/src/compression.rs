//! Snapshots that ZooKeeper has compressed as a whole (`snapshot.compression.method`). The name says how.

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// Bytes read at once.
const BUFFER: usize = 256 << 10;

/// What a snapshot file of that name holds, decompressed if the name ends in `.gz` or `.snappy`.
///
/// Source: `SnapStream.getInputStream`.
pub fn decompressed<'a>(name: &str, file: impl Read + 'a) -> Box<dyn BufRead + 'a> {
    let file = BufReader::with_capacity(BUFFER, file);
    match name.rsplit_once('.') {
        Some((_, "gz")) => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file))),
        Some((_, "snappy")) => Box::new(BufReader::with_capacity(BUFFER, Snappy::new(file))),
        _ => Box::new(file),
    }
}

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
/// Chunks of Java's library have 32 KiB unless somebody configures its buffer; what claims to be larger than this is none.
const MAX_CHUNK: usize = 64 << 20;

/// The stream format of Java's Snappy library: a header of 16 bytes (magic, version, oldest version that reads it), then
/// chunks, each a length in big-endian and so many bytes of raw Snappy. Not the framing format of Snappy itself.
///
/// Source: `SnappyInputStream` (xerial snappy-java).
struct Snappy<R> {
    from: R,
    begun: bool,
    chunk: Vec<u8>,
    /// Bytes of the chunk that are given out.
    given: usize,
}

impl<R: BufRead> Snappy<R> {
    fn new(from: R) -> Snappy<R> {
        Snappy { from, begun: false, chunk: Vec::new(), given: 0 }
    }

    fn header(&mut self) -> io::Result<()> {
        let mut header = [0; 16];
        self.from.read_exact(&mut header)?;
        if header[..8] != *MAGIC || header[12..16] != [0, 0, 0, 1] {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no snappy stream of a known version"));
        }
        Ok(())
    }

    /// Reads the next chunk; without bytes at the end.
    fn next(&mut self) -> io::Result<()> {
        if !self.begun {
            self.header()?;
            self.begun = true;
        }
        (self.given, self.chunk) = (0, Vec::new());
        if self.from.fill_buf()?.is_empty() {
            return Ok(());
        }
        let mut len = [0; 4];
        self.from.read_exact(&mut len)?;
        let len = u32::from_be_bytes(len) as usize;
        let mut compressed = Vec::new();
        self.from.by_ref().take(len as u64).read_to_end(&mut compressed)?;
        if compressed.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bad = |e: snap::Error| io::Error::new(io::ErrorKind::InvalidData, e.to_string());
        if snap::raw::decompress_len(&compressed).map_err(bad)? > MAX_CHUNK {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk of impossible length"));
        }
        self.chunk = snap::raw::Decoder::new().decompress_vec(&compressed).map_err(bad)?;
        Ok(())
    }
}

impl<R: BufRead> Read for Snappy<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.given == self.chunk.len() {
            self.next()?;
        }
        let len = buf.len().min(self.chunk.len() - self.given);
        buf[..len].copy_from_slice(&self.chunk[self.given..self.given + len]);
        self.given += len;
        Ok(len)
    }
}
