//! What every process exports under the same names.

use super::Family;
use crate::four_letter::Descriptors;
use std::fs;

/// The names that Prometheus' own client libraries use.
pub fn families(descriptors: &Descriptors) -> Vec<Family> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let uptime = fs::read_to_string("/proc/stat").unwrap_or_default();
    let process = Process::of(&stat, &uptime, ticks_per_second(), page_bytes());
    vec![
        Family::counter_seconds("process_cpu_seconds_total", "Processor time, user and system.", process.cpu_seconds),
        Family::gauge("process_resident_memory_bytes", "Memory that is resident.", process.resident_bytes),
        Family::gauge("process_virtual_memory_bytes", "Memory that is mapped.", process.virtual_bytes),
        Family::gauge("process_start_time_seconds", "When the process started, since 1970.", process.start_seconds),
        Family::gauge("process_threads", "Threads of the process.", process.threads),
        Family::gauge("process_open_fds", "File descriptors in use.", descriptors.open as f64),
        Family::gauge("process_max_fds", "File descriptors allowed.", descriptors.max as f64),
    ]
}

/// Memory of this process that is resident; 0 if the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    Process::of(&stat, "", ticks_per_second(), page_bytes()).resident_bytes as u64
}

/// Facts of /proc/self/stat; what cannot be read is 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Process {
    cpu_seconds: f64,
    threads: f64,
    start_seconds: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
}

impl Process {
    /// From the texts of /proc/self/stat and /proc/stat.
    fn of(own: &str, system: &str, ticks: f64, page: f64) -> Process {
        // The second field, in brackets, is a name that may hold anything. Numbering as in proc(5).
        let rest: Vec<&str> = own.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let field = |number: usize| rest.get(number - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let boot = system.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
        Process {
            cpu_seconds: (field(14) + field(15)) / ticks,
            threads: field(20),
            start_seconds: boot.unwrap_or(0.0) + field(22) / ticks,
            virtual_bytes: field(23),
            resident_bytes: field(24) * page,
        }
    }
}

fn ticks_per_second() -> f64 {
    // SAFETY: asks for a constant of the system.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

fn page_bytes() -> f64 {
    // SAFETY: asks for a constant of the system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    if bytes > 0 { bytes as f64 } else { 4096.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let own = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 20 0 7 0 1000 4096000 25 99";
        let process = Process::of(own, "cpu 1\nbtime 1700000000\n", 100.0, 4096.0);
        let expected = Process {
            cpu_seconds: 2.0,
            threads: 7.0,
            start_seconds: 1_700_000_010.0,
            virtual_bytes: 4_096_000.0,
            resident_bytes: 102_400.0,
        };
        assert_eq!(process, expected);
        assert_eq!(Process::of("nonsense", "", 100.0, 4096.0), Process::default());
    }
}
