//! What is known of the host. Whatever it does not tell is left out.
//!
//! Each kind of facts has a part that reads files of /proc and /sys, which tests give it, and a part that tries things out.

mod cgroup;
mod files;
mod kernel;
mod limits;
mod memory;
mod network;
mod processors;
mod scratch;
mod storage;
mod wanted;

#[cfg(test)]
pub(super) use files::Recorded;
pub(super) use files::{Files, Host};
pub(super) use kernel::Kernel;
pub(super) use limits::{Limits, Unit};
pub(super) use memory::Memory;
pub(super) use network::{Listening, Network, Peer, Reached};
pub(super) use processors::Processors;
pub(super) use scratch::Scratch;
pub(super) use storage::{Mount, Storage};
pub(super) use wanted::Wanted;

use super::timing::Timing;
use crate::config::Config;
use serde::Serialize;

/// Everything that findings are made of.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Facts {
    /// What the server is to do here.
    pub wanted: Wanted,
    /// The kernel, its clock and what encloses the process.
    pub kernel: Kernel,
    /// Processors.
    pub processors: Processors,
    /// Memory.
    pub memory: Memory,
    /// The directories of data and log; one if they are the same.
    pub storage: Vec<Storage>,
    /// Limits of processes.
    pub limits: Limits,
    /// The network.
    pub network: Network,
    /// How long log writes took, by driver.
    pub log: Vec<Timing>,
    /// Why that could not be measured.
    pub log_failure: Option<String>,
}

impl Facts {
    /// What the files say.
    pub(super) fn read(files: &dyn Files, wanted: Wanted, unit: &str) -> Facts {
        let (data, log) = (&wanted.data_dir, &wanted.log_dir);
        let storage = match data == log {
            true => vec![Storage::read(files, "data and log", data)],
            false => vec![Storage::read(files, "data", data), Storage::read(files, "log", log)],
        };
        Facts {
            kernel: Kernel::read(files),
            processors: Processors::read(files),
            memory: Memory::read(files),
            storage,
            limits: Limits::read(files, unit),
            network: Network::read(files),
            log: Vec::new(),
            log_failure: None,
            wanted,
        }
    }

    /// What only trying shows, except for the log's timing. Without a valid configuration there are no addresses to try.
    pub(super) fn try_out(&mut self, files: &dyn Files, config: Option<&Config>) {
        self.kernel.try_out();
        self.limits.try_out();
        self.storage.iter_mut().for_each(|storage| storage.try_out(files));
        if let Some(config) = config {
            self.network.try_out(config);
        }
    }

    /// Where the log is.
    pub(super) fn log_storage(&self) -> Option<&Storage> {
        self.storage.last()
    }
}
