//! The body of a request, as it comes.

use super::http::Request;
use super::wire::Wire;
use std::io::{self, Read, Write};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// See the module.
pub(super) struct Upload<'a> {
    wire: &'a mut Wire,
    /// What came with the head.
    begun: Vec<u8>,
    length: Option<u64>,
    expects_continue: bool,
}

impl<'a> Upload<'a> {
    pub(super) fn new(wire: &'a mut Wire, request: &Request, begun: Vec<u8>) -> Upload<'a> {
        Upload { wire, begun, length: request.length, expects_continue: request.expects_continue }
    }

    /// Bytes of the whole, if that was told.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Writes all of it somewhere.
    ///
    /// # Errors
    /// Of the connection, also if it is closed before the end, and of where it is written to.
    pub(super) fn save(&mut self, to: &mut impl Write) -> io::Result<()> {
        let mut left = self.length.unwrap_or(0);
        if self.expects_continue {
            self.wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            self.wire.flush()?;
        }
        let begun = std::mem::take(&mut self.begun);
        let here = begun.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        to.write_all(&begun[..here])?;
        left -= here as u64;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = self.wire.read(&mut piece[..most])?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed before the end"));
            }
            to.write_all(&piece[..read])?;
            left -= read as u64;
        }
        Ok(())
    }
}
