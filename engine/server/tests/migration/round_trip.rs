//! There and back.

use crate::contents::{assert_equal, contents};
use crate::support::client::{Client, Fault, four_letter_word};
use crate::support::server::{Server, Settings, Target};
use crate::support::wire::ConnectRequest;
use crate::support::{env_number, seed, skipped};
use crate::{tools, workload};
use std::time::{Duration, Instant};

/// What the tests make that may go while they look.
const PASSING: &str = "/passing";
/// Sessions that are to outlive everything here.
const LONG: i32 = 600_000;

#[test]
fn there_and_back() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return skipped("there_and_back", &reason);
    }
    let (nodes, seed) = (env_number("RINGKEEPER_MIGRATION_NODES", 1500), seed(11));
    eprintln!("RINGKEEPER_MIGRATION_NODES={nodes} RINGKEEPER_SEED={seed}");
    // A few snapshots while the tree is filled, and a log after the last.
    let snap_count = (nodes / 4).to_string();
    let settings: Settings<'_> =
        &[("snapCount", &snap_count), ("minSessionTimeout", "2000"), ("maxSessionTimeout", "600000")];
    let mut zookeeper = Server::start_with(Target::ZooKeeper, settings);
    let session = |timeout_ms| ConnectRequest { timeout_ms, ..ConnectRequest::default() };
    let mut client = Client::connect_with(zookeeper.addr(), &session(LONG)).unwrap();
    workload::fill(&mut client, nodes, seed);
    for n in 0..5 {
        workload::session_that_goes(Client::connect(zookeeper.addr()), &format!("closed-{n}"));
    }
    client.create(PASSING, b"", 0).unwrap();
    let before = contents(&mut client, PASSING);
    let next = client.get("/seq", false).unwrap().1;
    // It lives for ten seconds after the last that was heard of it, and the server is killed at once.
    let mut passing = Client::connect_with(zookeeper.addr(), &session(10_000)).unwrap();
    passing.create(&format!("{PASSING}/e"), b"", 1).unwrap();
    zookeeper.kill();

    let mut ringkeeper = Server::prepare(Target::Ringkeeper, settings);
    let (from, to) = (zookeeper.data_dir(), ringkeeper.data_dir());
    let facts = tools::facts(&["import", from.to_str().unwrap(), to.to_str().unwrap(), "--json"]);
    eprintln!("{facts:#}");
    assert_eq!((&facts["agrees_with_zookeepers_digest"], &facts["sessions"]), (&true.into(), &2.into()));
    assert!(facts["transactions_after_the_snapshot"].as_u64() > Some(0) && facts["nodes"].as_u64() >= Some(nodes));

    look_into_both(from.to_str().unwrap(), to.to_str().unwrap(), &facts);

    ringkeeper.restart();
    let (id, passwd) = (client.session, client.passwd.clone());
    let mut client = Client::reattach(ringkeeper.addr(), id, &passwd).expect("the session is alive");
    client.auth("digest", workload::USER).unwrap();
    assert_equal(&before, &contents(&mut client, PASSING));
    wait_until_gone(&mut client, &format!("{PASSING}/e"));
    let made = client.create("/seq/s-", b"later", 2).unwrap();
    assert_eq!(made, format!("/seq/s-{:010}", (next.cversion + next.num_children) / 2));
    client.create("/app/made-here", b"e", 1).unwrap();
    let changed = contents(&mut client, "");
    assert!(ringkeeper.stop().success());

    let mut zookeeper = Server::prepare(Target::ZooKeeper, settings);
    let (from, to) = (ringkeeper.data_dir(), zookeeper.data_dir());
    let exported = tools::facts(&["export", from.to_str().unwrap(), to.to_str().unwrap(), "--json"]);
    eprintln!("{exported:#}");
    zookeeper.restart();
    let mut client = Client::reattach(zookeeper.addr(), id, &passwd).expect("the session is alive");
    client.auth("digest", workload::USER).unwrap();
    assert_equal(&changed, &contents(&mut client, ""));
    let monitor = four_letter_word(zookeeper.addr(), "mntr", Duration::from_secs(10)).unwrap();
    assert!(monitor.contains("zk_digest_mismatches_count\t0"), "{monitor}");
    client.set("/app/made-here", b"there", -1).unwrap();
    let last = contents(&mut client, "");
    zookeeper.kill();

    // And once more, to see that what ZooKeeper made of it is still the same.
    let mut ringkeeper = Server::prepare(Target::Ringkeeper, settings);
    let (from, to) = (zookeeper.data_dir(), ringkeeper.data_dir());
    let facts = tools::facts(&["import", from.to_str().unwrap(), to.to_str().unwrap(), "--json"]);
    assert_eq!((&facts["agrees_with_zookeepers_digest"], &facts["nodes"]), (&true.into(), &exported["nodes"]));
    ringkeeper.restart();
    let mut client = Client::reattach(ringkeeper.addr(), id, &passwd).expect("the session is alive");
    client.auth("digest", workload::USER).unwrap();
    assert_equal(&last, &contents(&mut client, ""));
}

/// The tools say the same of ZooKeeper's files as of ours.
fn look_into_both(zookeepers: &str, ours: &str, facts: &serde_json::Value) {
    let same = tools::run(&["snapshot", "diff", zookeepers, ours]);
    assert!(same.status.success() && same.stdout.is_empty(), "{same:?}");
    let (theirs, mine) = (["snapshot", "summary", zookeepers, "--json"], ["snapshot", "summary", ours, "--json"]);
    assert_eq!(tools::facts(&theirs), tools::facts(&mine));
    let log = tools::facts(&["log", "check", zookeepers, "--json"]);
    assert_eq!(log["last"], facts["zxid"]);
    let dump = tools::run(&["log", "dump", zookeepers, "--json"]);
    let lines = String::from_utf8(dump.stdout).unwrap();
    assert_eq!(Some(lines.lines().count() as u64), log["transactions"].as_u64());
    for kind in ["create", "multi", "setData", "setACL", "delete", "createSession", "closeSession", "error"] {
        assert!(lines.contains(&format!("\"type\":\"{kind}\"")), "a log without {kind}");
    }
}

fn wait_until_gone(client: &mut Client, path: &str) {
    let started = Instant::now();
    while client.exists(path, false) != Err(Fault::Code(-101)) {
        assert!(started.elapsed() < Duration::from_secs(60), "the session of {path} does not expire");
        std::thread::sleep(Duration::from_millis(50));
    }
}
