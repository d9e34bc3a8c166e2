//! The servers of the ensemble, as the user names them.

use crate::target;
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    /// What the user calls it; commands may need it.
    pub id: String,
    /// Its host as the user wrote it.
    pub host: String,
    /// Where its clients connect.
    pub address: SocketAddr,
}

impl FromStr for Server {
    type Err = String;

    /// `HOST:PORT`, or `ID=HOST:PORT`. Without an id it is empty until [`number`].
    fn from_str(text: &str) -> Result<Server, String> {
        let (id, place) = text.trim().split_once('=').unwrap_or(("", text.trim()));
        let address = target::resolve_one(place).map_err(|error| format!("{error:#}"))?;
        let port = format!(":{}", address.port());
        let host = place.strip_suffix(&port).unwrap_or(place).trim_matches(['[', ']']);
        Ok(Server { id: id.to_owned(), host: host.to_owned(), address })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Servers without an id are called by their place in the list, from 1 on.
pub fn number(servers: &[Server]) -> Vec<Server> {
    let id = |at: usize, id: &str| if id.is_empty() { (at + 1).to_string() } else { id.to_owned() };
    servers.iter().enumerate().map(|(at, server)| Server { id: id(at, &server.id), ..server.clone() }).collect()
}

impl Server {
    /// A command with what is known of the server put in.
    pub fn fill_in(&self, template: &str, pid: Option<u32>) -> String {
        let pid = pid.map_or_else(String::new, |pid| pid.to_string());
        template
            .replace("{id}", &self.id)
            .replace("{host}", &self.host)
            .replace("{port}", &self.address.port().to_string())
            .replace("{server}", &self.address.to_string())
            .replace("{pid}", &pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_ids_hosts_and_addresses() {
        let named: Server = "a=localhost:99".parse().unwrap();
        assert_eq!((named.id.as_str(), named.host.as_str(), named.address.port()), ("a", "localhost", 99));
        let plain: Server = "127.0.0.1".parse().unwrap();
        assert_eq!((plain.host.as_str(), plain.to_string().as_str()), ("127.0.0.1", "127.0.0.1:2181"));
        let six: Server = "[::1]:99".parse().unwrap();
        assert_eq!(six.host, "::1");
        assert_eq!(number(&[plain, named]).iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["1", "a"]);
        assert!("127.0.0.1:x".parse::<Server>().is_err());
    }

    #[test]
    fn commands_are_filled_in() {
        let server: Server = "7=localhost:99".parse().unwrap();
        let filled = server.fill_in("ssh {host} kill {pid} # {id} {port} {server} {other}", Some(5));
        assert!(filled.starts_with("ssh localhost kill 5 # 7 99 ") && filled.ends_with(":99 {other}"), "{filled}");
    }
}
