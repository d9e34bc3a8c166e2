//! `loadgen probe`.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use support::null_server::{Conduct, NullServer, Welcome};
use support::{NOBODY, loadgen, logged_by, number};

#[test]
fn every_floor_is_measured_and_nothing_is_left_behind() {
    let server = NullServer::start(Conduct::default());
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let line = format!("probe --dir {} --writes 16 -s {}", dir.path().display(), server.address);
    let (ran, logged) = logged_by(&line);
    let result = ran.result();
    let ways = result["disk"]["ways"].as_array().unwrap();
    assert_eq!(ways.len(), 5, "{result:#}");
    for way in ways {
        assert!(way["unavailable"].is_string() || number(way, "latency_us/p50") > 0.0, "{way:#}");
    }
    assert_eq!(number(&ways[4], "writes"), 16.0);
    assert_eq!(logged["buffered"], 16, "{logged:?}");
    assert_eq!(logged["loopback"] as f64, number(result, "loopback/trips"), "{logged:?}");
    let to_server = format!("server.{}", server.address);
    assert_eq!(logged[&to_server] as f64, number(&result["servers"][0], "trips"), "{logged:?}");
    assert!(logged["wake.same-core"] > 0, "{logged:?}");
    assert!(number(result, "loopback/latency_us/p50") > 0.0);
    assert!(number(result, "wake/same_core_us/p50") > 0.0);
    assert!(number(&result["servers"][0], "latency_us/p99") > 0.0);
    assert_eq!(result["servers"][0]["server"], server.address.to_string());
    for says in ["uring-dsync", "buffered", "loopback", "on another core", "(ping)", "mounted at"] {
        assert!(ran.stdout.contains(says), "{says}: {}", ran.stdout);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_reached_is_named_and_the_rest_is_kept() {
    let closed = NullServer::start(Conduct { welcome: Welcome::Close, ..Conduct::default() });
    for server in [NOBODY.to_owned(), closed.address.to_string()] {
        let ran = loadgen(&format!("probe --dir {} -n 8 -s {server}", env!("CARGO_TARGET_TMPDIR"))).expect(1);
        assert!(ran.stdout.contains(&format!("FAILED: round trip to {server}")), "{ran:#?}");
        assert!(number(ran.result(), "loopback/trips") > 0.0);
    }
    let strict = "probe -n 8 --fail-if buffered.max>0ms --fail-if loopback.p50>9s --dir";
    let ran = loadgen(&format!("{strict} {}", env!("CARGO_TARGET_TMPDIR"))).expect(4);
    assert!(ran.stderr.contains("past the threshold buffered.max>0ms") && !ran.stderr.contains("loopback"), "{ran:#?}");
    let ran = loadgen("probe --dir /no/such/directory").expect(1);
    assert!(ran.stderr.contains("/no/such/directory"), "{}", ran.stderr);
    assert!(ran.json.is_none());
}
