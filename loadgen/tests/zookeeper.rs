//! loadgen against Debian's ZooKeeper, where it is installed.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::{await_that, finish, free_port, loadgen, number, skipped, start};

const JAR: &str = "/usr/share/java/zookeeper.jar";

struct ZooKeeper {
    process: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl ZooKeeper {
    /// A standalone server; `None`, with the reason printed, if this machine has none.
    fn start(max_connections: u32) -> Option<ZooKeeper> {
        if !Path::new(JAR).exists() {
            skipped(&format!("ZooKeeper is not installed ({JAR}; Debian: libzookeeper-java)"));
            return None;
        }
        if Command::new("java").arg("-version").output().is_err() {
            skipped("ZooKeeper is installed, but there is no java");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = format!(
            "dataDir={}\nclientPortAddress=127.0.0.1\nclientPort={port}\nmaxClientCnxns={max_connections}\n\
             tickTime=2000\nadmin.enableServer=false\n4lw.commands.whitelist=*\n",
            dir.path().display()
        );
        let path = dir.path().join("zoo.cfg");
        std::fs::write(&path, config).unwrap();
        let process = Command::new("java")
            .args(["-cp", &format!("{JAR}:/usr/share/java/*"), "org.apache.zookeeper.server.quorum.QuorumPeerMain"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = ZooKeeper { process, address: format!("127.0.0.1:{port}"), _dir: dir };
        await_that("ZooKeeper serves", || server.ask("srvr").contains("Mode: standalone"));
        Some(server)
    }

    /// A four-letter word; empty if the server does not answer. (While it starts, it takes some and forgets them.)
    fn ask(&self, word: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(&self.address) {
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let _ = stream.write_all(word.as_bytes());
            let _ = stream.read_to_string(&mut answer);
        }
        answer
    }

    fn figure(&self, name: &str) -> u64 {
        let mut mntr = String::new();
        await_that("mntr answers", || {
            mntr = self.ask("mntr");
            !mntr.is_empty()
        });
        let line = mntr.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {mntr}"));
        line.trim().parse().unwrap()
    }
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn every_operation_works_and_is_counted_as_the_server_counts() {
    let Some(server) = ZooKeeper::start(0) else { return };
    let (nodes, packets) = (server.figure("zk_znode_count"), server.figure("zk_packets_received"));
    let mix = "set=3,get=3,create=2,delete=1,exists=1,children=1,multi:2=1,check-set=1,ephemeral=2,watch=2";
    let ran = loadgen(&format!(
        "run -s {} -c 70 -d 8 --mix {mix} --keys 200 --prefix /a/b -w 0s -n 30000 --server-pid {} --cleanup",
        server.address,
        server.process.id()
    ))
    .expect(0);
    assert_eq!(number(ran.result(), "operations"), 30_000.0, "{ran:#?}");
    assert!(number(ran.result(), "server/cpu_us_per_op") > 0.0);
    let created = number(ran.result(), "kinds/create/operations") as u64;
    assert!(number(ran.result(), "events") > 0.0, "sets are noticed: {ran:#?}");
    // Beside the operations: sessions, preparation, `sync`, cleanup.
    let extra = server.figure("zk_packets_received") - packets - 30_000;
    assert!((500..2_500 + created).contains(&extra), "{extra} packets beside the operations");
    // The prefix's parent was not made by name of loadgen's: it stays.
    assert_eq!(server.figure("zk_znode_count"), nodes + 1, "cleaned up");
    assert_eq!(server.figure("zk_ephemerals_count"), 0);
}

#[test]
fn a_filled_tree_can_be_measured_and_removed() {
    let Some(server) = ZooKeeper::start(0) else { return };
    let nodes = server.figure("zk_znode_count");
    let fill = format!("fill -s {} --count 3000 --keys-per-parent 100 --prefix /f", server.address);
    let ran = loadgen(&fill).expect(0);
    assert_eq!(number(ran.result(), "fill/created"), 3_000.0);
    assert_eq!(server.figure("zk_znode_count"), nodes + 3_000 + 30 + 1);
    let again = loadgen(&fill).expect(0);
    assert_eq!((number(again.result(), "fill/created"), number(again.result(), "fill/existed")), (0.0, 3_000.0));
    // The keys are there; only their size is not what the run wants.
    let run = format!("run -s {} --prefix /f --keys 3000 --keys-per-parent 100 -v 50 -w 0s -n 2000", server.address);
    assert_eq!(number(loadgen(&run).expect(0).result(), "operations"), 2_000.0);
    assert_eq!(server.figure("zk_znode_count"), nodes + 3_000 + 30 + 1);
    let removed = loadgen(&format!("fill -s {} --prefix /f --remove", server.address)).expect(0);
    assert!(removed.stdout.contains("3,030 nodes removed"), "{}", removed.stdout);
    assert_eq!(server.figure("zk_znode_count"), nodes);
}

#[test]
fn promises_watches_and_sessions() {
    let Some(server) = ZooKeeper::start(0) else { return };
    let nodes = server.figure("zk_znode_count");
    for flags in ["", "--persistent"] {
        let ran = loadgen(&format!("watch -s {} -n 40 --rounds 10 {flags}", server.address)).expect(0);
        assert_eq!((number(ran.result(), "rounds"), number(ran.result(), "events")), (10.0, 400.0), "{ran:#?}");
        assert_eq!(server.figure("zk_znode_count"), nodes, "nothing is left behind");
    }
    let ran = loadgen(&format!("verify -s {} -t 3s -c 6", server.address)).expect(0);
    assert!(ran.stdout.contains("Every promise was kept") && number(ran.result(), "done") > 30.0, "{ran:#?}");
    assert_eq!(server.figure("zk_znode_count"), nodes, "nothing is left behind");
    let pid = server.process.id();
    let ran = loadgen(&format!(
        "sessions -s {} -n 100 -t 10s --session-timeout 20s --server-pid {pid} --fail-if ping.p50>10s",
        server.address
    ))
    .expect(0);
    assert_eq!((number(ran.result(), "opened"), number(ran.result(), "sessions_expired")), (100.0, 0.0), "{ran:#?}");
    assert!(number(ran.result(), "pings") >= 100.0 && ran.result()["rss_bytes_per_session"].is_number(), "{ran:#?}");
}

#[test]
fn a_limit_of_connections_is_explained() {
    let Some(server) = ZooKeeper::start(10) else { return };
    // ZooKeeper counts a connection only some time after it was accepted: a few more than ten may get through.
    let ran = loadgen(&format!("run -s {} -c 100", server.address)).expect(1);
    assert!(ran.stdout.contains("maxClientCnxns"), "{ran:#?}");
}

#[test]
fn the_death_of_the_server_ends_the_run_with_its_figures_kept() {
    let Some(mut server) = ZooKeeper::start(0) else { return };
    let running = start(&format!("run -s {} -c 2 -d 8 -w 0s -t 1h --prefix /x", server.address));
    await_that("the load", || server.figure("zk_packets_received") > 50_000);
    server.process.kill().unwrap();
    let ran = finish(running).expect(1);
    assert!(ran.result()["failures"][0].as_str().unwrap().contains("lost the connection"), "{ran:#?}");
    assert!(number(ran.result(), "operations") > 1_000.0, "{ran:#?}");
}
