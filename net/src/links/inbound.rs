//! Cuts messages out of what a link received. Pure: bytes in, messages out.
//!
//! A whole message is handed out from the shared receive buffer; its tail is copied once, into memory of its own that is
//! aligned for frames. Of a message that is not whole yet, envelope and head are kept, and the tail grows as its bytes
//! arrive: nothing is allocated because a length says so. The larger part of a long tail is received right into it.

use crate::links::envelope::{ENVELOPE_BYTES, Envelope, tail_sum};
use crate::links::fault::LinkFault;
use crc32c::crc32c_append;
use ringkeeper_core::frame::FrameBuf;
use std::mem::MaybeUninit;

/// A tail that misses at least so much is received right into its memory.
const DIRECT_BYTES: usize = 32 << 10;
/// First step in which the memory of a tail grows; then it doubles.
const STEP_BYTES: usize = 256 << 10;
/// Capacity that is kept for the next message that comes in pieces.
const KEPT_BYTES: usize = 16 << 10;

/// One message.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) tail: Option<FrameBuf>,
}

/// One link's place in its byte stream.
#[derive(Default)]
pub(crate) struct Inbound {
    /// Envelope and head of the message that has begun to arrive, as far as they are there.
    front: Vec<u8>,
    /// `front` has been handed out.
    done: bool,
    /// Length of the tail that is arriving; 0 while the front is not whole.
    want: usize,
    tail: FrameBuf,
    /// Of `tail`.
    crc: u32,
}

impl Inbound {
    /// The next whole message of `chunk`, which follows everything that was fed before. When there is none, the chunk is
    /// used up.
    pub(crate) fn next<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Result<Option<Message<'a>>, LinkFault> {
        if std::mem::take(&mut self.done) {
            self.front.clear();
            self.front.shrink_to(KEPT_BYTES);
        }
        if self.front.is_empty()
            && let Some(bytes) = chunk.first_chunk()
        {
            let envelope = Envelope::parse(bytes)?;
            if chunk.len() - ENVELOPE_BYTES >= envelope.head_len + envelope.tail_len {
                return in_place(&envelope, chunk).map(Some);
            }
        }
        self.next_in_pieces(chunk)
    }

    /// Memory for the rest of the tail that is arriving, if that is worth a system call of its own.
    pub(crate) fn spare(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        let missing = self.want - self.tail.len();
        if missing < DIRECT_BYTES {
            return None;
        }
        if self.tail.capacity() == self.tail.len() {
            self.tail.reserve_exact(self.tail.len().max(STEP_BYTES).min(missing));
        }
        let (len, capacity) = (self.tail.len(), self.tail.capacity());
        let room = (capacity - len).min(missing);
        // SAFETY: `room` bytes behind `len` belong to the buffer, which is borrowed for as long as the slice lives.
        Some(unsafe { std::slice::from_raw_parts_mut(self.tail.as_mut_ptr().add(len).cast(), room) })
    }

    /// Notes that the first `bytes` of the last [`Inbound::spare`] are filled.
    ///
    /// # Safety
    /// They must be: they are taken for initialised.
    pub(crate) unsafe fn filled(&mut self, bytes: usize) {
        let len = self.tail.len();
        assert!(bytes <= self.tail.capacity() - len && len + bytes <= self.want, "more than there was room for");
        // SAFETY: within the capacity, and the caller promises that the bytes are initialised.
        unsafe { self.tail.set_len(len + bytes) };
        self.crc = crc32c_append(self.crc, &self.tail[len..]);
    }

    fn next_in_pieces(&mut self, chunk: &mut &[u8]) -> Result<Option<Message<'_>>, LinkFault> {
        self.complete_front(ENVELOPE_BYTES, chunk);
        let Some(bytes) = self.front.first_chunk() else {
            return Ok(None);
        };
        let envelope = Envelope::parse(bytes)?;
        let front_len = ENVELOPE_BYTES + envelope.head_len;
        self.complete_front(front_len, chunk);
        if self.front.len() < front_len {
            return Ok(None);
        }
        self.want = envelope.tail_len;
        self.complete_tail(chunk);
        if self.tail.len() < self.want {
            return Ok(None);
        }
        (self.want, self.done) = (0, true);
        let (tail, crc) = (std::mem::take(&mut self.tail), std::mem::take(&mut self.crc));
        let head = &self.front[ENVELOPE_BYTES..];
        envelope.check(crc, head)?;
        Ok(Some(Message { head, tail: (!tail.is_empty()).then_some(tail) }))
    }

    /// Moves bytes from the chunk until the front has `len` of them, or the chunk is used up.
    fn complete_front(&mut self, len: usize, chunk: &mut &[u8]) {
        let take = len.saturating_sub(self.front.len());
        self.front.extend_from_slice(split(chunk, take));
    }

    fn complete_tail(&mut self, chunk: &mut &[u8]) {
        let missing = self.want - self.tail.len();
        let piece = split(chunk, missing);
        if piece.len() > self.tail.capacity() - self.tail.len() {
            self.tail.reserve_exact(piece.len().max(self.tail.len()).min(missing));
        }
        self.tail.extend_from_slice(piece);
        self.crc = crc32c_append(self.crc, piece);
    }
}

