//! Links that speak TLS: messages pass as in the clear, and whoever should not come in does not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod peers;

use peers::pki::Authority;
use peers::{Seen, Server, batch, blocking, config, greeting, incarnation, on_executor, port, start};
use ringkeeper_core::ids::ServerId;
use ringkeeper_net::links::{LinkDown, LinkTls, LinksConfig, Tail};
use ringkeeper_net::{Speaks, TlsEndpoint, TlsTerms};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ONE: ServerId = ServerId(1);
const TWO: ServerId = ServerId(2);
const HOST: &str = "127.0.0.1";
/// Whatever does not come in this time never comes.
const PATIENCE: Duration = Duration::from_secs(60);
/// A time that is not over before a test has failed.
const NEVER: Duration = Duration::from_secs(3600);

/// The server that is connected to, and the one that connects, as far as TLS goes.
struct Sides {
    accept: (TlsTerms, Speaks),
    /// With whether it speaks TLS to the other one.
    dial: (TlsTerms, bool),
}

impl Sides {
    /// Both as they should be.
    fn trusting() -> Sides {
        let authority = Authority::new();
        let terms = || authority.terms(HOST, &authority, true);
        Sides { accept: (terms(), Speaks::Tls), dial: (terms(), true) }
    }

    fn start(self) -> (Server, Server) {
        let ((listen1, addr1), (listen2, addr2)) = (port(), port());
        let all = [(1, addr1), (2, addr2)];
        let side = |own, listen, terms, dial, accept| with_tls(own, listen, &all, terms, dial, accept);
        let one = side(1, listen1, self.accept.0, true, self.accept.1);
        let two = side(2, listen2, self.dial.0, self.dial.1, Speaks::Tls);
        (start(one), start(two))
    }

    /// Starts both, and waits for the link.
    async fn linked(self) -> (Server, Server) {
        let (one, two) = self.start();
        one.expect(Seen::Up(2, incarnation(2))).await;
        two.expect(Seen::Up(1, incarnation(1))).await;
        (one, two)
    }

    /// Starts both; there is never a link, and the one that connects gets to know why.
    async fn apart(self, why: &str) {
        let (one, two) = self.start();
        refused(&two, why).await;
        assert!(one.nothing_seen() && two.nothing_seen(), "{why}");
    }
}

fn with_tls(
    own: u8,
    listen: TcpListener,
    all: &[(u8, SocketAddr)],
    terms: TlsTerms,
    dial: bool,
    accept: Speaks,
) -> LinksConfig {
    let tls = Some(LinkTls { endpoint: TlsEndpoint::new(terms), dial, accept });
    LinksConfig { tls, ..config(own, listen, all) }
}

