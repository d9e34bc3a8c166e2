//! TLS for clients: where keys and certificates are, whom to trust, what is spoken.

use std::path::PathBuf;
use std::time::Duration;

use super::key::{Key, parse_int};
use super::problem::{Problem, Problems};
use super::settings::{Setting, Settings};
use super::shape::list;
use super::table as keys;

/// TLS for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's key and certificate.
    pub key_store: Store,
    /// The authorities that stand for clients; `None` only if clients are not asked for certificates.
    pub trust_store: Option<Store>,
    /// What clients must show.
    pub client_auth: ClientAuth,
    /// Version 1.2 is spoken.
    pub v12: bool,
    /// Version 1.3 is spoken.
    pub v13: bool,
    /// Names of cipher suites in Java's spelling; `None`: all that are known.
    pub cipher_suites: Option<Vec<String>>,
    /// A client's certificate must be for the address that it connects from.
    pub verify_address: bool,
    /// Files are read again when they change, and not only on SIGHUP.
    pub follow_files: bool,
    /// A handshake that takes longer is ended.
    pub handshake_timeout: Duration,
    /// Handshakes under way at most; 0 means no limit.
    pub max_handshakes: u32,
}

/// A file with keys or certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Where it is.
    pub path: PathBuf,
    /// Its password, or where that is.
    pub password: Password,
    /// The setting with its place, for messages.
    pub setting: String,
}

/// The password of a store.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Password {
    /// There is none.
    #[default]
    None,
    /// This one.
    Is(String),
    /// What this file contains.
    In(PathBuf),
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Password::None => f.write_str("None"),
            Password::Is(_) => f.write_str("Is(..)"),
            Password::In(path) => f.debug_tuple("In").field(path).finish(),
        }
    }
}

/// What clients must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// A certificate.
    Need,
    /// A certificate if they have one.
    Want,
    /// Nothing.
    None,
}

/// The TLS port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurePort {
    /// Host name or address; `None` is every address of the machine.
    pub host: Option<String>,
    /// TCP port; 0 lets the system choose.
    pub port: u16,
}

/// Reads the settings; `None` if no port speaks TLS, or if something that it needs is missing, which is then among the problems.
pub(super) fn build(settings: &Settings, problems: &mut Problems) -> Option<Tls> {
    let asked = [&keys::SECURE_CLIENT_PORT, &keys::CLIENT_PORT_UNIFICATION];
    let given = asked.into_iter().find_map(|key| settings.given(key).map(|given| (given, key)));
    let on = settings.given(&keys::SECURE_CLIENT_PORT).is_some() || settings.is_on(&keys::CLIENT_PORT_UNIFICATION);
    let (given, key) = given.filter(|_| on)?;
    let client_auth = match settings.text(&keys::SSL_CLIENT_AUTH).map(str::to_ascii_lowercase).as_deref() {
        Some("none") => ClientAuth::None,
        Some("want") => ClientAuth::Want,
        _ => ClientAuth::Need,
    };
    let key_store = store(settings, &KEY_STORE, problems);
    if key_store.is_none() {
        let remedy = "give ssl.keyStore.location=FILE: the certificates, the server's own first, and its key, in PEM";
        problems.refuse(Problem::new(given, key, "needs the server's key and certificate", remedy));
    }
    let trust_store = store(settings, &TRUST_STORE, problems);
    if trust_store.is_none() && client_auth != ClientAuth::None {
        let remedy = "give ssl.trustStore.location=FILE with the certificates of the authorities that stand for clients, \
                      in PEM, or ssl.clientAuth=none if clients need no certificates";
        problems.refuse(Problem::new(given, key, "needs to know whose certificates clients may have", remedy));
    }
    let (v12, v13) = protocols(settings, problems);
    let suites = settings.text(&keys::SSL_CIPHER_SUITES);
    Some(Tls {
        key_store: key_store?,
        trust_store,
        client_auth,
        v12,
        v13,
        cipher_suites: suites.map(|text| list(text).map(str::to_owned).collect()),
        verify_address: settings.is_on(&keys::SSL_VERIFY_CLIENT_ADDRESS),
        follow_files: settings.is_on(&keys::CLIENT_CERT_RELOAD),
        handshake_timeout: Duration::from_millis(settings.size(&keys::SSL_HANDSHAKE_TIMEOUT)),
        max_handshakes: u32::try_from(settings.int(&keys::TLS_HANDSHAKES_MAX)).unwrap_or(0),
    })
}

