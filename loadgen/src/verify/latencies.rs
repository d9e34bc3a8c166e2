//! How long operations took that were done: from a history, like everything that is said of it.

use super::history::Entry;
use crate::times::Times;
use std::collections::BTreeMap;

/// By kind of operation, from the sending to the answer. Refusals and what was never answered are left out.
pub fn of(entries: &[Entry]) -> BTreeMap<&'static str, Times> {
    let mut kinds = BTreeMap::new();
    for entry in entries {
        if let Entry::Op(op) = entry
            && let (Some(returned), 0) = (op.returned, op.err)
        {
            kinds.entry(op.ask.name()).or_insert_with(Times::new).record(returned.saturating_sub(op.called));
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::super::history::{Answer, Ask, Op};
    use super::*;

    #[test]
    fn what_was_done_counts_by_its_kind_and_nothing_else_does() {
        let entry = |ask: Ask, returned: Option<u64>, err: i32| {
            let answer = Answer::Nothing;
            Entry::Op(Op { client: 1, session: 7, called: 1_000, returned, zxid: 1, err, ask, answer })
        };
        let sync = || Ask::Sync { path: "/x".into() };
        let entries = [
            entry(sync(), Some(6_000), 0),
            entry(Ask::Multi(vec![sync()]), Some(1_900), 0),
            entry(sync(), Some(9_000_000), -101),
            entry(sync(), None, 0),
            // A file may say anything, also that the answer came first.
            entry(Ask::Close, Some(0), 0),
            Entry::Expired { client: 1, session: 7, at: 9 },
        ];
        let kinds = of(&entries);
        let told: Vec<(&str, u64, bool)> =
            kinds.iter().map(|(name, times)| (*name, times.len(), times.histogram().max() < 10_000)).collect();
        assert_eq!(told, [("close", 1, true), ("multi", 1, true), ("sync", 1, true)]);
    }
}
