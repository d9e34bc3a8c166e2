//! A server's disk life: appends, snapshots, cuts, crashes at any operation, recovery, again and again. The very
//! [`Log`] of a server, on a device that does nothing before it is told to.

use super::model::{Death, Entry, Model, State};
use super::reading::Asked;
use super::watermark::Stating;
use crate::config::{Durability, LogConfig, SnapshotConfig};
use crate::disk::Disk;
use crate::driver::Completions;
use crate::error::OpenError;
use crate::format::{BLOCK, BatchKind};
use crate::log::{Log, LogEvent};
use crate::planted::Defects;
use crate::reader::LogReader;
use crate::recovery::{Dirs, Recovery, Summary};
use crate::sim::{CrashStyle, Fault, Rng, SimDevice, SimDisk, Waiting};
use ringkeeper_core::ids::{Instant, Zxid};
use std::collections::BTreeMap;
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
pub(super) use trace;

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
    pub(super) now: Instant,
    death: Death,
    pub(super) faults: bool,
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
    pub(crate) log: Log,
    pub(super) device: SimDevice,
    /// The snapshot that is being handed over.
    pub(super) making: Option<Handing>,
    /// The log restarts at an installed snapshot.
    pub(super) restarting: bool,
    /// As of the last turn.
    pub(super) generation: u32,
    /// One who reads the log, and what it has asked for.
    pub(super) reader: LogReader,
    pub(super) asked: Option<Asked>,
    /// The last transaction that it has read.
    pub(super) read: Zxid,
    pub(super) stating: Stating,
}

/// Bytes of a snapshot on their way to the log.
pub(super) struct Handing {
    pub(super) bytes: Vec<u8>,
    pub(super) handed: usize,
    /// Of an installed one: the history that it brings.
    pub(super) history: Option<Vec<Entry>>,
}

impl Life {
    pub(super) fn is_resetting(&self) -> bool {
        self.log.writer().is_resetting()
    }
}

