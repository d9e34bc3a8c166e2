//! Bytes that ZooKeeper and its clients send: `golden.txt` is written by ZooKeeper's encoder (`Golden.java` beside it).

use super::hex;
use crate::error_code::ErrorCode;
use crate::jute::*;
use crate::stat::Stat;
use std::borrow::Cow;
use std::collections::BTreeMap;

const STAT: Stat = Stat {
    czxid: 0x1_0000_0001,
    mzxid: 0x1_0000_0002,
    ctime: 1_700_000_000_001,
    mtime: 1_700_000_000_002,
    version: 3,
    cversion: -4,
    aversion: 5,
    ephemeral_owner: 0x0123_4567_89ab_cdef,
    data_length: 7,
    num_children: 8,
    pzxid: -9,
};
static ACL_ITEMS: [AclItem<'static>; 2] = [AclItem::new(31, "world", "anyone"), AclItem::new(5, "ip", "10.0.0.0/8")];
const ACL: AclList<'static> = List::new(&ACL_ITEMS);
static PATHS: [Cow<'static, str>; 5] = [text("/a"), text("/b/c"), text("/d"), text("/e"), text("/f")];
const AB: StrList<'static> = List::new(PATHS.split_at(2).0);
static IDS: [ClientInfo<'static>; 2] = [
    ClientInfo { scheme: text("ip"), user: text("127.0.0.1") },
    ClientInfo { scheme: text("digest"), user: text("u") },
];
const DATA: Option<&[u8]> = Some(b"data");

const fn text(text: &'static str) -> Cow<'static, str> {
    Cow::Borrowed(text)
}

fn golden() -> BTreeMap<&'static str, Vec<u8>> {
    include_str!("golden.txt")
        .lines()
        .map(|line| line.split_once(' ').expect("name, bytes"))
        .map(|(n, h)| (n, hex(h)))
        .collect()
}

fn create(op: OpCode, path: &'static str, data: Option<&'static [u8]>, flags: i32) -> Create<'static> {
    Create { op, path: Some(text(path)), data, acl: Some(ACL), flags, ttl: None }
}

fn set_watches() -> SetWatches<'static> {
    SetWatches {
        relative_zxid: 0x77,
        data: AB,
        exist: List::new(&[]),
        child: List::new(&PATHS[2..3]),
        persistent: List::new(&[]),
        persistent_recursive: List::new(&[]),
    }
}

fn requests() -> Vec<(&'static str, Request<'static>)> {
    let path = || text("/a");
    vec![
        ("create", Request::Create(create(OpCode::Create, "/n\u{e4}me", DATA, 3))),
        ("create_null_data", Request::Create(Create { acl: None, ..create(OpCode::Create2, "/a", None, 0) })),
        (
            "create_ttl",
            Request::Create(Create { ttl: Some(0x12_3456_7890), ..create(OpCode::CreateTtl, "/t", Some(b""), 5) }),
        ),
        ("delete", Request::Delete { path: path(), version: -1 }),
        ("exists", Request::Exists { path: path(), watch: true }),
        ("getData", Request::GetData { path: path(), watch: false }),
        ("setData", Request::SetData(SetData { path: path(), data: DATA, version: 7 })),
        ("getACL", Request::GetAcl { path: path() }),
        ("setACL", Request::SetAcl { path: path(), acl: Some(ACL), version: 2 }),
        ("getChildren", Request::GetChildren { path: text("/"), watch: true }),
        ("getChildren2", Request::GetChildren2 { path: text("/"), watch: false }),
        ("sync", Request::Sync { path: Some(path()) }),
        ("sync_null", Request::Sync { path: None }),
        ("auth", Request::Auth(AuthPacket { kind: 0, scheme: Some(text("digest")), auth: Some(b"u:p") })),
        ("setWatches", Request::SetWatches(set_watches())),
        (
            "setWatches2",
            Request::SetWatches2(SetWatches {
                persistent: List::new(&PATHS[3..4]),
                persistent_recursive: List::new(&PATHS[4..5]),
                ..set_watches()
            }),
        ),
        ("addWatch", Request::AddWatch { path: path(), mode: 1 }),
        ("removeWatches", Request::RemoveWatches { path: path(), kind: 3 }),
        ("checkWatches", Request::CheckWatches { path: path(), kind: 2 }),
        ("getEphemerals", Request::GetEphemerals { prefix: Some(text("/p")) }),
        ("getAllChildrenNumber", Request::GetAllChildrenNumber { path: text("/") }),
        (
            "reconfig",
            Request::Reconfig(Reconfig {
                joining: Some(text("server.1=a")),
                leaving: Some(text("2")),
                new_members: None,
                config_id: -1,
            }),
        ),
        ("sasl", Request::Sasl { token: Some(&[1, 2]) }),
    ]
}

