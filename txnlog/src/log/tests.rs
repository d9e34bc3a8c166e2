//! The log of a server on a simulated disk, with every step in the test's hand.

mod look;
mod watermark;

use super::*;
use crate::error::OpenError;
use crate::format::{BLOCK, segment_name};
use crate::reader::LogReader;
use crate::recovery::{Rebuild, Summary};
use crate::sim::{CrashStyle, Fault, SimDevice, SimDisk, Waiting};
use crate::snapshot::{Origin, SnapshotHead, snapshot_name};
use crate::testing::batch;
use ringkeeper_core::frame::Frame;
use ringkeeper_core::ids::{Epoch, WallMs};

/// Counts what it is given.
#[derive(Default)]
struct Count {
    snapshot: Option<Zxid>,
    /// Transactions behind it, with those of the tail.
    frames: u64,
    summary: Summary,
}

impl Rebuild for Count {
    fn begin(&mut self, head: &SnapshotHead) {
        *self = Count { snapshot: Some(head.zxid), ..Count::default() };
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
        count.summary = recovery.replay(&mut count).unwrap();
        assert_eq!(count.frames, count.summary.frames);
        count.frames += recovery.take_tail().iter().map(|batch| u64::from(batch.count())).sum::<u64>();
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

    /// Appends one transaction that leaves out zxids.
    fn append_after(&mut self, prev: u64, zxid: u64) {
        let mut frame = ringkeeper_core::frame::FrameBuf::new();
        crate::testing::frame(&mut frame, prev, zxid, 0, 10);
        self.log.append(Arc::new(FrameBatch::new(frame)));
        self.settle();
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

    /// The answer to a read that is carried out at once.
    fn read(&mut self, reader: &LogReader, after: u64, max_bytes: usize) -> ReadOutcome {
        let ticket = self.log.read_after(reader, Zxid(after), max_bytes);
        self.settle();
        self.answer(ticket)
    }

    fn answer(&mut self, wanted: ReadTicket) -> ReadOutcome {
        let answer = self.events.iter().find_map(|e| match e {
            LogEvent::Read { ticket, outcome } if *ticket == wanted => Some(outcome.clone()),
            _ => None,
        });
        answer.expect("the read is answered")
    }

    fn file_of(&self, sequence: u64) -> Vec<u8> {
        self.disk.content(&segment_name(sequence)).expect("the segment exists")
    }
}

fn range(outcome: &ReadOutcome) -> (u64, u64) {
    let ReadOutcome::Frames(frames) = outcome else { panic!("{outcome:?}") };
    assert!(frames.frames().all(|f| Frame::parse(f.as_bytes()).is_ok()));
    (frames.first().0, frames.last().0)
}

#[test]
fn nothing_happens_before_the_device_is_stepped() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    let epochs = Epochs { accepted: Epoch(3), current: Epoch(2), ensemble: 5, member: true, ..Epochs::default() };
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
    let epochs = Epochs { accepted: Epoch(3), current: Epoch(2), ensemble: 5, member: true, ..Epochs::default() };
    bench.log.save_epochs(epochs);
    bench.log.save_epochs(Epochs { ensemble: 6, ..epochs });
}

#[test]
fn a_snapshot_is_written_step_by_step_and_named_last() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 10, 100);
    let head = SnapshotHead { zxid: Zxid(5), digest: 0, nodes: 0, sessions: 0, wall: WallMs(0) };
    bench.log.begin_snapshot(head, Origin::Local).unwrap();
    bench.settle();
    assert_eq!(bench.device.waiting(), [], "the job waits for bytes");
    bench.log.abort_snapshot();
    bench.settle();
    assert!(matches!(bench.events.last(), Some(LogEvent::SnapshotFailed { zxid: Zxid(5), .. })), "woken to hear of it");
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

#[test]
fn consecutive_reads_bring_the_whole_log_across_segments() {
    let mut bench = Bench::new(&config(16 << 10), 1);
    bench.append(1, 60, 700);
    let reader = LogReader::default();
    let (mut last, mut reads) = (0, 0);
    while last < 60 {
        let outcome = bench.read(&reader, last, 2_000);
        let (first, through) = range(&outcome);
        assert_eq!(first, last + 1);
        assert!(through - last <= 2);
        (last, reads) = (through, reads + 1);
    }
    assert!(reads >= 30);
    assert_eq!(bench.read(&reader, 60, 2_000), ReadOutcome::End);
    assert_eq!(range(&bench.read(&reader, 17, 0)), (18, 18), "anywhere else, and at least one");
    assert_eq!(range(&bench.read(&reader, 0, 1 << 20)), (1, 60), "everything at once");
}

#[test]
fn a_read_sees_nothing_that_was_not_durable_when_it_was_asked_for() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 5, 100);
    let ticket = bench.log.read_after(&LogReader::default(), Zxid(2), 1 << 20);
    bench.log.append(Arc::new(batch(5, &[100])));
    bench.turn();
    while let Some(index) = bench.device.waiting().iter().position(|w| matches!(w, Waiting::Write { .. })) {
        bench.device.step(index);
    }
    bench.settle();
    assert_eq!(range(&bench.answer(ticket)), (3, 5));
}