pub(super) fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
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
            slow_write: Duration::from_millis(1),
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
        let (recovery, state, summary) = self.read(&self.disk)?;
        let epochs = recovery.epochs();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let completions = Arc::new(Completions::default());
        let device = SimDevice::new(disk, self.log.defects, Arc::clone(&completions));
        let (own, background) = (Box::new(device.clone()), Box::new(device.clone()));
        let log = Log::with_device(recovery, own, background, completions, self.rng.next_u64(), self.now)?;
        let restarting = log.writer().is_resetting();
        if summary.torn.is_some() {
            self.note("torn tail");
        }
        if !summary.damaged_snapshots.is_empty() {
            self.note("snapshot not usable");
        }
        if restarting {
            self.note("restart finished by recovery");
        }
        trace!(self, "start {summary:?} restarting {restarting}");
        self.note(if state.given < state.entries.len() { "tail" } else { "all is committed" });
        if let Err(e) = self.model.recovered(state, epochs, self.death) {
            panic!("{e}");
        }
        self.death = Death::Process;
        self.now = self.now.plus(Duration::from_millis(1));
        let (reader, asked, read, stating) = (LogReader::default(), None, Zxid::ZERO, Stating::default());
        Ok(Life { log, device, making: None, restarting, generation: 0, reader, asked, read, stating })
    }

    /// What recovery finds on a disk, without changing it.
    pub(crate) fn read(&self, disk: &SimDisk) -> Result<(Recovery, State, Summary), OpenError> {
        let mut recovery = self.open(disk)?;
        let mut state = State::default();
        let summary = recovery.replay(&mut state)?;
        state.add_tail(&recovery.take_tail());
        Ok((recovery, state, summary))
    }

    pub(crate) fn open(&self, disk: &SimDisk) -> Result<Recovery, OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let dirs = Dirs { log: Arc::clone(&disk), data: disk };
        Recovery::open(dirs, self.log.clone(), self.snapshot.clone())
    }

    fn live(&mut self, life: &mut Life) {
        if self.rng.percent(85) {
            self.disk.crash_after(self.rng.below(500));
        }
        for _ in 0..50 + self.rng.below(300) {
            if let Err(end) = self.action(life) {
                self.note(match end {
                    End::Crashed => "crash",
                    End::Failed => "log failed",
                    End::Closed => "closed",
                });
                return;
            }
        }
        if self.rng.percent(50) && self.close(life).is_ok() {
            self.note("closed");
        }
    }

    fn action(&mut self, life: &mut Life) -> Result<(), End> {
        match self.rng.below(100) {
            0..25 => self.append(life),
            25..75 => return self.device(life),
            75..80 => self.commit(),
            80..89 => self.now = self.now.plus(Duration::from_millis(self.rng.below(5))),
            89..93 => self.take_snapshot(life),
            93 => self.save_epochs(life),
            98..100 => self.ask(life),
            94 if self.cuts => self.cut_back(life)?,
            95 if self.cuts => self.install(life),
            96 if self.faults => {
                let fault = pick(&mut self.rng, &[Fault::Sync, Fault::Write, Fault::Sync, Fault::SyncDir]);
                let skip = self.rng.below(10);
                self.disk.inject(fault, skip);
            }
            97 if self.full => return self.fill_up(life),
            _ => {}
        }
        self.turn(life)
    }

    /// The executor's turn.
    pub(super) fn turn(&mut self, life: &mut Life) -> Result<(), End> {
        let mut events = Vec::new();
        self.tell(life);
        life.log.turn(self.now, &mut events);
        if let Some((at, _)) = life.log.next_deadline() {
            assert!(at > self.now, "a deadline that has passed was acted on");
        }
        if std::mem::replace(&mut life.generation, life.log.generation()) != life.generation {
            self.restarted(life);
        }
        if !life.is_resetting() {
            self.model.before = None;
            life.restarting = false;
        }
        self.placed(life);
        self.acknowledge(life);
        let mut end = Ok(());
        for event in events {
            trace!(self, "{event:?}");
            match event {
                LogEvent::Failed(_) => end = Err(End::Failed),
                LogEvent::EpochsSaved(epochs) => (self.model.epochs, self.model.saving) = (epochs, None),
                LogEvent::SnapshotDone { .. } => self.note("snapshot"),
                LogEvent::SnapshotFailed { .. } => {
                    self.note("snapshot failed");
                    (life.making, self.model.installing) = (None, None);
                }
                LogEvent::Read { ticket, outcome } => self.answered(life, ticket, outcome),
                LogEvent::Durable { .. } | LogEvent::Room(_) => {}
            }
        }
        self.hand_over(life);
        end
    }

    fn acknowledge(&mut self, life: &mut Life) {
        let now = &mut self.model.now;
        now.acked = now.acked.max(now.through(life.log.durable()));
        now.stable = now.stable.max(now.through(life.log.writer().stable()));
        assert!(now.stable <= now.acked, "what is stable is acknowledged");
        life.stating.settle(life.log.writer(), now);
    }

    /// A few steps of the device.
    pub(super) fn device(&mut self, life: &mut Life) -> Result<(), End> {
        self.turn(life)?;
        for _ in 0..1 + self.rng.below(3) {
            let count = life.device.waiting().len() as u64;
            if count > 0 {
                let index = self.rng.below(count) as usize;
                self.step(life, index)?;
            }
        }
        Ok(())
    }

    pub(super) fn step(&mut self, life: &mut Life, index: usize) -> Result<(), End> {
        let what = life.device.waiting()[index].clone();
        trace!(self, "{what:?}");
        let misdirect = self.faults && what == Waiting::Job("snapshot") && self.rng.percent(5);
        if misdirect {
            self.disk.inject(Fault::Misdirect, 0);
        }
        let went_well = life.device.step(index);
        if misdirect {
            self.disk.withdraw(Fault::Misdirect);
        }
        if self.disk.has_crashed() {
            return Err(End::Crashed);
        }
        self.note_step(&what, went_well);
        self.turn(life)
    }

    fn note_step(&mut self, what: &Waiting, went_well: bool) {
        match what {
            Waiting::Write { header, offset, written: false, .. } => {
                let cases = [
                    (header.kind == BatchKind::Seal, "seal"),
                    (*offset == BLOCK as u64, "rotation"),
                    (header.padded_len() > self.log.segment_bytes, "oversize frame"),
                ];
                cases.into_iter().filter(|(case, _)| *case).for_each(|(_, what)| self.note(what));
            }
            Waiting::Prepare { reuse: Some(_), .. } if went_well => self.note("segment used again"),
            Waiting::Prepare { .. } if !went_well && !self.faults => self.note("disk full"),
            Waiting::Delete { .. } => self.note("segment removed"),
            _ => {}
        }
    }

    /// A clean end: everything appended is durable.
    pub(crate) fn close(&mut self, life: &mut Life) -> Result<(), End> {
        life.log.finish();
        for _ in 0..10_000 {
            self.turn(life)?;
            if life.log.is_finished() {
                self.check_end(life);
                return Ok(());
            }
            if life.device.waiting().is_empty() {
                assert!(self.full, "nothing under way, but not finished");
                return Err(End::Closed);
            }
            self.device(life)?;
        }
        panic!("the log does not come to an end");
    }
}
