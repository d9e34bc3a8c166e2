//! Sessions in buckets of one tick, so that touching one costs a map operation at most once per tick.
//!
//! Source of the rounding: ZooKeeper's `ExpiryQueue`: a session expires at the first multiple of the tick that is
//! later than its timeout.

use crate::ids::{Instant, SessionId};
use core::time::Duration;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Who expires when.
#[derive(Debug)]
pub struct ExpiryQueue {
    tick_ns: u64,
    bucket_of: HashMap<SessionId, u64>,
    buckets: BTreeMap<u64, BTreeSet<SessionId>>,
}

impl ExpiryQueue {
    /// An empty queue with buckets of `tick`.
    ///
    /// # Panics
    /// If the tick is zero: the configuration is checked before.
    #[must_use]
    pub fn new(tick: Duration) -> ExpiryQueue {
        let tick_ns = u64::try_from(tick.as_nanos()).unwrap_or(u64::MAX);
        assert!(tick_ns > 0, "tickTime is positive");
        ExpiryQueue { tick_ns, bucket_of: HashMap::new(), buckets: BTreeMap::new() }
    }

    /// The session lives for `timeout` from `now`, rounded up to the next tick. A bucket never moves backwards: a
    /// shorter timeout negotiated later takes effect with the next touch that reaches further.
    pub fn touch(&mut self, now: Instant, id: SessionId, timeout: Duration) {
        let bucket = (now.plus(timeout).0 / self.tick_ns + 1).saturating_mul(self.tick_ns);
        match self.bucket_of.insert(id, bucket) {
            Some(old) if old == bucket => return,
            Some(old) => self.leave(old, id),
            None => {}
        }
        self.buckets.entry(bucket).or_default().insert(id);
    }

    /// The session needs no watching any more.
    pub fn remove(&mut self, id: SessionId) {
        if let Some(bucket) = self.bucket_of.remove(&id) {
            self.leave(bucket, id);
        }
    }

    fn leave(&mut self, bucket: u64, id: SessionId) {
        if let Some(members) = self.buckets.get_mut(&bucket) {
            members.remove(&id);
            if members.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }

    /// At most `most` sessions whose bucket is over, in order. They stay until removed or touched.
    pub fn expired(&mut self, now: Instant, most: usize) -> Vec<SessionId> {
        self.buckets.range(..=now.0).flat_map(|(_, members)| members.iter().copied()).take(most).collect()
    }

    /// When the earliest bucket is over.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.buckets.keys().next().map(|ns| Instant(*ns))
    }

    /// All buckets in order of time.
    pub fn buckets(&self) -> impl Iterator<Item = (Instant, Vec<SessionId>)> + '_ {
        self.buckets.iter().map(|(ns, members)| (Instant(*ns), members.iter().copied().collect()))
    }
}
