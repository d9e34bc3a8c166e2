//! Control groups, of version 2 and 1: the limits that hold for a process of the group of this one.

use super::files::Files;

/// Version 1 has "no limit" as the largest number of pages.
const UNLIMITED: u64 = 1 << 60;

/// The limit on processor time in processors; `None` if there is none.
pub(super) fn quota(files: &dyn Files) -> Option<f64> {
    let unified = groups(files, "").into_iter().filter_map(|group| {
        let text = files.text(&format!("{group}/cpu.max"))?;
        let (quota, period) = text.split_once(' ')?;
        Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
    });
    let split = groups(files, "cpu").into_iter().filter_map(|group| {
        let quota: f64 = files.text(&format!("{group}/cpu.cfs_quota_us"))?.parse().ok()?;
        let period: f64 = files.text(&format!("{group}/cpu.cfs_period_us"))?.parse().ok()?;
        (quota > 0.0).then_some(quota / period)
    });
    unified.chain(split).filter(|processors| processors.is_finite()).min_by(f64::total_cmp)
}

/// How often the group had used up its processor time and had to wait.
pub(super) fn throttled(files: &dyn Files) -> Option<u64> {
    let groups = groups(files, "").into_iter().chain(groups(files, "cpu"));
    let counts = groups.filter_map(|group| field(&files.text(&format!("{group}/cpu.stat"))?, "nr_throttled"));
    counts.max()
}

/// The limit on memory in bytes; `None` if there is none.
pub(super) fn memory(files: &dyn Files) -> Option<u64> {
    let unified = groups(files, "")
        .into_iter()
        .flat_map(|group| ["memory.max", "memory.high"].map(|name| files.number(&format!("{group}/{name}"))));
    let split =
        groups(files, "memory").into_iter().map(|group| files.number(&format!("{group}/memory.limit_in_bytes")));
    unified.chain(split).flatten().filter(|bytes| *bytes < UNLIMITED).min()
}

/// The number behind a name in lines of `name number`.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The directories of this process's group and of those above it. `controller` is empty for version 2.
fn groups(files: &dyn Files, controller: &str) -> Vec<String> {
    let text = files.text("/proc/self/cgroup").unwrap_or_default();
    let path = text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let path = fields.next()?;
        controllers.split(',').any(|one| one == controller).then(|| path.trim_end_matches('/').to_owned())
    });
    let root = if controller.is_empty() { "/sys/fs/cgroup".to_owned() } else { format!("/sys/fs/cgroup/{controller}") };
    let mut path = path.unwrap_or_default();
    let mut all = Vec::new();
    loop {
        all.push(format!("{root}{path}"));
        match path.rfind('/') {
            Some(at) => path.truncate(at),
            None => return all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::Recorded;
    use super::*;

    #[test]
    fn the_smallest_limit_of_all_groups_above_counts() {
        let files = Recorded::parse(
            "@ /proc/self/cgroup\n0::/kubepods/pod1/c\n@ /sys/fs/cgroup/kubepods/pod1/c/cpu.max\nmax 100000\n\
             @ /sys/fs/cgroup/kubepods/pod1/cpu.max\n150000 100000\n@ /sys/fs/cgroup/kubepods/cpu.max\n400000 100000\n\
             @ /sys/fs/cgroup/kubepods/pod1/c/memory.max\n2147483648\n@ /sys/fs/cgroup/kubepods/memory.max\nmax\n\
             @ /sys/fs/cgroup/kubepods/pod1/c/cpu.stat\nusage_usec 7\nnr_periods 9\nnr_throttled 4\n",
        );
        assert_eq!((quota(&files), memory(&files), throttled(&files)), (Some(1.5), Some(2 << 30), Some(4)));
    }

    #[test]
    fn version_1_has_a_tree_for_each_controller() {
        let files = Recorded::parse(
            "@ /proc/self/cgroup\n4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n\
             @ /sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us\n-1\n@ /sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us\n100000\n\
             @ /sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us\n50000\n@ /sys/fs/cgroup/cpu/docker/cpu.cfs_period_us\n100000\n\
             @ /sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes\n9223372036854771712\n",
        );
        assert_eq!((quota(&files), memory(&files), throttled(&files)), (Some(0.5), None, None));
    }

    #[test]
    fn no_groups_no_limits() {
        let files = Recorded::parse("");
        assert_eq!((quota(&files), memory(&files), throttled(&files)), (None, None, None));
    }
}
