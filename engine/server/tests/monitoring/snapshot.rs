//! A snapshot by HTTP: who may, and that it holds the state.

use crate::http::{Answer, ask};
use crate::support::client::Client;
use crate::support::ports::free_port;
use crate::support::server::{Server, Target};
use ringkeeper_core::tree::{Loader, Tree};
use ringkeeper_txnlog::disk::FsDisk;
use ringkeeper_txnlog::snapshot::{self, SnapshotReader};
use std::net::SocketAddr;

/// Of super:admin.
const SUPER: (&str, &str) = ("DigestAuthenticationProvider.superDigest", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");

pub fn ask_for(addr: SocketAddr, authorization: &str, query: &str) -> Answer {
    ask(addr, &format!("GET /commands/snapshot{query} HTTP/1.1\r\nHost: x\r\n{authorization}\r\n"))
}

/// Of an admin server on this port, with a super user.
pub fn settings(port: u16) -> [(&'static str, String); 4] {
    [
        ("admin.enableServer", "true".to_owned()),
        ("admin.serverPort", port.to_string()),
        ("admin.serverAddress", "127.0.0.1".to_owned()),
        (SUPER.0, SUPER.1.to_owned()),
    ]
}

pub fn start(more: &[(&str, &str)]) -> (Server, SocketAddr) {
    let port = free_port();
    let own = settings(port);
    let mut settings: Vec<(&str, &str)> = own.iter().map(|(key, value)| (*key, value.as_str())).collect();
    settings.extend(more);
    (Server::start_with(Target::Ringkeeper, &settings), SocketAddr::from(([127, 0, 0, 1], port)))
}

/// The state that was sent as that of a transaction, in hexadecimal digits. What it says of itself holds.
pub fn state_of(bytes: &[u8], zxid: &str) -> Tree {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("snap.{zxid:0>16}");
    std::fs::write(dir.path().join(&name), bytes).unwrap();
    let disk = FsDisk::open(dir.path()).unwrap();
    snapshot::verify(&*disk, &name).unwrap();
    let reader = SnapshotReader::open(&*disk, &name).unwrap();
    let mut loader = Loader::new();
    reader.read(|bytes| loader.feed(bytes).map_err(|error| error.to_string())).unwrap();
    let tree = loader.finish().unwrap();
    assert_eq!((tree.digest(), format!("{:x}", tree.last_zxid().0)), (reader.head().digest, zxid.to_owned()));
    tree
}

#[test]
fn what_is_sent_is_the_state_at_its_zxid() {
    for cores in ["0", "1"] {
        let (server, addr) = start(&[("client.cores", cores)]);
        let mut client = Client::connect(server.addr());
        (0..100).for_each(|n| {
            client.create(&format!("/n{n}"), n.to_string().as_bytes(), 0).unwrap();
        });
        let answer = ask_for(addr, "Authorization: digest super:admin\r\n", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let zxid = answer.header("last_zxid").unwrap().trim_start_matches("0x").to_owned();
        assert_eq!(answer.header("snapshot_size").unwrap(), answer.body.len().to_string());

        // What was written later is not in it.
        client.create("/later", b"", 0).unwrap();
        let tree = state_of(&answer.body, &zxid);
        assert_eq!(tree.get("/n99").unwrap().data(), Some(&b"99"[..]));
        assert!(tree.get("/later").is_none());
    }
}

#[test]
fn only_who_may_gets_one() {
    let (server, addr) = start(&[]);
    Client::connect(server.addr()).create("/a", b"", 0).unwrap();
    let status = |authorization: &str| {
        let answer = ask_for(addr, authorization, "");
        (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(status("").0, 401);
    assert_eq!(ask_for(addr, "", "").header("www-authenticate"), Some("digest"));
    assert_eq!(status("Authorization: basic YTpi\r\n").0, 401);
    assert_eq!(status("Authorization: digest super:wrong\r\n").0, 403);
    assert_eq!(status("Authorization: ip\r\n").0, 403);
    let answer = ask_for(addr, "Authorization: digest super:admin\r\n", "?streaming=false");
    assert_eq!((answer.status, answer.json()["error"].is_null()), (200, true));
    assert_eq!(status("Authorization: digest super:admin\r\n").0, 429, "one in five minutes");
    let (_server, addr) = start(&[("admin.snapshot.enabled", "false")]);
    assert_eq!(ask_for(addr, "Authorization: digest super:admin\r\n", "").status, 503);
}
