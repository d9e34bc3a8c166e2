//! Ringkeeper's disk: the transaction log, snapshots and the epoch record.
//!
//! What was acknowledged survives; what was torn by a crash is cut; anything else that is wrong is reported and refused.
//! `docs/formats.md` describes every byte and every state that a crash can leave behind.
//!
//! ```text
//!   Recovery  ──replay──►  your state      reads snapshots and segments, judges what it finds
//!      │ repair
//!      ▼
//!   LogWriter  ◄──────►  LogDevice         decides what to write where and when to acknowledge / carries it out
//!      └──────── Log ────────┘             ties them together for the server's executor
//! ```
//!
//! [`LogWriter`](writer::LogWriter), [`recovery::decide`], [`snapshot::retention`] and [`segment::Pacer`] are pure.
//! Recovery, snapshots, the epoch record and segment preparation see the disk through [`disk::Disk`] alone, so that a
//! simulated one ([`sim`]) can stand in for it; what runs beside the writes is handed out as [`background::Job`]s. Only
//! `driver`, `disk::fs` and [`background::Threads`] know the operating system.

pub mod background;
pub mod config;
#[cfg(test)]
mod crash_tests;
pub mod disk;
pub mod driver;
pub mod epochs;
pub mod error;
pub mod format;
pub mod log;
pub mod planted;
pub mod reader;
pub mod recovery;
mod rng;
pub mod segment;
pub mod snapshot;
#[cfg(test)]
mod testing;
pub mod writer;

/// A simulated disk and a log device that is driven by hand, for tests and for simulations of whole ensembles.
pub mod sim {
    pub use crate::disk::sim::*;
    pub use crate::driver::{SimDevice, Waiting};
}

pub use log::{Log, LogEvent};
