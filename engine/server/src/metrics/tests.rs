//! Rules that all families obey.

use super::{AdminMeasures, Measures, Series, families, prometheus};
use crate::four_letter::{Mode, Snapshot};
use crate::live::{MemoryUse, own_metrics};
use ringkeeper_core::frontend::{FrontendMeasures, LimitCounts};
use ringkeeper_core::ids::{ServerId, Zxid};
use ringkeeper_core::measure::Histogram;
use ringkeeper_core::replica::ReplicaMeasures;
use ringkeeper_core::zab::LearnerStatus;
use ringkeeper_net::SocketStats;
use ringkeeper_node::{BackendMeasures, Learner, StageMeasures};
use std::collections::BTreeSet;
use std::time::Duration;

fn leader() -> Snapshot {
    Snapshot { serving: true, answers: true, mode: Mode::Leader, ..Snapshot::default() }
}

/// So many values, each of a second.
fn seen(times: u64) -> Histogram {
    let mut histogram = Histogram::default();
    histogram.record_many(1_000_000_000, times);
    histogram
}

/// No two are the same, so that each name can be told from where its value comes.
fn measures() -> Measures {
    let stages =
        StageMeasures { prepare: seen(101), log: seen(102), quorum: seen(103), apply: seen(104), reply: seen(105) };
    let replica = ReplicaMeasures {
        queue: seen(106),
        applied: 107,
        refused: 108,
        sessions_opened: 109,
        sessions_moved: 110,
        sessions_closed: 111,
        sessions_expired: 112,
        ..ReplicaMeasures::default()
    };
    let frontend = FrontendMeasures {
        reads: seen(113),
        updates: seen(114),
        bytes_received: 115,
        bytes_sent: 1116,
        watch_bytes: 116,
        connect_requests: 117,
        sessionless_closed: 118,
        slow: 119,
        ..FrontendMeasures::default()
    };
    let limits = LimitCounts {
        connects_throttled: 1_000,
        sessions_refused: 20_000,
        sessions_refused_for_memory: 300_000,
        sessionless_expired: 120,
        large_requests_rejected: 121,
        watches_refused: 1_000,
        writes_refused_for_memory: 20_000,
    };
    let sockets = SocketStats {
        accepted: 122,
        refused: 4_000_000,
        too_slow: 123,
        bad_frames: 124,
        held_back: 125,
        ..SocketStats::default()
    };
    let backend = BackendMeasures { replica, stages, snapshot_failures: 126, ..BackendMeasures::default() };
    let memory = MemoryUse { used: 127, limit: 128, short: true };
    let admin = AdminMeasures {
        snapshot_errors: 129,
        snapshots_too_soon: 130,
        restore_errors: 131,
        restores_too_soon: 132,
        restores: seen(133),
    };
    Measures { backend, frontend, sockets, limits, memory, admin, ..Measures::default() }
}

fn text(mode: Mode) -> String {
    let learner = |id, votes, up_to_date| Learner {
        status: LearnerStatus { id: ServerId(id), votes, up_to_date, acked: Zxid(1) },
        lacks: u64::from(id),
        lag: Duration::from_secs(u64::from(id)),
    };
    let learners =
        vec![learner(2, true, true), learner(3, true, false), learner(4, false, true), learner(5, false, true)];
    let server = Snapshot {
        mode,
        serving: true,
        answers: true,
        measures: Box::new(measures()),
        learners,
        ..Snapshot::default()
    };
    prometheus::text(&families(&server))
}

fn assert_values(text: &str, expected: &[(&str, f64)]) {
    for (series, value) in expected {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let found: f64 = line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap();
        assert!((found - value).abs() < 1e-9, "{series} is {found}, not {value}");
    }
}

