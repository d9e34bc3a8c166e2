//! A job that writes one snapshot: it compresses, verifies, and gives the file its name. The executor hands it the
//! bytes as it walks the state. And the removal of what a snapshot supersedes.

use super::{Origin, SnapshotHead, SnapshotWriter, snapshot_zxid};
use crate::background::{Background, Job, Piece, Task};
use crate::config::SnapshotConfig;
use crate::disk::Disk;
use crate::driver::{Completion, Completions};
use crate::error::{Attempt, OpenError};
use crate::planted::Defects;
use crate::segment::sync_dir;
use ringkeeper_core::ids::Zxid;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::task::Waker;

/// Chunks that may wait for the job.
const WAITING: usize = 2;

/// How the writing of a snapshot ended.
#[derive(Debug)]
pub struct SnapshotEnd {
    /// Of which transaction it is.
    pub zxid: Zxid,
    /// Why there is no snapshot, if so.
    pub result: Result<(), String>,
    /// It may be found under its name, even if something failed.
    pub named: bool,
}

enum Message {
    Chunk(Vec<u8>),
    Finish,
}

/// The executor's end. Dropping it before [`finish`](Self::finish) abandons the snapshot.
pub struct SnapshotTask {
    /// `None` when the snapshot was given up.
    to_job: Option<SyncSender<Message>>,
    spare: Receiver<Vec<u8>>,
    /// What had no room yet.
    held: Option<Message>,
    waker: Waker,
}

/// What a snapshot is made of.
pub(crate) struct Making {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) head: SnapshotHead,
    pub(crate) origin: Origin,
    /// See [`SnapshotWriter::create`].
    pub(crate) log_batch: u64,
    pub(crate) config: SnapshotConfig,
}

impl SnapshotTask {
    /// Starts the job. Its end comes as a [`Completion::Snapshot`].
    ///
    /// # Errors
    /// If the job cannot be run.
    pub(crate) fn start(
        making: Making,
        background: &dyn Background,
        completions: &Arc<Completions>,
    ) -> std::io::Result<SnapshotTask> {
        let (to_job, messages) = sync_channel(WAITING);
        let (used, spare) = sync_channel(WAITING + 1);
        let rate = making.config.rate;
        let work = Writing { making, messages, used, completions: Arc::clone(completions), stage: Stage::Begin };
        let waker = background.start(Job::new("snapshot", rate, Box::new(work), Arc::clone(completions)))?;
        Ok(SnapshotTask { to_job: Some(to_job), spare, held: None, waker })
    }

    /// Whether the next chunk would be taken.
    pub fn wants_more(&mut self) -> bool {
        self.retry();
        self.held.is_none()
    }

    /// Hands over the next bytes. Call only if [`wants_more`](Self::wants_more).
    pub fn chunk(&mut self, bytes: Vec<u8>) {
        self.send(Message::Chunk(bytes));
    }

    /// All bytes are handed over.
    pub fn finish(&mut self) {
        self.send(Message::Finish);
    }

    /// An empty buffer for the next chunk, used before if possible.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.try_recv().unwrap_or_default()
    }

    fn send(&mut self, message: Message) {
        assert!(self.held.is_none(), "chunks are handed over when they are wanted");
        self.held = Some(message);
        self.retry();
    }

    /// Gives the snapshot up, unless it was finished before.
    pub fn abandon(&mut self) {
        self.held = None;
        self.to_job = None;
        self.waker.wake_by_ref();
    }

    fn retry(&mut self) {
        let Some(to_job) = &self.to_job else { return };
        if let Some(message) = self.held.take() {
            match to_job.try_send(message) {
                Err(TrySendError::Full(message)) => self.held = Some(message),
                // If the job has failed, its completion tells why.
                Ok(()) | Err(TrySendError::Disconnected(_)) => self.waker.wake_by_ref(),
            }
        }
    }
}

impl Drop for SnapshotTask {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// How far the writing has come.
enum Stage {
    Begin,
    Write(Box<SnapshotWriter>),
    /// Everything is durable and verified.
    Name(Box<SnapshotWriter>),
    /// It has ended, or its error is being reported.
    Over,
}

/// The job.
struct Writing {
    making: Making,
    messages: Receiver<Message>,
    used: SyncSender<Vec<u8>>,
    completions: Arc<Completions>,
    stage: Stage,
}

impl Task for Writing {
    fn step(&mut self) -> Piece {
        let naming = matches!(self.stage, Stage::Name(_));
        let result = match self.advance() {
            Ok(Some(piece)) => return piece,
            Ok(None) => Ok(()),
            Err(e) => Err(e.to_string()),
        };
        if let Stage::Write(writer) = std::mem::replace(&mut self.stage, Stage::Over) {
            writer.abandon();
        }
        Piece::Done(Completion::Snapshot(SnapshotEnd { zxid: self.making.head.zxid, result, named: naming }))
    }
}

impl Writing {
    /// The next piece; `None` when the snapshot has its name.
    fn advance(&mut self) -> Result<Option<Piece>, OpenError> {
        match &mut self.stage {
            Stage::Begin => {
                let Making { disk, head, origin, log_batch, config } = &self.making;
                let writer = SnapshotWriter::create(Arc::clone(disk), *head, *origin, *log_batch, config)?;
                self.stage = Stage::Write(Box::new(writer));
                Ok(Some(Piece::More { written: 0 }))
            }
            Stage::Write(_) => self.write().map(Some),
            Stage::Name(writer) => writer.publish().map(|()| None),
            Stage::Over => unreachable!("a job is not stepped after its end"),
        }
    }

    fn write(&mut self) -> Result<Piece, OpenError> {
        let Stage::Write(writer) = &mut self.stage else { unreachable!("only called while writing") };
        match self.messages.try_recv() {
            Ok(Message::Chunk(mut bytes)) => {
                let written = writer.write(&bytes)?;
                bytes.clear();
                let _ = self.used.try_send(bytes);
                Ok(Piece::More { written })
            }
            Ok(Message::Finish) => {
                writer.complete()?;
                if let Stage::Write(writer) = std::mem::replace(&mut self.stage, Stage::Over) {
                    self.stage = Stage::Name(writer);
                }
                Ok(Piece::More { written: 0 })
            }
            Err(TryRecvError::Empty) => {
                self.completions.ring();
                Ok(Piece::Wait)
            }
            Err(TryRecvError::Disconnected) => Err(OpenError::Refused("the snapshot was given up".into())),
        }
    }
}

/// Removes all snapshots but those kept, which are durable and verified: older ones, and those of a history that was
/// cut off, because what says so is in the part of the log that may go next. Oldest first.
///
/// # Errors
/// Of the disk.
pub fn purge(disk: &dyn Disk, kept: &[Zxid], defects: Defects) -> Result<(), OpenError> {
    for entry in disk.list().attempt(|| format!("listing {}", disk.describe("")))? {
        if snapshot_zxid(&entry.name).is_some_and(|zxid| !kept.contains(&zxid)) {
            disk.remove(&entry.name).attempt(|| format!("removing {}", disk.describe(&entry.name)))?;
        }
    }
    sync_dir(disk, defects).attempt(|| format!("syncing {}", disk.describe("")))
}
