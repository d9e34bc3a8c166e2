//! The last change of leaders as it is told: when it was noticed, by the wall clock, and how long each phase took after that.
//! Whoever knows when the former leader was lost can divide the time without one by it.

use super::Family;
use ringkeeper_core::ids::Instant;
use ringkeeper_core::zab::LeaderChange;
use std::time::Duration;

/// A change of leaders that has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeTimes {
    /// Microseconds since 1970 when this server noticed that it had no leader.
    pub noticed_us: u64,
    /// From then on until it knew whom a quorum had elected.
    pub elect: Duration,
    /// From then on until a quorum had the leader's history, or this server was up to date with the leader.
    pub synchronise: Duration,
    /// From then on until a transaction of the new epoch was committed; `None` as long as there is none.
    pub first_commit: Option<Duration>,
}

impl ChangeTimes {
    /// `now` and `now_us` are readings of both clocks at the same time. `None` of a change that has not come to its end.
    pub(crate) fn of(change: LeaderChange, now: Instant, now_us: u64) -> Option<ChangeTimes> {
        let LeaderChange { noticed, elected: Some(elected), established: Some(established), committed } = change else {
            return None;
        };
        Some(ChangeTimes {
            noticed_us: now_us.saturating_sub(micros(now.since(noticed))),
            elect: elected.since(noticed),
            synchronise: established.since(elected),
            first_commit: committed.map(|committed| committed.since(established)),
        })
    }

    fn phases(&self) -> impl Iterator<Item = (&'static str, Duration)> + use<> {
        let known = [("elect", self.elect), ("synchronise", self.synchronise)];
        known.into_iter().chain(self.first_commit.map(|took| ("first_commit", took)))
    }
}

/// Names and values for mntr, in microseconds.
pub(crate) fn lines(change: Option<ChangeTimes>) -> Vec<(String, u64)> {
    let Some(change) = change else { return Vec::new() };
    let mut lines = vec![("leader_change_noticed_us".to_owned(), change.noticed_us)];
    lines.extend(change.phases().map(|(phase, took)| (format!("leader_change_{phase}_us"), micros(took))));
    lines
}

/// For Prometheus. Of a server that stands alone there are no series.
pub(super) fn families(change: Option<ChangeTimes>) -> [Family; 2] {
    let noticed = change.map(|change| (Vec::new(), change.noticed_us as f64 / 1e6));
    let phases = change.iter().flat_map(ChangeTimes::phases);
    [
        Family {
            name: "ringkeeper_leader_change_noticed_timestamp_seconds",
            help: "When this server noticed last that it had no leader, in seconds since 1970.",
            series: super::Series::Gauge(noticed.into_iter().collect()),
        },
        Family::gauges(
            "ringkeeper_leader_change_seconds",
            "How long the phases of the last change of leaders took. elect: until this server knew whom a quorum had \
             elected; synchronise: until a quorum had the leader's history (on the leader), or the server was up to date \
             with it; first_commit: until a transaction of the new epoch was committed.",
            "phase",
            phases.map(|(phase, took)| (phase.to_owned(), took.as_secs_f64())),
        ),
    ]
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: LeaderChange = LeaderChange {
        noticed: Instant(5_000_000),
        elected: Some(Instant(7_000_000)),
        established: Some(Instant(8_500_000)),
        committed: Some(Instant(9_000_000)),
    };

    #[test]
    fn moments_become_a_time_of_day_and_durations() {
        let told = ChangeTimes::of(CHANGE, Instant(20_000_000), 1_000_000).unwrap();
        let lines: Vec<_> = lines(Some(told)).into_iter().map(|(_, value)| value).collect();
        assert_eq!(lines, [985_000, 2_000, 1_500, 500]);
        let text = crate::metrics::prometheus::text(&families(Some(told)));
        assert!(text.contains("noticed_timestamp_seconds 0.985\n"), "{text}");
        assert!(text.contains("ringkeeper_leader_change_seconds{phase=\"synchronise\"} 0.0015\n"), "{text}");
    }

    #[test]
    fn what_has_not_happened_is_not_told() {
        let without_commit = ChangeTimes::of(LeaderChange { committed: None, ..CHANGE }, Instant(20_000_000), 1);
        assert_eq!(lines(without_commit).len(), 3);
        assert_eq!(ChangeTimes::of(LeaderChange { established: None, ..CHANGE }, Instant(20_000_000), 1), None);
        assert!(lines(None).is_empty());
    }
}
