//! `ringkeeper top`: an ensemble as text, as JSON, and on a terminal.

use super::support::client::Client;
use super::support::ensemble::{Ensemble, Plan};
use super::support::server::{Server, Target};
use super::terminal::Terminal;
use super::{Said, ringkeeper, support};
use serde_json::Value;

/// The view in JSON, when it is `as expected`. Servers may need a moment to agree.
fn view(servers: &str, as_expected: impl Fn(&Value) -> bool) -> Value {
    let read =
        |said: &Said| serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}{}", said.out, said.err));
    read(&text(&["top", "--once", "--json", servers], |said| as_expected(&read(said))))
}

/// What is said when it is `as expected`: a server that takes a second to answer is missing in a view.
fn text(arguments: &[&str], as_expected: impl Fn(&Said) -> bool) -> Said {
    let mut last = ringkeeper(arguments, "");
    for _ in 0..20 {
        if as_expected(&last) {
            return last;
        }
        last = ringkeeper(arguments, "");
    }
    panic!("{arguments:?}: what is said is not as expected: {}{}", last.out, last.err);
}

#[test]
fn an_ensemble_is_seen() {
    let mut ensemble = Ensemble::of(&Plan::default());
    let addresses: Vec<String> = ensemble.addrs().iter().map(ToString::to_string).collect();
    let all = addresses.join(",");
    // Twice asked, each tells how much it does in a second.
    let told =
        |server: &Value| server["behind"] == 0 && server["nodes"].is_u64() && server["requestsPerSecond"].is_f64();
    let view = view(&all, |view| {
        view["serving"] == 3 && view["leader"].is_string() && view["servers"].as_array().unwrap().iter().all(told)
    });
    let servers = view["servers"].as_array().unwrap();
    let states: Vec<_> = servers.iter().map(|server| server["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "follower").count(), 2, "{states:?}");

    ensemble.kill(0);
    // The other two may have to elect a leader first.
    let said = text(&["top", "--once", &all], |said| said.out.starts_with("2 of 3 servers serve, leader "));
    assert_eq!(said.status, 0, "{}", said.err);
    let line = said.out.lines().find(|line| line.starts_with(&addresses[0])).unwrap();
    assert!(line.ends_with("down: Connection refused"), "{}", said.out);
    assert_eq!(said.out.lines().count(), 7, "{}", said.out);

    let state = tempfile::tempdir().unwrap();
    for size in [(80, 24), (200, 50)] {
        let mut top = Terminal::start(&["top", &all], state.path(), size);
        let parts = ["2 of 3 servers serve, leader ", "down: Connection refused"];
        let screen = top.see("a view of two servers", |screen| {
            let whole = screen.starts_with("ringkeeper top") && screen.ends_with("space stands still");
            whole && parts.iter().all(|part| screen.contains(part))
        });
        assert_eq!(screen.contains("WATCHES"), size.0 == 200, "{screen}");
        top.press("q");
        assert_eq!(top.end(), Some(0));
    }
}

/// One address is given. The paths are told only if `4lw.commands.whitelist` allows it; without `conf` the others are found in the
/// node of the configuration.
#[test]
fn the_others_are_found_and_memory_and_the_hottest_paths_are_told() {
    for (words, told) in [("*", true), ("srvr,mntr", false)] {
        let settings = &[("4lw.commands.whitelist", words)];
        let ensemble = Ensemble::of(&Plan { client_ports: true, settings, ..Plan::default() });
        let mut client = Client::connect(ensemble.addr(1));
        client.create("/hot", b"", 0).unwrap();
        (0..100).for_each(|_| {
            client.get("/hot", false).unwrap();
        });
        let one = ensemble.addr(0).to_string();
        let arguments = ["top", "--once", "-s", one.as_str()];
        let view = view(&one, |view| {
            let servers = view["servers"].as_array().unwrap();
            let all = servers.len() == 3 && servers.iter().all(|server| server["memoryLimitBytes"].is_u64());
            all && (!told || view["hottestPaths"][0].is_object())
        });
        let servers = view["servers"].as_array().unwrap();
        let mut names: Vec<_> = servers.iter().map(|server| server["server"].as_str().unwrap().to_owned()).collect();
        let mut expected: Vec<_> = ensemble.addrs().iter().map(ToString::to_string).collect();
        names.sort();
        expected.sort();
        assert_eq!(names, expected, "{view:#}");
        for server in servers {
            let bytes = |name: &str| server[name].as_u64().unwrap_or_else(|| panic!("no {name}: {server:#}"));
            assert!(bytes("memoryBytes") > 1 << 20, "{server:#}");
            assert!(bytes("memoryUsedBytes") < bytes("memoryLimitBytes"), "{server:#}");
        }
        assert_eq!(view["hottestPaths"][0]["path"] == "/hot", told, "{view:#}");
        let text = text(&arguments, |said| !told || said.out.contains("HOTTEST PATH")).out;
        assert_eq!(text.contains("HOTTEST PATH"), told, "{text}");
        assert_eq!(text.contains("hottest paths: not told; add hotp to 4lw.commands.whitelist"), !told, "{text}");
    }
}

#[test]
fn zookeeper_is_seen() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return support::skipped("zookeeper_is_seen", &reason);
    }
    let server = Server::start(Target::ZooKeeper);
    let view =
        view(&server.addr().to_string(), |view| view["serving"] == 1 && view["servers"][0]["memoryBytes"].is_u64());
    let server = &view["servers"][0];
    assert_eq!((&server["state"], &server["behind"]), (&"standalone".into(), &0.into()), "{view:#}");
    assert!(server["memoryBytes"].is_u64() && server["zxid"].is_string(), "{view:#}");
}

#[test]
fn nobody_serves() {
    let nobody = format!("127.0.0.1:{}", support::ports::free_port());
    let said = text(&["top", "--once", "--only", &nobody], |said| said.out.contains("down"));
    assert_eq!(said.status, 3);
    assert!(said.out.starts_with("0 of 1 servers serve, no leader\n- txn/s"), "{}", said.out);
    assert!(said.out.ends_with("down: Connection refused\n"), "{}", said.out);
}
