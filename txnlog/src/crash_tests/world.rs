//! A server's disk life: appends, snapshots, cuts, crashes at any operation, recovery, again and again.

use super::model::{Death, Entry, History, Model, State, encode};
use crate::config::{Durability, LogConfig, SnapshotConfig};
use crate::disk::Disk;
use crate::driver::Files;
use crate::epochs::{self, Epochs};
use crate::error::OpenError;
use crate::format::{BLOCK, BatchKind};
use crate::planted::Defects;
use crate::recovery::{Dirs, Recovery, Repaired, Summary};
use crate::sim::{CrashStyle, Fault, Rng, SimDisk};
use crate::snapshot::{Origin, SnapshotHead, SnapshotWriter, retention, snapshot_name, task};
use crate::writer::{Done, LogOp, LogWriter, PrepareError, WriteOp};
use crate::{segment, testing};
use ringkeeper_core::frame::{FrameBatch, FrameBuf};
use ringkeeper_core::ids::{Epoch, Instant, WallMs, Zxid};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Tells what happens, when one seed is replayed.
macro_rules! trace {
    ($world:expr, $($what:tt)*) => {
        if $world.traced {
            println!($($what)*);
        }
    };
}

/// How often rare things happened, over all seeds of a run.
pub(crate) type Sometimes = BTreeMap<&'static str, u64>;

/// One seed's disk and what was promised about it.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) disk: SimDisk,
    pub(crate) log: LogConfig,
    pub(crate) snapshot: SnapshotConfig,
    pub(crate) model: Model,
    pub(crate) seen: Sometimes,
    pub(crate) traced: bool,
    now: Instant,
    death: Death,
    faults: bool,
    cuts: bool,
    full: bool,
}

/// How a life ended.
#[derive(Debug)]
pub(crate) enum End {
    Crashed,
    Failed,
    Closed,
}

/// A process between start and end.
pub(crate) struct Life {
    pub(crate) writer: LogWriter,
    files: Files,
    writes: Vec<(WriteOp, bool)>,
    syncs: VecDeque<(u64, u64)>,
    background: VecDeque<LogOp>,
    snapshots: Vec<Zxid>,
    /// Request that writes the mark which ends the history before.
    mark: Option<u64>,
    restarting: bool,
}

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.below(choices.len() as u64) as usize]
}