fn check_request(golden: &mut BTreeMap<&'static str, Vec<u8>>, name: &str, request: &Request<'_>) {
    let bytes = golden.remove(name).unwrap_or_else(|| panic!("no golden bytes for {name}"));
    assert_eq!(Request::decode(request.op().wire(), &bytes).as_ref(), Ok(request), "{name}");
    let mut out = Vec::new();
    request.encode(&mut Writer::new(&mut out));
    assert_eq!(out, bytes, "{name}");
}

fn check_response(golden: &mut BTreeMap<&'static str, Vec<u8>>, name: &str, op: OpCode, response: &Response<'_>) {
    let bytes = golden.remove(name).unwrap_or_else(|| panic!("no golden bytes for {name}"));
    assert_eq!(Response::decode(op, &bytes).as_ref(), Ok(response), "{name}");
    let mut out = Vec::new();
    response.encode(&mut Writer::new(&mut out));
    assert_eq!(out, bytes, "{name}");
}

#[test]
fn every_record_has_zookeepers_bytes() {
    let golden = &mut golden();
    for (name, request) in requests() {
        check_request(golden, name, &request);
    }
    let ops = [
        MultiOp::Create(create(OpCode::Create, "/c", DATA, 0)),
        MultiOp::Create(create(OpCode::CreateContainer, "/ct", DATA, 4)),
        MultiOp::Create(Create { ttl: Some(1000), ..create(OpCode::CreateTtl, "/tt", None, 5) }),
        MultiOp::Delete { path: text("/x"), version: 4 },
        MultiOp::SetData(SetData { path: text("/y"), data: DATA, version: -1 }),
        MultiOp::Check { path: text("/z"), version: 0 },
    ];
    check_request(golden, "multi", &Request::Multi(List::new(&ops)));
    let reads = [
        MultiRead::GetData { path: text("/a"), watch: false },
        MultiRead::GetChildren { path: text("/"), watch: false },
    ];
    check_request(golden, "multiRead", &Request::MultiRead(List::new(&reads)));
    for (name, op, response) in responses() {
        check_response(golden, name, op, &response);
    }
    multi_responses(golden);
    connection_records(golden);
    assert_eq!(golden.keys().collect::<Vec<_>>(), Vec::<&&str>::new(), "every golden record is used");
}

fn responses() -> Vec<(&'static str, OpCode, Response<'static>)> {
    vec![
        ("r_create", OpCode::Create, Response::Path(Some(text("/a0000000001")))),
        ("r_create2", OpCode::CreateContainer, Response::Created { path: text("/a"), stat: STAT }),
        ("r_exists", OpCode::Exists, Response::Stat(STAT)),
        ("r_getData", OpCode::GetData, Response::Data { data: DATA, stat: STAT }),
        ("r_getData_null", OpCode::Reconfig, Response::Data { data: None, stat: STAT }),
        ("r_setData", OpCode::SetData, Response::Stat(STAT)),
        ("r_getACL", OpCode::GetAcl, Response::Acl { acl: ACL, stat: STAT }),
        ("r_setACL", OpCode::SetAcl, Response::Stat(STAT)),
        ("r_getChildren", OpCode::GetChildren, Response::Strings(AB)),
        ("r_getChildren2", OpCode::GetChildren2, Response::Children2 { children: AB, stat: STAT }),
        ("r_sync", OpCode::Sync, Response::Path(Some(text("/a")))),
        ("r_getEphemerals", OpCode::GetEphemerals, Response::Strings(List::new(&[]))),
        ("r_getAllChildrenNumber", OpCode::GetAllChildrenNumber, Response::Count(42)),
        ("r_addWatch", OpCode::AddWatch, Response::AddWatch(0)),
        ("r_whoAmI", OpCode::WhoAmI, Response::WhoAmI(List::new(&IDS))),
        ("r_sasl", OpCode::Sasl, Response::Token(None)),
    ]
}

