//! What a figure was measured on.

use crate::probe::Machine;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// The machine that loadgen runs on.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// Version of loadgen.
    pub loadgen: &'static str,
    /// Kernel release.
    pub kernel: String,
    /// Processor model.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory of the machine, bytes.
    pub memory_bytes: u64,
    /// Whether there is a hypervisor below.
    pub virtual_machine: bool,
    /// What the kernel reads its clock from.
    pub clock_source: Option<String>,
    /// How the frequency of the first core is governed; virtual machines mostly do not see it.
    pub frequency_governor: Option<String>,
    /// The file system of the directory that loadgen was started in: its kind, its device, its options.
    pub file_system: Option<String>,
    /// The disk below that: the kernel's name of it, its write cache, its scheduler.
    pub disk: Option<String>,
}

impl Environment {
    /// Of this machine.
    pub fn probe() -> Environment {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = field(&meminfo, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let machine = Machine::probe(Path::new("."));
        Environment {
            loadgen: env!("CARGO_PKG_VERSION"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            cpu: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kib.unwrap_or(0) * 1024,
            virtual_machine: machine.virtual_machine,
            clock_source: machine.clock_source,
            frequency_governor: machine.frequency_governor,
            file_system: machine.mount.map(|mount| mount.to_string()),
            disk: machine.disk.map(|disk| disk.to_string()),
        }
    }
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.split_once(':')?.1.trim()))
}
