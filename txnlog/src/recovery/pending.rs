//! Transactions that wait to be known as committed while the log is read.

use ringkeeper_core::frame::{Frame, FrameBatch, FrameBuf};
use ringkeeper_core::ids::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of frames kept, and handed out, together; a larger frame goes alone.
const PIECE: usize = 256 << 10;

/// Frames in order. There are as many as the log has behind what it says to be committed: usually those of a batch or
/// two. No bound is needed, as a server that hears of no commits soon gets no transactions either.
#[derive(Default)]
pub(super) struct Pending {
    /// Never an empty one.
    pieces: VecDeque<FrameBuf>,
    /// Bytes of the first piece that are released already, a frame boundary.
    released: usize,
    /// A piece to be used again.
    spare: FrameBuf,
}

impl Pending {
    /// Keeps a frame that follows the last one.
    pub(super) fn push(&mut self, frame: &Frame<'_>) {
        let bytes = frame.as_bytes();
        match self.pieces.back_mut() {
            Some(piece) if piece.len() + bytes.len() <= PIECE => piece.extend_from_slice(bytes),
            _ => {
                let mut piece = std::mem::take(&mut self.spare);
                piece.clear();
                piece.extend_from_slice(bytes);
                self.pieces.push_back(piece);
            }
        }
    }

    /// Gives away the frames through `committed`, up to the first error.
    pub(super) fn release<E>(
        &mut self,
        committed: Zxid,
        mut give: impl FnMut(&Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(piece) = self.pieces.front() {
            let frame = Frame::trusted(&piece[self.released..]);
            if frame.zxid() > committed {
                break;
            }
            give(&frame)?;
            self.released += frame.as_bytes().len();
            if self.released == piece.len() {
                self.spare = self.pieces.pop_front().unwrap_or_default();
                self.released = 0;
            }
        }
        Ok(())
    }

    /// What has not been released.
    pub(super) fn into_batches(mut self) -> Vec<Arc<FrameBatch>> {
        if self.released > 0
            && let Some(first) = self.pieces.front_mut()
        {
            let mut rest = FrameBuf::new();
            rest.extend_from_slice(&first[self.released..]);
            *first = rest;
        }
        self.pieces.into_iter().map(|piece| Arc::new(FrameBatch::new(piece))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::batch;

    /// Takes what is released as a list.
    fn release(pending: &mut Pending, committed: u64) -> Vec<u64> {
        let mut given = Vec::new();
        let done: Result<(), ()> = pending.release(Zxid(committed), |frame| {
            given.push(frame.zxid().0);
            Ok(())
        });
        assert_eq!(done, Ok(()));
        given
    }

    #[test]
    fn what_is_not_released_is_left_in_pieces() {
        let mut pending = Pending::default();
        let frames = batch(0, &[100_000, 100_000, 100_000, 300_000, 10, 10]);
        frames.frames().for_each(|frame| pending.push(&frame));
        assert!(release(&mut pending, 0).is_empty());
        assert_eq!(release(&mut pending, 1), [1]);
        let pieces = pending.into_batches();
        let ranges: Vec<_> = pieces.iter().map(|b| (b.prev().0, b.last().0)).collect();
        assert_eq!(ranges, [(1, 2), (2, 3), (3, 4), (4, 6)]);
    }

    #[test]
    fn a_piece_is_used_again() {
        let mut pending = Pending::default();
        for round in 0..10 {
            let frames = batch(3 * round, &[10, 20, 30]);
            frames.frames().for_each(|frame| pending.push(&frame));
            let last = frames.last().0;
            let expected: Vec<u64> = ((3 * round).max(1)..last).collect();
            assert_eq!(release(&mut pending, last - 1), expected, "all but the last one");
        }
        assert_eq!(pending.into_batches().len(), 1);
    }

    #[test]
    fn an_error_ends_it() {
        let mut pending = Pending::default();
        batch(0, &[10, 20, 30]).frames().for_each(|frame| pending.push(&frame));
        let mut left = 1;
        let given = pending.release(Zxid(3), |_| {
            left -= 1;
            if left < 0 { Err("no") } else { Ok(()) }
        });
        assert_eq!(given, Err("no"));
        assert_eq!(release(&mut pending, 3), [2, 3]);
    }
}
