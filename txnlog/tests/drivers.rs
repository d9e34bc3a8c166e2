//! The real drivers on a real directory: write, restart, read back; rotation, snapshots, reuse of segments.

#![allow(clippy::unwrap_used, reason = "tests")]

use ringkeeper_core::frame::{Frame, FrameBatch, FrameBuf, FrameHeader, encode};
use ringkeeper_core::ids::{Epoch, Instant, SessionId, Tag, WallMs, Zxid};
use ringkeeper_txnlog::config::{DriverKind, Durability, LogConfig, SnapshotConfig};
use ringkeeper_txnlog::disk::FsDisk;
use ringkeeper_txnlog::epochs::Epochs;
use ringkeeper_txnlog::recovery::{Dirs, Rebuild, Recovery, Summary};
use ringkeeper_txnlog::snapshot::{Origin, SnapshotHead};
use ringkeeper_txnlog::{Log, LogEvent};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const EPOCH: Epoch = Epoch(1);

/// A state that remembers what it was given.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
struct Record {
    snapshot: Option<Zxid>,
    bytes: Vec<u8>,
    frames: Vec<Zxid>,
}

impl Rebuild for Record {
    fn begin(&mut self, head: &SnapshotHead) {
        *self = Record { snapshot: Some(head.zxid), ..Record::default() };
    }
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn empty(&mut self) {
        *self = Record::default();
    }
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        assert_eq!(frame.body(), body(frame.zxid()));
        self.frames.push(frame.zxid());
        Ok(())
    }
}

fn body(zxid: Zxid) -> Vec<u8> {
    vec![zxid.counter() as u8; 10 + zxid.counter() as usize % 300]
}

fn zxid(counter: u32) -> Zxid {
    Zxid::new(EPOCH, counter)
}

/// Frames `from..=to`, following what was there.
fn frames(from: u32, to: u32) -> Arc<FrameBatch> {
    let mut buf = FrameBuf::new();
    for counter in from..=to {
        let zxid = zxid(counter);
        let prev_zxid = if counter == 1 { Zxid::ZERO } else { Zxid(zxid.0 - 1) };
        let header = FrameHeader {
            zxid,
            prev_zxid,
            session: SessionId(7),
            wall: WallMs(0),
            cxid: 0,
            txn_type: 1,
            tag: Tag::NONE,
        };
        encode(&mut buf, &header, |out| out.extend_from_slice(&body(zxid)));
    }
    Arc::new(FrameBatch::new(buf))
}

fn now() -> Instant {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    Instant(START.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64)
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 256 << 10, reserve_bytes: 64 << 10, ..LogConfig::default() }
}

fn recover(dir: &Path, log: LogConfig) -> (Recovery, Arc<FsDisk>, Record, Summary) {
    let disk = FsDisk::open(dir).unwrap();
    let dirs = Dirs { log: disk.clone(), data: disk.clone() };
    let mut recovery = Recovery::open(dirs, log, SnapshotConfig::default()).unwrap();
    let mut record = Record::default();
    let summary = recovery.replay(&mut record).unwrap();
    for batch in recovery.take_tail() {
        batch.frames().for_each(|frame| record.frame(&frame).unwrap());
    }
    (recovery, disk, record, summary)
}

/// Turns until `wanted` says of an event that it is the one.
async fn wait(log: &mut Log, mut wanted: impl FnMut(&LogEvent) -> bool) {
    let mut events = Vec::new();
    loop {
        log.turn(now(), &mut events);
        for event in events.drain(..) {
            assert!(!matches!(event, LogEvent::Failed(_) | LogEvent::SnapshotFailed { .. }), "{event:?}");
            if wanted(&event) {
                return;
            }
        }
        let ready = log.ready();
        match log.next_deadline() {
            Some((at, _)) => {
                glommio::timer::timeout(at.since(now()), async {
                    ready.await;
                    Ok(())
                })
                .await
                .unwrap_or(());
            }
            None => ready.await,
        }
    }
}

async fn durable(log: &mut Log, counter: u32) {
    if log.durable() < zxid(counter) {
        wait(log, |e| matches!(e, LogEvent::Durable { through, .. } if *through >= zxid(counter))).await;
    }
}

async fn snapshot(log: &mut Log, counter: u32, bytes: &[u8]) {
    let head = SnapshotHead { zxid: zxid(counter), digest: 1, nodes: 2, sessions: 3, wall: WallMs(4) };
    log.begin_snapshot(head, Origin::Local).unwrap();
    let mut chunks = bytes.chunks(1000).peekable();
    let mut events = Vec::new();
    while chunks.peek().is_some() {
        if log.snapshot_wants_more() {
            let chunk = chunks.next().unwrap();
            let mut buffer = log.snapshot_buffer();
            buffer.extend_from_slice(chunk);
            log.snapshot_chunk(buffer, chunks.peek().is_none());
        } else {
            log.ready().await;
        }
        log.turn(now(), &mut events);
    }
    let done = LogEvent::SnapshotDone { zxid: zxid(counter) };
    if !events.contains(&done) {
        wait(log, |e| *e == done).await;
    }
}

fn on_executor<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + Send + 'static) {
    glommio::LocalExecutorBuilder::default()
        .io_memory(1 << 20)
        .spawn(|| async move { test().await })
        .unwrap()
        .join()
        .unwrap();
}

