//! The configuration that suits a host, and why.

use super::facts::{Facts, Processors, Reached};
use super::judge::{best, micros};
use super::timing::Percentiles;
use serde::Serialize;

/// From this number of cores on a server is taken to have them for itself, as by `profile=auto`.
const DEDICATED_CORES: usize = 4;
/// Executors for clients beyond which nobody has tried.
const MOST_CLIENT_CORES: usize = 4;
/// Another driver is recommended only if it takes less than this share of the time that the default begins with.
const CLEARLY_FASTER: f64 = 0.75;
/// Less memory than this is not held twice.
const MUCH_MEMORY: u64 = 2 << 30;
/// With less memory than this the history for followers is cut down.
const LITTLE_MEMORY: u64 = 1 << 30;
/// A disk whose syncs take longer is not to be filled by snapshots.
const SLOW_SYNC_US: f64 = 5_000.0;

/// What is recommended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Recommendation {
    /// The kind of machine: shared or dedicated.
    pub profile: &'static str,
    /// Why it is taken for that.
    pub why: String,
    /// Settings; all others at their defaults.
    pub settings: Vec<Advice>,
}

/// A setting.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Advice {
    /// Its name in the configuration.
    pub key: &'static str,
    /// The value that is recommended.
    pub value: String,
    /// Why.
    pub why: String,
    /// The value in force, if it is another one.
    pub in_force: Option<String>,
}

/// What suits the host.
pub(super) fn recommend(facts: &Facts) -> Recommendation {
    let (profile, why) = profile(&facts.processors);
    let mut settings = vec![log_driver(facts)];
    settings.extend(batching());
    settings.push(client_cores(facts));
    settings.extend(history(facts).into_iter().chain(snapshot_rate(facts)).chain(silence(facts)));
    for advice in &mut settings {
        let in_force = facts.wanted.in_force.get(advice.key).cloned();
        advice.in_force = in_force.filter(|value| *value != advice.value);
    }
    Recommendation { profile, why, settings }
}

fn advice(key: &'static str, value: impl ToString, why: impl Into<String>) -> Advice {
    Advice { key, value: value.to_string(), why: why.into(), in_force: None }
}

fn profile(processors: &Processors) -> (&'static str, String) {
    let usable = processors.usable();
    let cores = if usable == 1 { "1 core".to_owned() } else { format!("{usable} cores") };
    match usable < DEDICATED_CORES {
        true => ("shared", format!("{cores} for this server, its disk's completions and everything else")),
        false => ("dedicated", format!("{cores}, enough to give some to clients alone")),
    }
}

fn log_driver(facts: &Facts) -> Advice {
    let driver = |value, why: String| advice("log.driver", value, why);
    if facts.log_storage().is_some_and(|storage| storage.direct == Some(false)) {
        return driver("auto", "the file system has no direct I/O, so auto means a thread here".into());
    }
    let median = |name| {
        let timing = facts.log.iter().find(|timing| timing.driver == name)?;
        timing.latency_us.map(|times| times.p50)
    };
    let (Some(first), Some((name, Percentiles { p50, .. }))) = (median("uring-dsync"), best(&facts.log)) else {
        return driver("auto", "the default; nothing was measured here".into());
    };
    if p50 < first * CLEARLY_FASTER {
        let why = format!("a write takes {} with it, {} with uring-dsync (medians)", micros(p50), micros(first));
        return driver(name, why);
    }
    let thread = median("thread").map_or(String::new(), |us| format!(", by a thread {}", micros(us)));
    driver(
        "auto",
        format!(
            "a write takes {} by uring-dsync{thread} (medians); auto begins with the one and goes over to the other \
             while the cores are busy",
            micros(first)
        ),
    )
}

/// As measured: bench-results/2026-11-26-2core-vm-recorded-set.
fn batching() -> [Advice; 2] {
    [
        advice("log.batch.max.delay.us", 0, {
            "what arrives during a write forms the next batch; waiting 200 µs for more cost a lone client 268 µs and saved \
             no processor time"
        }),
        advice("log.batch.max.bytes", 256 << 10, {
            "with 16 KiB in its place a log at its limit made half as many writes or fewer; below that there is no difference"
        }),
    ]
}

fn client_cores(facts: &Facts) -> Advice {
    let usable = facts.processors.usable();
    let has_room = facts.memory.usable().is_none_or(|bytes| bytes >= MUCH_MEMORY);
    let (value, why) = match usable {
        n if n < DEDICATED_CORES => (0, "with few cores a hop between executors costs more than it gains".to_owned()),
        _ if !has_room => (0, "the tree would be in memory twice, and there is little".to_owned()),
        n => {
            let value = ((n - 2) / 2).min(MOST_CLIENT_CORES);
            let why = "one core orders and logs, one is left to the kernel; expected, not measured on such a machine: compare with \
                       loadgen compare before you rely on it, and take 0 if clients are few";
            (value, why.to_owned())
        }
    };
    advice("client.cores", value, why)
}

fn history(facts: &Facts) -> Option<Advice> {
    let little = facts.memory.usable().is_some_and(|bytes| bytes < LITTLE_MEMORY);
    (little && facts.wanted.history_bytes > 0).then(|| {
        advice("ensemble.history.bytes", 16 << 20, {
            "memory is short; followers that missed more get it from the log on disk"
        })
    })
}

