//! Cuts length-prefixed frames out of what a connection received. Pure: bytes in, frames out.
//!
//! A frame is a big-endian `i32` payload length and the payload. Whole frames are handed out in place, from the shared
//! receive buffer; only what is not whole yet (or not wanted yet) is copied into the connection's own memory, which is
//! given back as soon as it is used up. So a quiet connection owns no buffer.
//!
//! The first four bytes of a connection are special (ZooKeeper's `NIOServerCnxn.readLength`): they may be a four-letter
//! word of the operator instead of a length.

use thiserror::Error;

/// Bytes of the length prefix.
const PREFIX: usize = 4;
/// What a telnet client sends on interrupt: IAC IP IAC DM without its last byte.
const TELNET_INTERRUPT: [u8; PREFIX] = [0xFF, 0xF4, 0xFF, 0xFD];

/// What a connection may send; the same for all connections of a port.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Longest accepted payload, bytes (`jute.maxbuffer`).
    pub max_frame: u32,
    /// The words that are recognised as the first four bytes.
    pub words: Box<[Word]>,
}

/// A four-letter word of the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    /// As it is sent.
    pub name: [u8; PREFIX],
    /// Bytes that belong to it and follow it.
    pub argument_bytes: usize,
}

/// Why a connection is closed without a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Fault {
    /// The length is over [`Rules::max_frame`].
    #[error("frame of {0} bytes is over the limit")]
    TooLong(u32),
    /// The length is below zero.
    #[error("negative frame length {0}")]
    Negative(i32),
    /// Somebody pressed ^C in telnet.
    #[error("telnet interrupt")]
    Interrupt,
}

/// How cutting ended for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing special: go on reading.
    More,
    /// The connection began with this word; its argument, and whatever else came, is in [`Framer::held`].
    Word([u8; PREFIX]),
    /// The connection has to be closed.
    Fault(Fault),
}

/// One connection's place in its byte stream.
#[derive(Debug, Default)]
pub struct Framer {
    /// Bytes received and not handed out: at most one incomplete frame, unless the consumer stopped early.
    held: Vec<u8>,
    /// Bytes of `held` that have been handed out.
    start: usize,
    /// The first four bytes have been judged.
    begun: bool,
}

impl Framer {
    /// Starts to cut the frames out of `chunk`, which follows everything that was fed before.
    pub fn feed<'a>(&'a mut self, rules: &'a Rules, chunk: &'a [u8]) -> Frames<'a> {
        Frames { framer: self, rules, chunk, outcome: Outcome::More }
    }

    /// Bytes received and not yet handed out.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        &self.held[self.start..]
    }

    /// Bytes missing from the frame that has begun to arrive; 0 if none has. Only the prefix, if that is missing.
    #[must_use]
    pub fn missing(&self) -> usize {
        let have = self.held();
        match have.first_chunk::<PREFIX>() {
            None if have.is_empty() => 0,
            None => PREFIX - have.len(),
            Some(prefix) => (PREFIX + i32::from_be_bytes(*prefix).max(0) as usize).saturating_sub(have.len()),
        }
    }

    /// Drops what has been handed out, and the memory if nothing is left.
    fn release(&mut self) {
        if self.start == self.held.len() {
            self.held = Vec::new();
        } else {
            self.held.drain(..self.start);
        }
        self.start = 0;
    }
}

/// The frames of one chunk. The consumer may stop at any frame: [`Frames::finish`] keeps the rest.
#[derive(Debug)]
pub struct Frames<'a> {
    framer: &'a mut Framer,
    rules: &'a Rules,
    chunk: &'a [u8],
    outcome: Outcome,
}

