//! The kernel, its clock, and what the process is enclosed in.

use super::files::Files;
use crate::executor;
use serde::Serialize;
use std::hint::black_box;
use std::time::Instant;

/// The kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::doctor) struct Kernel {
    /// As `uname -r` tells it.
    pub release: Option<String>,
    /// Its first two numbers.
    pub version: Option<(u32, u32)>,
    /// What is in the way of io_uring.
    pub uring: Uring,
    /// Which kind of container this is in; `None` outside of one.
    pub container: Option<String>,
    /// Whether there is a hypervisor below.
    pub virtual_machine: bool,
    /// The clock.
    pub clock: Clock,
}

/// Whether io_uring can be used, and what decides on it.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::doctor) struct Uring {
    /// The error number with which a ring was refused; `None` if it was made, or if nobody tried.
    pub refused: Option<i32>,
    /// `kernel.io_uring_disabled`: 0 for everybody, 1 for a group only, 2 for nobody.
    pub disabled: Option<u64>,
    /// `kernel.io_uring_group`.
    pub group: Option<String>,
    /// Whether system calls of this process are filtered.
    pub seccomp: bool,
}

/// The clock.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::doctor) struct Clock {
    /// What it is read from.
    pub source: Option<String>,
    /// What it could be read from.
    pub available: Vec<String>,
    /// What a reading costs.
    pub read_ns: Option<f64>,
    /// Whether somebody keeps it right.
    pub synchronised: Option<bool>,
}

impl Kernel {
    /// What the files say.
    pub(super) fn read(files: &dyn Files) -> Kernel {
        let release = files.text("/proc/sys/kernel/osrelease");
        let status = files.text("/proc/self/status").unwrap_or_default();
        let clock = "/sys/devices/system/clocksource/clocksource0";
        Kernel {
            version: release.as_deref().and_then(version),
            release,
            uring: Uring {
                refused: None,
                disabled: files.number("/proc/sys/kernel/io_uring_disabled"),
                group: files.text("/proc/sys/kernel/io_uring_group"),
                seccomp: status_field(&status, "Seccomp").is_some_and(|mode| mode != "0"),
            },
            container: container(files),
            virtual_machine: files.text("/proc/cpuinfo").is_some_and(|text| has_flag(&text, "hypervisor")),
            clock: Clock {
                source: files.text(&format!("{clock}/current_clocksource")),
                available: words(&files.text(&format!("{clock}/available_clocksource")).unwrap_or_default()),
                ..Clock::default()
            },
        }
    }

    /// What only trying shows.
    pub(super) fn try_out(&mut self) {
        self.uring.refused = executor::try_uring().err().and_then(|error| error.raw_os_error());
        self.clock.read_ns = Some(read_ns());
        self.clock.synchronised = synchronised();
    }
}

/// The value of a line that begins with the name and a colon.
pub(super) fn status_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The traces that the usual runtimes leave in what they start.
fn container(files: &dyn Files) -> Option<String> {
    let told = || {
        let environment = files.text("/proc/1/environ")?;
        let kind = environment.split('\0').find_map(|variable| variable.strip_prefix("container="))?;
        Some(kind.to_owned())
    };
    let groups = || {
        let text = files.text("/proc/self/cgroup")?;
        let known = [("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("lxc", "lxc")];
        known.iter().find(|(trace, _)| text.contains(trace)).map(|(_, name)| (*name).to_owned())
    };
    let file = |path: &str, name: &str| files.resolve(path).map(|_| name.to_owned());
    files
        .text("/run/systemd/container")
        .or_else(told)
        .or_else(groups)
        .or_else(|| file("/run/.containerenv", "podman"))
        .or_else(|| file("/.dockerenv", "docker"))
}

fn has_flag(cpuinfo: &str, flag: &str) -> bool {
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':'));
    flags.is_some_and(|(_, flags)| flags.split_ascii_whitespace().any(|one| one == flag))
}

fn read_ns() -> f64 {
    const READINGS: u32 = 10_000;
    let began = Instant::now();
    for _ in 0..READINGS {
        black_box(Instant::now());
    }
    began.elapsed().as_nanos() as f64 / f64::from(READINGS)
}

/// What the kernel knows of the discipline of its clock.
fn synchronised() -> Option<bool> {
    // SAFETY: a timex is numbers, for which zero is a value; mode 0 only asks.
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    (state >= 0).then_some(state != libc::TIME_ERROR)
}

#[cfg(test)]
mod tests {
    use super::super::files::Recorded;
    use super::*;

    #[test]
    fn versions_of_all_distributions() {
        assert_eq!(version("6.1.0-28-amd64"), Some((6, 1)));
        assert_eq!(version("4.18.0-553.el8_10.x86_64"), Some((4, 18)));
        assert_eq!(version("6.18.44-fc-v595"), Some((6, 18)));
        assert_eq!((version("6"), version("")), (None, None));
    }

    #[test]
    fn containers_by_their_traces() {
        let kind = |text: &str| container(&Recorded::parse(text));
        assert_eq!(kind(""), None);
        assert_eq!(kind("@ /.dockerenv\n").as_deref(), Some("docker"));
        assert_eq!(kind("@ /proc/1/environ\nA=1\0container=podman\0\n").as_deref(), Some("podman"));
        assert_eq!(kind("@ /proc/self/cgroup\n0::/kubepods.slice/x\n").as_deref(), Some("kubernetes"));
        assert_eq!(kind("@ /run/systemd/container\nlxc\n").as_deref(), Some("lxc"));
    }

    #[test]
    fn this_machine_has_a_clock() {
        let mut kernel = Kernel::read(&super::super::files::Host);
        kernel.try_out();
        assert!(kernel.clock.read_ns.unwrap() > 0.0 && kernel.version.unwrap() >= (4, 0));
    }
}
