//! The shell around the pure core: configuration, command line, executors, and what a server tells about itself.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod admin;
pub mod cli;
pub mod config;
mod date;
mod directory;
mod doctor;
mod executor;
pub mod exit;
pub mod four_letter;
mod live;
pub mod logging;
pub mod metrics;
mod offline;
mod spread;
mod start;
mod storage;
mod tls;
mod turn;
mod unusable;
pub mod version;
