//! Files with keys and certificates: PEM and PKCS12, whichever it is.

use std::fs;
use std::io;
use std::path::Path;

use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{CONVERT, Password, Store};
use crate::unusable::Unusable;

const BEGIN_ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END_ENCRYPTED: &str = "-----END ENCRYPTED PRIVATE KEY-----";
/// The first bytes of Java's own format.
const JKS: [u8; 4] = [0xFE, 0xED, 0xFE, 0xED];
/// With which ASN.1 begins, and so PKCS12.
const SEQUENCE: u8 = 0x30;
/// Larger files are not read.
const MAX_BYTES: u64 = 16 << 20;

/// A server's certificate with those behind it, and its key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Store {
    fn unusable(&self, wrong: impl Into<String>, remedy: &str) -> Unusable {
        Unusable::file(&self.setting, wrong, remedy)
    }

    /// The server's own.
    pub(super) fn identity(&self) -> Result<Identity, Unusable> {
        match self.read()? {
            Contents::Pem(text) => self.pem_identity(&text),
            Contents::Pkcs12(store) => {
                let Some((_, chain)) = store.private_key_chain() else {
                    return Err(self.unusable("holds no private key", "put the server's key and certificate into it"));
                };
                let key = PrivateKeyDer::try_from(chain.key().as_der().to_vec());
                let key = key.map_err(|why| self.unusable(format!("holds a key of an unknown kind: {why}"), KINDS))?;
                let chain = chain.certs().iter().map(|c| CertificateDer::from(c.as_der().to_vec())).collect();
                Ok(Identity { chain, key })
            }
        }
    }

    /// The certificates in it.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Unusable> {
        let all = match self.read()? {
            Contents::Pem(text) => self.pem_certificates(&text)?,
            Contents::Pkcs12(store) => store
                .entries()
                .filter_map(|(_, entry)| match entry {
                    KeyStoreEntry::Certificate(certificate) => {
                        Some(CertificateDer::from(certificate.as_der().to_vec()))
                    }
                    _ => None,
                })
                .collect(),
        };
        match all.is_empty() {
            true => Err(self.unusable("holds no certificates", "put those of the trusted authorities into it")),
            false => Ok(all),
        }
    }

    fn read(&self) -> Result<Contents, Unusable> {
        let bytes = read_bounded(&self.path).map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::PermissionDenied => "let the user that the server runs as read it",
                _ => "correct the path",
            };
            self.unusable(format!("cannot be read: {error}"), remedy)
        })?;
        match bytes.first() {
            _ if bytes.starts_with(&JKS) => Err(self.unusable("is in Java's own format (JKS)", CONVERT)),
            Some(&SEQUENCE) => {
                let password = self.password()?.unwrap_or_default();
                let store = KeyStore::from_pkcs12(&bytes, &password, Pkcs12ImportPolicy::Relaxed);
                store.map(Contents::Pkcs12).map_err(|why| {
                    self.unusable(format!("cannot be opened as PKCS12: {why}"), "correct its password, or give PEM")
                })
            }
            _ => match String::from_utf8(bytes) {
                Ok(text) if text.contains("-----BEGIN ") => Ok(Contents::Pem(text)),
                _ => Err(self.unusable("is neither PEM nor PKCS12", "give a file in one of these formats")),
            },
        }
    }

    fn password(&self) -> Result<Option<String>, Unusable> {
        match &self.password {
            Password::None => Ok(None),
            Password::Is(password) => Ok(Some(password.clone())),
            Password::In(path) => {
                // Editors end the last line.
                let text = fs::read_to_string(path).map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
                text.map(Some).map_err(|error| {
                    let wrong = format!("has its password in {}, which cannot be read: {error}", path.display());
                    self.unusable(wrong, "correct the path, or let the server read it")
                })
            }
        }
    }

    fn pem_certificates(&self, text: &str) -> Result<Vec<CertificateDer<'static>>, Unusable> {
        let all = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
        all.map_err(|why| self.unusable(format!("is not valid PEM: {why}"), "make the file anew"))
    }

    fn pem_identity(&self, text: &str) -> Result<Identity, Unusable> {
        let chain = self.pem_certificates(text)?;
        if chain.is_empty() {
            let remedy = "put the server's certificate before its key: cat cert.pem key.pem > FILE";
            return Err(self.unusable("holds no certificate", remedy));
        }
        let key = match encrypted_block(text) {
            Some(block) => self.decrypted(block)?,
            None => PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|why| match why {
                rustls::pki_types::pem::Error::NoItemsFound => {
                    self.unusable("holds no private key", "add it: cat cert.pem key.pem > FILE")
                }
                why => self.unusable(format!("holds no readable private key: {why}"), KINDS),
            })?,
        };
        Ok(Identity { chain, key })
    }

    fn decrypted(&self, block: &str) -> Result<PrivateKeyDer<'static>, Unusable> {
        let Some(password) = self.password()? else {
            let remedy = "give it by passwordPath=FILE or password, beside the store's location";
            return Err(self.unusable("holds an encrypted key, and there is no password", remedy));
        };
        let refused = |why: String| {
            let remedy =
                "correct the password; if it is right, encrypt the key anew: openssl pkcs8 -topk8 -v2 aes-256-cbc";
            self.unusable(format!("holds an encrypted key that cannot be opened: {why}"), remedy)
        };
        let (_, document) = SecretDocument::from_pem(block).map_err(|why| refused(why.to_string()))?;
        let encrypted =
            EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|why| refused(why.to_string()))?;
        let key = encrypted.decrypt(password).map_err(|why| refused(why.to_string()))?;
        PrivateKeyDer::try_from(key.as_bytes().to_vec()).map_err(|why| refused(why.to_owned()))
    }
}

const KINDS: &str = "give an RSA, ECDSA (P-256, P-384) or Ed25519 key in PKCS8, PKCS1 or SEC1";

enum Contents {
    Pem(String),
    Pkcs12(KeyStore),
}

fn encrypted_block(text: &str) -> Option<&str> {
    let begin = text.find(BEGIN_ENCRYPTED)?;
    let length = text[begin..].find(END_ENCRYPTED)? + END_ENCRYPTED.len();
    Some(&text[begin..begin + length])
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > MAX_BYTES {
        return Err(io::Error::other("it is too large to be one"));
    }
    fs::read(path)
}
