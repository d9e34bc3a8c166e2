//! What a large tree costs in memory and time. Run on a quiet machine:
//!
//! ```text
//! cargo run --release -p ringkeeper-core --example tree_memory [-- NODES [DATA_BYTES]]
//! ```
#![allow(clippy::disallowed_types, reason = "what measures reads the clock")]

use ringkeeper_core::frame::{self, FrameBuf, FrameHeader, Frames};
use ringkeeper_core::ids::{SessionId, Tag, WallMs, Zxid};
use ringkeeper_core::tree::{Applied, Loader, Tree};
use ringkeeper_core::txn::{self, TxnType, v1};
use std::hint::black_box;
use std::time::{Duration, Instant};

const BATCH: usize = 512;
const FANOUT: usize = 1000;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse().expect("numbers"));
    let nodes: usize = args.next().unwrap_or(1_000_000);
    let data = vec![b'x'; args.next().unwrap_or(100)];
    let dirs: Vec<String> = (0..nodes.div_ceil(FANOUT)).map(|dir| format!("/app/d{dir:05}")).collect();
    let mut bench = Bench::new(&dirs);
    let path_of = |n: usize| format!("/app/d{:05}/n{:08}", n / FANOUT, n);

    let order: Vec<usize> = (0..nodes).collect();
    let mut created = Timing { each: vec![1; nodes] };
    created.each.clear();
    let before = resident();
    bench.create_all(&order, &path_of, &data, &mut created);
    let resident_bytes = resident().saturating_sub(before);
    println!("{nodes} nodes of {} bytes of path and {} of data", path_of(0).len(), data.len());
    println!("resident   {:.1} bytes a node", resident_bytes as f64 / nodes as f64);
    // What the machine adds to one operation it does not add to the same one again; what the tree adds, it does.
    for _ in 0..4 {
        let (mut again, mut timing) = (Bench::new(&dirs), Timing::default());
        again.create_all(&order, &path_of, &data, &mut timing);
        for (least, took) in created.each.iter_mut().zip(timing.each) {
            *least = took.min(*least);
        }
    }
    created.print("create (least of 5)");

    let mut dice = 88172645463325252_u64;
    let mut random = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice % nodes as u64) as usize
    };
    let mut got = Timing::default();
    for _ in 0..nodes.div_ceil(BATCH) {
        let paths: Vec<String> = (0..BATCH).map(|_| path_of(random())).collect();
        got.add(paths.iter().map(|path| timed(|| black_box(bench.tree.get(path).expect("there").stat()))).collect());
    }
    got.print("get+stat");
    for (name, new) in [("setData same size", data.clone()), ("setData +20 bytes", vec![b'y'; data.len() + 20])] {
        let mut set = Timing::default();
        for _ in 0..nodes.div_ceil(BATCH) {
            let paths: Vec<String> = (0..BATCH).map(|_| path_of(random())).collect();
            set.add(bench.set(&paths, &new));
        }
        set.print(name);
    }
    close_session(&mut bench);
    let bytes = snapshot(&mut bench, &path_of, &mut random, &data);
    load(&bytes, &bench.tree);
    drop(bytes);
    let mut deleted = Timing::default();
    for batch in order.chunks(BATCH) {
        deleted.add(bench.delete(&batch.iter().map(|n| path_of(*n)).collect::<Vec<_>>()));
    }
    deleted.print("delete");
    println!("left       {} MiB resident", resident().saturating_sub(before) >> 20);
    bench.create_all(&order, &path_of, &data, &mut Timing::default());
    println!("once more  {} MiB resident", resident().saturating_sub(before) >> 20);
}

/// Ends a session that owns many nodes.
fn close_session(bench: &mut Bench) {
    const OWNED: usize = 100_000;
    let session = v1::CreateSession { timeout_ms: 4000, passwd: &[0; 16] };
    bench.zxid =
        push(&mut bench.buf, bench.zxid, TxnType::CreateSession, |buf| txn::write_create_session(buf, &session));
    bench.apply();
    let paths: Vec<String> = (0..OWNED).map(|n| format!("/app/e{n:08}")).collect();
    bench.create(&paths, b"owned", 1);
    bench.zxid = push(&mut bench.buf, bench.zxid, TxnType::CloseSession, |_| {});
    println!("closeSession       {:?} for {OWNED} ephemeral nodes", bench.apply()[0]);
}

/// Takes a snapshot, then another one between batches of writes.
fn snapshot(
    bench: &mut Bench,
    path_of: &impl Fn(usize) -> String,
    random: &mut impl FnMut() -> usize,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bench.tree.node_count() * (data.len() + 140) + 4096);
    bench.tree.snapshot_begin();
    let mut slices = Timing::default();
    loop {
        let mut done = false;
        slices.add(vec![timed(|| done = bench.tree.snapshot_slice(BATCH, &mut bytes))]);
        if done {
            break;
        }
    }
    println!("snapshot   {:?} in {} MiB", slices.total(), bytes.len() >> 20);
    slices.print("  slice of 512");
    let mut part = Vec::with_capacity(4 << 20);
    let begin = timed(|| bench.tree.snapshot_begin());
    println!("  begin    {begin:?}");
    let mut set = Timing::default();
    loop {
        part.clear();
        let paths: Vec<String> = (0..BATCH).map(|_| path_of(random())).collect();
        set.add(bench.set(&paths, data));
        if bench.tree.snapshot_slice(BATCH, &mut part) {
            break;
        }
    }
    set.print("  setData meanwhile");
    // The tree has moved on: the bytes that are loaded must be of its present state.
    bytes.clear();
    bench.tree.snapshot_begin();
    while !bench.tree.snapshot_slice(BATCH, &mut bytes) {}
    bytes
}

