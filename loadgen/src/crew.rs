//! A measurement with one or several threads: sessions are opened, all begin at the same instant, what they count is
//! gathered every second, processor time is sampled at the edges of the measured window.

use crate::cpu::{self, CpuTime, Usage};
use crate::engine::{Arrival, Clock, Drive, Engine, Failure, Job, Length, Nanos, Options, Pacer, SECOND, Stop, nanos};
use crate::live::{LiveLine, Progress};
use crate::op::OpKind;
use crate::prepare::CatchUp;
use crate::random::Random;
use crate::stats::{Ended, Message, Recorder, Window};
use crate::totals::Totals;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Scope, scope};
use std::time::Duration;

/// From the moment that all threads are ready to the first operation: threads need time to wake up.
const LEAD: Nanos = SECOND / 50;

/// What ends the measured window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Span {
    /// A time.
    Time(Duration),
    /// A number of operations, all threads together.
    Operations(u64),
}

/// A measurement.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Server of each connection.
    pub servers: Vec<SocketAddr>,
    /// Threads that share the connections.
    pub threads: usize,
    /// How sessions are held.
    pub options: Options,
    /// Kinds that are recorded.
    pub kinds: Vec<OpKind>,
    /// Operations per second of an open loop, all threads together.
    pub rate: Option<(f64, Arrival)>,
    /// Load before the measured window.
    pub warmup: Duration,
    /// The measured window.
    pub span: Span,
    /// `sync` on this path before the load begins.
    pub catch_up: Option<String>,
    /// Seed of all that is random.
    pub seed: u64,
    /// Server processes to account for.
    pub pids: Vec<u32>,
    /// The clock of all threads.
    pub clock: Clock,
    /// Ends everything early.
    pub stop: Stop,
}

/// What processes used in the measured window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Consumed {
    /// At its start and its end, by the servers; `None` if no process ids were given or one is gone.
    pub servers: Option<(Usage, Usage)>,
    /// By loadgen.
    pub own: CpuTime,
}

/// How a measurement went.
#[derive(Debug)]
pub struct Outcome {
    /// What was counted.
    pub totals: Totals,
    /// What it cost.
    pub consumed: Consumed,
    /// How the threads ended, summed.
    pub ended: Ended,
    /// What went wrong.
    pub failures: Vec<Failure>,
    /// It was interrupted by the user.
    pub interrupted: bool,
}

impl Campaign {
    /// Carries the measurement out. `job` makes the job of a thread, given its number and its connections.
    pub fn execute<J: Job>(
        &self,
        live: &mut LiveLine,
        quiet: bool,
        job: impl Fn(usize, Range<usize>) -> J + Sync,
    ) -> Outcome {
        let (out, messages) = channel();
        scope(|scope| {
            let threads: Vec<Thread> =
                (0..self.threads).map(|number| self.spawn(scope, number, out.clone(), &job)).collect();
            drop(out);
            Conductor::new(self, threads, messages).conduct(live, quiet)
        })
    }

    fn connections_of(&self, thread: usize) -> Range<usize> {
        let share = |n: usize| n * self.servers.len() / self.threads;
        share(thread)..share(thread + 1)
    }

