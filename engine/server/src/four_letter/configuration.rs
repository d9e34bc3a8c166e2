//! conf and dirs.

use super::Snapshot;
use super::line;
use crate::config::Ensemble;
use crate::config::key::Key;
use crate::config::table as keys;

/// Our own settings that conf shows behind ZooKeeper's.
const OWN: [&Key; 8] = [
    &keys::PROFILE,
    &keys::CLIENT_CORES,
    &keys::LOG_DRIVER,
    &keys::LOG_DURABILITY,
    &keys::LOG_BATCH_MAX_BYTES,
    &keys::LOG_BATCH_MAX_DELAY,
    &keys::LOG_SEGMENT_BYTES,
    &keys::SNAP_COUNT,
];

/// conf: ZooKeeper's lines in their order, then our own.
pub(super) fn conf(server: &Snapshot, out: &mut String) {
    let directories = &server.directories;
    let value = |key: &Key| server.settings.text(key).unwrap_or_default().to_owned();
    let setting = |key: &Key, out: &mut String| line!(out, "{}={}", key.name, value(key));
    for (key, port) in
        [(&keys::CLIENT_PORT, server.client_port), (&keys::SECURE_CLIENT_PORT, server.secure_client_port)]
    {
        line!(out, "{}={}", key.name, port.map_or(-1, i32::from));
    }
    line!(out, "{}={}", keys::DATA_DIR.name, directories.data.display());
    line!(out, "dataDirSize={}", directories.data_bytes);
    line!(out, "{}={}", keys::DATA_LOG_DIR.name, directories.log.display());
    line!(out, "dataLogSize={}", directories.log_bytes);
    for key in [
        &keys::TICK_TIME,
        &keys::MAX_CLIENT_CNXNS,
        &keys::MIN_SESSION_TIMEOUT,
        &keys::MAX_SESSION_TIMEOUT,
        &keys::CLIENT_PORT_LISTEN_BACKLOG,
    ] {
        setting(key, out);
    }
    line!(out, "serverId={}", server.server_id);
    if let Some(ensemble) = &server.ensemble {
        members(ensemble, server, out);
    }
    OWN.iter().for_each(|key| setting(key, out));
}

/// What a member of an ensemble adds: its limits and ports, and the lines that all have.
fn members(ensemble: &Ensemble, server: &Snapshot, out: &mut String) {
    let me = ensemble.me();
    for key in [&keys::INIT_LIMIT, &keys::SYNC_LIMIT] {
        line!(out, "{}={}", key.name, server.settings.text(key).unwrap_or_default());
    }
    line!(out, "electionAlg=3");
    line!(out, "electionPort={}", me.elections[0]);
    line!(out, "quorumPort={}", me.peer.first().map_or(0, |(_, port)| *port));
    line!(out, "peerType={}", u8::from(!me.votes));
    line!(out, "membership: ");
    line!(out, "{}", ensemble.zookeeper_text());
}

/// dirs.
pub(super) fn dirs(server: &Snapshot, out: &mut String) {
    line!(out, "datadir_size: {}", server.directories.data_bytes);
    line!(out, "logdir_size: {}", server.directories.log_bytes);
}
