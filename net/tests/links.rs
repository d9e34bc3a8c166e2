//! Links between servers on loopback: messages, back-pressure, ends, and coming back.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod peers;

use peers::{Seen, batch, blocking, config, greet, incarnation, message, on_executor, port, start, start_with};
use ringkeeper_core::frame::{FrameBatch, FrameBuf};
use ringkeeper_core::ids::ServerId;
use ringkeeper_net::links::{LinkDown, LinkFault, MAX_HEAD, MAX_TAIL, Tail};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const ONE: ServerId = ServerId(1);
const TWO: ServerId = ServerId(2);

/// Two servers, linked.
async fn pair() -> (peers::Server, peers::Server) {
    let ((listen1, addr1), (listen2, addr2)) = (port(), port());
    let all = [(1, addr1), (2, addr2)];
    let (one, two) = (start(config(1, listen1, &all)), start(config(2, listen2, &all)));
    one.expect(Seen::Up(2, incarnation(2))).await;
    two.expect(Seen::Up(1, incarnation(1))).await;
    (one, two)
}

fn check_frames(tail: &[u8], expected: &FrameBatch) {
    let mut bytes = FrameBuf::new();
    bytes.extend_from_slice(tail);
    let got = FrameBatch::new(bytes);
    assert_eq!((got.first(), got.last(), got.count()), (expected.first(), expected.last(), expected.count()));
    for (got, expected) in got.frames().zip(expected.frames()) {
        assert_eq!(got.as_bytes(), expected.as_bytes());
    }
}

/// Each of two other servers has sent all batches, every third message without its batch.
async fn check_batches(server: &peers::Server, batches: &[Arc<FrameBatch>]) {
    let mut counts = [0; 4];
    for _ in 0..2 * batches.len() {
        let Seen::Message(from, head, tail) = server.next().await else {
            panic!("a link is down");
        };
        let count = &mut counts[from as usize];
        let n = std::mem::replace(count, *count + 1);
        assert_eq!(head, vec![n as u8; n]);
        assert_eq!(tail.is_none(), n % 3 == 0);
        if let Some(tail) = tail {
            check_frames(&tail, &batches[n]);
        }
    }
    assert_eq!(counts.iter().filter(|count| **count == batches.len()).count(), 2);
}

#[test]
fn three_servers_exchange_messages_with_and_without_batches() {
    on_executor(|| async {
        let ports = [port(), port(), port()];
        let all: Vec<_> = ports.iter().zip(1..).map(|((_, addr), id)| (id, *addr)).collect();
        let start_one = |((listen, _), id)| start(config(id, listen, &all));
        let servers: Vec<_> = ports.into_iter().zip(1..).map(start_one).collect();
        for server in &servers {
            let mut ups = [server.next().await, server.next().await];
            ups.sort_by_key(|seen| format!("{seen:?}"));
            assert!(matches!(ups, [Seen::Up(..), Seen::Up(..)]), "{ups:?}");
        }
        let batches: Vec<_> = (0..200).map(|n| batch(n * 10, n % 4 + 1, &vec![n as u8; n as usize * 20])).collect();
        for (n, batch) in batches.iter().enumerate() {
            for from in &servers {
                for to in 1..=3u8 {
                    let tail = if n % 3 == 0 { Tail::None } else { Tail::Batch(Arc::clone(batch)) };
                    from.links.send(ServerId(to), &vec![n as u8; n], tail);
                }
                if n % 7 == 0 {
                    from.links.flush();
                }
            }
        }
        servers.iter().for_each(|server| server.links.flush());
        for server in &servers {
            check_batches(server, &batches).await;
        }
        let stats = servers[0].links.stats(TWO).unwrap();
        assert_eq!((stats.traffic.messages_in, stats.traffic.messages_out, stats.connects), (200, 200, 1));
        assert_eq!(stats.traffic.bytes_in, stats.traffic.bytes_out);
        assert_eq!(stats.up.map(|up| up.incarnation), Some(incarnation(2)));
    });
}

