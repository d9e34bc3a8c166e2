//! What decoding and encoding allocate: nothing for valid text, and never much more than the bytes that came in.

use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::jute::*;
use ringkeeper_core::stat::Stat;
use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Cow;
use std::cell::Cell;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

/// Counts the bytes that each thread asks for.
struct Counting;

// SAFETY: hands everything through to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|sum| sum.set(sum.get() + layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATED.with(|sum| sum.set(sum.get() + new_size));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that `f` asks the allocator for.
fn allocated(f: impl FnOnce()) -> usize {
    let before = ALLOCATED.with(Cell::get);
    f();
    ALLOCATED.with(Cell::get) - before
}

fn body(request: &Request<'_>) -> (i32, Vec<u8>) {
    let mut out = Vec::new();
    request.encode(&mut Writer::new(&mut out));
    (request.op().wire(), out)
}

fn path() -> Cow<'static, str> {
    Cow::Borrowed("/services/w\u{f6}rker/0000000042")
}

#[test]
fn the_count_counts() {
    assert!(allocated(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(1000)))) >= 1000);
}

#[test]
fn valid_requests_cost_nothing() {
    let data = [7; 100];
    let create = |op| Create { op, path: Some(path()), data: Some(&data), acl: Some(OPEN_ACL), flags: 0, ttl: None };
    let ops = [
        MultiOp::Create(create(OpCode::Create)),
        MultiOp::SetData(SetData { path: path(), data: Some(&data), version: 3 }),
        MultiOp::Delete { path: path(), version: -1 },
    ];
    let paths = [path(), path()];
    let watches = SetWatches {
        relative_zxid: 1,
        data: List::new(&paths),
        exist: List::new(&paths),
        child: List::new(&paths),
        persistent: List::new(&paths),
        persistent_recursive: List::new(&paths),
    };
    let requests = [
        Request::GetData { path: path(), watch: true },
        Request::SetData(SetData { path: path(), data: Some(&data), version: 3 }),
        Request::Create(create(OpCode::Create2)),
        Request::Multi(List::new(&ops)),
        Request::SetWatches2(watches),
        Request::Ping,
    ];
    for request in &requests {
        let (op, body) = body(request);
        let cost = allocated(|| {
            let decoded = Request::decode(op, &body).expect("a whole request");
            assert_eq!(&decoded, request, "comparing reads every list to its end");
        });
        assert_eq!(cost, 0, "{request:?}");
    }
}

#[test]
fn hostile_counts_cost_nothing() {
    for op in OpCode::ALL {
        for count in [i32::MAX, i32::MIN, -2, 1 << 20] {
            // Counts and lengths of this value everywhere, also behind an empty path and null data.
            let everywhere = count.to_be_bytes().repeat(64);
            let behind = [&[0; 4][..], &[0xFF; 4], &everywhere].concat();
            for body in [&everywhere, &behind] {
                let cost = allocated(|| drop(Request::decode(op.wire(), body)));
                assert_eq!(cost, 0, "{op:?} {count}");
                let cost = allocated(|| drop(Response::decode(op, body)));
                assert_eq!(cost, 0, "{op:?} {count}");
            }
        }
    }
}

#[test]
fn invalid_text_costs_a_few_times_its_length() {
    let text = vec![0xFF; 10_000];
    let mut body = Vec::new();
    let mut w = Writer::new(&mut body);
    w.buffer(Some(&text));
    w.bool(false);
    let cost = allocated(|| drop(Request::decode(OpCode::GetData.wire(), &body)));
    assert!(cost > 0 && cost <= 8 * text.len(), "{cost}");
}

#[test]
fn replies_cost_nothing_once_the_output_has_grown() {
    let mut out = Vec::with_capacity(4096);
    let (data, stat) = ([7; 100], Stat::default());
    let cost = allocated(|| {
        for xid in 0..10 {
            let mut reply = ReplyFrame::begin(&mut out, xid);
            reply.data(Some(&data), &stat);
            reply.finish(9, ErrorCode::Ok);
        }
        let mut reply = ReplyFrame::begin(&mut out, 11);
        reply.strings(["a", "b"]);
        reply.stat(&stat);
        reply.finish(9, ErrorCode::Ok);
        append_notification(&mut out, 9, WatcherEvent::DELETED, "/a");
        ReplyFrame::bare(&mut out, 12, 9, ErrorCode::NoNode);
    });
    assert_eq!(cost, 0);
}
