//! How late a thread is that sleeps until a set time: what an open loop is late by without any fault of its own.

use crate::engine::{Arrival, Clock, Pacer, Stop, Timer};
use crate::random::Random;
use crate::times::Times;
use mio::{Events, Poll, Token};
use std::io;

/// Times so many wake-ups that come at random at this rate per second. Like the load's event loop it sleeps in epoll and is
/// woken by a timer of the kernel; it does nothing else.
///
/// # Errors
/// If this machine has no such timer.
pub fn lateness(count: u64, rate: f64, stop: &Stop) -> io::Result<Times> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    let mut timer = Timer::new(poll.registry(), Token(0))?;
    let clock = Clock::start();
    let mut pacer = Pacer::new(Arrival::Poisson, rate, 0, 1, clock.now(), Random::new(1));
    let mut times = Times::new();
    while times.len() < count && !stop.is_set() {
        let due = pacer.take();
        let mut now = clock.now();
        while now < due {
            timer.set(now, due)?;
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => now = clock.now(),
            }
        }
        times.record(now - due);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_asked_for_and_none_is_early() {
        // Early ones would end in an overflow.
        assert_eq!(lateness(200, 10_000.0, &Stop::default()).unwrap().len(), 200);
    }

    #[test]
    fn an_interrupt_ends_it() {
        let stop = Stop::default();
        stop.now();
        assert_eq!(lateness(u64::MAX, 1.0, &stop).unwrap().len(), 0);
    }
}
