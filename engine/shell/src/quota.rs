//! Quotas as they are kept in nodes below `/zookeeper/quota`.
//!
//! Source: `StatsTrack`, `Quotas`.

use crate::command::Limit;
use std::collections::BTreeMap;
use std::fmt;

/// Below it there is a node for each node with a quota.
pub const ROOT: &str = "/zookeeper/quota";
/// Name of the node with the limits.
pub const LIMITS: &str = "zookeeper_limits";
/// Name of the node with the present use.
pub const STATS: &str = "zookeeper_stats";

/// The node of a path's quota.
#[must_use]
pub fn node(path: &str) -> String {
    if path == "/" { ROOT.to_owned() } else { format!("{ROOT}{path}") }
}

/// Limits, or the present use. -1 is no limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quota {
    count: i64,
    bytes: i64,
    more: BTreeMap<String, i64>,
}

const COUNT_HARD: &str = "countHardLimit";
const BYTES_HARD: &str = "byteHardLimit";

impl Quota {
    /// No use, or no limits of the old kinds.
    #[must_use]
    pub const fn new(count: i64, bytes: i64) -> Quota {
        Quota { count, bytes, more: BTreeMap::new() }
    }

    /// No limits, of any kind.
    #[must_use]
    pub fn unlimited() -> Quota {
        let more = [COUNT_HARD, BYTES_HARD].map(|key| (key.to_owned(), -1));
        Quota { count: -1, bytes: -1, more: BTreeMap::from(more) }
    }

    /// Reads a node's data. What is not understood is passed over: other tools write here, too.
    #[must_use]
    pub fn parse(text: &str) -> Quota {
        let mut quota = Quota::new(-1, -1);
        for part in text.split([',', ';']) {
            let Some((key, value)) = part.trim_end_matches('=').split_once('=') else { continue };
            let value = value.parse().unwrap_or(-1);
            match key {
                "count" => quota.count = value,
                "bytes" => quota.bytes = value,
                _ => {
                    quota.more.insert(key.to_owned(), value);
                }
            }
        }
        quota
    }

    /// One of the limits.
    #[must_use]
    pub fn get(&self, limit: Limit) -> i64 {
        match limit {
            Limit::Count => self.count,
            Limit::Bytes => self.bytes,
            Limit::CountHard => self.more.get(COUNT_HARD).copied().unwrap_or(-1),
            Limit::BytesHard => self.more.get(BYTES_HARD).copied().unwrap_or(-1),
        }
    }

    /// Changes one of the limits.
    pub fn set(&mut self, limit: Limit, value: i64) {
        match limit {
            Limit::Count => self.count = value,
            Limit::Bytes => self.bytes = value,
            Limit::CountHard => drop(self.more.insert(COUNT_HARD.to_owned(), value)),
            Limit::BytesHard => drop(self.more.insert(BYTES_HARD.to_owned(), value)),
        }
    }

    /// In which respects `used` is above these limits already.
    #[must_use]
    pub fn exceeded(&self, used: &Quota) -> Vec<&'static str> {
        let over = |limit: i64, used: i64| limit > -1 && limit < used;
        let mut exceeded = Vec::new();
        if over(self.count, used.count) || over(self.get(Limit::CountHard), used.count) {
            exceeded.push("count");
        }
        if over(self.bytes, used.bytes) || over(self.get(Limit::BytesHard), used.bytes) {
            exceeded.push("bytes");
        }
        exceeded
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.count, self.bytes)?;
        // The second '=' hides the newer limits from the readers of older servers.
        if !self.more.is_empty() {
            f.write_str("=")?;
        }
        self.more.iter().try_for_each(|(key, value)| write!(f, ";{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_written_and_read_back() {
        let mut quota = Quota::unlimited();
        quota.set(Limit::Count, 5);
        let text = "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1";
        assert_eq!(quota.to_string(), text);
        assert_eq!(Quota::parse(text), quota);
        assert_eq!(Quota::parse("count=6,bytes=16").to_string(), "count=6,bytes=16");
        assert_eq!(Quota::parse("").to_string(), "count=-1,bytes=-1");
        assert_eq!(Quota::parse("nonsense,count=x;bytes=3").to_string(), "count=-1,bytes=3");
    }

    #[test]
    fn a_limit_below_the_use_is_told() {
        let mut quota = Quota::unlimited();
        let used = Quota::new(6, 16);
        assert!(quota.exceeded(&used).is_empty());
        quota.set(Limit::CountHard, 5);
        assert_eq!(quota.exceeded(&used), ["count"]);
        quota.set(Limit::Bytes, 15);
        assert_eq!(quota.exceeded(&used), ["count", "bytes"]);
        quota.set(Limit::Bytes, 16);
        assert_eq!(quota.exceeded(&used), ["count"]);
    }
}
