//! What limits have done goes to the log, but not each time: one line for all that a limit did in a while.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ringkeeper_core::frontend::LimitCounts;

/// At most one round of lines in this time.
const INTERVAL: Duration = Duration::from_secs(10);

/// What one executor has said.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    said: Cell<LimitCounts>,
    last: Cell<Option<Instant>>,
}

impl Complaints {
    /// To be called with every tick: logs what limits have done since the last lines, if those are old enough.
    pub(crate) fn tell(&self, now: Instant, counts: LimitCounts) {
        self.due(now, counts).iter().for_each(|line| tracing::warn!("{line}"));
    }

    fn due(&self, now: Instant, counts: LimitCounts) -> Vec<String> {
        if counts == self.said.get() || self.last.get().is_some_and(|last| now.duration_since(last) < INTERVAL) {
            return Vec::new();
        }
        self.last.set(Some(now));
        let before = self.said.replace(counts);
        lines(&before, &counts)
    }
}

/// What happened between two counts.
fn lines(before: &LimitCounts, now: &LimitCounts) -> Vec<String> {
    let said = |count: fn(&LimitCounts) -> u64, what: &str| match count(now) - count(before) {
        0 => None,
        times => Some(format!("{times} {what}")),
    };
    [
        said(
            |c| c.connects_throttled,
            "connections closed: sessions are asked for faster than connection_throttle_tokens allows",
        ),
        said(|c| c.sessions_refused, "connections closed: the ensemble has sessions.max sessions"),
        said(
            |c| c.sessions_refused_for_memory,
            "connections closed: memory is short (memory.refuse.percent), and no new sessions are opened",
        ),
        said(
            |c| c.sessionless_expired,
            "connections closed: they asked for no session within nio.sessionlessCnxnTimeout",
        ),
        said(
            |c| c.large_requests_rejected,
            "connections closed: their large requests would have exceeded largeRequestMaxBytes",
        ),
        said(
            |c| c.watches_refused,
            "requests refused: they would have set more watches than watches.max or connection.watches.max",
        ),
        said(
            |c| c.writes_refused_for_memory,
            "writes refused: memory is short (memory.refuse.percent) here or at the leader, and the tree may not grow",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_limit_that_has_acted() {
        let before = LimitCounts { watches_refused: 5, ..LimitCounts::default() };
        let now = LimitCounts { watches_refused: 7, sessions_refused: 1, ..LimitCounts::default() };
        let told = lines(&before, &now);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("1 connections closed: the ensemble has"), "{told:?}");
        assert!(told[1].starts_with("2 requests refused"), "{told:?}");
    }

    #[test]
    fn what_follows_at_once_is_told_later() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let counts = |n| LimitCounts { watches_refused: n, ..LimitCounts::default() };
        let due = |after, n| complaints.due(start + after, counts(n)).first().map(|line| line[..1].to_owned());
        assert_eq!(due(Duration::ZERO, 1).as_deref(), Some("1"));
        assert_eq!(due(Duration::from_secs(1), 2), None);
        assert_eq!(due(INTERVAL, 4).as_deref(), Some("3"), "all that were not told of");
        assert_eq!(due(INTERVAL * 3, 4), None, "nothing new");
    }
}