    fn spawn<'s, J: Job>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        number: usize,
        out: Sender<Message>,
        job: &'s (impl Fn(usize, Range<usize>) -> J + Sync),
    ) -> Thread {
        let (begin, window) = channel();
        let (refill, emptied) = channel();
        let refill_here = refill.clone();
        scope.spawn(move || {
            let ended = self.work(number, &out, &window, (&refill_here, emptied), job);
            if let Err(failure) = ended {
                let last_reply = self.clock.now();
                // If nobody listens any more, the measurement has failed already.
                let _ = out.send(Message::Done { thread: number, ended: Err(failure), last_reply });
            }
        });
        Thread { begin, refill }
    }

    fn work<J: Job>(
        &self,
        number: usize,
        out: &Sender<Message>,
        window: &Receiver<Window>,
        (refill, emptied): (&Sender<Box<crate::stats::Interval>>, Receiver<Box<crate::stats::Interval>>),
        job: &impl Fn(usize, Range<usize>) -> J,
    ) -> Result<(), Failure> {
        let mine = self.connections_of(number);
        let opened = |n| drop(out.send(Message::Opened(n)));
        let servers = &self.servers[mine.clone()];
        let mut engine = Engine::open(servers, self.options.clone(), self.clock, self.stop.clone(), opened)?;
        if let Some(path) = &self.catch_up {
            let mut job = CatchUp::new(servers.len(), path);
            engine.drive(Drive { job: &mut job, pacer: None, length: Length::Job }, None)?;
        }
        let mut job = job(number, mine);
        let _ = out.send(Message::Ready);
        let Ok(window) = window.recv() else {
            engine.close();
            return Ok(());
        };
        let open_loop = self.rate.is_some();
        let mut recorder = Recorder::new(number, &self.kinds, open_loop, window, out.clone(), (refill, emptied));
        std::thread::sleep(self.clock.until(window.start));
        let pacer = self.pacer(number, window.start);
        let drive = Drive { job: &mut job, pacer, length: self.length(number, window) };
        let ended = engine.drive(drive, Some(&mut recorder));
        recorder.finish(self.clock.now());
        let last_reply = recorder.last_reply();
        let _ = out.send(Message::Done { thread: number, ended, last_reply });
        engine.close();
        Ok(())
    }

    fn pacer(&self, thread: usize, start: Nanos) -> Option<Pacer> {
        let (rate, arrival) = self.rate?;
        // Not the generator of the workload: what is asked must not depend on when.
        let random = Random::of_party(!self.seed, thread as u64);
        Some(Pacer::new(arrival, rate, thread, self.threads, start, random))
    }

    fn length(&self, thread: usize, window: Window) -> Length {
        match self.span {
            Span::Time(_) => Length::Until(window.until),
            Span::Operations(total) => {
                let share = |n: usize| total * n as u64 / self.threads as u64;
                Length::Operations { count: share(thread + 1) - share(thread), from: window.from }
            }
        }
    }

    fn window(&self) -> Window {
        let start = self.clock.now() + LEAD;
        let from = start + nanos(self.warmup);
        let until = match self.span {
            Span::Time(time) => from + nanos(time),
            Span::Operations(_) => Nanos::MAX,
        };
        Window { start, from, until }
    }
}

/// The conductor's ends of a thread's channels.
struct Thread {
    begin: Sender<Window>,
    refill: Sender<Box<crate::stats::Interval>>,
}

/// Gathers what the threads tell.
struct Conductor<'c> {
    campaign: &'c Campaign,
    threads: Vec<Thread>,
    messages: Receiver<Message>,
    done: usize,
    ended: Ended,
    failures: Vec<Failure>,
    interrupted: bool,
}

