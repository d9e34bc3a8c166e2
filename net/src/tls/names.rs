//! Whose a certificate is: of an authority that is trusted, and for which names.
//!
//! Between servers the two questions come apart. Whether an authority stands for a certificate is asked in the handshake;
//! whether it is for the host of the server that the other side says it is, when it has said that. So both sides are asked
//! the same, and a server may have several hosts.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Judges the certificate of a server that is connected to by its authority alone. Only for [`crate::links`], which look at
/// the name afterwards.
#[must_use]
pub fn authority_verifier(roots: Arc<RootCertStore>, provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
    Arc::new(ByAuthority { roots, algorithms: provider.signature_verification_algorithms })
}

#[derive(Debug)]
struct ByAuthority {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for ByAuthority {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, between, now, self.algorithms.all)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Looks whether a certificate is for one of these names.
///
/// # Errors
/// The names that it is for, for people.
pub(crate) fn is_for_one_of(certificate: &CertificateDer<'_>, names: &[ServerName<'_>]) -> Result<(), String> {
    let nothing = || "nothing that can be read".to_owned();
    let parsed = ParsedCertificate::try_from(certificate).map_err(|_| nothing())?;
    let mut is_for = nothing();
    for name in names {
        match verify_server_name(&parsed, name) {
            Ok(()) => return Ok(()),
            Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
                is_for = if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") };
            }
            Err(_) => {}
        }
    }
    Err(is_for)
}
