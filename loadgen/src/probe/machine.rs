//! What the kernel tells of the machine. Whatever it does not tell is left out.

use serde::Serialize;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

/// The machine, and the file system of a directory.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// What the kernel reads its clock from.
    pub clock_source: Option<String>,
    /// What one reading of the clock costs, nanoseconds.
    pub clock_read_ns: f64,
    /// How the frequency of the first core is governed; virtual machines mostly do not see it.
    pub frequency_governor: Option<String>,
    /// Whether there is a hypervisor below.
    pub virtual_machine: bool,
    /// Where the directory is mounted.
    pub mount: Option<Mount>,
    /// The disk below it.
    pub disk: Option<Disk>,
}

/// A mounted file system.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Mount {
    /// Where.
    pub point: String,
    /// Its kind, such as ext4.
    pub file_system: String,
    /// Options of the mount and of the file system.
    pub options: String,
    /// The device, as the mount names it.
    pub source: String,
}

/// A block device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Disk {
    /// The kernel's name of it.
    pub name: String,
    /// `write back` if writes may be in a cache of the device that a sync has to flush, else `write through`.
    pub write_cache: Option<String>,
    /// Whether it turns.
    pub rotational: Option<bool>,
    /// The kernel's scheduler, the chosen one in brackets.
    pub scheduler: Option<String>,
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} at {} ({})", self.file_system, self.source, self.point, self.options)
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = if self.rotational == Some(true) { ", rotational" } else { "" };
        let cache = self.write_cache.as_deref().unwrap_or("unknown write cache");
        write!(f, "{}, {cache}, scheduler {}{turns}", self.name, self.scheduler.as_deref().unwrap_or("unknown"))
    }
}

impl Machine {
    /// This machine, and the file system of `dir`.
    pub fn probe(dir: &Path) -> Machine {
        let device = fs::metadata(dir).ok().map(|found| (libc::major(found.dev()), libc::minor(found.dev())));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Machine {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            clock_source: word("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            clock_read_ns: clock_read_ns(),
            frequency_governor: word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            virtual_machine: has_flag(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default(), "hypervisor"),
            mount: device.and_then(|(major, minor)| mount_of(&mounts, &format!("{major}:{minor}"), dir)),
            disk: device.and_then(|(major, minor)| Disk::of(&format!("/sys/dev/block/{major}:{minor}"))),
        }
    }
}

impl Disk {
    /// From its directory in /sys, or that of one of its partitions.
    fn of(at: &str) -> Option<Disk> {
        let found = fs::canonicalize(at).ok()?;
        let disk = if found.join("queue").exists() { found } else { found.parent()?.to_path_buf() };
        let queue = |what: &str| word(disk.join("queue").join(what));
        Some(Disk {
            name: disk.file_name()?.to_str()?.to_owned(),
            write_cache: queue("write_cache"),
            rotational: queue("rotational").map(|text| text == "1"),
            scheduler: queue("scheduler"),
        })
    }
}

/// The line of `/proc/self/mountinfo` with this device. Of several, that with the longest path above `dir`.
fn mount_of(mounts: &str, device: &str, dir: &Path) -> Option<Mount> {
    let dir = fs::canonicalize(dir).ok()?;
    let lines = mounts.lines().filter_map(|line| parse_mount(line, device));
    lines.filter(|mount| dir.starts_with(&mount.point)).max_by_key(|mount| mount.point.len())
}

/// Reads a line: numbers, device, root, mount point, options, optional fields, a dash, kind, source, more options.
fn parse_mount(line: &str, device: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let front: Vec<&str> = front.split(' ').collect();
    let mut back = back.split(' ');
    if *front.get(2)? != device {
        return None;
    }
    Some(Mount {
        point: front.get(4)?.replace("\\040", " "),
        file_system: back.next()?.to_owned(),
        source: back.next()?.to_owned(),
        options: format!("{},{}", front.get(5)?, back.next().unwrap_or_default()),
    })
}

fn word(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn has_flag(cpuinfo: &str, flag: &str) -> bool {
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':'));
    flags.is_some_and(|(_, flags)| flags.split_ascii_whitespace().any(|one| one == flag))
}

fn clock_read_ns() -> f64 {
    const READINGS: u32 = 10_000;
    let began = Instant::now();
    for _ in 0..READINGS {
        std::hint::black_box(Instant::now());
    }
    began.elapsed().as_nanos() as f64 / f64::from(READINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_a_device_is_found_and_the_longest_counts() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n\
                      23 22 0:5 / /proc rw - proc proc rw\n\
                      24 22 254:0 /x /usr rw,noatime master:2 shared:3 - ext4 /dev/vdb rw\n";
        let root = mount_of(mounts, "254:0", Path::new("/")).unwrap();
        assert_eq!((root.file_system.as_str(), root.source.as_str()), ("ext4", "/dev/vda"));
        assert_eq!((root.point.as_str(), root.options.as_str()), ("/", "rw,relatime,rw,discard"));
        assert_eq!(root.to_string(), "ext4 on /dev/vda at / (rw,relatime,rw,discard)");
        assert_eq!(mount_of(mounts, "254:0", Path::new("/usr")).unwrap().source, "/dev/vdb");
        assert_eq!(mount_of(mounts, "1:1", Path::new("/")), None);
        assert_eq!(mount_of("nonsense\n", "254:0", Path::new("/")), None);
    }

    #[test]
    fn flags_of_a_processor_are_whole_words() {
        assert!(has_flag("model: x\nflags\t\t: fpu hypervisor sse\n", "hypervisor"));
        assert!(!has_flag("flags : hypervisors\n", "hypervisor") && !has_flag("", "hypervisor"));
    }

    #[test]
    fn every_directory_is_on_some_file_system() {
        let machine = Machine::probe(Path::new("/proc"));
        assert_eq!(machine.mount.unwrap().file_system, "proc");
        assert!(machine.cores >= 1 && machine.clock_read_ns > 0.0);
    }
}
