//! TLS for clients: who is let in and as whom, what is told to those who are not, and certificates that change while the
//! server runs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cli;
mod pki;
#[path = "../process/mod.rs"]
mod process;
#[path = "../support/mod.rs"]
mod support;
mod zkcli;

use pki::{Authority, Identity, write};
use process::{Client, Server, scratch};
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::jute::{AclItem, AclList, Create, OpCode, Request};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whatever does not come in this time never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with TLS, and the authority that everybody trusts.
struct Secure {
    server: Server,
    authority: Authority,
    dir: tempfile::TempDir,
    port: u16,
}

impl Secure {
    /// With both ports.
    fn start(settings: &[&str]) -> Secure {
        let (dir, authority) = (scratch(), Authority::new("authority"));
        write(dir.path(), "server.pem", &authority.issue("server").pem);
        write(dir.path(), "ca.pem", &authority.pem());
        let file = |setting: &str, name: &str| format!("{setting}={}", dir.path().join(name).display());
        let mut all = vec![
            "secureClientPort=0".to_owned(),
            "secureClientPortAddress=127.0.0.1".to_owned(),
            "4lw.commands.whitelist=*".to_owned(),
            "X509AuthenticationProvider.superUser=CN=admin,O=Example".to_owned(),
            file("ssl.keyStore.location", "server.pem"),
            file("ssl.trustStore.location", "ca.pem"),
        ];
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let flags: Vec<&str> = all.iter().flat_map(|setting| ["--set", setting]).collect();
        let server = Server::start(&dir.path().join("data"), &flags);
        let conf = server.word(b"conf");
        let port = conf.lines().find_map(|line| line.strip_prefix("secureClientPort=")).unwrap().parse().unwrap();
        Secure { server, authority, dir, port }
    }

    /// A connection of somebody who trusts `authority`.
    fn connect(
        &self,
        authority: &Authority,
        identity: Option<&Identity>,
    ) -> Box<StreamOwned<ClientConnection, TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate()).unwrap();
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
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Box::new(StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream))
    }

    fn try_client(&self, authority: &Authority, identity: Option<&Identity>) -> io::Result<Client> {
        let client = Client::over(self.connect(authority, identity), (0, [0; 16]))?;
        Ok(client.expect("a new session is always there"))
    }

    fn client(&self, name: &str) -> Client {
        self.try_client(&self.authority, Some(&self.authority.issue(name))).unwrap()
    }

    /// The certificate that new connections see.
    fn served(&self) -> CertificateDer<'static> {
        let identity = self.authority.issue("looker");
        let mut stream = self.connect(&self.authority, Some(&identity));
        stream.conn.complete_io(&mut stream.sock).unwrap();
        stream.conn.peer_certificates().unwrap()[0].clone()
    }

    fn metric(&self, name: &str) -> i64 {
        let mntr = self.server.word(b"mntr");
        let line = mntr.lines().find_map(|line| line.strip_prefix(&format!("zk_{name}\t")).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in {mntr}")).parse().unwrap()
    }
}

/// Creates a node that is for one identity alone.
fn create_for(client: &mut Client, path: &str, scheme: &str, id: &str) -> Result<(), i32> {
    let items = [AclItem::new(31, scheme, id)];
    let (path, acl) = (Some(path.into()), Some(AclList::new(&items)));
    client.call(&Request::Create(Create { op: OpCode::Create, path, data: None, acl, flags: 0, ttl: None })).map(drop)
}

#[test]
fn clients_with_certificates_work_as_any_others() {
    for setting in ["client.cores=0", "client.cores=2"] {
        let secure = Secure::start(&[setting]);
        let mut client = secure.client("app");
        let large = vec![7; 1_000_000];
        client.create("/large", &large, 0).unwrap();
        for _ in 0..3 {
            assert_eq!(client.get("/large").unwrap().0.len(), large.len(), "{setting}");
        }
        assert_eq!(client.get("/large").unwrap().0, large);
        // Many requests in flight, whose answers wait for each other.
        let get = Request::GetData { path: "/large".into(), watch: false };
        (0..40).for_each(|_| client.send(&get).unwrap());
        (0..40).for_each(|_| assert!(client.reply().unwrap().1.len() > large.len()));
        let mut plain = Client::new(&secure.server);
        assert_eq!(plain.get("/large").unwrap().0, large, "the plain port is there too");
        assert!(secure.metric("tls_certificate_expiry_seconds") > 0);
        assert_eq!(secure.metric("outstanding_tls_handshake"), 0);
        assert!(secure.metric("non_mtls_local_conn_count") > 0, "the words themselves come without TLS");
    }
}

#[test]
fn subjects_of_certificates_are_identities() {
    let secure = Secure::start(&[]);
    let (mut app, mut other, mut admin) = (secure.client("app"), secure.client("other"), secure.client("admin"));
    create_for(&mut app, "/app", "x509", "CN=app,O=Example").unwrap();
    create_for(&mut app, "/auth", "auth", "").unwrap();
    let get = |path: &'static str| Request::GetData { path: path.into(), watch: false };
    for path in ["/app", "/auth"] {
        assert!(app.call(&get(path)).is_ok());
        assert_eq!(other.call(&get(path)), Err(ErrorCode::NoAuth.wire()));
        assert_eq!(Client::new(&secure.server).call(&get(path)), Err(ErrorCode::NoAuth.wire()));
        assert!(admin.call(&get(path)).is_ok(), "the super user");
    }
    let refused = create_for(&mut app, "/bad", "x509", "app");
    assert_eq!(refused, Err(ErrorCode::InvalidAcl.wire()), "not a subject");
}

