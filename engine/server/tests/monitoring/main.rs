//! What servers tell of themselves: four-letter words, admin commands, metrics and health, of a running ensemble; word by word
//! and field by field beside those of Debian's ZooKeeper.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod beside;
mod fields;
mod health;
mod http;
mod https;
mod incremental;
mod metrics;
#[path = "../tls/pki.rs"]
#[allow(dead_code, reason = "of what other tests use, too")]
mod pki;
mod refused_restores;
mod restore;
mod slow;
mod snapshot;
