//! What waits to be sent on a link: pieces that go to the kernel from where they lie, many with one system call.

use crate::links::envelope::{ENVELOPE_BYTES, Envelope};
use crate::tls::Session;
use ringkeeper_core::frame::FrameBatch;
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Most pieces of one system call.
const SLICES: usize = 64;
/// Bytes after which a system call gets no further piece.
const CALL_BYTES: usize = 1 << 20;
/// Bytes after which no further piece is encrypted before these are sent.
const SEALED_BYTES: usize = 128 << 10;
/// Tails up to this are copied behind their heads: a piece of its own costs more.
const COPIED_TAIL: usize = 1 << 10;
/// An own piece that is this long gets nothing more.
const OWN_BYTES: usize = 64 << 10;

/// The bulk of a message, if it has any. None of its bytes are copied but those of very short ones.
#[derive(Clone, Debug, Default)]
pub enum Tail {
    /// No bulk.
    #[default]
    None,
    /// The frames of a batch, which may be on their way to other peers and to the log at the same time.
    Batch(Arc<FrameBatch>),
    /// Shared bytes.
    Shared(Arc<[u8]>),
    /// Bytes for this peer alone.
    Bytes(Vec<u8>),
}

impl Tail {
    /// The bytes as they are sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Tail::None => &[],
            Tail::Batch(batch) => batch.as_bytes(),
            Tail::Shared(bytes) => bytes,
            Tail::Bytes(bytes) => bytes,
        }
    }
}

enum Piece {
    /// Envelopes and heads, and short tails.
    Own(Vec<u8>),
    Tail(Tail),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Own(bytes) => bytes,
            Piece::Tail(tail) => tail.as_bytes(),
        }
    }
}

/// The unsent output of one link.
#[derive(Default)]
pub(crate) struct Outbound {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are sent.
    sent: usize,
    len: usize,
    /// The memory of a sent own piece, for the next one.
    spare: Vec<u8>,
}

impl Outbound {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Queues bytes without an envelope.
    pub(crate) fn push_raw(&mut self, bytes: &[u8]) {
        self.own().extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Queues a message; returns its length. `tail_crc` is the CRC-32C of the tail.
    pub(crate) fn push(&mut self, head: &[u8], tail: Tail, tail_crc: u32) -> usize {
        let bulk = tail.as_bytes();
        let len = ENVELOPE_BYTES + head.len() + bulk.len();
        let envelope = Envelope::seal(head, bulk.len(), tail_crc);
        let own = self.own();
        own.extend_from_slice(&envelope);
        own.extend_from_slice(head);
        if bulk.len() <= COPIED_TAIL {
            own.extend_from_slice(bulk);
        } else {
            self.pieces.push_back(Piece::Tail(tail));
        }
        self.len += len;
        len
    }

    /// Sends as much as one system call takes. Returns false if the socket has no room for more.
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (count, offered) = self.slices(&mut slices, CALL_BYTES);
        let taken = send_now(socket, &slices[..count])?;
        self.advance(taken);
        Ok(taken == offered)
    }

    /// Sends what is encrypted, or else encrypts some of what waits and sends that. Returns false if the socket has no room
    /// for more.
    pub(crate) fn send_sealed(&mut self, session: &mut Session, socket: BorrowedFd<'_>) -> io::Result<bool> {
        if !session.has_output() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let (count, sealed) = self.slices(&mut slices, SEALED_BYTES);
            session.seal_slices(&slices[..count]);
            self.advance(sealed);
        }
        send_output(session, socket)
    }

    /// What comes first, in slices of at least `enough` bytes if there are so many. Returns the number of slices and of their
    /// bytes.
    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES], enough: usize) -> (usize, usize) {
        let (mut count, mut offered, mut skip) = (0, 0, self.sent);
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            if offered >= enough {
                break;
            }
            let bytes = &piece.bytes()[std::mem::take(&mut skip)..];
            *slice = IoSlice::new(&bytes[..bytes.len().min(enough)]);
            (count, offered) = (count + 1, offered + slice.len());
            if slice.len() < bytes.len() {
                break;
            }
        }
        (count, offered)
    }

    /// Forgets the first `bytes` bytes.
    fn advance(&mut self, bytes: usize) {
        self.len -= bytes;
        self.sent += bytes;
        while let Some(first) = self.pieces.front()
            && self.sent >= first.bytes().len()
        {
            self.sent -= first.bytes().len();
            if let Some(Piece::Own(mut memory)) = self.pieces.pop_front()
                && memory.capacity() <= 2 * OWN_BYTES
            {
                memory.clear();
                self.spare = memory;
            }
        }
    }

    /// The last piece, if it can take more, or a new one.
    fn own(&mut self) -> &mut Vec<u8> {
        let fits = matches!(self.pieces.back(), Some(Piece::Own(bytes)) if bytes.len() < OWN_BYTES);
        if !fits {
            self.pieces.push_back(Piece::Own(std::mem::take(&mut self.spare)));
        }
        match self.pieces.back_mut() {
            Some(Piece::Own(bytes)) => bytes,
            _ => unreachable!("the last piece is an own one"),
        }
    }
}

/// Sends what is encrypted. Returns false if the socket has no room for more.
pub(crate) fn send_output(session: &mut Session, socket: BorrowedFd<'_>) -> io::Result<bool> {
    while session.has_output() {
        if session.send(&mut NonBlocking(socket))? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What TLS sends to.
struct NonBlocking<'a>(BorrowedFd<'a>);

impl Write for NonBlocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send_now(self.0, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send_now(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One non-blocking `sendmsg`: the number of bytes that the kernel took, 0 if it has no room.
fn send_now(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    loop {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        match SockRef::from(&socket).send_vectored_with_flags(slices, flags) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::envelope::tail_sum;
    use crate::links::inbound::Inbound;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn everything_arrives_in_order_through_a_narrow_pipe() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let (mut outbound, mut inbound) = (Outbound::default(), Inbound::default());
        let tail = |n: usize| vec![n as u8; n * n * 97];
        let count = 100;
        for n in 0..count {
            let tail = match n % 3 {
                0 => Tail::Bytes(tail(n)),
                1 => Tail::Shared(tail(n).into()),
                _ => Tail::None,
            };
            let crc = tail_sum(tail.as_bytes());
            outbound.push(&vec![n as u8; n * 2000], tail, crc);
        }
        let (mut got, mut buffer) = (0, vec![0; 50_000]);
        while got < count {
            while outbound.len() > 0 && outbound.send(ours.as_fd()).unwrap() {}
            let received = theirs.read(&mut buffer).unwrap();
            let mut chunk = &buffer[..received];
            while let Some(message) = inbound.next(&mut chunk).unwrap() {
                let expected = if got % 3 == 2 { Vec::new() } else { tail(got) };
                assert_eq!(message.head, vec![got as u8; got * 2000]);
                assert_eq!(message.tail.as_deref().unwrap_or_default(), expected);
                got += 1;
            }
        }
        assert_eq!((outbound.len(), outbound.pieces.len(), outbound.sent), (0, 0, 0));
    }
}
