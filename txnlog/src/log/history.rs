//! Snapshots of the running server, and what changes the history as a whole: cutting it back, and taking up another.

use super::{Log, LogEvent};
use crate::background::Job;
use crate::driver::Completion;
use crate::error::{Attempt, LogFailed, OpenError};
use crate::segment::sync_dir;
use crate::snapshot::retention;
use crate::snapshot::task::{self, Making, SnapshotEnd, SnapshotTask};
use crate::snapshot::{Origin, SnapshotHead, snapshot_name};
use ringkeeper_core::ids::Zxid;
use std::sync::Arc;

/// A snapshot being made.
pub(super) struct Snapshot {
    head: SnapshotHead,
    origin: Origin,
    /// `None` until the log is still enough for it to begin.
    task: Option<SnapshotTask>,
    /// All bytes were handed over.
    complete: bool,
    /// The task knows that, or was told to give up.
    finished: bool,
    /// The log was cut back before its transaction: should it still get its name, it does not count.
    void: bool,
}

impl Snapshot {
    /// It may get its name at any moment, and nothing stops it any more.
    fn is_being_named(&self) -> bool {
        self.finished && self.complete && self.task.is_some()
    }
}

impl Log {
    /// Everything through `zxid` is committed, see [`LogWriter::committed`](crate::writer::LogWriter::committed): what
    /// the next start applies without asking anyone. To be told before each [`turn`](Self::turn).
    pub fn committed(&mut self, zxid: Zxid) {
        self.writer.committed(zxid);
    }

    /// The newest snapshot that is on disk.
    #[must_use]
    pub fn newest_snapshot(&self) -> Option<Zxid> {
        self.snapshots.last().copied()
    }