#[test]
fn long_tails_pass_with_back_pressure() {
    on_executor(|| async {
        let (one, two) = pair().await;
        let tail: Arc<[u8]> = (0..20u32 << 20).map(|n| (n / 1000) as u8).collect();
        for n in 0..3 {
            assert!(one.links.send(TWO, &[n], Tail::Shared(Arc::clone(&tail))));
        }
        assert!(one.links.send(TWO, b"behind", Tail::None));
        one.links.flush();
        assert!(one.links.queued_bytes(TWO) > 40 << 20, "sockets hold less");
        for n in 0..3 {
            let (head, got) = two.message(1).await;
            assert_eq!((head, got.as_deref() == Some(&tail[..])), (vec![n], true));
        }
        assert_eq!(two.message(1).await, (b"behind".to_vec(), None));
        assert_eq!(one.links.queued_bytes(TWO), 0);
        assert!(two.links.send(ONE, b"back", Tail::Bytes(vec![7; 100_000])));
        two.links.flush();
        assert_eq!(one.message(2).await, (b"back".to_vec(), Some(vec![7; 100_000])));
    });
}

#[test]
fn a_peer_that_does_not_read_is_dropped() {
    on_executor(|| async {
        let (listen, addr) = port();
        let mut settings = config(1, listen, &[(9, addr)]);
        settings.limits.max_queued = 8 << 20;
        let server = start(settings);
        let peer = blocking(move || greet(addr, 9, 1, 5)).await;
        server.expect(Seen::Up(9, 5)).await;
        let chunk: Arc<[u8]> = vec![1; 1 << 20].into();
        while server.links.send(ServerId(9), b"", Tail::Shared(Arc::clone(&chunk))) {
            server.links.flush();
        }
        assert!(!server.links.is_up(ServerId(9)), "at once");
        assert!(matches!(server.down(9).await, LinkDown::TooSlow { queued } if queued > 8 << 20));
        drop(peer);
        let _again = blocking(move || greet(addr, 9, 1, 6)).await;
        server.expect(Seen::Up(9, 6)).await;
    });
}

#[test]
fn a_newer_connection_of_the_same_server_replaces_the_older_one() {
    on_executor(|| async {
        let (listen, addr) = port();
        let server = start(config(1, listen, &[(9, addr)]));
        let mut older = blocking(move || greet(addr, 9, 1, 5)).await;
        server.expect(Seen::Up(9, 5)).await;
        let mut newer = blocking(move || greet(addr, 9, 1, 6)).await;
        server.expect(Seen::Down(9, LinkDown::Replaced)).await;
        server.expect(Seen::Up(9, 6)).await;
        assert_eq!(blocking(move || peers::read_rest(&mut older)).await, b"");
        newer.write_all(&message(b"new", b"")).unwrap();
        assert_eq!(server.message(9).await, (b"new".to_vec(), None));
        drop(newer);
        assert_eq!(server.down(9).await, LinkDown::Closed);
        assert_eq!(server.links.stats(ServerId(9)).unwrap().connects, 2);
        server.links.stop();
        server.task.await;
    });
}

/// Set for the process that is to be killed: where the other server listens.
const VICTIM: &str = "RINGKEEPER_TEST_LINK_VICTIM";

#[test]
fn the_end_of_a_peers_process_is_noticed() {
    if let Ok(addr) = std::env::var(VICTIM) {
        let addr = addr.parse().unwrap();
        on_executor(move || async move {
            let _server = start(config(2, port().0, &[(1, addr)]));
            std::future::pending::<()>().await;
        });
    }
    on_executor(|| async {
        let (listen, addr) = port();
        let server = start(config(1, listen, &[(2, addr)]));
        let start_victim = move || {
            let mut victim = Command::new(std::env::current_exe().unwrap());
            victim.args(["--exact", "the_end_of_a_peers_process_is_noticed"]).env(VICTIM, addr.to_string());
            victim.stdout(Stdio::null()).spawn().unwrap()
        };
        let mut victim = start_victim();
        server.expect(Seen::Up(2, incarnation(2))).await;
        // Bytes in both directions must not hide the end.
        server.links.send(TWO, b"unread", Tail::Bytes(vec![0; 1 << 20]));
        server.links.flush();
        victim.kill().unwrap();
        assert!(matches!(server.down(2).await, LinkDown::Closed | LinkDown::Failed(_)));
        victim.wait().unwrap();
        let mut victim = start_victim();
        server.expect(Seen::Up(2, incarnation(2))).await;
        victim.kill().unwrap();
        victim.wait().unwrap();
        server.down(2).await;
        assert!(server.nothing_seen());
    });
}

