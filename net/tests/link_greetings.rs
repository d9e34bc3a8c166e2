//! Greetings: who becomes a peer, who is turned away, and what is said about it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod peers;

use peers::{Seen, blocking, config, greet, greeting, incarnation, on_executor, port, read_rest, start};
use ringkeeper_core::ids::ServerId;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Sends `bytes` and returns the answer.
fn say(addr: SocketAddr, bytes: &[u8], then_close: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).unwrap();
    // The server may have closed already.
    let _ = stream.write_all(bytes);
    if then_close {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    read_rest(&mut stream)
}

#[test]
fn strangers_are_turned_away_and_peers_told_why() {
    on_executor(|| async {
        let (listen, addr) = port();
        let server = start(config(3, listen, &[(1, addr), (9, addr)]));
        let mut damaged = greeting(9, 3, |_| {});
        damaged[20] ^= 1;
        let other_ensemble = greeting(9, 3, |bytes| bytes[24] = b'X');
        let long_name = greeting(9, 3, |bytes| bytes[56] ^= 1);
        let cases: [(&str, &[u8], Option<u8>); 10] = [
            ("not the protocol", b"GET / HTTP/1.1\r\n\r\n", None),
            ("zeros", &[0; 64], None),
            ("damaged", &damaged, None),
            ("versions", &greeting(9, 3, |bytes| (bytes[8], bytes[10]) = (2, 7)), Some(1)),
            ("ensemble", &other_ensemble, Some(2)),
            ("ensemble with a long name", &long_name, Some(2)),
            ("own id", &greeting(3, 3, |_| {}), Some(3)),
            ("receiver", &greeting(9, 4, |_| {}), Some(4)),
            ("unknown", &greeting(8, 3, |_| {}), Some(5)),
            ("direction", &greeting(1, 3, |_| {}), Some(6)),
        ];
        for (name, bytes, code) in cases {
            let bytes = bytes.to_vec();
            let answer = blocking(move || say(addr, &bytes, false)).await;
            assert_eq!(answer.get(6).copied(), code, "{name}");
            assert!(answer.is_empty() || answer.len() == 64, "{name}");
        }
        assert!(server.nothing_seen());
        let _peer = blocking(move || greet(addr, 9, 3, 5)).await;
        server.expect(Seen::Up(9, 5)).await;
    });
}

#[test]
fn a_greeting_cut_short_is_no_greeting() {
    on_executor(|| async {
        let (listen, addr) = port();
        let mut settings = config(1, listen, &[(9, addr)]);
        settings.limits.greeting_timeout = Duration::from_millis(50);
        let server = start(settings);
        for len in [0, 1, 6, 63] {
            let bytes = greeting(9, 1, |_| {})[..len].to_vec();
            let (closing, waiting) = (bytes.clone(), bytes);
            assert_eq!(blocking(move || say(addr, &closing, true)).await, b"");
            // Whoever says no more is not waited for.
            assert_eq!(blocking(move || say(addr, &waiting, false)).await, b"");
        }
        assert!(server.nothing_seen());
    });
}

#[test]
fn silent_connections_do_not_keep_a_peer_out() {
    on_executor(|| async {
        let (listen, addr) = port();
        let mut settings = config(1, listen, &[(9, addr)]);
        settings.limits.greeting_timeout = Duration::from_secs(3600);
        let server = start(settings);
        let mut silent = Vec::new();
        for _ in 0..100 {
            silent.push(blocking(move || TcpStream::connect(addr).unwrap()).await);
        }
        let mut first = silent.swap_remove(0);
        assert_eq!(blocking(move || read_rest(&mut first)).await, b"", "the oldest has made room");
        let _peer = blocking(move || greet(addr, 9, 1, 5)).await;
        server.expect(Seen::Up(9, 5)).await;
    });
}

/// Starts server 2, which finds at server 1's address something that answers `answer`. Returns what server 2 notes, and
/// what it had said.
async fn dial_to(answer: Vec<u8>) -> (String, Vec<u8>) {
    let ((listen1, addr1), (listen2, _)) = (port(), port());
    let two = start(config(2, listen2, &[(1, addr1)]));
    let heard = blocking(move || {
        let (mut stream, _) = listen1.accept().unwrap();
        let mut heard = vec![0; 64];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(&answer).unwrap();
        assert_eq!(read_rest(&mut stream), b"");
        heard
    })
    .await;
    let error = loop {
        if let Some(error) = two.links.stats(ServerId(1)).unwrap().last_error {
            break error;
        }
        glommio::timer::sleep(Duration::from_millis(1)).await;
    };
    assert!(two.nothing_seen());
    two.links.stop();
    two.task.await;
    (error, heard)
}

#[test]
fn the_one_who_connects_judges_too() {
    on_executor(|| async {
        let cases: [(Vec<u8>, &str); 6] = [
            (b"ZooKeeper".to_vec(), "does not speak the link protocol"),
            (greeting(1, 2, |bytes| bytes[24] = b'X').to_vec(), "belongs to ensemble \"Xest\""),
            (greeting(4, 2, |_| {}).to_vec(), "is 4 and not 1"),
            (greeting(1, 2, |bytes| bytes[6] = 5).to_vec(), "not in its list of servers"),
            (greeting(1, 2, |bytes| bytes[6] = 99).to_vec(), "does not know"),
            (greeting(2, 2, |_| {}).to_vec(), "same id"),
        ];
        for (answer, expected) in cases {
            let (error, heard) = dial_to(answer).await;
            assert!(error.contains(expected), "{error}");
            assert_eq!(heard, greeting(2, 1, |_| {}));
        }
    });
}

#[test]
fn servers_of_two_ensembles_leave_each_other_alone() {
    on_executor(|| async {
        let ((listen1, addr1), (listen2, addr2)) = (port(), port());
        let one = start(config(1, listen1, &[(2, addr2)]));
        let mut settings = config(2, listen2, &[(1, addr1)]);
        settings.ensemble = "other".to_owned();
        let two = start(settings);
        let error = loop {
            match two.links.stats(ServerId(1)).unwrap().last_error {
                Some(error) => break error,
                None => glommio::timer::sleep(Duration::from_millis(1)).await,
            }
        };
        assert!(error.contains("belongs to ensemble \"test\", this server to \"other\""), "{error}");
        assert!(one.nothing_seen() && two.nothing_seen());
        let _third = blocking(move || greet(addr1, 2, 1, incarnation(2))).await;
        one.expect(Seen::Up(2, incarnation(2))).await;
    });
}
