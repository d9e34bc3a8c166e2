//! How long nothing was acknowledged.

use crate::engine::Nanos;
use std::ops::Range;

/// A time without an acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The last acknowledgement before it, or the beginning of what was looked at.
    pub from: Nanos,
    /// The first acknowledgement after it, or the end of what was looked at.
    pub to: Nanos,
    /// No acknowledgement ended it: it may have been longer.
    pub open: bool,
}

impl Gap {
    /// How long it was.
    pub fn length(&self) -> Nanos {
        self.to - self.from
    }
}

/// The longest gap that has a part in `window`, among acknowledgements in ascending order that came in `span`.
///
/// A gap counts whole: from the last acknowledgement before a fault to the first after it, though the fault came at some time
/// in between.
pub fn longest(acks: impl IntoIterator<Item = Nanos>, span: &Range<Nanos>, window: &Range<Nanos>) -> Option<Gap> {
    let mut longest: Option<Gap> = None;
    let mut from = span.start;
    let inside = acks.into_iter().filter(|at| span.contains(at)).map(|at| (at, false));
    for (to, open) in inside.chain([(span.end, true)]) {
        debug_assert!(from <= to, "acknowledgements in ascending order");
        let gap = Gap { from, to, open };
        let in_window = to > window.start && from < window.end;
        if in_window && longest.is_none_or(|longest| gap.length() > longest.length()) {
            longest = Some(gap);
        }
        from = to;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::{Gap, longest};

    fn gap(from: u64, to: u64) -> Option<Gap> {
        Some(Gap { from, to, open: false })
    }

    #[test]
    fn the_gap_of_a_fault_begins_before_it() {
        let acks = [10, 20, 29, 75, 80, 90];
        assert_eq!(longest(acks, &(0..100), &(30..95)), gap(29, 75));
    }

    #[test]
    fn replies_that_were_on_their_way_at_the_fault_do_not_hide_its_gap() {
        // The fault is at 30; the server's last acknowledgements arrive at 31 and 32.
        assert_eq!(longest([28, 31, 32, 70, 72], &(0..80), &(30..80)), gap(32, 70));
    }

    #[test]
    fn gaps_outside_the_window_do_not_count() {
        let acks = [5, 40, 42, 44, 90];
        assert_eq!(longest(acks, &(0..100), &(41..43)), gap(40, 42), "neither 5..40 nor 44..90");
    }

    #[test]
    fn a_service_that_does_not_come_back_has_an_open_gap() {
        assert_eq!(longest([10, 20], &(0..100), &(30..100)), Some(Gap { from: 20, to: 100, open: true }));
        assert_eq!(longest([], &(0..100), &(30..100)), Some(Gap { from: 0, to: 100, open: true }));
    }

    #[test]
    fn of_gaps_of_equal_length_the_first_counts() {
        assert_eq!(longest([10, 20, 30, 40], &(0..45), &(12..40)), gap(10, 20));
    }

    #[test]
    fn acknowledgements_outside_the_span_are_none() {
        assert_eq!(longest([1, 2, 50, 98, 99], &(10..60), &(10..60)), gap(10, 50));
    }
}