fn load(bytes: &[u8], tree: &Tree) {
    let before = resident();
    let start = Instant::now();
    let mut loader = Loader::new();
    for piece in bytes.chunks(256 << 10) {
        loader.feed(piece).expect("a snapshot");
    }
    let fed = start.elapsed();
    let loaded = loader.finish().expect("a snapshot");
    let took = start.elapsed();
    assert_eq!((loaded.digest(), loaded.node_count()), (tree.digest(), tree.node_count()));
    let each = resident().saturating_sub(before) as f64 / loaded.node_count() as f64;
    println!("load       {took:?} ({fed:?} before finish), {each:.1} bytes resident a node");
    let start = Instant::now();
    drop(loaded);
    println!("drop       {:?}", start.elapsed());
}

struct Bench {
    tree: Tree,
    out: Applied,
    buf: FrameBuf,
    zxid: u64,
}

impl Bench {
    fn new(dirs: &[String]) -> Bench {
        let mut bench = Bench { tree: Tree::new(), out: Applied::new(), buf: FrameBuf::new(), zxid: 0 };
        bench.create(&["/app".to_owned()], b"", 0);
        bench.create(dirs, b"", 0);
        bench
    }

    /// Fills one directory after the other, as clients do that make a queue.
    fn create_all(&mut self, order: &[usize], path_of: &impl Fn(usize) -> String, data: &[u8], timing: &mut Timing) {
        for batch in order.chunks(BATCH) {
            let paths: Vec<String> = batch.iter().map(|n| path_of(*n)).collect();
            timing.add(self.create(&paths, data, 0));
        }
    }

    fn create(&mut self, paths: &[String], data: &[u8], owner: i64) -> Vec<Duration> {
        let mut counts = std::collections::BTreeMap::new();
        for path in paths {
            let parent = ringkeeper_core::tree::path::parent(path);
            let now = || self.tree.get(parent).expect("made before").create_count();
            let parent_cversion = *counts.entry(parent).and_modify(|n| *n += 1).or_insert_with(|| now() + 1);
            let txn = v1::Create { path, data: Some(data), acl: &[], owner, parent_cversion };
            self.zxid = push(&mut self.buf, self.zxid, TxnType::Create, |buf| txn::write_create(buf, &txn));
        }
        self.apply()
    }

    fn set(&mut self, paths: &[String], data: &[u8]) -> Vec<Duration> {
        for path in paths {
            let txn = v1::SetData { path, data: Some(data), version: 1 };
            self.zxid = push(&mut self.buf, self.zxid, TxnType::SetData, |buf| txn::write_set_data(buf, &txn));
        }
        self.apply()
    }

    fn delete(&mut self, paths: &[String]) -> Vec<Duration> {
        for path in paths {
            let txn = v1::Delete { path };
            self.zxid = push(&mut self.buf, self.zxid, TxnType::Delete, |buf| txn::write_delete(buf, &txn));
        }
        self.apply()
    }

    fn apply(&mut self) -> Vec<Duration> {
        let batch = frame::FrameBatch::new(std::mem::take(&mut self.buf));
        let frames: Frames<'_> = batch.frames();
        frames.map(|frame| timed(|| self.tree.apply(&frame, &mut self.out).expect("fits"))).collect()
    }
}

fn push(buf: &mut FrameBuf, last: u64, kind: TxnType, body: impl FnOnce(&mut FrameBuf)) -> u64 {
    let header = FrameHeader {
        zxid: Zxid(last + 1),
        prev_zxid: Zxid(last),
        session: SessionId(1),
        wall: WallMs(1_700_000_000_000),
        cxid: 1,
        txn_type: kind as i32,
        tag: Tag::NONE,
    };
    frame::encode(buf, &header, body);
    last + 1
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

#[derive(Default)]
struct Timing {
    each: Vec<u32>,
}

impl Timing {
    fn add(&mut self, each: Vec<Duration>) {
        self.each.extend(each.into_iter().map(|took| u32::try_from(took.as_nanos()).unwrap_or(u32::MAX)));
    }

    fn total(&self) -> Duration {
        Duration::from_nanos(self.each.iter().map(|ns| u64::from(*ns)).sum())
    }

    fn print(mut self, name: &str) {
        // The median of batches tells the cost of an operation where others take the core away for milliseconds.
        let mut batches: Vec<u64> = self
            .each
            .chunks(BATCH)
            .map(|batch| batch.iter().map(|ns| u64::from(*ns)).sum::<u64>() / batch.len() as u64)
            .collect();
        batches.sort_unstable();
        let mean = batches[batches.len() / 2];
        self.each.sort_unstable();
        let at = |share: f64| self.each[((self.each.len() - 1) as f64 * share) as usize];
        let (p50, p99, p9999, worst) = (at(0.5), at(0.99), at(0.9999), at(1.0));
        println!("{name:<19} typical mean {mean} p50 {p50} p99 {p99} p99.99 {p9999} worst {worst} ns");
    }
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0);
    pages * 4096
}
