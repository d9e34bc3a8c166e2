//! The forms in which ZooKeeper's files come, made by its settings.

use crate::contents::{assert_equal, contents};
use crate::support::client::Client;
use crate::support::server::{Server, Settings, Target};
use crate::support::skipped;
use crate::{tools, workload};

/// Two lives of the server: a snapshot that was taken between them, and a log after it.
fn check(name: &str, settings: Settings<'_>, logs: Option<&str>, digest: serde_json::Value, snapshot: &str) {
    let apart: Vec<_> = settings.iter().copied().chain(logs.map(|dir| ("dataLogDir", dir))).collect();
    let mut zookeeper = Server::start_with(Target::ZooKeeper, &apart);
    let mut client = Client::connect(zookeeper.addr());
    workload::fill(&mut client, 150, 3);
    zookeeper.stop();
    zookeeper.restart();
    let mut client = Client::reattach(zookeeper.addr(), client.session, &client.passwd).unwrap();
    client.auth("digest", workload::USER).unwrap();
    client.create("/after", b"the snapshot", 0).unwrap();
    let before = contents(&mut client, "");
    zookeeper.kill();

    let mut ringkeeper = Server::prepare(Target::Ringkeeper, &[]);
    let (from, to) = (zookeeper.data_dir(), ringkeeper.data_dir());
    let mut arguments = vec!["import", from.to_str().unwrap(), to.to_str().unwrap(), "--json"];
    arguments.extend(logs.map(|dir| ["--zookeeper-log-dir", dir]).into_iter().flatten());
    let facts = tools::facts(&arguments);
    assert_eq!(facts["agrees_with_zookeepers_digest"], digest, "{name}: {facts}");
    assert!(facts["snapshot"].as_str().unwrap().ends_with(snapshot), "{name}: {facts}");
    ringkeeper.restart();
    let mut client = Client::reattach(ringkeeper.addr(), client.session, &client.passwd).unwrap();
    client.auth("digest", workload::USER).unwrap();
    assert_equal(&before, &contents(&mut client, ""));
    assert!(ringkeeper.stop().success());

    let mut back = Server::prepare(Target::ZooKeeper, settings);
    let (from, to) = (to, back.data_dir());
    let mut arguments = vec!["export", from.to_str().unwrap(), to.to_str().unwrap(), "--json"];
    if digest.is_null() {
        arguments.push("--no-digest");
    }
    tools::facts(&arguments);
    back.restart();
    let mut client = Client::reattach(back.addr(), client.session, &client.passwd).unwrap();
    client.auth("digest", workload::USER).unwrap();
    assert_equal(&before, &contents(&mut client, ""));
}

#[test]
fn compressed_and_older_snapshots_are_read() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return skipped("compressed_and_older_snapshots_are_read", &reason);
    }
    check("gzip", &[("snapshot.compression.method", "gz")], None, true.into(), ".gz");
    check("snappy", &[("snapshot.compression.method", "snappy")], None, true.into(), ".snappy");
    let without = [("digest.enabled", "false"), ("closeSessionTxn.enabled", "false")];
    let logs = tempfile::tempdir().unwrap();
    check("without digests", &without, logs.path().to_str(), serde_json::Value::Null, "");
}
