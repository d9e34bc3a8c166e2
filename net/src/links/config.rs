//! What the links of a server are bound by, and where its peers are.

use crate::links::secure::LinkTls;
use ringkeeper_core::ids::ServerId;
use rustls::pki_types::ServerName;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// Who this server is, and who its peers are.
#[derive(Debug)]
pub struct LinksConfig {
    /// This server.
    pub own: ServerId,
    /// Name of the ensemble: servers of different ensembles refuse each other.
    pub ensemble: String,
    /// A random number of this run of the process.
    pub incarnation: u64,
    /// Bound to this server's peer address. Servers with higher ids connect to it.
    pub listen: TcpListener,
    /// The servers of the ensemble; an entry for this server is ignored.
    pub peers: Vec<(ServerId, PeerAddress)>,
    /// Where the jitter of reconnecting comes from.
    pub seed: u64,
    /// TLS; `None`: everything is in the clear.
    pub tls: Option<LinkTls>,
    /// Times and sizes.
    pub limits: LinkLimits,
}

/// Times and sizes of links.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkLimits {
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long a new connection may take to say who it is.
    pub greeting_timeout: Duration,
    /// Pause after the first failed attempt; it doubles with each further one...
    pub retry_min: Duration,
    /// ...up to this.
    pub retry_max: Duration,
    /// A link whose unsent output exceeds this many bytes is dropped: its peer does not read.
    pub max_queued: usize,
    /// How long sent bytes may stay unacknowledged before the kernel ends the connection (`TCP_USER_TIMEOUT`); zero
    /// leaves it to the kernel.
    pub user_timeout: Duration,
}

impl Default for LinkLimits {
    fn default() -> LinkLimits {
        LinkLimits {
            connect_timeout: Duration::from_millis(500),
            greeting_timeout: Duration::from_secs(1),
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_millis(250),
            max_queued: 256 << 20,
            user_timeout: Duration::ZERO,
        }
    }
}

/// Where a server listens for its peers: one or more `host:port`, separated by `|`, which are tried in turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerAddress {
    hosts: Vec<String>,
}

/// Why a text is not a [`PeerAddress`].
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0:?} is not a peer address: it should be host:port, or several of them with | between")]
pub struct BadPeerAddress(String);

impl PeerAddress {
    /// The addresses, each `host:port`.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The hosts as certificates have them; one that no certificate could have is left out.
    pub(crate) fn names(&self) -> Vec<ServerName<'static>> {
        let host = |address: &String| address.rsplit_once(':').map_or(address.clone(), |(host, _)| host.to_owned());
        let hosts = self.hosts.iter().map(host);
        hosts.filter_map(|host| ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()).collect()
    }

    /// Those addresses that need no resolution, and whether that is all of them.
    pub(crate) fn literals(&self) -> (Vec<SocketAddr>, bool) {
        let literals: Vec<SocketAddr> = self.hosts.iter().filter_map(|host| host.parse().ok()).collect();
        let all = literals.len() == self.hosts.len();
        (literals, all)
    }
}

impl FromStr for PeerAddress {
    type Err = BadPeerAddress;

    fn from_str(text: &str) -> Result<PeerAddress, BadPeerAddress> {
        let host = |part: &str| {
            let part = part.trim();
            let (host, port) = part.rsplit_once(':')?;
            let has_port = port.parse::<u16>().is_ok_and(|port| port != 0);
            (has_port && !host.is_empty()).then(|| part.to_owned())
        };
        let hosts: Option<Vec<String>> = text.split('|').map(host).collect();
        hosts.map(|hosts| PeerAddress { hosts }).ok_or_else(|| BadPeerAddress(text.to_owned()))
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(addr: SocketAddr) -> PeerAddress {
        PeerAddress { hosts: vec![addr.to_string()] }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hosts.join("|"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_peers() {
        let two: PeerAddress = "10.0.0.1:2888|zoo2.example:2889".parse().unwrap();
        assert_eq!(two.hosts(), ["10.0.0.1:2888", "zoo2.example:2889"]);
        assert_eq!(two.literals(), (vec!["10.0.0.1:2888".parse().unwrap()], false));
        assert_eq!(two.to_string(), "10.0.0.1:2888|zoo2.example:2889");
        assert_eq!(two.names().iter().map(|name| name.to_str()).collect::<Vec<_>>(), ["10.0.0.1", "zoo2.example"]);
        let six: PeerAddress = "[::1]:2888".parse().unwrap();
        assert!(six.literals().1);
        assert_eq!(six.names()[0].to_str(), "::1");
        for bad in ["", "host", "host:", ":1", "host:0", "host:70000", "a:1|", "a:1||b:2"] {
            assert_eq!(bad.parse::<PeerAddress>(), Err(BadPeerAddress(bad.to_owned())));
        }
    }
}
