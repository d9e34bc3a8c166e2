//! What a client appends to a connection's output.

use super::connect::{ConnectRequest, RequestHeader};
use super::payload::append_payload;
use super::request::Request;

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
