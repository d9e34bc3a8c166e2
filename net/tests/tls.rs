//! Real sockets that speak TLS against the echo service: everything that holds for plain ones, and handshakes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod echo;

use echo::{CLOSE, HOLD, LONG, LONG_REPLY, Server, config, start_speaking};
use rcgen::KeyPair;
use ringkeeper_net::{Speaks, TlsEndpoint, TlsTerms};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A server on a port that speaks TLS, and what its clients trust.
struct Secure {
    server: Server,
    client: Arc<ClientConfig>,
}

impl Secure {
    fn start(speaks: Speaks, change: impl FnOnce(TlsTerms) -> TlsTerms) -> Secure {
        let key = KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = params.self_signed(&key).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config_of_server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let terms = TlsTerms {
            accept: Arc::new(config_of_server),
            handshake_timeout: Duration::from_secs(60),
            max_handshakes: 0,
            connect: None,
            verify_accepted: false,
            verify_connected: false,
        };
        let tls = Some(TlsEndpoint::new(change(terms)));
        let server = start_speaking(ringkeeper_net::SocketsConfig { tls, ..config() }, speaks);
        Secure { server, client: Arc::new(client) }
    }

    fn plain(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn connect(&self) -> Stream {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        let mut stream = StreamOwned::new(session, self.plain());
        assert_eq!(read_frame(&mut stream).unwrap(), b"", "there is no certificate of the client");
        stream
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    let mut payload = vec![0; i32::from_be_bytes(prefix) as usize];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}

/// Whether the server ends the connection without another frame.
fn is_ended(stream: &mut impl Read) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
    }
}

#[test]
fn frames_of_all_sizes_come_back() {
    let secure = Secure::start(Speaks::Tls, |terms| terms);
    let mut stream = secure.connect();
    for size in [0, 1, 100, 16_384, 40_000, 300_000, 0xFFFFF, 5] {
        stream.write_all(&frame(&vec![size as u8; size])).unwrap();
        assert_eq!(read_frame(&mut stream).unwrap(), vec![size as u8; size]);
    }
}

#[test]
fn what_is_long_or_held_back_arrives_whole_and_the_end_is_told() {
    let secure = Secure::start(Speaks::Tls, |terms| terms);
    let mut stream = secure.connect();
    let held: Vec<u8> = (0..100).flat_map(|n| [frame(HOLD), frame(&[n])].concat()).collect();
    stream.write_all(&held).unwrap();
    for n in 0..100 {
        assert_eq!(read_frame(&mut stream).unwrap(), HOLD);
        assert_eq!(read_frame(&mut stream).unwrap(), [n]);
    }
    stream.write_all(&[frame(LONG), frame(CLOSE), frame(b"ignored")].concat()).unwrap();
    for _ in 0..2 {
        assert_eq!(read_frame(&mut stream).unwrap().len(), LONG_REPLY);
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the end of TLS, and not only of the connection");
}

#[test]
fn a_client_that_does_not_read_is_closed_and_others_live() {
    let secure = Secure::start(Speaks::Tls, |terms| terms);
    let mut greedy = secure.connect();
    for _ in 0..6 {
        // The server may have closed already.
        let _ = greedy.write_all(&frame(LONG));
    }
    let mut other = secure.connect();
    other.write_all(&frame(b"hello")).unwrap();
    assert_eq!(read_frame(&mut other).unwrap(), b"hello");
    let mut got = 0;
    while read_frame(&mut greedy).is_ok() {
        got += 1;
    }
    assert!(got < 6, "{got}");
}

#[test]
fn one_port_for_both_tells_them_apart() {
    let secure = Secure::start(Speaks::Either, |terms| terms);
    let mut plain = secure.plain();
    plain.write_all(&frame(b"clear")).unwrap();
    assert_eq!(read_frame(&mut plain).unwrap(), b"clear");
    let mut word = secure.plain();
    word.write_all(b"ruok").unwrap();
    let mut answer = Vec::new();
    word.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"ruok");
    let mut stream = secure.connect();
    stream.write_all(&frame(b"secret")).unwrap();
    assert_eq!(read_frame(&mut stream).unwrap(), b"secret");
}

#[test]
fn whoever_does_not_speak_tls_is_ended() {
    let secure = Secure::start(Speaks::Tls, |terms| terms);
    let mut plain = secure.plain();
    plain.write_all(&frame(b"clear")).unwrap();
    assert!(is_ended(&mut plain));
}

#[test]
fn a_handshake_that_stalls_is_ended() {
    let secure = Secure::start(Speaks::Tls, |terms| TlsTerms { handshake_timeout: Duration::from_millis(50), ..terms });
    let (mut silent, mut slow) = (secure.plain(), secure.plain());
    slow.write_all(&[0x16, 3, 1, 0, 200, 1]).unwrap();
    assert!(is_ended(&mut silent) && is_ended(&mut slow));
}

#[test]
fn there_are_no_more_handshakes_than_allowed() {
    let secure = Secure::start(Speaks::Tls, |terms| TlsTerms { max_handshakes: 1, ..terms });
    let first = secure.plain();
    assert!(is_ended(&mut secure.plain()), "the first one has the only place");
    drop(first);
    // The place is given back when the server has seen the first one go.
    let name = || ServerName::try_from("localhost").unwrap();
    let served = (0..1000).any(|_| {
        let session = ClientConnection::new(Arc::clone(&secure.client), name()).unwrap();
        read_frame(&mut StreamOwned::new(session, secure.plain())).is_ok()
    });
    assert!(served);
}
