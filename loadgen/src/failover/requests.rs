//! What clients ask, and whether the answer to a read is what was written.

use super::ledger::{Ledger, WriteId};
use crate::workload::create;
use ringkeeper_core::jute::{OpCode, Request, Response, append_request};
use std::borrow::Cow;

/// Stands for the number of a write where there is none.
pub const NO_WRITE: u32 = u32::MAX;

/// Appends the next write of a client; its number.
pub fn append_write(out: &mut Vec<u8>, xid: i32, client: usize, ledger: &mut Ledger) -> u32 {
    let id = ledger.begin(client);
    let (mut path, mut value) = (String::new(), Vec::new());
    ledger.path(id, &mut path);
    ledger.value(id, &mut value);
    append_request(out, xid, &create(Cow::Borrowed(&path), &value));
    id.number
}

/// Appends a read of the newest acknowledged write of a client, or of a node that is there from the beginning; the write's
/// number.
pub fn append_read(out: &mut Vec<u8>, xid: i32, client: usize, newest: Option<u32>, ledger: &Ledger) -> u32 {
    let mut path = String::new();
    let tag = match newest {
        Some(number) => {
            ledger.path(WriteId { client, number }, &mut path);
            number
        }
        None => {
            path = ledger.parent(client);
            NO_WRITE
        }
    };
    append_request(out, xid, &Request::GetData { path: Cow::Borrowed(&path), watch: false });
    tag
}

impl Ledger {
    /// Whether the reply to a read of a write's node holds what was written.
    pub fn is_found(&self, id: WriteId, err: i32, body: &[u8]) -> bool {
        let mut value = Vec::new();
        self.value(id, &mut value);
        match Response::decode(OpCode::GetData, body) {
            Ok(Response::Data { data, .. }) => err == 0 && data == Some(value.as_slice()),
            _ => false,
        }
    }
}
