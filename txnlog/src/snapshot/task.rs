//! A thread that writes one snapshot: it compresses, keeps to the rate, verifies, and removes what is superseded. The
//! executor hands it the bytes as it walks the state.

use super::retention::{self, Purge};
use super::{Origin, SnapshotHead, SnapshotWriter, snapshot_zxid};
use crate::config::SnapshotConfig;
use crate::disk::Disk;
use crate::driver::{Completion, Completions};
use crate::error::{Attempt, OpenError};
use crate::planted::Defects;
use crate::segment::{Pacer, sync_dir};
use ringkeeper_core::ids::Zxid;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Chunks that may wait for the thread.
const WAITING: usize = 2;

/// How a snapshot ended.
#[derive(Debug)]
pub struct SnapshotEnd {
    /// Of which transaction it is.
    pub zxid: Zxid,
    /// What was removed after it and what the log need not keep, or why there is no snapshot.
    pub result: Result<Purge, String>,
}

enum Message {
    Chunk(Vec<u8>),
    Finish,
}

/// The executor's end. Dropping it before [`finish`](Self::finish) abandons the snapshot.
pub struct SnapshotTask {
    /// `None` when the snapshot was given up.
    to_thread: Option<SyncSender<Message>>,
    spare: Receiver<Vec<u8>>,
    /// What had no room yet.
    held: Option<Message>,
}

struct Job {
    disk: Arc<dyn Disk>,
    head: SnapshotHead,
    origin: Origin,
    log_batch: u64,
    config: SnapshotConfig,
    /// Snapshots that exist and are of the same history.
    existing: Vec<Zxid>,
}

impl SnapshotTask {
    /// Starts the thread. Its end comes as a [`Completion::Snapshot`].
    ///
    /// # Errors
    /// Of the operating system.
    pub fn start(
        disk: Arc<dyn Disk>,
        head: SnapshotHead,
        origin: Origin,
        log_batch: u64,
        config: SnapshotConfig,
        existing: Vec<Zxid>,
        completions: Arc<Completions>,
    ) -> std::io::Result<SnapshotTask> {
        let (to_thread, messages) = sync_channel(WAITING);
        let (used, spare) = sync_channel(WAITING + 1);
        let job = Job { disk, head, origin, log_batch, config, existing };
        std::thread::Builder::new().name("snapshot".into()).spawn(move || {
            let result = job.run(&messages, &used, &completions).map_err(|e| e.to_string());
            // Whoever hears of the end may close the directory and expect nobody in it.
            drop(job);
            completions.push(Completion::Snapshot(SnapshotEnd { zxid: head.zxid, result }));
        })?;
        Ok(SnapshotTask { to_thread: Some(to_thread), spare, held: None })
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

    /// Gives the snapshot up.
    pub fn abandon(&mut self) {
        self.held = None;
        self.to_thread = None;
    }

    fn retry(&mut self) {
        let Some(to_thread) = &self.to_thread else { return };
        if let Some(message) = self.held.take() {
            match to_thread.try_send(message) {
                Err(TrySendError::Full(message)) => self.held = Some(message),
                // The thread has failed: its completion tells why.
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            }
        }
    }
}

impl Job {
    fn run(
        &self,
        messages: &Receiver<Message>,
        used: &SyncSender<Vec<u8>>,
        completions: &Completions,
    ) -> Result<Purge, OpenError> {
        let mut writer =
            SnapshotWriter::create(Arc::clone(&self.disk), self.head, self.origin, self.log_batch, &self.config)?;
        let mut pacer = Pacer::new(self.config.rate);
        let started = Instant::now();
        loop {
            let message = match messages.try_recv() {
                Ok(message) => Ok(message),
                Err(TryRecvError::Empty) => {
                    completions.ring();
                    messages.recv()
                }
                Err(TryRecvError::Disconnected) => messages.recv(),
            };
            let mut bytes = match message {
                Ok(Message::Chunk(bytes)) => bytes,
                Ok(Message::Finish) => break,
                Err(_) => {
                    writer.abandon();
                    return Err(OpenError::Refused("the snapshot was given up".into()));
                }
            };
            let written = match writer.write(&bytes) {
                Ok(written) => written,
                Err(e) => {
                    writer.abandon();
                    return Err(e);
                }
            };
            bytes.clear();
            let _ = used.try_send(bytes);
            let elapsed = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            let pause = pacer.pause_us(written, elapsed);
            if pause > 0 {
                std::thread::sleep(Duration::from_micros(pause));
            }
        }
        writer.finish()?;
        purge(&*self.disk, &self.existing, self.head.zxid, self.config.keep, self.config.defects)
    }
}

/// Removes the snapshots that the new one makes superfluous, and any that is not among `existing`: it is of a history
/// that was cut off, and what says so is in the part of the log that may go next. Call only when the new one is
/// durable and verified.
///
/// # Errors
/// Of the disk.
pub fn purge(disk: &dyn Disk, existing: &[Zxid], new: Zxid, keep: usize, defects: Defects) -> Result<Purge, OpenError> {
    let mut all = existing.to_vec();
    all.push(new);
    let plan = retention::plan(&all, keep);
    all.retain(|zxid| !plan.snapshots.contains(zxid));
    for entry in disk.list().attempt(|| format!("listing {}", disk.describe("")))? {
        if snapshot_zxid(&entry.name).is_some_and(|zxid| !all.contains(&zxid)) {
            disk.remove(&entry.name).attempt(|| format!("removing {}", disk.describe(&entry.name)))?;
        }
    }
    sync_dir(disk, defects).attempt(|| format!("syncing {}", disk.describe("")))?;
    Ok(plan)
}
