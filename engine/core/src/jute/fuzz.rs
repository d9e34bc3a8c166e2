//! What must hold for whatever bytes arrive, as one function. The fuzzer in `engine/core/fuzz` calls it with bytes that
//! it invents, the tests call it with a committed corpus.
//!
//! The first byte tells what the others are:
//!
//! ```text
//! 0..=32        a body of the opcode of that index in `OpCode::ALL`, as request and as response
//! REQUEST       the payload of a request, header included
//! CONNECT       the payload of a connect request and of a connect response
//! EVENT         the body of a notification
//! STREAM        payloads of requests with their lengths, as on a socket
//! RECORD        choices from which records are made, encoded, decoded, and damaged
//! ```

use super::arbitrary::{Parts, Source};
use super::{
    ConnectRequest, ConnectResponse, OpCode, PREFIX_LEN, ReplyHeader, Request, RequestHeader, Response, WatcherEvent,
    Writer, first_payload,
};

/// First byte: payload of a request.
pub const REQUEST: u8 = 0x40;
/// First byte: payload of a connect exchange.
pub const CONNECT: u8 = 0x41;
/// First byte: body of a notification.
pub const EVENT: u8 = 0x42;
/// First byte: requests on a byte stream.
pub const STREAM: u8 = 0x43;
/// First byte: choices for records.
pub const RECORD: u8 = 0x80;

/// Longest payload that the stream lets through.
const MAX_PAYLOAD: usize = 1 << 20;

/// Decodes the bytes in the way that their first byte says. What decodes must survive encoding and decoding unchanged.
///
/// # Panics
/// If anything that must hold does not.
pub fn fuzz_one(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else {
        return;
    };
    match kind {
        REQUEST => payload(rest),
        CONNECT => connect(rest),
        EVENT => event(rest),
        STREAM => stream(rest),
        RECORD => records(rest),
        index => {
            if let Some(op) = OpCode::ALL.get(usize::from(index)) {
                request(op.wire(), rest);
                response(*op, rest);
            }
        }
    }
}

fn encoded(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    out
}

fn payload(bytes: &[u8]) {
    match RequestHeader::decode(bytes) {
        Err(_) => assert!(bytes.len() < 8, "a header is 8 bytes"),
        Ok((header, body)) => {
            assert_eq!(encoded(|w| header.encode(w)), bytes[..8]);
            request(header.op, body);
        }
    }
}

fn request(op: i32, body: &[u8]) {
    match Request::decode(op, body) {
        Err(error) => {
            let refusal = error.refusal(op);
            assert!(refusal.error.is_some() || refusal.close, "a client is never left without an answer");
        }
        Ok(request) => {
            assert_eq!(request.op().wire(), op);
            let again = encoded(|w| request.encode(w));
            let second = Request::decode(op, &again).expect("an encoded request decodes");
            assert_eq!(second, request);
            assert_eq!(encoded(|w| second.encode(w)), again);
        }
    }
}

fn response(op: OpCode, body: &[u8]) {
    if let Ok(response) = Response::decode(op, body) {
        let again = encoded(|w| response.encode(w));
        assert_eq!(Response::decode(op, &again).as_ref(), Ok(&response));
    }
}

fn connect(bytes: &[u8]) {
    if let Ok(request) = ConnectRequest::decode(bytes) {
        assert_eq!(ConnectRequest::decode(&encoded(|w| request.encode(w))), Ok(request));
    }
    if let Ok(response) = ConnectResponse::decode(bytes) {
        assert_eq!(ConnectResponse::decode(&encoded(|w| response.encode(w))), Ok(response));
    }
}

fn event(bytes: &[u8]) {
    if let Ok((header, body)) = ReplyHeader::decode(bytes) {
        assert_eq!(encoded(|w| header.encode(w)), bytes[..ReplyHeader::LEN]);
        assert_eq!(body.len(), bytes.len() - ReplyHeader::LEN);
    }
    if let Ok(event) = WatcherEvent::decode(bytes) {
        assert_eq!(WatcherEvent::decode(&encoded(|w| event.encode(w))).as_ref(), Ok(&event));
    }
}

fn stream(mut bytes: &[u8]) {
    while let Ok(Some(first)) = first_payload(bytes, MAX_PAYLOAD) {
        payload(first);
        bytes = &bytes[PREFIX_LEN + first.len()..];
    }
}

fn records(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let op = OpCode::ALL[source.below(OpCode::ALL.len())];
    let damage: [usize; 3] = core::array::from_fn(|_| source.below(256) << 8 | source.below(256));
    let parts = Parts::take(&mut source);
    let made_request = parts.with_request(op, |made| {
        let body = encoded(|w| made.encode(w));
        assert_eq!(Request::decode(op.wire(), &body).as_ref(), Ok(made));
        body
    });
    let made_response = parts.with_response(op, |made| {
        let body = encoded(|w| made.encode(w));
        assert_eq!(Response::decode(op, &body).as_ref(), Ok(made));
        body
    });
    for body in [made_request, made_response].into_iter().flatten() {
        damaged(op, body, damage);
    }
}

/// A body that was whole, with a few bytes overwritten, then cut short.
fn damaged(op: OpCode, mut body: Vec<u8>, [at, with, keep]: [usize; 3]) {
    if body.is_empty() {
        return;
    }
    // Lengths and counts are what hurts: put an interesting one somewhere.
    let value = [-1, -2, i32::MAX, i32::MIN, 0, 1, 0x00FF_FFFF, with as i32][with % 8];
    let at = at % body.len();
    for (byte, new) in body[at..].iter_mut().zip(value.to_be_bytes()) {
        *byte = new;
    }
    request(op.wire(), &body);
    response(op, &body);
    body.truncate(keep % body.len());
    request(op.wire(), &body);
    response(op, &body);
}
