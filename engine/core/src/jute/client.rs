//! What a client appends to a connection's output.

use super::connect::{ConnectRequest, RequestHeader};
use super::payload::append_payload;
use super::request::Request;
use crate::exchange::RESTORE;

/// Appends the connect request that opens a connection.
pub fn append_connect_request(out: &mut Vec<u8>, request: &ConnectRequest<'_>) {
    append_payload(out, |w| request.encode(w));
}

/// Appends a request.
pub fn append_request(out: &mut Vec<u8>, xid: i32, request: &Request<'_>) {
    append_payload(out, |w| {
        RequestHeader { xid, op: request.op().wire() }.encode(w);
        request.encode(w);
    });
}

/// Appends the request that the tree be replaced by the snapshot that lies in the children of a node, see [`RESTORE`].
pub fn append_restore_request(out: &mut Vec<u8>, xid: i32, path: &str) {
    append_payload(out, |w| {
        RequestHeader { xid, op: RESTORE }.encode(w);
        w.string(path);
    });
}
