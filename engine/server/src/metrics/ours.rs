//! What ZooKeeper has no name for, or another meaning: families that begin with `ringkeeper_`.

use super::Measures;
use super::change;
use super::family::{Family, Unit};
use crate::four_letter::{Mode, Snapshot};
use crate::version;
use ringkeeper_core::jute::OpCode;
use ringkeeper_core::measure::Histogram;
use ringkeeper_core::zab::RoleChange;
use ringkeeper_node::Learner;

/// All of them.
pub fn families(server: &Snapshot) -> Vec<Family> {
    let measures = &*server.measures;
    let mut all = state(server);
    all.extend(ensemble(server));
    all.extend(change::families(server.leader_change));
    all.extend(clients(measures));
    all.extend(limits(measures));
    all.extend(writes(measures));
    all.extend(log(measures));
    all.extend(executors(measures));
    all
}

const MODES: [Mode; 5] = [Mode::Standalone, Mode::Leader, Mode::Follower, Mode::Observer, Mode::ReadOnly];

fn state(server: &Snapshot) -> Vec<Family> {
    let is = |mode: Mode| f64::from(u8::from(server.answers && server.mode == mode));
    let build = vec![(vec![("version", version::NUMBER.to_owned())], 1.0)];
    let certificate = server.measures.certificate_seconds.map(|seconds| {
        let help =
            "Seconds until the first TLS certificate that clients or other servers see expires; negative when it has.";
        Family::gauge("ringkeeper_tls_certificate_expiry_seconds", help, seconds as f64)
    });
    let always = vec![
        Family {
            name: "ringkeeper_build_info",
            help: "Always 1; the label tells the version.",
            series: super::Series::Gauge(build),
        },
        Family::gauge(
            "ringkeeper_serving",
            "1 if requests are taken: the server leads, or follows a leader and is up to date.",
            f64::from(u8::from(server.serving)),
        ),
        Family::gauges(
            "ringkeeper_role",
            "1 for the part that the server plays; all 0 while it has no leader and is not read-only.",
            "role",
            MODES.map(|mode| (mode.name().to_owned(), is(mode))),
        ),
        Family::gauge("ringkeeper_epoch", "The established epoch, or the last one known.", f64::from(server.epoch.0)),
        Family::gauge(
            "ringkeeper_zxid_in_epoch",
            "Number of the last applied transaction within its epoch.",
            f64::from(server.zxid.counter()),
        ),
        Family::gauge(
            "ringkeeper_log_room",
            "0 while the disk is so full that writes are refused.",
            f64::from(u8::from(server.log_room)),
        ),
    ];
    always.into_iter().chain(certificate).collect()
}

fn ensemble(server: &Snapshot) -> Vec<Family> {
    let role = &server.measures.backend.role;
    let synced = &server.measures.backend.synchronised;
    let leads = matches!(server.role, Some(RoleChange::Leading { .. }));
    let of = |value: fn(&Learner) -> f64| {
        let learners = if leads { server.learners.as_slice() } else { &[] };
        learners.iter().map(move |learner| (learner.status.id.0.to_string(), value(learner))).collect::<Vec<_>>()
    };
    vec![
        Family::gauges(
            "ringkeeper_learner_up_to_date",
            "On the leader, for each server that follows it: 1 if it has caught up.",
            "server",
            of(|learner| f64::from(u8::from(learner.status.up_to_date))),
        ),
        Family::gauges(
            "ringkeeper_learner_lag_transactions",
            "On the leader: transactions that the other server has not confirmed to have on disk.",
            "server",
            of(|learner| learner.lacks as f64),
        ),
        Family::gauges(
            "ringkeeper_learner_lag_seconds",
            "On the leader: for how long the oldest of those transactions has waited for the other server.",
            "server",
            of(|learner| learner.lag.as_secs_f64()),
        ),
        Family::counters(
            "ringkeeper_learners_synchronised_total",
            "How servers that came to this leader were brought up to date: by missing transactions from memory or from \
             the log, with a cut before, or by the whole state.",
            "method",
            [
                ("memory", synced.diff - synced.from_log.min(synced.diff)),
                ("log", synced.from_log),
                ("cut", synced.trunc),
                ("state", synced.snap),
            ]
            .map(|(method, count)| (method.to_owned(), count as f64)),
        ),
        Family::histogram(
            "ringkeeper_without_leader_seconds",
            "How long the server was without a leader each time, until it was up to date with one.",
            Unit::Seconds,
            &role.without_leader,
        ),
    ]
}

