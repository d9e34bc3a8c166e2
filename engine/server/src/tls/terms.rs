//! From the configuration and its files to what connections are made with.

use std::sync::Arc;

use ringkeeper_core::ids::WallMs;
use ringkeeper_net::{TlsTerms, authority_verifier};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version};

use super::certificate::{Facts, facts};
use super::store::Identity;
use super::{Loaded, Served};
use crate::config::{ClientAuth, Store, Tls, Whom};
use crate::date;
use crate::unusable::Unusable;

/// So long before its end a certificate is worth a warning.
const SOON_MS: i64 = 14 * 86_400_000;

pub(super) fn load(tls: &Tls, now: WallMs) -> Result<Loaded, Unusable> {
    let mut warnings = Vec::new();
    let provider = Arc::new(provider(tls, &mut warnings)?);
    let Identity { chain, key } = tls.key_store.identity()?;
    let unusable = |wrong: String, remedy: &str| Unusable::file(&tls.key_store.setting, wrong, remedy);
    let facts = facts(&chain[0])
        .ok_or_else(|| unusable("begins with something that is no certificate".to_owned(), "make the file anew"))?;
    warnings.extend(validity(&facts, now, tls.whom).map(|said| format!("{} {said}", tls.key_store.setting)));
    let fingerprint = crc32c::crc32c(&chain[0]);
    let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|why| match why {
        rustls::Error::InconsistentKeys(_) => unusable(
            format!("has a key that is not that of its first certificate ({})", facts.subject),
            "put the server's own certificate first, then those of the authorities between, and its key",
        ),
        why => unusable(format!("cannot be used: {why}"), "give another key and certificate"),
    })?;
    let (trust, names) = trust(tls)?;
    let nothing_to_speak = |why: rustls::Error| {
        unusable(format!("leaves nothing to speak: {why}"), "allow more cipher suites, or another protocol")
    };
    let certified = Arc::new(SingleCertAndKey::from(certified));
    let mut accept = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(tls))
        .map_err(nothing_to_speak)?
        .with_client_cert_verifier(verifier(tls, trust.as_ref(), &provider)?)
        .with_cert_resolver(Arc::clone(&certified) as Arc<_>);
    // Sessions of TLS are not taken up again: connections live long, and each is judged by what is in force.
    accept.session_storage = Arc::new(NoServerSessionStorage {});
    accept.send_tls13_tickets = 0;
    let connect = trust.filter(|_| tls.whom == Whom::Servers).map(|roots| {
        let by_authority = authority_verifier(roots, &provider);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(versions(tls)).map_err(nothing_to_speak)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(by_authority);
        let mut config = builder.with_client_cert_resolver(certified);
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    });
    let terms = TlsTerms {
        accept: Arc::new(accept),
        connect: connect.transpose()?,
        handshake_timeout: tls.handshake_timeout,
        max_handshakes: tls.max_handshakes,
        verify_accepted: tls.verify_accepted,
        verify_connected: tls.verify_connected,
    };
    let authorities = if tls.client_auth == ClientAuth::None { Vec::new() } else { names };
    let served = Served { whom: tls.whom, subject: facts.subject, ends: facts.ends, fingerprint, authorities };
    Ok(Loaded { terms, served, warnings })
}

type Versions = &'static [&'static SupportedProtocolVersion];
static BOTH: Versions = &[&version::TLS13, &version::TLS12];
static OLDER: Versions = &[&version::TLS12];
static NEWER: Versions = &[&version::TLS13];

fn versions(tls: &Tls) -> Versions {
    match (tls.v12, tls.v13) {
        (true, true) => BOTH,
        (true, false) => OLDER,
        _ => NEWER,
    }
}

/// What there is to say of when the certificate is valid.
fn validity(facts: &Facts, now: WallMs, whom: Whom) -> Option<String> {
    let Facts { subject, begins, ends } = facts;
    if now.0 >= ends.0 {
        let at = date::minute(*ends);
        return Some(format!("has a certificate ({subject}) that expired on {at} UTC: {} refuse it", whom.name()));
    }
    if now.0 < begins.0 {
        return Some(format!("has a certificate ({subject}) that is valid from {} UTC on", date::minute(*begins)));
    }
    let soon = ends.0 - now.0 < SOON_MS;
    soon.then(|| format!("has a certificate ({subject}) that expires on {} UTC: renew it", date::minute(*ends)))
}

/// The authorities that stand for the others, and their names. Those of clients are not read if clients need no certificates.
fn trust(tls: &Tls) -> Result<(Option<Arc<RootCertStore>>, Vec<String>), Unusable> {
    let is_needed = tls.client_auth != ClientAuth::None || tls.whom == Whom::Servers;
    let Some(store) = tls.trust_store.as_ref().filter(|_| is_needed) else { return Ok((None, Vec::new())) };
    let certificates = store.certificates()?;
    let names = certificates.iter().filter_map(|der| facts(der)).map(|facts| facts.subject).collect();
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|why| no_authorities(store, tls.whom, &why.to_string()))?;
    }
    Ok((Some(Arc::new(roots)), names))
}

/// Who judges the certificates of those that connect.
fn verifier(
    tls: &Tls,
    trust: Option<&Arc<RootCertStore>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Unusable> {
    let (Some(roots), Some(store)) = (trust, &tls.trust_store) else { return Ok(Arc::new(NoClientAuth)) };
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
    let builder = match tls.client_auth {
        ClientAuth::None => return Ok(Arc::new(NoClientAuth)),
        ClientAuth::Want => builder.allow_unauthenticated(),
        ClientAuth::Need => builder,
    };
    builder.build().map_err(|why| no_authorities(store, tls.whom, &why.to_string()))
}

fn no_authorities(store: &Store, whom: Whom, why: &str) -> Unusable {
    let remedy = format!("give the certificates of the authorities that stand for {}", whom.name());
    Unusable::file(&store.setting, format!("cannot be used: {why}"), remedy)
}

/// Cryptography with the cipher suites that are asked for.
fn provider(tls: &Tls, warnings: &mut Vec<String>) -> Result<CryptoProvider, Unusable> {
    let all = rustls::crypto::ring::default_provider();
    let Some(wanted) = &tls.cipher_suites else { return Ok(all) };
    let name = format!("{}ciphersuites", tls.whom.prefix());
    let suite = |name: &String| all.cipher_suites.iter().copied().find(|suite| java_name(suite) == *name);
    let (suites, missing): (Vec<_>, Vec<_>) =
        wanted.iter().map(|name| (name, suite(name))).partition(|(_, s)| s.is_some());
    let missing: Vec<&str> = missing.into_iter().map(|(name, _)| name.as_str()).collect();
    let known = || all.cipher_suites.iter().map(java_name).collect::<Vec<_>>().join(", ");
    if suites.is_empty() {
        let (setting, remedy) = (format!("{name}={}", wanted.join(",")), format!("give some of {}", known()));
        return Err(Unusable::file(&setting, "has no cipher suite that is known here", remedy));
    }
    if !missing.is_empty() {
        warnings.push(format!("{name} has {}, which are left out; known are {}", missing.join(", "), known()));
    }
    Ok(CryptoProvider { cipher_suites: suites.into_iter().filter_map(|(_, suite)| suite).collect(), ..all })
}

/// The standard name of a cipher suite, which is Java's.
fn java_name(suite: &SupportedCipherSuite) -> String {
    suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_")
}
