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
use crate::hdr;
use crate::results::{Document, Status};
use crate::run::Exit;
use crate::times::Times;
use anyhow::Result;
use disk::DiskFindings;
use hdrhistogram::Histogram;
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

impl Findings {
    /// All times, with the names that they have in a log.
    fn named(&self) -> Vec<(String, &Histogram<u64>)> {
        let ways = self.disk.ways.iter().map(|way| (way.way.to_owned(), &way.latency_us));
        let loopback = ("loopback".to_owned(), &self.loopback.latency_us);
        let wakes = [("wake.other-core", &self.wake.other_core_us), ("wake.same-core", &self.wake.same_core_us)];
        let wakes = wakes.into_iter().filter_map(|(name, times)| Some((name.to_owned(), times.as_ref()?)));
        let servers = self.servers.iter().map(|server| (format!("server.{}", server.server), &server.trip.latency_us));
        let all = ways.chain([loopback]).chain(wakes).chain(servers);
        all.filter(|(_, times)| times.len() > 0).map(|(name, times)| (name, Times::histogram(times))).collect()
    }
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
    let document = Document::new("probe", started, args, found);
    document.publish(args.json.as_deref(), |found| report::summary(&args.dir, found))?;
    if let Some(path) = &args.hdr_log {
        hdr::write(path, (started, started.elapsed().unwrap_or_default()), document.result().named())?;
    }
    Ok(args.limits.judge(document.result().status, document.result()))
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
