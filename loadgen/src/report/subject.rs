//! What a measurement is about: the workload, from the settings. Measurements of one workload are compared.

use super::figure::Unit;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Settings that say where, how long or how often something was measured, not what.
const CIRCUMSTANCES: [&str; 22] = [
    "servers",
    "server_pid",
    "seed",
    "prefix",
    "cleanup",
    "keep",
    "duration",
    "warmup",
    "ops",
    "rounds",
    "fail_if",
    "fault_command",
    "start_command",
    "restarts_itself",
    "lead",
    "downtime",
    "settle",
    "patience",
    "connect_timeout",
    "threads",
    "hdr",
    "json",
];

/// Settings that are different in every measurement, and tell nothing about it.
pub const INCIDENTAL: [&str; 3] = ["servers", "server_pid", "seed"];

/// The settings that make up the workload.
pub fn workload(settings: &Map<String, Value>) -> Map<String, Value> {
    settings
        .iter()
        .filter(|(name, _)| !CIRCUMSTANCES.contains(&name.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// The workload in words, as far as there are words for it.
pub fn title(command: &str, settings: &Map<String, Value>) -> String {
    let number = |name: &str| settings.get(name).and_then(Value::as_f64);
    let text = |name: &str| settings.get(name).and_then(Value::as_str);
    match command {
        "run" => load(&number, &text),
        "failover" => fault(&number, &text),
        "fill" => format!("fill {} nodes of {} bytes", counted(number("count")), counted(number("value_size"))),
        "idle" => format!("{} idle sessions", counted(number("sessions"))),
        "sessions" => format!("{} sessions", counted(number("sessions"))),
        "watch" => format!("{} watchers", counted(number("watchers"))),
        other => other.to_owned(),
    }
}

fn load<'s>(number: &impl Fn(&str) -> Option<f64>, text: &impl Fn(&str) -> Option<&'s str>) -> String {
    let mut words = String::new();
    if let (Some(connections), Some(depth)) = (number("connections"), number("depth")) {
        let _ = write!(words, "{} × {} deep", counted(Some(connections)), counted(Some(depth)));
    }
    if let Some(mix) = text("mix") {
        let _ = write!(words, ", {}", mix.strip_suffix("=100").unwrap_or(mix));
    }
    if let Some(size) = number("value_size") {
        let _ = write!(words, ", {} bytes", counted(Some(size)));
    }
    if let Some(rate) = number("rate") {
        let _ = write!(words, ", open loop of {}/s", counted(Some(rate)));
    }
    if words.is_empty() { "load".into() } else { words }
}

fn fault<'s>(number: &impl Fn(&str) -> Option<f64>, text: &impl Fn(&str) -> Option<&'s str>) -> String {
    let fault = text("fault").unwrap_or("fault");
    let mut words = format!("{fault} of the {}", text("target").unwrap_or("leader"));
    if let (Some(writes), Some(reads)) = (number("write_rate"), number("read_rate")) {
        let _ = write!(words, " under {} writes and {} reads per second", counted(Some(writes)), counted(Some(reads)));
    }
    if let Some(timeout) = number("session_timeout") {
        let _ = write!(words, ", session timeout {}", Unit::Time.short(timeout * 1e9));
    }
    words
}

fn counted(n: Option<f64>) -> String {
    n.map_or_else(|| "?".into(), |n| Unit::Count.exact(n))
}

/// A value as people read it.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::Array(values) if values.is_empty() => "–".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let between = if values.iter().any(Value::is_object) { "; " } else { ", " };
            values.iter().map(self::value).collect::<Vec<_>>().join(between)
        }
        Value::Object(fields) => {
            let each = fields.iter().map(|(name, field)| format!("{name} {}", self::value(field)));
            each.collect::<Vec<_>>().join(", ")
        }
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |n| format!("{n}")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{title, workload};
    use serde_json::{Map, Value, json};

    fn settings(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn workloads_are_named_by_what_is_asked_of_the_servers() {
        let run =
            json!({"connections": 64, "depth": 4, "mix": "set=100", "value_size": 4096, "rate": 5000.0, "seed": 3});
        assert_eq!(title("run", &settings(run)), "64 × 4 deep, set, 4,096 bytes, open loop of 5,000/s");
        let failover = json!({"fault": "pause", "target": "leader", "write_rate": 600.0, "read_rate": 300.0, "session_timeout": 6.0});
        assert_eq!(
            title("failover", &settings(failover)),
            "pause of the leader under 600 writes and 300 reads per second, session timeout 6 s"
        );
        assert_eq!(title("run", &Map::new()), "load");
        assert_eq!(title("probe", &Map::new()), "probe");
    }

    #[test]
    fn where_and_how_long_is_no_part_of_a_workload() {
        let short = settings(json!({"depth": 4, "seed": 1, "duration": 4.0, "servers": ["a"]}));
        let long = settings(json!({"depth": 4, "seed": 2, "duration": 40.0, "servers": ["b"]}));
        assert_eq!(workload(&short), workload(&long));
        assert_ne!(workload(&short), workload(&settings(json!({"depth": 8}))));
    }
}
