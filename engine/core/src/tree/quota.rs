//! Quotas: limits that clients have set on subtrees, and the usage that every server keeps up in the tree itself.
//!
//! Below `/zookeeper/quota` stands the path of the subtree once more, with the leaves `zookeeper_limits` and
//! `zookeeper_stats`. A limits leaf makes the quota; the stats leaf is rewritten on every server as nodes below the path
//! change, without a transaction and without moving its version or mzxid. Only the deepest quota above a node counts it;
//! a quota on the root counts nothing. The texts are the truth: a loaded tree carries on from what they say.
//!
//! Source: `DataTree.createNode/deleteNode/setData/updateQuotaStat`, `StatsTrack`, `Quotas`; surface 2.4.

use super::path::{self, Hashed, PathHash};
use super::{Slot, Tree, digest};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const QUOTA: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// Larger numbers in a text say nothing: counting on from them must not overflow.
const NUMBER_MAX: u64 = 1 << 62;

/// Limits and usage of the deepest quota above a node. Of limits, -1 means none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaUse<'a> {
    /// The node that the quota was set on.
    pub root: &'a str,
    /// Nodes at and below the root before a warning.
    pub count_limit: i64,
    /// Nodes at and below the root before a refusal.
    pub count_hard: i64,
    /// Bytes of data before a warning.
    pub bytes_limit: i64,
    /// Bytes of data before a refusal.
    pub bytes_hard: i64,
    /// Nodes at and below the root.
    pub count: i64,
    /// Bytes of their data.
    pub bytes: i64,
}

/// What one of the texts says; -1 where it says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Track {
    count: i64,
    bytes: i64,
    count_hard: i64,
    bytes_hard: i64,
}

impl Track {
    const NOTHING: Track = Track { count: -1, bytes: -1, count_hard: -1, bytes_hard: -1 };

    /// Reads `key=number` pairs between commas or semicolons; what is not such a pair says nothing.
    fn parse(data: Option<&[u8]>) -> Track {
        let mut track = Track::NOTHING;
        let text = std::str::from_utf8(data.unwrap_or_default()).unwrap_or_default();
        for pair in text.split([',', ';']) {
            let mut parts = pair.split('=');
            let field = match parts.next() {
                Some("count") => &mut track.count,
                Some("bytes") => &mut track.bytes,
                Some("countHardLimit") => &mut track.count_hard,
                Some("byteHardLimit") => &mut track.bytes_hard,
                _ => continue,
            };
            let number: Option<i64> = parts.next().and_then(|number| number.parse().ok());
            *field = number.filter(|number| number.unsigned_abs() <= NUMBER_MAX).unwrap_or(-1);
        }
        track
    }
}

#[derive(Clone, Debug)]
struct Quota {
    limits: Track,
    /// The stats leaf and the hash of its path, if it is there.
    stats: Option<(Slot, PathHash)>,
    count: i64,
    bytes: i64,
}

/// The quotas by the path that they were set on.
#[derive(Clone, Default)]
pub(super) struct QuotaTable {
    by_root: BTreeMap<Box<str>, Quota>,
    text: String,
}

impl QuotaTable {
    /// The paths that quotas are set on, in their order.
    #[cfg(test)]
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.by_root.keys().map(|root| &**root)
    }

    /// Where the deepest quota at or above `path` stands, the root's aside.
    fn deepest<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.by_root.is_empty() {
            return None;
        }
        let mut line = std::iter::once(path).chain(path::ancestors(path)).filter(|path| path.len() > 1);
        line.find(|path| self.by_root.contains_key(*path))
    }
}

/// Of a path below `/zookeeper/quota`: the path that the quota is for, and whether it is one of the leaves.
fn leaf_of(path: &str) -> Option<(&str, &str)> {
    let (root, leaf) = path.strip_prefix(QUOTA)?.rsplit_once('/')?;
    (root.len() > 1 && root.starts_with('/') && (leaf == LIMITS || leaf == STATS)).then_some((root, leaf))
}

