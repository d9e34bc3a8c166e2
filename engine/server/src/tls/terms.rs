//! From the configuration and its files to what connections are made with.

use std::sync::Arc;

use ringkeeper_core::ids::WallMs;
use ringkeeper_net::TlsTerms;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite, version};

use super::certificate::{Facts, facts};
use super::store::Identity;
use super::{Loaded, Served, Unusable};
use crate::config::{ClientAuth, Store, Tls};
use crate::date;

/// So long before its end a certificate is worth a warning.
const SOON_MS: i64 = 14 * 86_400_000;

pub(super) fn load(tls: &Tls, now: WallMs) -> Result<Loaded, Unusable> {
    let mut warnings = Vec::new();
    let provider = Arc::new(provider(tls, &mut warnings)?);
    let Identity { chain, key } = tls.key_store.identity()?;
    let unusable = |wrong: String, remedy: &str| Unusable {
        setting: tls.key_store.setting.clone(),
        wrong,
        remedy: remedy.to_owned(),
    };
    let facts = facts(&chain[0])
        .ok_or_else(|| unusable("begins with something that is no certificate".to_owned(), "make the file anew"))?;
    warnings.extend(validity(&facts, now).map(|said| format!("{} {said}", tls.key_store.setting)));
    let fingerprint = crc32c::crc32c(&chain[0]);
    let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|why| match why {
        rustls::Error::InconsistentKeys(_) => unusable(
            format!("has a key that is not that of its first certificate ({})", facts.subject),
            "put the server's own certificate first, then those of the authorities between, and its key",
        ),
        why => unusable(format!("cannot be used: {why}"), "give another key and certificate"),
    })?;
    let (verifier, authorities) = verifier(tls, &provider)?;
    let versions: &[_] = match (tls.v12, tls.v13) {
        (true, true) => &[&version::TLS13, &version::TLS12],
        (true, false) => &[&version::TLS12],
        _ => &[&version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|why| unusable(format!("leaves nothing to speak: {why}"), "allow more of ssl.ciphersuites"))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // Sessions of TLS are not taken up again: connections live long, and each is judged by what is in force.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let terms = TlsTerms {
        config: Arc::new(config),
        handshake_timeout: tls.handshake_timeout,
        max_handshakes: tls.max_handshakes,
        verify_address: tls.verify_address,
    };
    let served = Served { subject: facts.subject, ends: facts.ends, fingerprint, authorities };
    Ok(Loaded { terms, served, warnings })
}

/// What there is to say of when the certificate is valid.
fn validity(facts: &Facts, now: WallMs) -> Option<String> {
    let Facts { subject, begins, ends } = facts;
    if now.0 >= ends.0 {
        let at = date::minute(*ends);
        return Some(format!("has a certificate ({subject}) that expired on {at} UTC: clients refuse it"));
    }
    if now.0 < begins.0 {
        return Some(format!("has a certificate ({subject}) that is valid from {} UTC on", date::minute(*begins)));
    }
    let soon = ends.0 - now.0 < SOON_MS;
    soon.then(|| format!("has a certificate ({subject}) that expires on {} UTC: renew it", date::minute(*ends)))
}

/// Who judges certificates of clients, and the authorities that count.
fn verifier(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<(Arc<dyn ClientCertVerifier>, Vec<String>), Unusable> {
    let Some(store) = tls.trust_store.as_ref().filter(|_| tls.client_auth != ClientAuth::None) else {
        return Ok((Arc::new(NoClientAuth), Vec::new()));
    };
    let certificates = store.certificates()?;
    let names = certificates.iter().filter_map(|der| facts(der)).map(|facts| facts.subject).collect();
    let roots = Arc::new(roots(store, certificates)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    let builder = if tls.client_auth == ClientAuth::Want { builder.allow_unauthenticated() } else { builder };
    let built = builder.build().map_err(|why| unusable(store, &why.to_string()))?;
    Ok((built, names))
}

fn roots(store: &Store, certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|why| unusable(store, &why.to_string()))?;
    }
    Ok(roots)
}

fn unusable(store: &Store, why: &str) -> Unusable {
    Unusable {
        setting: store.setting.clone(),
        wrong: format!("cannot be used: {why}"),
        remedy: "give the certificates of the authorities that stand for clients".to_owned(),
    }
}

/// Cryptography with the cipher suites that are asked for.
fn provider(tls: &Tls, warnings: &mut Vec<String>) -> Result<CryptoProvider, Unusable> {
    let all = rustls::crypto::ring::default_provider();
    let Some(wanted) = &tls.cipher_suites else { return Ok(all) };
    let suite = |name: &String| all.cipher_suites.iter().copied().find(|suite| java_name(suite) == *name);
    let (suites, missing): (Vec<_>, Vec<_>) =
        wanted.iter().map(|name| (name, suite(name))).partition(|(_, s)| s.is_some());
    let missing: Vec<&str> = missing.into_iter().map(|(name, _)| name.as_str()).collect();
    let known = || all.cipher_suites.iter().map(java_name).collect::<Vec<_>>().join(", ");
    if suites.is_empty() {
        return Err(Unusable {
            setting: format!("ssl.ciphersuites={}", wanted.join(",")),
            wrong: "has no cipher suite that is known here".to_owned(),
            remedy: format!("give some of {}", known()),
        });
    }
    if !missing.is_empty() {
        warnings.push(format!(
            "ssl.ciphersuites has {}, which are left out; known are {}",
            missing.join(", "),
            known()
        ));
    }
    Ok(CryptoProvider { cipher_suites: suites.into_iter().filter_map(|(_, suite)| suite).collect(), ..all })
}

/// The standard name of a cipher suite, which is Java's.
fn java_name(suite: &SupportedCipherSuite) -> String {
    suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_")
}
