//! When the driver `auto` changes over. PURE: it is told how long writes took and when they ended, and has no clock.
//!
//! A write with `O_DSYNC` through io_uring is completed by a worker of the kernel. Where others use up the processors,
//! this worker waits for a time slice, a few milliseconds each time; the log's own thread, which sleeps in the system
//! call, is woken ahead of them. From outside, the wait looks like a slow disk, and only the thread can tell them apart:
//! where it is no faster, the disk is slow, or the executor comes late to its answers.
//!
//! One figure is judged, the eighth slowest of 32 writes: it shows what happens to every fourth write, which a median
//! would not, and a single stall of the disk does not move it.

use std::time::Duration;

/// Writes that are looked at together: so few that a change for the worse shows after a tenth of a second at 4 ms a
/// write, so many that a quarter of them is no accident.
const WINDOW: usize = 32;
/// So many slow ones among them are enough.
const SLOW: usize = 8;
/// A slower write counts. A disk that is worth the question commits in less than a millisecond; whoever waits for a
/// time slice waits for one to four of them.
const LIMIT: Duration = Duration::from_micros(1500);
/// The first stay with the thread. A trial of io_uring on busy processors costs eight slow writes, some 30 ms: a third
/// of a percent of this.
const SHORTEST: Duration = Duration::from_secs(10);
/// The longest: so long a server can miss that it could have the cheaper driver.
const LONGEST: Duration = Duration::from_secs(300);
/// The next stay begins with the shortest again if io_uring has served at least so long ...
const CALM: Duration = Duration::from_secs(60);
/// ... and at least so many writes: a server that writes once in ten seconds proves nothing in a minute.
const CALM_WRITES: u32 = 256;
/// A limit that was raised for a slow disk holds for so long, and is learnt anew then.
const RELEARN: Duration = Duration::from_secs(600);

/// Tells when to change over.
pub(super) struct Judge {
    mode: Mode,
    window: Window,
    /// What counts as slow in io_uring's mode.
    limit: Duration,
    /// The last stay that was necessary.
    stayed: Option<Duration>,
}

enum Mode {
    Uring { since: Duration, writes: u32 },
    Thread { since: Duration, stay: Duration, uring: Duration },
}

/// A change-over, with what it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Every fourth write through io_uring is slow.
    ToThread {
        /// The eighth slowest of the last writes.
        took: Duration,
        /// What it may be.
        limit: Duration,
        /// The thread stays at least so long, unless it turns out to be no faster.
        stay: Duration,
    },
    /// The stay has ended.
    ToUring {
        /// The eighth slowest write of the thread.
        took: Duration,
        /// That of io_uring before.
        uring: Duration,
        /// The thread was hardly faster: what was slow was not the completion.
        no_faster: bool,
    },
}

impl Judge {
    /// Begins with io_uring. `now`, here and later, is the time since any moment that stays the same.
    pub(super) fn new(now: Duration) -> Judge {
        let mode = Mode::Uring { since: now, writes: 0 };
        Judge { mode, window: Window::default(), limit: LIMIT, stayed: None }
    }

    /// A synchronous write has ended at `now` and took so long. The answer is to be followed, sooner or later; writes
    /// that end until then must not be told.
    pub(super) fn write(&mut self, took: Duration, now: Duration) -> Option<Change> {
        match self.mode {
            Mode::Uring { since, writes } => {
                self.mode = Mode::Uring { since, writes: writes.saturating_add(1) };
                self.through_uring(took, now)
            }
            Mode::Thread { since, stay, uring } => self.through_thread(took, now, since, stay, uring),
        }
    }

