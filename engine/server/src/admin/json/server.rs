//! What a server is, does and was told.

use super::{Asked, Fields, fields};
use crate::config::Source;
use crate::config::table as keys;
use crate::four_letter::{Mode, Snapshot, TRACE_MASK, monitor};
use crate::version;
use ringkeeper_core::frontend::ResponseSize;
use ringkeeper_txnlog::snapshot::snapshot_name;
use serde_json::{Map, Value, json};
use std::time::UNIX_EPOCH;

pub(in crate::admin) fn configuration(asked: &Asked<'_>) -> Fields {
    let server = asked.server;
    let number = |key| server.settings.int(key);
    fields(json!({
        "client_port": server.client_port.map_or(-1, i32::from),
        "data_dir": server.directories.data.display().to_string(),
        "data_log_dir": server.directories.log.display().to_string(),
        "tick_time": number(&keys::TICK_TIME),
        "max_client_cnxns": number(&keys::MAX_CLIENT_CNXNS),
        "min_session_timeout": number(&keys::MIN_SESSION_TIMEOUT),
        "max_session_timeout": number(&keys::MAX_SESSION_TIMEOUT),
        "server_id": server.server_id,
        "client_port_listen_backlog": number(&keys::CLIENT_PORT_LISTEN_BACKLOG),
    }))
}

pub(in crate::admin) fn dirs(asked: &Asked<'_>) -> Fields {
    let directories = &asked.server.directories;
    fields(json!({"datadir_size": directories.data_bytes, "logdir_size": directories.log_bytes}))
}

pub(in crate::admin) fn environment(asked: &Asked<'_>) -> Fields {
    Ok(asked.words.environment.entries().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
}

/// ZooKeeper tells digests at past transactions, of which it keeps some; here it is the present one.
pub(in crate::admin) fn hash(asked: &Asked<'_>) -> Fields {
    let digests = asked.server.digests.iter();
    let digests: Vec<Value> =
        digests.map(|(zxid, digest)| json!({"zxid": zxid.0, "digest": digest, "digest_version": 2})).collect();
    fields(json!({"digests": digests}))
}

/// The settings that were given, as they would stand in a file; secrets are masked.
pub(in crate::admin) fn initial_configuration(asked: &Asked<'_>) -> Fields {
    let given = asked.server.settings.effective();
    let given = given.into_iter().filter(|setting| !matches!(setting.source, Source::Default | Source::Derived(_)));
    let text: String = given.map(|setting| format!("{}={}\n", setting.name, setting.value)).collect();
    fields(json!({"initial_configuration": text}))
}

pub(in crate::admin) fn is_read_only(asked: &Asked<'_>) -> Fields {
    fields(json!({"read_only": asked.server.mode == Mode::ReadOnly}))
}

/// The time is that of the file.
pub(in crate::admin) fn last_snapshot(asked: &Asked<'_>) -> Fields {
    let Some(zxid) = asked.server.newest_snapshot else {
        return fields(json!({"zxid": format!("{:x}", -1i64), "timestamp": -1}));
    };
    let metadata = std::fs::metadata(asked.words.data.dir.join(snapshot_name(zxid)));
    let modified = metadata.and_then(|metadata| metadata.modified()).ok();
    let seconds = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs());
    fields(json!({"zxid": format!("{:x}", zxid.0), "timestamp": seconds.map_or(json!(-1), Value::from)}))
}

/// As mntr, numbers as numbers.
pub(in crate::admin) fn monitor(asked: &Asked<'_>) -> Fields {
    if !asked.server.answers {
        return fields(json!({"version": version::zookeeper()}));
    }
    let values = monitor::values(asked.server).into_iter();
    Ok(values.map(|(name, value)| (name, number_or_text(value))).collect())
}

fn number_or_text(text: String) -> Value {
    let whole = text.parse::<i64>().map(Value::from);
    whole.or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or(Value::String(text))
}

pub(in crate::admin) fn server_stats(asked: &Asked<'_>) -> Fields {
    let server = asked.server;
    let mut all = Map::new();
    all.insert("version".to_owned(), version::zookeeper().into());
    all.insert("read_only".to_owned(), (server.mode == Mode::ReadOnly).into());
    all.insert("server_stats".to_owned(), statistics(server));
    all.insert("client_response".to_owned(), sizes(server.response_size));
    if server.mode == Mode::Leader {
        all.insert("proposal_stats".to_owned(), sizes(server.proposal_size));
    }
    all.insert("node_count".to_owned(), server.shown_node_count().into());
    Ok(all)
}

pub(in crate::admin) fn stats(asked: &Asked<'_>) -> Fields {
    let mut all = server_stats(asked)?;
    for (name, secure) in [("connections", false), ("secure_connections", true)] {
        let connections = asked.server.connections.iter().filter(|connection| connection.secure == secure);
        all.insert(name.to_owned(), connections.map(super::sessions::brief).collect());
    }
    Ok(all)
}

fn statistics(server: &Snapshot) -> Value {
    let latency = &server.latency;
    json!({
        "packets_sent": server.sent,
        "packets_received": server.received,
        "fsync_threshold_exceed_count": server.measures.backend.log.slow,
        "client_response_stats": sizes(server.response_size),
        "server_state": server.mode.name(),
        "outstanding_requests": server.outstanding,
        "min_latency": latency.min_us / 1000,
        "avg_latency": (latency.avg_us / 1000.0 * 1e4).round() / 1e4,
        "max_latency": latency.max_us / 1000,
        "data_dir_size": server.directories.data_bytes,
        "log_dir_size": server.directories.log_bytes,
        "last_processed_zxid": server.zxid.0,
        "num_alive_client_connections": server.alive_connections,
        "auth_failed_count": server.auth_failed,
        "non_mtlsremote_conn_count": server.measures.sockets.plain_remote,
        "non_mtlslocal_conn_count": server.measures.sockets.plain_local,
        "provider_null": false,
        "uptime": server.uptime_ms,
    })
}

fn sizes(sizes: ResponseSize) -> Value {
    json!({"last_buffer_size": sizes.last, "min_buffer_size": sizes.min, "max_buffer_size": sizes.max})
}

pub(in crate::admin) fn trace_mask(_: &Asked<'_>) -> Fields {
    fields(json!({"tracemask": TRACE_MASK}))
}

/// There is no tracing by mask: what was sent is told, and nothing changes.
pub(in crate::admin) fn set_trace_mask(asked: &Asked<'_>) -> Fields {
    let Some(text) = asked.request.argument("traceMask") else {
        return Err("setTraceMask requires long traceMask argument".to_owned());
    };
    match text.parse::<i64>() {
        Ok(mask) => fields(json!({"tracemask": mask})),
        Err(_) => Err(format!("setTraceMask requires long traceMask argument, got {text}")),
    }
}

/// There are no properties of Java; what they would set is told under the names that it would have there.
pub(in crate::admin) fn system_properties(asked: &Asked<'_>) -> Fields {
    let settings = asked.words.live.current().settings.effective().into_iter();
    Ok(settings.map(|setting| (format!("zookeeper.{}", setting.name), setting.value.into())).collect())
}