fn multi_responses(golden: &mut BTreeMap<&'static str, Vec<u8>>) {
    let results = [
        MultiResult::Created { path: text("/c") },
        MultiResult::Created2 { path: text("/c2"), stat: STAT },
        MultiResult::Deleted,
        MultiResult::SetData(STAT),
        MultiResult::Checked,
    ];
    check_response(golden, "r_multi", OpCode::Multi, &Response::Multi(List::new(&results)));
    let read = [MultiResult::Data { data: DATA, stat: STAT }, MultiResult::Children(AB), MultiResult::Error(-101)];
    check_response(golden, "r_multiRead", OpCode::MultiRead, &Response::Multi(List::new(&read)));
    let mut out = Vec::new();
    let mut reply = ReplyFrame::begin(&mut out, 1);
    reply.multi_failed(3, 1, ErrorCode::NoNode);
    reply.finish(0, ErrorCode::Ok);
    assert_eq!(out[20..], golden["r_multi_failed"]);
    let failed = [MultiResult::Error(0), MultiResult::Error(-101), MultiResult::Error(-2)];
    check_response(golden, "r_multi_failed", OpCode::Multi, &Response::Multi(List::new(&failed)));
}

fn connection_records(golden: &mut BTreeMap<&'static str, Vec<u8>>) {
    let passwd = b"0123456789abcdef";
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0x55,
        timeout_ms: 30_000,
        session_id: 0x1122_3344_5566_7788,
        passwd: Some(passwd),
        read_only: None,
    };
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 30_000,
        session_id: 0x1122_3344_5566_7788,
        passwd,
        read_only: None,
    };
    for read_only in [None, Some(false), Some(true)] {
        let request = ConnectRequest { read_only, ..request };
        let response = ConnectResponse { read_only, ..response };
        let tail: &[u8] = read_only.map_or(&[], |flag| if flag { &[1] } else { &[0] });
        let mut out = Vec::new();
        append_connect_request(&mut out, &request);
        assert_eq!(out[4..], [&golden["connect"], tail].concat());
        assert_eq!(ConnectRequest::decode(&out[4..]), Ok(request));
        out.clear();
        append_connect_response(&mut out, &response);
        assert_eq!(out[4..], [&golden["r_connect"], tail].concat());
        assert_eq!(ConnectResponse::decode(&out[4..]), Ok(response));
    }
    let header = ReplyHeader { xid: 5, zxid: 0x1_0000_0002, err: -101 };
    assert_eq!(ReplyHeader::decode(&golden["r_header"]), Ok((header, &[][..])));
    let event = WatcherEvent { kind: WatcherEvent::CHILDREN_CHANGED, state: 3, path: text("/a") };
    assert_eq!(WatcherEvent::decode(&golden["r_event"]), Ok(event));
    for name in ["connect", "r_connect", "r_header", "r_event"] {
        golden.remove(name);
    }
}

#[test]
fn whole_frames() {
    let mut out = Vec::new();
    append_request(&mut out, ReplyHeader::PING, &Request::Ping);
    append_request(&mut out, 3, &Request::CloseSession);
    append_request(&mut out, 4, &Request::GetData { path: text("/a"), watch: true });
    assert_eq!(
        out,
        hex("00000008 fffffffe 0000000b  00000008 00000003 fffffff5  0000000f 00000004 00000004 00000002 2f61 01")
    );
    out.clear();
    ReplyFrame::bare(&mut out, ReplyHeader::PING, 0x1234, ErrorCode::Ok);
    append_notification(&mut out, 9, WatcherEvent::DATA_CHANGED, "/a");
    assert_eq!(
        out,
        hex("00000010 fffffffe 0000000000001234 00000000
             0000001e ffffffff 0000000000000009 00000000 00000003 00000003 00000002 2f61")
    );
    out.clear();
    append_connect_response(&mut out, &ConnectResponse::expired(Some(false)));
    assert_eq!(out, hex(&format!("00000025 00000000 00000000 0000000000000000 00000010 {} 00", "00".repeat(16))));
}

#[test]
fn a_reply_is_built_in_parts_or_whole() {
    let names = ["a", "b/c"];
    let (mut parts, mut whole) = (b"before".to_vec(), b"before".to_vec());
    let mut reply = ReplyFrame::begin(&mut parts, 8);
    reply.strings(names);
    reply.stat(&STAT);
    reply.finish(77, ErrorCode::Ok);
    let children = names.map(Cow::Borrowed);
    let mut reply = ReplyFrame::begin(&mut whole, 8);
    reply.body(&Response::Children2 { children: List::new(&children), stat: STAT });
    reply.finish(77, ErrorCode::Ok);
    assert_eq!(parts, whole);
    let payload = first_payload(&parts[6..], 1000).unwrap().unwrap();
    let (header, body) = ReplyHeader::decode(payload).unwrap();
    assert_eq!(header, ReplyHeader { xid: 8, zxid: 77, err: 0 });
    assert_eq!(body.len(), payload.len() - 16);

    drop(ReplyFrame::begin(&mut parts, 9));
    assert_eq!(parts, whole, "an unfinished reply leaves no trace");
}