impl World {
    /// Settings drawn from the seed: each run has its own mixture.
    pub(crate) fn new(seed: u64, defects: Defects) -> World {
        let mut rng = Rng::new(seed);
        let r = &mut rng;
        let interval = Durability::Interval(Duration::from_millis(5));
        let log = LogConfig {
            durability: pick(
                r,
                &[Durability::Always, Durability::Always, Durability::Always, interval, Durability::Os],
            ),
            segment_bytes: pick(r, &[16, 24, 32, 64]) << 10,
            batch_bytes: pick(r, &[4, 8, 16]) << 10,
            batch_delay: Duration::from_millis(pick(r, &[0, 0, 1])),
            writes_in_flight: pick(r, &[1, 1, 1, 2, 4]),
            recycle: pick(r, &[0, 1, 2]),
            seal_after: pick(r, &[None, Some(Duration::from_millis(3))]),
            reserve_bytes: 8 << 10,
            retry_after: Duration::from_millis(5),
            prepare_rate: 0,
            defects,
        };
        let snapshot = SnapshotConfig {
            keep: pick(r, &[1, 2, 3]),
            level: 1,
            block_bytes: pick(r, &[256, 1024, 4096]),
            rate: 0,
            read_ahead: false,
            defects,
        };
        let disk = SimDisk::new(rng.next_u64());
        let (faults, cuts, full) = (rng.percent(30), rng.percent(30), rng.percent(20));
        World {
            rng,
            disk,
            log,
            snapshot,
            model: Model::default(),
            seen: Sometimes::new(),
            traced: false,
            now: Instant(1),
            death: Death::Power,
            faults,
            cuts,
            full,
        }
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Several lives, each ended by something else.
    pub(crate) fn run(&mut self) {
        for _ in 0..2 + self.rng.below(5) {
            if self.rng.percent(30) {
                self.disk.crash_after(self.rng.below(60));
            }
            if self.faults && self.rng.percent(10) {
                let skip = self.rng.below(20);
                self.disk.inject(pick(&mut self.rng, &[Fault::Read, Fault::Sync, Fault::Write, Fault::SyncDir]), skip);
            }
            let mut life = match self.start() {
                Ok(life) => life,
                Err(_) if self.disk.has_crashed() => {
                    self.note("crash during recovery");
                    self.die();
                    continue;
                }
                Err(e) if self.faults => {
                    self.note("recovery met a device error");
                    assert!(self.disk.faults_struck() > 0, "no fault, but {e}");
                    self.die();
                    continue;
                }
                Err(e) => panic!("recovery refuses what crashes alone have made: {e}"),
            };
            self.disk.heal();
            self.live(&mut life);
            self.die();
        }
        self.disk.heal();
        self.disk.set_capacity(u64::MAX);
        let mut life = self.start().unwrap_or_else(|e| panic!("recovery refuses what crashes alone have made: {e}"));
        self.close(&mut life).expect("nothing fails at the end");
        self.damage();
    }

    /// The process ends, perhaps with the power.
    pub(crate) fn die(&mut self) {
        if self.disk.faults_struck() > 0 {
            // A failed sync takes what was not stable, as power loss does.
            self.death = Death::Power;
        }
        self.disk.heal();
        self.disk.set_capacity(u64::MAX);
        if self.disk.has_crashed() && self.rng.percent(80) || self.rng.percent(50) {
            let style = pick(&mut self.rng, &CrashStyle::ALL);
            self.disk.power_loss(style);
            self.death = Death::Power;
        } else {
            self.disk.restart();
        }
    }

    /// Recovery, compared with the model.
    pub(crate) fn start(&mut self) -> Result<Life, OpenError> {
        trace!(self, "starting {:?}", self.disk.names());
        let (writer, found, summary, repaired) = self.open()?;
        let snapshots = repaired.snapshots.clone();
        if summary.torn.is_some() {
            self.note("torn tail");
        }
        if !summary.damaged_snapshots.is_empty() {
            self.note("snapshot not usable");
        }
        if repaired.restart_at.is_some() {
            self.note("restart finished by recovery");
        }
        let (entries, epochs) = found;
        trace!(self, "start {summary:?} {:?}", repaired.restart_at);
        if let Err(e) = self.model.recovered(&entries, epochs, self.death) {
            panic!("{e}");
        }
        self.death = Death::Process;
        self.now = self.now.plus(Duration::from_millis(1));
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        Ok(Life {
            writer,
            files: Files::new(disk, self.log.defects),
            writes: Vec::new(),
            syncs: VecDeque::new(),
            background: VecDeque::new(),
            snapshots,
            mark: repaired.restart_at.map(|_| u64::MAX),
            restarting: repaired.restart_at.is_some(),
        })
    }

    /// What recovery finds on a disk, without changing it.
    pub(crate) fn read(&self, disk: &SimDisk) -> Result<(Recovery, State, Summary), OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let dirs = Dirs { log: Arc::clone(&disk), data: disk };
        let mut recovery = Recovery::open(dirs, self.log.clone(), self.snapshot.clone())?;
        let mut state = State::default();
        let summary = recovery.replay(&mut state)?;
        Ok((recovery, state, summary))
    }

    #[allow(clippy::type_complexity, reason = "a test's bundle")]
    fn open(&mut self) -> Result<(LogWriter, (Vec<Entry>, Epochs), Summary, Repaired), OpenError> {
        let (mut recovery, state, summary) = self.read(&self.disk)?;
        let salt = self.rng.next_u64();
        let mut repaired = recovery.repair(salt)?;
        let epochs = recovery.epochs();
        let tail = std::mem::replace(&mut repaired.tail, crate::writer::Tail::empty());
        let mut writer = LogWriter::new(self.log.clone(), tail, salt, self.now);
        if let Some(at) = repaired.restart_at {
            writer.restart_at(at);
        }
        writer.release_through(repaired.log_through);
        Ok((writer, (state.entries, epochs), summary, repaired))
    }

