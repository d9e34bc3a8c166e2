//! What several tests of this crate need.

use ringkeeper_core::frame::{FrameBatch, FrameBuf, FrameHeader, encode};
use ringkeeper_core::ids::{SessionId, Tag, WallMs, Zxid};

/// A batch of frames with bodies of these lengths, following `prev`.
pub(crate) fn batch(prev: u64, lens: &[usize]) -> FrameBatch {
    let mut buf = FrameBuf::new();
    for (i, &len) in lens.iter().enumerate() {
        let zxid = prev + i as u64 + 1;
        frame(&mut buf, zxid - 1, zxid, 0, len);
    }
    FrameBatch::new(buf)
}

/// Appends a frame whose body depends on its zxid and on `flavour`.
pub(crate) fn frame(buf: &mut FrameBuf, prev: u64, zxid: u64, flavour: u64, len: usize) {
    let header = FrameHeader {
        zxid: Zxid(zxid),
        prev_zxid: Zxid(prev),
        session: SessionId(flavour as i64),
        wall: WallMs(0),
        cxid: 0,
        txn_type: 1,
        tag: Tag::NONE,
    };
    encode(buf, &header, |out| {
        let fill = (zxid ^ flavour) as u8;
        let at = out.len();
        out.resize(at + len, fill);
    });
}