fn no_messages() -> [Vec<u8>; 6] {
    let lengths = |head: usize, tail: usize, flags: u32| {
        [(head as u32).to_le_bytes(), (tail as u32).to_le_bytes(), flags.to_le_bytes(), [0; 4]].concat()
    };
    let mut damaged = message(b"head", &[3; 100_000]);
    damaged[60_000] ^= 1;
    [
        lengths(MAX_HEAD + 1, 0, 0),
        lengths(0, MAX_TAIL + 1, 0),
        lengths(u32::MAX as usize, u32::MAX as usize, 0),
        lengths(0, 0, 1),
        lengths(0, 0, 0),
        damaged,
    ]
}

#[test]
fn what_is_no_message_ends_the_link_once() {
    on_executor(|| async {
        let (listen, addr) = port();
        let server = start(config(1, listen, &[(9, addr)]));
        for (n, bad) in no_messages().into_iter().enumerate() {
            let mut peer = blocking(move || greet(addr, 9, 1, 5)).await;
            server.expect(Seen::Up(9, 5)).await;
            let bytes = [message(b"good", b"tail"), bad, message(b"late", b"")].concat();
            blocking(move || {
                // The server may close before it has read all.
                let _ = peer.write_all(&bytes);
                peers::read_rest(&mut peer)
            })
            .await;
            assert_eq!(server.message(9).await, (b"good".to_vec(), Some(b"tail".to_vec())));
            let LinkDown::Fault(fault) = server.down(9).await else {
                panic!("case {n}");
            };
            let as_expected = match fault {
                LinkFault::HeadTooLong(_) => n == 0 || n == 2,
                LinkFault::TailTooLong(_) => n == 1,
                LinkFault::Flags(1) => n == 3,
                LinkFault::Checksum { .. } => n >= 4,
                LinkFault::Flags(_) => false,
            };
            assert!(as_expected, "case {n}: {fault}");
            assert!(server.nothing_seen());
        }
    });
}

#[test]
fn a_message_cut_short_never_arrives() {
    on_executor(|| async {
        let (listen, addr) = port();
        let server = start(config(1, listen, &[(9, addr)]));
        let whole = message(b"some head", &[3; 90_000]);
        for len in [1, 15, 16, 20, 25, 26, 50_000, whole.len() - 1] {
            let mut peer = blocking(move || greet(addr, 9, 1, 5)).await;
            peer.write_all(&whole[..len]).unwrap();
            drop(peer);
            server.expect(Seen::Up(9, 5)).await;
            server.expect(Seen::Down(9, LinkDown::Closed)).await;
        }
    });
}

#[test]
fn a_server_that_was_away_is_found_when_it_comes() {
    on_executor(|| async {
        let (listen2, addr2) = port();
        // Of an address that nobody else has: the port stays free, and nobody connects to itself.
        let listen1 = ringkeeper_net::listen((Ipv4Addr::new(127, 0, 0, 9), 0).into(), 64).unwrap();
        let addr1 = listen1.local_addr().unwrap();
        drop(listen1);
        let two = start(config(2, listen2, &[(1, addr1)]));
        while two.links.stats(ONE).unwrap().last_error.is_none() {
            glommio::timer::sleep(Duration::from_millis(1)).await;
        }
        assert!(!two.links.send(ONE, b"nobody hears", Tail::None));
        for _ in 0..2 {
            let listen1 = ringkeeper_net::listen(addr1, 64).unwrap();
            let one = start(config(1, listen1, &[(2, addr2)]));
            two.expect(Seen::Up(1, incarnation(1))).await;
            one.expect(Seen::Up(2, incarnation(2))).await;
            one.links.stop();
            one.expect(Seen::Down(2, LinkDown::Stopped)).await;
            one.task.await;
            assert_eq!(two.down(1).await, LinkDown::Closed);
        }
        assert_eq!(two.links.stats(ONE).unwrap().connects, 2);
    });
}