    fn live(&mut self, life: &mut Life) {
        if self.rng.percent(85) {
            self.disk.crash_after(self.rng.below(500));
        }
        for _ in 0..50 + self.rng.below(300) {
            match self.action(life) {
                Ok(()) => {}
                Err(end) => {
                    self.note(match end {
                        End::Crashed => "crash",
                        End::Failed => "log failed",
                        End::Closed => "closed",
                    });
                    return;
                }
            }
        }
        if self.rng.percent(50) && self.close(life).is_ok() {
            self.note("closed");
        }
    }

    fn action(&mut self, life: &mut Life) -> Result<(), End> {
        match self.rng.below(100) {
            0..30 => self.append(life),
            30..80 => return self.device(life),
            80..90 => self.now = self.now.plus(Duration::from_millis(self.rng.below(5))),
            90..93 => return self.take_snapshot(life),
            93 => return self.save_epochs(),
            94 if self.cuts => return self.cut_back(life),
            95 if self.cuts => return self.install(life),
            96 if self.faults => {
                let fault = pick(&mut self.rng, &[Fault::Sync, Fault::Write, Fault::Sync, Fault::SyncDir]);
                let skip = self.rng.below(10);
                self.disk.inject(fault, skip);
            }
            97 if self.full => return self.fill_up(life),
            _ => life.writer.request_sync(),
        }
        self.pump(life);
        Ok(())
    }

    fn append(&mut self, life: &mut Life) {
        if self.model.epochs.accepted == Epoch(0) || life.restarting {
            return;
        }
        if !life.writer.has_room() {
            self.note("no room");
            return;
        }
        let count = 1 + self.rng.below(3);
        self.append_sizes(life, count, |rng| match rng.below(50) {
            0 => rng.below(30_000),
            1..5 => rng.below(3_000),
            _ => rng.below(150),
        });
        self.note("append");
    }

    fn append_sizes(&mut self, life: &mut Life, count: u64, size: impl Fn(&mut Rng) -> u64) {
        let epoch = self.model.epochs.current;
        let mut buf = FrameBuf::new();
        for _ in 0..count {
            let last = self.model.now.last();
            let zxid = if last.epoch() == epoch { Zxid(last.0 + 1) } else { Zxid::new(epoch, 1) };
            let len = size(&mut self.rng);
            let flavour = self.model.new_flavour();
            testing::frame(&mut buf, last.0, zxid.0, flavour, len as usize);
            self.model.now.entries.push(Entry { zxid, flavour });
        }
        life.writer.tick(self.now);
        life.writer.append(Arc::new(FrameBatch::new(buf)));
    }

    /// The disk gets full; what is accepted until the writer says that there is no more room is still written.
    fn fill_up(&mut self, life: &mut Life) -> Result<(), End> {
        if self.rng.percent(50) {
            self.disk.set_capacity(u64::MAX);
            return Ok(());
        }
        self.background_jobs(life)?;
        self.disk.set_capacity(self.disk.used() + self.rng.below(40_000));
        if life.restarting || self.model.epochs.accepted == Epoch(0) || self.faults || !life.writer.is_idle() {
            return Ok(());
        }
        for _ in 0..200 {
            if !life.writer.has_room() {
                self.note("no room");
                break;
            }
            if life.writer.queued_bytes() < 1_000 {
                self.append_sizes(life, 1, |rng| rng.below(500));
            }
            self.now = self.now.plus(Duration::from_millis(1));
            self.device(life)?;
            // Whether there is space is known long before a segment is used up: it is reserved as the first step.
            self.background_jobs(life)?;
        }
        for _ in 0..10_000 {
            self.now = self.now.plus(Duration::from_millis(1));
            self.pump(life);
            if life.writer.durable() == life.writer.appended() {
                return Ok(());
            }
            self.device(life)?;
        }
        panic!(
            "accepted on a disk that is getting full, and never written: {} bytes wait, durable {} of {}, {:?}",
            life.writer.queued_bytes(),
            life.writer.durable(),
            life.writer.appended(),
            self.log
        );
    }

