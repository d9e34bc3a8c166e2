//! File systems, devices and space, of the data directory and of the log's if that is another one.

use super::bytes;
use crate::doctor::facts::{Facts, Mount, Storage};
use crate::doctor::finding::Verdict;

/// What the log aligns its writes to.
const BLOCK: u64 = 4096;
/// Less than so many segments are full in no time.
const FEW_SEGMENTS: u64 = 8;
/// Below this share of free space file systems become slow, and operators nervous.
const LITTLE_SPACE: f64 = 0.1;
const FEW_INODES: u64 = 10_000;

/// A verdict for each directory, with its name in front if there are two.
fn each(facts: &Facts, mut rule: impl FnMut(&Storage) -> Option<Verdict>) -> Vec<Verdict> {
    let several = facts.storage.len() > 1;
    let verdicts = facts.storage.iter().filter_map(|storage| {
        let verdict = rule(storage)?;
        let found = if several { format!("{}: {}", storage.purpose, verdict.found) } else { verdict.found };
        Some(Verdict { found, ..verdict })
    });
    verdicts.collect()
}

pub(super) fn directory(facts: &Facts) -> Vec<Verdict> {
    each(facts, |storage| {
        let dir = &storage.dir;
        if let Some(reason) = &storage.not_writable {
            let owner = "install -d -o ringkeeper -g ringkeeper -m 750";
            return Some(
                Verdict::error(format!("{}: {reason}", storage.examined))
                    .because("this user cannot write there; if the server runs as another one, that may be right")
                    .remedy(format!("{owner} {dir}"))
                    .remedy("look again as the server's user: sudo -u ringkeeper ringkeeper doctor"),
            );
        }
        Some(match storage.in_use_by {
            Some(pid) => Verdict::note(format!("{dir} is in use by process {pid}"))
                .because("the figures below are those of a disk that has work"),
            None if !storage.exists => Verdict::ok(format!("{dir} will be made; {} was examined", storage.examined)),
            None => Verdict::ok(dir.as_str()),
        })
    })
}

pub(super) fn file_system(facts: &Facts) -> Vec<Verdict> {
    let durable = facts.wanted.durable;
    each(facts, |storage| storage.mount.as_ref().map(|mount| judge_mount(mount, durable)))
}

fn judge_mount(mount: &Mount, durable: bool) -> Verdict {
    let Mount { kind, source, point, options, .. } = mount;
    let found = format!("{kind} on {source}, mounted at {point}");
    let has = |option: &str| options.iter().any(|one| one == option);
    if has("nobarrier") || has("barrier=0") {
        let found = format!("{found} without barriers");
        let verdict = if durable { Verdict::error(found) } else { Verdict::note(found) };
        return verdict
            .because("a sync does not flush the device's cache, so a loss of power takes writes that were acknowledged")
            .remedy(format!("mount -o remount,barrier {point}, and remove nobarrier from /etc/fstab"));
    }
    match kind.as_str() {
        "ext4" | "xfs" | "ext3" | "f2fs" => Verdict::ok(found),
        "tmpfs" | "ramfs" => Verdict::error(found)
            .because("this is memory: nothing survives a restart of the machine")
            .remedy("choose a directory on a disk"),
        "overlay" | "aufs" => Verdict::warning(found)
            .because("this is a container's own layer: it goes with the container, and its writes take a longer way")
            .remedy("mount a volume there: docker run -v /srv/ringkeeper:/var/lib/ringkeeper, or a volumeClaimTemplate"),
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "virtiofs" | "ceph" | "glusterfs" | "lustre" => Verdict::warning(found)
            .because("what a sync is worth, and how long it takes, is up to another machine; when that one is away, so is this server")
            .remedy("use a local disk: the ensemble keeps copies by itself"),
        kind if kind.starts_with("fuse") => Verdict::warning(found)
            .because("a program in user space decides what a sync is worth")
            .remedy("use a local disk with ext4 or xfs"),
        "btrfs" | "zfs" | "bcachefs" => Verdict::warning(found)
            .because("it writes every block to a new place, so each log write is also a change of its metadata")
            .remedy("use ext4 or xfs for the log, with dataLogDir; on btrfs, chattr +C on the empty directory helps"),
        _ => Verdict::note(found).because("nothing is known here about the log on this file system; ext4 and xfs are tested"),
    }
}

