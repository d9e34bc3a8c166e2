//! Whole machines, and each rule at its border.

use super::judge;
use crate::doctor::facts::{Facts, Listening, Peer, Reached, Recorded, Wanted};
use crate::doctor::finding::Severity;
use crate::doctor::finding::Severity::{Error, Note, Ok, Warning};
use crate::doctor::timing::{Percentiles, Timing};

const VIRTUAL_MACHINE: &str = include_str!("../fixtures/virtual-machine.txt");
const METAL: &str = include_str!("../fixtures/metal.txt");
const POD: &str = include_str!("../fixtures/pod.txt");
const ARM: &str = include_str!("../fixtures/arm.txt");
const UNIT: &str = "ringkeeper.service";

fn machine(text: &str) -> Facts {
    of(&Recorded::parse(text), Wanted::default())
}

fn of(files: &Recorded, wanted: Wanted) -> Facts {
    let mut facts = Facts::read(files, wanted, UNIT);
    // What only trying shows, as on a machine where all is well.
    facts.kernel.clock.read_ns = Some(25.0);
    facts.kernel.clock.synchronised = Some(true);
    facts.limits.locked_memory = Some(8 << 20);
    facts.limits.open_files = Some(20_000);
    for storage in &mut facts.storage {
        (storage.free, storage.size, storage.free_inodes) = (Some(50 << 30), Some(100 << 30), Some(1 << 20));
        storage.direct = Some(true);
    }
    facts
}

/// All findings that are worse than ok, as `severity check`.
fn concerns(facts: &Facts) -> Vec<String> {
    let worse = judge(facts).into_iter().filter(|finding| finding.verdict.severity > Ok);
    worse.map(|finding| format!("{} {}", finding.verdict.severity.name(), finding.check)).collect()
}

/// The worst that a check says, and all of its text.
fn says(facts: &Facts, check: &str) -> (Severity, String) {
    let all: Vec<_> = judge(facts).into_iter().filter(|finding| finding.check == check).collect();
    let worst = all.iter().map(|finding| finding.verdict.severity).max();
    let text = all.iter().map(|f| format!("{} {} {}\n", f.verdict.found, f.verdict.why, f.verdict.remedy.join(" ")));
    (worst.unwrap_or_else(|| panic!("{check} says nothing")), text.collect())
}

#[test]
fn machines_as_a_whole() {
    assert_eq!(concerns(&machine(VIRTUAL_MACHINE)), Vec::<String>::new());
    let wanted = Wanted { log_dir: "/srv/log".into(), ..Wanted::default() };
    assert_eq!(concerns(&of(&Recorded::parse(ARM), wanted)), Vec::<String>::new());
    let pod =
        ["note container", "note cores", "warning quota", "warning other load", "error room", "warning file system"];
    assert_eq!(concerns(&machine(POD)), pod);
    let metal = [
        "note version",
        "warning clock source",
        "note cores",
        "warning other load",
        "note frequency",
        "note idle states",
        "note NUMA",
        "note interrupts",
        "warning swap",
        "warning huge pages",
        "error file system",
        "note scheduler",
        "warning log device",
        "error locked memory",
        "warning open files",
        "error systemd unit",
        "warning systemd unit",
        "warning systemd unit",
        "note connection queue",
    ];
    assert_eq!(concerns(&machine(METAL)), metal);
}

#[test]
fn whatever_is_wrong_has_a_reason_and_mostly_a_remedy() {
    for text in [VIRTUAL_MACHINE, METAL, POD, ARM] {
        for finding in judge(&machine(text)) {
            let verdict = &finding.verdict;
            assert_eq!(verdict.severity > Ok, !verdict.why.is_empty(), "{finding:?}");
            assert!(verdict.severity < Warning || !verdict.remedy.is_empty(), "{finding:?}");
        }
    }
}

#[test]
fn a_machine_that_tells_nothing_is_not_complained_of() {
    let found = judge(&Facts::read(&Recorded::parse(""), Wanted::default(), UNIT));
    assert!(found.iter().all(|finding| finding.verdict.severity <= Note), "{found:#?}");
}

