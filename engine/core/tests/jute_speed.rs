//! How long the hot records take. Prints, asserts nothing:
//! `cargo test --release -p ringkeeper-core --test jute_speed -- --ignored --nocapture`

#![allow(clippy::disallowed_types, reason = "the bans are for what decides; this measures or judges")]
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::jute::*;
use ringkeeper_core::stat::Stat;
use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: u32 = 2_000_000;

/// Nanoseconds per call, the best of five rounds.
fn time(name: &str, mut f: impl FnMut()) {
    let best = (0..5).map(|_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| f());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    });
    println!("{name:32} {:7.1} ns", best.fold(f64::INFINITY, f64::min));
}

fn decode(name: &str, request: &Request<'_>) {
    let mut out = Vec::new();
    append_request(&mut out, 1, request);
    time(&format!("decode {name}"), || {
        let (header, body) = RequestHeader::decode(black_box(&out[4..])).expect("a header");
        drop(black_box(Request::decode(header.op, body)));
    });
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let data = [7; 100];
    let path = || Cow::Borrowed("/services/worker/0000000042");
    let create =
        Create { op: OpCode::Create, path: Some(path()), data: Some(&data), acl: Some(OPEN_ACL), flags: 0, ttl: None };
    let set = SetData { path: path(), data: Some(&data), version: -1 };
    println!("a Request takes {} bytes", size_of::<Request<'_>>());
    decode("ping", &Request::Ping);
    decode("getData", &Request::GetData { path: path(), watch: false });
    decode("setData 100 B", &Request::SetData(set.clone()));
    decode("create 100 B", &Request::Create(create.clone()));
    decode("multi create+setData", &Request::Multi(List::new(&[MultiOp::Create(create), MultiOp::SetData(set)])));
    let (mut out, stat) = (Vec::with_capacity(1 << 16), Stat::default());
    time("reply getData 100 B", || {
        out.clear();
        let mut reply = ReplyFrame::begin(black_box(&mut out), 1);
        reply.data(Some(black_box(&data)), black_box(&stat));
        reply.finish(7, ErrorCode::Ok);
    });
    time("reply stat", || {
        out.clear();
        let mut reply = ReplyFrame::begin(black_box(&mut out), 1);
        reply.stat(black_box(&stat));
        reply.finish(7, ErrorCode::Ok);
    });
    time("reply error", || {
        out.clear();
        ReplyFrame::bare(black_box(&mut out), 1, 7, ErrorCode::NoNode);
    });
    time("notification", || {
        out.clear();
        append_notification(black_box(&mut out), 7, WatcherEvent::DATA_CHANGED, black_box("/services/worker"));
    });
}