pub(super) fn direct(facts: &Facts) -> Vec<Verdict> {
    each(facts, |storage| {
        let coarse = storage.alignment.into_iter().chain(storage.devices.iter().filter_map(|device| device.block));
        let coarse = coarse.max().filter(|bytes| *bytes > BLOCK);
        if let Some(unit) = coarse {
            return Some(
                Verdict::error(format!("only in units of {}", bytes(unit)))
                    .because("the log writes in units of 4 KiB")
                    .remedy("use a device or file system with blocks of 4 KiB or less"),
            );
        }
        let unit = storage.alignment.map_or(String::new(), |unit| format!(", aligned to {unit} bytes"));
        Some(match storage.direct? {
            true => Verdict::ok(format!("works{unit}")),
            false => Verdict::warning("not accepted by this file system")
                .because("the log goes through the page cache, by a thread: every write is copied, and a failed write can look well until the next start")
                .remedy("use ext4 or xfs"),
        })
    })
}

pub(super) fn write_cache(facts: &Facts) -> Vec<Verdict> {
    each(facts, |storage| {
        let devices = storage.devices.iter().filter_map(|device| Some((&device.name, device.write_cache.as_deref()?)));
        let told: Vec<String> = devices.clone().map(|(name, cache)| format!("{name} {cache}")).collect();
        if told.is_empty() {
            return None;
        }
        let is_volatile = devices.into_iter().any(|(_, cache)| cache == "write back");
        let found = told.join(", ");
        Some(match is_volatile {
            false => Verdict::ok(format!("{found}: what is written is safe")),
            true => Verdict::ok(format!("{found}: a volatile cache, which each sync flushes")),
        })
    })
}

pub(super) fn scheduler(facts: &Facts) -> Vec<Verdict> {
    each(facts, |storage| {
        let of = |name: &str| storage.devices.iter().find(|device| device.scheduler.as_deref() == Some(name));
        if let Some(device) = of("bfq").or_else(|| of("cfq")) {
            let name = &device.name;
            return Some(
                Verdict::note(format!("{name} {}", device.scheduler.as_deref().unwrap_or_default()))
                    .because("it waits for more requests of one process while others are due; a log writes one small request after the other")
                    .remedy(format!("echo mq-deadline > /sys/block/{name}/queue/scheduler"))
                    .remedy("to keep it, a rule of udev: ACTION==\"add|change\", KERNEL==\"sd*|vd*|nvme*\", ATTR{queue/scheduler}=\"mq-deadline\""),
            );
        }
        let told =
            storage.devices.iter().filter_map(|device| Some(format!("{} {}", device.name, device.scheduler.as_ref()?)));
        let told = told.collect::<Vec<_>>().join(", ");
        (!told.is_empty()).then(|| Verdict::ok(told))
    })
}

pub(super) fn space(facts: &Facts) -> Vec<Verdict> {
    each(facts, |storage| {
        let (free, size) = (storage.free?, storage.size?);
        let found = format!("{} free of {}", bytes(free), bytes(size));
        // A snapshot is written before an older one is removed, beside those that are kept.
        let snapshots = storage.snapshot.unwrap_or(0) * 2;
        let need = facts.wanted.segment_bytes * FEW_SEGMENTS + snapshots;
        let why = "a full disk stops writes: the server refuses them and goes on with reads";
        Some(if free < need {
            Verdict::error(format!("{found}; the log and its snapshots need {}", bytes(need)))
                .because(why)
                .remedy(format!("make room in {}, or choose another directory", storage.examined))
        } else if (free as f64) < size as f64 * LITTLE_SPACE {
            Verdict::warning(found).because(why).remedy("make room: a full file system is also a slow one")
        } else if storage.free_inodes.is_some_and(|inodes| inodes < FEW_INODES) {
            Verdict::warning(format!("{found}, and {} inodes", storage.free_inodes.unwrap_or(0)))
                .because("without a free inode no file can be made, however much space there is")
                .remedy("remove small files: df -i shows where")
        } else {
            Verdict::ok(found)
        })
    })
}

pub(super) fn log_device(facts: &Facts) -> Vec<Verdict> {
    let (Some(data), Some(log)) = (facts.storage.first(), facts.log_storage()) else { return Vec::new() };
    let names = |storage: &Storage| storage.devices.iter().map(|device| device.name.clone()).collect::<Vec<_>>();
    let (of_data, of_log) = (names(data), names(log));
    if of_log.is_empty() {
        return Vec::new();
    }
    if !of_log.iter().any(|name| of_data.contains(name)) {
        return vec![Verdict::ok(format!("{}, apart from the data's", of_log.join(", ")))];
    }
    let turns = log.devices.iter().any(|device| device.rotational == Some(true)) && !facts.kernel.virtual_machine;
    let found = format!("{}, with the data", of_log.join(", "));
    vec![match turns {
        false => Verdict::ok(found),
        true => Verdict::warning(format!("{found}; it turns"))
            .because("the head leaves the log for each snapshot and comes back for the next write")
            .remedy("dataLogDir=DIR on a device of its own, best of all a solid-state one"),
    }]
}
