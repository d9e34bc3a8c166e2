//! The admin server with TLS: for programs, for our own commands, and while certificates are renewed.

use crate::http::{Answer, get, read_all};
use crate::pki::{Authority, Identity, write};
use crate::snapshot;
use crate::support::client::Client;
use crate::support::rng::Rng;
use crate::support::server::{Server, ringkeeper_binary};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What does not come in this time never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server whose admin server has TLS, and the authority that everybody trusts.
struct Secure {
    server: Server,
    addr: SocketAddr,
    authority: Authority,
    dir: tempfile::TempDir,
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Secure {
    fn start(more: &[(&str, &str)]) -> Secure {
        let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new("authority"));
        let key = write(dir.path(), "server.pem", &authority.issue("server").pem);
        let trust = write(dir.path(), "ca.pem", &authority.pem());
        let files = [
            ("ssl.quorum.keyStore.location", key.to_str().unwrap()),
            ("ssl.quorum.trustStore.location", trust.to_str().unwrap()),
            ("X509AuthenticationProvider.superUser", "CN=admin,O=Example"),
            ("admin.rateLimiterIntervalInMS", "0"),
            // A busy machine is no stranger.
            ("ssl.quorum.handshakeDetectionTimeoutMillis", "60000"),
        ];
        let (server, addr) = snapshot::start(&[&files, more].concat());
        Secure { server, addr, authority, dir }
    }

    /// A connection of somebody who has this certificate, or none.
    fn connect(&self, identity: Option<&Identity>) -> io::Result<Stream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some(Identity { certificate, key, .. }) => {
                builder.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let conn = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let mut stream = StreamOwned::new(conn, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    fn ask(&self, identity: Option<&Identity>, path: &str, authorization: &str) -> io::Result<Answer> {
        let mut stream = self.connect(identity)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n")?;
        stream.flush()?;
        read_all(stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(None, path, "").unwrap()
    }

    fn served(&self) -> CertificateDer<'static> {
        self.connect(None).unwrap().conn.peer_certificates().unwrap()[0].clone()
    }

    /// Runs a command of ours with these flags in the directory of the certificates.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(ringkeeper_binary());
        let output = command.args(arguments).current_dir(self.dir.path()).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }
}

#[test]
fn it_speaks_tls_alone_or_both_as_it_is_asked_to() {
    let secure = Secure::start(&[("admin.forceHttps", "true"), ("admin.portUnification", "true")]);
    assert_eq!(secure.get("/health/live").text(), "live\n");
    assert!(secure.get("/metrics").text().contains("\nznode_count "));
    let plain = get(secure.addr, "/health/live");
    assert_eq!((plain.status, plain.text()), (400, "only TLS is spoken here: ask with https://\n"));
    assert!(secure.server.output().contains("speaks=\"HTTPS\""), "{}", secure.server.output());

    let both = Secure::start(&[("admin.portUnification", "true")]);
    assert_eq!((both.get("/health/live").status, get(both.addr, "/health/live").status), (200, 200));

    // Who does not go on with the handshake is let go, and told of.
    let slow = Secure::start(&[("admin.forceHttps", "true"), ("ssl.quorum.handshakeDetectionTimeoutMillis", "500")]);
    let mut silent = TcpStream::connect(slow.addr).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    silent.write_all(&[0x16]).unwrap();
    // All that it hears is that this is the end.
    assert!(silent.read_to_end(&mut Vec::new()).unwrap() < 10);
    assert!(slow.server.output().contains("the handshake took too long"), "{}", slow.server.output());

    let neither = Secure::start(&[]);
    assert!(neither.connect(None).is_err());
    assert_eq!(get(neither.addr, "/health/live").status, 200);
}

#[test]
fn a_certificate_says_who_asks() {
    let secure = Secure::start(&[("admin.forceHttps", "true"), ("admin.needClientAuth", "true")]);
    let mut client = Client::connect(secure.server.addr());
    // Nothing that a snapshot makes small.
    let mut rng = Rng::new(1);
    let data: Vec<u8> = (0..900_000 / 8).flat_map(|_| rng.next().to_le_bytes()).collect();
    ["/a", "/b", "/c"].iter().for_each(|path| drop(client.create(path, &data, 0).unwrap()));
    let [admin, me] = ["admin", "me"].map(|name| secure.authority.issue(name));
    let stranger = Authority::new("stranger").issue("admin");
    let ask = |identity, header| secure.ask(identity, "/commands/snapshot", header).map(|answer| answer.status);
    let header = "Authorization: x509\r\n";
    assert!(ask(None, header).is_err() && ask(Some(&stranger), header).is_err(), "who they are is not known");
    assert_eq!(ask(Some(&me), header).unwrap(), 403);
    assert_eq!(ask(Some(&admin), "").unwrap(), 401);
    let answer = secure.ask(Some(&admin), "/commands/snapshot", header).unwrap();
    assert_eq!(answer.header("content-length").unwrap(), answer.body.len().to_string());
    assert!(answer.status == 200 && answer.body.len() > 2_700_000, "{}", answer.head);
}

#[test]
fn our_own_commands_speak_it() {
    let secure = Secure::start(&[("admin.forceHttps", "true"), ("admin.needClientAuth", "true")]);
    write(secure.dir.path(), "admin.pem", &secure.authority.issue("admin").pem);
    write(secure.dir.path(), "foreign.pem", &Authority::new("foreign").pem());
    let mut client = Client::connect(secure.server.addr());
    client.create("/a", &vec![b'x'; 900_000], 0).unwrap();
    client.create("/b", b"", 0).unwrap();
    let url = format!("https://localhost:{}", secure.addr.port());
    let backup = |trusting: &str, to: &[&str]| {
        let flags = ["backup", "--server", &url, "--tls-ca", trusting, "--tls-cert", "admin.pem", "--auth", "x509"];
        secure.run(&[&flags, to].concat())
    };
    let (done, said) = backup("ca.pem", &["--into", "backup"]);
    assert!(done, "{said}");
    let (done, said) = backup("ca.pem", &["--to", "now.snap"]);
    assert!(done, "{said}");
    let (done, said) = backup("foreign.pem", &["--to", "never"]);
    assert!(!done && said.contains("UnknownIssuer") && !Path::exists(&secure.dir.path().join("never")), "{said}");
    let (done, said) = secure.run(&["backup", "--server", &url, "--to", "never"]);
    assert!(!done && said.contains("--tls-ca FILE"), "{said}");

    client.delete("/b", -1).unwrap();
    client.create("/c", b"", 0).unwrap();
    let flags = ["restore", "--server", &url, "--tls-ca", "ca.pem", "--tls-cert", "admin.pem", "--auth", "x509"];
    let (done, said) = secure.run(&[&flags[..], &["--from", "now.snap"]].concat());
    assert!(done, "{said}");
    assert!(client.exists("/b", false).is_ok() && client.exists("/c", false).is_err(), "it is as it was");
}

#[test]
fn certificates_are_renewed() {
    let secure = Secure::start(&[("admin.portUnification", "true"), ("sslQuorumReloadCertFiles", "true")]);
    let before = secure.served();
    let next = secure.authority.issue("server");
    // As whoever renews certificates should: the file is there at any time, whole.
    let new = write(secure.dir.path(), "new", &next.pem);
    std::fs::rename(new, secure.dir.path().join("server.pem")).unwrap();
    let began = Instant::now();
    while secure.served() == before {
        assert!(began.elapsed() < PATIENCE, "the new certificate is not served");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(secure.served(), next.certificate);
}
