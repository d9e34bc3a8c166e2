//! The event loop of one thread that holds many sessions and sleeps most of the time.

use crate::engine::{Clock, Failure, Nanos, Timer};
use mio::{Events, Poll, Registry, Token};
use std::io;
use std::time::Duration;

/// Longest sleep: how quickly an interrupt is noticed.
const NAP: Duration = Duration::from_millis(50);
const TIMER: Token = Token(usize::MAX);
const EVENTS: usize = 1024;
/// Bytes read at a time.
const SCRATCH: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub struct Stage {
    poll: Poll,
    events: Events,
    timer: Timer,
    clock: Clock,
    scratch: Vec<u8>,
}

impl Stage {
    /// Nobody is on it.
    ///
    /// # Errors
    /// Those of epoll and of the timer.
    pub fn new(clock: Clock) -> Result<Stage, Failure> {
        let local = |what| move |cause| Failure::Local { what, cause };
        let poll = Poll::new().map_err(local("epoll"))?;
        let timer = Timer::new(poll.registry(), TIMER).map_err(local("timer"))?;
        Ok(Stage { poll, events: Events::with_capacity(EVENTS), timer, clock, scratch: vec![0; SCRATCH] })
    }

    /// Where connections are registered.
    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Waits for something to happen, at most until `wake`.
    ///
    /// # Errors
    /// What this machine does not give.
    pub fn sleep(&mut self, wake: Nanos) -> Result<(), Failure> {
        let left = self.clock.until(wake);
        let mut timeout = NAP;
        if left.is_zero() {
            timeout = Duration::ZERO;
        } else if left < NAP {
            let set = self.timer.set(self.clock.now(), wake);
            set.map_err(|cause| Failure::Local { what: "timer", cause })?;
        }
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other.map_err(|cause| Failure::Local { what: "epoll", cause }),
        }
    }

    /// The numbers of those to whom something happened, each with the buffer to read into.
    ///
    /// # Errors
    /// The first of `serve`.
    pub fn attend(
        &mut self,
        mut serve: impl FnMut(usize, &Registry, &mut [u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for event in self.events.iter().filter(|event| event.token() != TIMER) {
            serve(event.token().0, self.poll.registry(), &mut self.scratch)?;
        }
        Ok(())
    }
}
