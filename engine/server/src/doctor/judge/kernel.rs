//! The kernel, its clock, and what encloses the process.

use crate::doctor::facts::Facts;
use crate::doctor::finding::Verdict;

/// The first kernel with all that is asked of io_uring.
const OLDEST: (u32, u32) = (5, 8);
/// From here on rings are accounted to the control group's memory and not to locked memory.
const RINGS_UNLOCKED: (u32, u32) = (5, 12);
/// A clock that is read in the kernel takes longer than this.
const SLOW_CLOCK_NS: f64 = 250.0;

pub(super) fn version(facts: &Facts) -> Vec<Verdict> {
    let (Some(version), Some(release)) = (facts.kernel.version, &facts.kernel.release) else { return Vec::new() };
    let verdict = if version < OLDEST {
        Verdict::error(format!("{release}, which is older than 5.8"))
            .because("io_uring does not yet have what the server needs of it")
            .remedy("install a newer kernel; every distribution in support has one")
    } else if version < RINGS_UNLOCKED {
        Verdict::note(format!("{release}, which is older than 5.12"))
            .because("rings count as locked memory, so limits on it must be higher")
            .remedy(
                "raise the limit on locked memory to 64 MiB: LimitMEMLOCK=64M in the unit, ulimit -l 65536 in a shell",
            )
    } else {
        Verdict::ok(release.as_str())
    };
    vec![verdict]
}

pub(super) fn uring(facts: &Facts) -> Vec<Verdict> {
    let uring = &facts.kernel.uring;
    let why = "the server does all its input and output through io_uring, and does not start without it";
    let verdict = match (uring.refused, uring.disabled) {
        (None, Some(1)) => {
            let group = uring.group.as_deref().unwrap_or("-1");
            Verdict::note(format!(
                "allowed for this user; kernel.io_uring_disabled=1 with kernel.io_uring_group={group}"
            ))
            .because("others need CAP_SYS_ADMIN or that group; the server's user may be one of them")
            .remedy("try it as the server's user: sudo -u ringkeeper ringkeeper doctor")
            .remedy("sysctl -w kernel.io_uring_group=$(id -g ringkeeper)")
        }
        (None, _) => Verdict::ok("allowed"),
        (Some(_), Some(disabled)) if disabled > 0 => {
            Verdict::error(format!("refused: kernel.io_uring_disabled={disabled}"))
                .because(why)
                .remedy("sysctl -w kernel.io_uring_disabled=0, and the same line in a file of /etc/sysctl.d to keep it")
        }
        (Some(libc::ENOMEM), _) => Verdict::error("refused: the limit on locked memory is too low")
            .because(why)
            .remedy("LimitMEMLOCK=64M in the unit; ulimit -l 65536 in a shell; --ulimit memlock=-1 for docker run"),
        (Some(libc::ENOSYS), _) => Verdict::error("refused: this kernel has no io_uring")
            .because(why)
            .remedy("use a kernel with CONFIG_IO_URING; sandboxes such as gVisor have none"),
        (Some(error), _) => {
            let text = std::io::Error::from_raw_os_error(error);
            let filter = if uring.seccomp { "a seccomp filter is in force" } else { "no seccomp filter is in force" };
            Verdict::error(format!("refused: {text}; {filter}"))
                .because(why)
                .remedy("Docker, Podman: --security-opt seccomp=deploy/container/seccomp.json")
                .remedy("Kubernetes: securityContext.seccompProfile of type Localhost with that file")
                .remedy("systemd: SystemCallFilter=@system-service io_uring_setup io_uring_enter io_uring_register")
        }
    };
    vec![verdict]
}

pub(super) fn container(facts: &Facts) -> Vec<Verdict> {
    let Some(kind) = &facts.kernel.container else {
        return vec![Verdict::ok(if facts.kernel.virtual_machine { "none; a virtual machine" } else { "none" })];
    };
    vec![
        Verdict::note(kind.as_str())
            .because("kernel settings are those of the host and can only be changed there; data written outside of a volume goes with the container")
            .remedy("keep data and log on a volume; set kernel settings on every host where this container may run"),
    ]
}

pub(super) fn clock_source(facts: &Facts) -> Vec<Verdict> {
    let clock = &facts.kernel.clock;
    let Some(source) = &clock.source else { return Vec::new() };
    let cost = clock.read_ns.map_or(String::new(), |ns| format!(", {ns:.0} ns a reading"));
    let slow_kind = ["hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"].contains(&source.as_str());
    if !slow_kind && clock.read_ns.is_none_or(|ns| ns < SLOW_CLOCK_NS) {
        return vec![Verdict::ok(format!("{source}{cost}"))];
    }
    let better = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];
    let better = better.iter().find(|name| clock.available.iter().any(|one| one == *name && one != source));
    let verdict = Verdict::warning(format!("{source}{cost}"))
        .because("every turn of the server reads the clock, and this one asks the kernel or a device each time");
    vec![match better {
        Some(name) => verdict
            .remedy(format!("echo {name} > /sys/devices/system/clocksource/clocksource0/current_clocksource"))
            .remedy(format!("to keep it: clocksource={name} on the kernel's command line")),
        None => {
            verdict.remedy("look for why the kernel distrusts its other clocks: dmesg | grep -i -e clocksource -e tsc")
        }
    }]
}

pub(super) fn time_of_day(facts: &Facts) -> Vec<Verdict> {
    let verdict = match facts.kernel.clock.synchronised {
        None => return Vec::new(),
        Some(true) => Verdict::ok("synchronised"),
        Some(false) => Verdict::note("not synchronised, says the kernel")
            .because("agreement and sessions do not use it, but times of nodes, nodes with a time to live, and log messages do")
            .remedy("apt install chrony, or timedatectl set-ntp true; a virtual machine may be kept right by its host"),
    };
    vec![verdict]
}
