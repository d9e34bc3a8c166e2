//! A server whose log is in a directory of its own (`dataLogDir`): commands on its directories have to be told of it.

use super::support::client::Client;
use super::support::server::{Server, Target, ringkeeper_binary};
use super::{facts, run, text};
use std::path::Path;
use std::process::Command;

/// A stopped server with nodes that only the log in `log` has.
fn server_with_log_in(log: &Path) -> Server {
    let mut server = Server::start_with(Target::Ringkeeper, &[("dataLogDir", text(log))]);
    let mut client = Client::connect(server.addr());
    (0..10).for_each(|n| drop(client.create(&format!("/n{n}"), b"data", 0).unwrap()));
    client.close();
    assert!(server.stop().success());
    server
}

fn has_segments(dir: &Path) -> bool {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.into_iter().any(|name| name.to_string_lossy().starts_with("segment."))
}

#[test]
fn commands_find_the_log_where_it_is_said_to_be() {
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    let log = at("log");
    let server = server_with_log_in(&log);
    let data = server.data_dir();
    assert!(has_segments(&log) && !has_segments(&data));
    let said_to_be = ["--log-dir", text(&log)];

    let taken = &facts(&[&["backup", text(&data), text(&at("backup"))][..], &said_to_be].concat())[0];
    assert!(taken["new_transactions"].as_u64() >= Some(10), "{taken}");
    let exported = &facts(&[&["export", text(&data), text(&at("exported"))][..], &said_to_be].concat())[0];
    let checked = &facts(&[&["snapshot", "check", text(&data)][..], &said_to_be].concat())[0];
    assert_eq!((&exported["zxid"], &exported["digest"]), (&checked["zxid"], &checked["digest"]));
    assert_eq!(exported["zxid"], taken["reaches_zxid"]);

    // What is written has its log apart, too, and a server starts from it.
    for (made, by) in [("restored", ["restore", text(&at("backup"))]), ("imported", ["import", text(&at("exported"))])]
    {
        let log = at(&format!("{made}-log"));
        let mut again = Server::prepare(Target::Ringkeeper, &[("dataLogDir", text(&log))]);
        let data = again.data_dir();
        let told = &facts(&[&by[..], &[text(&data), "--log-dir", text(&log)]].concat())[0];
        assert_eq!((&told["zxid"], &told["digest"]), (&exported["zxid"], &exported["digest"]), "{made}");
        assert!(has_segments(&log) && !has_segments(&data), "{made}");
        again.restart();
        assert!(Client::connect(again.addr()).exists("/n9", false).is_ok(), "{made}");
    }
}

#[test]
fn a_log_that_is_forgotten_is_missed() {
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    let server = server_with_log_in(&at("log"));
    let data = server.data_dir();
    for arguments in [
        &["backup", text(&data), text(&at("backup"))][..],
        &["export", text(&data), text(&at("exported"))],
        &["snapshot", "summary", text(&data)],
    ] {
        let (done, _, said) = run(arguments);
        assert!(
            !done && said.contains("nor transaction log") && said.contains("give --log-dir"),
            "{arguments:?}: {said}"
        );
    }
    assert!(!at("backup").exists() && !at("exported").exists());

    // What is to be written is refused if only one of the two places is free.
    facts(&["backup", text(&data), text(&at("backup")), "--log-dir", text(&at("log"))]);
    let (to, full) = (at("new"), at("full"));
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("file"), b"").unwrap();
    let (done, _, said) = run(&["restore", text(&at("backup")), text(&to), "--log-dir", text(&full)]);
    assert!(!done && said.contains("full is not empty") && !to.exists(), "{said}");
}

/// ZooKeeper's own directories may be two, as well.
#[test]
fn zookeepers_log_is_found_where_it_is_said_to_be() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return super::support::skipped("zookeepers_log_is_found_where_it_is_said_to_be", &reason);
    }
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    let mut server = Server::start_with(Target::ZooKeeper, &[("dataLogDir", text(&at("log")))]);
    let mut client = Client::connect(server.addr());
    let last = (0..10).map(|n| client.create(&format!("/n{n}"), b"data", 0).unwrap()).last();
    assert_eq!(last.as_deref(), Some("/n9"));
    server.kill();
    let data = server.data_dir();
    let imported = at("imported");
    facts(&["import", text(&data), text(&imported), "--zookeeper-log-dir", text(&at("log"))]);
    let output = Command::new(ringkeeper_binary()).args(["snapshot", "dump", text(&imported)]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("/n9"));
    let (done, _, said) = run(&["import", text(&data), text(&at("forgotten"))]);
    assert!(!done, "{said}");
}
