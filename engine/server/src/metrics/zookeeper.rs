//! ZooKeeper's metrics, as far as there is the same thing here, under ZooKeeper's names and in its units.
//!
//! Source of the names: `ZooKeeperServer.dumpMonitorValues`, `LeaderZooKeeperServer`, `ServerMetrics`.

use super::Family;
use super::family::{Depth, Unit};
use crate::four_letter::{Mode, Snapshot};
use ringkeeper_core::measure::Histogram;
use ringkeeper_core::zab::LearnerStatus;

/// A gauge: its name, its meaning, its value as mntr shows it.
pub type Gauge = (&'static str, &'static str, String);

/// The gauges in the order in which ZooKeeper's mntr has them, those of a leader last.
pub fn gauges(server: &Snapshot) -> Vec<Gauge> {
    let latency = &server.latency;
    let mut all = vec![
        ("ephemerals_count", "Ephemeral nodes.", server.ephemeral_count.to_string()),
        ("num_alive_connections", "Open connections of clients.", server.alive_connections.to_string()),
        ("avg_latency", "Mean time of all requests, in milliseconds.", decimals(latency.avg_us / 1000.0)),
        ("outstanding_requests", "Requests that are not answered yet.", server.outstanding.to_string()),
        ("znode_count", "Nodes; as ZooKeeper counts, the root twice.", server.shown_node_count().to_string()),
        ("global_sessions", "Sessions of the ensemble.", server.global_sessions.to_string()),
        (
            "non_mtls_remote_conn_count",
            "Connections from elsewhere without TLS, where there is TLS, since the start.",
            server.measures.sockets.plain_remote.to_string(),
        ),
        ("last_client_response_size", "Bytes of the last reply.", server.response_size.last.to_string()),
        ("packets_sent", "Replies and events sent.", server.sent.to_string()),
        ("packets_received", "Requests received.", server.received.to_string()),
        ("max_client_response_size", "Bytes of the largest reply.", server.response_size.max.to_string()),
        ("connection_drop_probability", "How likely a new connection is turned away by throttling.", "0.0".into()),
        ("watch_count", "Watches.", server.watch_count.to_string()),
        ("auth_failed_count", "Failed authentications.", server.auth_failed.to_string()),
        ("min_latency", "Shortest time of a request, in milliseconds.", (latency.min_us / 1000).to_string()),
        ("max_file_descriptor_count", "File descriptors allowed.", server.descriptors.max.to_string()),
        ("approximate_data_size", "Bytes of all paths and data.", server.data_size.to_string()),
        ("open_file_descriptor_count", "File descriptors in use.", server.descriptors.open.to_string()),
        ("local_sessions", "Sessions that only this server knows.", server.local_sessions.to_string()),
        ("uptime", "Milliseconds since the server started.", server.uptime_ms.to_string()),
        ("max_latency", "Longest time of a request, in milliseconds.", (latency.max_us / 1000).to_string()),
        ("outstanding_tls_handshake", "TLS handshakes under way.", server.measures.handshakes.to_string()),
        ("min_client_response_size", "Bytes of the smallest reply.", server.response_size.min.to_string()),
        (
            "non_mtls_local_conn_count",
            "Connections from this machine without TLS, where there is TLS, since the start.",
            server.measures.sockets.plain_local.to_string(),
        ),
    ];
    if server.mode == Mode::Leader {
        all.extend(leader_gauges(server));
    }
    if let Some(ensemble) = &server.ensemble {
        all.push(("quorum_size", "Servers that vote.", ensemble.ids(true).count().to_string()));
    }
    all
}

