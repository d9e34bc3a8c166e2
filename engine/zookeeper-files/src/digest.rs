//! ZooKeeper's digest of a tree: one number that its servers compare.
//!
//! The sum of a CRC-32 of each node (path, data, stat), without what is below `/zookeeper`. Lists and sessions are not
//! in it. Source: `DigestCalculator`; surface 2.5.

use crate::snapshot::Stat;
use ringkeeper_core::tree::Tree;

/// The only version that there has been since digests are written.
const VERSION: i32 = 2;

/// A digest and the version of its rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeDigest {
    /// Of the rule.
    pub version: i32,
    /// The number.
    pub value: u64,
}

impl TreeDigest {
    pub(crate) fn new(value: u64) -> TreeDigest {
        TreeDigest { version: VERSION, value }
    }

    /// Whether it can be compared with those that are made here.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.version == VERSION
    }
}

/// The digest that ZooKeeper would have of a tree of ours.
#[must_use]
pub fn of_tree(tree: &Tree) -> TreeDigest {
    let mut sum = 0_u64;
    crate::writer::walk(tree, |path, node| {
        sum = sum.wrapping_add(of_node(path, node.data(), &crate::writer::stat_of(&node)));
        Ok::<(), std::convert::Infallible>(())
    })
    .unwrap_or_else(|never| match never {});
    TreeDigest::new(sum)
}

/// What a node adds. The root's path is "".
pub(crate) fn of_node(path: &str, data: Option<&[u8]>, stat: &Stat) -> u64 {
    if path.starts_with("/zookeeper/") {
        return 0;
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(path.as_bytes());
    crc.update(data.unwrap_or_default());
    for field in [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime] {
        crc.update(&field.to_be_bytes());
    }
    for field in [stat.version, stat.cversion, stat.aversion] {
        crc.update(&field.to_be_bytes());
    }
    crc.update(&stat.owner.to_be_bytes());
    crc.finalize().into()
}