/// The TLS port, if there is one.
pub(super) fn port(settings: &Settings) -> Option<SecurePort> {
    let number = settings.text(&keys::SECURE_CLIENT_PORT).and_then(parse_int)?;
    let host = settings.text(&keys::SECURE_CLIENT_PORT_ADDRESS).map(|host| host.trim_matches(['[', ']']).to_owned());
    Some(SecurePort { host, port: u16::try_from(number).expect("the table bounds ports") })
}

/// The settings of a store.
struct Rows {
    location: &'static Key,
    password: &'static Key,
    password_path: &'static Key,
    kind: &'static Key,
}

static KEY_STORE: Rows = Rows {
    location: &keys::SSL_KEY_STORE,
    password: &keys::SSL_KEY_STORE_PASSWORD,
    password_path: &keys::SSL_KEY_STORE_PASSWORD_PATH,
    kind: &keys::SSL_KEY_STORE_TYPE,
};
static TRUST_STORE: Rows = Rows {
    location: &keys::SSL_TRUST_STORE,
    password: &keys::SSL_TRUST_STORE_PASSWORD,
    password_path: &keys::SSL_TRUST_STORE_PASSWORD_PATH,
    kind: &keys::SSL_TRUST_STORE_TYPE,
};

/// How a store in one of Java's own formats becomes one that is read here.
pub(crate) const CONVERT: &str =
    "convert it: keytool -importkeystore -srckeystore FILE -destkeystore FILE.p12 -deststoretype PKCS12";

fn store(settings: &Settings, rows: &Rows, problems: &mut Problems) -> Option<Store> {
    if let Some(given) = settings.given(rows.kind)
        && ["JKS", "BCFKS"].iter().any(|kind| kind.eq_ignore_ascii_case(&given.value))
    {
        problems.refuse(Problem::new(given, rows.kind, "is a format that only Java reads", CONVERT));
    }
    let path = PathBuf::from(settings.text(rows.location)?);
    let text = |key| settings.text(key).filter(|text| !text.is_empty());
    // The file wins, as in ZooKeeper.
    let password = match (text(rows.password_path), text(rows.password)) {
        (Some(path), _) => Password::In(path.into()),
        (None, Some(password)) => Password::Is(password.to_owned()),
        (None, None) => Password::None,
    };
    Some(Store { path, password, setting: settings.named(rows.location) })
}

/// Whether versions 1.2 and 1.3 are spoken.
fn protocols(settings: &Settings, problems: &mut Problems) -> (bool, bool) {
    let enabled = settings.given(&keys::SSL_ENABLED_PROTOCOLS).map(|given| (given, &keys::SSL_ENABLED_PROTOCOLS));
    let only = || settings.given(&keys::SSL_PROTOCOL).map(|given| (given, &keys::SSL_PROTOCOL));
    let Some((given, key)) = enabled.or_else(only) else { return (true, true) };
    let has = |name: &str| list(&given.value).any(|version| version.eq_ignore_ascii_case(name));
    let v13 = has("TLSv1.3");
    // ssl.protocol names the newest one.
    let v12 = has("TLSv1.2") || (v13 && key.name == keys::SSL_PROTOCOL.name);
    warn_of_others(given, key, problems);
    if !v12 && !v13 {
        let remedy = "give TLSv1.3, TLSv1.2 or both: older versions can be broken";
        problems.refuse(Problem::new(given, key, "leaves no protocol that is spoken here", remedy));
    }
    (v12, v13)
}

