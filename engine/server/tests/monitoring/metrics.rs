//! What is counted is what was done.

use crate::http::get;
use crate::support::client::Client;
use crate::support::ensemble::{Ensemble, Plan};
use crate::support::ports::free_port;
use crate::support::server::{Server, Target};
use std::net::SocketAddr;

/// The number behind a series' name with its labels.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

fn scrape(addr: SocketAddr) -> String {
    let answer = get(addr, "/metrics");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    answer.text().to_owned()
}

const WRITES: usize = 50;
const STAGES: [&str; 5] = ["queue", "log", "quorum", "apply", "reply"];

/// Whether what a server has applied is on its own disk, too.
fn all_is_logged(text: &str) -> bool {
    let count = |stage: &str| value(text, &format!("ringkeeper_write_stage_seconds_count{{stage=\"{stage}\"}}"));
    count("log") >= count("apply")
}

#[test]
fn every_stage_of_writes_is_measured_on_every_server() {
    for settings in [&[][..], &[("client.cores", "2")]] {
        let ensemble = Ensemble::of(&Plan { admin: true, settings, ..Plan::default() });
        let leader = ensemble.leader();
        let follower = (leader + 1) % 3;
        for at in [leader, follower] {
            let mut client = Client::connect(ensemble.addr(at));
            client.create(&format!("/n{at}"), b"", 0).unwrap();
            client.get(&format!("/n{at}"), true).unwrap();
            (0..WRITES).for_each(|_| {
                client.set(&format!("/n{at}"), b"data", -1).unwrap();
            });
        }
        ensemble.wait_until_equal();
        // A server applies what the others' disks have, while its own may still be at it.
        for at in [leader, follower] {
            ensemble.wait_until("its own log", |ensemble| all_is_logged(&scrape(ensemble.admin_addr(at))));
        }
        let writes = 2.0 * (WRITES as f64 + 1.0);
        for at in [leader, follower] {
            let text = scrape(ensemble.admin_addr(at));
            for stage in STAGES {
                let count = value(&text, &format!("ringkeeper_write_stage_seconds_count{{stage=\"{stage}\"}}"));
                let least = if stage == "queue" { WRITES as f64 + 1.0 } else { writes };
                assert!(count >= least, "{stage}: {count}");
                let sum = value(&text, &format!("ringkeeper_write_stage_seconds_sum{{stage=\"{stage}\"}}"));
                assert!(sum > 0.0 || stage == "queue", "{stage} takes time");
            }
            assert!(value(&text, "ringkeeper_log_sync_seconds_count") > 0.0);
            assert!(value(&text, "ringkeeper_log_batch_transactions_sum") >= writes);
            assert_eq!(value(&text, "ringkeeper_requests_total{op=\"setData\"}"), WRITES as f64);
            assert_eq!(value(&text, "ringkeeper_watch_events_total{event=\"changed\"}"), 1.0);
            assert!(value(&text, "ringkeeper_executor_busy_seconds_total{executor=\"replica\"}") > 0.0);
            assert!(value(&text, "ringkeeper_received_bytes_total") > 0.0);
            for phase in ["elect", "synchronise", "first_commit"] {
                assert!(value(&text, &format!("ringkeeper_leader_change_seconds{{phase=\"{phase}\"}}")) >= 0.0);
            }
            let noticed = value(&text, "ringkeeper_leader_change_noticed_timestamp_seconds");
            let started = value(&text, "process_start_time_seconds");
            assert!((started - 2.0..started + 120.0).contains(&noticed), "{noticed}: the server started at {started}");
            assert!(value(&text, "election_time_count") >= 1.0);
            assert!(at == leader || value(&text, "follower_sync_time_count") >= 1.0);
            let memory = ["used", "limit"].map(|name| value(&text, &format!("ringkeeper_memory_{name}_bytes")));
            assert!(memory[0] > 0.0 && memory[0] < memory[1], "{memory:?}");
            assert_eq!(value(&text, "ringkeeper_requests_rejected_total{limit=\"memory\"}"), 0.0);
            let leads = f64::from(u8::from(at == leader));
            assert_eq!(value(&text, "ringkeeper_role{role=\"leader\"}"), leads);
            let prepared = value(&text, "ringkeeper_write_stage_seconds_count{stage=\"prepare\"}");
            assert_eq!(prepared > 0.0, at == leader);
        }
        let others = |text: &str, name: &str| {
            let ids = (0..3).filter(|at| *at != leader).map(|at| at + 1);
            let series = ids.map(|id| value(text, &format!("ringkeeper_learner_{name}{{server=\"{id}\"}}")));
            series.collect::<Vec<_>>()
        };
        // What a follower has on disk it shows before the leader has heard of it.
        ensemble.wait_until("followers that lack nothing", |ensemble| {
            others(&scrape(ensemble.admin_addr(leader)), "lag_transactions") == [0.0, 0.0]
        });
        let text = scrape(ensemble.admin_addr(leader));
        assert_eq!((others(&text, "up_to_date"), others(&text, "lag_seconds")), (vec![1.0; 2], vec![0.0; 2]));
        assert_eq!((value(&text, "synced_followers"), value(&text, "quorum_size")), (2.0, 3.0));
    }
}

#[test]
fn a_reset_counts_anew() {
    let ensemble = Ensemble::of(&Plan { admin: true, ..Plan::default() });
    let leader = ensemble.leader();
    Client::connect(ensemble.addr(leader)).create("/a", b"", 0).unwrap();
    let addr = ensemble.admin_addr(leader);
    // The others' disks may have been faster than the leader's own, which still counts then.
    ensemble.wait_until("the leader's own log", |_| all_is_logged(&scrape(addr)));
    assert!(value(&scrape(addr), "ringkeeper_sessions_total{event=\"opened\"}") >= 1.0);
    assert_eq!(get(addr, "/commands/stat_reset").json()["error"], serde_json::Value::Null);
    let text = scrape(addr);
    assert_eq!(value(&text, "ringkeeper_requests_total{op=\"create\"}"), 0.0);
    assert_eq!(value(&text, "ringkeeper_write_stage_seconds_count{stage=\"log\"}"), 0.0);
    assert_eq!(value(&text, "packets_received"), 0.0);
    assert_eq!(value(&text, "ringkeeper_sessions_total{event=\"opened\"}"), 0.0);
    assert!(value(&text, "leader_uptime") > 0.0 && value(&text, "znode_count") > 5.0, "gauges stay");
}

#[test]
fn a_port_for_metrics_has_nothing_else() {
    let port = free_port();
    let settings = [
        ("metricsProvider.className", "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"),
        ("metricsProvider.httpHost", "127.0.0.1"),
        ("metricsProvider.httpPort", &port.to_string()),
    ];
    let _server = Server::start_with(Target::Ringkeeper, &settings);
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    assert!(value(&scrape(addr), "znode_count") > 4.0);
    for elsewhere in ["/", "/health/ready", "/commands", "/commands/configuration", "/commands/snapshot"] {
        assert_eq!(get(addr, elsewhere).status, 404, "{elsewhere}");
    }
}