fn write_restart_read(kind: DriverKind, durability: Durability) {
    write_restart_read_with(kind, LogConfig { durability, ..config() });
}

fn write_restart_read_with(kind: DriverKind, log_config: LogConfig) {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().to_path_buf();
    on_executor(move || async move {
        let (recovery, disk, record, _) = recover(&dir, log_config.clone());
        assert_eq!(record, Record::default());
        let mut log = Log::go_live(recovery, &disk, kind, now()).await.unwrap();
        drop(disk);
        let epochs = Epochs { accepted: EPOCH, current: EPOCH, ensemble: 99, member: true, ..Epochs::default() };
        log.save_epochs(epochs);
        wait(&mut log, |e| *e == LogEvent::EpochsSaved(epochs)).await;
        let mut last = 0;
        for round in 0..200 {
            let next = last + 1 + round * 7 % 90;
            log.append(frames(last + 1, next));
            last = next;
            if round % 3 == 0 {
                durable(&mut log, last).await;
                log.committed(zxid(last));
            }
            if round % 40 == 39 {
                durable(&mut log, last).await;
                snapshot(&mut log, last, &vec![round as u8; 100_000]).await;
            }
        }
        durable(&mut log, last).await;
        log.committed(zxid(last - 1));
        log.close(now).await.unwrap();

        let (recovery, _disk, record, summary) = recover(&dir, log_config);
        assert_eq!(recovery.epochs(), epochs);
        assert_eq!((summary.last, summary.committed), (zxid(last), zxid(last)), "the last snapshot is of the last one");
        assert_eq!(summary.torn, None);
        let base = record.snapshot.expect("snapshots were made").counter();
        assert!(record.bytes.len() == 100_000 && record.bytes.iter().all(|&b| b == 199));
        assert_eq!(record.frames, (base + 1..=last).map(zxid).collect::<Vec<_>>());
        let names: Vec<String> =
            std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.iter().filter(|n| n.starts_with("snap.")).count(), 3, "{names:?}");
        assert!(!names.contains(&"segment.0000000000000001".to_string()), "old segments are used again: {names:?}");
        assert!(names.iter().all(|n| !n.ends_with(".tmp")), "{names:?}");
    });
}

#[test]
fn thread_always() {
    write_restart_read(DriverKind::Thread, Durability::Always);
}

#[test]
fn thread_interval() {
    write_restart_read(DriverKind::Thread, Durability::Interval(Duration::from_millis(5)));
}

#[test]
fn thread_os() {
    write_restart_read(DriverKind::Thread, Durability::Os);
}

#[test]
fn uring_dsync_always() {
    write_restart_read(DriverKind::UringDsync, Durability::Always);
}

#[test]
fn uring_dsync_interval() {
    write_restart_read(DriverKind::UringDsync, Durability::Interval(Duration::from_millis(5)));
}

#[test]
fn uring_fdatasync_always() {
    write_restart_read(DriverKind::UringFdatasync, Durability::Always);
}

#[test]
fn auto_always() {
    write_restart_read(DriverKind::Auto, Durability::Always);
}

#[test]
fn auto_that_changes_over_after_each_write() {
    write_restart_read_with(
        DriverKind::AutoEvery(1),
        LogConfig { writes_in_flight: 1, durability: Durability::Always, ..config() },
    );
}

#[test]
fn auto_that_changes_over_with_many_writes_in_flight() {
    write_restart_read_with(
        DriverKind::AutoEvery(7),
        LogConfig { writes_in_flight: 4, durability: Durability::Always, ..config() },
    );
}

#[test]
fn auto_that_changes_over_between_a_write_and_its_sync() {
    write_restart_read_with(
        DriverKind::AutoEvery(3),
        LogConfig { writes_in_flight: 2, durability: Durability::Interval(Duration::from_millis(5)), ..config() },
    );
}

#[test]
fn auto_that_changes_over_and_never_syncs() {
    write_restart_read_with(
        DriverKind::AutoEvery(2),
        LogConfig { writes_in_flight: 2, durability: Durability::Os, ..config() },
    );
}

#[test]
fn auto_is_closed_in_the_middle_of_a_change_over() {
    // With an even number of writes before the end the thread has the last one, with an odd number io_uring.
    for before in [0, 1, 2, 3] {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().to_path_buf();
        on_executor(move || async move {
            let log_config = LogConfig { batch_bytes: 4096, writes_in_flight: 8, ..config() };
            let (recovery, disk, _, _) = recover(&dir, log_config.clone());
            let mut log = Log::go_live(recovery, &disk, DriverKind::AutoEvery(1), now()).await.unwrap();
            drop(disk);
            let epochs = Epochs { accepted: EPOCH, current: EPOCH, ..Epochs::default() };
            log.save_epochs(epochs);
            wait(&mut log, |e| *e == LogEvent::EpochsSaved(epochs)).await;
            for counter in 1..=before {
                log.append(frames(counter, counter));
                durable(&mut log, counter).await;
            }
            // Too much for one write: the first is under way, seven wait for the change-over, the rest is still queued.
            log.append(frames(before + 1, before + 500));
            log.turn(now(), &mut Vec::new());
            log.close(now).await.unwrap();
            let (_, _disk, record, summary) = recover(&dir, log_config);
            assert_eq!((summary.last, summary.torn), (zxid(before + 500), None));
            assert_eq!(record.frames, (1..=before + 500).map(zxid).collect::<Vec<_>>());
        });
    }
}
