//! The log, the epoch record and the snapshots of a running server, for the executor that owns them.
//!
//! ```no_run
//! # use ringkeeper_txnlog::{Log, LogEvent, config::*, recovery::*, disk::FsDisk};
//! # async fn server(state: &mut impl Rebuild, now: impl Fn() -> ringkeeper_core::ids::Instant) -> Result<(), Box<dyn std::error::Error>> {
//! let disk = FsDisk::open("/var/lib/ringkeeper")?;
//! let dirs = Dirs { log: disk.clone(), data: disk.clone() };
//! let mut recovery = Recovery::open(dirs, LogConfig::default(), SnapshotConfig::default())?;
//! let summary = recovery.replay(state)?;
//! let mut log = Log::go_live(recovery, &disk, DriverKind::Thread, now()).await?;
//! let mut events = Vec::new();
//! loop {
//!     // ... log.append(frames) as the replica asks for it, log.committed(zxid) as it hears of it, then once per turn:
//!     log.turn(now(), &mut events);
//!     for event in events.drain(..) { /* to the replica */ }
//!     log.ready().await; // or poll_ready beside sockets and timers
//! }
//! # }
//! ```

mod history;
mod read;
mod saving;
#[cfg(test)]
mod tests;

use crate::background::{Background, Threads};
use crate::config::{DriverKind, LogConfig, SnapshotConfig};
use crate::disk::FsDisk;
use crate::driver::{AutoDevice, Completion, Completions, LogDevice, ThreadDevice, UringDevice};
use crate::epochs::Epochs;
use crate::error::{Attempt, LogFailed, OpenError};
use crate::reader::{ReadOutcome, ReadTicket};
use crate::recovery::{Dirs, Recovery};
use crate::writer::{LogMeasures, LogWriter};
use history::Snapshot;
use ringkeeper_core::frame::FrameBatch;
use ringkeeper_core::ids::{Instant, Zxid};
use saving::Saving;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::task::{Context, Poll};

/// What the log has to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogEvent {
    /// Everything through this transaction is durable, as the durability policy defines it.
    Durable {
        /// The last one.
        through: Zxid,
        /// How often the log had been cut back or restarted when the promise was made. All of that is durable, too.
        generation: u32,
    },
    /// Whether new transactions can be taken: `false` when the disk is full, `true` when there is space again.
    Room(bool),
    /// The epoch record holds these.
    EpochsSaved(Epochs),
    /// A snapshot is durable, verified, and replaces what it makes superfluous.
    SnapshotDone {
        /// Of which transaction.
        zxid: Zxid,
    },
    /// There is no such snapshot. The one before stays, nothing was removed.
    SnapshotFailed {
        /// Of which transaction it should have been.
        zxid: Zxid,
        /// Why.
        reason: String,
    },
    /// The answer to [`Log::read_after`].
    Read {
        /// What that returned.
        ticket: ReadTicket,
        /// What was found.
        outcome: ReadOutcome,
    },
    /// Nothing can be promised any more: the process must end.
    Failed(LogFailed),
}

/// See the module.
pub struct Log {
    writer: LogWriter,
    device: Box<dyn LogDevice>,
    background: Box<dyn Background>,
    completions: Arc<Completions>,
    dirs: Dirs,
    log_config: LogConfig,
    snapshot_config: SnapshotConfig,
    epochs: Epochs,
    saving: Saving,
    /// Snapshots that exist, oldest first.
    snapshots: Vec<Zxid>,
    snapshot: Option<Snapshot>,
    /// The newest snapshot, while what it makes superfluous is being removed.
    purging: Option<Zxid>,
    /// Reads under way, and the newest one's number.
    reads: u32,
    next_ticket: u64,
    generation: u32,
    told_durable: (Zxid, u32),
    told_room: bool,
    failed: bool,
}