fn leader_gauges(server: &Snapshot) -> [Gauge; 9] {
    let count = |wanted: fn(&LearnerStatus) -> bool| {
        server.learners.iter().filter(|learner| wanted(&learner.status)).count().to_string()
    };
    let sizes = server.proposal_size;
    [
        ("learners", "Servers that follow this leader.", count(|_| true)),
        ("synced_followers", "Voters among them that have caught up.", count(|l| l.votes && l.up_to_date)),
        ("synced_non_voting_followers", "Followers without a vote that are no observers.", "0".into()),
        ("synced_observers", "Observers that have caught up.", count(|l| !l.votes && l.up_to_date)),
        ("pending_syncs", "Servers that have not caught up yet.", count(|l| !l.up_to_date)),
        ("leader_uptime", "Milliseconds since this server leads.", server.part_since_ms.to_string()),
        ("last_proposal_size", "Bytes of the last transaction.", sizes.last.to_string()),
        ("max_proposal_size", "Bytes of the largest transaction.", sizes.max.to_string()),
        ("min_proposal_size", "Bytes of the smallest transaction.", sizes.min.to_string()),
    ]
}

pub(super) fn gauge_families(server: &Snapshot) -> Vec<Family> {
    let number = |text: &str| text.parse().unwrap_or(0.0);
    gauges(server).into_iter().map(|(name, help, value)| Family::gauge(name, help, number(&value))).collect()
}

pub(super) fn counters(server: &Snapshot) -> Vec<Family> {
    let (backend, frontend, sockets) = (&server.measures.backend, &server.measures.frontend, &server.measures.sockets);
    let limits = &server.measures.limits;
    let (replica, stages, synced) = (&backend.replica, &backend.stages, backend.synchronised);
    let leads = |count: u64| if matches!(server.mode, Mode::Leader | Mode::Standalone) { count } else { 0 };
    let follows = |count: u64| if matches!(server.mode, Mode::Follower | Mode::Observer) { count } else { 0 };
    [
        ("diff_count", "Servers brought up to date by the transactions that they lacked.", synced.diff),
        ("snap_count", "Servers brought up to date by the whole state.", synced.snap),
        ("looking_count", "How often this server has begun to look for a leader.", backend.role.looking),
        ("commit_count", "Transactions committed while this server leads.", leads(stages.quorum.count())),
        ("proposal_count", "Transactions proposed by this server.", stages.prepare.count()),
        (
            "learner_proposal_received_count",
            "Transactions received from the leader.",
            follows(backend.log.batch_frames.sum()),
        ),
        (
            "learner_commit_received_count",
            "Transactions committed while this server follows.",
            follows(stages.quorum.count()),
        ),
        ("connection_request_count", "Clients that have asked for a session.", frontend.connect_requests),
        (
            "connection_rejected",
            "Connections refused because of a limit.",
            sockets.refused + limits.connects_throttled + limits.sessions_refused + limits.sessions_refused_for_memory,
        ),
        ("unsuccessful_handshake", "TLS handshakes that came to nothing.", sockets.handshakes_failed),
        (
            "tls_handshake_exceeded",
            "Connections closed because too many TLS handshakes were under way.",
            sockets.handshakes_exceeded,
        ),
        ("large_requests_rejected", "Connections closed because of a large request.", limits.large_requests_rejected),
        ("request_throttle_wait_count", "Times that a connection was not read for a while.", sockets.held_back),
        (
            "throttled_ops",
            "Requests answered with an error because of a limit.",
            limits.watches_refused + limits.writes_refused_for_memory,
        ),
        ("connection_revalidate_count", "Sessions taken up again over another connection.", replica.sessions_moved),
        (
            "sessionless_connections_expired",
            "Connections closed because they asked for no session.",
            frontend.sessionless_closed,
        ),
        (
            "stale_sessions_expired",
            "Sessions that this leader has ended because their time had run out.",
            replica.sessions_expired,
        ),
        ("bytes_received_count", "Bytes of requests.", frontend.bytes_received),
        ("response_bytes", "Bytes of replies.", frontend.bytes_sent.saturating_sub(frontend.watch_bytes)),
        ("watch_bytes", "Bytes of events.", frontend.watch_bytes),
        ("prep_processor_request_queued", "Requests handed to the part that orders.", replica.queue.count()),
        ("sync_processor_request_queued", "Transactions handed to the log.", backend.log.batch_frames.sum()),
        ("request_commit_queued", "Transactions that were applied.", replica.applied),
    ]
    .into_iter()
    .chain(server.measures.admin.counters())
    .map(|(name, help, count)| Family::counter(name, help, count))
    .collect()
}