impl<'c> Conductor<'c> {
    fn new(campaign: &'c Campaign, threads: Vec<Thread>, messages: Receiver<Message>) -> Conductor<'c> {
        let (ended, failures) = (Ended::default(), Vec::new());
        Conductor { campaign, threads, messages, done: 0, ended, failures, interrupted: false }
    }

    fn conduct(mut self, live: &mut LiveLine, quiet: bool) -> Outcome {
        let ready = self.gather_ready(quiet);
        let window = self.campaign.window();
        let mut totals = Totals::new(&self.campaign.kinds, self.campaign.rate.is_some(), self.threads.len(), window);
        let mut edges = Edges::default();
        if ready && !self.campaign.stop.is_set() {
            for thread in &self.threads {
                // A thread that is gone has sent why.
                let _ = thread.begin.send(window);
            }
            self.gather(&mut totals, &mut edges, window, live);
        } else {
            self.interrupted |= self.failures.is_empty();
            self.campaign.stop.now();
        }
        live.clear();
        let (ended, failures, interrupted) = (self.ended, self.failures, self.interrupted);
        Outcome { totals, consumed: edges.consumed(), ended, failures, interrupted }
    }

    /// Waits for all sessions; `false` if some could not be had.
    fn gather_ready(&mut self, quiet: bool) -> bool {
        let mut progress = Progress::new("opening sessions", self.campaign.servers.len() as u64, quiet);
        let mut ready = 0;
        while ready < self.threads.len() {
            match self.messages.recv() {
                Ok(Message::Ready) => ready += 1,
                Ok(Message::Opened(n)) => progress.advance(n as u64),
                Ok(Message::Done { ended: Err(failure), .. }) => {
                    self.failures.push(failure);
                    return false;
                }
                Ok(Message::Done { .. } | Message::Interval { .. }) => {}
                Err(_) => return false,
            }
        }
        progress.finish();
        true
    }

    fn gather(&mut self, totals: &mut Totals, edges: &mut Edges, window: Window, live: &mut LiveLine) {
        let campaign = self.campaign;
        while self.done < self.threads.len() {
            let now = campaign.clock.now();
            edges.sample(campaign, window, now);
            let timeout = campaign.clock.until(edges.next(window).min(now + SECOND));
            match self.messages.recv_timeout(timeout) {
                Ok(message) => self.take(message, totals, live),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        edges.sample_end(campaign);
    }

    fn take(&mut self, message: Message, totals: &mut Totals, live: &mut LiveLine) {
        match message {
            Message::Interval { thread, mut interval } => {
                for moment in totals.add(thread, &interval) {
                    live.show(&moment);
                }
                interval.clear();
                // A thread that ended needs no empty intervals.
                let _ = self.threads[thread].refill.send(interval);
            }
            Message::Done { thread, ended, last_reply } => {
                self.done += 1;
                totals.ended(thread, last_reply);
                match ended {
                    Ok(ended) => self.note(ended),
                    Err(failure) => {
                        self.failures.push(failure);
                        self.campaign.stop.now();
                    }
                }
            }
            Message::Ready | Message::Opened(_) => {}
        }
    }

    fn note(&mut self, ended: Ended) {
        self.ended.unsent += ended.unsent;
        self.ended.unanswered += ended.unanswered;
        self.ended.interrupted |= ended.interrupted;
        // Other threads' failures interrupt, too.
        self.interrupted |= ended.interrupted && self.failures.is_empty();
    }
}

/// Samples at the edges of the measured window.
#[derive(Default)]
struct Edges {
    start: Option<(Option<Usage>, CpuTime)>,
    end: Option<(Option<Usage>, CpuTime)>,
}

impl Edges {
    fn next(&self, window: Window) -> Nanos {
        match (&self.start, &self.end) {
            (None, _) => window.from,
            (Some(_), None) => window.until,
            (Some(_), Some(_)) => Nanos::MAX,
        }
    }

    fn sample(&mut self, campaign: &Campaign, window: Window, now: Nanos) {
        if self.start.is_none() && now >= window.from {
            self.start = Some(take_sample(campaign));
        }
        if self.end.is_none() && now >= window.until {
            self.end = Some(take_sample(campaign));
        }
    }

    fn sample_end(&mut self, campaign: &Campaign) {
        if self.end.is_none() {
            self.end = Some(take_sample(campaign));
        }
    }

    fn consumed(&self) -> Consumed {
        let (Some((servers_before, own_before)), Some((servers_after, own_after))) = (&self.start, &self.end) else {
            return Consumed::default();
        };
        Consumed { servers: (*servers_before).zip(*servers_after), own: own_after.since(own_before) }
    }
}

fn take_sample(campaign: &Campaign) -> (Option<Usage>, CpuTime) {
    let servers = if campaign.pids.is_empty() { None } else { cpu::of_processes(&campaign.pids).ok() };
    (servers, cpu::own())
}
