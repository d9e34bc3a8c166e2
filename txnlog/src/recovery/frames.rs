//! The frames of a batch, each checked by itself and as a link of the chain.

use crate::format::BatchHeader;
use crate::planted::{Defects, planted};
use ringkeeper_core::frame::{Frame, FrameError};
use ringkeeper_core::ids::Zxid;

/// A batch whose checksum is valid holds something that it cannot hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BadFrames {
    /// Last frame that is intact.
    pub(crate) after: Zxid,
    /// What is wrong behind it.
    pub(crate) why: String,
}

/// Walks them. The first error is also the end.
pub(crate) struct BatchFrames<'p> {
    header: BatchHeader,
    rest: &'p [u8],
    last: Zxid,
    count: u32,
    over: bool,
    /// A planted defect lets everything pass.
    trusting: bool,
}

impl<'p> BatchFrames<'p> {
    pub(crate) fn new(header: &BatchHeader, payload: &'p [u8], defects: Defects) -> BatchFrames<'p> {
        let trusting = planted!(defects, NoChecksum) || planted!(defects, ChainNotChecked);
        BatchFrames { header: *header, rest: payload, last: header.prev, count: 0, over: false, trusting }
    }

    /// The last frame so far.
    pub(crate) fn last_zxid(&self) -> Zxid {
        self.last
    }

    fn bad(&mut self, why: String) -> Option<Result<Frame<'p>, BadFrames>> {
        self.over = true;
        Some(Err(BadFrames { after: self.last, why }))
    }

    fn end(&mut self) -> Option<Result<Frame<'p>, BadFrames>> {
        let whole = self.last == self.header.last && self.count == self.header.frames;
        if self.over || whole || self.trusting {
            self.over = true;
            return None;
        }
        self.bad("the frames are not those that the header states".into())
    }
}

impl<'p> Iterator for BatchFrames<'p> {
    type Item = Result<Frame<'p>, BadFrames>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over || self.rest.is_empty() {
            return self.end();
        }
        let frame = match Frame::parse(self.rest) {
            Ok(frame) => frame,
            Err(FrameError::Checksum { .. }) if self.trusting => Frame::trusted(self.rest),
            Err(_) if self.trusting => {
                self.over = true;
                return None;
            }
            Err(e) => return self.bad(e.to_string()),
        };
        if frame.prev_zxid() != self.last && !self.trusting {
            return self.bad(format!("frame {} follows {}, not {}", frame.zxid(), frame.prev_zxid(), self.last));
        }
        self.last = frame.zxid();
        self.count += 1;
        self.rest = &self.rest[frame.as_bytes().len()..];
        Some(Ok(frame))
    }
}