pub(super) fn summaries(server: &Snapshot) -> Vec<Family> {
    let (backend, frontend) = (&server.measures.backend, &server.measures.frontend);
    let (log, stages) = (&backend.log, &backend.stages);
    let [created, deleted, changed, children] = &frontend.told;
    let leads = server.mode == Mode::Leader || server.mode == Mode::Standalone;
    let observes = server.mode == Mode::Observer;
    let nothing = Histogram::default();
    let quorum = if leads { &stages.quorum } else { &nothing };
    let millis = |name, help, depth, seen| Family::summary(name, help, Unit::Millis, depth, seen);
    let plain = |name, help, seen| Family::summary(name, help, Unit::Plain, Depth::Basic, seen);
    vec![
        millis("readlatency", "Time of reads, in milliseconds.", Depth::Advanced, &frontend.reads),
        millis(
            "updatelatency",
            "Time of writes of this server's clients, in milliseconds.",
            Depth::Advanced,
            &frontend.updates,
        ),
        millis("fsynctime", "Time until the log is on stable storage, in milliseconds.", Depth::Basic, &log.synced),
        millis("snapshottime", "Time to take a snapshot, in milliseconds.", Depth::Basic, &backend.snapshots),
        server.measures.admin.restore_time(),
        millis(
            "unavailable_time",
            "Time without a leader, in milliseconds.",
            Depth::Basic,
            &backend.role.without_leader,
        ),
        millis("election_time", "Time of elections, in milliseconds.", Depth::Basic, &backend.role.elections),
        millis(
            "follower_sync_time",
            "Time of a follower from an election to being up to date, in milliseconds.",
            Depth::Basic,
            if observes { &nothing } else { &backend.role.syncs },
        ),
        millis(
            "observer_sync_time",
            "The same of an observer, in milliseconds.",
            Depth::Basic,
            if observes { &backend.role.syncs } else { &nothing },
        ),
        millis(
            "prep_processor_queue_time_ms",
            "Time until a request is judged.",
            Depth::Advanced,
            &backend.replica.queue,
        ),
        millis("prep_process_time", "Time of the turns that judge requests.", Depth::Basic, &stages.prepare),
        millis(
            "sync_processor_queue_and_flush_time_ms",
            "Time from the log's queue to the disk.",
            Depth::Advanced,
            &stages.log,
        ),
        millis("quorum_ack_latency", "Time until a quorum has a transaction.", Depth::Advanced, quorum),
        millis(
            "write_final_proc_time_ms",
            "Time of the turns that apply transactions.",
            Depth::Advanced,
            &stages.apply,
        ),
        plain("sync_processor_batch_size", "Transactions in a write to the log.", &log.batch_frames),
        plain("node_created_watch_count", "Watchers told of a node that was created.", created),
        plain("node_deleted_watch_count", "Watchers told of a node that was deleted.", deleted),
        plain("node_changed_watch_count", "Watchers told of changed data.", changed),
        plain("node_children_watch_count", "Watchers told of changed children.", children),
    ]
}

/// One to four decimals and never an exponent: `0.0`, `1.8182`. Clients parse it with a pattern.
pub(crate) fn decimals(number: f64) -> String {
    let text = format!("{number:.4}");
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::decimals;

    #[test]
    fn averages_have_one_to_four_decimals() {
        for (number, text) in
            [(0.0, "0.0"), (20.0 / 11.0, "1.8182"), (0.00012, "0.0001"), (12.5, "12.5"), (1e9, "1000000000.0")]
        {
            assert_eq!(decimals(number), text);
        }
    }
}
