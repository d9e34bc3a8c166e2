//! `ringkeeper top`: an ensemble as text, as JSON, and on a terminal.

use super::support::ensemble::{Ensemble, Plan};
use super::support::server::{Server, Target};
use super::terminal::Terminal;
use super::{ringkeeper, support};

/// The view in JSON, when it is `as expected`. Servers may need a moment to agree.
fn view(servers: &str, as_expected: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let mut last = serde_json::Value::Null;
    for _ in 0..20 {
        let said = ringkeeper(&["top", "--once", "--json", servers], "");
        last = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}{}", said.out, said.err));
        if as_expected(&last) {
            return last;
        }
    }
    panic!("the view is not as expected: {last:#}");
}

#[test]
fn an_ensemble_is_seen() {
    let mut ensemble = Ensemble::of(&Plan::default());
    let addresses: Vec<String> = ensemble.addrs().iter().map(ToString::to_string).collect();
    let all = addresses.join(",");
    let view = view(&all, |view| view["serving"] == 3 && view["leader"].is_string());
    let servers = view["servers"].as_array().unwrap();
    let states: Vec<_> = servers.iter().map(|server| server["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "follower").count(), 2, "{states:?}");
    assert!(servers.iter().all(|server| server["behind"] == 0 && server["nodes"].is_u64()), "{view:#}");
    assert!(servers.iter().all(|server| server["requestsPerSecond"].is_f64()), "{view:#}");

    ensemble.kill(0);
    // The other two may have to elect a leader first.
    let _ = self::view(&all, |view| view["serving"] == 2);
    let said = ringkeeper(&["top", "--once", &all], "");
    assert_eq!(said.status, 0, "{}", said.err);
    let line = said.out.lines().find(|line| line.starts_with(&addresses[0])).unwrap();
    assert!(line.ends_with("down: Connection refused"), "{}", said.out);
    assert_eq!(said.out.lines().count(), 6, "{}", said.out);

    let state = tempfile::tempdir().unwrap();
    for size in [(80, 24), (200, 50)] {
        let mut top = Terminal::start(&["top", &all], state.path(), size);
        top.see("2 of 3 servers serve, leader ");
        let screen = top.see("down: Connection refused");
        assert!(screen.starts_with("ringkeeper top") && screen.ends_with("space stands still"), "{screen}");
        assert_eq!(screen.contains("WATCHES"), size.0 == 200, "{screen}");
        top.press("q");
        assert_eq!(top.end(), Some(0));
    }
}

#[test]
fn zookeeper_is_seen() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return support::skipped("zookeeper_is_seen", &reason);
    }
    let server = Server::start(Target::ZooKeeper);
    let view = view(&server.addr().to_string(), |view| view["serving"] == 1);
    let server = &view["servers"][0];
    assert_eq!((&server["state"], &server["behind"]), (&"standalone".into(), &0.into()), "{view:#}");
    assert!(server["memoryBytes"].is_u64() && server["zxid"].is_string(), "{view:#}");
}

#[test]
fn nobody_serves() {
    let nobody = format!("127.0.0.1:{}", support::server::free_port());
    let said = ringkeeper(&["top", "--once", "--only", &nobody], "");
    assert_eq!(said.status, 3);
    assert!(said.out.starts_with("0 of 1 servers serve, no leader\n- txn/s"), "{}", said.out);
}
