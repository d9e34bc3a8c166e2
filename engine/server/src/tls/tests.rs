//! Certificates and stores as operators make them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, DnValue, IsCa, KeyPair,
    date_time_ymd,
};
use ringkeeper_core::acl::Id;

use super::certificate::facts;
use super::*;
use crate::config::key::Group;
use crate::config::{ClientAuth, Config, Inputs, Password, Store, Whom};

/// An authority, and a directory for files.
struct Bench {
    dir: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

const NOW: WallMs = WallMs(1_795_000_000_000);

impl Bench {
    fn new() -> Bench {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Bench { dir: tempfile::tempdir().unwrap(), issuer }
    }

    fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// A certificate and its key, PEM, valid until the first of January of that year.
    fn certificate(&self, name: DistinguishedName, until: i32) -> (String, String) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name = name;
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn tls(&self, key_store: PathBuf) -> Tls {
        let store = |path| Store { path, password: Password::None, setting: "zoo.cfg:1: store".to_owned() };
        Tls {
            whom: Whom::Clients,
            key_store: store(key_store),
            trust_store: Some(store(self.file("ca.pem", &self.issuer.pem()))),
            client_auth: ClientAuth::Need,
            v12: true,
            v13: true,
            cipher_suites: None,
            verify_accepted: false,
            verify_connected: false,
            follow_files: false,
            handshake_timeout: std::time::Duration::from_secs(10),
            max_handshakes: 0,
        }
    }

