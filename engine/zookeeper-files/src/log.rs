//! A log file as a stream of transactions.
//!
//! ```text
//!   magic "ZKLG" · int 2 · long dbid                                            header
//!   (long adler of the payload · int length · payload · byte 0x42)*             transactions
//!   zeros, or the end of the file
//! ```
//!
//! A crash may leave the last transaction incomplete, which is normal: nobody was told of it. ZooKeeper then goes on with
//! the next file. What stands in the middle and is not whole, or is whole and fails its checksum, is damage. Source:
//! `FileTxnLog`; surface 8.2.

use crate::digest::TreeDigest;
use crate::error::FileError;
use crate::input::Input;
use crate::txn::{self, Txn, TxnHeader};
use std::io::BufRead;

const MAGIC: [u8; 4] = *b"ZKLG";
const VERSION: i32 = 2;
/// Magic, version, and the id of a database, which ZooKeeper does not use.
const FILE_HEADER: usize = 4 + 4 + 8;
const TRAILER: u8 = 0x42;
/// Checksum and length.
const PREFIX: usize = 8 + 4;
/// Bytes of a transaction's header.
const HEADER: usize = 8 + 4 + 8 + 8 + 4;
/// Payloads that are tried behind a torn one. More would look like transactions only in a file made for that.
const TRIES: usize = 100_000;

/// A transaction of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Where it begins in the file.
    pub offset: u64,
    /// Who, when, and its place in the order.
    pub header: TxnHeader,
    /// What.
    pub txn: Txn,
    /// The digest of the tree after it, if it was written.
    pub digest: Option<TreeDigest>,
}

/// How a file ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogEnd {
    /// After a whole transaction.
    Clean,
    /// In the middle of a transaction, of which nobody was told.
    Torn {
        /// Where that one begins.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
}

/// Reads a log file, in memory for its largest transaction.
pub struct LogReader<R> {
    input: Input<R>,
    last: i64,
    end: Option<LogEnd>,
}

