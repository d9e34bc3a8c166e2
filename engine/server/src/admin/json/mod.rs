//! The fields of each admin command's answer: JSON from plain facts. Names and shapes are ZooKeeper's.

mod ensemble;
mod ours;
mod server;
mod sessions;

pub(super) use ensemble::{leader, observers, voting_view, zab_state};
pub(super) use ours::{hot_paths, slow_requests};
pub(super) use server::{
    configuration, dirs, environment, hash, initial_configuration, is_read_only, last_snapshot, monitor, server_stats,
    set_trace_mask, stats, system_properties, trace_mask,
};
pub(super) use sessions::{connections, dump, watch_summary, watches, watches_by_path};

use super::commands::{Asked, Fields};
use serde_json::{Map, Value};

/// No fields.
pub(super) fn nothing(_: &Asked<'_>) -> Fields {
    Ok(Map::new())
}

/// An object's fields.
fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => Ok(fields),
        other => unreachable!("{other} is no object"),
    }
}