fn clients(measures: &Measures) -> Vec<Family> {
    let (frontend, sockets, replica) = (&measures.frontend, &measures.sockets, &measures.backend.replica);
    let limits = &measures.limits;
    let requests = OpCode::ALL.into_iter().filter(|op| is_asked_for(*op));
    let events = ["created", "deleted", "changed", "children"].into_iter().zip(&frontend.told);
    vec![
        Family::counters(
            "ringkeeper_requests_total",
            "Requests of open sessions by operation.",
            "op",
            requests.map(|op| (op_name(op), frontend.requests.of(op) as f64)),
        ),
        Family::histograms(
            "ringkeeper_request_duration_seconds",
            "From the arrival of a request to its answer. A read is answered by this server alone, an update is ordered \
             by the leader.",
            Unit::Seconds,
            "kind",
            [("read", &frontend.reads), ("update", &frontend.updates)],
        ),
        Family::counter(
            "ringkeeper_slow_requests_total",
            "Requests slower than slow.request.threshold.ms.",
            frontend.slow,
        ),
        Family::counter("ringkeeper_requests_refused_total", "Requests that became no transaction.", replica.refused),
        Family::counter("ringkeeper_received_bytes_total", "Bytes of requests.", frontend.bytes_received),
        Family::counter("ringkeeper_sent_bytes_total", "Bytes of replies and events.", frontend.bytes_sent),
        Family::counters(
            "ringkeeper_watch_events_total",
            "Events sent to watchers, by what had happened to the node.",
            "event",
            events.map(|(event, told)| (event.to_owned(), told.sum() as f64)),
        ),
        Family::counter(
            "ringkeeper_connections_accepted_total",
            "Connections of clients, refused ones included.",
            sockets.accepted,
        ),
        Family::counters(
            "ringkeeper_connections_closed_total",
            "Connections that the server has ended: over a limit (maxClientCnxns, maxCnxns), because the client did not \
             read, sent a length that cannot be, or asked for no session in time.",
            "reason",
            [
                ("limit", sockets.refused),
                ("not_reading", sockets.too_slow),
                ("bad_length", sockets.bad_frames),
                ("no_session", frontend.sessionless_closed),
                ("rate", limits.connects_throttled),
                ("sessions", limits.sessions_refused),
                ("memory", limits.sessions_refused_for_memory),
                ("large_request", limits.large_requests_rejected),
            ]
            .map(|(reason, count)| (reason.to_owned(), count as f64)),
        ),
        Family::counters(
            "ringkeeper_sessions_total",
            "What has happened to sessions of the ensemble. Those that expired are counted by the leader, and are among \
             those that closed.",
            "event",
            [
                ("opened", replica.sessions_opened),
                ("moved", replica.sessions_moved),
                ("closed", replica.sessions_closed),
                ("expired", replica.sessions_expired),
            ]
            .map(|(event, count)| (event.to_owned(), count as f64)),
        ),
    ]
}

