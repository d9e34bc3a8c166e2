//! Authorities, and what servers of theirs make TLS with.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use ringkeeper_net::{TlsTerms, authority_verifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use std::time::Duration;

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, host: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// Of a server whose certificate is of this authority and for `host`, and which trusts another one, or the same. It
    /// shows its certificate when it connects unless it has `none`.
    pub fn terms(&self, host: &str, trusted: &Authority, shows: bool) -> TlsTerms {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (chain, key) = self.issue(host);
        let verifier = WebPkiClientVerifier::builder_with_provider(trusted.roots(), Arc::clone(&provider));
        let accept = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain.clone(), key.clone_key())
            .unwrap();
        let connect = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(authority_verifier(trusted.roots(), &provider));
        let connect = match shows {
            true => connect.with_client_auth_cert(chain, key).unwrap(),
            false => connect.with_no_client_auth(),
        };
        TlsTerms {
            accept: Arc::new(accept),
            connect: Some(Arc::new(connect)),
            handshake_timeout: Duration::from_secs(60),
            max_handshakes: 0,
            verify_accepted: true,
            verify_connected: true,
        }
    }
}
