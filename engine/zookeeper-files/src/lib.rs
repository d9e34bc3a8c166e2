//! ZooKeeper's files: snapshots and transaction logs of 3.4 to 3.9 as bytes, what they say of a tree, and a tree of ours
//! as one of theirs.
//!
//! PURE but for the readers and writers that it is given: names, directories and progress are the business of who calls.
//!
//! | file | what it knows |
//! |---|---|
//! | `input`, `output` | integers, strings and vectors as ZooKeeper's archives have them, with place and checksum |
//! | `compression` | snapshots that were compressed as a whole |
//! | `snapshot`, `writer` | a snapshot as a stream of items, and back |
//! | `log`, `txn` | a log file as a stream of transactions |
//! | `data_tree`, `acl_cache`, `digest` | the state that these make, by ZooKeeper's rules of replaying |
//! | `load` | a whole directory: which files count, and in which order |
//! | `convert` | from ZooKeeper's state to ours |

mod acl_cache;
mod compression;
mod convert;
mod data_tree;
mod digest;
mod error;
mod input;
mod load;
mod log;
mod output;
mod snapshot;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests;
mod txn;
mod writer;

pub use compression::decompressed;
pub use convert::{Dropped, into_tree};
pub use data_tree::DataTree;
pub use digest::{TreeDigest, of_tree};
pub use error::FileError;
pub use load::{DigestCheck, Files, Loaded, Report, load, log_zxid, snapshot_zxid};
pub use log::{Entry, LogEnd, LogReader};
pub use snapshot::{Item, Node, SnapshotReader, Stat, Tail};
pub use txn::{Txn, TxnHeader};
pub use writer::{walk, write_snapshot};
