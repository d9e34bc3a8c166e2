//! Processor time and memory of processes, from the kernel's accounting.
//!
//! A process's times cover all its threads, ended ones and io_uring's workers included; what the kernel does in its
//! own threads for a process (kworker, softirq) is counted to nobody.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::fs;

/// Processor time used so far, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CpuTime {
    /// In user mode.
    pub user_us: f64,
    /// In the kernel.
    pub system_us: f64,
}

impl CpuTime {
    /// Both together.
    pub fn total_us(&self) -> f64 {
        self.user_us + self.system_us
    }

    /// What was used since `earlier`.
    pub fn since(&self, earlier: &CpuTime) -> CpuTime {
        CpuTime { user_us: self.user_us - earlier.user_us, system_us: self.system_us - earlier.system_us }
    }

    fn add(&mut self, other: &CpuTime) {
        self.user_us += other.user_us;
        self.system_us += other.system_us;
    }
}

/// What some processes used, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor time.
    pub cpu: CpuTime,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
    /// Threads.
    pub threads: u64,
}

/// What the processes with these ids used by now.
///
/// # Errors
/// If one of them is not there any more.
pub fn of_processes(pids: &[u32]) -> Result<Usage> {
    let mut sum = Usage::default();
    for &pid in pids {
        let one = of_process(pid)?;
        sum.cpu.add(&one.cpu);
        sum.rss_bytes += one.rss_bytes;
        sum.threads += one.threads;
    }
    Ok(sum)
}

fn of_process(pid: u32) -> Result<Usage> {
    let read = |what: &str| {
        fs::read_to_string(format!("/proc/{pid}/{what}"))
            .with_context(|| format!("there is no process {pid} to measure"))
    };
    let (cpu, threads) = parse_stat(&read("stat")?).with_context(|| format!("/proc/{pid}/stat"))?;
    let status = read("status")?;
    // A process that ended but was not waited for has no memory.
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).map_or(Ok(0), parse_kib)?;
    Ok(Usage { cpu, rss_bytes: rss, threads })
}

/// Reads `/proc/PID/stat`. The second field, the name, may contain anything, so fields are counted behind its end.
fn parse_stat(stat: &str) -> Result<(CpuTime, u64)> {
    let Some((_, rest)) = stat.rsplit_once(')') else { bail!("no process name") };
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 of proc(5) is the first here: utime is 14, stime 15, num_threads 20.
    let field = |number: usize| -> Result<u64> {
        let text = fields.get(number - 3).with_context(|| format!("no field {number}"))?;
        text.parse().with_context(|| format!("field {number} is {text:?}"))
    };
    let tick_us = 1e6 / ticks_per_second();
    let cpu = CpuTime { user_us: field(14)? as f64 * tick_us, system_us: field(15)? as f64 * tick_us };
    Ok((cpu, field(20)?))
}

fn parse_kib(text: &str) -> Result<u64> {
    let number = text.trim().trim_end_matches("kB").trim();
    Ok(number.parse::<u64>().with_context(|| format!("memory of {text:?}"))? * 1024)
}

fn ticks_per_second() -> f64 {
    // SAFETY: sysconf takes no pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

/// What this process used by now.
pub fn own() -> CpuTime {
    // SAFETY: `rusage` consists of integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `rusage` of our own. The call cannot fail with these arguments.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    let us = |t: libc::timeval| t.tv_sec as f64 * 1e6 + t.tv_usec as f64;
    CpuTime { user_us: us(usage.ru_utime), system_us: us(usage.ru_stime) }
}

/// Raises the limit of open files as far as this user may, and checks that it is enough.
///
/// # Errors
/// If it is not.
pub fn allow_open_files(needed: usize) -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live `rlimit` of our own.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Ok(());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above. If it fails, the old limit stays, and connecting will tell.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    if (limit.rlim_max as usize) < needed + 32 {
        bail!(
            "{needed} connections need more file descriptors than the limit of {}: raise `ulimit -n`",
            limit.rlim_max
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_a_name_with_blanks_and_brackets() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194304 9 8 7 6 150 50 0 0 20 0 12 0 33 44 55";
        let (cpu, threads) = parse_stat(line).unwrap();
        assert_eq!((cpu.user_us, cpu.system_us, threads), (1_500_000.0, 500_000.0, 12), "at 100 ticks per second");
        assert!(parse_stat("7 (x) S 1").is_err());
        assert!(parse_stat("nonsense").is_err());
    }

    #[test]
    fn own_time_and_the_kernels_view_of_us_agree() {
        let started = own().total_us();
        while own().total_us() < started + 60_000.0 {}
        // Other tests of this process use time, too: only the order of the readings is certain. The kernel tells whole ticks of
        // 10 ms, of each mode.
        let before = own().total_us();
        let kernels = of_processes(&[std::process::id()]).unwrap();
        let after = own().total_us();
        let view = kernels.cpu.total_us();
        assert!(before - 30_000.0 <= view && view <= after + 30_000.0, "{before} {kernels:?} {after}");
        assert!(kernels.rss_bytes > 100_000 && kernels.threads >= 1);
        assert!(of_processes(&[u32::MAX >> 1]).unwrap_err().to_string().contains("no process"));
    }
}
