//! A thread that makes and removes segments in the background.

use super::{Completion, Completions};
use crate::disk::{Disk, DiskFile};
use crate::planted::Defects;
use crate::segment::{self, Pacer};
use crate::writer::{Done, LogOp, PrepareError, PrepareOp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Called in the background with each segment that is ready, before its completion is queued.
pub type OnReady = Box<dyn FnMut(u64, Arc<dyn DiskFile>) + Send>;

/// The thread. It ends when this is dropped.
pub struct Preparer {
    jobs: Option<Sender<LogOp>>,
    hurry: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Worker {
    disk: Arc<dyn Disk>,
    rate: u64,
    defects: Defects,
    hurry: Arc<AtomicBool>,
    completions: Arc<Completions>,
    on_ready: OnReady,
}

impl Preparer {
    /// Starts the thread.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn start(
        disk: Arc<dyn Disk>,
        rate: u64,
        defects: Defects,
        completions: Arc<Completions>,
        on_ready: OnReady,
    ) -> std::io::Result<Preparer> {
        let (jobs, queue) = channel();
        let hurry = Arc::new(AtomicBool::new(false));
        let mut worker = Worker { disk, rate, defects, hurry: Arc::clone(&hurry), completions, on_ready };
        let thread = std::thread::Builder::new().name("log-prepare".into()).spawn(move || worker.run(&queue))?;
        Ok(Preparer { jobs: Some(jobs), hurry, thread: Some(thread) })
    }

    /// Takes a [`LogOp::Prepare`] or [`LogOp::Delete`].
    pub fn submit(&self, op: LogOp) {
        self.hurry.store(matches!(&op, LogOp::Prepare(p) if p.urgent), Ordering::Relaxed);
        let jobs = self.jobs.as_ref().expect("jobs are accepted until the end");
        // The thread ends only with the queue, or by a panic, which the missing answer shows.
        let _ = jobs.send(op);
    }

    /// Lifts the limit on the rate until the next request.
    pub fn hurry(&self) {
        self.hurry.store(true, Ordering::Relaxed);
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.hurry();
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn run(&mut self, queue: &Receiver<LogOp>) {
        while let Ok(op) = queue.recv() {
            let done = match op {
                LogOp::Prepare(op) => {
                    let result = self.prepare(&op);
                    Done::Prepared { segment: op.segment, result }
                }
                LogOp::Delete { segment } => {
                    let result = segment::delete(&*self.disk, segment, self.defects).map_err(|e| e.to_string());
                    Done::Deleted { segment, result }
                }
                LogOp::Write(_) | LogOp::Sync { .. } => unreachable!("writes do not wait behind preparation"),
            };
            self.completions.push(Completion::Log(done));
        }
    }

    fn prepare(&mut self, op: &PrepareOp) -> Result<(), PrepareError> {
        let started = Instant::now();
        let mut pacer = Pacer::new(self.rate);
        let hurry = Arc::clone(&self.hurry);
        let mut pace = |bytes| {
            let elapsed = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            let pause = pacer.pause_us(bytes, elapsed);
            if pause > 0 && !hurry.load(Ordering::Relaxed) {
                // One chunk's share of the rate; short enough that a hurry is noticed soon.
                std::thread::sleep(Duration::from_micros(pause.min(100_000)));
            }
        };
        let file = segment::prepare(&*self.disk, op, self.defects, &mut pace)?;
        (self.on_ready)(op.segment, file);
        Ok(())
    }
}