    fn through_uring(&mut self, took: Duration, now: Duration) -> Option<Change> {
        let Mode::Uring { since, writes } = self.mode else { return None };
        let lasted = now.saturating_sub(since);
        if lasted >= RELEARN {
            self.limit = LIMIT;
        }
        self.window.push(took);
        if took <= self.limit {
            return None;
        }
        let took = self.window.slow().filter(|&took| took > self.limit)?;
        let calm = lasted >= CALM && writes >= CALM_WRITES;
        self.stayed = self.stayed.filter(|_| !calm);
        let stay = self.stayed.map_or(SHORTEST, |stayed| (stayed * 2).min(LONGEST));
        self.mode = Mode::Thread { since: now, stay, uring: took };
        self.window = Window::default();
        Some(Change::ToThread { took, limit: self.limit, stay })
    }

    /// Only the first writes are compared: what was slow before them may have ended later.
    fn through_thread(
        &mut self,
        took: Duration,
        now: Duration,
        since: Duration,
        stay: Duration,
        uring: Duration,
    ) -> Option<Change> {
        if !self.window.is_full() {
            self.window.push(took);
        }
        if !self.window.is_full() || now.saturating_sub(since) < SHORTEST {
            return None;
        }
        let took = self.window.slow()?;
        // A gain of less than three tenths is not worth the thread's price in processor time.
        let worth = took * 10 / 7;
        let no_faster = worth >= uring;
        if !no_faster {
            if now.saturating_sub(since) < stay {
                return None;
            }
            self.stayed = Some(stay);
        }
        // Of a slow disk some unrest is to be expected; but io_uring that is as slow again as it was must be left again.
        self.limit = LIMIT.max(if no_faster { took * 2 } else { worth });
        self.mode = Mode::Uring { since: now, writes: 0 };
        self.window = Window::default();
        Some(Change::ToUring { took, uring, no_faster })
    }
}

/// The last writes.
#[derive(Default)]
struct Window {
    took: [Duration; WINDOW],
    /// Ever pushed.
    count: usize,
}

impl Window {
    fn push(&mut self, took: Duration) {
        self.took[self.count % WINDOW] = took;
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.count >= WINDOW
    }

