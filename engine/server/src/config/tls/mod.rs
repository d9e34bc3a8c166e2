//! TLS, for clients, between servers and for the admin server: where keys and certificates are, whom to trust, what is spoken.

mod rows;

use std::path::PathBuf;
use std::time::Duration;

use rows::{ADMIN, CLIENTS, Rows, SERVERS, StoreRows};

use super::address::{self, Address};
use super::key::{Key, Kind, parse_int};
use super::problem::{Problem, Problems};
use super::settings::{Setting, Settings};
use super::shape::list;
use super::table as keys;

/// TLS with clients, or with the other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// With whom.
    pub whom: Whom,
    /// The server's key and certificate.
    pub key_store: Store,
    /// The authorities that stand for them; `None` only for those that are not asked for certificates.
    pub trust_store: Option<Store>,
    /// What they must show when they connect.
    pub client_auth: ClientAuth,
    /// Version 1.2 is spoken.
    pub v12: bool,
    /// Version 1.3 is spoken.
    pub v13: bool,
    /// Names of cipher suites in Java's spelling; `None`: all that are known.
    pub cipher_suites: Option<Vec<String>>,
    /// The certificate of whoever connects must be for it: a client's for the address that it connects from, a server's for
    /// the host of its server line.
    pub verify_accepted: bool,
    /// The certificate of a server that is connected to must be for the host of its server line.
    pub verify_connected: bool,
    /// Files are read again when they change, and not only on SIGHUP.
    pub follow_files: bool,
    /// A handshake that takes longer is ended.
    pub handshake_timeout: Duration,
    /// Handshakes under way at most; 0 means no limit.
    pub max_handshakes: u32,
}

/// With whom TLS is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// Clients.
    Clients,
    /// The other servers.
    Servers,
    /// Those who ask the admin server.
    Admin,
}

impl Whom {
    /// What the names of the settings begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Whom::Clients => "ssl.",
            Whom::Servers | Whom::Admin => "ssl.quorum.",
        }
    }

    /// For messages.
    pub const fn name(self) -> &'static str {
        match self {
            Whom::Clients => "clients",
            Whom::Servers => "servers",
            Whom::Admin => "those who ask the admin server",
        }
    }
}

/// TLS between servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTls {
    /// What it is made of.
    pub tls: Tls,
    /// It is spoken to the servers that this one connects to.
    pub dial: bool,
    /// Servers that connect without it are taken, too.
    pub or_plain: bool,
}

impl PeerTls {
    /// What is spoken to whom, in words.
    pub(super) const fn role(&self) -> &'static str {
        match (self.dial, self.or_plain) {
            (true, false) => " (TLS)",
            (true, true) => " (TLS, or without from those that connect)",
            (false, _) => " (without TLS, or with it from those that connect)",
        }
    }
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

/// What whoever connects must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// A certificate.
    Need,
    /// A certificate if they have one.
    Want,
    /// Nothing.
    None,
}

/// TLS for clients; `None` if no port speaks it, or if something that it needs is missing, which is then among the problems.
pub(super) fn for_clients(settings: &Settings, problems: &mut Problems) -> Option<Tls> {
    build(settings, &CLIENTS, problems)
}

/// TLS between servers; `None` as for clients.
pub(super) fn for_servers(settings: &mut Settings, problems: &mut Problems) -> Option<PeerTls> {
    let (both, accepted) = (&keys::QUORUM_VERIFY_NAME, &keys::QUORUM_VERIFY_CLIENT_NAME);
    if settings.given(accepted).is_none() {
        settings.derive(accepted, settings.is_on(both).to_string(), both.name);
    }
    let tls = build(settings, &SERVERS, problems)?;
    if tls.client_auth != ClientAuth::Need
        && let Some(given) = settings.given(SERVERS.client_auth)
    {
        let wrong = "lets whoever reaches the port for other servers pretend to be one of them";
        problems.warn(Problem::new(given, SERVERS.client_auth, wrong, "give every server a certificate"));
    }
    Some(PeerTls { tls, dial: settings.is_on(&keys::SSL_QUORUM), or_plain: settings.is_on(&keys::PORT_UNIFICATION) })
}

