//! How long log writes take.

use super::micros;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Verdict;
use crate::doctor::timing::{Percentiles, Timing};

/// A lone write waits so long at least: here clients begin to notice the disk more than anything else.
const SLOW_P50_US: f64 = 5_000.0;
/// Beyond this the tail is what clients talk about.
const SLOW_P99_US: f64 = 20_000.0;
/// No volatile cache is flushed faster than this; a promise that is kept so quickly is probably none.
const TOO_QUICK_US: f64 = 25.0;

/// The driver with which a lone write is fastest, and how fast that is.
pub(in crate::doctor) fn best(log: &[Timing]) -> Option<(&'static str, Percentiles)> {
    let timed = log.iter().filter_map(|timing| Some((timing.driver, timing.latency_us?)));
    timed.min_by(|(_, a), (_, b)| a.p50.total_cmp(&b.p50))
}

pub(super) fn log_writes(facts: &Facts) -> Vec<Verdict> {
    let failed = facts.log.iter().filter_map(|timing| Some((timing.driver, timing.unavailable.as_ref()?)));
    let mut verdicts: Vec<Verdict> = failed
        .map(|(driver, reason)| {
            Verdict::note(format!("{driver} cannot be used: {reason}"))
                .because("the server does not start with it; auto uses a thread then")
                .remedy("log.driver=auto, which is the default")
        })
        .collect();
    verdicts.extend(facts.log_failure.as_ref().map(|reason| {
        Verdict::error(reason.as_str())
            .because("the log could not be written as the server would write it")
            .remedy("look at the kernel's messages: dmesg | tail")
    }));
    if let Some((driver, times)) = best(&facts.log) {
        verdicts.push(speed(facts, driver, times));
        verdicts.extend(honesty(facts, times));
    }
    verdicts
}

fn speed(facts: &Facts, driver: &str, times: Percentiles) -> Verdict {
    let Percentiles { p50, p99, max, .. } = times;
    let found = format!("{} by {driver}, 99 % within {}, the longest {}", micros(p50), micros(p99), micros(max));
    let why = "no durable write is answered sooner than a quorum's disks allow";
    let remedy = "a device with power-loss protection (enterprise NVMe) syncs in 20 to 50 µs; put the log on one with dataLogDir";
    if max > facts.wanted.silence_min_ms as f64 * 1e3 && facts.wanted.peers > 0 {
        return Verdict::warning(found)
            .because(format!("a leader whose disk hangs longer than ensemble.silence.min.ms={} slows the ensemble down until others have voted", facts.wanted.silence_min_ms))
            .remedy("look for what else uses the disk (iostat -x 1), or for a failing one (smartctl -a, dmesg)")
            .remedy(remedy);
    }
    if p50 > SLOW_P50_US || p99 > SLOW_P99_US {
        return Verdict::warning(found)
            .because(why)
            .remedy(remedy)
            .remedy("look for what else uses the disk: iostat -x 1");
    }
    Verdict::ok(found)
}

/// Whether a sync can have reached what keeps its content without power.
fn honesty(facts: &Facts, times: Percentiles) -> Option<Verdict> {
    let devices = &facts.log_storage()?.devices;
    let is_volatile = devices.iter().any(|device| device.write_cache.as_deref() == Some("write back"));
    (is_volatile && times.p50 < TOO_QUICK_US).then(|| {
        Verdict::warning(format!("a sync takes {}, although the device has a volatile cache", micros(times.p50)))
            .because("no such cache is flushed so quickly: the device, or the hypervisor below (cache=unsafe), may ignore it, and a loss of power would take acknowledged writes")
            .remedy("ask who runs the hypervisor or array what a flush is worth; test it by cutting the power under load")
    })
}
