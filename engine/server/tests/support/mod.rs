//! What the tests of the running server share: starting servers and ensembles of them, networks that can be cut, a wire
//! client that is independent of the server's own codec, and a seeded generator of random numbers.
//!
//! A test says which server it wants with [`server::Target`]; most take the one that `RINGKEEPER_TARGET` names, so the
//! same test judges Debian's ZooKeeper and Ringkeeper.

#![allow(dead_code, reason = "every test binary compiles this and uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

pub mod client;
pub mod ensemble;
pub mod network;
pub mod ports;
pub mod process;
pub mod relay;
pub mod rng;
pub mod server;
pub mod servers;
pub mod wire;

/// A whole number from the environment, else `default`.
pub fn env_number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}

/// The seed of this run: from `RINGKEEPER_SEED`, else `default`. Tests print it.
pub fn seed(default: u64) -> u64 {
    env_number("RINGKEEPER_SEED", default)
}

/// Says that a test cannot run here and why. In CI (`CI=true`) that is a failure.
pub fn skipped(test: &str, reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "{test} must not be skipped in CI: {reason}");
    eprintln!("SKIPPED {test}: {reason}");
}