    /// Cuts the log back to `to`, see [`LogWriter::cut_back`](crate::writer::LogWriter::cut_back). Later
    /// [`LogEvent::Durable`] carry a new generation. A snapshot that is being made is given up. Snapshots of what is
    /// cut off are removed first, and durably: this call waits for the disk, which is rare and short.
    ///
    /// # Errors
    /// If neither a snapshot nor the log reaches back that far (then the state must come from the leader as a whole),
    /// if an installed snapshot is just taking the place of the log (wait for its end), or of the disk.
    ///
    /// # Panics
    /// If that would cut off what is [committed](Self::committed).
    pub fn cut_back(&mut self, to: Zxid) -> Result<(), OpenError> {
        let committed = self.writer.known_committed();
        assert!(to >= committed, "a log is not cut back to {to}: {committed} is committed");
        let based = self.snapshots.iter().any(|&z| z <= to) || self.writer.reaches_back_to() == Some(Zxid::ZERO);
        if !based {
            return Err(OpenError::Refused(format!("nothing stored reaches back to {to}")));
        }
        if self.snapshot.as_ref().is_some_and(|s| s.origin == Origin::Installed && s.is_being_named()) {
            return Err(OpenError::Refused("the log is just being restarted at an installed snapshot".into()));
        }
        self.abort_snapshot();
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.void |= snapshot.head.zxid > to;
        }
        let data = &*self.dirs.data;
        let void: Vec<Zxid> = self.snapshots.iter().copied().filter(|&z| z > to).collect();
        for zxid in &void {
            let name = snapshot_name(*zxid);
            data.remove(&name).attempt(|| format!("removing {}", data.describe(&name)))?;
        }
        if !void.is_empty() {
            sync_dir(data, self.log_config.defects).attempt(|| format!("syncing {}", data.describe("")))?;
        }
        self.snapshots.retain(|&z| z <= to);
        self.generation += 1;
        self.writer.cut_back(to);
        self.writer.release_through(retention::plan(&self.snapshots, self.snapshot_config.keep).log_through);
        Ok(())
    }

    /// Starts a snapshot. Hand its bytes over while [`snapshot_wants_more`](Self::snapshot_wants_more);
    /// [`LogEvent::SnapshotDone`] or `SnapshotFailed` follows. An [`Origin::Installed`] one takes the place of the
    /// whole history: the log stands still meanwhile and then restarts at it; nothing may be appended in between.
    ///
    /// # Errors
    /// If one is being made already, or the log is just being reset.
    ///
    /// # Panics
    /// If a local snapshot is of something that was never appended.
    pub fn begin_snapshot(&mut self, head: SnapshotHead, origin: Origin) -> Result<(), OpenError> {
        if self.snapshot_under_way() {
            return Err(OpenError::Refused("a snapshot is already being made".into()));
        }
        if self.writer.is_resetting() {
            return Err(OpenError::Refused("the log is still being cut back or restarted".into()));
        }
        match origin {
            Origin::Local => assert!(head.zxid <= self.writer.appended(), "a snapshot is of what the log has"),
            Origin::Installed => self.writer.freeze(),
        }
        self.snapshot = Some(Snapshot { head, origin, task: None, complete: false, finished: false, void: false });
        self.start_task()
    }

    /// Starts the snapshot's job; for an installed one only when every batch of the log is on stable storage, so
    /// that the number of the next one tells whether the log was restarted.
    fn start_task(&mut self) -> Result<(), OpenError> {
        let Some(snapshot) = &mut self.snapshot else { return Ok(()) };
        let local = snapshot.origin == Origin::Local;
        if snapshot.task.is_some() || snapshot.finished || !(local || self.writer.is_still()) {
            return Ok(());
        }
        let making = Making {
            disk: Arc::clone(&self.dirs.data),
            head: snapshot.head,
            origin: snapshot.origin,
            log_batch: self.writer.durable_before(),
            config: self.snapshot_config.clone(),
        };
        match SnapshotTask::start(making, &*self.background, &self.completions) {
            Ok(task) => snapshot.task = Some(task),
            Err(source) => {
                self.snapshot = None;
                self.writer.thaw();
                return Err(OpenError::Io { what: "starting a thread".into(), source });
            }
        }
        Ok(())
    }

    /// Whether a snapshot is being made.
    #[must_use]
    pub fn snapshot_under_way(&self) -> bool {
        self.snapshot.is_some() || self.purging.is_some()
    }

    /// Snapshots that exist and are of this history, oldest first.
    #[must_use]
    pub fn snapshots(&self) -> &[Zxid] {
        &self.snapshots
    }

    /// Whether the snapshot that is being made would take more bytes now.
    pub fn snapshot_wants_more(&mut self) -> bool {
        let Some(snapshot) = &mut self.snapshot else { return false };
        !snapshot.complete && !snapshot.finished && snapshot.task.as_mut().is_some_and(SnapshotTask::wants_more)
    }

    /// An empty buffer for the next bytes.
    pub fn snapshot_buffer(&mut self) -> Vec<u8> {
        let task = self.snapshot.as_mut().and_then(|s| s.task.as_mut());
        task.map_or_else(Vec::new, SnapshotTask::buffer)
    }

    /// Hands over the next bytes of the snapshot; `last` with the final ones.
    ///
    /// # Panics
    /// If they were not wanted.
    pub fn snapshot_chunk(&mut self, bytes: Vec<u8>, last: bool) {
        let snapshot = self.snapshot.as_mut().expect("a snapshot is being made");
        snapshot.task.as_mut().expect("and wants bytes").chunk(bytes);
        snapshot.complete = last;
    }

    /// Gives up the snapshot that is being made. [`LogEvent::SnapshotFailed`] follows, unless it had just ended.
    pub fn abort_snapshot(&mut self) {
        let Some(snapshot) = &mut self.snapshot else { return };
        match &mut snapshot.task {
            Some(task) => task.abandon(),
            // It has ended already, and only this is not known yet.
            None if snapshot.finished => {}
            None => {
                let result = Err("the snapshot was given up".into());
                let end = SnapshotEnd { zxid: snapshot.head.zxid, result, named: false };
                self.completions.push(Completion::Snapshot(end));
            }
        }
        snapshot.finished = true;
    }

    /// A local snapshot gets its name only when the log is on stable storage through its transaction: otherwise a
    /// crash could leave a log that ends before it.
    pub(super) fn advance_snapshot(&mut self, events: &mut Vec<LogEvent>) {
        let Some(zxid) = self.snapshot.as_ref().map(|s| s.head.zxid) else { return };
        if let Err(e) = self.start_task() {
            events.push(LogEvent::SnapshotFailed { zxid, reason: e.to_string() });
        }
        let Some(snapshot) = &mut self.snapshot else { return };
        let covered = match snapshot.origin {
            Origin::Local => self.writer.stable() >= zxid,
            Origin::Installed => snapshot.task.is_some(),
        };
        if !covered {
            self.writer.request_sync();
        }
        let Some(task) = &mut snapshot.task else { return };
        // Also hands over what had no room before.
        let has_room = task.wants_more();
        if snapshot.complete && !snapshot.finished && has_room && covered {
            task.finish();
            snapshot.finished = true;
        }
    }

    pub(super) fn snapshot_ended(&mut self, end: SnapshotEnd, events: &mut Vec<LogEvent>) {
        let Some(snapshot) = self.snapshot.take() else { return };
        let SnapshotEnd { zxid, result, named } = end;
        let installed = snapshot.origin == Origin::Installed;
        match result {
            // The next one removes its file; until then the log itself says that it does not count.
            Ok(()) if snapshot.void => self.snapshot_failed(zxid, "the log was cut back before it".into(), events),
            Ok(()) => self.take_up(zxid, installed),
            Err(error) if installed && named => {
                // The next start may or may not find it; to go on in the old history would contradict it.
                let what = format!("installing the snapshot of {zxid}");
                self.fail(LogFailed { what, error, durable: self.writer.durable() }, events);
            }
            Err(reason) => self.snapshot_failed(zxid, reason, events),
        }
    }

    fn snapshot_failed(&mut self, zxid: Zxid, reason: String, events: &mut Vec<LogEvent>) {
        self.writer.thaw();
        events.push(LogEvent::SnapshotFailed { zxid, reason });
    }

    /// A new snapshot counts. What it makes superfluous goes in the background; only then may the log do without it.
    fn take_up(&mut self, zxid: Zxid, installed: bool) {
        if installed {
            self.snapshots.clear();
            self.generation += 1;
            self.writer.restart_at(zxid);
        }
        self.snapshots.retain(|&z| z != zxid);
        self.snapshots.push(zxid);
        let plan = retention::plan(&self.snapshots, self.snapshot_config.keep);
        self.snapshots.retain(|z| !plan.snapshots.contains(z));
        self.purging = Some(zxid);
        let (disk, defects) = (Arc::clone(&self.dirs.data), self.log_config.defects);
        let kept = self.snapshots.clone();
        let job = Job::once("purge", Arc::clone(&self.completions), move || {
            Completion::Purged(task::purge(&*disk, &kept, defects).map_err(|e| e.to_string()))
        });
        if let Err(e) = self.background.start(job) {
            self.completions.push(Completion::Purged(Err(format!("starting a thread: {e}"))));
        }
    }

    pub(super) fn purged(&mut self, result: Result<(), String>, events: &mut Vec<LogEvent>) {
        let Some(zxid) = self.purging.take() else { return };
        match result {
            Ok(()) => {
                let plan = retention::plan(&self.snapshots, self.snapshot_config.keep);
                self.writer.release_through(plan.log_through);
            }
            // The log stays, too, and the next snapshot comes with another attempt.
            Err(error) => tracing::warn!(%zxid, error, "what the snapshot makes superfluous could not be removed"),
        }
        events.push(LogEvent::SnapshotDone { zxid });
    }
}
