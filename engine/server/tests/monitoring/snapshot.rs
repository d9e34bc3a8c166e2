//! A snapshot by HTTP: who may, and that a server starts from it.

use crate::http::{Answer, ask};
use crate::support::client::Client;
use crate::support::server::{Server, Target, free_port};
use std::net::SocketAddr;

/// Of super:admin.
const SUPER: (&str, &str) = ("DigestAuthenticationProvider.superDigest", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");

fn snapshot(addr: SocketAddr, authorization: &str, query: &str) -> Answer {
    ask(addr, &format!("GET /commands/snapshot{query} HTTP/1.1\r\nHost: x\r\n{authorization}\r\n"))
}

fn start(more: &[(&str, &str)]) -> (Server, SocketAddr) {
    let port = free_port();
    let text = port.to_string();
    let mut settings = vec![("admin.enableServer", "true"), ("admin.serverPort", text.as_str())];
    settings.extend([("admin.serverAddress", "127.0.0.1"), SUPER]);
    settings.extend(more);
    (Server::start_with(Target::Ringkeeper, &settings), SocketAddr::from(([127, 0, 0, 1], port)))
}

#[test]
fn a_server_starts_from_a_snapshot_that_was_sent() {
    for cores in ["0", "1"] {
        let (server, addr) = start(&[("client.cores", cores)]);
        let mut client = Client::connect(server.addr());
        (0..100).for_each(|n| {
            client.create(&format!("/n{n}"), n.to_string().as_bytes(), 0).unwrap();
        });
        let answer = snapshot(addr, "Authorization: digest super:admin\r\n", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let zxid = answer.header("last_zxid").unwrap().trim_start_matches("0x").to_owned();
        assert_eq!(answer.header("snapshot_size").unwrap(), answer.body.len().to_string());

        // What was written later is not in it.
        client.create("/later", b"", 0).unwrap();
        let (mut other, _) = start(&[]);
        other.stop();
        std::fs::remove_dir_all(other.data_dir()).unwrap();
        std::fs::create_dir(other.data_dir()).unwrap();
        std::fs::write(other.data_dir().join(format!("snap.{zxid:0>16}")), &answer.body).unwrap();
        other.restart();
        let mut client = Client::connect(other.addr());
        assert_eq!(client.get("/n99", false).unwrap().0.as_deref(), Some(&b"99"[..]));
        assert!(client.get("/later", false).is_err());
    }
}

#[test]
fn only_who_may_gets_one() {
    let (server, addr) = start(&[]);
    Client::connect(server.addr()).create("/a", b"", 0).unwrap();
    let status = |authorization: &str| {
        let answer = snapshot(addr, authorization, "");
        (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(status("").0, 401);
    assert_eq!(status("Authorization: basic YTpi\r\n").0, 401);
    assert_eq!(status("Authorization: digest super:wrong\r\n").0, 403);
    assert_eq!(status("Authorization: ip\r\n").0, 403);
    let answer = snapshot(addr, "Authorization: digest super:admin\r\n", "?streaming=false");
    assert_eq!((answer.status, answer.json()["error"].is_null()), (200, true));
    assert_eq!(status("Authorization: digest super:admin\r\n").0, 429, "one in five minutes");
    let (_server, addr) = start(&[("admin.snapshot.enabled", "false")]);
    assert_eq!(snapshot(addr, "Authorization: digest super:admin\r\n", "").status, 503);
}
