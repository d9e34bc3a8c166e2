//! What ZooKeeper does not tell: slow requests, and the paths that are asked for most.

use super::{Asked, Fields, fields};
use crate::config::table as keys;
use crate::four_letter::hot::{self, HotRate};
use crate::metrics::{SlowEntry, named};
use ringkeeper_core::frontend::SAMPLE;
use serde_json::{Map, Value, json};

/// The last ones, the newest first.
pub(in crate::admin) fn slow_requests(asked: &Asked<'_>) -> Fields {
    let server = asked.server;
    let requests: Vec<Value> = server.slow.iter().rev().map(slow).collect();
    fields(json!({
        "threshold_ms": server.settings.int(&keys::SLOW_REQUEST),
        "total": server.measures.frontend.slow,
        "requests": requests,
    }))
}

fn slow(entry: &SlowEntry) -> Value {
    let millis = |time: std::time::Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    let stages = entry.stages.as_ref().map(|stages| {
        let all: Map<String, Value> =
            named(stages).into_iter().map(|(name, time)| (name.into(), millis(time).into())).collect();
        all
    });
    json!({
        "answered": entry.at.0,
        "duration_ms": millis(entry.took),
        "operation": entry.op,
        "path": entry.path,
        "session_id": entry.session.to_string(),
        "remote_socket_address": entry.peer.to_string(),
        "zxid": entry.zxid.map(|zxid| zxid.to_string()),
        "stages_ms": stages,
    })
}

/// Rates are estimates from samples that were surely of the path; so many at most were missed.
pub(in crate::admin) fn hot_paths(asked: &Asked<'_>) -> Fields {
    let hot = &asked.server.hot;
    let paths: Vec<Value> = hot::rates(hot)
        .into_iter()
        .map(|HotRate { path: hot, reads_per_second, writes_per_second }| {
            json!({
                "path": hot.path,
                "reads_per_second": reads_per_second,
                "writes_per_second": writes_per_second,
                "samples": hot.samples(),
                "samples_missed": hot.missed,
            })
        })
        .collect();
    fields(json!({"sampled_one_in": SAMPLE, "period_seconds": hot.period.as_secs_f64(), "paths": paths}))
}
