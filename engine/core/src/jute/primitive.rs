//! Primitive types of the record encoding, read and written with ZooKeeper's rules.
//!
//! ```text
//! bool          1 byte: 0 or 1 written, anything but 0 reads as true
//! int, long     4, 8 bytes, big-endian, signed
//! string        int length, UTF-8 bytes; length -1 is null, 0 is empty
//! buffer        int length, bytes; likewise
//! vector        int count, elements; count -1 is null, any other negative count is empty
//! record        its fields in order, nothing between
//! ```
//!
//! Source: `BinaryInputArchive`, `BinaryOutputArchive`.

use super::utf8;
use crate::stat::Stat;
use std::borrow::Cow;
use thiserror::Error;

/// Bytes of a [`Stat`].
pub const STAT_LEN: usize = 68;

/// Why bytes are not the record that they should be. A server answers -5 (`MarshallingError`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReadError {
    /// The bytes end before the record does.
    #[error("record is cut short")]
    Truncated,
    /// A length below -1.
    #[error("impossible length {0}")]
    BadLength(i32),
    /// Null where the record needs a value.
    #[error("null where a value is needed")]
    Null,
    /// An operation that may not stand at this place of a multi.
    #[error("operation {0} may not be part of this request")]
    BadOp(i32),
}

/// Reads primitive types from the front of a byte slice. What is left when a record is complete is ignored.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The bytes not yet read.
    #[must_use]
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    fn take_slice(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// A boolean.
    ///
    /// # Errors
    /// [`ReadError::Truncated`]
    #[inline]
    pub fn bool(&mut self) -> Result<bool, ReadError> {
        Ok(self.take::<1>()?[0] != 0)
    }

    /// An int.
    ///
    /// # Errors
    /// [`ReadError::Truncated`]
    #[inline]
    pub fn i32(&mut self) -> Result<i32, ReadError> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    /// A long.
    ///
    /// # Errors
    /// [`ReadError::Truncated`]
    #[inline]
    pub fn i64(&mut self) -> Result<i64, ReadError> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    /// A buffer; `None` is null.
    ///
    /// # Errors
    /// [`ReadError::Truncated`], [`ReadError::BadLength`]
    #[inline]
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, ReadError> {
        let len = self.i32()?;
        match usize::try_from(len) {
            Ok(len) => self.take_slice(len).map(Some),
            Err(_) if len == -1 => Ok(None),
            Err(_) => Err(ReadError::BadLength(len)),
        }
    }

    /// A string; `None` is null. Invalid UTF-8 becomes U+FFFD, which only then allocates (at most three times the
    /// string's bytes).
    ///
    /// # Errors
    /// [`ReadError::Truncated`], [`ReadError::BadLength`]
    #[inline]
    pub fn string(&mut self) -> Result<Option<Cow<'a, str>>, ReadError> {
        Ok(self.buffer()?.map(utf8::decode))
    }

    /// A string that may not be null.
    ///
    /// # Errors
    /// Those of [`Reader::string`], and [`ReadError::Null`].
    #[inline]
    pub fn required_string(&mut self) -> Result<Cow<'a, str>, ReadError> {
        self.string()?.ok_or(ReadError::Null)
    }

    /// Passes over a string or buffer; tells whether it was there (not null).
    ///
    /// # Errors
    /// Those of [`Reader::buffer`].
    #[inline]
    pub fn skip_buffer(&mut self) -> Result<bool, ReadError> {
        Ok(self.buffer()?.is_some())
    }

    /// The count of a vector whose elements take at least `min_len` bytes each; `None` is null. A count for which the
    /// rest of the bytes cannot suffice is refused here, before anyone allocates for it.
    ///
    /// # Errors
    /// [`ReadError::Truncated`]
    #[inline]
    pub fn count(&mut self, min_len: usize) -> Result<Option<usize>, ReadError> {
        let count = self.i32()?;
        if count == -1 {
            return Ok(None);
        }
        // ZooKeeper reads "while the count is above 0": other negative counts make an empty vector.
        let count = usize::try_from(count).unwrap_or(0);
        if count > self.rest.len() / min_len.max(1) { Err(ReadError::Truncated) } else { Ok(Some(count)) }
    }

    /// A [`Stat`].
    ///
    /// # Errors
    /// [`ReadError::Truncated`]
    #[inline]
    pub fn stat(&mut self) -> Result<Stat, ReadError> {
        if self.rest.len() < STAT_LEN {
            return Err(ReadError::Truncated);
        }
        Ok(Stat {
            czxid: self.i64()?,
            mzxid: self.i64()?,
            ctime: self.i64()?,
            mtime: self.i64()?,
            version: self.i32()?,
            cversion: self.i32()?,
            aversion: self.i32()?,
            ephemeral_owner: self.i64()?,
            data_length: self.i32()?,
            num_children: self.i32()?,
            pzxid: self.i64()?,
        })
    }
}

/// Appends primitive types to a byte vector.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    /// Appends to `out`.
    #[inline]
    pub const fn new(out: &'o mut Vec<u8>) -> Writer<'o> {
        Writer { out }
    }

    /// Bytes in the vector, those before this writer included.
    #[must_use]
    #[inline]
    pub const fn position(&self) -> usize {
        self.out.len()
    }

    /// A boolean.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    /// An int.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// A long.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// A length or count.
    ///
    /// # Panics
    /// At 2 GiB and above: everything with a length came in a frame, and frames are far shorter.
    #[inline]
    pub fn len(&mut self, len: usize) {
        self.i32(i32::try_from(len).expect("a field or vector is far below 2 GiB"));
    }

    /// Bytes as they are: a record that is already encoded.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A buffer; `None` is null.
    #[inline]
    pub fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.i32(-1),
            Some(bytes) => {
                self.len(bytes.len());
                self.out.extend_from_slice(bytes);
            }
        }
    }

    /// A string.
    #[inline]
    pub fn string(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    /// A string; `None` is null.
    #[inline]
    pub fn nullable_string(&mut self, value: Option<&str>) {
        self.buffer(value.map(str::as_bytes));
    }

    /// A [`Stat`].
    pub fn stat(&mut self, stat: &Stat) {
        // Laid out first, so that the vector grows once.
        let mut bytes = [0; STAT_LEN];
        let longs = [
            (0, stat.czxid),
            (8, stat.mzxid),
            (16, stat.ctime),
            (24, stat.mtime),
            (44, stat.ephemeral_owner),
            (60, stat.pzxid),
        ];
        let ints = [
            (32, stat.version),
            (36, stat.cversion),
            (40, stat.aversion),
            (52, stat.data_length),
            (56, stat.num_children),
        ];
        for (at, value) in longs {
            bytes[at..at + 8].copy_from_slice(&value.to_be_bytes());
        }
        for (at, value) in ints {
            bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        self.out.extend_from_slice(&bytes);
    }

    /// Overwrites the long at `position` of the vector.
    ///
    /// # Panics
    /// If no long was written there.
    pub fn patch_i64(&mut self, position: usize, value: i64) {
        self.out[position..position + 8].copy_from_slice(&value.to_be_bytes());
    }

    /// Takes back what was written from `position` on.
    pub fn truncate(&mut self, position: usize) {
        self.out.truncate(position);
    }

    /// Overwrites the int at `position` of the vector.
    ///
    /// # Panics
    /// If no int was written there.
    pub fn patch_i32(&mut self, position: usize, value: i32) {
        self.out[position..position + 4].copy_from_slice(&value.to_be_bytes());
    }
}
