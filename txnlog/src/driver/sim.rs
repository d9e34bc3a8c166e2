//! A log device of a simulation, which also runs the log's background jobs: everything waits until the simulation has
//! it carried out, one small part at a time, so that a crash or another server's step can come between any two.

use super::{Completion, Completions, Files, LogDevice};
use crate::background::{Background, Job, Step};
use crate::disk::Disk;
use crate::format::BatchHeader;
use crate::planted::Defects;
use crate::segment;
use crate::writer::{Done, LogOp, WriteOp};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Something that can be carried out next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// A write, or the sync that belongs to it.
    Write {
        /// The batch.
        header: BatchHeader,
        /// Number of the segment.
        segment: u64,
        /// Place in it.
        offset: u64,
        /// It is written and lacks only its sync.
        written: bool,
    },
    /// A sync of a segment.
    Sync {
        /// Its number.
        segment: u64,
    },
    /// The making of a segment.
    Prepare {
        /// Its number.
        segment: u64,
        /// Number of the one that is used again.
        reuse: Option<u64>,
    },
    /// The removal of a segment.
    Delete {
        /// Its number.
        segment: u64,
    },
    /// A piece of a background job of this name.
    Job(&'static str),
}

/// The device. Clones are handles of the same one: the log has two, as [`LogDevice`] and as [`Background`], the
/// simulation keeps a third. It has neither threads nor clocks: equal calls have equal effects.
#[derive(Clone)]
pub struct SimDevice {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    disk: Arc<dyn Disk>,
    defects: Defects,
    completions: Arc<Completions>,
    files: Files,
    /// Writes, and whether each lacks only its sync.
    writes: Vec<(WriteOp, bool)>,
    syncs: VecDeque<(u64, u64)>,
    /// Segments to be made and removed.
    chores: VecDeque<LogOp>,
    jobs: Vec<Running>,
}

struct Running {
    job: Job,
    asleep: Arc<Asleep>,
}

struct Asleep(AtomicBool);

impl Wake for Asleep {
    fn wake(self: Arc<Self>) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Running {
    fn is_awake(&self) -> bool {
        !self.asleep.0.load(Ordering::Relaxed)
    }
}

impl SimDevice {
    /// A device for the log on `disk`, which answers through `completions`.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, defects: Defects, completions: Arc<Completions>) -> SimDevice {
        let files = Files::new(Arc::clone(&disk), defects);
        let (writes, syncs, chores, jobs) = (Vec::new(), VecDeque::new(), VecDeque::new(), Vec::new());
        let inner = Inner { disk, defects, completions, files, writes, syncs, chores, jobs };
        SimDevice { inner: Arc::new(Mutex::new(inner)) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can be carried out next, in an order that only depends on what was submitted. Writes may overtake each
    /// other; syncs, and the making and removing of segments, may not; a job may overtake all others.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        self.inner().waiting()
    }

    /// Whether nothing can be carried out.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let inner = self.inner();
        let idle = inner.writes.is_empty() && inner.syncs.is_empty() && inner.chores.is_empty();
        idle && !inner.jobs.iter().any(Running::is_awake)
    }

    /// Carries out a part of what [`waiting`](Self::waiting) has at this index. False if it failed; the log hears of
    /// it in its next turn, as of every end.
    ///
    /// # Panics
    /// If there is nothing at this index.
    pub fn step(&self, index: usize) -> bool {
        let mut inner = self.inner();
        let (writes, syncs) = (inner.writes.len(), inner.syncs.len().min(1));
        let chores = inner.chores.len().min(1);
        let done = if index < writes {
            inner.write(index)
        } else if index < writes + syncs {
            let (id, segment) = inner.syncs.pop_front().expect("a sync was just seen");
            Some(inner.files.sync(id, segment))
        } else if index < writes + syncs + chores {
            Some(inner.chore())
        } else {
            inner.job(index - writes - syncs - chores);
            None
        };
        let Some(done) = done else { return true };
        let went_well = went_well(&done);
        inner.completions.push(Completion::Log(done));
        went_well
    }
}

fn went_well(done: &Done) -> bool {
    match done {
        Done::Write { result, .. } | Done::Sync { result, .. } | Done::Deleted { result, .. } => result.is_ok(),
        Done::Prepared { result, .. } => result.is_ok(),
    }
}

impl Inner {
    fn waiting(&self) -> Vec<Waiting> {
        let write = |(op, written): &(WriteOp, bool)| Waiting::Write {
            header: *op.batch.header(),
            segment: op.segment,
            offset: op.offset,
            written: *written,
        };
        let sync = self.syncs.front().map(|&(_, segment)| Waiting::Sync { segment });
        let chore = self.chores.front().map(|op| match op {
            LogOp::Prepare(op) => Waiting::Prepare { segment: op.segment, reuse: op.reuse },
            LogOp::Delete { segment } => Waiting::Delete { segment: *segment },
            LogOp::Write(_) | LogOp::Sync { .. } => unreachable!("{op:?} is no chore"),
        });
        let jobs = self.jobs.iter().filter(|r| r.is_awake()).map(|r| Waiting::Job(r.job.name()));
        self.writes.iter().map(write).chain(sync).chain(chore).chain(jobs).collect()
    }

    /// A write and its sync are two parts.
    fn write(&mut self, index: usize) -> Option<Done> {
        let (op, written) = &mut self.writes[index];
        let result = if *written { self.files.sync_only(op.segment) } else { self.files.write_only(op) };
        if result.is_ok() && op.sync && !*written {
            *written = true;
            return None;
        }
        let (op, _) = self.writes.remove(index);
        Some(Done::Write { id: op.id, result: result.map_err(|e| e.to_string()) })
    }

    fn chore(&mut self) -> Done {
        match self.chores.pop_front().expect("a chore was just seen") {
            LogOp::Prepare(op) => {
                let result = segment::prepare(&*self.disk, &op, self.defects, &mut |_| {}).map(drop);
                Done::Prepared { segment: op.segment, result }
            }
            LogOp::Delete { segment } => {
                let result = segment::delete(&*self.disk, segment, self.defects).map_err(|e| e.to_string());
                Done::Deleted { segment, result }
            }
            op @ (LogOp::Write(_) | LogOp::Sync { .. }) => unreachable!("{op:?} is no chore"),
        }
    }

    fn job(&mut self, index: usize) {
        let awake = self.jobs.iter().enumerate().filter(|(_, r)| r.is_awake()).map(|(i, _)| i).nth(index);
        let index = awake.expect("there is such a job");
        let running = &mut self.jobs[index];
        match running.job.step() {
            Step::More { .. } => {}
            Step::Wait => running.asleep.0.store(true, Ordering::Relaxed),
            Step::Done => drop(self.jobs.remove(index)),
        }
    }
}

impl LogDevice for SimDevice {
    fn submit(&mut self, op: LogOp) {
        let mut inner = self.inner();
        match op {
            LogOp::Write(op) => inner.writes.push((op, false)),
            LogOp::Sync { id, segment } => inner.syncs.push_back((id, segment)),
            op @ (LogOp::Prepare(_) | LogOp::Delete { .. }) => inner.chores.push_back(op),
        }
    }
}

impl Background for SimDevice {
    fn start(&self, job: Job) -> io::Result<Waker> {
        let asleep = Arc::new(Asleep(AtomicBool::new(false)));
        self.inner().jobs.push(Running { job, asleep: Arc::clone(&asleep) });
        Ok(Waker::from(asleep))
    }
}
