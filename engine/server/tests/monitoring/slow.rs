//! Slow requests and hot paths, on one executor and on several.

use crate::http::get;
use crate::support::client::Client;
use crate::support::ensemble::{Ensemble, Plan};
use crate::support::wire::{Enc, op};
use std::cell::RefCell;
use std::net::SocketAddr;

/// A number that the server tells of itself.
fn monitor(addr: SocketAddr, name: &str) -> u64 {
    get(addr, "/commands/monitor").json()[name].as_u64().unwrap_or(0)
}

/// Transactions that are on its own disk.
fn logged(addr: SocketAddr) -> u64 {
    monitor(addr, "cnt_sync_processor_queue_and_flush_time_ms")
}

#[test]
fn a_slow_write_is_told_with_its_stages() {
    for cores in ["0", "2"] {
        let settings = [("slow.request.threshold.ms", "200"), ("client.cores", cores)];
        let ensemble = Ensemble::of(&Plan { admin: true, settings: &settings, ..Plan::default() });
        let leader = ensemble.leader();
        let followers: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
        let mut client = Client::connect(ensemble.addr(leader));
        client.create("/slow", b"", 0).unwrap();
        let addr = ensemble.admin_addr(leader);
        let all_logged = |_: &Ensemble| logged(addr) >= monitor(addr, "proposal_count");
        ensemble.wait_until("the leader's log has all before", all_logged);
        let before = logged(addr);
        // Without a follower that turns nothing is committed.
        followers.iter().for_each(|at| ensemble.pause(*at));
        client.send(op::SET_DATA, &Enc::new().str("/slow").buf(Some(&b"x"[..])).i32(-1).0);
        // It is in the leader's log, and waits for longer than the threshold by the leader's own clock.
        ensemble.wait_until("the write is logged", |_| logged(addr) > before);
        let seen = monitor(addr, "uptime");
        ensemble.wait_until("it has waited", |_| monitor(addr, "uptime") > seen + 200);
        followers.iter().for_each(|at| ensemble.resume(*at));
        client.reply().unwrap();
        let told = get(addr, "/commands/slow_requests").json();
        let slow = &told["requests"][0];
        assert_eq!((&slow["path"], &slow["operation"]), (&"/slow".into(), &"setData".into()), "{told:#}");
        assert!(slow["duration_ms"].as_f64().unwrap() >= 200.0, "{told:#}");
        let stages = &slow["stages_ms"];
        let stage = |name: &str| stages[name].as_f64().unwrap_or_else(|| panic!("{name}: {told:#}"));
        assert!(stage("quorum") >= 200.0 && stage("log") < stage("quorum"), "{told:#}");
        assert!(ensemble.output(leader).contains("slow request"), "it is logged, too");
    }
}

#[test]
fn hot_paths_are_told() {
    let ensemble = Ensemble::of(&Plan { admin: true, ..Plan::default() });
    let client = RefCell::new(Client::connect(ensemble.addr(0)));
    client.borrow_mut().create("/hot", b"", 0).unwrap();
    // Of a server that is older than a period the last one is told.
    ensemble.wait_until("the hot path is told", |ensemble| {
        (0..400).for_each(|_| drop(client.borrow_mut().get("/hot", false).unwrap()));
        let told = get(ensemble.admin_addr(0), "/commands/hot_paths").json();
        told["paths"][0]["path"] == "/hot" && told["paths"][0]["samples"].as_u64() >= Some(10)
    });
}
