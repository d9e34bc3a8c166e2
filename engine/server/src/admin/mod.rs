//! HTTP: ZooKeeper's admin commands, metrics for Prometheus, health for whoever starts and stops servers.
//!
//! It has threads of its own, which ask the executors as four-letter words do and never hold one up. What is asked of them
//! is bounded: connections, the size of a request, its time.

mod authorisation;
mod commands;
mod desk;
mod folder;
mod health;
mod http;
mod json;
mod listener;
mod rate;
mod restore;
mod routes;
mod snapshot;
mod transactions;
mod upload;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use desk::{Access, Desk, Progress};
pub(crate) use listener::{listen, serve};
pub(crate) use routes::Site;
pub(crate) use wire::Secure;
