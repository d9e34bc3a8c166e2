//! Memory.

use super::bytes;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Verdict;

/// What a node of 100 bytes takes of resident memory: bench-results/2026-11-26-2core-vm-one-server.
const NODE_BYTES: u64 = 258;
/// What a server takes without any node, with room for its connections and a snapshot under way.
const BASE_BYTES: u64 = 128 << 20;

pub(super) fn room(facts: &Facts) -> Vec<Verdict> {
    let (memory, wanted) = (&facts.memory, &facts.wanted);
    let Some(usable) = memory.usable() else { return Vec::new() };
    let base = BASE_BYTES + wanted.history_bytes;
    let copies = if wanted.client_cores > 0 { 2 } else { 1 };
    let nodes = usable.saturating_sub(base) / (NODE_BYTES * copies);
    let whose = if memory.limit == Some(usable) { "within the control group's limit" } else { "available" };
    let found = format!("{} {whose}", bytes(usable));
    let why = "the whole tree is in memory; a server that the kernel kills for want of it takes its clients' connections with it";
    let remedy = "more memory, a higher limit (MemoryMax= in the unit, the memory limit of the container), or a smaller ensemble.history.bytes";
    vec![match nodes {
        0 => Verdict::error(format!("{found}; {} are needed before the first node", bytes(base)))
            .because(why)
            .remedy(remedy),
        n if n < 100_000 => {
            Verdict::warning(format!("{found}: room for about {n} nodes of 100 bytes")).because(why).remedy(remedy)
        }
        n => Verdict::ok(format!("{found}: room for about {} nodes of 100 bytes", count(n))),
    }]
}

pub(super) fn swap(facts: &Facts) -> Vec<Verdict> {
    let (Some(swap), swappiness) = (facts.memory.swap, facts.memory.swappiness) else { return Vec::new() };
    if swap == 0 {
        return vec![Verdict::ok("none")];
    }
    let found = format!("{}, vm.swappiness={}", bytes(swap), swappiness.map_or("?".to_owned(), |n| n.to_string()));
    let unit = facts.limits.unit.as_ref().and_then(|unit| unit.settings.get("MemorySwapMax"));
    if unit.is_some_and(|max| max == "0") {
        return vec![Verdict::ok(format!("{found}; the unit keeps the server out of it"))];
    }
    vec![match swappiness {
        Some(0 | 1) => Verdict::ok(found),
        _ => Verdict::warning(found)
            .because("a part of the tree that was swapped out comes back at the pace of the disk, and meanwhile the server stands still: sessions expire, a leader is deposed")
            .remedy("MemorySwapMax=0 in the unit, as deploy/systemd has it")
            .remedy("or for the whole host: sysctl -w vm.swappiness=1, and the same line in /etc/sysctl.d; swapoff -a"),
    }]
}

pub(super) fn huge_pages(facts: &Facts) -> Vec<Verdict> {
    let Some(mode) = facts.memory.huge_pages.as_deref() else { return Vec::new() };
    let defrag = facts.memory.huge_pages_defrag.as_deref().unwrap_or("?");
    let found = format!("{mode}, defrag {defrag}");
    if mode != "always" {
        return vec![Verdict::ok(found)];
    }
    let verdict = if defrag == "always" { Verdict::warning(found) } else { Verdict::note(found) };
    vec![
        verdict
            .because("the kernel may stop the server to make a large page out of small ones, and small nodes spread over large pages take more memory")
            .remedy("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
            .remedy("to keep it: transparent_hugepage=madvise on the kernel's command line, or deploy/sysctl/ringkeeper-tmpfiles.conf"),
    ]
}

fn count(n: u64) -> String {
    match n {
        n if n >= 10_000_000 => format!("{} million", n / 1_000_000),
        n if n >= 1_000_000 => format!("{:.1} million", n as f64 / 1e6),
        n => format!("{},000", n / 1000),
    }
}