#[test]
fn why_a_ring_is_refused() {
    let case = |errno: i32, disabled: Option<u64>, seccomp: bool, expected: &str| {
        let mut facts = machine(VIRTUAL_MACHINE);
        (facts.kernel.uring.refused, facts.kernel.uring.disabled) = (Some(errno), disabled);
        facts.kernel.uring.seccomp = seccomp;
        let (severity, text) = says(&facts, "io_uring");
        assert!(severity == Error && text.contains(expected), "{errno} {disabled:?} {seccomp}: {text}");
    };
    case(libc::EPERM, Some(2), false, "sysctl -w kernel.io_uring_disabled=0");
    case(libc::EPERM, Some(0), true, "a seccomp filter is in force");
    case(libc::EPERM, None, true, "deploy/container/seccomp.json");
    case(libc::ENOSYS, None, false, "no io_uring");
    case(libc::ENOMEM, Some(0), false, "LimitMEMLOCK");
    let mut facts = machine(VIRTUAL_MACHINE);
    facts.kernel.uring.disabled = Some(1);
    assert_eq!(says(&facts, "io_uring").0, Note);
}

#[test]
fn kernels_by_age() {
    let with = |release: &str| {
        let files = Recorded::parse(VIRTUAL_MACHINE).with("/proc/sys/kernel/osrelease", release);
        says(&of(&files, Wanted::default()), "version").0
    };
    assert_eq!(["5.4.0-100-generic", "5.7.9", "5.8.0", "5.11.0"].map(with), [Error, Error, Note, Note]);
    assert_eq!(["5.12.1", "6.1.0"].map(with), [Ok, Ok]);
}

#[test]
fn memory_by_what_is_kept_in_it() {
    let with = |limit: u64, client_cores: u16, history_bytes: u64| {
        let mut facts = machine(VIRTUAL_MACHINE);
        facts.memory.limit = Some(limit);
        (facts.wanted.client_cores, facts.wanted.history_bytes) = (client_cores, history_bytes);
        says(&facts, "room")
    };
    assert_eq!(with(128 << 20, 0, 0).0, Error);
    assert_eq!(with(140 << 20, 0, 0).0, Warning);
    let (severity, text) = with(1 << 30, 0, 64 << 20);
    assert!(severity == Ok && text.contains("about 3.4 million nodes"), "{text}");
    assert!(with(1 << 30, 2, 64 << 20).1.contains("about 1.7 million nodes"), "two copies");
}

#[test]
fn swap_unless_the_unit_keeps_the_server_out() {
    let mut facts = machine(METAL);
    assert_eq!(says(&facts, "swap").0, Warning);
    facts.memory.swappiness = Some(1);
    assert_eq!(says(&facts, "swap").0, Ok);
    facts.memory.swappiness = Some(60);
    let unit = facts.limits.unit.as_mut().unwrap();
    unit.settings.insert("MemorySwapMax".into(), "0".into());
    assert_eq!(says(&facts, "swap").0, Ok);
}

#[test]
fn file_systems() {
    let with = |kind: &str, options: &str, durable: bool| {
        let mount = format!("22 1 254:0 / / rw,{options} - {kind} /dev/vda rw\n");
        let files = Recorded::parse(VIRTUAL_MACHINE).with("/proc/self/mountinfo", &mount);
        says(&of(&files, Wanted { durable, ..Wanted::default() }), "file system").0
    };
    let kinds = ["ext4", "xfs", "tmpfs", "overlay", "nfs4", "fuse.sshfs", "btrfs", "exfat"];
    let expected = [Ok, Ok, Error, Warning, Warning, Warning, Warning, Note];
    assert_eq!(kinds.map(|kind| with(kind, "relatime", true)), expected);
    assert_eq!((with("ext4", "barrier=0", true), with("ext4", "nobarrier", false)), (Error, Note));
}

#[test]
fn directories() {
    let mut facts = machine(VIRTUAL_MACHINE);
    facts.storage[0].not_writable = Some("Permission denied".into());
    let (severity, text) = says(&facts, "directory");
    assert!(severity == Error && text.contains("sudo -u ringkeeper") && text.contains("install -d"), "{text}");
    facts.storage[0].not_writable = None;
    facts.storage[0].in_use_by = Some(4711);
    assert_eq!(says(&facts, "directory").0, Note);
    facts.storage[0].alignment = Some(16384);
    assert_eq!(says(&facts, "direct I/O").0, Error);
    (facts.storage[0].alignment, facts.storage[0].direct) = (None, Some(false));
    assert_eq!(says(&facts, "direct I/O").0, Warning);
}