fn snapshot_rate(facts: &Facts) -> Option<Advice> {
    let (_, times) = best(&facts.log)?;
    (times.p50 > SLOW_SYNC_US).then(|| {
        advice(
            "snapshot.rate.bytes",
            32 << 20,
            format!("a write takes {}: snapshots should leave the disk to the log", micros(times.p50)),
        )
    })
}

/// For servers that are far apart: ten times the longest round trip, if that is more than is borne anyway.
fn silence(facts: &Facts) -> Vec<Advice> {
    let peers = facts.network.peers.iter().filter(|peer| matches!(peer.outcome, Reached::Open | Reached::Refused));
    let Some(farthest) = peers.filter_map(|peer| peer.round_trip_us).max_by(f64::total_cmp) else { return Vec::new() };
    let needed = ((farthest / 1e3 * 10.0).ceil() as u64).next_multiple_of(50);
    if needed <= facts.wanted.silence_min_ms {
        return Vec::new();
    }
    let why = format!("the farthest server is {} away", micros(farthest));
    let mut settings = vec![advice("ensemble.silence.min.ms", needed, why)];
    if needed * 3 > facts.wanted.silence_max_ms {
        settings.push(advice("ensemble.silence.max.ms", needed * 3, "three times that"));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::{Peer, Recorded, Wanted};
    use crate::doctor::timing::Timing;

    fn machine(text: &str) -> Facts {
        let mut facts = Facts::read(&Recorded::parse(text), Wanted::default(), "ringkeeper.service");
        facts.storage.iter_mut().for_each(|storage| storage.direct = Some(true));
        facts
    }

    fn small() -> Facts {
        machine(include_str!("fixtures/virtual-machine.txt"))
    }

    fn timed(driver: &'static str, p50: f64) -> Timing {
        let latency_us = Some(Percentiles { p50, p90: p50, p99: p50, max: p50 });
        Timing { driver, writes: 1, latency_us, unavailable: None }
    }

    fn value(facts: &Facts, key: &str) -> Option<String> {
        let settings = recommend(facts).settings;
        settings.into_iter().find(|advice| advice.key == key).map(|advice| advice.value)
    }

    #[test]
    fn profiles_by_usable_cores() {
        let of = |facts: &Facts| (recommend(facts).profile, value(facts, "client.cores").unwrap());
        assert_eq!(of(&small()), ("shared", "0".to_owned()));
        assert_eq!(of(&machine(include_str!("fixtures/arm.txt"))), ("dedicated", "3".to_owned()));
        let mut pod = machine(include_str!("fixtures/pod.txt"));
        assert_eq!(of(&pod), ("shared", "0".to_owned()), "32 cores, of which half a one may be used");
        pod.processors.quota = None;
        assert_eq!(of(&pod), ("dedicated", "0".to_owned()), "there is no memory for a second tree");
    }

    #[test]
    fn another_driver_only_if_it_is_clearly_faster() {
        let mut facts = small();
        assert_eq!(value(&facts, "log.driver").unwrap(), "auto", "nothing was measured");
        facts.log = vec![timed("uring-dsync", 200.0), timed("uring-fdatasync", 180.0), timed("thread", 250.0)];
        assert_eq!(value(&facts, "log.driver").unwrap(), "auto");
        facts.log[2] = timed("thread", 120.0);
        assert_eq!(value(&facts, "log.driver").unwrap(), "thread");
        facts.storage[0].direct = Some(false);
        assert_eq!(value(&facts, "log.driver").unwrap(), "auto");
    }

    #[test]
    fn slow_disks_little_memory_and_far_servers() {
        let mut facts = small();
        for key in ["snapshot.rate.bytes", "ensemble.history.bytes", "ensemble.silence.min.ms"] {
            assert_eq!(value(&facts, key), None);
        }
        facts.log = vec![timed("uring-dsync", 9_000.0)];
        (facts.memory.limit, facts.wanted.history_bytes) = (Some(512 << 20), 64 << 20);
        let peer = Peer {
            id: 2,
            address: String::new(),
            resolve_us: 1.0,
            outcome: Reached::Open,
            round_trip_us: Some(61_000.0),
        };
        facts.network.peers = vec![peer];
        assert_eq!(value(&facts, "snapshot.rate.bytes").unwrap(), "33554432");
        assert_eq!(value(&facts, "ensemble.history.bytes").unwrap(), "16777216");
        assert_eq!(value(&facts, "ensemble.silence.min.ms").unwrap(), "650");
        assert_eq!(value(&facts, "ensemble.silence.max.ms").unwrap(), "1950");
    }

    #[test]
    fn what_differs_from_the_configuration_is_told() {
        let mut facts = small();
        facts.wanted.in_force.insert("client.cores".into(), "2".into());
        facts.wanted.in_force.insert("log.driver".into(), "auto".into());
        let settings = recommend(&facts).settings;
        let in_force = |key| settings.iter().find(|advice| advice.key == key).unwrap().in_force.clone();
        assert_eq!((in_force("client.cores"), in_force("log.driver")), (Some("2".to_owned()), None));
    }
}
