//! Work that may wait for a disk, handed out as values: a server runs it on threads, a simulation piece by piece at
//! moments of its own choice.

use crate::driver::{Completion, Completions};
use crate::segment::Pacer;
use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Who runs the log's jobs beside its writes: the epoch record, snapshots, reading.
pub trait Background {
    /// Takes a job, whose [`Job::step`] is to be called until it is done. The waker says that a job that waited has
    /// something to do again.
    ///
    /// # Errors
    /// If it cannot be run. Then nothing of it was done.
    fn start(&self, job: Job) -> io::Result<Waker>;
}

/// How far a job has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It goes on at once. So many bytes were written, which the job's rate bounds.
    More {
        /// Bytes of this step.
        written: u64,
    },
    /// There is nothing to do until it is woken.
    Wait,
    /// It has ended and closed its files, and its completion is queued.
    Done,
}

/// A job.
pub struct Job {
    name: &'static str,
    rate: u64,
    task: Option<Box<dyn Task>>,
    completions: Arc<Completions>,
}

/// What a job does.
pub(crate) trait Task: Send {
    /// Does the next piece.
    fn step(&mut self) -> Piece;
}

/// Outcome of a piece.
pub(crate) enum Piece {
    /// See [`Step::More`].
    More { written: u64 },
    /// See [`Step::Wait`].
    Wait,
    /// The end.
    Done(Completion),
}

impl Job {
    pub(crate) fn new(name: &'static str, rate: u64, task: Box<dyn Task>, completions: Arc<Completions>) -> Job {
        Job { name, rate, task: Some(task), completions }
    }

    /// A job of one piece.
    pub(crate) fn once(
        name: &'static str,
        completions: Arc<Completions>,
        work: impl FnOnce() -> Completion + Send + 'static,
    ) -> Job {
        Job::new(name, 0, Box::new(Once(Some(work))), completions)
    }

    /// What kind of job it is.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Bytes per second that it should write at most; 0 for no bound.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// Does the next piece of it, which may wait for the disk.
    pub fn step(&mut self) -> Step {
        let Some(task) = &mut self.task else { return Step::Done };
        match task.step() {
            Piece::More { written } => Step::More { written },
            Piece::Wait => Step::Wait,
            Piece::Done(completion) => {
                // Whoever hears of the end may close the directory and expect nobody in it.
                self.task = None;
                self.completions.push(completion);
                Step::Done
            }
        }
    }
}

struct Once<F>(Option<F>);

impl<F: FnOnce() -> Completion + Send> Task for Once<F> {
    fn step(&mut self) -> Piece {
        let work = self.0.take().expect("a job of one piece is done after it");
        Piece::Done(work())
    }
}

/// Each job on a thread of its own. They are few (elections, snapshots, followers that catch up), and none of them may
/// stop the executor or another one.
#[derive(Clone, Copy, Default, Debug)]
pub struct Threads;

impl Background for Threads {
    fn start(&self, job: Job) -> io::Result<Waker> {
        let thread = std::thread::Builder::new().name(job.name().into()).spawn(move || run(job))?;
        Ok(Waker::from(Arc::new(Unpark(thread.thread().clone()))))
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn run(mut job: Job) {
    let started = Instant::now();
    let mut pacer = Pacer::new(job.rate());
    loop {
        match job.step() {
            Step::More { written } => {
                let elapsed = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                let pause = pacer.pause_us(written, elapsed);
                if pause > 0 {
                    std::thread::sleep(Duration::from_micros(pause));
                }
            }
            Step::Wait => std::thread::park(),
            Step::Done => return,
        }
    }
}
