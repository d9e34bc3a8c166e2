//! The log on a thread of its own: pwrite, then fdatasync. The calmest driver on a busy machine.

use super::{Completion, Completions, Files, LogDevice, Preparer};
use crate::config::LogConfig;
use crate::disk::{Disk, DiskFile};
use crate::planted::Defects;
use crate::writer::{LogOp, WriteOp};
use crossbeam::queue::SegQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

enum Job {
    Write(WriteOp),
    Sync { id: u64, segment: u64 },
    Adopt { segment: u64, file: Arc<dyn DiskFile> },
    Rest,
}

#[derive(Default)]
struct Jobs {
    queue: SegQueue<Job>,
    closed: AtomicBool,
}

/// A thread that writes and syncs. It ends when this is dropped, after what it was given.
pub(super) struct LogThread {
    jobs: Arc<Jobs>,
    thread: Option<JoinHandle<()>>,
}

impl LogThread {
    /// Starts it.
    ///
    /// # Errors
    /// Of the operating system.
    pub(super) fn start(
        disk: Arc<dyn Disk>,
        defects: Defects,
        completions: Arc<Completions>,
    ) -> std::io::Result<LogThread> {
        let jobs = Arc::new(Jobs::default());
        let (queue, files) = (Arc::clone(&jobs), Files::new(disk, defects));
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || run(&queue, files, &completions))?;
        Ok(LogThread { jobs, thread: Some(thread) })
    }

    pub(super) fn write(&self, op: WriteOp) {
        self.push(Job::Write(op));
    }

    pub(super) fn sync(&self, id: u64, segment: u64) {
        self.push(Job::Sync { id, segment });
    }

    /// Nothing will come for a while: the files are closed, so that a segment that is removed meanwhile is gone.
    pub(super) fn rest(&self) {
        self.push(Job::Rest);
    }

    fn push(&self, job: Job) {
        self.jobs.queue.push(job);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.jobs.closed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// The driver `thread`.
pub struct ThreadDevice {
    log: LogThread,
    preparer: Preparer,
}

impl ThreadDevice {
    /// Starts the log thread and the one that prepares segments.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn start(
        disk: Arc<dyn Disk>,
        config: &LogConfig,
        completions: Arc<Completions>,
    ) -> std::io::Result<ThreadDevice> {
        let log = LogThread::start(Arc::clone(&disk), config.defects, Arc::clone(&completions))?;
        let jobs = Arc::clone(&log.jobs);
        let thread = log.thread.as_ref().map(|thread| thread.thread().clone());
        let adopt = Box::new(move |segment, file| {
            jobs.queue.push(Job::Adopt { segment, file });
            if let Some(thread) = &thread {
                thread.unpark();
            }
        });
        let preparer = Preparer::start(disk, config.prepare_rate, config.defects, completions, adopt)?;
        Ok(ThreadDevice { log, preparer })
    }
}

fn run(jobs: &Jobs, mut files: Files, completions: &Completions) {
    loop {
        match jobs.queue.pop() {
            Some(Job::Write(op)) => completions.push(Completion::Log(files.write(&op))),
            Some(Job::Sync { id, segment }) => completions.push(Completion::Log(files.sync(id, segment))),
            Some(Job::Adopt { segment, file }) => files.adopt(segment, file),
            Some(Job::Rest) => files.close_all(),
            None if jobs.closed.load(Ordering::Acquire) => return,
            None => std::thread::park(),
        }
    }
}

impl LogDevice for ThreadDevice {
    fn submit(&mut self, op: LogOp) {
        match op {
            LogOp::Write(op) => self.log.write(op),
            LogOp::Sync { id, segment } => self.log.sync(id, segment),
            op @ (LogOp::Prepare(_) | LogOp::Delete { .. }) => self.preparer.submit(op),
        }
    }

    fn hurry(&mut self) {
        self.preparer.hurry();
    }
}
