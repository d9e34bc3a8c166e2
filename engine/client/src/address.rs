//! Where the servers are: ZooKeeper's connect string, `host:port,host:port/chroot`.

use crate::path;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use thiserror::Error;

/// ZooKeeper's client port, for hosts that name none.
pub const DEFAULT_PORT: u16 = 2181;

/// A connect string that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostList {
    hosts: Vec<(String, u16)>,
    chroot: String,
}

/// Why a connect string is none.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AddressError {
    /// No host between two commas, or none at all.
    #[error("'{0}' names no server; the form is host:port,host:port/path")]
    NoHost(String),
    /// What follows the colon is no port.
    #[error(
        "'{0}' has no valid port behind the colon; the form is host:port (an IPv6 address in brackets: [::1]:2181)"
    )]
    Port(String),
    /// What follows the hosts is no path.
    #[error("the path behind the servers is not valid: {0}")]
    Chroot(#[from] path::PathError),
}

impl HostList {
    /// Reads a connect string. A host without a port has the [`DEFAULT_PORT`].
    ///
    /// # Errors
    /// [`AddressError`]
    pub fn parse(text: &str) -> Result<HostList, AddressError> {
        let (hosts, chroot) = text.split_at(text.find('/').unwrap_or(text.len()));
        // A root of "/" is none.
        let chroot = if chroot == "/" { "" } else { chroot };
        if !chroot.is_empty() {
            path::validate(chroot)?;
        }
        let hosts = hosts.split(',').map(|host| host_and_port(host.trim(), text)).collect::<Result<_, _>>()?;
        Ok(HostList { hosts, chroot: chroot.to_owned() })
    }

    /// The path that all paths of the client are below; empty for none.
    #[must_use]
    pub fn chroot(&self) -> &str {
        &self.chroot
    }

    /// Host and port of each server, as they were given.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, u16)> {
        self.hosts.iter().map(|(host, port)| (host.as_str(), *port))
    }

    /// Each server as `host:port`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.hosts().map(|(host, port)| name(host, port)).collect()
    }

    /// Looks the hosts up: all addresses of the first, then those of the next; and what was wrong with the ones that have none.
    /// Each call asks anew, since names may change their addresses.
    #[must_use]
    pub fn resolve(&self) -> (Vec<SocketAddr>, Option<String>) {
        let (named, failure) = self.resolve_named();
        (named.into_iter().map(|(_, address)| address).collect(), failure)
    }

    /// The same, each with the host that has it.
    pub(crate) fn resolve_named(&self) -> (Vec<(&str, SocketAddr)>, Option<String>) {
        let (mut addresses, mut failure) = (Vec::new(), None);
        for (host, port) in self.hosts() {
            match (host, port).to_socket_addrs() {
                Ok(found) => addresses.extend(found.map(|address| (host, address))),
                Err(error) => failure = Some(format!("{host}: {error}")),
            }
        }
        (addresses, failure)
    }
}

impl fmt::Display for HostList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))?;
        f.write_str(&self.chroot)
    }
}

/// `host:port`, with brackets around an IPv6 address.
#[must_use]
pub fn name(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn host_and_port(text: &str, whole: &str) -> Result<(String, u16), AddressError> {
    let bad = || AddressError::Port(text.to_owned());
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(bad)?) })
    } else if text.matches(':').count() > 1 {
        // An IPv6 address without brackets: the last colon may or may not begin a port.
        return Err(bad());
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() {
        return Err(AddressError::NoHost(whole.to_owned()));
    }
    let port = port.map_or(Ok(DEFAULT_PORT), str::parse).map_err(|_| bad())?;
    if port == 0 { Err(bad()) } else { Ok((host.to_owned(), port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        HostList::parse(text).unwrap().to_string()
    }

    #[test]
    fn connect_strings() {
        assert_eq!(parsed("localhost"), "localhost:2181");
        assert_eq!(parsed("a:1,b,[::1]:3,[fe80::2]"), "a:1,b:2181,[::1]:3,[fe80::2]:2181");
        assert_eq!(parsed("a:1, b:2/app/x"), "a:1,b:2/app/x");
        assert_eq!(HostList::parse("a/app").unwrap().chroot(), "/app");
        assert_eq!(HostList::parse("a/").unwrap().chroot(), "");
    }

    #[test]
    fn what_is_no_connect_string() {
        for bad in ["", ",", "a,,b", ":2181", "/app"] {
            assert!(matches!(HostList::parse(bad), Err(AddressError::NoHost(_))), "{bad:?}");
        }
        for bad in ["a:", "a:x", "a:70000", "a:0", "::1", "[::1", "[::1]x"] {
            assert!(matches!(HostList::parse(bad), Err(AddressError::Port(_))), "{bad:?}");
        }
        assert!(matches!(HostList::parse("a/app/"), Err(AddressError::Chroot(_))));
    }
}