impl Log {
    /// Repairs what a crash left behind and starts the driver. Call on the executor that will use the log.
    ///
    /// # Errors
    /// See [`OpenError`].
    ///
    /// # Panics
    /// If [`Recovery::replay`] has not succeeded before.
    pub async fn go_live(
        recovery: Recovery,
        log_disk: &Arc<FsDisk>,
        kind: DriverKind,
        now: Instant,
    ) -> Result<Log, OpenError> {
        // Two independent random numbers, each secret enough that no client can guess a generation.
        let salt = RandomState::new().hash_one(now.0) ^ u64::from(std::process::id()).rotate_left(32);
        let config = recovery.log_config().clone();
        let completions = Arc::new(Completions::default());
        let mut log = Log::assemble(recovery, Box::new(Threads), Arc::clone(&completions), salt, now)?;
        log.device = match kind {
            DriverKind::Auto | DriverKind::AutoEvery(_) if log_disk.direct() => {
                let current = log.writer.current_segment();
                Box::new(AutoDevice::open(Arc::clone(log_disk), kind, &config, current, completions).await?)
            }
            DriverKind::Auto | DriverKind::AutoEvery(_) | DriverKind::Thread => {
                let disk = Arc::clone(&log.dirs.log);
                let device = ThreadDevice::start(disk, &config, completions);
                Box::new(device.attempt(|| "starting the log thread".into())?)
            }
            DriverKind::UringDsync | DriverKind::UringFdatasync => {
                let current = log.writer.current_segment();
                Box::new(UringDevice::open(Arc::clone(log_disk), kind, &config, current, completions).await?)
            }
        };
        Ok(log)
    }

    /// Like [`Log::go_live`], with a driver of the caller's own, which must answer through `completions`, and somebody
    /// who runs the log's jobs. The log itself then uses neither threads nor clocks nor random numbers; `salt` must be
    /// one that it has not had before.
    ///
    /// # Errors
    /// See [`OpenError`].
    ///
    /// # Panics
    /// If [`Recovery::replay`] has not succeeded before.
    pub fn with_device(
        recovery: Recovery,
        device: Box<dyn LogDevice>,
        background: Box<dyn Background>,
        completions: Arc<Completions>,
        salt: u64,
        now: Instant,
    ) -> Result<Log, OpenError> {
        let mut log = Log::assemble(recovery, background, completions, salt, now)?;
        log.device = device;
        Ok(log)
    }

    fn assemble(
        mut recovery: Recovery,
        background: Box<dyn Background>,
        completions: Arc<Completions>,
        salt: u64,
        now: Instant,
    ) -> Result<Log, OpenError> {
        let repaired = recovery.repair(salt)?;
        let (dirs, log_config, snapshot_config, epochs) = recovery.into_parts();
        let mut writer = LogWriter::new(log_config.clone(), repaired.tail, salt, now);
        if let Some(at) = repaired.restart_at {
            writer.restart_at(at);
        }
        writer.release_through(repaired.log_through);
        let told_durable = (writer.durable(), 0);
        Ok(Log {
            writer,
            device: Box::new(NoDevice),
            background,
            completions,
            dirs,
            log_config,
            snapshot_config,
            epochs,
            saving: Saving::default(),
            snapshots: repaired.snapshots,
            snapshot: None,
            purging: None,
            reads: 0,
            next_ticket: 0,
            generation: 0,
            told_durable,
            told_room: true,
            failed: false,
        })
    }

    /// Takes frames to be written; they must follow the last ones. They go to the device in the next
    /// [`turn`](Self::turn).
    ///
    /// # Panics
    /// If they leave a gap, or are of an epoch that the saved record does not know.
    pub fn append(&mut self, batch: Arc<FrameBatch>) {
        let epoch = batch.last().epoch();
        assert!(epoch <= self.epochs.accepted, "{epoch:?} is accepted durably before anything of it is logged");
        self.writer.append(batch);
    }

    /// Everything through this zxid is durable, as the durability policy defines it.
    #[must_use]
    pub fn durable(&self) -> Zxid {
        self.writer.durable()
    }

