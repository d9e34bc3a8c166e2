//! When to connect to one peer, and to which of its addresses. Pure: told what happened and when, it says what to do.
//!
//! A round tries every known address once; after a failed round there is a pause, which grows. Names are resolved anew
//! with each round, beside it: a name server that does not answer keeps nobody from an address that is known.

use crate::links::config::{LinkLimits, PeerAddress};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A link that lasted so long was a good one: the pauses begin anew. (Two servers with one id would otherwise drive each
/// other out without a pause.)
const STEADY: Duration = Duration::from_secs(1);

/// What the dialler wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Resolve the names; [`Dialler::resolved`] hears of it.
    Resolve,
    /// Connect; [`Dialler::up`] or [`Dialler::failed`] hears of it.
    Connect(SocketAddr),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Until then.
    Waiting(Instant),
    /// No address is known yet.
    Resolving,
    /// There is a connection or a link.
    Connected,
}

/// The way to one peer.
pub(crate) struct Dialler {
    state: State,
    known: Vec<SocketAddr>,
    /// Addresses that this round has not tried.
    untried: VecDeque<SocketAddr>,
    has_names: bool,
    resolving: bool,
    up_since: Option<Instant>,
    failed_rounds: u32,
    retry_min: Duration,
    retry_max: Duration,
    jitter: Jitter,
}

impl Dialler {
    pub(crate) fn new(address: &PeerAddress, limits: &LinkLimits, seed: u64, now: Instant) -> Dialler {
        let (known, all) = address.literals();
        Dialler {
            state: State::Waiting(now),
            known,
            untried: VecDeque::new(),
            has_names: !all,
            resolving: false,
            up_since: None,
            failed_rounds: 0,
            retry_min: limits.retry_min,
            retry_max: limits.retry_max,
            jitter: Jitter(seed),
        }
    }

    /// When there will be something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(until) => Some(until),
            State::Resolving | State::Connected => None,
        }
    }

    /// What is to be done now; to be asked until it is nothing.
    pub(crate) fn step(&mut self, now: Instant) -> Option<Step> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        if self.untried.is_empty() {
            if self.has_names && !self.resolving {
                self.resolving = true;
                return Some(Step::Resolve);
            }
            self.untried.extend(&self.known);
        }
        let address = self.untried.pop_front();
        self.state = if address.is_some() { State::Connected } else { State::Resolving };
        address.map(Step::Connect)
    }

    /// Names are resolved, or (empty) could not be.
    pub(crate) fn resolved(&mut self, addresses: Vec<SocketAddr>, now: Instant) {
        self.resolving = false;
        let found = !addresses.is_empty();
        if found {
            self.known = addresses;
        }
        if self.state == State::Resolving {
            // What was just found is tried without being looked up again.
            self.untried.extend(&self.known);
            self.state = State::Waiting(if found { now } else { now + self.pause() });
        }
    }

    /// The peer has greeted.
    pub(crate) fn up(&mut self, now: Instant) {
        self.up_since = Some(now);
        self.untried.clear();
    }

    /// The connection was not made, did not become a link, or was one and is lost.
    pub(crate) fn failed(&mut self, now: Instant) {
        if self.up_since.take().is_some_and(|since| now.saturating_duration_since(since) >= STEADY) {
            self.failed_rounds = 0;
        }
        let pause = if self.untried.is_empty() { self.pause() } else { Duration::ZERO };
        self.state = State::Waiting(now + pause);
    }

    /// The pause after one more failed round: between half and all of what the number of rounds asks for.
    fn pause(&mut self) -> Duration {
        let full = self.retry_min.saturating_mul(1 << self.failed_rounds.min(16)).min(self.retry_max);
        self.failed_rounds = self.failed_rounds.saturating_add(1);
        full / 2 + self.jitter.below(full / 2)
    }
}

/// Pseudo-random durations (SplitMix64).
struct Jitter(u64);

impl Jitter {
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        limit.mul_f64(((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialler(address: &str, now: Instant) -> Dialler {
        Dialler::new(&address.parse().unwrap(), &LinkLimits::default(), 7, now)
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_is_tried_once_in_a_round_and_pauses_grow() {
        let mut now = Instant::now();
        let mut dialler = dialler("10.0.0.1:1|10.0.0.2:2", now);
        let mut last = Duration::ZERO;
        for round in 0..12 {
            assert_eq!(dialler.step(now), Some(Step::Connect(addr("10.0.0.1:1"))));
            assert_eq!(dialler.step(now), None, "one at a time");
            dialler.failed(now);
            assert_eq!(dialler.step(now), Some(Step::Connect(addr("10.0.0.2:2"))));
            dialler.failed(now);
            let pause = dialler.due().unwrap() - now;
            let full = Duration::from_millis((20 << round.min(10)).min(250));
            assert!(pause >= full / 2 && pause <= full, "{pause:?} after round {round}");
            assert!(pause > last / 2);
            assert_eq!(dialler.step(now), None, "pausing");
            (now, last) = (now + pause, pause);
        }
        for (lasted, longest) in [(STEADY, 20), (Duration::ZERO, 40), (Duration::ZERO, 80), (STEADY, 20)] {
            assert!(dialler.step(now).is_some());
            dialler.up(now);
            now += lasted;
            dialler.failed(now);
            let pause = dialler.due().unwrap() - now;
            assert!(
                pause >= Duration::from_millis(longest / 2) && pause <= Duration::from_millis(longest),
                "{pause:?}"
            );
            now += pause;
        }
    }

    #[test]
    fn a_name_is_resolved_before_the_first_attempt_and_again_with_each_round() {
        let now = Instant::now();
        let mut dialler = dialler("zoo1:2888", now);
        assert_eq!(dialler.step(now), Some(Step::Resolve));
        assert_eq!((dialler.step(now), dialler.due()), (None, None));
        dialler.resolved(vec![addr("10.0.0.1:2888")], now);
        assert_eq!(dialler.step(now), Some(Step::Connect(addr("10.0.0.1:2888"))));
        dialler.failed(now);
        let later = dialler.due().unwrap();
        assert_eq!(dialler.step(later), Some(Step::Resolve));
        // The name server takes its time: the known address is tried.
        assert_eq!(dialler.step(later), Some(Step::Connect(addr("10.0.0.1:2888"))));
        dialler.resolved(vec![addr("10.0.0.9:2888")], later);
        dialler.failed(later);
        let later = dialler.due().unwrap();
        assert_eq!(dialler.step(later), Some(Step::Resolve));
        assert_eq!(dialler.step(later), Some(Step::Connect(addr("10.0.0.9:2888"))));
    }

    #[test]
    fn a_name_that_cannot_be_resolved_is_asked_for_again_after_a_pause() {
        let now = Instant::now();
        let mut dialler = dialler("zoo1:2888", now);
        assert_eq!((dialler.step(now), dialler.step(now)), (Some(Step::Resolve), None));
        dialler.resolved(Vec::new(), now);
        assert_eq!(dialler.step(now), None);
        let later = dialler.due().unwrap();
        assert!(later > now);
        assert_eq!(dialler.step(later), Some(Step::Resolve));
    }
}
