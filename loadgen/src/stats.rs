//! What the event loops count, in intervals of a second, and how it is handed to the thread that reports.

use crate::engine::{Failure, Nanos, SECOND};
use crate::op::OpKind;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender};

/// Smallest latency that is told apart, nanoseconds.
const LOWEST: u64 = 100;
/// Longest latency that is told apart: an hour. Longer ones count as this.
const HIGHEST: u64 = 3600 * SECOND;

/// A histogram of latencies in nanoseconds: 3 digits from 100 ns to an hour.
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST, HIGHEST, 3).expect("the bounds are constants that HdrHistogram accepts")
}

/// The part of a measurement that an interval belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not measured.
    #[default]
    Warmup,
    /// The measured window.
    Measure,
    /// After the window: replies to operations of the window still come in.
    Drain,
}

/// When things are measured.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The load begins.
    pub start: Nanos,
    /// The measured window begins.
    pub from: Nanos,
    /// The measured window ends; `Nanos::MAX` if a number of operations ends it.
    pub until: Nanos,
}

/// One kind of operation in one interval.
#[derive(Clone, Debug)]
pub struct Lane {
    /// From the intended time to the reply, successes only.
    pub latency: Histogram<u64>,
    /// From the sending to the reply, in an open loop; in a closed loop the two are the same.
    pub service: Option<Histogram<u64>>,
    /// Replies with an error, by code.
    pub errors: BTreeMap<i32, u64>,
}

/// What one thread counted in one interval.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Part of the measurement.
    pub phase: Phase,
    /// Number of the interval within its phase.
    pub index: u32,
    /// When it began.
    pub from: Nanos,
    /// When it ended.
    pub to: Nanos,
    /// Replies that arrived in it, errors included; of pings only where they are recorded.
    pub completed: u64,
    /// Events of watches that arrived in it.
    pub events: u64,
    /// Kinds that are recorded, in the order in which they were given to the recorder.
    pub lanes: Vec<Lane>,
}

impl Interval {
    fn new(kinds: &[OpKind], open_loop: bool) -> Box<Interval> {
        let lane = |_| Lane {
            latency: latency_histogram(),
            service: open_loop.then(latency_histogram),
            errors: BTreeMap::new(),
        };
        Box::new(Interval {
            phase: Phase::Warmup,
            index: 0,
            from: 0,
            to: 0,
            completed: 0,
            events: 0,
            lanes: kinds.iter().map(lane).collect(),
        })
    }

    /// Forgets all counts.
    pub fn clear(&mut self) {
        self.completed = 0;
        self.events = 0;
        for lane in &mut self.lanes {
            lane.latency.reset();
            if let Some(service) = &mut lane.service {
                service.reset();
            }
            lane.errors.clear();
        }
    }
}

/// What an event loop tells the thread that reports.
#[derive(Debug)]
pub enum Message {
    /// The thread's sessions are established.
    Ready,
    /// Progress of opening: so many sessions more.
    Opened(usize),
    /// An interval is over.
    Interval {
        /// The thread.
        thread: usize,
        /// Its counts.
        interval: Box<Interval>,
    },
    /// The thread is done with its load.
    Done {
        /// The thread.
        thread: usize,
        /// How it ended.
        ended: Result<Ended, Failure>,
        /// When its last reply came.
        last_reply: Nanos,
    },
}

/// The end of a thread's load.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// Operations of the schedule that were never sent, because the server did not keep up.
    pub unsent: u64,
    /// Operations sent but not answered when the run was interrupted.
    pub unanswered: u64,
    /// It was interrupted before its time.
    pub interrupted: bool,
}

/// Counts one thread's operations. Recording allocates nothing: filled intervals go out, emptied ones come back.
#[derive(Debug)]
pub struct Recorder {
    thread: usize,
    window: Window,
    current: Box<Interval>,
    /// Lane of each kind; `NONE` if the kind is not recorded.
    lane_of: [u8; OpKind::COUNT],
    next_cut: Nanos,
    /// Start of what is recorded: operations meant to start before it belong to the warm-up.
    measured_from: Nanos,
    last_reply: Nanos,
    kinds: Vec<OpKind>,
    open_loop: bool,
    out: Sender<Message>,
    emptied: Receiver<Box<Interval>>,
}

const NONE: u8 = u8::MAX;
/// Intervals of a thread that are in circulation beside the one being filled.
const SPARE: usize = 2;

impl Recorder {
    /// A recorder for the given kinds. Intervals are sent to `out`; the receiver is expected to [`Interval::clear`]
    /// them and send them back over the channel whose ends are `emptied` and `refill`.
    pub fn new(
        thread: usize,
        kinds: &[OpKind],
        open_loop: bool,
        window: Window,
        out: Sender<Message>,
        (refill, emptied): (&Sender<Box<Interval>>, Receiver<Box<Interval>>),
    ) -> Recorder {
        let mut lane_of = [NONE; OpKind::COUNT];
        for (lane, kind) in kinds.iter().enumerate() {
            lane_of[*kind as usize] = lane as u8;
        }
        for _ in 0..SPARE {
            // The receiving end is in our hands.
            let _ = refill.send(Interval::new(kinds, open_loop));
        }
        let mut recorder = Recorder {
            thread,
            window,
            current: Interval::new(kinds, open_loop),
            lane_of,
            next_cut: 0,
            measured_from: 0,
            last_reply: window.start,
            kinds: kinds.to_vec(),
            open_loop,
            out,
            emptied,
        };
        let phase = if window.from <= window.start { Phase::Measure } else { Phase::Warmup };
        recorder.begin(phase, 0, window.start);
        recorder
    }

