//! What a server appends to a connection's output.

use super::connect::{ConnectResponse, ReplyHeader, WatcherEvent};
use super::list::Item;
use super::multi::{self, MultiResult};
use super::payload::{PREFIX_LEN, append_payload};
use super::primitive::Writer;
use super::response::Response;
use crate::error_code::ErrorCode;
use crate::stat::Stat;
use std::borrow::Cow;

/// One reply under construction at the end of a connection's output. Dropped unfinished, it leaves no trace.
///
/// ```
/// # use ringkeeper_core::{error_code::ErrorCode, jute::{ReplyFrame, Response}, stat::Stat};
/// let mut out = Vec::new();
/// let mut reply = ReplyFrame::begin(&mut out, 7);
/// reply.body(&Response::Stat(Stat::default()));
/// reply.finish(42, ErrorCode::Ok);
/// assert_eq!(out.len(), 4 + 16 + 68);
/// ```
#[derive(Debug)]
pub struct ReplyFrame<'o> {
    writer: Writer<'o>,
    start: usize,
    finished: bool,
}

impl<'o> ReplyFrame<'o> {
    /// Starts the reply to request `xid`.
    pub fn begin(out: &'o mut Vec<u8>, xid: i32) -> ReplyFrame<'o> {
        let start = out.len();
        let mut writer = Writer::new(out);
        writer.i32(0);
        ReplyHeader { xid, zxid: 0, err: 0 }.encode(&mut writer);
        ReplyFrame { writer, start, finished: false }
    }

    /// Appends a body, or a part of one.
    pub fn body(&mut self, body: &Response<'_>) {
        body.encode(&mut self.writer);
    }

    /// Appends a path, or any string.
    pub fn string(&mut self, value: &str) {
        self.writer.string(value);
    }

    /// Appends a stat.
    pub fn stat(&mut self, stat: &Stat) {
        self.writer.stat(stat);
    }

    /// Appends data and stat: the body of getData.
    pub fn data(&mut self, data: Option<&[u8]>, stat: &Stat) {
        self.writer.buffer(data);
        self.writer.stat(stat);
    }

    /// Appends a vector of strings (children) of not yet known number.
    pub fn strings<'s>(&mut self, strings: impl IntoIterator<Item = &'s str>) {
        self.vector(strings.into_iter().map(Cow::Borrowed));
    }

    /// Appends a vector (an ACL, identities) of not yet known number.
    pub fn vector<'s, T: Item<'s>>(&mut self, items: impl IntoIterator<Item = T>) {
        let at = self.writer.position();
        self.writer.i32(0);
        let mut count = 0;
        for item in items {
            item.write(&mut self.writer);
            count += 1;
        }
        self.writer.patch_i32(at, count);
    }

    /// Appends one result of a multi; after the last one comes [`ReplyFrame::multi_end`].
    pub fn multi_result(&mut self, result: &MultiResult<'_>) {
        result.write(&mut self.writer);
    }

    /// Closes the results of a multi.
    pub fn multi_end(&mut self) {
        multi::write_end(&mut self.writer);
    }

    /// Appends the results of a multi that failed at operation `failed` of `count`.
    pub fn multi_failed(&mut self, count: usize, failed: usize, code: ErrorCode) {
        for i in 0..count {
            let code = match i.cmp(&failed) {
                core::cmp::Ordering::Less => ErrorCode::Ok,
                core::cmp::Ordering::Equal => code,
                core::cmp::Ordering::Greater => ErrorCode::RuntimeInconsistency,
            };
            self.multi_result(&MultiResult::Error(code.wire()));
        }
        self.multi_end();
    }

    /// Completes length and header. A reply that exceeds what a length can say (2 GiB) turns into the bare error
    /// `SystemError`.
    pub fn finish(mut self, zxid: i64, err: ErrorCode) {
        self.finished = true;
        let ReplyFrame { writer, start, .. } = &mut self;
        let start = *start;
        let mut err = err.wire();
        let mut len = writer.position() - start - PREFIX_LEN;
        if i32::try_from(len).is_err() {
            len = ReplyHeader::LEN;
            err = ErrorCode::SystemError.wire();
            writer.truncate(start + PREFIX_LEN + len);
        }
        writer.patch_i32(start, len as i32);
        writer.patch_i64(start + 8, zxid);
        writer.patch_i32(start + 16, err);
    }

    /// Appends a whole reply that is only a header: an error, or success without a body.
    pub fn bare(out: &mut Vec<u8>, xid: i32, zxid: i64, err: ErrorCode) {
        append_payload(out, |w| ReplyHeader { xid, zxid, err: err.wire() }.encode(w));
    }
}

impl Drop for ReplyFrame<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.writer.truncate(self.start);
        }
    }
}

/// Appends a notification. `kind` is a constant of [`WatcherEvent`]; `zxid` that of the transaction that caused it, or
/// -1 for an event that answers setWatches.
pub fn append_notification(out: &mut Vec<u8>, zxid: i64, kind: i32, path: &str) {
    append_payload(out, |w| {
        ReplyHeader { xid: ReplyHeader::NOTIFICATION, zxid, err: 0 }.encode(w);
        WatcherEvent { kind, state: WatcherEvent::SYNC_CONNECTED, path: Cow::Borrowed(path) }.encode(w);
    });
}

/// Appends the answer to a connect request.
pub fn append_connect_response(out: &mut Vec<u8>, response: &ConnectResponse<'_>) {
    append_payload(out, |w| response.encode(w));
}
