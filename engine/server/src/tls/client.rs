//! TLS of the tools: from ZooKeeper's client properties, or from files that are named on the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::store::Identity;
use crate::config::properties;
use crate::config::{Password, Store};
use crate::unusable::Unusable;

/// What a tool is told of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientTls {
    /// The authorities that stand for servers.
    trust_store: Store,
    /// The tool's own key and certificate.
    key_store: Option<Store>,
}

impl ClientTls {
    /// From files in PEM or PKCS12 without a password.
    pub(crate) fn of_files(authorities: PathBuf, identity: Option<PathBuf>) -> ClientTls {
        let store = |flag: &str, path: PathBuf| Store {
            setting: format!("{flag} {}", path.display()),
            path,
            password: Password::None,
        };
        ClientTls {
            trust_store: store("--tls-ca", authorities),
            key_store: identity.map(|path| store("--tls-cert", path)),
        }
    }

    /// From the file that zkCli.sh takes as `-client-configuration`; `None` if it does not ask for TLS.
    ///
    /// # Errors
    /// What is wrong with it, with its name.
    pub(crate) fn of_properties(path: &Path) -> Result<Option<ClientTls>, String> {
        let wrong = |why: String| format!("{}: {why}", path.display());
        let bytes = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let text = properties::decode(&bytes).map_err(|error| wrong(error.to_string()))?.text;
        let entries = properties::parse(&text).map_err(|error| wrong(error.to_string()))?;
        let entries = entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
        of_entries(&entries, path).map_err(wrong)
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`Unusable`]
    pub(crate) fn load(&self) -> Result<Arc<ClientConfig>, Unusable> {
        let unusable = |store: &Store, why: &dyn std::fmt::Display| {
            Unusable::file(&store.setting, format!("cannot be used: {why}"), "give other certificates")
        };
        let mut roots = RootCertStore::empty();
        for certificate in self.trust_store.certificates()? {
            roots.add(certificate).map_err(|why| unusable(&self.trust_store, &why))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| unusable(&self.trust_store, &why))?
            .with_root_certificates(roots);
        let config = match &self.key_store {
            None => builder.with_no_client_auth(),
            Some(store) => {
                let Identity { chain, key } = store.identity()?;
                builder.with_client_auth_cert(chain, key).map_err(|why| unusable(store, &why))?
            }
        };
        Ok(Arc::new(config))
    }
}

fn of_entries(entries: &BTreeMap<String, String>, path: &Path) -> Result<Option<ClientTls>, String> {
    let get = |name: &str| entries.get(&format!("zookeeper.{name}")).filter(|value| !value.is_empty());
    let is = |name: &str, value: &str| get(name).is_some_and(|given| given.eq_ignore_ascii_case(value));
    if is("sasl.client", "true") {
        return Err("zookeeper.sasl.client=true asks for SASL, which is not spoken here yet".to_owned());
    }
    if !is("client.secure", "true") {
        return Ok(None);
    }
    if is("ssl.hostnameVerification", "false") {
        return Err("zookeeper.ssl.hostnameVerification=false is not honoured: anybody with some certificate of the \
                    authority could pretend to be the server; give the server a certificate for the name that is connected to"
            .to_owned());
    }
    let store = |which: &str| {
        let location = get(&format!("ssl.{which}.location"))?;
        let password = match (get(&format!("ssl.{which}.passwordPath")), get(&format!("ssl.{which}.password"))) {
            (Some(path), _) => Password::In(path.into()),
            (None, Some(password)) => Password::Is(password.clone()),
            (None, None) => Password::None,
        };
        let setting = format!("{}: zookeeper.ssl.{which}.location={location}", path.display());
        Some(Store { path: location.into(), password, setting })
    };
    let trust_store =
        store("trustStore").ok_or("needs zookeeper.ssl.trustStore.location, the authorities of servers")?;
    Ok(Some(ClientTls { trust_store, key_store: store("keyStore") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<ClientTls>, String> {
        let entries = text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
        of_entries(&entries.collect(), Path::new("client.cfg"))
    }

    #[test]
    fn zookeepers_client_properties_are_understood() {
        assert_eq!(read("zookeeper.ssl.trustStore.location=/t"), Ok(None), "TLS is not asked for");
        let secure = "zookeeper.client.secure=true\nzookeeper.ssl.trustStore.location=/t\n";
        let tls = read(secure).unwrap().unwrap();
        assert_eq!((tls.trust_store.path, tls.key_store), (PathBuf::from("/t"), None));
        let more = "zookeeper.ssl.keyStore.location=/k\nzookeeper.ssl.keyStore.password=p";
        let tls = read(&format!("{secure}{more}")).unwrap().unwrap();
        assert_eq!(tls.key_store.unwrap().password, Password::Is("p".to_owned()));
        assert!(read("zookeeper.client.secure=true").unwrap_err().contains("trustStore"));
        assert!(read(&format!("{secure}zookeeper.ssl.hostnameVerification=false")).unwrap_err().contains("pretend"));
        assert!(read("zookeeper.sasl.client=true").unwrap_err().contains("SASL"));
    }
}
