//! What needs a whole tree.
#![allow(clippy::unwrap_used, reason = "tests")]

mod model;
mod quotas;
mod reference;
mod rules;
mod snapshots;
mod writer;
