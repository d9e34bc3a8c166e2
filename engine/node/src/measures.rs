//! What is counted behind the frontends, for monitoring.

use crate::{Backend, RoleMeasures, StageMeasures, Stages, SyncCounts};
use ringkeeper_core::frontend::SlowRequest;
use ringkeeper_core::ids::{Instant, Zxid};
use ringkeeper_core::measure::Histogram;
use ringkeeper_core::replica::ReplicaMeasures;
use ringkeeper_core::zab::{LeaderChange, LearnerStatus};
use ringkeeper_txnlog::writer::LogMeasures;
use std::time::Duration;

/// Counters since start or the last reset.
#[derive(Clone, Debug, Default)]
pub struct BackendMeasures {
    /// Of the replica.
    pub replica: ReplicaMeasures,
    /// Where the time of writes goes.
    pub stages: StageMeasures,
    /// Of the log.
    pub log: LogMeasures,
    /// Of this server's part in the ensemble.
    pub role: RoleMeasures,
    /// Snapshots that were taken: how long that took, in nanoseconds.
    pub snapshots: Histogram,
    /// Snapshots that could not be taken.
    pub snapshot_failures: u64,
    /// How learners were brought up to date.
    pub synchronised: SyncCounts,
}

/// A server that follows this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Learner {
    /// What the leader knows of it.
    pub status: LearnerStatus,
    /// Transactions that it has not acknowledged, as far as they are of the same epoch.
    pub lacks: u64,
    /// Since when it has lacked the first of them.
    pub lag: Duration,
}

impl Backend {
    /// What is counted for monitoring.
    #[must_use]
    pub fn measures(&self) -> BackendMeasures {
        BackendMeasures {
            replica: self.replica.measures().clone(),
            stages: self.timeline.measures().clone(),
            log: self.log.as_ref().map(|log| log.measures().clone()).unwrap_or_default(),
            role: RoleMeasures { change: self.leader_change(), ..self.news.measures.clone() },
            snapshots: self.snapshot_times.clone(),
            snapshot_failures: self.snapshot_failures,
            synchronised: self.news.counts,
        }
    }

    /// The last change of leaders, of a server that has others.
    fn leader_change(&self) -> Option<LeaderChange> {
        self.peers.as_ref().and_then(|_| self.replica.leader_change())
    }

    /// Snapshots that could not be taken.
    #[must_use]
    pub fn snapshot_failures(&self) -> u64 {
        self.snapshot_failures
    }

    /// Starts counting anew.
    pub fn reset_measures(&mut self) {
        self.replica.reset_measures();
        self.timeline.reset_measures();
        if let Some(log) = &mut self.log {
            log.reset_measures();
        }
        self.news.measures = RoleMeasures { since: self.news.measures.since, ..RoleMeasures::default() };
        self.news.counts = SyncCounts::default();
        (self.snapshot_times, self.snapshot_failures) = (Histogram::default(), 0);
    }

    /// The servers that follow this one, while it leads.
    #[must_use]
    pub fn learners(&self, now: Instant, proposed: Zxid) -> Vec<Learner> {
        let learner = |status: LearnerStatus| {
            let lacks = lacking(status.acked, proposed);
            let since = if lacks == 0 { None } else { self.timeline.lacking_since(status.acked) };
            Learner { status, lacks, lag: since.map_or(Duration::ZERO, |since| now.since(since)) }
        };
        self.replica.learners().into_iter().map(learner).collect()
    }

    /// Where the time of a slow request went, if it became a transaction that is remembered.
    #[must_use]
    pub fn stages_of(&self, slow: &SlowRequest) -> Option<Stages> {
        self.timeline.stages(slow.zxid?, slow.received, slow.answered)
    }
}

/// Transactions between what a server has acknowledged and what is proposed. Of an epoch before, how many there were after
/// the acknowledged one is not known here: those of the present one are lacking for sure.
fn lacking(acked: Zxid, proposed: Zxid) -> u64 {
    match acked.epoch() == proposed.epoch() {
        true => proposed.0.saturating_sub(acked.0),
        false => u64::from(proposed.counter()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_counted_within_an_epoch() {
        let at = |epoch: u64, counter: u64| Zxid(epoch << 32 | counter);
        for (acked, proposed, lacks) in [
            (at(2, 5), at(2, 5), 0),
            (at(2, 5), at(2, 8), 3),
            (at(2, 8), at(2, 5), 0),
            (at(1, 900), at(2, 3), 3),
            (at(1, 2), at(4, 0), 0),
            (Zxid::ZERO, at(1, 7), 7),
        ] {
            assert_eq!(lacking(acked, proposed), lacks, "{acked} of {proposed}");
        }
    }
}
