//! Whether a history could have happened at servers that keep ZooKeeper's promises. Pure: a history in, violations out.
//!
//! Zxids and versions give the order, so nothing is searched for: each check goes through the history once or looks something
//! up by bisection. An operation without an answer may have been done or not. It counts as done when somebody has seen what it
//! wrote; otherwise nothing is concluded about its node for as long as it may have taken effect.
//!
//! | Promise | Where |
//! |---|---|
//! | zxids of a session never go back, and its writes take effect in the order in which they were asked | [`order`] |
//! | what is written after something was seen by anybody has a higher zxid; each write has its own | [`order`] |
//! | after a sync, nothing is older than what had been seen by anybody before | [`order`] |
//! | sequence numbers rise | [`order`] |
//! | every write fits what was there before, every refusal has a reason | [`states`] |
//! | a read shows the state at some point between what the session has seen and the zxid of the answer | [`states`] |
//! | lists of children are what was created and not deleted | [`states`] |
//! | ephemeral nodes are there until their session ends, and not after | [`states`], [`order`] |
//! | a watch fires once, for a reason, and before anything newer is seen | [`watches`] |
//!
//! What was acknowledged and is lost, is found by the reads of everything with which a history ends.

mod model;
mod order;
mod states;
mod watches;

#[cfg(test)]
mod tests;

use super::history::{Entry, Op};
use serde::Serialize;
use std::collections::HashMap;

/// Violations that are told in full, for each promise.
const TOLD: usize = 5;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Verdict {
    /// Operations by what became of them.
    pub done: u64,
    /// Answered with an error.
    pub refused: u64,
    /// Without an answer.
    pub unknown: u64,
    /// Of these, operations whose effect was seen.
    pub unknown_done: u64,
    /// Watch events.
    pub events: u64,
    /// Sessions.
    pub sessions: u64,
    /// How many violations there are of each promise.
    pub counts: std::collections::BTreeMap<&'static str, u64>,
    /// The first of each, in words.
    pub violations: Vec<String>,
}

impl Verdict {
    /// A promise was broken.
    fn broken(&mut self, promise: &'static str, what: impl FnOnce() -> String) {
        let count = self.counts.entry(promise).or_insert(0);
        *count += 1;
        if *count <= TOLD as u64 {
            self.violations.push(format!("{promise}: {}", what()));
        }
    }
}

/// A history with what every check needs.
struct Case<'h> {
    entries: &'h [Entry],
    ops: Vec<&'h Op>,
    /// Operation of each entry.
    op_of: Vec<usize>,
    /// For each operation, the newest zxid that its session had seen before its answer.
    seen: Vec<i64>,
    /// The same without answers that show nothing of the state: a refusal and a sync carry the zxid of what was applied when they
    /// were told, which may be newer than what they were decided by.
    shown: Vec<i64>,
    /// For each operation, the newest zxid that anybody had seen before it was asked, and whose operation that was.
    floor: Vec<(i64, usize)>,
}

impl<'h> Case<'h> {
    fn new(entries: &'h [Entry]) -> Case<'h> {
        let mut case = Case::empty(entries);
        let mut newest: HashMap<i64, (i64, i64)> = HashMap::new();
        for entry in entries {
            case.op_of.push(case.ops.len());
            if let Entry::Op(op) = entry {
                let (seen, shown) = newest.entry(op.session).or_default();
                case.seen.push(*seen);
                case.shown.push(*shown);
                if op.returned.is_some() {
                    *seen = op.zxid.max(*seen);
                }
                if op.returned.is_some() && op.shows() {
                    *shown = op.zxid.max(*shown);
                }
                case.ops.push(op);
            }
        }
        case.floor = case.floors();
        case
    }

    fn empty(entries: &'h [Entry]) -> Case<'h> {
        let (ops, op_of, seen, shown, floor) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Case { entries, ops, op_of, seen, shown, floor }
    }

    fn floors(&self) -> Vec<(i64, usize)> {
        let mut returned: Vec<(u64, usize)> =
            (0..self.ops.len()).filter_map(|at| Some((self.ops[at].returned?, at))).collect();
        let mut called: Vec<(u64, usize)> = (0..self.ops.len()).map(|at| (self.ops[at].called, at)).collect();
        returned.sort_unstable();
        called.sort_unstable();
        let (mut floors, mut next, mut newest) = (vec![(0, 0); self.ops.len()], 0, (0, 0));
        for (when, at) in called {
            while next < returned.len() && returned[next].0 < when {
                let before = returned[next].1;
                newest = newest.max((self.ops[before].zxid, before));
                next += 1;
            }
            floors[at] = newest;
        }
        floors
    }

    /// From when on an operation can have taken effect.
    fn low(&self, at: usize) -> i64 {
        self.shown[at].max(self.floor[at].0)
    }
}

/// Promises that not every system makes.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// A sync shows everything that anybody had seen before it.
    pub sync: bool,
}

/// Checks a history.
pub fn check(entries: &[Entry], promises: Promises) -> Verdict {
    let case = Case::new(entries);
    let mut verdict = Verdict::default();
    let mut sessions = std::collections::BTreeSet::new();
    for entry in entries {
        match entry {
            Entry::Op(op) if op.is_done() => verdict.done += 1,
            Entry::Op(op) if op.is_refused() => verdict.refused += 1,
            Entry::Op(_) => verdict.unknown += 1,
            Entry::Event { .. } => verdict.events += 1,
            Entry::Session { session, .. } => drop(sessions.insert(*session)),
            Entry::Lost { .. } | Entry::Expired { .. } => {}
        }
    }
    verdict.sessions = sessions.len() as u64;
    order::check(&case, promises, &mut verdict);
    let model = model::Model::new(&case, &mut verdict);
    states::check(&case, &model, &mut verdict);
    watches::check(&case, &model, &mut verdict);
    verdict
}
