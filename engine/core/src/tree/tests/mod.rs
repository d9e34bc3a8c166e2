//! What needs a whole tree.
#![allow(clippy::unwrap_used, reason = "tests")]

mod rules;
mod snapshots;
mod writer;