#[test]
fn whoever_is_not_let_in_is_told_of_in_the_log() {
    let mut secure = Secure::start(&["ssl.handshake.timeout.ms=1000"]);
    let stranger = Authority::new("stranger");
    // Without TLS.
    let mut plain = TcpStream::connect(("127.0.0.1", secure.port)).unwrap();
    plain.write_all(b"ruok").unwrap();
    plain.write_all(&[0; 40]).unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"imok"));
    let line = secure.server.wait_for("TLS connection refused");
    assert!(line.contains("clients without TLS belong on clientPort"), "{line}");
    // Without a certificate, with somebody else's, and without trust in the server.
    assert!(secure.try_client(&secure.authority, None).is_err());
    assert!(secure.try_client(&secure.authority, Some(&stranger.issue("app"))).is_err());
    assert!(secure.try_client(&stranger, Some(&secure.authority.issue("app"))).is_err());
    // And who says nothing.
    let mut silent = TcpStream::connect(("127.0.0.1", secure.port)).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    // All that it hears is that this is the end.
    assert!(silent.read_to_end(&mut Vec::new()).unwrap() < 10);
    assert_eq!(secure.metric("unsuccessful_handshake"), 5);
    // A second may be too short for whoever is let in, too.
    let (app, deadline) = (secure.authority.issue("app"), Instant::now() + PATIENCE);
    let mut client = loop {
        match secure.try_client(&secure.authority, Some(&app)) {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    client.create("/works", b"", 0).unwrap();
}

#[test]
fn clients_may_do_without_certificates_where_they_may() {
    let secure = Secure::start(&["ssl.clientAuth=want"]);
    let mut nobody = secure.try_client(&secure.authority, None).unwrap();
    nobody.create("/a", b"", 0).unwrap();
    assert_eq!(create_for(&mut nobody, "/b", "auth", ""), Err(ErrorCode::InvalidAcl.wire()), "nobody is nobody");
    create_for(&mut secure.client("app"), "/b", "auth", "").unwrap();
    assert!(secure.try_client(&secure.authority, Some(&Authority::new("stranger").issue("app"))).is_err());
}

#[test]
fn clients_are_not_asked_for_certificates_where_they_need_none() {
    let secure = Secure::start(&["ssl.clientAuth=none"]);
    secure.try_client(&secure.authority, None).unwrap().create("/a", b"", 0).unwrap();
    let mut app = secure.client("app");
    assert_eq!(create_for(&mut app, "/b", "auth", ""), Err(ErrorCode::InvalidAcl.wire()), "nobody has seen its own");
}

#[test]
fn one_port_serves_both() {
    let mut secure = Secure::start(&["client.portUnification=true"]);
    secure.port = secure.server.addr.port();
    secure.client("app").create("/a", b"secret", 0).unwrap();
    assert_eq!(Client::new(&secure.server).get("/a").unwrap().0, b"secret");
    assert!(secure.server.word(b"srvr").contains("Zxid"));
}

#[test]
fn certificates_are_renewed_and_connections_live_on() {
    let mut secure = Secure::start(&[]);
    let mut old = secure.client("app");
    let before = secure.served();
    let dir = secure.dir.path().to_owned();
    write(&dir, "server.pem", "nonsense");
    secure.server.signal(libc::SIGHUP);
    secure.server.wait_for("is neither PEM nor PKCS12");
    secure.server.wait_for("the one in force stays");
    assert_eq!(secure.served(), before, "what cannot be used is not put into force");

    let renewed = secure.authority.issue("server");
    write(&dir, "server.pem", &renewed.pem);
    assert_eq!(secure.served(), before, "nobody has asked for it yet");
    secure.server.signal(libc::SIGHUP);
    secure.server.wait_for("new connections get the certificate of CN=server,O=Example");
    assert_eq!(secure.served(), renewed.certificate);
    old.create("/old", b"", 0).unwrap();

    // Another authority: whom it stands for comes in, and nobody else any more.
    let next = Authority::new("next");
    write(&dir, "ca.pem", &next.pem());
    secure.server.signal(libc::SIGHUP);
    secure.server.wait_for("clients by CN=next");
    assert!(secure.try_client(&secure.authority, Some(&secure.authority.issue("app"))).is_err());
    secure.try_client(&secure.authority, Some(&next.issue("app"))).unwrap();
    old.create("/old/one", b"", 0).unwrap();
}

#[test]
fn files_are_followed_if_wanted() {
    let mut secure = Secure::start(&["client.certReload=true"]);
    let renewed = secure.authority.issue("server");
    write(secure.dir.path(), "server.pem", &renewed.pem);
    secure.server.wait_for("new connections get the certificate of");
    assert_eq!(secure.served(), renewed.certificate);
}

#[test]
fn connections_that_end_leave_nothing_behind() {
    let secure = Secure::start(&[]);
    let (identity, deadline) = (secure.authority.issue("app"), Instant::now() + PATIENCE);
    for _ in 0..20 {
        drop(secure.try_client(&secure.authority, Some(&identity)).unwrap());
        drop(secure.connect(&secure.authority, Some(&identity)));
    }
    let settled = || secure.metric("num_alive_connections") == 1 && secure.metric("outstanding_tls_handshake") == 0;
    while !settled() {
        assert!(Instant::now() < deadline, "{}", secure.server.word(b"mntr"));
        std::thread::sleep(Duration::from_millis(20));
    }
}
