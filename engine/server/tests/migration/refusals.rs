//! What is refused, and how it is said.

use crate::support::server::{Server, Target};
use crate::support::skipped;
use crate::tools::refusal;
use std::fs;
use std::path::Path;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn directories_that_are_no_source_or_no_place_are_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    fs::create_dir(at("empty")).unwrap();
    assert!(refusal(&["import", text(&at("empty")), text(&at("to"))]).contains("holds no folder version-2"));
    assert!(refusal(&["export", text(&at("empty")), text(&at("to"))]).contains("no state of a Ringkeeper server"));
    fs::create_dir_all(at("zk/version-2")).unwrap();
    assert!(refusal(&["import", text(&at("zk")), text(&at("to"))]).contains("neither snapshots"));
    assert!(refusal(&["export", text(&at("zk")), text(&at("to"))]).contains("`ringkeeper import` reads it"));
    fs::create_dir(at("full")).unwrap();
    fs::write(at("full/precious"), "data").unwrap();
    let said = refusal(&["import", text(&at("zk")), text(&at("full"))]);
    assert!(said.contains("precious") && said.contains("nothing is ever overwritten"), "{said}");
    fs::write(at("zk/version-2/snapshot.5"), b"ZKSN\0\0\0\x03........").unwrap();
    let said = refusal(&["import", text(&at("zk")), text(&at("to"))]);
    assert!(said.contains("snapshot.5 has format version 3"), "{said}");
    fs::write(at("zk/version-2/snapshot.5"), b"hello").unwrap();
    let said = refusal(&["import", text(&at("zk")), text(&at("to"))]);
    assert!(said.contains("snapshot.5 is no snapshot"), "{said}");
    assert!(!at("to").exists(), "nothing was made");
}

#[test]
fn damage_is_named_with_file_and_offset() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return skipped("damage_is_named_with_file_and_offset", &reason);
    }
    let mut zookeeper = Server::start(Target::ZooKeeper);
    let mut client = crate::support::client::Client::connect(zookeeper.addr());
    for n in 0..20 {
        client.create(&format!("/n{n}"), b"data", 0).unwrap();
    }
    zookeeper.kill();
    let log = zookeeper.data_dir().join("version-2/log.1");
    let good = fs::read(&log).unwrap();
    let at = good.windows(4).position(|bytes| bytes == b"/n10").expect("a path of the log");
    let tmp = tempfile::tempdir().unwrap();
    let (from, to) = (zookeeper.data_dir(), tmp.path().join("to"));
    let import = || refusal(&["import", text(&from), text(&to)]);
    let mut bad = good.clone();
    bad[at] ^= 1;
    fs::write(&log, &bad).unwrap();
    let said = import();
    assert!(said.contains("log.1 at offset") && said.contains("checksum"), "{said}");
    // The same from there to the end of the transaction: something is missing in the middle.
    bad[at..at + 60].fill(0);
    fs::write(&log, &bad).unwrap();
    let said = import();
    assert!(said.contains("log.1 at offset"), "{said}");
    fs::write(&log, &good[..at]).unwrap();
    let facts = crate::tools::facts(&["import", text(&from), text(&to), "--json"]);
    assert_eq!(facts["transactions_after_the_snapshot"], 11, "a session and ten nodes: the eleventh is torn");
}
