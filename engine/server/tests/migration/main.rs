//! From Debian's ZooKeeper to Ringkeeper and back: directories that the real server has made are imported, compared node by
//! node by a client, exported, and started by the real server again.
//!
//! `RINGKEEPER_MIGRATION_NODES=100000` makes the tree as large as that.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod contents;
mod formats;
mod refusals;
mod round_trip;
#[path = "../support/mod.rs"]
mod support;
mod tools;
mod workload;
