use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

/// An authority, a server and clients of it.
struct Pki {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Pki {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Pki { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn identity(&self, name: &str) -> (Vec<rustls::pki_types::CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(roots)
    }

    fn terms(&self) -> TlsTerms {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots(), Arc::clone(&provider));
        let (chain, key) = self.identity("localhost");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        let handshake_timeout = Duration::from_secs(10);
        TlsTerms {
            accept: Arc::new(config),
            handshake_timeout,
            max_handshakes: 0,
            connect: None,
            verify_accepted: false,
            verify_connected: false,
        }
    }

    fn client(&self, name: &str) -> ClientConnection {
        let (chain, key) = self.identity(name);
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(chain, key)
            .unwrap();
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }
}

/// What the client has to send, in pieces.
fn said(client: &mut ClientConnection) -> Vec<u8> {
    let mut wire = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut wire).unwrap();
    }
    wire
}

/// Hands the client's bytes over in pieces of `step`, and the answers back; what the server hears.
fn exchange(server: &mut Session, client: &mut ClientConnection, step: usize) -> Result<Vec<u8>, TlsRefusal> {
    let (mut heard, mut plain) = (Vec::new(), vec![0; step + RECORD_BYTES]);
    loop {
        let wire = said(client);
        if wire.is_empty() {
            return Ok(heard);
        }
        let mut back = Vec::new();
        for piece in wire.chunks(step) {
            let opened = server.open(piece, &mut plain)?;
            heard.extend_from_slice(&plain[..opened.bytes]);
            server.take_output(&mut back);
        }
        let mut back = &back[..];
        while !back.is_empty() {
            client.read_tls(&mut back).unwrap();
            client.process_new_packets().unwrap();
        }
    }
}

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn bytes_pass_whatever_the_cuts() {
    let pki = Pki::new();
    let acceptor = TlsEndpoint::new(pki.terms());
    for step in [1, 7, 1000, 100_000] {
        let (mut server, mut client) = (acceptor.accept().unwrap(), pki.client("somebody"));
        assert!(server.completed(HERE).is_none());
        assert_eq!(exchange(&mut server, &mut client, step).unwrap(), b"");
        let certificate = server.completed(HERE).unwrap().unwrap();
        assert!(certificate.is_some() && server.completed(HERE).is_none(), "told once");

        let sent: Vec<u8> = (0..40_000u32).map(|n| n as u8).collect();
        client.writer().write_all(&sent).unwrap();
        assert_eq!(exchange(&mut server, &mut client, step).unwrap(), sent, "pieces of {step}");

        let (mut wire, mut got) = (Vec::new(), Vec::new());
        server.seal(&vec![7; 1 << 20], &mut wire);
        let mut wire = &wire[..];
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            let readable = client.process_new_packets().unwrap().plaintext_bytes_to_read();
            let at = got.len();
            got.resize(at + readable, 0);
            client.reader().read_exact(&mut got[at..]).unwrap();
        }
        assert_eq!(got, vec![7; 1 << 20]);
    }
}

#[test]
fn the_end_is_told_behind_what_was_said() {
    let pki = Pki::new();
    let (mut server, mut client) = (TlsEndpoint::new(pki.terms()).accept().unwrap(), pki.client("somebody"));
    exchange(&mut server, &mut client, 1000).unwrap();
    client.writer().write_all(b"last words").unwrap();
    client.send_close_notify();
    let mut plain = vec![0; 64 << 10];
    let opened = server.open(&said(&mut client), &mut plain).unwrap();
    assert_eq!((&plain[..opened.bytes], opened.ended), (&b"last words"[..], true));
}

#[test]
fn places_for_handshakes_are_given_back() {
    let pki = Pki::new();
    let acceptor = TlsEndpoint::new(TlsTerms { max_handshakes: 1, ..pki.terms() });
    let mut one = acceptor.accept().unwrap();
    assert!(matches!(acceptor.accept(), Err(TlsRefusal::TooMany(1))));
    assert_eq!(acceptor.handshakes_under_way(), 1, "whoever is refused takes no place");
    exchange(&mut one, &mut pki.client("somebody"), 1000).unwrap();
    assert!(one.completed(HERE).is_some());
    assert_eq!(acceptor.handshakes_under_way(), 0);
    drop(acceptor.accept().unwrap());
    assert_eq!(acceptor.handshakes_under_way(), 0, "a connection that is lost gives it back too");
}

#[test]
fn certificates_may_have_to_be_for_the_address() {
    let pki = Pki::new();
    let acceptor = TlsEndpoint::new(TlsTerms { verify_accepted: true, ..pki.terms() });
    let verdict = |name| {
        let mut server = acceptor.accept().unwrap();
        exchange(&mut server, &mut pki.client(name), 1000).unwrap();
        server.completed(HERE).unwrap()
    };
    assert!(verdict("127.0.0.1").is_ok());
    assert!(matches!(verdict("127.0.0.2"), Err(TlsRefusal::Address)));
    assert!(matches!(verdict("localhost"), Err(TlsRefusal::Address)), "names are not looked up");
}

#[test]
fn one_of_several_names_is_enough() {
    let (chain, _) = Pki::new().identity("zk2.example.com");
    let names = |names: &[&str]| -> Vec<ServerName<'static>> {
        names.iter().map(|name| ServerName::try_from((*name).to_owned()).unwrap()).collect()
    };
    let judge = |all: &[&str]| is_for_one_of(&chain[0], &names(all));
    assert_eq!(judge(&["zk1.example.com", "zk2.example.com"]), Ok(()));
    assert_eq!(judge(&["10.0.0.1", "zk1.example.com"]), Err("DnsName(\"zk2.example.com\")".to_owned()));
    assert!(judge(&[]).is_err());
}

#[test]
fn strangers_are_refused_with_a_reason() {
    let pki = Pki::new();
    let acceptor = TlsEndpoint::new(pki.terms());
    let mut plain = vec![0; 64 << 10];
    let connect = [0, 0, 0, 44, 0, 0, 0, 0, 0, 0];
    let refused = acceptor.accept().unwrap().open(&connect, &mut plain).unwrap_err();
    assert!(refused.to_string().contains("belong on clientPort"), "{refused}");

    // Somebody whom another authority stands for: this server's certificate is taken for granted.
    let mut server = acceptor.accept().unwrap();
    let (chain, key) = Pki::new().identity("somebody");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(pki.roots())
        .with_client_auth_cert(chain, key)
        .unwrap();
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let refused = exchange(&mut server, &mut client, 1000).unwrap_err();
    assert!(refused.to_string().contains("ssl.trustStore.location"), "{refused}");
    assert!(server.completed(HERE).is_none());
    let mut alert = Vec::new();
    server.take_output(&mut alert);
    assert!(!alert.is_empty(), "the client is told");
}

#[test]
fn nonsense_of_any_length_does_no_harm() {
    let pki = Pki::new();
    let acceptor = TlsEndpoint::new(pki.terms());
    let mut plain = vec![0; 64 << 10];
    let mut state = 1u64;
    for length in 0..600 {
        let mut server = acceptor.accept().unwrap();
        let mut nonsense = vec![0x16, 3, 1, 0, 200];
        nonsense.extend((0..length).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        }));
        let _ = server.open(&nonsense, &mut plain);
    }
}