#[test]
fn the_next_read_does_not_search_from_the_beginning() {
    let mut bench = Bench::new(&config(8 << 20), 1);
    bench.append(1, 700, 7_000);
    let reader = LogReader::default();
    range(&bench.read(&reader, 690, 10_000));
    let before = bench.disk.operations();
    assert_eq!(range(&bench.read(&reader, 691, 10_000)), (692, 692));
    let with_place = bench.disk.operations() - before;
    range(&bench.read(&LogReader::default(), 691, 10_000));
    let without = bench.disk.operations() - before - with_place;
    assert!(with_place <= 4 && without > with_place, "{with_place} and {without} operations");
}

#[test]
fn of_what_is_no_transaction_of_the_log_the_one_before_is_told() {
    let config = config(16 << 10);
    let mut bench = Bench::new(&config, 1);
    bench.append(1, 30, 1000);
    let reader = LogReader::default();
    assert_eq!(bench.read(&reader, 31, 100), ReadOutcome::Gone);
    bench.append_after(30, 100);
    assert_eq!(bench.read(&reader, 50, 100), ReadOutcome::Diverged(Zxid(30)), "between 30 and 100 there is nothing");
    assert_eq!(range(&bench.read(&reader, 30, 100)), (100, 100));
    bench.snapshot(30, Origin::Local);
    assert_eq!(bench.read(&reader, 0, 100), ReadOutcome::Gone, "a snapshot stands for the beginning");
}

#[test]
fn what_a_reader_would_have_to_read_is_known() {
    let mut bench = Bench::new(&config(16 << 10), 1);
    bench.append(1, 30, 1000);
    let behind = |bench: &Bench, after| bench.log.bytes_behind(Zxid(after));
    assert_eq!(behind(&bench, 30), 0);
    assert!(behind(&bench, 0) > 30 * 1000 && behind(&bench, 15) < behind(&bench, 0), "{}", behind(&bench, 0));
}

/// Segments are used again while a read has one open, and before it opens one.
#[test]
fn a_segment_used_again_under_a_read_is_gone() {
    for steps in 0..2 {
        let mut bench = Bench::new(&LogConfig { recycle: 100, ..config(16 << 10) }, 1);
        bench.append(1, 30, 1000);
        let ticket = bench.log.read_after(&LogReader::default(), Zxid(0), 1 << 20);
        for _ in 0..steps {
            bench.step_job("read");
        }
        let head = SnapshotHead { zxid: Zxid(30), digest: 0, nodes: 0, sessions: 0, wall: WallMs(0) };
        bench.log.begin_snapshot(head, Origin::Local).unwrap();
        bench.log.snapshot_chunk(vec![7; 1000], true);
        bench.turn();
        let mut next = 31;
        // The read waits while everything else goes on.
        while next < 60 {
            bench.turn();
            match bench.device.waiting().iter().position(|w| *w != Waiting::Job("read")) {
                Some(index) => drop(bench.device.step(index)),
                None => {
                    bench.log.append(Arc::new(batch(next - 1, &[1000])));
                    next += 1;
                }
            }
        }
        assert!(!bench.disk.names().contains(&segment_name(1)), "{:?}", bench.disk.names());
        bench.settle();
        assert_eq!(bench.answer(ticket), ReadOutcome::Gone, "after {steps} steps");
    }
}

#[test]
fn damage_is_reported_with_its_place() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 8, 1000);
    // The first batch says that the log has begun; each of the others is one block.
    let offset = (BLOCK * (2 + 3)) as u64;
    bench.disk.flip(&segment_name(1), offset + 500, 3);
    let reader = LogReader::default();
    assert_eq!(range(&bench.read(&reader, 0, 3000)), (1, 2));
    assert_eq!(range(&bench.read(&reader, 2, 3000)), (3, 3), "what is before it comes first");
    let ReadOutcome::Damaged(corruption) = bench.read(&reader, 3, 3000) else { panic!("nothing is noticed") };
    assert_eq!((corruption.file, corruption.offset), (segment_name(1), offset));
    assert_eq!((corruption.after, corruption.until), (Some(Zxid(3)), Some(Zxid(8))));
    assert_eq!(bench.file_of(1).len(), 64 << 10);
}

#[test]
fn a_read_from_before_a_cut_or_a_restart_is_gone() {
    let mut bench = Bench::new(&config(64 << 10), 1);
    bench.append(1, 10, 100);
    let reader = LogReader::default();
    let ticket = bench.log.read_after(&reader, Zxid(2), 1 << 20);
    bench.step_job("read");
    bench.step_job("read");
    bench.log.cut_back(Zxid(6)).unwrap();
    assert_eq!(bench.read(&reader, 2, 100), ReadOutcome::Gone, "while the mark is on its way");
    bench.settle();
    assert_eq!(bench.answer(ticket), ReadOutcome::Gone, "read before, answered after");
    bench.append(7, 8, 50);
    assert_eq!(range(&bench.read(&reader, 2, 1 << 20)), (3, 8), "across the cut, nothing of what was cut off");
    bench.append_after(8, 20);
    assert_eq!(bench.read(&reader, 10, 100), ReadOutcome::Diverged(Zxid(8)), "10 was cut off");
    bench.snapshot(50, Origin::Installed);
    assert_eq!(bench.read(&reader, 2, 100), ReadOutcome::Gone);
    bench.append(51, 52, 50);
    assert_eq!(range(&bench.read(&reader, 50, 100)), (51, 51));
}