/// Waits until the last thing that has gone wrong with the way to server 1 is this.
async fn refused(server: &Server, why: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let last = server.links.stats(ONE).unwrap().last_error.unwrap_or_default();
        if last.contains(why) {
            return;
        }
        assert!(Instant::now() < until, "not {why:?}, but {last:?}");
        glommio::timer::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn messages_of_all_sizes_pass_in_order() {
    on_executor(|| async {
        let (one, two) = Sides::trusting().linked().await;
        let long: Arc<[u8]> = (0..6_000_000u32).map(|n| (n / 251) as u8).collect();
        let batch = batch(7, 3, &[9; 40_000]);
        for n in 0..60u8 {
            let tail = || match n % 4 {
                0 => Tail::None,
                1 => Tail::Bytes(vec![n; n.into()]),
                2 => Tail::Batch(Arc::clone(&batch)),
                _ if n == 23 => Tail::Shared(Arc::clone(&long)),
                _ => Tail::Bytes(vec![n; 3000]),
            };
            assert!(one.links.send(TWO, &[n; 100], tail()) && two.links.send(ONE, &vec![n; n as usize * 500], tail()));
            if n % 7 == 0 {
                one.links.flush();
                two.links.flush();
            }
        }
        one.links.flush();
        two.links.flush();
        for n in 0..60u8 {
            let ((head1, tail1), (head2, tail2)) = (two.message(1).await, one.message(2).await);
            assert_eq!((head1, head2), (vec![n; 100], vec![n; n as usize * 500]));
            assert_eq!(tail1, tail2);
            let expected = match n % 4 {
                0 => None,
                1 => Some(vec![n; n.into()]),
                2 => Some(batch.as_bytes().to_vec()),
                _ if n == 23 => Some(long.to_vec()),
                _ => Some(vec![n; 3000]),
            };
            assert_eq!(tail1, expected, "message {n}");
        }
    });
}

#[test]
fn a_link_that_was_dropped_comes_back() {
    on_executor(|| async {
        let (one, two) = Sides::trusting().linked().await;
        for _ in 0..3 {
            one.links.disconnect(TWO);
            one.down(2).await;
            two.down(1).await;
            one.expect(Seen::Up(2, incarnation(2))).await;
            two.expect(Seen::Up(1, incarnation(1))).await;
        }
    });
}

#[test]
fn one_port_takes_both() {
    on_executor(|| async {
        for dial in [false, true] {
            let mut sides = Sides::trusting();
            (sides.accept.1, sides.dial.1) = (Speaks::Either, dial);
            let (one, two) = sides.linked().await;
            two.links.send(ONE, b"with or without", Tail::None);
            two.links.flush();
            assert_eq!(one.message(2).await, (b"with or without".to_vec(), None));
        }
    });
}

#[test]
fn who_has_no_tls_and_who_must_have_it_are_told() {
    on_executor(|| async {
        let mut sides = Sides::trusting();
        sides.dial.1 = false;
        sides.apart("it insists on TLS").await;
        let mut sides = Sides::trusting();
        sides.accept.1 = Speaks::Plain;
        sides.apart("does it have sslQuorum=true or portUnification=true?").await;
    });
}

#[test]
fn strangers_do_not_come_in() {
    on_executor(|| async {
        let (ours, foreign) = (Authority::new(), Authority::new());
        let good = || ours.terms(HOST, &ours, true);
        let apart =
            |accept, dial, why: &'static str| Sides { accept: (accept, Speaks::Tls), dial: (dial, true) }.apart(why);
        apart(good(), ours.terms(HOST, &ours, false), "does not accept this server's certificate").await;
        apart(good(), foreign.terms(HOST, &ours, true), "does not accept this server's certificate").await;
        apart(foreign.terms(HOST, &ours, true), good(), "of an authority that is not trusted here").await;
        let elsewhere = || ours.terms("127.0.0.9", &ours, true);
        apart(elsewhere(), good(), "its certificate is for IpAddress(127.0.0.9), and server 1 is at 127.0.0.1").await;
        apart(good(), elsewhere(), "this server's certificate is not for the host at which it knows this server").await;
    });
}

#[test]
fn names_need_not_fit_if_they_are_not_looked_at() {
    on_executor(|| async {
        let ours = Authority::new();
        let terms = |host, verify_accepted, verify_connected| TlsTerms {
            verify_accepted,
            verify_connected,
            ..ours.terms(host, &ours, true)
        };
        let sides = |accept, dial| Sides { accept: (accept, Speaks::Tls), dial: (dial, true) };
        sides(terms(HOST, false, true), terms("somewhere", true, true)).linked().await;
        sides(terms("somewhere", true, true), terms(HOST, true, false)).linked().await;
    });
}

#[test]
fn what_is_renewed_holds_for_the_next_link() {
    on_executor(|| async {
        let (ours, foreign) = (Authority::new(), Authority::new());
        let ((listen1, addr1), (listen2, addr2)) = (port(), port());
        let all = [(1, addr1), (2, addr2)];
        let good = || ours.terms(HOST, &ours, true);
        let endpoint = TlsEndpoint::new(good());
        let tls = Some(LinkTls { endpoint: endpoint.clone(), dial: true, accept: Speaks::Tls });
        let one = start(LinksConfig { tls, ..config(1, listen1, &all) });
        let two = start(with_tls(2, listen2, &all, good(), true, Speaks::Tls));
        one.expect(Seen::Up(2, incarnation(2))).await;
        two.expect(Seen::Up(1, incarnation(1))).await;
        endpoint.replace(foreign.terms(HOST, &ours, true));
        two.links.send(ONE, b"still there", Tail::None);
        two.links.flush();
        assert_eq!(one.message(2).await.0, b"still there");
        one.links.disconnect(TWO);
        two.down(1).await;
        refused(&two, "of an authority that is not trusted here").await;
    });
}

/// A connection of something that is no server, but speaks TLS as one.
fn connected(config: Arc<ClientConfig>, addr: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let session = ClientConnection::new(config, ServerName::try_from(HOST).unwrap()).unwrap();
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(session, stream)
}

/// The beginning of a handshake, and no more.
fn stall(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    stream
}

/// Waits until the other side has ended the connection.
async fn ended(mut stream: TcpStream) {
    let end = blocking(move || io::copy(&mut stream, &mut io::sink())).await;
    let reset = end.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
    assert!(reset || end.is_ok(), "{end:?}");
}

#[test]
fn handshakes_that_stall_hold_nobody_up_and_are_ended() {
    on_executor(|| async {
        let authority = Authority::new();
        let ((listen1, addr1), (listen2, addr2)) = (port(), port());
        let all = [(1, addr1), (2, addr2)];
        let terms = |handshake_timeout| TlsTerms { handshake_timeout, ..authority.terms(HOST, &authority, true) };
        let one = start(with_tls(1, listen1, &all, terms(NEVER), true, Speaks::Either));
        let mut stalled = blocking(move || (0..100).map(|_| stall(addr1)).collect::<Vec<_>>()).await;
        let two = start(with_tls(2, listen2, &all, terms(Duration::from_secs(1)), true, Speaks::Tls));
        one.expect(Seen::Up(2, incarnation(2))).await;
        two.expect(Seen::Up(1, incarnation(1))).await;
        // Where there are too many of them the oldest go, and on the other server each when its time is over.
        ended(stalled.remove(0)).await;
        ended(blocking(move || stall(addr2)).await).await;
    });
}

#[test]
fn who_says_nothing_behind_the_handshake_is_ended() {
    on_executor(|| async {
        let authority = Authority::new();
        let (listen, addr) = port();
        let terms = TlsTerms { handshake_timeout: NEVER, ..authority.terms(HOST, &authority, true) };
        let connect = terms.connect.clone().unwrap();
        let mut settings = with_tls(1, listen, &[(9, addr)], terms, true, Speaks::Tls);
        settings.limits.greeting_timeout = Duration::from_secs(1);
        let _server = start(settings);
        let stream = blocking(move || {
            let mut stream = connected(connect, addr);
            stream.conn.complete_io(&mut stream.sock).unwrap();
            stream.sock
        });
        ended(stream.await).await;
    });
}

/// Server 1 is none: it ends the connection in the middle of the handshake, or falls silent there.
#[test]
fn the_one_who_connects_says_how_the_handshake_ended() {
    on_executor(|| async {
        for (ends, why) in [(true, "ended the connection in the middle"), (false, "took too long")] {
            let authority = Authority::new();
            let ((listen1, addr1), (listen2, addr2)) = (port(), port());
            let all = [(1, addr1), (2, addr2)];
            let terms = TlsTerms {
                handshake_timeout: if ends { PATIENCE } else { Duration::from_millis(50) },
                ..authority.terms(HOST, &authority, true)
            };
            let two = start(with_tls(2, listen2, &all, terms, true, Speaks::Tls));
            let held = blocking(move || {
                let (mut stream, _) = listen1.accept().unwrap();
                let mut first = [0; 1];
                stream.read_exact(&mut first).unwrap();
                assert_eq!(first, [0x16]);
                (listen1, (!ends).then_some(stream))
            })
            .await;
            refused(&two, why).await;
            drop(held);
        }
    });
}

#[test]
fn a_record_that_was_changed_ends_the_link_and_nothing_else() {
    on_executor(|| async {
        let authority = Authority::new();
        let (listen, addr) = port();
        let terms = authority.terms(HOST, &authority, true);
        let connect = terms.connect.clone().unwrap();
        let server = start(with_tls(1, listen, &[(9, addr)], terms, true, Speaks::Tls));
        let mut peer = blocking(move || {
            let mut stream = connected(connect, addr);
            stream.write_all(&greeting(9, 1, |_| {})).unwrap();
            stream.read_exact(&mut [0; 64]).unwrap();
            stream
        })
        .await;
        server.expect(Seen::Up(9, incarnation(9))).await;
        server.links.send(ServerId(9), b"", Tail::Bytes(vec![1; 32 << 20]));
        server.links.flush();
        assert!(server.links.queued_bytes(ServerId(9)) > 0, "so that something waits to be encrypted");
        peer.sock.write_all(&[&[0x17, 3, 3, 0, 40][..], &[7; 40]].concat()).unwrap();
        assert!(matches!(server.down(9).await, LinkDown::Tls(why) if why.contains("decrypt")));
        drop(peer);
    });
}
