//! The driver `auto`: io_uring, and a thread for as long as completions of io_uring wait for a processor.
//!
//! A change-over waits until nothing is under way; what comes meanwhile waits in order, so that requests about the same
//! file are never with two at once. Making and removing segments stays with io_uring's device at all times, and so in
//! the order of the requests; it also keeps the segment open that is to be written, while the thread opens what it is
//! given to write. Both write through `O_DIRECT` at given offsets, and a sync through either covers what the other
//! has written, because the file is the same.

use super::judge::{Change, Judge};
use super::thread::LogThread;
use super::{Completions, LogDevice, UringDevice};
use crate::config::{DriverKind, LogConfig};
use crate::disk::{Disk, FsDisk};
use crate::error::OpenError;
use crate::planted::Defects;
use crate::writer::{Done, LogOp, WriteOp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of a larger write its transfer would be judged, and not its completion.
const JUDGED_BYTES: usize = 64 << 10;

/// The driver `auto`. See the module.
pub struct AutoDevice {
    uring: UringDevice,
    thread: Option<LogThread>,
    /// What the thread is made of, should it be needed.
    parts: (Arc<dyn Disk>, Defects, Arc<Completions>),
    active: Side,
    rule: Rule,
    /// A change-over that waits for the requests under way.
    due: Option<Due>,
    under_way: Vec<UnderWay>,
    /// What came while a change-over was due.
    held: VecDeque<LogOp>,
    started: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Uring,
    Thread,
}

/// When to change over.
enum Rule {
    Judge(Box<Judge>),
    /// After each `every` writes, of which so many are left.
    Every {
        every: u32,
        left: u32,
    },
    Never,
}

/// Why a change-over is due.
enum Due {
    Judged(Change),
    Forced,
}

/// A write or sync that is not answered.
struct UnderWay {
    id: u64,
    /// When the write was submitted, if it is to be judged.
    judged: Option<Instant>,
}

impl AutoDevice {
    /// Opens the segment that is to be written next. The log thread is not started before it is needed.
    ///
    /// # Errors
    /// If the file system has no direct I/O, or of the operating system.
    pub async fn open(
        disk: Arc<FsDisk>,
        kind: DriverKind,
        config: &LogConfig,
        current: u64,
        completions: Arc<Completions>,
    ) -> Result<AutoDevice, OpenError> {
        let parts = (Arc::clone(&disk) as Arc<dyn Disk>, config.defects, Arc::clone(&completions));
        let uring = UringDevice::open(disk, DriverKind::UringDsync, config, current, completions).await?;
        let rule = match kind {
            DriverKind::AutoEvery(every) => Rule::Every { every, left: every },
            _ => Rule::Judge(Box::new(Judge::new(Duration::ZERO))),
        };
        Ok(AutoDevice {
            uring,
            thread: None,
            parts,
            active: Side::Uring,
            rule,
            due: None,
            under_way: Vec::new(),
            held: VecDeque::new(),
            started: Instant::now(),
        })
    }

    fn write(&mut self, op: WriteOp) {
        let is_judged = op.sync && op.batch.padded_len() <= JUDGED_BYTES && matches!(self.rule, Rule::Judge(_));
        self.under_way.push(UnderWay { id: op.id, judged: is_judged.then(Instant::now) });
        if let Rule::Every { every, left } = &mut self.rule {
            *left = left.saturating_sub(1);
            if *left == 0 {
                *left = *every;
                self.due = Some(Due::Forced);
            }
        }
        match &self.thread {
            Some(thread) if self.active == Side::Thread => {
                self.uring.close_before(op.segment);
                thread.write(op);
            }
            _ => self.uring.submit(LogOp::Write(op)),
        }
    }

    fn sync(&mut self, id: u64, segment: u64) {
        self.under_way.push(UnderWay { id, judged: None });
        match &self.thread {
            Some(thread) if self.active == Side::Thread => thread.sync(id, segment),
            _ => self.uring.submit(LogOp::Sync { id, segment }),
        }
    }

    /// A write or sync is answered.
    fn answered(&mut self, id: u64) {
        let at = self.under_way.iter().position(|op| op.id == id).expect("an answer to a request that was made");
        let judged = self.under_way.swap_remove(at).judged;
        if let (Some(submitted), None, Rule::Judge(judge)) = (judged, &self.due, &mut self.rule) {
            let now = Instant::now();
            self.due = judge.write(now - submitted, now - self.started).map(Due::Judged);
        }
        if self.under_way.is_empty()
            && let Some(due) = self.due.take()
        {
            self.change_over(&due);
            self.submit_held();
        }
    }

    fn change_over(&mut self, due: &Due) {
        if let (Side::Thread, Some(thread)) = (self.active, &self.thread) {
            thread.rest();
            self.active = Side::Uring;
        } else {
            if let Err(error) = self.start_thread() {
                tracing::warn!(%error, "the log thread cannot be started: the log stays with io_uring");
                self.rule = Rule::Never;
                return;
            }
            self.active = Side::Thread;
        }
        match due {
            Due::Judged(change) => report(change),
            Due::Forced => tracing::debug!(to = ?self.active, "log driver changed over"),
        }
    }

    fn start_thread(&mut self) -> std::io::Result<()> {
        let (disk, defects, completions) = &self.parts;
        if self.thread.is_none() {
            self.thread = Some(LogThread::start(Arc::clone(disk), *defects, Arc::clone(completions))?);
        }
        Ok(())
    }

    fn submit_held(&mut self) {
        while self.due.is_none()
            && let Some(op) = self.held.pop_front()
        {
            self.give(op);
        }
    }

    fn give(&mut self, op: LogOp) {
        match op {
            LogOp::Write(op) => self.write(op),
            LogOp::Sync { id, segment } => self.sync(id, segment),
            op @ (LogOp::Prepare(_) | LogOp::Delete { .. }) => self.uring.submit(op),
        }
    }
}

fn report(change: &Change) {
    let us = |time: &Duration| time.as_micros() as u64;
    match change {
        Change::ToThread { took, limit, stay } => tracing::info!(
            eighth_slowest_us = us(took),
            limit_us = us(limit),
            at_least_s = stay.as_secs(),
            "log writes through io_uring seem to wait for a processor: a thread takes over"
        ),
        Change::ToUring { took, uring, no_faster: false } => tracing::info!(
            eighth_slowest_us = us(took),
            uring_us = us(uring),
            "the log tries io_uring again: the thread was faster, but costs more"
        ),
        Change::ToUring { took, uring, no_faster: true } => tracing::info!(
            eighth_slowest_us = us(took),
            uring_us = us(uring),
            "the log goes back to io_uring: the thread is no faster, what is slow is not the wait for a processor"
        ),
    }
}

impl LogDevice for AutoDevice {
    fn submit(&mut self, op: LogOp) {
        // Segments are made and removed in the background, whoever writes.
        if self.due.is_some() && matches!(op, LogOp::Write(_) | LogOp::Sync { .. }) {
            self.held.push_back(op);
        } else {
            self.give(op);
        }
    }

    fn settle(&mut self, done: Done) -> Option<Done> {
        match done {
            Done::Write { id, .. } | Done::Sync { id, .. } => {
                self.answered(id);
                Some(done)
            }
            Done::Prepared { .. } | Done::Deleted { .. } => self.uring.settle(done),
        }
    }

    fn hurry(&mut self) {
        self.uring.hurry();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Completion;
    use crate::format::{BLOCK, BatchHeader, BatchKind, segment_name};
    use crate::segment;
    use crate::writer::{BatchWrite, PrepareOp};
    use ringkeeper_core::ids::Zxid;

    /// A batch without frames in the block of its number.
    fn write(id: u64) -> LogOp {
        let zxid = Zxid(id);
        let header = BatchHeader {
            kind: BatchKind::Seal,
            generation: 1,
            sequence: id,
            unsynced: 0,
            prev: zxid,
            last: zxid,
            committed: zxid,
            frames: 0,
            payload: 0,
            payload_crc: 0,
        };
        let batch = BatchWrite { header, parts: Vec::new() };
        LogOp::Write(WriteOp { id, segment: 1, offset: id * BLOCK as u64, sync: true, batch })
    }

    /// Settles so many answers.
    async fn settle(device: &mut AutoDevice, completions: &Completions, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let Some(completion) = completions.pop() else {
                std::future::poll_fn(|cx| completions.poll_ready(cx)).await;
                continue;
            };
            let Completion::Log(done) = completion else { panic!("{completion:?} is no answer of a driver") };
            match device.settle(done) {
                Some(Done::Write { id, result: Ok(()) } | Done::Sync { id, result: Ok(()) }) => ids.push(id),
                other => panic!("{other:?} is no answer to a write or sync"),
            }
        }
        ids.sort_unstable();
        ids
    }

    async fn device(dir: &std::path::Path, every: u32, completions: &Arc<Completions>) -> AutoDevice {
        let disk = FsDisk::open(dir).unwrap();
        let len = 16 * BLOCK as u64;
        let op = PrepareOp { segment: 1, generation: 1, len, reuse: None, urgent: true };
        segment::prepare(&*disk, &op, Defects::default(), &mut |_| {}).unwrap();
        let (kind, config) = (DriverKind::AutoEvery(every), LogConfig::default());
        AutoDevice::open(disk, kind, &config, 1, Arc::clone(completions)).await.unwrap()
    }

    #[test]
    fn requests_wait_for_a_change_over_and_none_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_path_buf();
        let test = || async move {
            let completions = Arc::new(Completions::default());
            let mut device = device(&path, 3, &completions).await;
            for id in 1..=4 {
                device.submit(write(id));
            }
            device.submit(LogOp::Sync { id: 100, segment: 1 });
            device.submit(write(5));
            device.submit(write(6));
            assert_eq!((device.active, device.under_way.len(), device.held.len()), (Side::Uring, 3, 4));
            assert!(device.thread.is_none(), "the thread is not needed yet");
            assert_eq!(settle(&mut device, &completions, 3).await, [1, 2, 3]);
            assert_eq!((device.active, device.under_way.len(), device.held.len()), (Side::Thread, 4, 0));
            device.submit(write(7));
            assert_eq!(device.held.len(), 1, "the thread has had its three");
            assert_eq!(settle(&mut device, &completions, 4).await, [4, 5, 6, 100]);
            assert_eq!((device.active, device.under_way.len(), device.held.len()), (Side::Uring, 1, 0));
            assert_eq!(settle(&mut device, &completions, 1).await, [7]);
            let written = std::fs::read(path.join(segment_name(1))).unwrap();
            for id in 1..=7 {
                let header = BatchHeader::parse(&written[id as usize * BLOCK..], 1).unwrap();
                assert_eq!(header.sequence, id);
            }
        };
        let executor = glommio::LocalExecutorBuilder::default().io_memory(1 << 20).spawn(test).unwrap();
        executor.join().unwrap();
    }
}