fn warn_of_others(given: &Setting, key: &Key, problems: &mut Problems) {
    let known = ["TLSv1.2", "TLSv1.3"];
    let others: Vec<&str> =
        list(&given.value).filter(|version| known.iter().all(|known| !known.eq_ignore_ascii_case(version))).collect();
    if !others.is_empty() {
        let wrong = format!("asks for {}, which is not spoken: only TLSv1.2 and TLSv1.3 are", others.join(", "));
        problems.warn(Problem::new(given, key, &wrong, ""));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{refused, valid};
    use super::*;

    const STORES: &str = "secureClientPort=2281\nssl.keyStore.location=/k.pem\nssl.trustStore.location=/t.pem\n";

    fn tls(text: &str) -> (Tls, Vec<String>) {
        let (config, warnings) = valid(&format!("dataDir=/d\n{STORES}{text}"));
        (config.tls.unwrap(), warnings)
    }

    #[test]
    fn zookeepers_settings_are_honoured() {
        let (config, warnings) = valid(&format!(
            "dataDir=/d\n{STORES}secureClientPortAddress=[::1]\nssl.keyStore.password=hunter2\n\
             ssl.trustStore.passwordPath=/p\nssl.clientAuth=want\nclient.certReload=true\n\
             netty.server.outstandingHandshake.limit=7\nssl.ciphersuites=TLS_AES_128_GCM_SHA256, X"
        ));
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(config.clients.secure, Some(SecurePort { host: Some("::1".to_owned()), port: 2281 }));
        assert!(!config.clients.plain, "as in ZooKeeper, who gives only a TLS port gets no other");
        assert!(config.settings.effective().iter().all(|setting| !setting.value.contains("hunter2")));
        let tls = config.tls.unwrap();
        assert_eq!(tls.key_store.password, Password::Is("hunter2".to_owned()));
        assert_eq!(tls.trust_store.unwrap().password, Password::In("/p".into()));
        assert_eq!((tls.client_auth, tls.follow_files, tls.max_handshakes), (ClientAuth::Want, true, 7));
        assert_eq!(tls.cipher_suites.unwrap(), ["TLS_AES_128_GCM_SHA256", "X"]);
    }

    #[test]
    fn there_is_no_tls_unless_asked_for() {
        let (config, _) = valid("dataDir=/d\nssl.keyStore.location=/k.pem\nclient.portUnification=false");
        assert_eq!((config.tls, config.clients.plain, config.clients.unified), (None, true, false));
    }

    #[test]
    fn both_ports_and_one_port_for_both() {
        let (config, _) = valid(&format!("dataDir=/d\n{STORES}clientPort=2181"));
        assert!(config.clients.plain && !config.clients.unified);
        let stores = STORES.replace("secureClientPort=2281", "client.portUnification=true");
        let (config, _) = valid(&format!("dataDir=/d\n{stores}"));
        assert!(config.clients.plain && config.clients.unified && config.tls.is_some());
        assert!(refused(&format!("dataDir=/d\n{STORES}clientPort=2281"))[0].contains("is clientPort too"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let errors = refused("dataDir=/d\nsecureClientPort=2281");
        assert!(
            errors[0].contains("needs the server's key") && errors[1].contains("ssl.clientAuth=none"),
            "{errors:?}"
        );
        let errors = refused("dataDir=/d\nsecureClientPort=2281\nssl.clientAuth=none");
        assert_eq!(errors.len(), 1, "{errors:?}");
    }

    #[test]
    fn protocols_are_the_newest_or_a_list() {
        let spoken = |text: &str| {
            let (tls, warnings) = tls(text);
            ((tls.v12, tls.v13), warnings.len())
        };
        assert_eq!(spoken(""), ((true, true), 0));
        assert_eq!(spoken("ssl.protocol=TLSv1.3"), ((true, true), 0));
        assert_eq!(spoken("ssl.protocol=TLSv1.2"), ((true, false), 0));
        assert_eq!(spoken("ssl.enabledProtocols=TLSv1.3"), ((false, true), 0));
        assert_eq!(spoken("ssl.enabledProtocols=TLSv1.1,TLSv1.2"), ((true, false), 1));
        let errors = refused(&format!("dataDir=/d\n{STORES}ssl.enabledProtocols=TLSv1.1"));
        assert!(errors[0].contains("no protocol"), "{errors:?}");
    }

    #[test]
    fn what_would_check_less_than_asked_for_is_refused() {
        for text in ["ssl.crl=true", "ssl.ocsp=true", "ssl.authProvider=mine", "ssl.allowReverseDnsLookup=true", {
            "ssl.context.supplier.class=x"
        }] {
            assert!(refused(&format!("dataDir=/d\n{STORES}{text}"))[0].contains("cannot be honoured"), "{text}");
        }
        let provider = "authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider";
        for text in ["ssl.crl=false", "ssl.keyStore.type=PKCS12", "ssl.authProvider=x509", provider] {
            assert_eq!(tls(text).1, Vec::<String>::new(), "{text}");
        }
        let errors = refused(&format!("dataDir=/d\n{STORES}ssl.trustStore.type=jks"));
        assert!(errors[0].contains("keytool -importkeystore"), "{errors:?}");
        assert!(tls("ssl.sslProvider=OPENSSL").1[0].contains("has no effect"));
    }
}