impl Frames<'_> {
    /// The payload of the next whole frame. `None` when there is none, now or (see [`Frames::finish`]) ever.
    #[allow(clippy::should_implement_trait, reason = "lends from itself, which Iterator cannot")]
    pub fn next(&mut self) -> Option<&[u8]> {
        if self.outcome != Outcome::More {
            return None;
        }
        if self.framer.held().is_empty() { self.next_in_place() } else { self.next_held() }
    }

    /// Ends the pass: keeps what was not handed out, and tells how it goes on.
    pub fn finish(self) -> Outcome {
        let framer = self.framer;
        if framer.start > 0 {
            framer.release();
        }
        if !self.chunk.is_empty() {
            framer.held.extend_from_slice(self.chunk);
        }
        self.outcome
    }

    fn next_in_place(&mut self) -> Option<&[u8]> {
        let len = match self.judge(self.chunk)? {
            Judged::Frame(len) => len,
            Judged::End => {
                self.chunk = &self.chunk[PREFIX..];
                return None;
            }
        };
        if self.chunk.len() - PREFIX < len {
            return None;
        }
        let (frame, rest) = self.chunk[PREFIX..].split_at(len);
        self.chunk = rest;
        Some(frame)
    }

    /// The frame at the front of `held`, completed from the chunk as far as it goes.
    fn next_held(&mut self) -> Option<&[u8]> {
        self.complete(PREFIX);
        if !self.framer.begun {
            // A word may want all there is.
            self.complete(usize::MAX);
        }
        let held = std::mem::take(&mut self.framer.held);
        let judged = self.judge(&held[self.framer.start..]);
        self.framer.held = held;
        let len = match judged? {
            Judged::Frame(len) => len,
            Judged::End => {
                self.framer.start += PREFIX;
                return None;
            }
        };
        self.complete(PREFIX + len);
        if self.framer.held().len() < PREFIX + len {
            return None;
        }
        let at = self.framer.start + PREFIX;
        self.framer.start = at + len;
        Some(&self.framer.held[at..at + len])
    }

    /// Moves bytes from the chunk until `held` has `want` of them, or the chunk is used up.
    fn complete(&mut self, want: usize) {
        let take = want.saturating_sub(self.framer.held().len()).min(self.chunk.len());
        let (front, rest) = self.chunk.split_at(take);
        self.framer.held.extend_from_slice(front);
        self.chunk = rest;
    }

    /// What the bytes at the front are; `None` if too few are there to tell.
    fn judge(&mut self, bytes: &[u8]) -> Option<Judged> {
        let (prefix, rest) = bytes.split_first_chunk::<PREFIX>()?;
        if !self.framer.begun {
            let word = self.rules.words.iter().find(|word| word.name == *prefix);
            self.outcome = match word {
                Some(word) if rest.len() < word.argument_bytes => return None,
                Some(word) => Outcome::Word(word.name),
                None if *prefix == TELNET_INTERRUPT => Outcome::Fault(Fault::Interrupt),
                None => Outcome::More,
            };
            self.framer.begun = true;
        }
        let len = i32::from_be_bytes(*prefix);
        if self.outcome == Outcome::More {
            self.outcome = match u32::try_from(len) {
                Err(_) => Outcome::Fault(Fault::Negative(len)),
                Ok(len) if len > self.rules.max_frame => Outcome::Fault(Fault::TooLong(len)),
                Ok(len) => return Some(Judged::Frame(len as usize)),
            };
        }
        Some(Judged::End)
    }
}

