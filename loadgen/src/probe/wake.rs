//! How long a thread that sleeps takes to run when it is woken.

use crate::engine::{Stop, nanos};
use crate::times::Times;
use serde::Serialize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

/// What was found.
#[derive(Debug, Serialize)]
pub struct WakeFindings {
    /// Half of the time in which two threads on different cores wake each other; `None` on one core.
    pub other_core_us: Option<Times>,
    /// The same of two threads on one core.
    pub same_core_us: Option<Times>,
}

/// Times `trips` wake-ups of each kind.
pub fn measure(trips: u32, stop: &Stop) -> WakeFindings {
    let cores = allowed_cores();
    let first = cores.first().copied();
    WakeFindings {
        other_core_us: first.zip(cores.get(1).copied()).and_then(|pair| half_trips(pair, trips, stop)),
        same_core_us: first.and_then(|core| half_trips((core, core), trips, stop)),
    }
}

/// Two threads that wake each other in turn. The word says whose turn it is: even is the caller's.
fn half_trips((here, there): (usize, usize), trips: u32, stop: &Stop) -> Option<Times> {
    const OVER: u32 = u32::MAX;
    let turn = AtomicU32::new(0);
    // A thread of its own on this side too: the caller's may not stay bound to a core.
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            bind_to(here);
            let (me, turn) = (thread::current(), &turn);
            let other = scope.spawn(move || {
                bind_to(there);
                answer(turn, &me, OVER);
            });
            let mut times = Times::new();
            for trip in 0..trips {
                if stop.is_set() {
                    break;
                }
                let began = Instant::now();
                turn.store(2 * trip + 1, Ordering::Release);
                other.thread().unpark();
                while turn.load(Ordering::Acquire) != 2 * trip + 2 {
                    thread::park();
                }
                times.record(nanos(began.elapsed()) / 2);
            }
            turn.store(OVER, Ordering::Release);
            other.thread().unpark();
            times
        });
        caller.join().ok()
    })
}

fn answer(turn: &AtomicU32, caller: &Thread, over: u32) {
    loop {
        match turn.load(Ordering::Acquire) {
            now if now == over => return,
            now if now % 2 == 1 => {
                turn.store(now + 1, Ordering::Release);
                caller.unpark();
            }
            _ => thread::park(),
        }
    }
}

/// The cores that this process may use.
fn allowed_cores() -> Vec<usize> {
    // SAFETY: a set of cores is bits, for which zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live set of the size that is given.
    let got = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    if got != 0 {
        return Vec::new();
    }
    // SAFETY: the numbers are below the size of the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
}

/// Binds this thread. If that fails the figure is that of a thread that the kernel places.
fn bind_to(core: usize) {
    // SAFETY: as above; the core is one of the set that the kernel gave.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wake_ups_are_timed_on_the_cores_that_there_are() {
        let found = measure(50, &Stop::default());
        let cores = allowed_cores().len();
        assert!(cores >= 1);
        assert_eq!(found.other_core_us.is_some(), cores > 1);
        assert!(found.same_core_us.unwrap().percentiles().unwrap().p50 > 0.0);
    }

    #[test]
    fn an_interrupt_ends_it() {
        let stop = Stop::default();
        stop.now();
        assert_eq!(measure(u32::MAX / 4, &stop).same_core_us.unwrap().len(), 0);
    }
}