    /// The eighth slowest; `None` if there are not so many.
    fn slow(&self) -> Option<Duration> {
        // What was never pushed is zero, and so does not come before anything that was.
        let mut sorted = self.took;
        (self.count >= SLOW).then(|| *sorted.select_nth_unstable(WINDOW - SLOW).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(200);
    const WAITS: Duration = Duration::from_millis(4);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Writes that take so long until there is a change, one each millisecond from `now` on; the time of the change.
    fn until_change(judge: &mut Judge, took: Duration, now: &mut Duration, writes: u32) -> Option<Change> {
        (0..writes).find_map(|_| {
            *now += Duration::from_millis(1);
            judge.write(took, *now)
        })
    }

    fn stay(change: Option<Change>) -> Duration {
        match change {
            Some(Change::ToThread { stay, .. }) => stay,
            other => panic!("{other:?} is no change to the thread"),
        }
    }

    #[test]
    fn quick_writes_and_a_few_slow_ones_change_nothing() {
        let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
        for round in 0..1000 {
            let took = if round % 32 < 7 { secs(1) } else { QUICK };
            assert_eq!(until_change(&mut judge, took, &mut now, 1), None);
        }
    }

    #[test]
    fn eight_slow_writes_of_32_bring_the_thread() {
        let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
        assert_eq!(until_change(&mut judge, QUICK, &mut now, 100), None);
        assert_eq!(until_change(&mut judge, WAITS, &mut now, 7), None);
        assert_eq!(until_change(&mut judge, QUICK, &mut now, 24), None);
        // The first of the seven is still among the last 32.
        let change = until_change(&mut judge, WAITS, &mut now, 1);
        assert_eq!(change, Some(Change::ToThread { took: WAITS, limit: LIMIT, stay: SHORTEST }));
    }

    #[test]
    fn slow_writes_far_apart_are_forgotten() {
        let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
        for _ in 0..10 {
            assert_eq!(until_change(&mut judge, WAITS, &mut now, 7), None);
            assert_eq!(until_change(&mut judge, QUICK, &mut now, 25), None);
        }
    }

    #[test]
    fn the_thread_stays_and_longer_each_time_it_was_needed() {
        let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
        for wanted in [10, 20, 40, 80, 160, 300, 300] {
            assert_eq!(stay(until_change(&mut judge, WAITS, &mut now, 8)), secs(wanted));
            let left = now;
            assert_eq!(until_change(&mut judge, QUICK, &mut now, 1000), None);
            let change = until_change(&mut judge, QUICK, &mut now, u32::MAX);
            assert_eq!(change, Some(Change::ToUring { took: QUICK, uring: WAITS, no_faster: false }));
            assert_eq!(now - left, secs(wanted));
        }
    }

    #[test]
    fn a_calm_time_makes_the_next_stay_short() {
        let calm = |pause: Duration, writes: u32| {
            let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
            for _ in 0..3 {
                stay(until_change(&mut judge, WAITS, &mut now, 8));
                until_change(&mut judge, QUICK, &mut now, u32::MAX);
            }
            assert_eq!(until_change(&mut judge, QUICK, &mut now, writes), None);
            now += pause;
            stay(until_change(&mut judge, WAITS, &mut now, 8))
        };
        assert_eq!(calm(CALM, CALM_WRITES), SHORTEST);
        assert_eq!(calm(CALM, 10), secs(80), "a few writes prove nothing");
        assert_eq!(calm(secs(1), CALM_WRITES), secs(80), "nor does a second");
    }

    #[test]
    fn a_slow_disk_is_told_from_a_waiting_completion() {
        let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
        stay(until_change(&mut judge, WAITS, &mut now, 8));
        until_change(&mut judge, QUICK, &mut now, u32::MAX);
        assert_eq!(stay(until_change(&mut judge, WAITS, &mut now, 8)), secs(20));
        let left = now;
        let took = WAITS * 8 / 10;
        let change = until_change(&mut judge, took, &mut now, u32::MAX);
        assert_eq!(change, Some(Change::ToUring { took, uring: WAITS, no_faster: true }));
        assert_eq!(now - left, SHORTEST, "the stay is cut short");
        // The disk may be as slow as that now; slower still is worth a look, for no longer than before.
        assert_eq!(until_change(&mut judge, WAITS, &mut now, 1000), None);
        assert_eq!(stay(until_change(&mut judge, WAITS * 2, &mut now, 8)), secs(20));
    }

    #[test]
    fn a_thread_that_is_twice_as_fast_is_taken_again() {
        let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
        stay(until_change(&mut judge, WAITS, &mut now, 8));
        let took = WAITS / 2;
        let change = until_change(&mut judge, took, &mut now, u32::MAX);
        assert_eq!(change, Some(Change::ToUring { took, uring: WAITS, no_faster: false }));
        assert_eq!(until_change(&mut judge, took, &mut now, 1000), None);
        assert_eq!(stay(until_change(&mut judge, WAITS, &mut now, 8)), secs(20));
    }

    #[test]
    fn what_a_slow_disk_may_take_is_learnt_anew() {
        let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
        stay(until_change(&mut judge, WAITS, &mut now, 8));
        until_change(&mut judge, WAITS, &mut now, u32::MAX);
        assert_eq!(until_change(&mut judge, WAITS, &mut now, 599_999), None);
        assert_eq!(stay(until_change(&mut judge, WAITS, &mut now, 1)), SHORTEST);
    }

    #[test]
    fn without_writes_to_compare_the_thread_stays() {
        let (mut judge, mut now) = (Judge::new(secs(0)), secs(0));
        stay(until_change(&mut judge, WAITS, &mut now, 8));
        now += secs(1000);
        assert_eq!(until_change(&mut judge, QUICK, &mut now, 31), None);
        assert!(until_change(&mut judge, QUICK, &mut now, 1).is_some());
    }
}