fn in_place<'a>(envelope: &Envelope, chunk: &mut &'a [u8]) -> Result<Message<'a>, LinkFault> {
    split(chunk, ENVELOPE_BYTES);
    let (head, tail) = (split(chunk, envelope.head_len), split(chunk, envelope.tail_len));
    envelope.check(tail_sum(tail), head)?;
    let own = |tail: &[u8]| {
        let mut own = FrameBuf::with_capacity(tail.len());
        own.extend_from_slice(tail);
        own
    };
    Ok(Message { head, tail: (!tail.is_empty()).then(|| own(tail)) })
}

/// Takes up to `len` bytes from the front.
fn split<'a>(chunk: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (front, rest) = chunk.split_at(len.min(chunk.len()));
    *chunk = rest;
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::envelope::{MAX_HEAD, MAX_TAIL};

    type Owned = (Vec<u8>, Vec<u8>);

    fn message(head: &[u8], tail: &[u8]) -> Vec<u8> {
        [&Envelope::seal(head, tail.len(), tail_sum(tail)), head, tail].concat()
    }

    fn sample() -> (Vec<u8>, Vec<Owned>) {
        let sizes = [(0, 0), (5, 0), (0, 9), (30, 17), (3, 100), (0, 0), (1, 1)];
        let messages: Vec<Owned> = sizes.iter().map(|(h, t)| (vec![7; *h], (0..*t).collect())).collect();
        (messages.iter().flat_map(|(head, tail)| message(head, tail)).collect(), messages)
    }

    fn feed(inbound: &mut Inbound, mut chunk: &[u8], got: &mut Vec<Owned>) -> Result<(), LinkFault> {
        while let Some(message) = inbound.next(&mut chunk)? {
            got.push((message.head.to_vec(), message.tail.as_deref().unwrap_or_default().to_vec()));
            assert!(message.tail.is_none_or(|tail| tail.as_ptr().addr().is_multiple_of(16) && !tail.is_empty()));
        }
        assert!(chunk.is_empty());
        Ok(())
    }

    #[test]
    fn messages_come_out_whatever_the_cuts() {
        let (bytes, messages) = sample();
        for step in 1..=bytes.len() {
            let (mut inbound, mut got) = (Inbound::default(), Vec::new());
            for chunk in bytes.chunks(step) {
                feed(&mut inbound, chunk, &mut got).unwrap();
            }
            assert_eq!(got, messages, "chunks of {step}");
        }
    }

    #[test]
    fn a_long_tail_is_received_in_place() {
        let tail: Vec<u8> = (0..1_000_000u32).map(|n| (n / 7) as u8).collect();
        let bytes = [message(b"long", &tail), message(b"next", b"")].concat();
        let (mut inbound, mut got) = (Inbound::default(), Vec::new());
        let (mut rest, mut direct) = (&bytes[..], 0);
        while !rest.is_empty() {
            if let Some(room) = inbound.spare() {
                let n = room.len().min(40_000);
                room[..n].write_copy_of_slice(&rest[..n]);
                // SAFETY: just written.
                unsafe { inbound.filled(n) };
                feed(&mut inbound, &[], &mut got).unwrap();
                (rest, direct) = (&rest[n..], direct + n);
            } else {
                let n = rest.len().min(10_000);
                feed(&mut inbound, &rest[..n], &mut got).unwrap();
                rest = &rest[n..];
            }
        }
        assert!(direct > 900_000);
        assert_eq!(got, [(b"long".to_vec(), tail), (b"next".to_vec(), Vec::new())]);
    }

    #[test]
    fn a_length_alone_allocates_little() {
        let mut envelope = [0; ENVELOPE_BYTES];
        envelope[0..4].copy_from_slice(&(MAX_HEAD as u32).to_le_bytes());
        envelope[4..8].copy_from_slice(&(MAX_TAIL as u32).to_le_bytes());
        let mut inbound = Inbound::default();
        feed(&mut inbound, &envelope, &mut Vec::new()).unwrap();
        assert!(inbound.front.capacity() < 100 && inbound.spare().is_none());
        feed(&mut inbound, &vec![0; MAX_HEAD], &mut Vec::new()).unwrap();
        assert!(inbound.spare().is_some_and(|room| room.len() == STEP_BYTES));
    }

    #[test]
    fn a_changed_byte_is_noticed_however_it_arrives() {
        let good = message(b"head", &[9; 50]);
        for at in 0..good.len() {
            for step in [1, 13, good.len()] {
                let mut bad = good.clone();
                bad[at] ^= 0x10;
                let (mut inbound, mut got) = (Inbound::default(), Vec::new());
                let failed = bad.chunks(step).any(|chunk| feed(&mut inbound, chunk, &mut got).is_err());
                // A longer length waits for bytes that do not come.
                assert!(got.is_empty() && (failed || at < 8), "byte {at}, chunks of {step}");
            }
        }
    }
}
