//! What the operator is told about this server's part in its ensemble.

use ringkeeper_core::ids::{Instant, Zxid};
use ringkeeper_core::measure::Histogram;
use ringkeeper_core::replica::Replica;
use ringkeeper_core::zab::{Ended, LeaderChange, RoleChange, SyncStart, Synchronised};
use std::time::Duration;

/// A server without a leader says why every so often.
const NO_LEADER_REPORT: Duration = Duration::from_secs(5);

/// How often learners were brought up to date in which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SyncCounts {
    /// By the transactions that they lacked, after cutting off what the leader did not have if need be.
    pub diff: u64,
    /// Those of these that were cut back.
    pub trunc: u64,
    /// Those of these for whom the log was read.
    pub from_log: u64,
    /// By the whole state.
    pub snap: u64,
}

/// How this server came to its part in the ensemble, and how often. Times are in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoleMeasures {
    /// How often it has begun to look for a leader.
    pub looking: u64,
    /// How long it was without one each time, up to being up to date with it.
    pub without_leader: Histogram,
    /// How long elections took, from noticing that there was no leader.
    pub elections: Histogram,
    /// How long it took from then on to be up to date with the leader that was elected, if that was another server.
    pub syncs: Histogram,
    /// The last change of leaders; `None` of a server that stands alone.
    pub change: Option<LeaderChange>,
    /// Since when it has the part that it has.
    pub since: Instant,
}

impl RoleMeasures {
    /// A change of leaders has come to its end.
    fn elected(&mut self, change: Option<LeaderChange>, role: RoleChange) {
        let Some(LeaderChange { noticed, elected: Some(elected), established: Some(established), .. }) = change else {
            return;
        };
        self.elections.record_time(elected.since(noticed));
        if matches!(role, RoleChange::Following { .. }) {
            self.syncs.record_time(established.since(elected));
        }
    }
}

/// What has been told.
pub(crate) struct News {
    /// This server's part, and when that was told.
    role: (RoleChange, Instant),
    read_only: bool,
    /// Why the last attempt to have another one ended: attempts can be many, with the same end.
    attempt_ended: Option<Ended>,
    pub(crate) counts: SyncCounts,
    pub(crate) measures: RoleMeasures,
}

impl Default for News {
    fn default() -> News {
        News {
            role: (RoleChange::Looking, Instant::default()),
            read_only: false,
            attempt_ended: None,
            counts: SyncCounts::default(),
            measures: RoleMeasures::default(),
        }
    }
}

impl News {
    /// Tells what this server is, and if it stays without a leader, why.
    pub(crate) fn watch_role(&mut self, now: Instant, last: Zxid, replica: &Replica) {
        let role = replica.role();
        if role != self.role.0 {
            self.measure(now, role, replica.leader_change());
            self.role = (role, now);
            self.attempt_ended = None;
            tell_role(role, last);
        } else if role == RoleChange::Looking && now.since(self.role.1) >= NO_LEADER_REPORT {
            self.role.1 = now;
            tracing::warn!("still no leader; {}", replica.outlook());
        }
        let read_only = replica.is_read_only();
        if read_only && !self.read_only {
            tracing::warn!(%last, "read-only: clients that take that are served without a leader");
        }
        self.read_only = read_only;
    }

    fn measure(&mut self, now: Instant, role: RoleChange, change: Option<LeaderChange>) {
        let measures = &mut self.measures;
        match (self.role.0, role) {
            (RoleChange::Looking, RoleChange::Looking) => {}
            (RoleChange::Looking, _) => {
                measures.without_leader.record_time(now.since(measures.since));
                measures.elected(change, role);
            }
            (_, RoleChange::Looking) => measures.looking += 1,
            _ => {}
        }
        measures.since = now;
    }

    /// Tells why a part has ended.
    pub(crate) fn ended(&mut self, ended: Ended) {
        if self.attempt_ended.replace(ended) != Some(ended) {
            tracing::warn!("{ended}");
        }
    }

    /// Tells how a learner was brought up to date.
    pub(crate) fn synchronised(&mut self, how: &Synchronised) {
        let Synchronised { learner, start, from_log, from, to, took } = *how;
        let method = match start {
            SyncStart::Snap(_) => "SNAP",
            SyncStart::Diff => "DIFF",
            SyncStart::Trunc(_) => "TRUNC",
        };
        let whole = matches!(start, SyncStart::Snap(_));
        let counts = &mut self.counts;
        counts.snap += u64::from(whole);
        counts.diff += u64::from(!whole);
        counts.trunc += u64::from(method == "TRUNC");
        counts.from_log += u64::from(!whole && from_log);
        let source = match (whole, from_log) {
            (true, false) => "state",
            (true, true) => "state and log",
            (false, false) => "memory",
            (false, true) => "log",
        };
        let ms = took.as_millis() as u64;
        tracing::info!(learner = learner.0, method, source, %from, %to, ms, "learner synchronised");
    }
}

fn tell_role(role: RoleChange, last: Zxid) {
    match role {
        RoleChange::Leading { epoch } => tracing::info!(epoch = epoch.0, %last, "leading"),
        RoleChange::Following { leader, epoch } => {
            tracing::info!(leader = leader.0, epoch = epoch.0, %last, "following");
        }
        RoleChange::Looking => tracing::warn!(%last, "looking for a leader: clients are held, writes wait"),
    }
}