    /// Moves the writer's requests to the device.
    fn pump(&mut self, life: &mut Life) {
        life.writer.tick(self.now);
        while let Some(op) = life.writer.poll_op() {
            match op {
                LogOp::Write(op) => {
                    trace!(self, "write seg {:x} off {} {:?}", op.segment, op.offset, op.batch.header());
                    match op.batch.header().kind {
                        BatchKind::Cut | BatchKind::Restart => life.mark = Some(op.id),
                        BatchKind::Seal => self.note("seal"),
                        BatchKind::Frames => {}
                    }
                    if op.offset == BLOCK as u64 {
                        self.note("rotation");
                    }
                    if op.batch.padded_len() as u64 > self.log.segment_bytes {
                        self.note("oversize frame");
                    }
                    life.writes.push((op, false));
                }
                LogOp::Sync { id, segment } => life.syncs.push_back((id, segment)),
                op => life.background.push_back(op),
            }
        }
        if let Some((at, _)) = life.writer.next_deadline() {
            assert!(at > self.now, "a deadline that has passed was acted on");
        }
        self.acknowledge(life);
    }

    fn acknowledge(&mut self, life: &Life) {
        let now = &mut self.model.now;
        now.acked = now.acked.max(now.through(life.writer.durable()));
        now.stable = now.stable.max(now.through(life.writer.stable()));
        assert!(now.stable <= now.acked, "what is stable is acknowledged");
    }

    /// One step of the device.
    fn device(&mut self, life: &mut Life) -> Result<(), End> {
        self.pump(life);
        let busy = [!life.writes.is_empty(), !life.syncs.is_empty(), !life.background.is_empty()];
        let candidates: Vec<usize> = (0..3).filter(|&i| busy[i]).collect();
        if candidates.is_empty() {
            return Ok(());
        }
        let done = match pick(&mut self.rng, &candidates) {
            0 => self.write_step(life),
            1 => {
                let (id, segment) = life.syncs.pop_front().expect("a sync waits");
                Some(life.files.sync(id, segment))
            }
            _ => {
                let op = life.background.pop_front().expect("a job waits");
                Some(self.background(op))
            }
        };
        if self.disk.has_crashed() {
            return Err(End::Crashed);
        }
        let Some(done) = done else { return Ok(()) };
        if let Done::Write { id, result: Ok(()) } = &done
            && life.mark == Some(*id)
        {
            self.model.before = None;
            life.mark = None;
            life.restarting = false;
        }
        let alive = life.writer.done(done).is_ok();
        self.pump(life);
        if alive { Ok(()) } else { Err(End::Failed) }
    }

    /// Everything that waits in the background.
    fn background_jobs(&mut self, life: &mut Life) -> Result<(), End> {
        self.pump(life);
        while let Some(op) = life.background.pop_front() {
            let done = self.background(op);
            if self.disk.has_crashed() {
                return Err(End::Crashed);
            }
            if life.writer.done(done).is_err() {
                return Err(End::Failed);
            }
            self.pump(life);
        }
        Ok(())
    }

    fn write_step(&mut self, life: &mut Life) -> Option<Done> {
        let index = self.rng.below(life.writes.len() as u64) as usize;
        let (op, written) = &mut life.writes[index];
        if !*written {
            let result = life.files.write_only(op);
            if result.is_ok() && op.sync {
                *written = true;
                return None;
            }
            let done = Done::Write { id: op.id, result: result.map_err(|e| e.to_string()) };
            life.writes.remove(index);
            return Some(done);
        }
        let (op, _) = life.writes.remove(index);
        let result = life.files.sync_only(op.segment).map_err(|e| e.to_string());
        Some(Done::Write { id: op.id, result })
    }

