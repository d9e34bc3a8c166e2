//! The bytes of frames and bodies, frozen: they are on disks. A change here is a new format, not a new expectation.

use ringkeeper_core::frame::{FrameBuf, FrameHeader, encode};
use ringkeeper_core::ids::{Epoch, SessionId, Tag, WallMs, Zxid};
use ringkeeper_core::txn::{self, TxnType, v1};

fn frame(txn_type: TxnType, body: impl FnOnce(&mut FrameBuf)) -> String {
    let mut out = FrameBuf::new();
    let header = FrameHeader {
        zxid: Zxid::new(Epoch(3), 7),
        prev_zxid: Zxid::new(Epoch(3), 6),
        session: SessionId(0x0102_0304_0506_0708),
        wall: WallMs(1_700_000_000_123),
        cxid: 42,
        txn_type: txn_type as i32,
        tag: Tag(0x0911_2233_4455_6677),
    };
    encode(&mut out, &header, body);
    let rows = out.chunks(16).map(|row| row.iter().map(|b| format!("{b:02x}")).collect::<String>());
    rows.collect::<Vec<_>>().join("\n")
}

fn all() -> Vec<(&'static str, String)> {
    let acl = [v1::AclEntry { perms: 31, scheme: "digest", id: "bob:0123456789abcdefghijklmnopq=" }];
    let create =
        v1::Create { path: "/app/node-0000000001", data: Some(b"data"), acl: &acl, owner: 9, parent_cversion: 2 };
    let open = v1::Create { path: "/a", data: None, acl: &[], owner: 0, parent_cversion: 1 };
    let delete = v1::Delete { path: "/a/b" };
    let set = v1::SetData { path: "/a/b", data: Some(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), version: 5 };
    let empty = v1::SetData { path: "/a", data: Some(&[]), version: 1 };
    let set_acl = v1::SetAcl { path: "/a/b", acl: &acl, aversion: 6 };
    let moved = v1::MoveSession { timeout_ms: 20_000, reserved: &[] };
    let restore = v1::Restore { path: "/zookeeper/restore/1", digest: 0x1122_3344_5566_7788 };
    let session = v1::CreateSession { timeout_ms: 30_000, passwd: &[7; 16] };
    let ops = [
        v1::Op::Check,
        v1::Op::Create { txn: open.clone(), create2: true },
        v1::Op::SetData(set.clone()),
        v1::Op::Delete(delete.clone()),
    ];
    vec![
        ("create", frame(TxnType::Create, |b| txn::write_create(b, &create))),
        ("create, open, no data", frame(TxnType::Create, |b| txn::write_create(b, &open))),
        ("delete", frame(TxnType::Delete, |b| txn::write_delete(b, &delete))),
        ("setData", frame(TxnType::SetData, |b| txn::write_set_data(b, &set))),
        ("setData, empty", frame(TxnType::SetData, |b| txn::write_set_data(b, &empty))),
        ("setACL", frame(TxnType::SetAcl, |b| txn::write_set_acl(b, &set_acl))),
        ("multi", frame(TxnType::Multi, |b| txn::write_multi(b, &v1::Multi { ops: &ops }))),
        ("moveSession", frame(TxnType::MoveSession, |b| txn::write_move_session(b, &moved))),
        ("restore", frame(TxnType::Restore, |b| txn::write_restore(b, &restore))),
        ("createSession", frame(TxnType::CreateSession, |b| txn::write_create_session(b, &session))),
        ("closeSession", frame(TxnType::CloseSession, |_| {})),
    ]
}

#[test]
fn frames_are_frozen() {
    let now = all().into_iter().map(|(name, bytes)| format!("{name}\n{bytes}\n")).collect::<Vec<_>>().join("\n");
    assert_eq!(now, include_str!("golden.txt"), "the bytes of a frame have changed:\n{now}");
}
