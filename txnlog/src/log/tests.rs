//! The log of a server on a simulated disk, with every step in the test's hand.

use super::*;
use crate::error::OpenError;
use crate::recovery::Rebuild;
use crate::sim::{CrashStyle, Fault, SimDevice, SimDisk, Waiting};
use crate::snapshot::{Origin, SnapshotHead, snapshot_name};
use crate::testing::batch;
use ringkeeper_core::frame::Frame;
use ringkeeper_core::ids::{Epoch, WallMs};

/// Counts what it is given.
#[derive(Default)]
struct Count {
    snapshot: Option<Zxid>,
    frames: u64,
}

impl Rebuild for Count {
    fn begin(&mut self, head: &SnapshotHead) {
        *self = Count { snapshot: Some(head.zxid), frames: 0 };
    }
    fn chunk(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn empty(&mut self) {
        *self = Count::default();
    }
    fn frame(&mut self, _: &Frame<'_>) -> Result<(), String> {
        self.frames += 1;
        Ok(())
    }
}

struct Bench {
    disk: SimDisk,
    log: Log,
    device: SimDevice,
    events: Vec<LogEvent>,
    salt: u64,
}

fn config(segment_bytes: u64) -> LogConfig {
    LogConfig { segment_bytes, batch_bytes: 8 << 10, reserve_bytes: 8 << 10, recycle: 1, ..LogConfig::default() }
}

impl Bench {
    fn new(config: &LogConfig, keep: usize) -> Bench {
        Bench::open(SimDisk::new(1), config, keep, 1).0
    }

    fn open(disk: SimDisk, config: &LogConfig, keep: usize, salt: u64) -> (Bench, Count) {
        let shared: Arc<dyn crate::disk::Disk> = Arc::new(disk.clone());
        let dirs = Dirs { log: Arc::clone(&shared), data: Arc::clone(&shared) };
        let snapshots = SnapshotConfig { keep, read_ahead: false, block_bytes: 256, ..SnapshotConfig::default() };
        let mut recovery = Recovery::open(dirs, config.clone(), snapshots).unwrap();
        let mut count = Count::default();
        recovery.replay(&mut count).unwrap();
        let completions = Arc::new(Completions::default());
        let device = SimDevice::new(shared, config.defects, Arc::clone(&completions));
        let (own, background) = (Box::new(device.clone()), Box::new(device.clone()));
        let log = Log::with_device(recovery, own, background, completions, salt, Instant(1)).unwrap();
        (Bench { disk, log, device, events: Vec::new(), salt }, count)
    }

    /// The same disk after a loss of power.
    fn restart(self, config: &LogConfig, keep: usize) -> (Bench, Count) {
        let Bench { disk, salt, .. } = self;
        disk.power_loss(CrashStyle::None);
        Bench::open(disk, config, keep, salt + 1)
    }

    fn turn(&mut self) {
        self.log.turn(Instant(1), &mut self.events);
    }

    /// Carries out everything.
    fn settle(&mut self) {
        self.turn();
        while !self.device.waiting().is_empty() {
            self.device.step(0);
            self.turn();
        }
    }

    /// Carries out a part of a job, and nothing else.
    fn step_job(&mut self, name: &'static str) {
        let index = self.device.waiting().iter().position(|w| *w == Waiting::Job(name)).expect("the job waits");
        self.device.step(index);
    }

    /// Appends transactions `from..=to` of the epoch 0, one after the other, all of them durable.
    fn append(&mut self, from: u64, to: u64, len: usize) {
        for zxid in from..=to {
            self.log.append(Arc::new(batch(zxid - 1, &[len])));
            self.settle();
        }
        assert_eq!(self.log.durable(), Zxid(to));
    }

    /// Hands a snapshot over, up to the step before it is verified.
    fn hand_over(&mut self, zxid: u64, origin: Origin) {
        let head = SnapshotHead { zxid: Zxid(zxid), digest: 0, nodes: 0, sessions: 0, wall: WallMs(0) };
        self.log.begin_snapshot(head, origin).unwrap();
        while !self.log.snapshot_wants_more() {
            self.turn();
        }
        self.log.snapshot_chunk(vec![7; 1000], true);
        self.step_job("snapshot");
        self.turn();
        self.step_job("snapshot");
        self.turn();
    }

