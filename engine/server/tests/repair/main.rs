//! Real processes of which one has fallen far behind, or has a damaged disk: it gets what it lacks from the others, while
//! these go on.

#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

#[allow(dead_code, reason = "a part of it is for other tests")]
#[path = "../ensemble/load.rs"]
mod load;
#[path = "../support/mod.rs"]
mod support;
#[path = "../ensemble/writer.rs"]
mod writer;

mod catch_up;
mod damage;
mod fleet;
mod grow;