impl<R: BufRead> LogReader<R> {
    /// Begins with the header. `file` is for messages.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn open(file: &str, from: R) -> Result<LogReader<R>, FileError> {
        let mut input = Input::new(from, file, 0);
        let header = input.up_to(FILE_HEADER as u64)?;
        if !header.starts_with(&MAGIC[..header.len().min(MAGIC.len())]) {
            let what = "no transaction log of ZooKeeper's: it does not begin with ZKLG".to_owned();
            return Err(FileError::Foreign { file: file.to_owned(), what });
        }
        // A crash came just after the file was made.
        let end = match header.len() {
            0 => Some(LogEnd::Clean),
            FILE_HEADER => None,
            len => Some(LogEnd::Torn { offset: 0, what: format!("a header of {len} bytes") }),
        };
        if let Some(version) = header[MAGIC.len().min(header.len())..].first_chunk().map(|n| i32::from_be_bytes(*n))
            && version != VERSION
        {
            return Err(FileError::Version { file: file.to_owned(), version, known: VERSION });
        }
        Ok(LogReader { input, last: 0, end })
    }

    /// The next transaction; `None` at the end, see [`LogReader::end`].
    ///
    /// # Errors
    /// [`FileError`]
    pub fn next_entry(&mut self) -> Result<Option<Entry>, FileError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let offset = self.input.at();
        let prefix = self.input.up_to(PREFIX as u64)?;
        let Some((adler, rest)) = prefix.split_first_chunk() else { return self.ended(offset, prefix, 0) };
        let Some(len) = rest.first_chunk() else { return self.ended(offset, prefix, 0) };
        let (adler, len) = (i64::from_be_bytes(*adler), i32::from_be_bytes(*len));
        let Some(len) = usize::try_from(len).ok().filter(|len| *len > 0) else { return self.ended(offset, prefix, 0) };
        let mut payload = self.input.up_to(len as u64 + 1)?;
        if payload.len() != len + 1 || payload[len] != TRAILER {
            return self.ended(offset, [prefix, payload].concat(), len);
        }
        payload.truncate(len);
        let found = i64::from(simd_adler32::adler32(&&payload[..]));
        if adler != found {
            let what = format!("a transaction's checksum is {adler:x}, its bytes give {found:x}");
            return Err(self.input.damaged_at(offset, what));
        }
        let (header, txn, digest) = txn::read(self.input.file(), offset + PREFIX as u64, &payload)?;
        if header.zxid <= self.last {
            let what = format!("transaction 0x{:x} behind 0x{:x}", header.zxid, self.last);
            return Err(self.input.damaged_at(offset, what));
        }
        self.last = header.zxid;
        Ok(Some(Entry { offset, header, txn, digest }))
    }

    /// How the file ended, once it has.
    #[must_use]
    pub fn end(&self) -> Option<&LogEnd> {
        self.end.as_ref()
    }

    /// Where the next transaction begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.input.at()
    }

    /// No whole transaction stands at `offset`, from where `taken` was read: this is the end, if nothing comes behind it.
    fn ended(&mut self, offset: u64, taken: Vec<u8>, len: usize) -> Result<Option<Entry>, FileError> {
        let what = match (taken.len(), len) {
            (0, _) => None,
            (_, 0) if taken.iter().all(|byte| *byte == 0) => None,
            (_, 0) => Some("the beginning of a transaction".to_owned()),
            (there, _) => Some(format!("a transaction of {len} bytes that is not whole ({there} bytes were read)")),
        };
        if let Some((at, zxid)) = self.found_behind(offset, taken)? {
            let what = what.unwrap_or_else(|| "zeros".to_owned());
            let what = format!("{what}, but transaction 0x{zxid:x} stands behind that, at offset {at}");
            return Err(self.input.damaged_at(offset, what));
        }
        self.end = Some(what.map_or(LogEnd::Clean, |what| LogEnd::Torn { offset, what }));
        Ok(None)
    }

    /// The first whole transaction behind `offset`: place and zxid.
    fn found_behind(&mut self, offset: u64, mut bytes: Vec<u8>) -> Result<Option<(u64, i64)>, FileError> {
        let mut start = offset;
        // Mostly there are only zeros, which need not be kept; but a checksum begins with some.
        while bytes.iter().all(|byte| *byte == 0) {
            let next = self.input.up_to(1 << 20)?;
            if next.is_empty() {
                return Ok(None);
            }
            let kept = bytes.len().min(8);
            start += (bytes.len() - kept) as u64;
            bytes.truncate(kept);
            bytes.extend(next);
        }
        bytes.extend(self.input.up_to(u64::MAX)?);
        let mut tries = 0;
        for at in 0..bytes.len().saturating_sub(PREFIX + HEADER) {
            let Some(zxid) = transaction_at(&bytes[at..], &mut tries) else { continue };
            if zxid > self.last && (at > 0 || start > offset) {
                return Ok(Some((start + at as u64, zxid)));
            }
        }
        Ok(None)
    }
}

/// The zxid of the whole transaction that `bytes` begin with.
fn transaction_at(bytes: &[u8], tries: &mut usize) -> Option<i64> {
    let (adler, rest) = bytes.split_first_chunk()?;
    let (len, payload) = rest.split_first_chunk()?;
    let len = usize::try_from(i32::from_be_bytes(*len)).ok().filter(|len| *len >= HEADER)?;
    if adler[..4] != [0; 4] || payload.get(len) != Some(&TRAILER) || *tries == TRIES {
        return None;
    }
    *tries += 1;
    let whole = i64::from(simd_adler32::adler32(&&payload[..len])) == i64::from_be_bytes(*adler);
    whole.then(|| payload[12..].first_chunk().map(|zxid| i64::from_be_bytes(*zxid)))?
}
