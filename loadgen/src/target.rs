//! The servers to measure.

use anyhow::{Context, Result, bail};
use std::net::{SocketAddr, ToSocketAddrs};

const DEFAULT_PORT: u16 = 2181;

/// Resolves the servers' names. One address each: the first that the resolver gives.
///
/// # Errors
/// If a name is malformed or unknown.
pub fn resolve(servers: &[String]) -> Result<Vec<SocketAddr>> {
    servers.iter().map(|server| resolve_one(server.trim())).collect()
}

/// Resolves one name.
///
/// # Errors
/// If it is malformed or unknown.
pub fn resolve_one(server: &str) -> Result<SocketAddr> {
    if server.is_empty() {
        bail!("a server's name is empty");
    }
    if let Some((_, path)) = server.split_once('/') {
        bail!("server {server:?}: a chroot belongs into --prefix (/{path})");
    }
    // Either with a port, or a bare name, a bare IPv4 or IPv6 address.
    let bare = !server.contains(':') || server.parse::<std::net::Ipv6Addr>().is_ok();
    let mut found =
        if bare { (server.trim_matches(['[', ']']), DEFAULT_PORT).to_socket_addrs() } else { server.to_socket_addrs() }
            .with_context(|| format!("server {server:?}"))?;
    found.next().with_context(|| format!("server {server:?} has no address"))
}

/// The servers of `count` connections: in turn.
pub fn spread(servers: &[SocketAddr], count: usize) -> Vec<SocketAddr> {
    servers.iter().copied().cycle().take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_may_lack_a_port_but_not_a_name() {
        let resolve = |text: &str| resolve_one(text).map(|address| address.to_string());
        assert_eq!(resolve("127.0.0.1").unwrap(), "127.0.0.1:2181");
        assert_eq!(resolve("127.0.0.1:99").unwrap(), "127.0.0.1:99");
        assert_eq!(resolve("::1").unwrap(), "[::1]:2181");
        assert_eq!(resolve("[::1]:99").unwrap(), "[::1]:99");
        assert!(resolve("127.0.0.1:2181/app").unwrap_err().to_string().contains("--prefix"));
        assert!(resolve("").is_err() && resolve("127.0.0.1:port").is_err() && resolve("127.0.0.1:99999").is_err());
    }
}