    fn snapshot(&mut self, zxid: u64, origin: Origin) {
        self.hand_over(zxid, origin);
        self.settle();
        assert!(self.events.contains(&LogEvent::SnapshotDone { zxid: Zxid(zxid) }), "{:?}", self.events);
    }
}

#[test]
fn nothing_happens_before_the_device_is_stepped() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    let epochs = Epochs { accepted: Epoch(3), current: Epoch(2), ensemble: 5, member: true };
    bench.log.save_epochs(epochs);
    bench.log.append(Arc::new(batch(0, &[10])));
    bench.turn();
    bench.turn();
    assert_eq!(bench.events, []);
    bench.step_job("epochs");
    bench.turn();
    assert_eq!(bench.events, [LogEvent::EpochsSaved(epochs)]);
    bench.settle();
    assert_eq!(bench.log.durable(), Zxid(1));
    let (bench, count) = bench.restart(&config(64 << 10), 1);
    assert_eq!((bench.log.epochs, count.frames), (epochs, 1));
}

#[test]
#[should_panic(expected = "one ensemble")]
fn a_member_stays_with_its_ensemble() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    let epochs = Epochs { accepted: Epoch(3), current: Epoch(2), ensemble: 5, member: true };
    bench.log.save_epochs(epochs);
    bench.log.save_epochs(Epochs { ensemble: 6, ..epochs });
}

#[test]
fn a_snapshot_is_written_step_by_step_and_named_last() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 10, 100);
    bench.hand_over(10, Origin::Local);
    bench.step_job("snapshot");
    assert!(!bench.disk.names().contains(&snapshot_name(Zxid(10))), "complete, but not named");
    assert_eq!(bench.log.snapshots(), []);
    bench.step_job("snapshot");
    assert!(bench.disk.names().contains(&snapshot_name(Zxid(10))));
    bench.settle();
    assert_eq!(bench.log.snapshots(), [Zxid(10)]);
    assert!(bench.events.contains(&LogEvent::SnapshotDone { zxid: Zxid(10) }));
    bench.log.finish();
    bench.settle();
    assert!(bench.log.is_finished());
    let (_, count) = bench.restart(&config(64 << 10), 1);
    assert_eq!((count.snapshot, count.frames), (Some(Zxid(10)), 0));
}

#[test]
fn a_snapshot_of_what_is_cut_off_while_it_gets_its_name_does_not_count() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 5, 100);
    bench.snapshot(5, Origin::Local);
    bench.append(6, 10, 100);
    bench.hand_over(10, Origin::Local);
    bench.step_job("snapshot");
    bench.log.cut_back(Zxid(7)).unwrap();
    bench.settle();
    assert_eq!(bench.log.snapshots(), [Zxid(5)], "the one that counts stays, although only one is kept");
    assert!(bench.events.iter().any(|e| matches!(e, LogEvent::SnapshotFailed { zxid: Zxid(10), .. })));
    let (_, count) = bench.restart(&config(64 << 10), 1);
    assert_eq!((count.snapshot, count.frames), (Some(Zxid(5)), 2));
}

#[test]
fn what_is_cut_off_while_old_snapshots_are_removed_releases_nothing() {
    let config = config(16 << 10);
    let mut bench = Bench::new(&config, 2);
    bench.append(1, 40, 1000);
    bench.hand_over(20, Origin::Local);
    bench.settle();
    bench.hand_over(40, Origin::Local);
    bench.step_job("snapshot");
    bench.step_job("snapshot");
    bench.turn();
    assert!(bench.device.waiting().contains(&Waiting::Job("purge")));
    assert_eq!(bench.log.snapshots(), [Zxid(20), Zxid(40)]);
    bench.log.cut_back(Zxid(10)).unwrap();
    bench.append(11, 30, 1000);
    let (_, count) = bench.restart(&config, 2);
    assert_eq!((count.snapshot, count.frames), (None, 30), "only the log itself holds the beginning");
}

#[test]
fn an_installed_snapshot_that_may_have_its_name_is_not_gone_back_on() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 10, 100);
    bench.hand_over(50, Origin::Installed);
    bench.step_job("snapshot");
    assert!(matches!(bench.log.cut_back(Zxid(5)), Err(OpenError::Refused(_))));
    bench.disk.inject(Fault::SyncDir, 0);
    bench.step_job("snapshot");
    bench.turn();
    assert!(matches!(bench.events.last(), Some(LogEvent::Failed(_))), "{:?}", bench.events);
}