/// What a prefix turned out to be.
enum Judged {
    /// The length of a payload.
    Frame(usize),
    /// Something that ends the framing; the outcome says what.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules { max_frame: 100, words: Box::new([word(b"ruok", 0), word(b"stmk", 8)]) }
    }

    fn word(name: &[u8; 4], argument_bytes: usize) -> Word {
        Word { name: *name, argument_bytes }
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Feeds `chunk`, takes at most `limit` frames.
    fn take(framer: &mut Framer, chunk: &[u8], limit: usize) -> (Vec<Vec<u8>>, Outcome) {
        let rules = rules();
        let mut frames = framer.feed(&rules, chunk);
        let mut got = Vec::new();
        while got.len() < limit {
            match frames.next() {
                Some(frame) => got.push(frame.to_vec()),
                None => break,
            }
        }
        (got, frames.finish())
    }

    fn sample() -> (Vec<u8>, Vec<Vec<u8>>) {
        let payloads: Vec<Vec<u8>> = [0usize, 1, 44, 3, 100, 0, 7].iter().map(|n| vec![*n as u8; *n]).collect();
        (payloads.iter().flat_map(|p| frame(p)).collect(), payloads)
    }

    #[test]
    fn frames_come_out_whatever_the_cuts() {
        let (bytes, payloads) = sample();
        for step in 1..bytes.len() + 1 {
            let mut framer = Framer::default();
            let mut got = Vec::new();
            for chunk in bytes.chunks(step) {
                let (frames, outcome) = take(&mut framer, chunk, usize::MAX);
                assert_eq!(outcome, Outcome::More);
                got.extend(frames);
            }
            assert_eq!(got, payloads, "chunks of {step}");
            assert_eq!((framer.held.capacity(), framer.missing()), (0, 0), "a quiet connection owns no buffer");
        }
    }

    #[test]
    fn a_consumer_may_stop_at_any_frame() {
        let (bytes, payloads) = sample();
        for step in 1..bytes.len() + 1 {
            for limit in 1..payloads.len() {
                let mut framer = Framer::default();
                let mut got = Vec::new();
                for chunk in bytes.chunks(step) {
                    got.extend(take(&mut framer, chunk, limit).0);
                }
                while got.len() < payloads.len() {
                    got.extend(take(&mut framer, &[], limit).0);
                }
                assert_eq!(got, payloads, "chunks of {step}, {limit} at a time");
                assert_eq!(framer.held().len(), 0);
            }
        }
    }

    #[test]
    fn length_limits() {
        let judge = |len: i32| take(&mut Framer::default(), &len.to_be_bytes(), 1).1;
        assert_eq!(judge(100), Outcome::More);
        assert_eq!(judge(101), Outcome::Fault(Fault::TooLong(101)));
        assert_eq!(judge(-1), Outcome::Fault(Fault::Negative(-1)));
        assert_eq!(judge(i32::MIN), Outcome::Fault(Fault::Negative(i32::MIN)));
        assert_eq!(judge(i32::MAX), Outcome::Fault(Fault::TooLong(i32::MAX as u32)));
    }

    #[test]
    fn after_a_fault_nothing_comes_out() {
        let mut bytes = frame(b"good");
        bytes.extend_from_slice(&101i32.to_be_bytes());
        bytes.extend_from_slice(&frame(b"bad"));
        let (got, outcome) = take(&mut Framer::default(), &bytes, usize::MAX);
        assert_eq!((got, outcome), (vec![b"good".to_vec()], Outcome::Fault(Fault::TooLong(101))));
    }

    #[test]
    fn a_word_counts_only_at_the_start() {
        for step in 1..7 {
            let mut framer = Framer::default();
            let outcome = b"ruok\n\r".chunks(step).map(|c| take(&mut framer, c, 9).1).find(|o| *o != Outcome::More);
            assert_eq!(outcome, Some(Outcome::Word(*b"ruok")), "chunks of {step}");
        }
        let mut framer = Framer::default();
        assert_eq!(take(&mut framer, b"ruok\nx", 9).1, Outcome::Word(*b"ruok"));
        assert_eq!(framer.held(), b"\nx");
        let mask = *b"stmk12345678x";
        for step in 1..mask.len() + 1 {
            let mut framer = Framer::default();
            let word = mask.chunks(step).position(|c| take(&mut framer, c, 9).1 == Outcome::Word(*b"stmk"));
            assert_eq!(word, Some(11 / step), "when the argument is whole");
            assert!(framer.held().starts_with(b"12345678"), "{:?}", framer.held());
        }
        let later = [frame(b"a"), b"ruok".to_vec()].concat();
        let ruok = u32::from_be_bytes(*b"ruok");
        assert_eq!(take(&mut Framer::default(), &later, 9).1, Outcome::Fault(Fault::TooLong(ruok)));
        assert_eq!(take(&mut Framer::default(), b"quux", 9).1, Outcome::Fault(Fault::TooLong(0x7175_7578)));
        assert_eq!(take(&mut Framer::default(), &[0xFF, 0xF4, 0xFF, 0xFD, 6], 9).1, Outcome::Fault(Fault::Interrupt));
    }

    #[test]
    fn missing_tells_what_to_read() {
        let mut framer = Framer::default();
        take(&mut framer, &[0, 0], 1);
        assert_eq!(framer.missing(), 2);
        take(&mut framer, &[0, 50, 1], 1);
        assert_eq!(framer.missing(), 49);
    }
}