    /// Ends the interval if its time is over.
    pub fn tick(&mut self, now: Nanos) {
        while now >= self.next_cut {
            let (phase, index) = self.following();
            let cut = self.next_cut;
            self.send(cut);
            self.begin(phase, index, cut);
        }
    }

    /// Sends what was counted since the last interval ended.
    pub fn finish(&mut self, now: Nanos) {
        self.tick(now);
        self.send(now);
    }

    /// When the current interval ends.
    pub fn next_cut(&self) -> Nanos {
        self.next_cut
    }

    /// When the last reply came.
    pub fn last_reply(&self) -> Nanos {
        self.last_reply
    }

    /// Counts a reply.
    pub fn record(&mut self, kind: OpKind, intended: Nanos, sent: Nanos, now: Nanos, err: i32) {
        let lane = self.lane_of[kind as usize];
        // Pings count where nothing else is asked.
        if kind != OpKind::Ping || lane != NONE {
            self.current.completed += 1;
            self.last_reply = now;
        }
        if intended < self.measured_from || lane == NONE {
            return;
        }
        let lane = &mut self.current.lanes[usize::from(lane)];
        if err != 0 {
            *lane.errors.entry(err).or_insert(0) += 1;
            return;
        }
        lane.latency.saturating_record(now.saturating_sub(intended));
        if let Some(service) = &mut lane.service {
            service.saturating_record(now.saturating_sub(sent));
        }
    }

    /// Counts an event of a watch.
    pub fn noticed(&mut self) {
        self.current.events += 1;
    }

    fn begin(&mut self, phase: Phase, index: u32, from: Nanos) {
        self.current.phase = phase;
        self.current.index = index;
        self.current.from = from;
        if phase == Phase::Measure {
            self.measured_from = self.window.from;
        }
        let end_of_phase = match phase {
            Phase::Warmup => self.window.from,
            Phase::Measure => self.window.until,
            Phase::Drain => Nanos::MAX,
        };
        self.next_cut = (from + SECOND).min(end_of_phase);
    }

    fn following(&self) -> (Phase, u32) {
        match self.current.phase {
            Phase::Warmup if self.next_cut >= self.window.from => (Phase::Measure, 0),
            Phase::Measure if self.next_cut >= self.window.until => (Phase::Drain, 0),
            phase => (phase, self.current.index + 1),
        }
    }

    fn send(&mut self, to: Nanos) {
        self.current.to = to;
        let fresh = self.emptied.try_recv().unwrap_or_else(|_| Interval::new(&self.kinds, self.open_loop));
        let interval = std::mem::replace(&mut self.current, fresh);
        // If nobody listens any more, the run is over and nobody misses the counts.
        let _ = self.out.send(Message::Interval { thread: self.thread, interval });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn recorder(window: Window) -> (Recorder, Receiver<Message>) {
        let (out, messages) = channel();
        let (refill, emptied) = channel();
        (Recorder::new(0, &[OpKind::Set], false, window, out, (&refill, emptied)), messages)
    }

    fn intervals(messages: &Receiver<Message>) -> Vec<(Phase, u32, Nanos, Nanos, u64, u64)> {
        messages
            .try_iter()
            .map(|message| match message {
                Message::Interval { interval: i, .. } => {
                    (i.phase, i.index, i.from, i.to, i.completed, i.lanes[0].latency.len())
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn operations_are_measured_by_intended_time_and_counted_by_reply_time() {
        let s = SECOND;
        let (mut r, messages) = recorder(Window { start: 0, from: 2 * s, until: 3 * s + s / 2 });
        r.tick(s / 2);
        r.record(OpKind::Set, s / 2, s / 2, s, 0);
        r.tick(2 * s);
        // Meant for the warm-up, answered in the window: throughput, but no latency.
        r.record(OpKind::Set, s, s, 2 * s, 0);
        r.record(OpKind::Set, 2 * s, 2 * s, 2 * s + 1000, 0);
        r.tick(4 * s);
        // Meant for the window, answered after it: latency, but no throughput.
        r.record(OpKind::Set, 3 * s, 3 * s, 4 * s, 0);
        r.finish(4 * s);
        assert_eq!(
            intervals(&messages),
            [
                (Phase::Warmup, 0, 0, s, 1, 1),
                (Phase::Warmup, 1, s, 2 * s, 0, 0),
                (Phase::Measure, 0, 2 * s, 3 * s, 2, 1),
                (Phase::Measure, 1, 3 * s, 3 * s + s / 2, 0, 0),
                (Phase::Drain, 0, 3 * s + s / 2, 4 * s, 1, 1),
            ]
        );
    }

    #[test]
    fn without_warmup_all_is_measured_until_the_operations_run_out() {
        let (mut r, messages) = recorder(Window { start: 5, from: 5, until: Nanos::MAX });
        r.record(OpKind::Set, 5, 5, 9, 0);
        r.record(OpKind::Set, 5, 5, 9, -101);
        r.finish(9);
        assert_eq!(intervals(&messages), [(Phase::Measure, 0, 5, 9, 2, 1)]);
        assert_eq!(r.last_reply(), 9);
    }
}
