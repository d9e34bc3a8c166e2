//! What `/zookeeper/config` shows on a server of an ensemble: the members, as this server's configuration names them.
//!
//! It is no part of the tree: servers whose configurations differ for a while still have equal trees.
//!
//! Source: `ZKDatabase.initConfigInZKDatabase`, which writes it into the tree of each server by itself.

use super::Frontend;
use crate::stat::Stat;
use crate::tree::Node;
use std::sync::Arc;

const PATH: &str = "/zookeeper/config";

/// The members of the ensemble as clients may read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// Lines of the form `server.N=host:port:port:role;host:port`, and `version=0`.
    pub text: Arc<str>,
    /// When the server took the configuration up, by the wall clock, milliseconds since 1970.
    pub since: i64,
}

impl Frontend {
    fn members_at(&self, path: &str) -> Option<&Members> {
        self.config.members.as_ref().filter(|_| path == PATH)
    }

    /// A node's data as clients see it.
    pub(super) fn shown_data<'a>(&'a self, path: &str, node: &'a Node<'_>) -> Option<&'a [u8]> {
        self.members_at(path).map_or_else(|| node.data(), |members| Some(members.text.as_bytes()))
    }

    /// A node's stat as clients see it. ZooKeeper sets that of the members to version -1 and the zxid of their last change.
    pub(super) fn shown_stat(&self, path: &str, node: &Node<'_>) -> Stat {
        let stat = node.stat();
        self.members_at(path).map_or(stat, |members| Stat {
            mzxid: 0,
            mtime: members.since,
            version: -1,
            data_length: i32::try_from(members.text.len()).unwrap_or(i32::MAX),
            ..stat
        })
    }
}