#[test]
fn space_for_the_log_and_for_snapshots() {
    let with = |free: u64, size: u64, snapshot: Option<u64>, inodes: u64| {
        let mut facts = machine(VIRTUAL_MACHINE);
        let storage = &mut facts.storage[0];
        (storage.free, storage.size) = (Some(free), Some(size));
        (storage.snapshot, storage.free_inodes) = (snapshot, Some(inodes));
        says(&facts, "space").0
    };
    let gib = 1 << 30;
    assert_eq!(with(gib / 4, gib, None, 1 << 20), Error, "eight segments do not fit");
    assert_eq!(with(2 * gib, 4 * gib, None, 1 << 20), Ok);
    assert_eq!(with(2 * gib, 4 * gib, Some(gib), 1 << 20), Error, "two snapshots do not fit");
    assert_eq!(with(2 * gib, 100 * gib, None, 1 << 20), Warning);
    assert_eq!(with(50 * gib, 100 * gib, None, 5), Warning);
}

fn timed(driver: &'static str, p50: f64, p99: f64, max: f64) -> Timing {
    Timing { driver, writes: 300, latency_us: Some(Percentiles { p50, p90: p50, p99, max }), unavailable: None }
}

#[test]
fn log_writes() {
    let with = |p50: f64, p99: f64, max: f64, peers: usize| {
        let mut facts = machine(VIRTUAL_MACHINE);
        facts.wanted.peers = peers;
        facts.log = vec![timed("thread", p50 * 2.0, p99, max), timed("uring-dsync", p50, p99, max)];
        says(&facts, "log writes")
    };
    let (severity, text) = with(210.0, 900.0, 3_000.0, 2);
    assert!(severity == Ok && text.contains("210 µs by uring-dsync, 99 % within 900 µs"), "{text}");
    assert_eq!(with(8_000.0, 9_000.0, 12_000.0, 0).0, Warning, "slow");
    assert_eq!(with(210.0, 40_000.0, 50_000.0, 0).0, Warning, "a long tail");
    let (severity, text) = with(210.0, 900.0, 300_000.0, 2);
    assert!(severity == Warning && text.contains("ensemble.silence.min.ms=250"), "{text}");
    assert_eq!(with(210.0, 900.0, 300_000.0, 0).0, Ok, "nobody waits for this server");
    let (severity, text) = with(12.0, 30.0, 90.0, 0);
    assert!(severity == Warning && text.contains("volatile cache"), "{text}");
}

#[test]
fn a_driver_that_cannot_be_used_and_a_disk_that_hangs() {
    let mut facts = machine(VIRTUAL_MACHINE);
    let unavailable = Some("no direct I/O".to_owned());
    facts.log = vec![Timing { unavailable, latency_us: None, ..timed("uring-dsync", 1.0, 1.0, 1.0) }];
    assert_eq!(says(&facts, "log writes").0, Note);
    facts.log_failure = Some("the disk hangs".into());
    assert_eq!(says(&facts, "log writes").0, Error);
}

#[test]
fn own_ports() {
    let own = |refused: Option<&str>, taken| Listening {
        purpose: "clients",
        address: "*:2181".into(),
        port: 2181,
        refused: refused.map(str::to_owned),
        taken,
    };
    let mut facts = machine(VIRTUAL_MACHINE);
    facts.network.listening = vec![own(None, false)];
    assert_eq!(says(&facts, "own ports").0, Ok);
    facts.network.ephemeral = Some((1024, 60999));
    assert_eq!(says(&facts, "own ports").0, Note);
    facts.network.reserved = vec![2181];
    assert_eq!(says(&facts, "own ports").0, Ok);
    facts.network.listening = vec![own(Some("in use"), true)];
    let (severity, text) = says(&facts, "own ports");
    assert!(severity == Error && text.contains("ss -ltnp 'sport = :2181'"), "{text}");
    facts.storage[0].in_use_by = Some(7);
    assert_eq!(says(&facts, "own ports").0, Ok, "by the server itself");
    facts.network.listening = vec![own(Some("not available"), false)];
    assert_eq!(says(&facts, "own ports").0, Error);
}

#[test]
fn other_servers() {
    let with = |outcome: Reached, round_trip_us: Option<f64>, resolve_us: f64| {
        let mut facts = machine(VIRTUAL_MACHINE);
        facts.network.peers = vec![Peer { id: 2, address: "b:2888".into(), resolve_us, outcome, round_trip_us }];
        says(&facts, "other servers")
    };
    assert_eq!(with(Reached::Open, Some(200.0), 50.0).0, Ok);
    assert_eq!(with(Reached::Refused, Some(200.0), 50.0).0, Ok, "it is not started yet");
    assert_eq!(with(Reached::Open, Some(20_000.0), 50.0).0, Note);
    let (severity, text) = with(Reached::Open, Some(80_000.0), 50.0);
    assert!(severity == Warning && text.contains("ensemble.silence.min.ms=800"), "{text}");
    assert_eq!(with(Reached::Open, Some(200.0), 900_000.0).0, Warning);
    assert_eq!(with(Reached::Unreachable("timed out".into()), None, 50.0).0, Error);
    assert_eq!(with(Reached::Unresolved("unknown".into()), None, 50.0).0, Error);
}

