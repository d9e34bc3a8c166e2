//! Which admin server is asked, and who asks.

use crate::tls::ClientTls;
use anyhow::Context as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;

/// ZooKeeper's port for it.
const PORT: u16 = 8080;
/// Where commands are, if the address does not say.
const COMMANDS: &str = "/commands";

/// An admin server.
#[derive(Debug, Clone)]
pub(in crate::cli::offline) struct Address {
    /// `host:port`.
    pub(super) authority: String,
    /// The path below which commands are.
    pub(super) commands: String,
    /// The header `Authorization`, if it is known who asks.
    pub(super) authorization: Option<String>,
    /// TLS, if that is to be spoken, and for whom the server's certificate must be.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Address {
    /// From `http://host:port/commands`, of which only the host must be there, and `scheme:credential`; `tls` is for `https://`.
    ///
    /// # Errors
    /// What is wrong with it, or with the files of `tls`.
    pub(super) fn parse(url: &str, auth: Option<&str>, tls: Option<&ClientTls>) -> anyhow::Result<Address> {
        let secure = url.strip_prefix("https://");
        anyhow::ensure!(
            secure.is_some() || tls.is_none(),
            "{url}: --tls-ca is for a server that is asked with https://"
        );
        let rest = secure.or_else(|| url.strip_prefix("http://")).unwrap_or(url).trim_end_matches('/');
        let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
        let is_usable = !authority.is_empty() && !authority.contains(['@', ' ', '?', '#']);
        anyhow::ensure!(is_usable, "{url}: give an address as http://host:8080");
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { authority.rsplit_once(':').map_or(authority, |(host, _)| host) } else { authority };
        let tls = secure.map(|_| certain(url, host, tls)).transpose()?;
        Ok(Address {
            tls,
            authority: if has_port { authority.to_owned() } else { format!("{authority}:{PORT}") },
            commands: if path.is_empty() { COMMANDS.to_owned() } else { format!("/{path}") },
            authorization: auth.map(authorization).transpose()?,
        })
    }
}

/// What TLS with that host is made with.
fn certain(url: &str, host: &str, tls: Option<&ClientTls>) -> anyhow::Result<(Arc<ClientConfig>, ServerName<'static>)> {
    let tls = tls.with_context(|| format!("{url}: give the authorities of servers' certificates as --tls-ca FILE"))?;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .with_context(|| format!("{url}: no certificate can be for {host}"))?;
    Ok((tls.load()?, name))
}

fn authorization(auth: &str) -> anyhow::Result<String> {
    if auth == "ip" || auth == "x509" {
        return Ok(auth.to_owned());
    }
    let credential = auth.strip_prefix("digest:").filter(|credential| !credential.contains(['\r', '\n']));
    let credential = credential.context("--auth: give digest:user:password, ip or x509")?;
    Ok(format!("digest {credential}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_usual() {
        let parsed = |url| Address::parse(url, None, None).map(|address| (address.authority, address.commands)).ok();
        let expected = |authority: &str, commands: &str| Some((authority.to_owned(), commands.to_owned()));
        assert_eq!(parsed("http://zk1:9000/zk/"), expected("zk1:9000", "/zk"));
        assert_eq!(parsed("zk1"), expected("zk1:8080", "/commands"));
        assert_eq!(parsed("http://[::1]"), expected("[::1]:8080", "/commands"));
        for bad in ["", "http://", "https://zk1", "http://a@b"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn who_asks_is_a_header() {
        let header = |auth| Address::parse("a", Some(auth), None).map(|address| address.authorization.unwrap()).ok();
        assert_eq!(header("digest:super:se:cret").as_deref(), Some("digest super:se:cret"));
        assert_eq!((header("ip").as_deref(), header("x509").as_deref()), (Some("ip"), Some("x509")));
        assert_eq!((header("super:secret"), header("digest:a\r\nb")), (None, None));
    }

    #[test]
    fn tls_needs_to_know_whom_to_trust() {
        let said = |url, tls: Option<&ClientTls>| Address::parse(url, None, tls).unwrap_err().to_string();
        assert!(said("https://zk1", None).contains("--tls-ca FILE"));
        let nowhere = ClientTls::of_files("/nowhere/ca.pem".into(), None);
        assert!(said("https://[::1]:8443", Some(&nowhere)).contains("--tls-ca /nowhere/ca.pem cannot be read"));
        assert!(said("http://zk1", Some(&nowhere)).contains("https://"));
    }
}
