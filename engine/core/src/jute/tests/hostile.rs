//! Bytes that no client should send.

use super::{Rng, hex};
use crate::jute::arbitrary::{Parts, Source};
use crate::jute::*;
use std::borrow::Cow;

const BAD: DecodeError = DecodeError::Malformed(ReadError::Truncated);

#[test]
fn lengths_and_counts() {
    let get = |len: &str| Request::decode(4, &hex(&format!("{len} 2f61 00"))).map(|_| ());
    assert_eq!(get("00000002"), Ok(()));
    assert_eq!(get("ffffffff"), Err(DecodeError::Malformed(ReadError::Null)));
    assert_eq!(get("fffffffe"), Err(DecodeError::Malformed(ReadError::BadLength(-2))));
    assert_eq!(get("80000000"), Err(DecodeError::Malformed(ReadError::BadLength(i32::MIN))));
    assert_eq!(get("7fffffff"), Err(BAD));
    assert_eq!(get("00000003"), Err(BAD));

    // An ACL: null and any negative count are for the server to refuse, too many are not there.
    let acl = |count: &str| {
        let body = hex(&format!("00000002 2f61 {count} 00000000 00000000 00000000 00000000"));
        match Request::decode(7, &body) {
            Ok(Request::SetAcl { acl, .. }) => Ok(acl.map(|acl| acl.len())),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    assert_eq!(acl("ffffffff"), Ok(None));
    assert_eq!(acl("fffffffe"), Ok(Some(0)));
    assert_eq!(acl("80000000"), Ok(Some(0)));
    assert_eq!(acl("00000000"), Ok(Some(0)));
    assert_eq!(acl("00000001"), Ok(Some(1)));
    assert_eq!(acl("00000002"), Err(BAD));
    assert_eq!(acl("7fffffff"), Err(BAD));
}

#[test]
fn nulls_within_vectors() {
    let list = "00000001 ffffffff";
    let none = "00000000";
    for lists in [[list, none, none], [none, list, none], [none, none, list]] {
        let body = hex(&format!("0000000000000000 {}", lists.concat()));
        assert_eq!(Request::decode(101, &body), Err(DecodeError::Malformed(ReadError::Null)));
    }
    let body = hex("00000002 2f61 00000001 0000001f ffffffff ffffffff 00000000");
    let Ok(Request::SetAcl { acl: Some(acl), .. }) = Request::decode(7, &body) else { panic!("an ACL with nulls") };
    assert_eq!(acl.iter().collect::<Vec<_>>(), [AclItem { perms: 31, scheme: None, id: None }]);
}

#[test]
fn invalid_utf8() {
    let body = hex("00000003 2fff61 00");
    let Ok(Request::GetData { path, .. }) = Request::decode(4, &body) else { panic!("a path") };
    assert_eq!(path, "/\u{fffd}a");
    assert!(matches!(path, Cow::Owned(_)));
}

#[test]
fn multis() {
    let end = "ffffffff 01 ffffffff";
    let delete = "00000002 00 ffffffff 00000002 2f61 00000001";
    let multi = |op: i32, body: &str| match Request::decode(op, &hex(body)) {
        Ok(Request::Multi(ops)) => Ok(ops.len()),
        Ok(Request::MultiRead(ops)) => Ok(ops.len()),
        Ok(other) => panic!("{other:?}"),
        Err(DecodeError::Malformed(error)) => Err(error),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(multi(14, end), Ok(0));
    assert_eq!(multi(14, "00000063 05 00000000"), Ok(0), "whatever says done is the end");
    assert_eq!(multi(14, &format!("{delete} {delete} {end} 00")), Ok(2));
    assert_eq!(multi(14, &format!("{delete} {delete}")), Err(ReadError::Truncated));
    assert_eq!(multi(14, &format!("ffffffff 00 ffffffff {end}")), Err(ReadError::BadOp(-1)));
    let read = "00000004 00 ffffffff 00000002 2f61 00";
    assert_eq!(multi(14, &format!("{read} {end}")), Err(ReadError::BadOp(4)));
    assert_eq!(multi(22, &format!("{read} {end}")), Ok(1));
    assert_eq!(multi(22, &format!("{delete} {end}")), Err(ReadError::BadOp(2)));
    // A setACL, a nested multi.
    assert_eq!(multi(14, &format!("00000007 00 ffffffff {end}")), Err(ReadError::BadOp(7)));
    assert_eq!(multi(14, &format!("0000000e 00 ffffffff {end} {end}")), Err(ReadError::BadOp(14)));
}

#[test]
fn payload_lengths() {
    let max = 1_048_575;
    assert_eq!(first_payload(&[0, 0, 0], max), Ok(None));
    assert_eq!(first_payload(&hex("00000002 aa"), max), Ok(None));
    assert_eq!(first_payload(&hex("00000002 aabbcc"), max), Ok(Some(&[0xaa, 0xbb][..])));
    assert_eq!(first_payload(&hex("00000000"), max), Ok(Some(&[][..])));
    assert_eq!(first_payload(&hex("000fffff"), max), Ok(None));
    assert_eq!(first_payload(&hex("00100000"), max), Err(ReadError::BadLength(1_048_576)));
    assert_eq!(first_payload(&hex("ffffffff"), max), Err(ReadError::BadLength(-1)));
    assert_eq!(first_payload(b"ruok", max), Err(ReadError::BadLength(0x7275_6f6b)));
}

/// Every int of a record overwritten with each nasty value: it decodes to something or it does not, and lists that
/// decode can be read to their end.
#[test]
fn every_overwritten_int() {
    for op in OpCode::ALL {
        for seed in 0..20 {
            let bytes = Rng(seed << 8 | op.wire() as u64 & 0xFF).bytes(1500);
            Parts::take(&mut Source::new(&bytes)).with_request(op, |request| {
                let mut body = Vec::new();
                request.encode(&mut Writer::new(&mut body));
                overwrite(op, &body);
            });
        }
    }
}

fn overwrite(op: OpCode, body: &[u8]) {
    for at in 0..body.len().saturating_sub(3) {
        for value in [-1, -2, i32::MAX, i32::MIN, 0, 1, 16, body.len() as i32] {
            let mut bad = body.to_vec();
            bad[at..at + 4].copy_from_slice(&value.to_be_bytes());
            if let Ok(request) = Request::decode(op.wire(), &bad) {
                let mut again = Vec::new();
                request.encode(&mut Writer::new(&mut again));
                assert_eq!(Request::decode(op.wire(), &again).as_ref(), Ok(&request));
            }
        }
    }
}
