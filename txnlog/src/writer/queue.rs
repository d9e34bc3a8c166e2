//! Frames that wait to be written.

use super::op::Part;
use ringkeeper_core::frame::{Frame, FrameBatch};
use ringkeeper_core::ids::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;

/// Appended batches in order; the first may be partly taken.
#[derive(Default)]
pub(crate) struct Queue {
    batches: VecDeque<Arc<FrameBatch>>,
    /// Bytes of the first batch that are taken already, a frame boundary.
    taken: usize,
    /// Frames that these bytes hold.
    taken_frames: u32,
    bytes: usize,
}

/// What one write takes from the queue.
pub(crate) struct Taken {
    pub(crate) parts: Vec<Part>,
    pub(crate) bytes: usize,
    pub(crate) frames: u32,
    pub(crate) last: Zxid,
}

impl Queue {
    pub(crate) fn push(&mut self, batch: Arc<FrameBatch>) {
        self.bytes += batch.as_bytes().len();
        self.batches.push_back(batch);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Bytes of frames that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Length of the first frame, the least that a write must have room for; 0 if nothing waits.
    pub(crate) fn first_len(&self) -> usize {
        self.rest_of_first().next().map_or(0, |f| f.as_bytes().len())
    }

    /// The frames of the first batch that are not taken yet.
    fn rest_of_first(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut rest = self.batches.front().map_or(&[][..], |b| &b.as_bytes()[self.taken..]);
        std::iter::from_fn(move || {
            let frame = (!rest.is_empty()).then(|| Frame::trusted(rest))?;
            rest = &rest[frame.as_bytes().len()..];
            Some(frame)
        })
    }

    /// Takes frames of up to `room` bytes together, at least one.
    ///
    /// # Panics
    /// If nothing waits.
    pub(crate) fn take(&mut self, room: usize) -> Taken {
        let first = self.rest_of_first().next().expect("take() is called when something waits").zxid();
        let mut taken = Taken { parts: Vec::new(), bytes: 0, frames: 0, last: first };
        while !self.batches.is_empty() && (taken.bytes < room || taken.frames == 0) {
            if !self.take_from_first(room, &mut taken) {
                break;
            }
        }
        self.bytes -= taken.bytes;
        taken
    }

    /// Moves frames of the first batch; false if not all of them had room.
    fn take_from_first(&mut self, room: usize, taken: &mut Taken) -> bool {
        let batch = Arc::clone(&self.batches[0]);
        let rest = batch.as_bytes().len() - self.taken;
        let (mut bytes, mut frames, mut last) = (rest, batch.count() - self.taken_frames, batch.last());
        let whole = taken.bytes + rest <= room;
        if !whole {
            (bytes, frames) = (0, 0);
            for frame in self.rest_of_first() {
                let len = frame.as_bytes().len();
                if taken.bytes + bytes + len > room && taken.frames + frames > 0 {
                    break;
                }
                bytes += len;
                frames += 1;
                last = frame.zxid();
            }
        }
        if frames == 0 {
            return false;
        }
        taken.parts.push(Part { batch, range: self.taken..self.taken + bytes });
        taken.bytes += bytes;
        taken.frames += frames;
        taken.last = last;
        if bytes == rest {
            self.batches.pop_front();
            (self.taken, self.taken_frames) = (0, 0);
            return true;
        }
        self.taken += bytes;
        self.taken_frames += frames;
        false
    }

    /// Drops everything after `to`. Only whole appended batches or whole frames are dropped, never a part of a frame.
    pub(crate) fn drop_after(&mut self, to: Zxid) {
        let mut kept = Queue::default();
        while !self.batches.is_empty() {
            let next = self.take(0);
            if next.last > to {
                break;
            }
            let bytes = &next.parts[0].batch.as_bytes()[next.parts[0].range.clone()];
            let mut buf = ringkeeper_core::frame::FrameBuf::new();
            buf.extend_from_slice(bytes);
            kept.push(Arc::new(FrameBatch::new(buf)));
        }
        *self = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::batch;

    #[test]
    fn small_batches_are_taken_together_and_large_ones_apart() {
        let mut queue = Queue::default();
        for (prev, lens) in [(0, &[10, 10][..]), (2, &[10]), (3, &[1000, 10, 10])] {
            queue.push(Arc::new(batch(prev, lens)));
        }
        let one = queue.first_len();
        let taken = queue.take(3 * one);
        assert_eq!((taken.frames, taken.last), (3, Zxid(3)));
        let taken = queue.take(one);
        assert_eq!((taken.frames, taken.last), (1, Zxid(4)), "a frame larger than the cap goes alone");
        let taken = queue.take(one);
        assert_eq!((taken.frames, taken.last), (1, Zxid(5)));
        let taken = queue.take(1 << 20);
        assert_eq!((taken.frames, taken.last), (1, Zxid(6)));
        assert!(queue.is_empty());
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn the_tail_can_be_dropped_at_any_frame() {
        for to in 0..=6 {
            let mut queue = Queue::default();
            queue.push(Arc::new(batch(0, &[10, 20, 30])));
            queue.push(Arc::new(batch(3, &[10, 20, 30])));
            queue.drop_after(Zxid(to));
            let mut frames = 0;
            while !queue.is_empty() {
                frames += queue.take(1 << 20).frames;
            }
            assert_eq!(u64::from(frames), to);
        }
    }
}
