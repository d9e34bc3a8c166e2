//! Writing what ZooKeeper's archives read.
//!
//! Source: `BinaryOutputArchive`.

use ringkeeper_core::acl::Acl;
use simd_adler32::Adler32;
use std::io::{self, Write};

/// A stream with a checksum of all that was written to it.
pub(crate) struct Output<W> {
    to: W,
    at: u64,
    adler: Adler32,
}

impl<W: Write> Output<W> {
    pub fn new(to: W) -> Output<W> {
        Output { to, at: 0, adler: Adler32::new() }
    }

    #[cfg(test)]
    pub fn into_inner(self) -> W {
        self.to
    }

    /// Bytes so far.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Adler-32 of everything so far.
    pub fn checksum(&self) -> u32 {
        self.adler.finish()
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.adler.write(bytes);
        self.to.write_all(bytes)
    }

    pub fn int(&mut self, n: i32) -> io::Result<()> {
        self.bytes(&n.to_be_bytes())
    }

    pub fn long(&mut self, n: i64) -> io::Result<()> {
        self.bytes(&n.to_be_bytes())
    }

    pub fn count(&mut self, n: usize) -> io::Result<()> {
        let too_many =
            |_| io::Error::new(io::ErrorKind::InvalidInput, format!("{n} are more than the format can count"));
        self.int(i32::try_from(n).map_err(too_many)?)
    }

    pub fn buffer(&mut self, bytes: Option<&[u8]>) -> io::Result<()> {
        match bytes {
            None => self.int(-1),
            Some(bytes) => self.count(bytes.len()).and_then(|()| self.bytes(bytes)),
        }
    }

    pub fn string(&mut self, text: &str) -> io::Result<()> {
        self.buffer(Some(text.as_bytes()))
    }

    pub fn acl(&mut self, acl: &[Acl]) -> io::Result<()> {
        self.count(acl.len())?;
        for entry in acl {
            self.int(entry.perms)?;
            self.string(&entry.scheme)?;
            self.string(&entry.id)?;
        }
        Ok(())
    }
}