/// TLS of the admin server; `None` as for clients.
pub(super) fn for_admin(settings: &Settings, problems: &mut Problems) -> Option<Tls> {
    build(settings, &ADMIN, problems)
}

fn build(settings: &Settings, rows: &Rows, problems: &mut Problems) -> Option<Tls> {
    let asks = |key: &&'static Key| match key.kind {
        Kind::Bool => settings.is_on(key),
        _ => settings.given(key).is_some(),
    };
    let key = rows.asked_for_by.into_iter().find(asks)?;
    let given = settings.given(key)?;
    let client_auth = match settings.text(rows.client_auth).map(str::to_ascii_lowercase).as_deref() {
        Some("none" | "false") => ClientAuth::None,
        Some("want") => ClientAuth::Want,
        _ => ClientAuth::Need,
    };
    let (whom, prefix) = (rows.whom, rows.whom.prefix());
    let key_store = store(settings, &rows.key_store, problems);
    if key_store.is_none() {
        let remedy = format!(
            "give {prefix}keyStore.location=FILE: the certificates, the server's own first, and its key, in PEM"
        );
        problems.refuse(Problem::new(given, key, "needs the server's key and certificate", &remedy));
    }
    let trust_store = store(settings, &rows.trust_store, problems);
    // Servers connect to each other, and have to know whom they have reached.
    if trust_store.is_none() && (client_auth != ClientAuth::None || whom == Whom::Servers) {
        let (wrong, or) = match whom {
            Whom::Clients => ("clients may have", ", or ssl.clientAuth=none if clients need no certificates"),
            Whom::Servers => ("the other servers may have", ""),
            Whom::Admin => ("those who ask may have", ", or admin.needClientAuth=false if they need no certificates"),
        };
        let wrong = format!("needs to know whose certificates {wrong}");
        let remedy = format!(
            "give {prefix}trustStore.location=FILE with the certificates of the authorities that stand for {}, in PEM{or}",
            whom.name()
        );
        problems.refuse(Problem::new(given, key, &wrong, &remedy));
    }
    let (v12, v13) = protocols(settings, rows, problems);
    let suites = settings.text(rows.cipher_suites);
    Some(Tls {
        whom,
        key_store: key_store?,
        trust_store,
        client_auth,
        v12,
        v13,
        cipher_suites: suites.map(|text| list(text).map(str::to_owned).collect()),
        verify_accepted: rows.verify_accepted.is_some_and(|key| settings.is_on(key)),
        verify_connected: rows.verify_connected.is_some_and(|key| settings.is_on(key)),
        follow_files: settings.is_on(rows.follow_files),
        handshake_timeout: Duration::from_millis(settings.size(rows.handshake_timeout)),
        max_handshakes: rows.max_handshakes.map_or(0, |key| u32::try_from(settings.int(key)).unwrap_or(0)),
    })
}

/// The TLS port, if there is one.
pub(super) fn port(settings: &Settings) -> Option<Address> {
    let number = settings.text(&keys::SECURE_CLIENT_PORT).and_then(parse_int)?;
    let host = settings.text(&keys::SECURE_CLIENT_PORT_ADDRESS).map(address::bare_host);
    Some(Address { host, port: u16::try_from(number).expect("the table bounds ports") })
}

/// How a store in one of Java's own formats becomes one that is read here.
pub(crate) const CONVERT: &str =
    "convert it: keytool -importkeystore -srckeystore FILE -destkeystore FILE.p12 -deststoretype PKCS12";

fn store(settings: &Settings, rows: &StoreRows, problems: &mut Problems) -> Option<Store> {
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
fn protocols(settings: &Settings, rows: &Rows, problems: &mut Problems) -> (bool, bool) {
    let enabled = settings.given(rows.enabled_protocols).map(|given| (given, rows.enabled_protocols));
    let only = || settings.given(rows.protocol).map(|given| (given, rows.protocol));
    let Some((given, key)) = enabled.or_else(only) else { return (true, true) };
    let has = |name: &str| list(&given.value).any(|version| version.eq_ignore_ascii_case(name));
    let v13 = has("TLSv1.3");
    // `protocol` names the newest one.
    let v12 = has("TLSv1.2") || (v13 && key.name == rows.protocol.name);
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
mod tests;
