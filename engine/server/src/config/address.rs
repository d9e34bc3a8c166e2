//! An address to listen on, as it is configured.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or address; `None` is every address of the machine.
    pub host: Option<String>,
    /// TCP port; 0 lets the system choose.
    pub port: u16,
}

impl Address {
    /// The socket addresses to try in turn. Without a host the first is `[::]`, which takes IPv4 too; where the machine has
    /// no IPv6 the next one, `0.0.0.0`, does.
    ///
    /// # Errors
    /// A host name that cannot be resolved.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.host {
            Some(host) => Ok((host.as_str(), self.port).to_socket_addrs()?.collect()),
            None => Ok(every_address(self.port)),
        }
    }
}

/// As configured, for people.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&address(self.host.as_deref().unwrap_or("*"), self.port))
    }
}

/// IPv6 first, which takes IPv4 too; where the machine has no IPv6 the second one.
pub(super) fn every_address(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from(([0u16; 8], port)), SocketAddr::from(([0u8; 4], port))]
}

/// An address for people.
pub(super) fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A host as it is written before a port: an IPv6 address may have brackets.
pub(super) fn bare_host(text: &str) -> String {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).to_owned()
}
