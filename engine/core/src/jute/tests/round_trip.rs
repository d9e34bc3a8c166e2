//! Generated records survive encoding and decoding, and no beginning of one passes for a whole.

use super::Rng;
use crate::jute::arbitrary::{Parts, Source};
use crate::jute::*;

const RECORDS_PER_OP: u64 = 300;

/// Calls `f` with generated parts, once for every opcode that a client may send and every seed.
fn for_each(mut f: impl FnMut(OpCode, &Parts)) {
    for op in OpCode::ALL {
        for seed in 0..RECORDS_PER_OP {
            let bytes = Rng(seed << 8 | op.wire() as u64 & 0xFF).bytes(1500);
            f(op, &Parts::take(&mut Source::new(&bytes)));
        }
    }
}

fn encoded(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    out
}

#[test]
fn requests() {
    let mut seen = 0;
    for_each(|op, parts| {
        parts.with_request(op, |request| {
            seen += 1;
            assert_eq!(request.op(), op);
            let mut body = encoded(|w| request.encode(w));
            assert_eq!(Request::decode(op.wire(), &body).as_ref(), Ok(request), "{op:?}");
            for len in 0..body.len() {
                let cut = Request::decode(op.wire(), &body[..len]);
                assert_eq!(cut, Err(DecodeError::Malformed(ReadError::Truncated)), "{op:?} {len} of {body:x?}");
            }
            body.extend_from_slice(b"bytes after the last field are ignored");
            assert_eq!(Request::decode(op.wire(), &body).as_ref(), Ok(request), "{op:?}");
        });
    });
    assert_eq!(seen, 28 * RECORDS_PER_OP, "28 opcodes may be sent by clients");
}

#[test]
fn responses() {
    for_each(|op, parts| {
        parts.with_response(op, |response| {
            let body = encoded(|w| response.encode(w));
            assert_eq!(Response::decode(op, &body).as_ref(), Ok(response), "{op:?}");
            for len in 0..body.len() {
                assert_eq!(Response::decode(op, &body[..len]), Err(ReadError::Truncated), "{op:?} {len}");
            }
        });
    });
}

#[test]
fn records_of_the_connection() {
    let passwd = [7; 16];
    for read_only in [None, Some(true)] {
        let request = ConnectRequest {
            protocol_version: 1,
            last_zxid_seen: -2,
            timeout_ms: 3,
            session_id: -4,
            passwd: Some(&passwd),
            read_only,
        };
        let body = encoded(|w| request.encode(w));
        for len in 0..44 {
            assert_eq!(ConnectRequest::decode(&body[..len]), Err(ReadError::Truncated), "{len}");
        }
        assert_eq!(ConnectRequest::decode(&body), Ok(request));
        let response =
            ConnectResponse { protocol_version: 1, timeout_ms: 2, session_id: 3, passwd: &passwd, read_only };
        let body = encoded(|w| response.encode(w));
        for len in 0..36 {
            assert_eq!(ConnectResponse::decode(&body[..len]), Err(ReadError::Truncated), "{len}");
        }
        assert_eq!(ConnectResponse::decode(&body), Ok(response));
    }
    for len in 0..8 {
        assert_eq!(RequestHeader::decode(&[0; 8][..len]), Err(ReadError::Truncated));
    }
    for len in 0..16 {
        assert_eq!(ReplyHeader::decode(&[0; 16][..len]), Err(ReadError::Truncated));
    }
}

#[test]
fn opcodes() {
    for op in OpCode::ALL {
        assert_eq!(OpCode::from_wire(op.wire()), Some(op));
        assert!(!op.short_name().is_empty());
    }
    let known = (-300..300).filter_map(OpCode::from_wire).count();
    assert_eq!(known, OpCode::ALL.len());
}
