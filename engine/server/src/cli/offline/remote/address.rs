//! Which admin server is asked, and who asks.

use anyhow::Context as _;

/// ZooKeeper's port for it.
const PORT: u16 = 8080;
/// Where commands are, if the address does not say.
const COMMANDS: &str = "/commands";

/// An admin server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::offline) struct Address {
    /// `host:port`.
    pub(super) authority: String,
    /// The path below which commands are.
    pub(super) commands: String,
    /// The header `Authorization`, if it is known who asks.
    pub(super) authorization: Option<String>,
}

impl Address {
    /// From `http://host:port/commands`, of which only the host must be there, and `scheme:credential`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(url: &str, auth: Option<&str>) -> anyhow::Result<Address> {
        anyhow::ensure!(!url.starts_with("https:"), "{url}: the admin server has no TLS; give http://host:port");
        let rest = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
        let is_usable = !authority.is_empty() && !authority.contains(['@', ' ', '?', '#']);
        anyhow::ensure!(is_usable, "{url}: give an address as http://host:8080");
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Address {
            authority: if has_port { authority.to_owned() } else { format!("{authority}:{PORT}") },
            commands: if path.is_empty() { COMMANDS.to_owned() } else { format!("/{path}") },
            authorization: auth.map(authorization).transpose()?,
        })
    }
}

fn authorization(auth: &str) -> anyhow::Result<String> {
    if auth == "ip" {
        return Ok(auth.to_owned());
    }
    let credential = auth.strip_prefix("digest:").filter(|credential| !credential.contains(['\r', '\n']));
    let credential = credential.context("--auth: give digest:user:password, or ip")?;
    Ok(format!("digest {credential}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_usual() {
        let parsed = |url| Address::parse(url, None).map(|address| (address.authority, address.commands)).ok();
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
        let header = |auth| Address::parse("a", Some(auth)).map(|address| address.authorization.unwrap()).ok();
        assert_eq!(header("digest:super:se:cret").as_deref(), Some("digest super:se:cret"));
        assert_eq!(header("ip").as_deref(), Some("ip"));
        assert_eq!((header("super:secret"), header("digest:a\r\nb")), (None, None));
    }
}
