//! The log on a thread of its own: pwrite, then fdatasync. The calmest driver on a busy machine.

use super::{Completion, Completions, Files, LogDevice, Preparer};
use crate::config::LogConfig;
use crate::disk::{Disk, DiskFile};
use crate::writer::{LogOp, WriteOp};
use crossbeam::queue::SegQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

enum Job {
    Write(WriteOp),
    Sync { id: u64, segment: u64 },
    Adopt { segment: u64, file: Arc<dyn DiskFile> },
}

#[derive(Default)]
struct Jobs {
    queue: SegQueue<Job>,
    closed: AtomicBool,
}

/// The driver `thread`.
pub struct ThreadDevice {
    jobs: Arc<Jobs>,
    thread: Option<JoinHandle<()>>,
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
        let jobs = Arc::new(Jobs::default());
        let files = Files::new(Arc::clone(&disk), config.defects);
        let (queue, bell) = (Arc::clone(&jobs), Arc::clone(&completions));
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || run(&queue, files, &bell))?;
        let (queue, log) = (Arc::clone(&jobs), thread.thread().clone());
        let adopt = Box::new(move |segment, file| {
            queue.queue.push(Job::Adopt { segment, file });
            log.unpark();
        });
        let preparer = Preparer::start(disk, config.prepare_rate, config.defects, completions, adopt)?;
        Ok(ThreadDevice { jobs, thread: Some(thread), preparer })
    }

    fn push(&self, job: Job) {
        self.jobs.queue.push(job);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

fn run(jobs: &Jobs, mut files: Files, completions: &Completions) {
    loop {
        match jobs.queue.pop() {
            Some(Job::Write(op)) => completions.push(Completion::Log(files.write(&op))),
            Some(Job::Sync { id, segment }) => completions.push(Completion::Log(files.sync(id, segment))),
            Some(Job::Adopt { segment, file }) => files.adopt(segment, file),
            None if jobs.closed.load(Ordering::Acquire) => return,
            None => std::thread::park(),
        }
    }
}

impl LogDevice for ThreadDevice {
    fn submit(&mut self, op: LogOp) {
        match op {
            LogOp::Write(op) => self.push(Job::Write(op)),
            LogOp::Sync { id, segment } => self.push(Job::Sync { id, segment }),
            op @ (LogOp::Prepare(_) | LogOp::Delete { .. }) => self.preparer.submit(op),
        }
    }

    fn hurry(&mut self) {
        self.preparer.hurry();
    }
}

impl Drop for ThreadDevice {
    fn drop(&mut self) {
        self.jobs.closed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