    /// Whether new transactions can be taken, see [`LogWriter::has_room`].
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.writer.has_room()
    }

    /// How often the log was cut back or restarted since the start.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// One turn: takes the answers that have come, and gives the device what is due. Call it after the appends of the
    /// executor's turn.
    pub fn turn(&mut self, now: Instant, events: &mut Vec<LogEvent>) {
        self.writer.tick(now);
        while let Some(completion) = self.completions.pop() {
            self.completed(now, completion, events);
        }
        self.retry_epochs(now);
        self.advance_snapshot(events);
        while let Some(op) = self.writer.poll_op() {
            self.device.submit(op);
        }
        if self.writer.waits_for_segment() {
            self.device.hurry();
        }
        self.tell(events);
    }

    fn completed(&mut self, now: Instant, completion: Completion, events: &mut Vec<LogEvent>) {
        match completion {
            Completion::Log(done) => {
                if let Some(done) = self.device.settle(done) {
                    let slow = self.writer.measures().slow;
                    // A failure shows in check(), below.
                    let _ = self.writer.done(done);
                    if self.writer.measures().slow > slow {
                        self.report_slow();
                    }
                }
            }
            Completion::Epochs(epochs, result) => self.epochs_ended(now, epochs, result, events),
            Completion::Snapshot(end) => self.snapshot_ended(end, events),
            Completion::Purged(result) => self.purged(result, events),
            Completion::Read { ticket, generation, outcome } => self.read_ended(ticket, generation, outcome, events),
        }
    }

    /// There is one write or a few under way, so such messages cannot come in floods.
    fn report_slow(&self) {
        let (ms, log) = (self.log_config.slow_write.as_millis() as u64, self.dirs.log.describe(""));
        let slow = self.writer.measures().slow;
        tracing::warn!(
            log,
            slow,
            "a write to the log took more than {ms} ms (fsync.warningthresholdms): look at the disk's load"
        );
    }

    /// What is counted for monitoring.
    #[must_use]
    pub fn measures(&self) -> &LogMeasures {
        self.writer.measures()
    }

    /// Starts counting anew.
    pub fn reset_measures(&mut self) {
        self.writer.reset_measures();
    }

    fn fail(&mut self, failure: LogFailed, events: &mut Vec<LogEvent>) {
        if !std::mem::replace(&mut self.failed, true) {
            tracing::error!(error = %failure, "the log has failed");
            events.push(LogEvent::Failed(failure));
        }
    }

    fn tell(&mut self, events: &mut Vec<LogEvent>) {
        // Until a cut is on stable storage, a crash brings back what it cut off.
        let durable = (self.writer.durable(), self.generation);
        if durable != self.told_durable && !self.writer.is_resetting() {
            self.told_durable = durable;
            events.push(LogEvent::Durable { through: durable.0, generation: durable.1 });
        }
        let room = self.writer.has_room();
        if room != self.told_room {
            self.told_room = room;
            let log = self.dirs.log.describe("");
            if room {
                tracing::info!(log, "there is space for the log again: writes are accepted");
            } else {
                tracing::error!(log, "the disk is full: writes are refused until there is space, reads go on");
            }
            events.push(LogEvent::Room(room));
        }
        if let Err(failure) = self.writer.check() {
            self.fail(failure, events);
        }
    }

    /// When [`turn`](Self::turn) is due even if nothing happens, and why.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        let retry = self.saving.retry_at().map(|at| (at, "trying the epoch record again"));
        self.writer.next_deadline().into_iter().chain(retry).min()
    }

    /// Ready when [`turn`](Self::turn) has something to harvest.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.completions.poll_ready(cx)
    }

    /// Waits until [`turn`](Self::turn) has something to harvest.
    pub fn ready(&self) -> impl Future<Output = ()> + use<> {
        let completions = Arc::clone(&self.completions);
        std::future::poll_fn(move |cx| completions.poll_ready(cx))
    }

    /// From now on everything is written, synced and sealed without delay; a snapshot that is being made is given up.
    pub fn finish(&mut self) {
        self.abort_snapshot();
        self.saving.give_up_retrying();
        self.writer.finish();
    }

    /// After [`finish`](Self::finish): whether everything is done and nothing is under way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.writer.is_finished() && self.saving.is_idle() && !self.snapshot_under_way() && self.reads == 0
    }

    /// Writes, syncs and seals everything, then stops the driver. Events that come up are dropped.
    ///
    /// # Errors
    /// If the log fails meanwhile.
    pub async fn close(mut self, mut now: impl FnMut() -> Instant) -> Result<(), LogFailed> {
        self.finish();
        let mut events = Vec::new();
        loop {
            self.turn(now(), &mut events);
            if let Some(failure) =
                events.drain(..).find_map(|e| if let LogEvent::Failed(f) = e { Some(f) } else { None })
            {
                return Err(failure);
            }
            if self.is_finished() {
                return Ok(());
            }
            self.ready().await;
        }
    }

    #[cfg(test)]
    pub(crate) fn writer(&self) -> &LogWriter {
        &self.writer
    }
}

/// Stands in until the driver is started.
struct NoDevice;

impl LogDevice for NoDevice {
    fn submit(&mut self, op: crate::writer::LogOp) {
        unreachable!("the log is used before its driver is started: {op:?}");
    }
}