impl Tree {
    /// The deepest quota that counts `path`, be there a node or not. `None` if there is none, or if its stats are
    /// missing, for then nothing can be held against its limits.
    #[must_use]
    pub fn quota_for(&self, path: &str) -> Option<QuotaUse<'_>> {
        let (root, quota) = self.quotas.by_root.get_key_value(self.quotas.deepest(path)?)?;
        quota.stats?;
        Some(QuotaUse {
            root,
            count_limit: quota.limits.count,
            count_hard: quota.limits.count_hard,
            bytes_limit: quota.limits.bytes,
            bytes_hard: quota.limits.bytes_hard,
            count: quota.count,
            bytes: quota.bytes,
        })
    }

    /// A node was created with so many bytes of data.
    pub(super) fn quota_created(&mut self, path: &str, slot: Slot, data_len: usize) {
        match leaf_of(path) {
            Some((root, LIMITS)) => self.quota_begins(root, slot),
            Some((root, _)) => self.quota_counts(root, path, slot),
            None => {}
        }
        self.quota_moves(path, 1, data_len as i64);
    }

    /// A node is gone that had so many bytes of data.
    pub(super) fn quota_deleted(&mut self, path: &str, data_len: usize) {
        match leaf_of(path) {
            Some((root, LIMITS)) => drop(self.quotas.by_root.remove(root)),
            Some((root, _)) => self.quotas.by_root.get_mut(root).into_iter().for_each(|quota| quota.stats = None),
            None => {}
        }
        self.quota_moves(path, -1, -(data_len as i64));
    }

    /// A node's data was set: so many bytes more than before.
    pub(super) fn quota_set(&mut self, path: &str, slot: Slot, more: i64) {
        if let Some((root, leaf)) = leaf_of(path)
            && let Some(quota) = self.quotas.by_root.get_mut(root)
        {
            let track = Track::parse(self.slab[slot].data());
            if leaf == LIMITS {
                quota.limits = track;
            } else {
                (quota.count, quota.bytes) = (track.count, track.bytes);
            }
        }
        if more != 0 {
            self.quota_moves(path, 0, more);
        }
    }

    /// A limits leaf is there: from now on the subtree is counted, from where a stats leaf stands if it came first.
    pub(super) fn quota_begins(&mut self, root: &str, limits: Slot) {
        let stats_path = format!("{QUOTA}{root}/{STATS}");
        let hash = Hashed::new(&stats_path).expect("a path").hash;
        let stats = self.find_hashed(hash, &stats_path);
        let usage = Track::parse(stats.and_then(|slot| self.slab[slot].data()));
        let limits = Track::parse(self.slab[limits].data());
        let quota = Quota { limits, stats: stats.map(|slot| (slot, hash)), count: usage.count, bytes: usage.bytes };
        self.quotas.by_root.insert(root.into(), quota);
    }

    /// A stats leaf is there: it begins with the usage as it is. Walks the subtree.
    fn quota_counts(&mut self, root: &str, stats_path: &str, stats: Slot) {
        let top = Hashed::new(root).and_then(|at| self.find_hashed(at.hash, root));
        let nodes = top.into_iter().flat_map(|top| self.subtree(top));
        let (count, bytes) =
            nodes.fold((0, 0), |(count, bytes), slot| (count + 1, bytes + self.slab[slot].data_len() as i64));
        let hash = Hashed::new(stats_path).expect("a path").hash;
        if let Some(quota) = self.quotas.by_root.get_mut(root) {
            (quota.stats, quota.count, quota.bytes) = (Some((stats, hash)), count, bytes);
        }
        self.write_stats(stats, hash, count, bytes);
    }

    fn quota_moves(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(root) = self.quotas.deepest(path) else { return };
        let quota = self.quotas.by_root.get_mut(root).expect("found just now");
        let Some((stats, hash)) = quota.stats else { return };
        quota.count = quota.count.wrapping_add(count);
        quota.bytes = quota.bytes.wrapping_add(bytes);
        let (count, bytes) = (quota.count, quota.bytes);
        self.write_stats(stats, hash, count, bytes);
    }

    fn write_stats(&mut self, slot: Slot, hash: PathHash, count: i64, bytes: i64) {
        self.save_for_snapshot(slot);
        let text = &mut self.quotas.text;
        text.clear();
        write!(text, "count={count},bytes={bytes}").expect("writing to a string cannot fail");
        let node = &mut self.slab[slot];
        self.digest = self.digest.wrapping_sub(digest::of_data(hash, node));
        self.size -= node.data_len() as u64;
        node.set_data(Some(text.as_bytes()));
        self.size += node.data_len() as u64;
        self.digest = self.digest.wrapping_add(digest::of_data(hash, node));
    }

    /// Finds the limits leaves of a loaded tree.
    pub(super) fn find_quotas(&mut self) {
        let Some(top) = self.get(QUOTA).map(|node| node.slot) else { return };
        let is_limits = |slot: &Slot| self.slab[*slot].name() == LIMITS.as_bytes();
        let found: Vec<Slot> = self.subtree(top).filter(is_limits).collect();
        for slot in found {
            let path = self.path_of(slot);
            if let Some((root, LIMITS)) = leaf_of(&path) {
                self.quota_begins(root, slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_zookeeper_reads_them() {
        let read = |text: &str| Track::parse(Some(text.as_bytes()));
        let some = |count, bytes, count_hard, bytes_hard| Track { count, bytes, count_hard, bytes_hard };
        assert_eq!(read("count=4,bytes=5"), some(4, 5, -1, -1));
        assert_eq!(read("count=4,bytes=5=;byteHardLimit=7;countHardLimit=6"), some(4, 5, 6, 7));
        assert_eq!(read("count=,bytes=-1"), some(-1, -1, -1, -1));
        assert_eq!(read("bytes=9;;,count=x"), some(-1, 9, -1, -1));
        assert_eq!(read(&format!("count={},bytes={}", i64::MAX, i64::MIN)), Track::NOTHING);
        assert_eq!(Track::parse(None), Track::NOTHING);
        assert_eq!(Track::parse(Some(b"\xff")), Track::NOTHING);
    }

    #[test]
    fn leaves_are_told_by_place_and_name() {
        assert_eq!(leaf_of("/zookeeper/quota/a/b/zookeeper_limits"), Some(("/a/b", LIMITS)));
        assert_eq!(leaf_of("/zookeeper/quota/a/zookeeper_stats"), Some(("/a", STATS)));
        for path in
            ["/zookeeper/quota/zookeeper_limits", "/zookeeper/quota/a/b", "/zookeeper/quotax/a/zookeeper_limits", "/a"]
        {
            assert_eq!(leaf_of(path), None, "{path}");
        }
    }
}