/// Connections and sessions that a limit has ended are among `ringkeeper_connections_closed_total`.
fn limits(measures: &Measures) -> [Family; 4] {
    let Measures { limits, memory, .. } = measures;
    [
        Family::counters(
            "ringkeeper_requests_rejected_total",
            "Requests answered with an error because of a limit. watches: watches.max and connection.watches.max; memory: writes that need more while \
             memory is short.",
            "limit",
            [("watches", limits.watches_refused), ("memory", limits.writes_refused_for_memory)]
                .map(|(limit, count)| (limit.to_owned(), count as f64)),
        ),
        Family::gauge("ringkeeper_memory_used_bytes", "Memory that counts against the limit.", memory.used as f64),
        Family::gauge("ringkeeper_memory_limit_bytes", "Memory that the process may use.", memory.limit as f64),
        Family::gauge(
            "ringkeeper_memory_short",
            "1 while new sessions and writes that need more memory are refused.",
            f64::from(u8::from(memory.short)),
        ),
    ]
}

fn writes(measures: &Measures) -> Vec<Family> {
    let (replica, stages) = (&measures.backend.replica, &measures.backend.stages);
    let by_stage: [(&str, &Histogram); 6] = [
        ("queue", &replica.queue),
        ("prepare", &stages.prepare),
        ("log", &stages.log),
        ("quorum", &stages.quorum),
        ("apply", &stages.apply),
        ("reply", &stages.reply),
    ];
    vec![
        Family::histograms(
            "ringkeeper_write_stage_seconds",
            "Where the time of writes goes. queue: from arrival until the request is judged or sent to the leader; \
             prepare (on the leader): until the transaction is handed to log and followers; log: from then until it is on \
             this server's disk; quorum: from then until it is committed; apply: until the tree shows it; reply: until \
             the replies are written.",
            Unit::Seconds,
            "stage",
            by_stage,
        ),
        Family::counter(
            "ringkeeper_transactions_applied_total",
            "Transactions that were applied to the tree.",
            replica.applied,
        ),
    ]
}

fn log(measures: &Measures) -> Vec<Family> {
    let backend = &measures.backend;
    let log = &backend.log;
    vec![
        Family::histogram(
            "ringkeeper_log_sync_seconds",
            "How long writes took that end on stable storage, and syncs of earlier writes.",
            Unit::Seconds,
            &log.synced,
        ),
        Family::histogram(
            "ringkeeper_log_write_seconds",
            "How long writes took that are not synced by themselves (log.durability other than always).",
            Unit::Seconds,
            &log.unsynced,
        ),
        Family::histogram(
            "ringkeeper_log_batch_transactions",
            "Transactions in a write.",
            Unit::Plain,
            &log.batch_frames,
        ),
        Family::histogram("ringkeeper_log_batch_bytes", "Bytes of a write, as on disk.", Unit::Plain, &log.batch_bytes),
        Family::counter(
            "ringkeeper_log_slow_writes_total",
            "Writes and syncs that took longer than fsync.warningthresholdms.",
            log.slow,
        ),
        Family::histogram("ringkeeper_snapshot_seconds", "How long snapshots took.", Unit::Seconds, &backend.snapshots),
        Family::counter(
            "ringkeeper_snapshot_failures_total",
            "Snapshots that could not be taken.",
            backend.snapshot_failures,
        ),
    ]
}

fn executors(measures: &Measures) -> Vec<Family> {
    let executors = &measures.executors;
    vec![
        Family::counters(
            "ringkeeper_executor_busy_seconds_total",
            "Processor time of the executor: its rate is its load, 1 being all of a core.",
            "executor",
            executors.iter().map(|executor| (executor.name.clone(), executor.busy.as_secs_f64())),
        ),
        Family::counters(
            "ringkeeper_executor_turns_total",
            "Passes of the executor over everything that was ready.",
            "executor",
            executors.iter().map(|executor| (executor.name.clone(), executor.turns as f64)),
        ),
    ]
}

/// The rest is never asked for by a client, or not taken from one.
fn is_asked_for(op: OpCode) -> bool {
    !matches!(
        op,
        OpCode::Notification | OpCode::CreateSession | OpCode::Error | OpCode::DeleteContainer | OpCode::Check
    )
}

/// ZooKeeper's name of an operation: `getData`.
pub(crate) fn op_name(op: OpCode) -> String {
    let name = format!("{op:?}");
    name[..1].to_ascii_lowercase() + &name[1..]
}
