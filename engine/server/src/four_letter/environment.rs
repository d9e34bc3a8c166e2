//! envi: what surrounds the process. There is no Java here, and the lines about it say so; they stay because tools
//! expect them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::line;
use crate::version;

/// What Java says of a property that it does not have.
const NOT_THERE: &str = "<NA>";
const MEMINFO: &str = "/proc/meminfo";

/// The facts of envi.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Of the machine.
    pub host_name: String,
    /// Of the kernel.
    pub os_version: String,
    /// Who runs the server.
    pub user_name: String,
    /// Their home.
    pub user_home: String,
    /// The working directory.
    pub user_dir: String,
    /// Where temporary files go.
    pub temp_dir: String,
    /// Memory of the machine that could be used, in MiB.
    pub memory_free_mib: u64,
    /// Memory of the machine, in MiB.
    pub memory_total_mib: u64,
}

impl Environment {
    /// Asks the system. What it does not tell stays empty.
    pub fn gather() -> Environment {
        let kernel = |name: &str| first_line(&Path::new("/proc/sys/kernel").join(name));
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let meminfo = std::fs::read_to_string(MEMINFO).unwrap_or_default();
        Environment {
            host_name: kernel("hostname"),
            os_version: kernel("osrelease"),
            user_name: user_name(),
            user_home: variable("HOME"),
            user_dir: std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default(),
            temp_dir: std::env::temp_dir().display().to_string(),
            memory_free_mib: mib(&meminfo, "MemAvailable:"),
            memory_total_mib: mib(&meminfo, "MemTotal:"),
        }
    }

    /// envi.
    pub(super) fn write(&self, out: &mut String) {
        line!(out, "Environment:");
        for (name, value) in self.entries() {
            line!(out, "{name}={value}");
        }
    }

    /// Names and values in ZooKeeper's order.
    pub(crate) fn entries(&self) -> Vec<(&'static str, String)> {
        let mib = |number: u64| format!("{number}MB");
        let mut all =
            vec![("zookeeper.version", version::zookeeper().to_owned()), ("host.name", self.host_name.clone())];
        let java = ["java.version", "java.vendor", "java.home", "java.class.path", "java.library.path"];
        all.extend(java.map(|name| (name, NOT_THERE.to_owned())));
        all.extend([
            ("java.io.tmpdir", self.temp_dir.clone()),
            ("java.compiler", NOT_THERE.to_owned()),
            ("os.name", "Linux".to_owned()),
            ("os.arch", java_arch(std::env::consts::ARCH).to_owned()),
            ("os.version", self.os_version.clone()),
            ("user.name", self.user_name.clone()),
            ("user.home", self.user_home.clone()),
            ("user.dir", self.user_dir.clone()),
            ("os.memory.free", mib(self.memory_free_mib)),
            ("os.memory.max", mib(self.memory_total_mib)),
            ("os.memory.total", mib(self.memory_total_mib)),
        ]);
        all
    }
}

/// Java's name of an architecture.
fn java_arch(ours: &str) -> &str {
    if ours == "x86_64" { "amd64" } else { ours }
}

/// The name of the user who runs this process, or their number if they have no name.
fn user_name() -> String {
    let Ok(own) = std::fs::metadata("/proc/self") else { return String::new() };
    let number = own.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    named(&users, &number).unwrap_or(&number).to_owned()
}

/// The name that belongs to a number in the format of passwd(5).
fn named<'a>(users: &'a str, number: &str) -> Option<&'a str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then_some(name)
    })
}

fn first_line(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// A value of /proc/meminfo, which is in KiB, in MiB.
fn mib(meminfo: &str, name: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_mib() {
        let meminfo = "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:    2048000 kB\n";
        assert_eq!(
            (mib(meminfo, "MemTotal:"), mib(meminfo, "MemAvailable:"), mib(meminfo, "Gone:")),
            (16_000, 2_000, 0)
        );
    }

    #[test]
    fn users_are_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nzk:x:107:110::/var/lib/zk:/bin/false\n";
        assert_eq!((named(users, "107"), named(users, "0"), named(users, "110")), (Some("zk"), Some("root"), None));
    }

    #[test]
    fn this_machine_has_memory_and_a_kernel() {
        let environment = Environment::gather();
        assert!(
            environment.memory_total_mib > 0 && !environment.os_version.is_empty() && !environment.user_name.is_empty()
        );
    }
}