#[test]
fn each_name_has_its_own_value() {
    let text = text(Mode::Leader);
    let stage = |name: &str| format!("ringkeeper_write_stage_seconds_count{{stage=\"{name}\"}}");
    for (name, times) in
        [("prepare", 101.0), ("log", 102.0), ("quorum", 103.0), ("apply", 104.0), ("reply", 105.0), ("queue", 106.0)]
    {
        assert_values(&text, &[(&stage(name), times)]);
    }
    assert_values(
        &text,
        &[
            ("ringkeeper_transactions_applied_total", 107.0),
            ("ringkeeper_requests_refused_total", 108.0),
            ("ringkeeper_sessions_total{event=\"opened\"}", 109.0),
            ("ringkeeper_sessions_total{event=\"moved\"}", 110.0),
            ("ringkeeper_sessions_total{event=\"closed\"}", 111.0),
            ("ringkeeper_sessions_total{event=\"expired\"}", 112.0),
            ("ringkeeper_request_duration_seconds_count{kind=\"read\"}", 113.0),
            ("ringkeeper_request_duration_seconds_count{kind=\"update\"}", 114.0),
            ("ringkeeper_received_bytes_total", 115.0),
            ("ringkeeper_sent_bytes_total", 1116.0),
            ("ringkeeper_slow_requests_total", 119.0),
            ("ringkeeper_connections_accepted_total", 122.0),
            ("ringkeeper_snapshot_failures_total", 126.0),
        ],
    );
    let closed = [
        ("limit", 4_000_000.0),
        ("not_reading", 123.0),
        ("bad_length", 124.0),
        ("no_session", 118.0),
        ("rate", 1_000.0),
        ("sessions", 20_000.0),
        ("memory", 300_000.0),
        ("large_request", 121.0),
    ];
    for (reason, times) in closed {
        assert_values(&text, &[(&format!("ringkeeper_connections_closed_total{{reason=\"{reason}\"}}"), times)]);
    }
}

#[test]
fn zookeepers_names_have_what_they_mean_there() {
    let text = text(Mode::Leader);
    assert_values(
        &text,
        &[
            ("connection_rejected", 4_321_000.0),
            ("throttled_ops", 21_000.0),
            ("large_requests_rejected", 121.0),
            ("request_throttle_wait_count", 125.0),
            ("sessionless_connections_expired", 118.0),
            ("stale_sessions_expired", 112.0),
            ("connection_request_count", 117.0),
            ("connection_revalidate_count", 110.0),
            ("bytes_received_count", 115.0),
            ("response_bytes", 1000.0),
            ("watch_bytes", 116.0),
            ("commit_count", 103.0),
            ("learner_commit_received_count", 0.0),
            ("proposal_count", 101.0),
            ("snapshot_error_count", 129.0),
            ("snapshot_rate_limited_count", 130.0),
            ("restore_error_count", 131.0),
            ("restore_rate_limited_count", 132.0),
            ("restore_time_count", 133.0),
            ("restore_time_sum", 133_000.0),
            ("learners", 4.0),
            ("synced_followers", 1.0),
            ("synced_observers", 2.0),
            ("pending_syncs", 1.0),
        ],
    );
    let text = self::text(Mode::Follower);
    assert_values(&text, &[("commit_count", 0.0), ("learner_commit_received_count", 103.0)]);
}

#[test]
fn mntr_has_the_limits_under_names_of_ours() {
    let server = Snapshot { measures: Box::new(measures()), ..Snapshot::default() };
    let lines = own_metrics(&server);
    let told: Vec<String> = lines.iter().take(10).map(|metric| format!("{} {:?}", metric.name, metric.value)).collect();
    assert_eq!(
        told,
        [
            "connections_rejected_by_rate Count(1000)",
            "sessions_rejected Count(20000)",
            "watches_rejected Count(1000)",
            "memory_rejected_sessions Count(300000)",
            "memory_rejected_writes Count(20000)",
            "slow_clients_closed Count(123)",
            "impossible_requests_closed Count(124)",
            "memory_used Count(127)",
            "memory_limit Count(128)",
            "memory_short Count(1)",
        ]
    );
}

#[test]
fn names_are_unique_and_told_by_their_form() {
    let mut seen = BTreeSet::new();
    for family in families(&leader()) {
        assert!(seen.insert(family.name), "{} twice", family.name);
        assert!(
            family.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{}",
            family.name
        );
        assert!(family.help.ends_with('.'), "{}: {}", family.name, family.help);
        if family.name.starts_with("ringkeeper_") {
            let counts = matches!(family.series, Series::Counter(_));
            assert_eq!(counts, family.name.ends_with("_total"), "{}", family.name);
        }
    }
}

/// The page that explains them has them all.
#[test]
fn every_family_is_documented() {
    let page = include_str!("../../../../docs/monitoring.md");
    let missing: Vec<&str> = families(&leader())
        .iter()
        .map(|family| family.name)
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "docs/monitoring.md lacks them");
}

#[test]
fn the_text_has_every_family_once() {
    let families = families(&leader());
    let text = prometheus::text(&families);
    assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE ")).count(), families.len());
}