    fn background(&mut self, op: LogOp) -> Done {
        trace!(self, "background {op:?}");
        match op {
            LogOp::Prepare(op) => {
                let result = segment::prepare(&self.disk, &op, self.log.defects, &mut |_| {}).map(drop);
                match &result {
                    Ok(()) if op.reuse.is_some() => self.note("segment used again"),
                    Err(PrepareError::NoSpace) => self.note("disk full"),
                    _ => {}
                }
                Done::Prepared { segment: op.segment, result }
            }
            LogOp::Delete { segment } => {
                self.note("segment removed");
                let result = segment::delete(&self.disk, segment, self.log.defects).map_err(|e| e.to_string());
                Done::Deleted { segment, result }
            }
            LogOp::Write(_) | LogOp::Sync { .. } => unreachable!("not a background job"),
        }
    }

    fn head(&self, entries: &[Entry]) -> SnapshotHead {
        SnapshotHead {
            zxid: entries.last().map_or(Zxid::ZERO, |e| e.zxid),
            digest: 0,
            nodes: entries.len() as u64,
            sessions: 0,
            wall: WallMs(0),
        }
    }

    fn write_snapshot(&mut self, life: &Life, entries: &[Entry], origin: Origin) -> Result<(), OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let batch = life.writer.durable_before();
        let mut writer = SnapshotWriter::create(disk, self.head(entries), origin, batch, &self.snapshot)?;
        for chunk in encode(entries).chunks(100) {
            writer.write(chunk)?;
        }
        writer.finish()
    }

    fn take_snapshot(&mut self, life: &mut Life) -> Result<(), End> {
        self.pump(life);
        let count = self.model.now.through(life.writer.stable());
        let entries = self.model.now.entries[..count].to_vec();
        let zxid = self.head(&entries).zxid;
        if life.writer.is_resetting()
            || self.model.before.is_some()
            || count == 0
            || life.snapshots.last() >= Some(&zxid)
        {
            return Ok(());
        }
        if self.faults && self.rng.percent(20) {
            let skip = self.rng.below(2);
            self.disk.inject(Fault::Misdirect, skip);
        }
        let written = self.write_snapshot(life, &entries, Origin::Local);
        self.disk.withdraw(Fault::Misdirect);
        if self.disk.has_crashed() {
            return Err(End::Crashed);
        }
        if written.is_err() {
            self.note("snapshot failed");
            return Ok(());
        }
        self.purge(life, zxid)
    }

    fn purge(&mut self, life: &mut Life, zxid: Zxid) -> Result<(), End> {
        let purged = task::purge(&self.disk, &life.snapshots, zxid, self.snapshot.keep, self.log.defects);
        if self.disk.has_crashed() {
            return Err(End::Crashed);
        }
        life.snapshots.push(zxid);
        // A failed purge leaves more than needed, and the next start sorts it out.
        let Ok(purge) = purged else { return Err(End::Failed) };
        life.snapshots.retain(|z| !purge.snapshots.contains(z));
        life.writer.release_through(purge.log_through);
        self.note("snapshot");
        trace!(self, "snapshot {zxid}");
        self.pump(life);
        Ok(())
    }

    fn save_epochs(&mut self) -> Result<(), End> {
        let accepted = Epoch(
            self.model.epochs.accepted.0
                + u32::from(self.rng.percent(30)).max(u32::from(self.model.epochs.accepted == Epoch(0))),
        );
        // Taken up by a leader at some time, put back at another.
        let ensemble = if accepted.0 > 1 { 7 } else { 0 };
        let epochs = Epochs { accepted, current: accepted, ensemble, member: ensemble != 0 && self.rng.percent(70) };
        self.model.saving = Some(epochs);
        let saved = epochs::save(&self.disk, epochs, self.log.defects);
        if self.disk.has_crashed() {
            return Err(End::Crashed);
        }
        if saved.is_err() {
            return Err(End::Failed);
        }
        (self.model.epochs, self.model.saving) = (epochs, None);
        Ok(())
    }

    fn cut_back(&mut self, life: &mut Life) -> Result<(), End> {
        self.pump(life);
        if life.mark.is_some() || self.model.before.is_some() || life.restarting || self.model.now.entries.is_empty() {
            return Ok(());
        }
        let keep = self.model.now.entries.len() as u64 - self.rng.below(5.min(self.model.now.entries.len() as u64));
        let to = self.model.now.entries[keep as usize - 1].zxid;
        let old = self.model.now.clone();
        let keep = keep as usize;
        self.model.now.entries.truncate(keep);
        let based = life.snapshots.iter().any(|&z| z <= to) || life.writer.reaches_back_to() == Some(Zxid::ZERO);
        if !based {
            self.model.now = old;
            return Ok(());
        }
        trace!(self, "cut to {to} written {} appended {}", life.writer.written(), life.writer.appended());
        let writes_mark = to < life.writer.written();
        if writes_mark && self.remove_snapshots_after(to, life).is_err() {
            self.model.now = old;
            return Err(if self.disk.has_crashed() { End::Crashed } else { End::Failed });
        }
        life.writer.cut_back(to);
        if writes_mark {
            self.note("cut back");
            self.model.now.acked = old.acked.min(keep);
            self.model.now.stable = old.stable.min(keep);
            self.model.before = Some(old);
            life.mark = Some(u64::MAX);
            life.snapshots.retain(|&z| z <= to);
            life.writer.release_through(retention::plan(&life.snapshots, self.snapshot.keep).log_through);
        }
        self.pump(life);
        Ok(())
    }

    /// Snapshots of what is cut off go before the log says that it is cut off.
    fn remove_snapshots_after(&mut self, to: Zxid, life: &Life) -> std::io::Result<()> {
        for &zxid in life.snapshots.iter().filter(|&&z| z > to) {
            self.disk.remove(&snapshot_name(zxid))?;
        }
        segment::sync_dir(&self.disk, self.log.defects)
    }

    /// A snapshot of another history arrives from a leader.
    fn install(&mut self, life: &mut Life) -> Result<(), End> {
        self.pump(life);
        if life.writer.is_resetting() || self.model.before.is_some() || !life.writer.is_still() || life.restarting {
            return Ok(());
        }
        let epoch = self.model.epochs.current;
        if epoch == Epoch(0) {
            return Ok(());
        }
        let mut entries = Vec::new();
        for counter in 0..1 + self.rng.below(40) {
            let flavour = self.model.new_flavour();
            entries.push(Entry { zxid: Zxid::new(epoch, 1 + counter as u32), flavour });
        }
        let zxid = self.head(&entries).zxid;
        if life.snapshots.contains(&zxid) {
            return Ok(());
        }
        let installed = History { acked: entries.len(), stable: entries.len(), entries: entries.clone() };
        let old = std::mem::replace(&mut self.model.now, History { acked: 0, stable: 0, ..installed.clone() });
        self.model.before = Some(old);
        life.writer.freeze();
        assert!(life.writer.is_still(), "an idle log that is synced stands still");
        let written = self.write_snapshot(life, &entries, Origin::Installed);
        if self.disk.has_crashed() {
            return Err(End::Crashed);
        }
        if written.is_err() {
            // Not known whether it has its name: the process must find out by starting again.
            return Err(End::Failed);
        }
        self.note("snapshot installed");
        trace!(self, "install {zxid}");
        // It is durable under its name: from here on nothing else may be found.
        self.model.before = None;
        self.model.now = installed;
        life.writer.restart_at(zxid);
        (life.mark, life.restarting) = (Some(u64::MAX), true);
        life.snapshots.clear();
        self.purge(life, zxid)
    }

    /// A clean end: everything appended is durable.
    pub(crate) fn close(&mut self, life: &mut Life) -> Result<(), End> {
        life.writer.finish();
        for _ in 0..10_000 {
            self.pump(life);
            if life.writer.is_finished() {
                assert_eq!(self.model.now.stable, self.model.now.entries.len(), "all is durable after a clean end");
                return Ok(());
            }
            if life.writes.is_empty() && life.syncs.is_empty() && life.background.is_empty() {
                assert!(self.full, "nothing under way, but not finished");
                return Err(End::Closed);
            }
            self.device(life)?;
        }
        panic!("the log does not come to an end");
    }
}