    /// Runs openssl in the directory; false if there is none.
    fn openssl(&self, arguments: &str) -> bool {
        let run = Command::new("openssl").args(arguments.split_whitespace()).current_dir(self.dir.path()).output();
        run.is_ok_and(|output| output.status.success())
    }
}

fn name(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    parts.iter().for_each(|(kind, text)| name.push(kind.clone(), *text));
    name
}

fn server_name() -> DistinguishedName {
    name(&[(DnType::CommonName, "server")])
}

#[test]
fn a_pem_store_is_chain_and_key_in_any_order() {
    let bench = Bench::new();
    let (certificate, key) = bench.certificate(server_name(), 2040);
    for (at, text) in [format!("{certificate}{key}"), format!("{key}{certificate}")].iter().enumerate() {
        let loaded = load(&bench.tls(bench.file(&format!("{at}.pem"), text)), NOW).unwrap();
        assert_eq!((loaded.served.subject.as_str(), loaded.warnings.len()), ("CN=server", 0));
        assert_eq!(loaded.served.authorities.len(), 1);
        assert!(loaded.served.to_string().contains("valid until 2040-01-01 00:00 UTC"), "{}", loaded.served);
    }
}

#[test]
fn what_is_wrong_with_files_is_said() {
    let bench = Bench::new();
    let (certificate, key) = bench.certificate(server_name(), 2040);
    let (_, other) = bench.certificate(server_name(), 2040);
    let said = |file: &str, text: &str| load(&bench.tls(bench.file(file, text)), NOW).unwrap_err().to_string();
    assert!(said("a", &certificate).contains("holds no private key"));
    assert!(said("b", &key).contains("holds no certificate"));
    let wrong = said("c", &format!("{certificate}{other}"));
    assert!(wrong.contains("not that of its first certificate (CN=server)"), "{wrong}");
    assert!(said("d", "hello").contains("neither PEM nor PKCS12"));
    assert!(said("e", "-----BEGIN CERTIFICATE-----\nhello").contains("is not valid PEM"));
    assert!(said("f", "0 is how ASN.1 begins").contains("cannot be opened as PKCS12"));
    fs::write(bench.dir.path().join("g"), [0xFE, 0xED, 0xFE, 0xED, 0, 0]).unwrap();
    let java = load(&bench.tls(bench.dir.path().join("g")), NOW).unwrap_err().to_string();
    assert!(java.contains("JKS") && java.contains("keytool -importkeystore"), "{java}");
    let nowhere = load(&bench.tls(bench.dir.path().join("nowhere")), NOW).unwrap_err().to_string();
    assert!(
        nowhere.starts_with("zoo.cfg:1: store cannot be read") && nowhere.contains("correct the path"),
        "{nowhere}"
    );
}

#[test]
fn certificates_that_end_are_warned_about() {
    let bench = Bench::new();
    let warned = |until| {
        let (certificate, key) = bench.certificate(server_name(), until);
        let loaded = load(&bench.tls(bench.file("k.pem", &format!("{certificate}{key}"))), NOW).unwrap();
        loaded.warnings.join("")
    };
    assert!(warned(2020).contains("expired on 2020-01-01 00:00 UTC"), "{}", warned(2020));
    assert_eq!(warned(2040), "");
    let (certificate, key) = bench.certificate(server_name(), 2027);
    let before = WallMs(1_798_000_000_000);
    let soon = load(&bench.tls(bench.file("k.pem", &format!("{certificate}{key}"))), before).unwrap().warnings;
    assert!(soon[0].contains("expires on 2027-01-01"), "{soon:?}");
}

#[test]
fn passwords_open_keys_and_stores() {
    let bench = Bench::new();
    if !bench.openssl("version") {
        return println!("SKIPPED passwords_open_keys_and_stores: no openssl");
    }
    let (certificate, key) = bench.certificate(server_name(), 2040);
    bench.file("cert.pem", &certificate);
    bench.file("key.pem", &key);
    assert!(bench.openssl("pkcs8 -topk8 -v2 aes-256-cbc -in key.pem -out enc.pem -passout pass:secret"));
    assert!(bench.openssl("pkcs12 -export -in cert.pem -inkey key.pem -out store.p12 -passout pass:secret"));
    let encrypted = fs::read_to_string(bench.dir.path().join("enc.pem")).unwrap();
    let pem = bench.file("both.pem", &format!("{certificate}{encrypted}"));
    let with = |path: &PathBuf, password| {
        let mut tls = bench.tls(path.clone());
        tls.key_store.password = password;
        load(&tls, NOW).map(|loaded| loaded.served.subject).map_err(|why| why.to_string())
    };
    let in_file = || Password::In(bench.file("password", "secret\n"));
    for path in [&pem, &bench.dir.path().join("store.p12")] {
        assert_eq!(with(path, Password::Is("secret".to_owned())).unwrap(), "CN=server", "{}", path.display());
        assert_eq!(with(path, in_file()).unwrap(), "CN=server");
        let wrong = with(path, Password::Is("wrong".to_owned())).unwrap_err();
        assert!(wrong.contains("password") && !wrong.contains("secret"), "{wrong}");
    }
    assert!(with(&pem, Password::None).unwrap_err().contains("passwordPath=FILE"));
}

#[test]
fn cipher_suites_have_javas_names() {
    let bench = Bench::new();
    let (certificate, key) = bench.certificate(server_name(), 2040);
    let path = bench.file("k.pem", &format!("{certificate}{key}"));
    let with = |suites: &[&str]| {
        let cipher_suites = Some(suites.iter().map(|name| (*name).to_owned()).collect());
        load(&Tls { cipher_suites, ..bench.tls(path.clone()) }, NOW)
            .map(|loaded| loaded.warnings)
            .map_err(|e| e.to_string())
    };
    let known = ["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
    assert_eq!(with(&known), Ok(vec![]));
    let warnings = with(&[known[0], "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"]).unwrap();
    assert!(warnings[0].contains("CBC_SHA256, which are left out"), "{warnings:?}");
    assert!(with(&["TLS_NULL"]).unwrap_err().contains("no cipher suite that is known here"));
}

/// The texts are those of `X500Principal.getName` of Java 17 for the same subjects.
#[test]
fn subjects_are_spelt_as_java_does() {
    let bench = Bench::new();
    let subject = |parts: &[(DnType, DnValue)]| {
        let mut name = DistinguishedName::new();
        parts.iter().for_each(|(kind, value)| name.push(kind.clone(), value.clone()));
        let (pem, _) = bench.certificate(name, 2040);
        let der = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents;
        facts(&der).unwrap().subject
    };
    let text = |text: &str| DnValue::Utf8String(text.to_owned());
    let email = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    assert_eq!(
        subject(&[
            (DnType::CountryName, DnValue::PrintableString("DE".try_into().unwrap())),
            (DnType::StateOrProvinceName, text("Berlin")),
            (DnType::OrganizationName, text("Example, Inc.")),
            (DnType::OrganizationalUnitName, text("Plus+ \"Quote\" <x>; #=\\")),
            (DnType::CommonName, text(" app é ")),
        ]),
        "CN=\\ app é\\ ,OU=Plus\\+ \\\"Quote\\\" \\<x\\>\\; \\#\\=\\\\,O=Example\\, Inc.,ST=Berlin,C=DE"
    );
    assert_eq!(
        subject(&[(email, DnValue::Ia5String("a@b".try_into().unwrap())), (DnType::CommonName, text("x"))]),
        "CN=x,1.2.840.113549.1.9.1=#1603614062"
    );
}

#[test]
fn identities_are_the_subject_and_perhaps_super() {
    let bench = Bench::new();
    let (pem, _) = bench.certificate(server_name(), 2040);
    let der = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents;
    assert_eq!(identities(None, Some("CN=server")), []);
    assert_eq!(identities(Some(&der), None), [Id::new("x509", "CN=server")]);
    assert_eq!(
        identities(Some(&der), Some("CN=server")),
        [Id::new("super", "CN=server"), Id::new("x509", "CN=server")]
    );
    assert_eq!(identities(Some(b"no certificate"), None), []);
}

#[test]
fn servers_connect_and_have_to_know_whom_they_reach() {
    let bench = Bench::new();
    let (certificate, key) = bench.certificate(server_name(), 2040);
    let path = bench.file("k.pem", &format!("{certificate}{key}"));
    let of = |whom, client_auth, verify_accepted| {
        let tls = Tls { whom, client_auth, verify_accepted, verify_connected: true, ..bench.tls(path.clone()) };
        load(&tls, NOW).unwrap()
    };
    assert!(of(Whom::Clients, ClientAuth::Need, true).terms.connect.is_none());
    let Loaded { terms, served, .. } = of(Whom::Servers, ClientAuth::None, false);
    assert!(terms.connect.is_some() && terms.verify_connected && !terms.verify_accepted);
    assert!(served.to_string().ends_with("servers need no certificates"), "{served}");
    let loaded = of(Whom::Servers, ClientAuth::Need, true);
    assert!(loaded.terms.verify_accepted && loaded.served.to_string().contains("servers by CN="), "{}", loaded.served);
}

/// Settings of an ensemble with certificates for clients and servers, and some more.
fn configured(bench: &Bench, lines: &str) -> Config {
    let dir = bench.dir.path().display();
    let stores = ["", "quorum."]
        .map(|of| format!("ssl.{of}keyStore.location={dir}/{of}pem\nssl.{of}trustStore.location={dir}/ca.pem\n"));
    let servers = "server.id=1\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n";
    let text = format!("dataDir=/d\n{servers}{}{lines}", stores.concat());
    let file = Some(("zoo.cfg".into(), text.into_bytes()));
    Config::load(&Inputs { file, ..Inputs::default() }, 1).unwrap().0
}

/// Makes the certificates, that for clients valid until the first of January of that year.
fn certify(bench: &Bench, until: i32) {
    for (of, until) in [("pem", until), ("quorum.pem", 2090)] {
        let (certificate, key) = bench.certificate(server_name(), until);
        bench.file(of, &format!("{certificate}{key}"));
    }
    bench.file("ca.pem", &bench.issuer.pem());
}

#[test]
fn all_is_renewed_or_nothing() {
    let bench = Bench::new();
    certify(&bench, 2040);
    let config = configured(&bench, "secureClientPort=1\nsslQuorum=true");
    let mut renewals = Renewals::begin(&config).unwrap();
    let year = |renewals: &Renewals| crate::date::minute(renewals.ends().unwrap())[..4].to_owned();
    certify(&bench, 2050);
    bench.file("quorum.pem", "nonsense");
    let wrong = renewals.renew(&config).unwrap_err().to_string();
    assert!(wrong.contains("ssl.quorum.keyStore.location") && wrong.contains("neither PEM nor"), "{wrong}");
    assert_eq!(year(&renewals), "2040");
    certify(&bench, 2050);
    renewals.renew(&config).unwrap();
    assert_eq!(year(&renewals), "2050");
}

#[test]
fn ports_are_opened_and_closed_by_a_restart_alone() {
    let bench = Bench::new();
    certify(&bench, 2040);
    let with = |lines: &str| configured(&bench, lines);
    let waiting = |running: &str, read: &str| Renewals::begin(&with(running)).unwrap().waiting_for_restart(&with(read));
    let (clients, servers) = ("secureClientPort=1", "sslQuorum=true");
    assert_eq!(waiting(clients, ""), [Group::Tls]);
    assert_eq!(waiting("", clients), [Group::Tls]);
    assert_eq!(waiting(clients, servers), [Group::Tls, Group::PeerTls]);
    assert_eq!(waiting(servers, "portUnification=true"), []);
}
