//! `loadgen probe`: what the machine allows, so that a measured latency can be read beside its physical floor.
//!
//! [`disk`] times a synchronous write by each way in which a log can do it, [`trip`] a round trip, [`wake`] how long a
//! sleeping thread takes to run; [`machine`] reads what the kernel tells of the rest.

mod args;
mod disk;
mod figures;
mod machine;
mod report;
mod trip;
mod uring;
mod wake;

pub use args::ProbeArgs;
pub use machine::Machine;
pub use report::floor;

use crate::engine::Stop;
use crate::results::{Document, Status};
use crate::run::Exit;
use anyhow::Result;
use disk::DiskFindings;
use serde::Serialize;
use std::path::Path;
use std::time::SystemTime;
use trip::{ServerTrip, Trip};
use wake::WakeFindings;

/// Round trips and wake-ups that are timed, of each kind.
const TRIPS: u32 = 5_000;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// How it ended.
    pub status: Status,
    /// What could not be measured.
    pub failures: Vec<String>,
    /// What the kernel tells.
    pub machine: Machine,
    /// Writes that are on the disk when they end.
    pub disk: DiskFindings,
    /// A message to another thread and back, by TCP over loopback.
    pub loopback: Trip,
    /// Waking a thread that sleeps.
    pub wake: WakeFindings,
    /// A session's ping to each server that was named.
    pub servers: Vec<ServerTrip>,
}

/// Runs the command.
///
/// # Errors
/// What kept it from measuring at all.
pub fn probe(args: &ProbeArgs, stop: &Stop) -> Result<Exit> {
    let started = SystemTime::now();
    let servers = if args.servers.is_empty() { Vec::new() } else { crate::target::resolve(&args.servers)? };
    let mut found = measure(&args.dir, args.writes, stop)?;
    for (name, address) in args.servers.iter().zip(servers) {
        match trip::to_server(name, address, TRIPS, stop) {
            Ok(trip) => found.servers.push(trip),
            Err(error) => found.failures.push(format!("{error:#}")),
        }
    }
    found.status = match () {
        () if stop.is_set() => Status::Interrupted,
        () if !found.failures.is_empty() => Status::Failed,
        () => Status::Complete,
    };
    publish(args, Document::new("probe", started, args, found))
}

/// Measures what needs no server: the file system of `dir`, loopback, wake-ups.
///
/// # Errors
/// If nothing can be written to `dir`, or there is no loopback.
pub fn measure(dir: &Path, writes: u32, stop: &Stop) -> Result<Findings> {
    let disk = disk::measure(dir, writes, stop)?;
    Ok(Findings {
        status: Status::Complete,
        failures: Vec::new(),
        machine: Machine::probe(dir),
        disk,
        loopback: trip::over_loopback(TRIPS, stop)?,
        wake: wake::measure(TRIPS, stop),
        servers: Vec::new(),
    })
}

fn publish(args: &ProbeArgs, document: Document<&ProbeArgs, Findings>) -> Result<Exit> {
    document.publish(args.json.as_deref(), |found| report::summary(&args.dir, found))?;
    Ok(args.limits.judge(document.result().status, document.result()))
}