#[test]
fn a_link_that_was_dropped_comes_back() {
    on_executor(|| async {
        let (one, two) = pair().await;
        for server in [&one, &two] {
            let other = if std::ptr::eq(server, &one) { TWO } else { ONE };
            server.links.disconnect(other);
            server.links.disconnect(other);
            assert!(!server.links.send(other, b"lost", Tail::None));
            let downs = (one.down(2).await, two.down(1).await);
            assert!(downs.0 == LinkDown::Dropped || downs.1 == LinkDown::Dropped, "{downs:?}");
            one.expect(Seen::Up(2, incarnation(2))).await;
            two.expect(Seen::Up(1, incarnation(1))).await;
        }
    });
}

#[test]
fn peers_are_found_by_name() {
    on_executor(|| async {
        let ((listen1, addr1), (listen2, addr2)) = (port(), port());
        let _one = start(config(1, listen1, &[(2, addr2)]));
        let mut settings = config(2, listen2, &[]);
        let address = format!("no-such-host.invalid:1|localhost:{}", addr1.port());
        settings.peers.push((ONE, address.parse().unwrap()));
        let two = start(settings);
        two.expect(Seen::Up(1, incarnation(1))).await;
    });
}

#[test]
fn the_service_may_use_the_links_from_within() {
    on_executor(|| async {
        let ((listen1, addr1), (listen2, addr2)) = (port(), port());
        let all = [(1, addr1), (2, addr2)];
        let echo = |links: &ringkeeper_net::links::Links, from: u8, head: &[u8]| match head {
            b"leave" => links.disconnect(ServerId(from)),
            _ => {
                links.send(ServerId(from), head, Tail::None);
                links.flush();
            }
        };
        let one = start_with(config(1, listen1, &all), Some(Box::new(echo)));
        let two = start(config(2, listen2, &all));
        two.expect(Seen::Up(1, incarnation(1))).await;
        for head in ["a", "b", "leave", "never"] {
            two.links.send(ONE, head.as_bytes(), Tail::None);
        }
        two.links.flush();
        one.expect(Seen::Up(2, incarnation(2))).await;
        for head in ["a", "b", "leave"] {
            assert_eq!(one.message(2).await.0, head.as_bytes());
        }
        one.expect(Seen::Down(2, LinkDown::Dropped)).await;
        assert_eq!((two.message(1).await.0, two.message(1).await.0), (b"a".to_vec(), b"b".to_vec()));
        two.down(1).await;
    });
}

#[test]
fn bytes_may_come_one_by_one() {
    on_executor(|| async {
        let (listen, addr) = port();
        let server = start(config(1, listen, &[(9, addr)]));
        let mut peer = blocking(move || std::net::TcpStream::connect(addr).unwrap()).await;
        peer.set_nodelay(true).unwrap();
        let bytes = [&peers::greeting(9, 1, |_| {})[..], &message(b"hi", b"there"), &message(b"", b"")].concat();
        let mut peer = blocking(move || {
            for byte in bytes {
                peer.write_all(&[byte]).unwrap();
            }
            peer
        })
        .await;
        server.expect(Seen::Up(9, incarnation(9))).await;
        assert_eq!(server.message(9).await, (b"hi".to_vec(), Some(b"there".to_vec())));
        assert_eq!(server.message(9).await, (Vec::new(), None));
        server.links.send(ServerId(9), b"x", Tail::Bytes(b"yz".to_vec()));
        server.links.flush();
        let got = blocking(move || {
            let mut got = vec![0; 64 + 16 + 3];
            peer.read_exact(&mut got).unwrap();
            got
        })
        .await;
        assert_eq!(got[64..], message(b"x", b"yz"));
    });
}
