//! What people read.

use super::Findings;
use super::machine::Machine;
use crate::results::Status;
use crate::times::Times;
use crate::units::duration;
use std::fmt::Write as _;
use std::path::Path;

/// The summary.
pub fn summary(dir: &Path, found: &Findings) -> String {
    let mut text = format!("What this machine allows, {}\n\n{}\n", dir.display(), machine(&found.machine));
    let header = ["p50", "p90", "p99", "p99.9", "max"].map(|name| format!("{name:>11}")).concat();
    let _ = writeln!(text, "{:<28}{header}", format!("a durable write of {} bytes", found.disk.block_bytes));
    for way in &found.disk.ways {
        let missing = way.unavailable.as_deref().map(|why| format!("  not here: {why}"));
        row(&mut text, &format!("  {}", way.way), Some(&way.latency_us), missing.as_deref());
    }
    text.push_str("round trips\n");
    row(&mut text, "  loopback", Some(&found.loopback.latency_us), None);
    for server in &found.servers {
        row(&mut text, &format!("  {} (ping)", server.server), Some(&server.trip.latency_us), None);
    }
    text.push_str("waking a thread\n");
    row(&mut text, "  on another core", found.wake.other_core_us.as_ref(), Some("  there is one core"));
    row(&mut text, "  on the same core", found.wake.same_core_us.as_ref(), None);
    for failure in &found.failures {
        let _ = writeln!(text, "FAILED: {failure}");
    }
    if found.status == Status::Interrupted {
        text.push_str("Interrupted: these are the figures up to then.\n");
    }
    text
}

fn row(text: &mut String, name: &str, times: Option<&Times>, otherwise: Option<&str>) {
    let figures = times.and_then(Times::percentiles);
    let cells = figures.map(|f| [f.p50, f.p90, f.p99, f.p99_9, f.max].map(|us| format!("{:>11}", duration(us * 1e3))));
    let cells = cells.map_or_else(|| otherwise.unwrap_or("  -").to_owned(), |cells| cells.concat());
    let _ = writeln!(text, "{name:<28}{cells}");
}

fn machine(machine: &Machine) -> String {
    let mut facts = vec![match machine.cores {
        1 => "1 core".to_owned(),
        n => format!("{n} cores"),
    }];
    if machine.virtual_machine {
        facts.push("a virtual machine".into());
    }
    let governor = machine.frequency_governor.as_ref();
    facts.extend(governor.map(|governor| format!("frequency governed by {governor}")));
    let source = machine.clock_source.as_ref();
    facts.extend(source.map(|source| format!("clock {source}, {:.0} ns to read", machine.clock_read_ns)));
    let mut text = facts.join(", ") + "\n";
    if let Some(mount) = &machine.mount {
        let _ =
            writeln!(text, "{} on {} ({}), mounted at {}", mount.file_system, mount.source, mount.options, mount.point);
        if mount.file_system == "tmpfs" || mount.file_system == "ramfs" {
            text.push_str("This is memory and no disk: what follows says nothing about durable writes.\n");
        }
    }
    if let Some(disk) = &machine.disk {
        let cache = disk.write_cache.as_deref().unwrap_or("not told");
        let turning = if disk.rotational == Some(true) { ", turning" } else { "" };
        let scheduler = disk.scheduler.as_ref().map(|name| format!(", scheduler {name}")).unwrap_or_default();
        let _ = writeln!(text, "disk {}: write cache {cache}{turning}{scheduler}", disk.name);
    }
    text
}

/// The floor in one sentence, for reports of other commands.
pub fn floor(found: &Findings) -> String {
    let p50 = |times: &Times| times.percentiles().map(|figures| duration(figures.p50 * 1e3));
    let writes = found.disk.ways.iter().filter_map(|way| Some(format!("{} {}", way.way, p50(&way.latency_us)?)));
    let mut parts = vec![format!("a durable write of {} bytes takes {}", found.disk.block_bytes, {
        let writes: Vec<String> = writes.collect();
        writes.join(", ")
    })];
    parts.extend(p50(&found.loopback.latency_us).map(|time| format!("a round trip over loopback {time}")));
    let wake = found.wake.other_core_us.as_ref().and_then(p50);
    parts.extend(wake.map(|time| format!("waking a thread on another core {time}")));
    parts.join("; ") + " (medians)"
}
