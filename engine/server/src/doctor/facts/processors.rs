//! Processors: how many, who else uses them, and how quickly they wake up.

use super::cgroup;
use super::files::Files;
use super::kernel::status_field;
use serde::Serialize;

/// The processors.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::doctor) struct Processors {
    /// That run.
    pub online: Vec<usize>,
    /// On which this process may run.
    pub allowed: Vec<usize>,
    /// That are kept free of other work.
    pub isolated: Vec<usize>,
    /// The limit of the control group, in processors.
    pub quota: Option<f64>,
    /// How often that limit made the group wait.
    pub throttled: Option<u64>,
    /// How their frequency is governed, each way once. Virtual machines mostly do not see it.
    pub governors: Vec<String>,
    /// The longest time to wake from an idle state that is enabled, microseconds.
    pub wake_up_us: Option<u64>,
    /// NUMA nodes with processors or memory.
    pub nodes: usize,
    /// Whether the kernel moves memory between nodes by itself.
    pub numa_balancing: bool,
    /// Processes that ran or waited, on average of a minute.
    pub load: Option<f64>,
    /// Share of the last minute in which somebody waited for a processor, percent.
    pub pressure: Option<f64>,
    /// Share of time since boot that the hypervisor gave to others, percent.
    pub stolen: Option<f64>,
    /// Interrupts of devices since boot, by processor.
    pub interrupts: Vec<u64>,
    /// Whether irqbalance runs.
    pub irqbalance: bool,
}

impl Processors {
    /// What the files say.
    pub(super) fn read(files: &dyn Files) -> Processors {
        let cpu = "/sys/devices/system/cpu";
        let set = |path: &str| numbers(&files.text(path).unwrap_or_default());
        let status = files.text("/proc/self/status").unwrap_or_default();
        let online = set(&format!("{cpu}/online"));
        Processors {
            allowed: status_field(&status, "Cpus_allowed_list").map(numbers).unwrap_or_default(),
            isolated: set(&format!("{cpu}/isolated")),
            quota: cgroup::quota(files),
            throttled: cgroup::throttled(files),
            governors: governors(files, &online),
            wake_up_us: wake_up(files),
            nodes: set("/sys/devices/system/node/online").len(),
            numa_balancing: files.number("/proc/sys/kernel/numa_balancing").is_some_and(|on| on != 0),
            load: files.text("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
            pressure: files.text("/proc/pressure/cpu").and_then(|text| pressure(&text)),
            stolen: files.text("/proc/stat").and_then(|text| stolen(&text)),
            interrupts: interrupts(&files.text("/proc/interrupts").unwrap_or_default()),
            irqbalance: runs(files, "irqbalance"),
            online,
        }
    }

    /// How many processors a server gets here.
    pub(in crate::doctor) fn usable(&self) -> usize {
        let allowed = if self.allowed.is_empty() { self.online.len() } else { self.allowed.len() };
        let quota = self.quota.map_or(usize::MAX, |quota| quota.floor() as usize);
        allowed.min(quota).max(1)
    }
}

/// A list such as `0-3,8`.
fn numbers(list: &str) -> Vec<usize> {
    /// More processors than any machine has: a broken file does not fill the memory.
    const MOST: usize = 8192;
    let ranges = list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    });
    ranges.flatten().take(MOST).collect()
}

fn governors(files: &dyn Files, online: &[usize]) -> Vec<String> {
    let path = |n: &usize| format!("/sys/devices/system/cpu/cpu{n}/cpufreq/scaling_governor");
    let mut all: Vec<String> = online.iter().filter_map(|n| files.text(&path(n))).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn wake_up(files: &dyn Files) -> Option<u64> {
    let dir = "/sys/devices/system/cpu/cpu0/cpuidle";
    let states = files.names(dir).into_iter().filter(|name| name.starts_with("state"));
    let enabled = states.filter(|state| files.number(&format!("{dir}/{state}/disable")) != Some(1));
    enabled.filter_map(|state| files.number(&format!("{dir}/{state}/latency"))).max()
}

/// The average of a minute in `some avg10=1.00 avg60=2.00 ...`.
fn pressure(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("some"))?;
    line.split(' ').find_map(|word| word.strip_prefix("avg60=")?.parse().ok())
}

/// The eighth number of the first line, of the sum of the first eight.
fn stolen(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let times: Vec<f64> = line.split_ascii_whitespace().take(8).filter_map(|time| time.parse().ok()).collect();
    let all: f64 = times.iter().sum();
    (all > 0.0).then(|| times.get(7).map(|stolen| stolen / all * 100.0))?
}

/// Sums of the lines that begin with a number: those are devices. A line has as many counts as the head has processors.
fn interrupts(text: &str) -> Vec<u64> {
    let mut lines = text.lines();
    let processors = lines.next().map_or(0, |head| head.split_ascii_whitespace().count());
    let mut sums = vec![0; processors];
    for line in lines {
        let Some((name, counts)) = line.split_once(':') else { continue };
        if name.trim().parse::<u32>().is_err() {
            continue;
        }
        for (sum, count) in sums.iter_mut().zip(counts.split_ascii_whitespace()) {
            *sum += count.parse().unwrap_or(0);
        }
    }
    sums
}

fn runs(files: &dyn Files, name: &str) -> bool {
    let processes = files.names("/proc").into_iter().filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()));
    processes.map(|pid| format!("/proc/{pid}/comm")).any(|path| files.text(&path).is_some_and(|comm| comm == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        assert_eq!(numbers("0-2,8\n"), [0, 1, 2, 8]);
        assert!(numbers("").is_empty() && numbers("x-y,-").is_empty());
        assert!(numbers("0-99999999999").len() <= 8192);
    }

    #[test]
    fn the_share_of_the_hypervisor() {
        assert_eq!(stolen("cpu  10 0 10 60 0 0 0 20 5 5\ncpu0 1\n"), Some(20.0));
        assert_eq!((stolen("cpu  0 0\n"), stolen("")), (None, None));
    }

    #[test]
    fn only_interrupts_of_devices_are_counted() {
        let text =
            "      CPU0  CPU1\n 24:  5  0  IO-APIC 5-edge nvme0q1\n 25:  7  1  MSI eth0\nNMI: 900 900 x\nERR: 0\n";
        assert_eq!(interrupts(text), [12, 1]);
        assert!(interrupts("").is_empty());
    }

    #[test]
    fn a_quota_makes_a_large_machine_small() {
        let with = |quota| Processors { allowed: (0..16).collect(), quota, ..Processors::default() }.usable();
        assert_eq!([with(None), with(Some(2.5)), with(Some(0.5))], [16, 2, 1]);
    }
}
