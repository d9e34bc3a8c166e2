//! From facts to findings. Each rule is a function of the facts alone; this table is all of them, in the order of the report.

mod kernel;
mod limits;
mod memory;
mod network;
mod processors;
mod storage;
mod timing;

#[cfg(test)]
mod tests;

pub(super) use timing::best;

use super::facts::Facts;
use super::finding::{Finding, Verdict};

/// Area, name, and what it says. A rule says nothing about what the host does not tell or the server does not need.
type Rule = (&'static str, &'static str, fn(&Facts) -> Vec<Verdict>);

const RULES: [Rule; 30] = [
    ("configuration", "configuration", limits::configuration),
    ("kernel", "version", kernel::version),
    ("kernel", "io_uring", kernel::uring),
    ("kernel", "container", kernel::container),
    ("kernel", "clock source", kernel::clock_source),
    ("kernel", "time of day", kernel::time_of_day),
    ("processors", "cores", processors::cores),
    ("processors", "quota", processors::quota),
    ("processors", "other load", processors::other_load),
    ("processors", "frequency", processors::frequency),
    ("processors", "idle states", processors::idle_states),
    ("processors", "NUMA", processors::numa),
    ("processors", "interrupts", processors::interrupts),
    ("memory", "room", memory::room),
    ("memory", "swap", memory::swap),
    ("memory", "huge pages", memory::huge_pages),
    ("storage", "directory", storage::directory),
    ("storage", "file system", storage::file_system),
    ("storage", "direct I/O", storage::direct),
    ("storage", "write cache", storage::write_cache),
    ("storage", "scheduler", storage::scheduler),
    ("storage", "space", storage::space),
    ("storage", "log device", storage::log_device),
    ("storage", "log writes", timing::log_writes),
    ("limits", "locked memory", limits::locked_memory),
    ("limits", "open files", limits::open_files),
    ("limits", "systemd unit", limits::unit),
    ("network", "own ports", network::own_ports),
    ("network", "connection queue", network::queue),
    ("network", "other servers", network::peers),
];

/// Everything there is to say.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let said = RULES
        .iter()
        .flat_map(|(area, check, rule)| rule(facts).into_iter().map(move |verdict| Finding { area, check, verdict }));
    said.collect()
}

/// A number of bytes for people.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(value < 10.0 && unit > 0 && value.fract() > 0.04);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Microseconds for people.
pub(super) fn micros(us: f64) -> String {
    match us {
        us if us < 10.0 => format!("{us:.1} µs"),
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.0} ms", us / 1e3),
    }
}
