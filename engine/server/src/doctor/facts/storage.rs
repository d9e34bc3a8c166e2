//! Where data and log are, or will be: file system, devices below, space.

use super::files::{Files, existing};
use super::memory::chosen;
use super::scratch::Scratch;
use ringkeeper_txnlog::disk::FsDisk;
use rustix::fs::{AtFlags, CWD, StatxFlags, statvfs, statx};
use serde::Serialize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A directory that the server uses.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::doctor) struct Storage {
    /// What for: `data`, `log`, or both.
    pub purpose: &'static str,
    /// As configured.
    pub dir: String,
    /// Whether it is there.
    pub exists: bool,
    /// What was examined: the directory, or else the first one above it that is there.
    pub examined: String,
    /// The mounted file system.
    pub mount: Option<Mount>,
    /// The devices that hold it, below partitions, volumes and arrays.
    pub devices: Vec<Device>,
    /// Space for users other than root, bytes.
    pub free: Option<u64>,
    /// All of it.
    pub size: Option<u64>,
    /// Files that can still be made; `None` if the file system has no fixed number.
    pub free_inodes: Option<u64>,
    /// Why this user cannot write there.
    pub not_writable: Option<String>,
    /// Whether direct I/O works.
    pub direct: Option<bool>,
    /// To what direct I/O must be aligned, bytes; kernels before 6.1 do not tell.
    pub alignment: Option<u64>,
    /// Length of the largest snapshot that is there, bytes.
    pub snapshot: Option<u64>,
    /// The process that has the directory now.
    pub in_use_by: Option<u32>,
}

/// A mounted file system.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(in crate::doctor) struct Mount {
    /// Where.
    pub point: String,
    /// Its kind, such as ext4.
    pub kind: String,
    /// The device, as the mount names it.
    pub source: String,
    /// Options of the mount and of the file system.
    pub options: Vec<String>,
    /// The number of its device, `major:minor`.
    pub number: String,
}

/// A block device.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(in crate::doctor) struct Device {
    /// The kernel's name of it.
    pub name: String,
    /// `write back` if a sync has to flush a cache of the device, else `write through`.
    pub write_cache: Option<String>,
    /// Whether it turns. Virtual devices may say so without being asked.
    pub rotational: Option<bool>,
    /// The kernel's scheduler for it.
    pub scheduler: Option<String>,
    /// Its smallest unit, bytes.
    pub block: Option<u64>,
}

impl Storage {
    /// What the files say about a directory.
    pub(super) fn read(files: &dyn Files, purpose: &'static str, dir: &Path) -> Storage {
        let dir = dir.display().to_string();
        let examined = existing(files, &dir).unwrap_or_else(|| "/".to_owned());
        let mount = mount_of(&files.text("/proc/self/mountinfo").unwrap_or_default(), &examined);
        let devices = mount.as_ref().map(|mount| devices(files, mount)).unwrap_or_default();
        Storage { purpose, exists: files.resolve(&dir).is_some(), dir, examined, mount, devices, ..Storage::default() }
    }

    /// What only trying shows.
    pub(super) fn try_out(&mut self, files: &dyn Files) {
        let path = PathBuf::from(&self.examined);
        if let Ok(space) = statvfs(&path) {
            self.free = Some(space.f_bavail.saturating_mul(space.f_frsize));
            self.size = Some(space.f_blocks.saturating_mul(space.f_frsize));
            self.free_inodes = Some(space.f_favail).filter(|_| space.f_files > 0);
        }
        match Scratch::new(&path) {
            Ok(scratch) => self.try_direct(&scratch),
            Err(error) => self.not_writable = Some(error.to_string()),
        }
        self.snapshot = largest_snapshot(&path);
        let locks = files.text("/proc/locks").unwrap_or_default();
        let lock = path.join("lock").metadata().ok();
        self.in_use_by = lock.and_then(|lock| holder(&locks, lock.dev(), lock.ino()));
    }