#[test]
fn a_configuration_that_is_refused_is_a_finding() {
    let mut facts = machine(VIRTUAL_MACHINE);
    facts.wanted.refused = vec!["zoo.cfg:3: clientPort=x is no number".into()];
    facts.wanted.warned = vec!["zoo.cfg:4: foo is not a known setting".into()];
    let (severity, text) = says(&facts, "configuration");
    assert!(severity == Error && text.contains("zoo.cfg:3") && text.contains("zoo.cfg:4"), "{text}");
}

#[test]
fn limits_of_the_process_or_of_the_unit() {
    let mut facts = machine(VIRTUAL_MACHINE);
    facts.limits.unit = None;
    facts.wanted.client_cores = 0;
    let mut locked = |kernel, cores, bytes| {
        (facts.kernel.version, facts.wanted.client_cores) = (Some(kernel), cores);
        facts.limits.locked_memory = Some(bytes);
        says(&facts, "locked memory").0
    };
    let one = crate::executor::MEMLOCK_BYTES;
    assert_eq!([locked((6, 1), 0, one), locked((6, 1), 0, one - 1)], [Ok, Error]);
    assert_eq!([locked((6, 1), 2, 3 * one), locked((6, 1), 2, 3 * one - 1)], [Ok, Error], "for each executor");
    assert_eq!([locked((5, 11), 0, 2 * one), locked((5, 11), 0, 2 * one - 1)], [Ok, Error], "rings count, too");
    let mut files = |own: Option<u64>, most: Option<u64>, connections: Option<u32>| {
        (facts.limits.open_files, facts.limits.most_open_files) = (own, most);
        facts.wanted.connections = connections;
        says(&facts, "open files").0
    };
    assert_eq!([files(Some(8192), None, None), files(Some(8191), None, None)], [Ok, Warning]);
    assert_eq!([files(Some(228), None, Some(100)), files(Some(227), None, Some(100))], [Ok, Warning]);
    assert_eq!([files(None, Some(1 << 20), None), files(None, Some(1000), None)], [Ok, Warning], "nobody has more");
}

#[test]
fn units_by_their_settings() {
    let with = |lines: &str| {
        let unit = format!("[Service]\nRestart=on-failure\n{lines}\n");
        let files = Recorded::parse(VIRTUAL_MACHINE).with("/etc/systemd/system/ringkeeper.service", &unit);
        says(&of(&files, Wanted::default()), "systemd unit")
    };
    assert_eq!(with("").0, Ok);
    assert_eq!(with("SystemCallFilter=@system-service").0, Error);
    assert_eq!(with("SystemCallFilter=@system-service io_uring_setup io_uring_enter io_uring_register").0, Ok);
    assert_eq!(with("SystemCallFilter=~@mount").0, Ok, "what is not named is allowed");
    assert_eq!([with("Restart=no").0, with("Restart=always").0], [Warning, Ok]);
    assert_eq!([with("CPUQuota=200%").0, with("CPUQuota=").0], [Warning, Ok]);
}

#[test]
fn quotas_and_interrupts() {
    let mut facts = machine(VIRTUAL_MACHINE);
    let mut quota = |quota, throttled| {
        (facts.processors.quota, facts.processors.throttled) = (Some(quota), throttled);
        says(&facts, "quota").0
    };
    assert_eq!([quota(1.0, None), quota(0.9, None), quota(4.0, Some(0)), quota(4.0, Some(1))], {
        [Note, Warning, Note, Warning]
    });
    let mut interrupts = |counts: &[u64], irqbalance| {
        (facts.processors.interrupts, facts.processors.irqbalance) = (counts.to_vec(), irqbalance);
        says(&facts, "interrupts").0
    };
    let million = 1_000_000;
    assert_eq!(interrupts(&[9 * million, 0, million, 0], false), Note);
    assert_eq!(interrupts(&[9 * million, 0, million, 0], true), Ok, "somebody sees to it");
    assert_eq!(interrupts(&[8 * million, 0, 2 * million, 0], false), Ok);
    assert_eq!(interrupts(&[9 * million, million, 0], false), Ok, "there is hardly another one");
}
