//! Reading what ZooKeeper's archives write: big-endian integers, strings and buffers with their length before them.
//!
//! Source: `BinaryInputArchive`.

use crate::error::FileError;
use ringkeeper_core::acl::Acl;
use simd_adler32::Adler32;
use std::io::{self, BufRead, Read};

/// Vectors are made this large before their elements are there to show that they are really so long.
const TRUSTED_ELEMENTS: usize = 64;

/// A stream with a place and a checksum of all that was read of it.
pub(crate) struct Input<R> {
    from: R,
    file: String,
    at: u64,
    adler: Adler32,
}

impl<R: BufRead> Input<R> {
    /// `at` is where in `file` the stream begins.
    pub fn new(from: R, file: &str, at: u64) -> Input<R> {
        Input { from, file: file.to_owned(), at, adler: Adler32::new() }
    }

    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// Adler-32 of everything so far.
    pub fn sum(&self) -> Adler32 {
        self.adler.clone()
    }

    pub fn damaged(&self, what: impl Into<String>) -> FileError {
        self.damaged_at(self.at, what)
    }

    pub fn damaged_at(&self, offset: u64, what: impl Into<String>) -> FileError {
        FileError::Damaged { file: self.file.clone(), offset, what: what.into() }
    }

    fn failed(&self, source: io::Error) -> FileError {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("the file ends in the middle of something"),
            // What a decompressor makes of bad bytes.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                self.damaged(format!("does not decompress: {source}"))
            }
            _ => FileError::Io { file: self.file.clone(), source },
        }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|source| self.failed(source))?;
        self.took(&bytes);
        Ok(bytes)
    }

    fn took(&mut self, bytes: &[u8]) {
        self.at += bytes.len() as u64;
        self.adler.write(bytes);
    }

    /// At most `len` bytes: fewer if the stream ends before. Memory is taken only for what is there.
    pub fn up_to(&mut self, len: u64) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        self.from.by_ref().take(len).read_to_end(&mut bytes).map_err(|source| self.failed(source))?;
        self.took(&bytes);
        Ok(bytes)
    }

    fn bytes(&mut self, len: usize) -> Result<Vec<u8>, FileError> {
        let start = self.at;
        let bytes = self.up_to(len as u64)?;
        if bytes.len() < len {
            return Err(self.damaged_at(start, format!("{len} bytes should follow, {} do", bytes.len())));
        }
        Ok(bytes)
    }

    pub fn bool(&mut self) -> Result<bool, FileError> {
        self.array().map(|[byte]| byte != 0)
    }

    pub fn int(&mut self) -> Result<i32, FileError> {
        self.array().map(i32::from_be_bytes)
    }

    pub fn long(&mut self) -> Result<i64, FileError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A length or a count; -1 stands for null.
    fn len(&mut self) -> Result<Option<usize>, FileError> {
        let start = self.at;
        match self.int()? {
            -1 => Ok(None),
            len => usize::try_from(len).map(Some).map_err(|_| self.damaged_at(start, format!("the length {len}"))),
        }
    }

    pub fn buffer(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        self.len()?.map(|len| self.bytes(len)).transpose()
    }

    /// Null reads as empty, as nobody writes a null string.
    pub fn string(&mut self) -> Result<String, FileError> {
        let start = self.at;
        let bytes = self.buffer()?.unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| self.damaged_at(start, "a string that is not UTF-8"))
    }

    pub fn vector<T>(
        &mut self,
        mut element: impl FnMut(&mut Input<R>) -> Result<T, FileError>,
    ) -> Result<Option<Vec<T>>, FileError> {
        let Some(count) = self.len()? else { return Ok(None) };
        let mut elements = Vec::with_capacity(count.min(TRUSTED_ELEMENTS));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// An access control list; `None` for null.
    pub fn acl(&mut self) -> Result<Option<Vec<Acl>>, FileError> {
        self.vector(|input| {
            let perms = input.int()?;
            let (scheme, id) = (input.string()?, input.string()?);
            Ok(Acl::new(perms, &scheme, &id))
        })
    }
}