    fn try_direct(&mut self, scratch: &Scratch) {
        match FsDisk::open(scratch.path()) {
            Ok(disk) => self.direct = Some(disk.direct()),
            Err(error) => self.not_writable = Some(error.to_string()),
        }
        let probe = scratch.path().join(ringkeeper_txnlog::disk::PROBE);
        let told = statx(CWD, &probe, AtFlags::empty(), StatxFlags::DIOALIGN).ok();
        let told = told.filter(|told| told.stx_mask & StatxFlags::DIOALIGN.bits() != 0);
        self.alignment = told.map(|told| u64::from(told.stx_dio_offset_align.max(told.stx_dio_mem_align)));
    }
}

/// The mount with the longest path above `dir`; of several at one place the last, which hides the others.
fn mount_of(mounts: &str, dir: &str) -> Option<Mount> {
    let above = mounts.lines().filter_map(parse_mount).filter(|mount| Path::new(dir).starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.len())
}

/// Reads a line: numbers, device, root, mount point, options, optional fields, a dash, kind, source, more options.
fn parse_mount(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let front: Vec<&str> = front.split(' ').collect();
    let mut back = back.split(' ');
    let (kind, source) = (back.next()?.to_owned(), back.next()?.to_owned());
    let options = front.get(5)?.split(',').chain(back.next().unwrap_or_default().split(','));
    Some(Mount {
        point: front.get(4)?.replace("\\040", " "),
        kind,
        source,
        options: options.filter(|option| !option.is_empty()).map(str::to_owned).collect(),
        number: (*front.get(2)?).to_owned(),
    })
}

/// The devices below a mount. File systems without a device number of their own name one as their source.
fn devices(files: &dyn Files, mount: &Mount) -> Vec<Device> {
    let by_number = files.resolve(&format!("/sys/dev/block/{}", mount.number));
    let by_name = || {
        let device = files.resolve(&mount.source).unwrap_or_else(|| mount.source.clone());
        files.resolve(&format!("/sys/class/block/{}", device.strip_prefix("/dev/")?))
    };
    let mut found = Vec::new();
    if let Some(dir) = by_number.or_else(by_name) {
        collect(files, &dir, 0, &mut found);
    }
    found
}

fn collect(files: &dyn Files, dir: &str, depth: u32, found: &mut Vec<Device>) {
    /// Volumes on arrays on partitions: deeper is nobody's machine.
    const DEEPEST: u32 = 8;
    let Some(dir) = whole(files, dir).filter(|_| depth < DEEPEST) else { return };
    let below = files.names(&format!("{dir}/slaves"));
    for name in &below {
        if let Some(slave) = files.resolve(&format!("/sys/class/block/{name}")) {
            collect(files, &slave, depth + 1, found);
        }
    }
    if below.is_empty() {
        let queue = |what: &str| files.text(&format!("{dir}/queue/{what}"));
        let device = Device {
            name: dir.rsplit('/').next().unwrap_or_default().to_owned(),
            write_cache: queue("write_cache"),
            rotational: queue("rotational").map(|text| text == "1"),
            scheduler: queue("scheduler").map(|text| chosen(&text).unwrap_or(text)),
            block: queue("logical_block_size").and_then(|text| text.parse().ok()),
        };
        if !found.contains(&device) {
            found.push(device);
        }
    }
}

/// The directory of a device, or of the one of which it is a partition.
fn whole(files: &dyn Files, dir: &str) -> Option<String> {
    let has_queue = |dir: &str| !files.names(&format!("{dir}/queue")).is_empty();
    if has_queue(dir) {
        return Some(dir.to_owned());
    }
    let (parent, _) = dir.rsplit_once('/')?;
    has_queue(parent).then(|| parent.to_owned())
}

fn largest_snapshot(dir: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(dir).ok()?.flatten();
    let snapshots = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("snap."));
    snapshots.filter_map(|entry| Some(entry.metadata().ok()?.len())).max()
}

