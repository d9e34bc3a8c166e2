//! Commands that are not known here: what looks like a figure is shown as one.
//!
//! A number is a figure under its path in the document. Its unit follows from the end of its name, as loadgen names things.

use super::load::{self, Percentiles};
use super::{Curve, Measurement, remarks};
use crate::report::figure::{Better, Figure, Unit};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A table with more columns is not read by anybody.
const MOST_FIGURES: usize = 40;

/// Takes what there is.
pub fn measurement(result: &Value) -> Measurement {
    let mut found =
        Measurement { remarks: result.as_object().map(remarks).unwrap_or_default(), ..Measurement::default() };
    gather(&mut found, "", result);
    found.course = result.get("course").map(load::course).unwrap_or_default();
    found.figures.truncate(MOST_FIGURES);
    found
}

fn gather(found: &mut Measurement, path: &str, value: &Value) {
    if let Value::Array(items) = value {
        // Things with names of their own; if names repeat they are a course or a log, and their numbers no figures.
        let named: BTreeMap<&str, &Value> = items.iter().filter_map(|item| Some((name_of(item)?, item))).collect();
        if named.len() == items.len() {
            named.into_iter().for_each(|(name, item)| gather(found, name, item));
        }
        return;
    }
    let Value::Object(fields) = value else {
        if let Some(number) = value.as_f64().filter(|number| number.is_finite()) {
            let (name, unit, scale) = unit_of(path);
            found.figures.push(Figure::new(name, unit, Better::Neither, number * scale));
        }
        return;
    };
    if let Ok(times) = Percentiles::deserialize(value) {
        let (name, _, _) = unit_of(path);
        let points = times.points().into_iter().map(|(q, us)| (q, us * 1e3)).collect();
        found.curves.push(Curve { name: name.clone(), count: None, points });
        let named = |figure: Figure| Figure { name: format!("{name} {}", figure.name), ..figure };
        found.figures.extend(times.figures().into_iter().map(named));
        return;
    }
    for (key, value) in fields {
        let path = if path.is_empty() { key.clone() } else { format!("{path} {key}") };
        gather(found, &path, value);
    }
}

/// The name of an item of a list: its first text.
fn name_of(item: &Value) -> Option<&str> {
    item.as_object()?.values().find_map(Value::as_str)
}

/// A name without its unit, the unit, and the factor to what we count in.
fn unit_of(path: &str) -> (String, Unit, f64) {
    const ENDINGS: [(&str, Unit, f64); 7] = [
        ("_ns", Unit::Time, 1.0),
        ("_us", Unit::Time, 1e3),
        ("_ms", Unit::Time, 1e6),
        ("_s", Unit::Time, 1e9),
        ("_seconds", Unit::Time, 1e9),
        ("_bytes", Unit::Bytes, 1.0),
        ("_percent", Unit::Share, 0.01),
    ];
    // `latency_us p50`: the unit may stand before the last word.
    for (ending, unit, scale) in ENDINGS {
        let inner = format!("{ending} ");
        if let Some(name) = path.strip_suffix(ending) {
            return (words(name), unit, scale);
        }
        if path.contains(&inner) {
            return (words(&path.replacen(&inner, " ", 1)), unit, scale);
        }
    }
    let unit = if path.ends_with("rate") || path.ends_with("per_second") { Unit::Rate } else { Unit::Plain };
    (words(path), unit, 1.0)
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::measurement;
    use crate::report::figure::Unit;
    use serde_json::json;

    #[test]
    fn numbers_become_figures_with_the_unit_that_their_name_tells() {
        let found = measurement(&json!({
            "status": "failed", "failures": ["no disk"],
            "sync_us": {"mean": 1.0, "min": 1.0, "p50": 200.0, "p90": 1.0, "p99": 900.0, "p99_9": 1.0, "p99_99": 1.0, "max": 2.0},
            "rss_bytes": 1024, "hops": {"round_trip_ms": 2.5}, "name": "x", "list": [1, 2], "ways": [{"way": "fdatasync", "writes": 7}],
            "course": [{"phase": "measure", "at_s": 1.0, "rate": 7.0, "p50_us": 1.0, "p99_us": 2.0},
                       {"phase": "measure", "at_s": 2.0, "rate": 8.0, "p50_us": 1.0, "p99_us": 2.0}]
        }));
        let told: Vec<_> = found.figures.iter().map(|f| (f.name.as_str(), f.unit, f.values[0])).collect();
        assert!(told.contains(&("hops round trip", Unit::Time, 2.5e6)), "{told:?}");
        assert!(told.contains(&("rss", Unit::Bytes, 1024.0)), "{told:?}");
        assert!(told.contains(&("sync p99", Unit::Time, 900e3)), "{told:?}");
        assert!(told.contains(&("fdatasync writes", Unit::Plain, 7.0)), "{told:?}");
        assert!(!told.iter().any(|(name, ..)| name.contains("rate")), "a course is no figure: {told:?}");
        assert_eq!((found.curves[0].name.as_str(), found.course.len()), ("sync", 2));
        assert_eq!(found.remarks, ["ended as failed", "no disk"]);
    }

    #[test]
    fn there_is_an_end_to_figures() {
        let many: serde_json::Map<_, _> = (0..500).map(|n| (format!("f{n}"), json!(n))).collect();
        assert!(measurement(&many.into()).figures.len() < 50);
    }
}
