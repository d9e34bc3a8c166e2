//! Processors.

use crate::doctor::facts::Facts;
use crate::doctor::finding::Verdict;

/// A machine that wakes up more slowly shows it in the latency of lone writes.
const SLOW_WAKE_UP_US: u64 = 100;
/// Fewer interrupts say nothing about their distribution.
const FEW_INTERRUPTS: u64 = 1_000_000;

pub(super) fn cores(facts: &Facts) -> Vec<Verdict> {
    let (cpus, usable) = (&facts.processors, facts.processors.usable());
    if cpus.online.is_empty() {
        return Vec::new();
    }
    let of = if usable < cpus.online.len() { format!(" of {} online", cpus.online.len()) } else { String::new() };
    let mut verdicts = vec![match usable {
        1 => Verdict::note(format!("1{of}"))
            .because(
                "the disk's completions, interrupts and the server wait for each other; two cores are a better start",
            )
            .remedy("the log driver auto or thread copes best"),
        n => Verdict::ok(format!("{n}{of}")),
    }];
    if !cpus.isolated.is_empty() && !cpus.isolated.iter().any(|core| cpus.allowed.contains(core)) {
        verdicts.push(
            Verdict::note(format!("{} isolated, which this process may not use", list(&cpus.isolated)))
                .because("cores without other work are what a server of steady latency is best off with; nothing runs there unless it is told to")
                .remedy(format!("CPUAffinity={} in the unit, if they are meant for this server", list(&cpus.isolated))),
        );
    }
    verdicts
}

pub(super) fn quota(facts: &Facts) -> Vec<Verdict> {
    let Some(quota) = facts.processors.quota else { return vec![Verdict::ok("none")] };
    let why = "a group that has used up its quota stands still for the rest of the period, as a rule up to 100 ms: replies are late, and a leader can be taken for dead";
    let remedy =
        "weights in place of quotas: CPUWeight= in the unit; in Kubernetes a request for processors without a limit";
    let verdict = match facts.processors.throttled {
        Some(times) if times > 0 => {
            Verdict::warning(format!("{quota:.1} processors; the group had to wait {times} times"))
        }
        _ if quota < 1.0 => Verdict::warning(format!("{quota:.2} processors")),
        _ => Verdict::note(format!("{quota:.1} processors")),
    };
    vec![verdict.because(why).remedy(remedy)]
}

pub(super) fn other_load(facts: &Facts) -> Vec<Verdict> {
    let cpus = &facts.processors;
    let mut found = Vec::new();
    let mut is_busy = false;
    if let Some(load) = cpus.load {
        found.push(format!("load {load:.1} on {} cores", cpus.online.len()));
        is_busy |= load > cpus.online.len() as f64 * 0.8;
    }
    if let Some(pressure) = cpus.pressure {
        found.push(format!("somebody waited for a processor in {pressure:.0} % of the last minute"));
        is_busy |= pressure > 25.0;
    }
    if let Some(stolen) = cpus.stolen.filter(|stolen| *stolen >= 0.5) {
        found.push(format!("the hypervisor gave {stolen:.1} % to others"));
        is_busy |= stolen > 3.0;
    }
    if found.is_empty() {
        return Vec::new();
    }
    let found = found.join(", ");
    vec![match is_busy {
        false => Verdict::ok(found),
        true => Verdict::warning(found)
            .because("completions of the disk wait for a time slice: with a hog on each core a lone write through io_uring took 4 ms in place of 0.2 (docs/architecture.md)")
            .remedy("keep other work away, or give the server more weight: CPUWeight=1000 in the unit, as deploy/systemd has it")
            .remedy("log.driver=auto, the default, goes over to a thread while this lasts"),
    }]
}

pub(super) fn frequency(facts: &Facts) -> Vec<Verdict> {
    let governors = &facts.processors.governors;
    if governors.is_empty() {
        return vec![Verdict::ok("not told, as is usual in a virtual machine")];
    }
    vec![match governors.iter().all(|governor| governor == "performance") {
        true => Verdict::ok("governed by performance"),
        false => Verdict::note(format!("governed by {}", governors.join(" and ")))
            .because("a server that waits for the disk most of the time is taken for idle, and computes slowly when the answer comes")
            .remedy("cpupower frequency-set -g performance")
            .remedy("to keep it: tuned-adm profile latency-performance, or a unit that runs the command at boot"),
    }]
}

pub(super) fn idle_states(facts: &Facts) -> Vec<Verdict> {
    let Some(us) = facts.processors.wake_up_us else { return Vec::new() };
    vec![match us > SLOW_WAKE_UP_US {
        false => Verdict::ok(format!("the deepest takes {us} µs to leave")),
        true => Verdict::note(format!("the deepest takes {us} µs to leave"))
            .because(
                "a lone write wakes a processor several times in a row on each server, and each may come out of it",
            )
            .remedy("cpupower idle-set --disable-by-latency 50")
            .remedy("to keep it: tuned-adm profile latency-performance"),
    }]
}

pub(super) fn numa(facts: &Facts) -> Vec<Verdict> {
    let cpus = &facts.processors;
    if cpus.nodes <= 1 {
        return vec![Verdict::ok("one node")];
    }
    let balancing = if cpus.numa_balancing { ", and the kernel moves memory between them" } else { "" };
    vec![
        Verdict::note(format!("{} nodes{balancing}", cpus.nodes))
            .because("memory of another node takes about twice as long to reach; moving it interrupts the server")
            .remedy("keep the server on the node of its disk and network card: NUMAPolicy=bind, NUMAMask=0 and CPUAffinity= in the unit")
            .remedy("sysctl -w kernel.numa_balancing=0"),
    ]
}

pub(super) fn interrupts(facts: &Facts) -> Vec<Verdict> {
    let (cpus, counts) = (&facts.processors, &facts.processors.interrupts);
    let (all, most) = (counts.iter().sum::<u64>(), counts.iter().max().copied().unwrap_or(0));
    if counts.len() < 2 || all < FEW_INTERRUPTS {
        return Vec::new();
    }
    let share = most as f64 / all as f64 * 100.0;
    let found = format!("{share:.0} % of the devices' on one processor of {}", counts.len());
    vec![match share > 80.0 && counts.len() >= 4 && !cpus.irqbalance {
        false => Verdict::ok(found),
        true => Verdict::note(found)
            .because("that processor serves disk and network for all, and whatever runs there is interrupted")
            .remedy("apt install irqbalance, or put interrupts where the server does not run: /proc/irq/N/smp_affinity_list"),
    }]
}

fn list(cores: &[usize]) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