/// Who holds a lock on a file, by `/proc/locks`: number, kind, mode, access, process, `major:minor:inode` and a range.
fn holder(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let file = format!("{:02x}:{:02x}:{inode}", rustix::fs::major(device), rustix::fs::minor(device));
    locks.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(4);
        let process = fields.next()?.parse().ok()?;
        (fields.next()? == file).then_some(process)
    })
}

#[cfg(test)]
mod tests {
    use super::super::files::{Host, Recorded};
    use super::*;

    const MOUNTS: &str = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n\
                          23 22 0:5 / /proc rw - proc proc rw\n\
                          24 22 253:1 /x /var/lib/zoo\\040keeper rw,noatime master:2 shared:3 - xfs /dev/mapper/vg-zk rw\n";

    #[test]
    fn the_longest_mount_above_counts() {
        let mount = mount_of(MOUNTS, "/var/lib").unwrap();
        assert_eq!((mount.kind.as_str(), mount.point.as_str(), mount.number.as_str()), ("ext4", "/", "254:0"));
        assert_eq!(mount.options, ["rw", "relatime", "rw", "discard"]);
        assert_eq!(mount_of(MOUNTS, "/var/lib/zoo keeper/log").unwrap().kind, "xfs");
        assert_eq!(mount_of("nonsense\n", "/"), None);
    }

    #[test]
    fn devices_below_volumes_and_partitions() {
        let files = Recorded::parse(
            "@ /sys/dev/block/253:1 -> /sys/devices/virtual/block/dm-1\n\
             @ /sys/devices/virtual/block/dm-1/queue/write_cache\nwrite back\n\
             @ /sys/devices/virtual/block/dm-1/slaves/sda2\n\n@ /sys/devices/virtual/block/dm-1/slaves/sdb2\n\n\
             @ /sys/class/block/sda2 -> /sys/devices/pci/ata1/block/sda/sda2\n\
             @ /sys/class/block/sdb2 -> /sys/devices/pci/ata2/block/sdb/sdb2\n\
             @ /sys/devices/pci/ata1/block/sda/sda2/size\n1\n@ /sys/devices/pci/ata2/block/sdb/sdb2/size\n1\n\
             @ /sys/devices/pci/ata1/block/sda/queue/rotational\n1\n\
             @ /sys/devices/pci/ata1/block/sda/queue/scheduler\nnone [mq-deadline] bfq\n\
             @ /sys/devices/pci/ata2/block/sdb/queue/rotational\n0\n",
        );
        let mount = mount_of(MOUNTS, "/var/lib/zoo keeper").unwrap();
        let found = devices(&files, &mount);
        let names: Vec<_> = found.iter().map(|device| (device.name.as_str(), device.rotational)).collect();
        assert_eq!(names, [("sda", Some(true)), ("sdb", Some(false))]);
        assert_eq!(found[0].scheduler.as_deref(), Some("mq-deadline"));
    }

    #[test]
    fn a_device_that_is_only_named() {
        let files =
            Recorded::parse("@ /sys/class/block/nvme0n1 -> /sys/x/nvme0n1\n@ /sys/x/nvme0n1/queue/rotational\n0\n");
        let mount = Mount { source: "/dev/nvme0n1".into(), number: "0:33".into(), ..Mount::default() };
        assert_eq!(devices(&files, &mount)[0].name, "nvme0n1");
        assert!(devices(&files, &Mount { source: "tmpfs".into(), ..mount }).is_empty());
    }

    #[test]
    fn the_holder_of_a_lock() {
        let locks = "1: POSIX  ADVISORY  READ  812 fe:00:99 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF\n";
        let device = rustix::fs::makedev(0xfe, 0);
        assert_eq!((holder(locks, device, 1234), holder(locks, device, 5)), (Some(4711), None));
    }

    #[test]
    fn a_directory_is_tried_and_left_as_it_was() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let mut storage = Storage::read(&Host, "data", &dir.path().join("not/yet"));
        storage.try_out(&Host);
        assert_eq!(Path::new(&storage.examined), dir.path());
        assert_eq!(storage.not_writable, None);
        assert!(storage.free.unwrap() > 0 && storage.direct.is_some() && storage.mount.is_some());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
