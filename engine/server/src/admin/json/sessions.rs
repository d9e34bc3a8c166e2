//! Connections, sessions and watches.

use super::{Asked, Fields, fields};
use crate::four_letter::{Connection, ConnectionSession, connections, watches as by};
use serde_json::{Map, Value, json};

pub(in crate::admin) fn connections(asked: &Asked<'_>) -> Fields {
    let (secure, plain): (Vec<_>, Vec<_>) = asked.server.connections.iter().partition(|connection| connection.secure);
    let all = |connections: Vec<&Connection>| connections.into_iter().map(full).collect::<Vec<Value>>();
    fields(json!({"connections": all(plain), "secure_connections": all(secure)}))
}

/// A connection, as stats shows it.
pub(super) fn brief(connection: &Connection) -> Value {
    json!({
        "remote_socket_address": connections::java_address(connection.peer).trim_start_matches('/'),
        "interest_ops": connection.interest,
        "outstanding_requests": connection.queued,
        "packets_received": connection.received,
        "packets_sent": connection.sent,
    })
}

fn full(connection: &Connection) -> Value {
    let mut all = brief(connection);
    if let (Value::Object(all), Some(session)) = (&mut all, &connection.session) {
        all.extend(of_session(session));
    }
    all
}

fn of_session(session: &ConnectionSession) -> Map<String, Value> {
    let latency = &session.latency;
    let value = json!({
        "session_id": session.id.0,
        "last_operation": session.last_operation,
        "established": session.established.0,
        "session_timeout": session.timeout_ms,
        "last_cxid": session.last_cxid.unwrap_or(-1),
        "last_zxid": session.last_zxid.wire(),
        "last_response_time": session.last_response_ms,
        "last_latency": session.last_latency_us / 1000,
        "min_latency": latency.min_us / 1000,
        "avg_latency": (latency.avg_us / 1000.0).floor() as u64,
        "max_latency": latency.max_us / 1000,
    });
    if let Value::Object(all) = value { all } else { Map::new() }
}

/// Times are the wall clock's. (ZooKeeper tells milliseconds of a clock that begins anywhere.)
pub(in crate::admin) fn dump(asked: &Asked<'_>) -> Fields {
    let server = asked.server;
    let expiring = server.sessions.0.iter();
    let expiring: Map<String, Value> = expiring
        .map(|(at, sessions)| (at.0.to_string(), sessions.iter().map(|session| Value::from(session.0)).collect()))
        .collect();
    let ephemerals = server.ephemerals.iter();
    let ephemerals: Map<String, Value> =
        ephemerals.map(|(session, paths)| (session.0.to_string(), paths.clone().into())).collect();
    fields(json!({"expiry_time_to_session_ids": expiring, "session_id_to_ephemeral_paths": ephemerals}))
}

pub(in crate::admin) fn watches(asked: &Asked<'_>) -> Fields {
    let sessions = asked.server.watches.by_session.iter();
    let watched: Map<String, Value> =
        sessions.map(|(session, paths)| (session.0.to_string(), paths.clone().into())).collect();
    fields(json!({"session_id_to_watched_paths": watched}))
}

pub(in crate::admin) fn watches_by_path(asked: &Asked<'_>) -> Fields {
    let paths = by::sessions_by_path(asked.server).into_iter();
    let watched: Map<String, Value> = paths
        .map(|(path, sessions)| (path.to_owned(), sessions.iter().map(|session| Value::from(session.0)).collect()))
        .collect();
    fields(json!({"path_to_session_ids": watched}))
}

pub(in crate::admin) fn watch_summary(asked: &Asked<'_>) -> Fields {
    let sessions = &asked.server.watches.by_session;
    fields(json!({
        "num_connections": sessions.len(),
        "num_paths": by::sessions_by_path(asked.server).len(),
        "num_total_watches": sessions.iter().map(|(_, paths)| paths.len()).sum::<usize>(),
    }))
}
