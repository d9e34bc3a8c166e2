//! How often rare things happened: a path that no seed ever takes is not tested, however green the run.

use std::collections::BTreeMap;

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<&'static str, u64>);

/// What any thousand seeds of each mode must have visited.
pub const REQUIRED: &[&str] = &[
    "acknowledged writes",
    "blackout",
    "client moved",
    "connection lost",
    "crash during a disk operation",
    "crash while a snapshot is written",
    "damage was given up",
    "cut one way",
    "cut",
    "disk replaced",
    "epoch rolled over",
    "kill",
    "leader established",
    "link reset",
    "orderly stop",
    "pause",
    "power loss",
    "read-only session",
    "reads of a read-only server",
    "rot",
    "session expired",
    "session taken up",
    "restores",
    "synchronised by DIFF",
    "synchronised by SNAP",
    "synchronised by TRUNC",
    "torn tail",
    "the log has failed",
    "watch events",
    "watch events after a reconnect",
    "writes refused by a read-only server",
];

impl Seen {
    /// Once more.
    pub fn note(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// So many times more.
    pub fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// How often.
    #[must_use]
    pub fn times(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// With those of another run.
    pub fn merge(&mut self, other: &Seen) {
        other.0.iter().for_each(|(what, times)| self.add(what, *times));
    }

    /// Required ones that never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        REQUIRED.iter().copied().filter(|what| self.times(what) == 0).collect()
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(what, times)| (*what, *times))
    }
}
