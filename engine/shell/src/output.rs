//! What commands tell, before it is text.

use crate::command::Form;
use crate::quota::Quota;
use ringkeeper_client::{Acl, Stat};

/// One thing that a command tells. Most commands tell one; `ls -R` tells one for each node as it is found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the fields are what their names say")]
pub enum Output {
    /// A node was created.
    Created { path: String },
    /// Children of a node.
    Children { path: String, names: Vec<String>, stat: Option<Stat> },
    /// A node of a subtree.
    Node { path: String },
    /// Data of a node.
    Data { path: String, data: Option<Vec<u8>>, form: Form, stat: Option<Stat> },
    /// Stat of a node, when it was asked for.
    Stat { path: String, stat: Stat },
    /// ACL of a node.
    Acl { path: String, acl: Vec<Acl>, stat: Option<Stat> },
    /// Nodes below a node.
    Count { path: String, count: i32 },
    /// Ephemeral nodes of the session.
    Ephemerals { paths: Vec<String> },
    /// Quota of a node, and what it has in use.
    Quota { path: String, limits: Quota, used: Quota },
    /// There is none to remove.
    NoQuota { path: String },
    /// The new quota is below what is in use.
    QuotaExceeded { what: &'static str, used: Quota },
    /// Scheme and user of each identity.
    Identities { identities: Vec<(String, String)> },
    /// The server has everything.
    Synced { path: String },
    /// The ensemble's configuration; `committed` if it was just changed.
    Config { text: String, stat: Option<Stat>, committed: bool },
    /// The configuration as its version and a connect string.
    Connect { version: String, servers: String },
    /// A subtree was deleted: so many nodes. (zkCli.sh says nothing.)
    Deleted { path: String, nodes: usize },
    /// What is no result, but is said on the way.
    Notice(String),
    /// Text that is the same for everybody: help, history, version.
    Text(String),
}
