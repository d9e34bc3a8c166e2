//! mntr: one `zk_<name>` and value a line, separated by a tab.

use super::line;
use super::{MetricValue, Mode, Snapshot};
use crate::metrics::{self, Depth, Family, Series, Unit, decimals};
use crate::version;
use ringkeeper_core::measure::Histogram;

/// mntr.
pub(super) fn mntr(server: &Snapshot, out: &mut String) {
    for (name, value) in values(server) {
        line!(out, "zk_{name}\t{value}");
    }
}

/// Names and values as mntr shows them.
pub(crate) fn values(server: &Snapshot) -> Vec<(String, String)> {
    let mut all = vec![
        ("version".to_owned(), version::zookeeper().to_owned()),
        ("server_state".to_owned(), server.mode.name().to_owned()),
    ];
    all.extend(peer_state(server).map(|state| ("peer_state".to_owned(), state)));
    all.extend(metrics::gauges(server).into_iter().map(|(name, _, value)| (name.to_owned(), value)));
    metrics::zookeeper_families(server).iter().for_each(|family| of_family(family, &mut all));
    for metric in &server.metrics {
        let MetricValue::Count(count) = metric.value;
        all.push((metric.name.clone(), count.to_string()));
    }
    all
}

/// ZooKeeper's words for what a member of an ensemble does.
fn peer_state(server: &Snapshot) -> Option<String> {
    let state = match server.mode {
        Mode::Leader => "leading - broadcast",
        Mode::Follower => "following - broadcast",
        Mode::Observer => "observing - broadcast",
        Mode::Standalone | Mode::ReadOnly => return None,
    };
    Some(state.to_owned())
}

fn of_family(family: &Family, all: &mut Vec<(String, String)>) {
    match &family.series {
        Series::Counter(numbers) | Series::Gauge(numbers) => {
            let alone = numbers.iter().filter(|(labels, _)| labels.is_empty());
            all.extend(alone.map(|(_, number)| (family.name.to_owned(), format!("{number:.0}"))));
        }
        Series::Summary(seen, unit, depth) => summary(family.name, seen, *unit, *depth, all),
        Series::Histogram(..) => {}
    }
}

/// Five lines, and four quantiles if there are to be any. ZooKeeper counts whole milliseconds.
fn summary(name: &str, seen: &Histogram, unit: Unit, depth: Depth, all: &mut Vec<(String, String)>) {
    let whole = |value: u64| format!("{:.0}", unit.shown(value as f64).floor());
    let mut add = |prefix: &str, value: String| all.push((format!("{prefix}_{name}"), value));
    add("avg", decimals(unit.shown(seen.mean())));
    add("min", whole(seen.min()));
    add("max", whole(seen.max()));
    add("cnt", seen.count().to_string());
    add("sum", whole(seen.sum()));
    if depth == Depth::Advanced {
        for (prefix, part) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
            add(prefix, whole(seen.quantile(part)));
        }
    }
}
