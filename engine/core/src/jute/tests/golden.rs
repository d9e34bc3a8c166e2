//! Bytes that ZooKeeper and its clients send.

use crate::error_code::ErrorCode;
use crate::jute::*;
use std::borrow::Cow;

/// Bytes of hexadecimal text; anything but digits separates.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn connect_exchange() {
    let mut out = Vec::new();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 10_000,
        session_id: 0,
        passwd: Some(&[0; 16]),
        read_only: Some(false),
    };
    append_connect_request(&mut out, &request);
    let bytes = hex("0000002d 00000000 0000000000000000 00002710 0000000000000000 00000010
                     00000000000000000000000000000000 00");
    assert_eq!(out, bytes);
    assert_eq!(ConnectRequest::decode(&bytes[4..]), Ok(request));
    let without = ConnectRequest { read_only: None, ..request };
    assert_eq!(ConnectRequest::decode(&bytes[4..bytes.len() - 1]), Ok(without));
}

#[test]
fn ping_and_close() {
    let mut out = Vec::new();
    append_request(&mut out, ReplyHeader::PING, &Request::Ping);
    assert_eq!(out, hex("00000008 fffffffe 0000000b"));
    out.clear();
    append_request(&mut out, 3, &Request::CloseSession);
    assert_eq!(out, hex("00000008 00000003 fffffff5"));
    out.clear();
    ReplyFrame::bare(&mut out, ReplyHeader::PING, 0x1234, ErrorCode::Ok);
    assert_eq!(out, hex("00000010 fffffffe 0000000000001234 00000000"));
}

#[test]
fn notification() {
    let mut out = Vec::new();
    append_notification(&mut out, 9, WatcherEvent::DATA_CHANGED, "/a");
    assert_eq!(out, hex("0000001e ffffffff 0000000000000009 00000000 00000003 00000003 00000002 2f61"));
    let (header, body) = ReplyHeader::decode(&out[4..]).unwrap();
    assert_eq!(header, ReplyHeader { xid: -1, zxid: 9, err: 0 });
    assert_eq!(WatcherEvent::decode(body).unwrap().path, "/a");
}

#[test]
fn create_request() {
    let body = hex("00000002 2f61 00000001 78 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000");
    let create = Create {
        op: OpCode::Create,
        path: Cow::Borrowed("/a"),
        data: Some(b"x"),
        acl: Some(OPEN_ACL),
        flags: 0,
        ttl: None,
    };
    assert_eq!(Request::decode(1, &body), Ok(Request::Create(create.clone())));
    let mut out = Vec::new();
    Request::Create(create).encode(&mut Writer::new(&mut out));
    assert_eq!(out, body);
}
