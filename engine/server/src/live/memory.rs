//! How much memory there is, and how much of it this process uses. Read from a few small files of the kernel.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are shown.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Bytes that this process holds and that the kernel could not take back: its anonymous memory.
pub(super) fn used() -> Option<u64> {
    kib(&fs::read_to_string("/proc/self/status").ok()?, "RssAnon:")
}

/// Bytes that this process may use: the least that its control groups allow, or else what the machine has.
pub(super) fn limit() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib(&text, "MemTotal:"));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let files = limit_files(&groups, Path::new(CGROUPS));
    least(files.iter().filter_map(|file| fs::read_to_string(file).ok()), machine)
}

/// A group without a limit says "max", or in the older form a number that no machine has.
fn least(of_groups: impl Iterator<Item = String>, of_machine: Option<u64>) -> Option<u64> {
    of_groups.filter_map(|text| text.trim().parse().ok()).chain(of_machine).min()
}

/// The files with the limits of the groups, from `/proc/self/cgroup`. A limit of an enclosing group holds too. In a
/// container the group's path may be that of the host: then its own group is the top of what it sees.
fn limit_files(groups: &str, top: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (top, file) = if controllers.is_empty() {
            (top.to_owned(), "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (top.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let path = Path::new(path.trim_start_matches('/'));
        files.extend(path.ancestors().map(|group| top.join(group).join(file)));
    }
    files
}

/// The number of KiB behind a name in a file of `/proc`, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Has the allocator give back to the system what it holds and nobody uses: otherwise deletes would not show.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes the allocator's own locks; no memory that is in use is touched.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_proc() {
        let text = "VmRSS:\t  2048 kB\nRssAnon:\t    1024 kB\nMemTotal: x kB\n";
        assert_eq!(kib(text, "RssAnon:"), Some(1 << 20));
        assert_eq!(kib(text, "MemTotal:"), None);
        assert_eq!(kib(text, "Swap:"), None);
    }

    #[test]
    fn groups_of_both_kinds_and_those_around_them() {
        let files = |groups| -> Vec<String> {
            limit_files(groups, Path::new("/c")).iter().map(|file| file.display().to_string()).collect()
        };
        assert_eq!(files("0::/a/b\n"), ["/c/a/b/memory.max", "/c/a/memory.max", "/c/memory.max"]);
        assert_eq!(
            files("9:name=systemd:/\n4:cpu,memory:/x\n1:cpu:/\n"),
            ["/c/memory/x/memory.limit_in_bytes", "/c/memory/memory.limit_in_bytes"]
        );
        assert_eq!(files("nonsense\n\n"), Vec::<String>::new());
    }

    #[test]
    fn the_smallest_limit_holds() {
        let least = |groups: &[&str]| super::least(groups.iter().map(|text| (*text).to_owned()), Some(4000));
        assert_eq!(least(&["max\n", "3000\n", "2000\n"]), Some(2000));
        assert_eq!((least(&["max\n"]), least(&["9223372036854771712\n"])), (Some(4000), Some(4000)));
    }

    #[test]
    fn this_process_uses_less_than_it_may() {
        let (used, limit) = (used().unwrap(), limit().unwrap());
        assert!(used > 0 && used < limit, "{used} of {limit}");
    }
}
