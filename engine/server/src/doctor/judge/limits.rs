//! The configuration, limits of processes, and the unit that starts the server.

use super::bytes;
use crate::doctor::facts::{Facts, Unit};
use crate::doctor::finding::Verdict;
use crate::executor::MEMLOCK_BYTES;

/// Fewer connections than this are used up by one mistake of a client.
const FEW_FILES: u64 = 8192;
/// Descriptors for log, snapshots and executors.
const OWN_FILES: u64 = 128;

pub(super) fn configuration(facts: &Facts) -> Vec<Verdict> {
    let wanted = &facts.wanted;
    let refused = wanted.refused.iter().map(|problem| {
        Verdict::error(problem.as_str())
            .because("the server does not start with this; addresses and other servers were not examined")
            .remedy("ringkeeper config --check shows all that is wrong")
    });
    let warned = wanted.warned.iter().map(|problem| Verdict::note(problem.as_str()));
    let verdicts: Vec<_> = refused.chain(warned).collect();
    if verdicts.is_empty() { vec![Verdict::ok("valid")] } else { verdicts }
}

/// A limit and whose it is: the unit's if it says, else that of this shell.
fn in_force(facts: &Facts, key: &str, own: Option<u64>) -> (Option<u64>, &'static str) {
    match facts.limits.unit.as_ref().map(|unit| unit.limit(key)) {
        Some(Ok(limit)) => (limit, "of the unit"),
        _ => (own, "of this shell"),
    }
}

pub(super) fn locked_memory(facts: &Facts) -> Vec<Verdict> {
    let executors = 1 + u64::from(facts.wanted.client_cores);
    // Rings count only with old kernels, where they need as much again.
    let need = MEMLOCK_BYTES * executors * if facts.kernel.version < Some((5, 12)) { 2 } else { 1 };
    let (limit, whose) = in_force(facts, "LimitMEMLOCK", facts.limits.locked_memory);
    let Some(limit) = limit else { return vec![Verdict::ok(format!("no limit, {whose}"))] };
    let found = format!("{} {whose}, {} needed", bytes(limit), bytes(need));
    vec![match limit < need {
        false => Verdict::ok(found),
        true => Verdict::error(found)
            .because("each executor locks the memory of its rings and buffers; the server does not start without")
            .remedy("LimitMEMLOCK=64M in the unit; ulimit -l 65536 in a shell; --ulimit memlock=-1 for docker run"),
    }]
}

pub(super) fn open_files(facts: &Facts) -> Vec<Verdict> {
    let (limit, whose) = in_force(facts, "LimitNOFILE", facts.limits.open_files);
    let limit = limit.or(facts.limits.most_open_files);
    let Some(limit) = limit else { return Vec::new() };
    let need = facts.wanted.connections.map_or(FEW_FILES, |n| u64::from(n) + OWN_FILES);
    let found = format!("{limit} {whose}, for connections and files");
    vec![match limit < need {
        false => Verdict::ok(found),
        true => Verdict::warning(format!("{limit} {whose}, {need} wanted"))
            .because("every connection is an open file; further ones are closed at once")
            .remedy("LimitNOFILE=1048576 in the unit; a higher nofile in /etc/security/limits.d for a shell"),
    }]
}

pub(super) fn unit(facts: &Facts) -> Vec<Verdict> {
    let Some(unit) = &facts.limits.unit else { return vec![Verdict::ok("none; deploy/systemd has one")] };
    let found = unit.files.join(", ");
    let mut verdicts: Vec<Verdict> = [filter(unit), restart(unit), devices(unit)].into_iter().flatten().collect();
    if verdicts.is_empty() {
        verdicts.push(Verdict::ok(found));
    }
    verdicts
}

fn filter(unit: &Unit) -> Option<Verdict> {
    let filter = unit.settings.get("SystemCallFilter").filter(|filter| !filter.is_empty())?;
    let allows = filter.starts_with('~') || filter.contains("io_uring_setup");
    (!allows).then(|| {
        Verdict::error(format!("SystemCallFilter={filter} does not name io_uring's calls"))
            .because("older releases of systemd have them in no group, so the server would not start")
            .remedy("SystemCallFilter=@system-service io_uring_setup io_uring_enter io_uring_register")
    })
}

fn restart(unit: &Unit) -> Option<Verdict> {
    let restarts = unit.settings.get("Restart").is_some_and(|when| when != "no");
    (!restarts).then(|| {
        Verdict::warning("the unit does not start a server again that has failed")
            .because("a server that fails ends itself, as after a failed sync; until it is started again the ensemble has one less")
            .remedy("Restart=on-failure in the unit, with RestartPreventExitStatus= as in deploy/systemd")
    })
}

/// Quotas of a unit are those of a control group, which this process need not be in.
fn devices(unit: &Unit) -> Option<Verdict> {
    let quota = unit.settings.get("CPUQuota").filter(|quota| !quota.is_empty())?;
    Some(
        Verdict::warning(format!("CPUQuota={quota} in the unit"))
            .because("a group that has used up its quota stands still for the rest of the period")
            .remedy("CPUWeight= in place of CPUQuota="),
    )
}
