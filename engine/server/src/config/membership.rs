//! `server.N` lines. One of them describes this server alone; more than one describe an ensemble.

use super::address::{self, Address};
use super::key::parse_int;

/// One `server.N` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// N.
    pub id: u8,
    /// False for an observer.
    pub votes: bool,
    /// Host and port for other servers (ZooKeeper's quorum port). More than one are ways to the same server, the preferred
    /// one first.
    pub peer: Vec<(String, u16)>,
    /// ZooKeeper's election port of each address, which is only shown.
    pub elections: Vec<u16>,
    /// The client address behind the semicolon, if there is one.
    pub client: Option<Address>,
}

impl Member {
    /// Reads `server.N` and `host:quorumPort:electionPort[:role][|...][;[clientHost:]clientPort]`.
    pub fn parse(name: &str, value: &str) -> Result<Member, String> {
        let number = name.strip_prefix("server.").unwrap_or(name);
        let id = parse_int(number).and_then(|n| u8::try_from(n).ok()).ok_or("needs a number from 0 to 255 as N")?;
        let mut parts = value.split(';').map(str::trim);
        let quorum = parts.next().unwrap_or_default();
        let client = parts.next().filter(|part| !part.is_empty()).map(client_address).transpose()?;
        if parts.next().is_some_and(|part| !part.is_empty()) {
            return Err("asks for a TLS port; give secureClientPort instead".to_owned());
        }
        let mut votes = true;
        let (mut peer, mut elections) = (Vec::new(), Vec::new());
        for address in quorum.split('|') {
            let (host, (port, election), participant) = quorum_address(address.trim())?;
            votes &= participant;
            peer.push((host.to_owned(), port));
            elections.push(election);
        }
        Ok(Member { id, votes, peer, elections, client })
    }

    /// The line in the form in which ZooKeeper shows it: with role, and with the client's address if it has one.
    pub fn zookeeper_line(&self) -> String {
        let ways = self.peer.iter().zip(&self.elections);
        let ways: Vec<String> =
            ways.map(|((host, port), election)| format!("{}:{election}", address::address(host, *port))).collect();
        let role = if self.votes { "participant" } else { "observer" };
        let client = self.client.as_ref().map_or_else(String::new, |client| {
            format!(";{}", address::address(client.host.as_deref().unwrap_or("0.0.0.0"), client.port))
        });
        format!("server.{}={}:{role}{client}", self.id, ways.join("|"))
    }

    /// The addresses for other servers as one text: `host:port`, with `|` between alternatives.
    pub fn peer_text(&self) -> String {
        let addresses: Vec<String> = self.peer.iter().map(|(host, port)| address::address(host, *port)).collect();
        addresses.join("|")
    }
}

/// Reads `host:quorumPort:electionPort[:role]`: host, both ports, and true if the role votes. Elections go through the
/// quorum port too, so the other one is only checked and shown.
fn quorum_address(text: &str) -> Result<(&str, (u16, u16), bool), String> {
    let (host, rest) = host_and_rest(text)?;
    let mut fields = rest.split(':');
    let ports = (fields.next().and_then(port), fields.next().and_then(port));
    let (Some(quorum), Some(election)) = ports else {
        return Err("needs host:quorumPort:electionPort".to_owned());
    };
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    if quorum == election {
        return Err("has the same port for quorum and election".to_owned());
    }
    let role = fields.next().unwrap_or("participant");
    if fields.next().is_some() {
        return Err("has more fields than host:quorumPort:electionPort:role".to_owned());
    }
    match role.to_ascii_lowercase().as_str() {
        "participant" => Ok((host, (quorum, election), true)),
        "observer" => Ok((host, (quorum, election), false)),
        _ => Err(format!("has the role {role}, which is neither participant nor observer")),
    }
}

fn client_address(text: &str) -> Result<Address, String> {
    let wrong = || "needs [clientHost:]clientPort behind the semicolon".to_owned();
    if let Some(port) = port(text) {
        return Ok(Address { host: None, port });
    }
    let (host, rest) = host_and_rest(text)?;
    let port = port(rest).ok_or_else(wrong)?;
    let host = Some(host.to_owned()).filter(|host| !host.is_empty());
    Ok(Address { host, port })
}

/// Cuts at the first colon behind the host, which may be an IPv6 address in brackets.
fn host_and_rest(text: &str) -> Result<(&str, &str), String> {
    let wrong = "has no port behind its host (an IPv6 address needs brackets)";
    match text.strip_prefix('[') {
        Some(inner) => inner.split_once("]:").ok_or_else(|| wrong.to_owned()),
        None => text.split_once(':').ok_or_else(|| wrong.to_owned()),
    }
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_administrators_write_them() {
        let check = |value: &str, votes, peer: &[(&str, u16)], client: Option<(Option<&str>, u16)>| {
            let client = client.map(|(host, port)| Address { host: host.map(str::to_owned), port });
            let elections = peer.iter().map(|(_, port)| port + 1000).collect();
            let peer = peer.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
            assert_eq!(
                Member::parse("server.1", value),
                Ok(Member { id: 1, votes, peer, elections, client }),
                "{value}"
            );
        };
        check("zk1:2888:3888", true, &[("zk1", 2888)], None);
        check("zk1:2888:3888:observer", false, &[("zk1", 2888)], None);
        check("zk1:2888:3888:PARTICIPANT;2181", true, &[("zk1", 2888)], Some((None, 2181)));
        check("zk1:2888:3888;0.0.0.0:2181", true, &[("zk1", 2888)], Some((Some("0.0.0.0"), 2181)));
        check("[::1]:2888:3888;[::]:2181", true, &[("::1", 2888)], Some((Some("::"), 2181)));
        check("a:2888:3888|b:2889:3889", true, &[("a", 2888), ("b", 2889)], None);
    }

    #[test]
    fn lines_as_zookeeper_shows_them() {
        for (value, shown) in [
            ("zk1:2888:3888", "zk1:2888:3888:participant"),
            ("zk1:2888:3888:OBSERVER;2181", "zk1:2888:3888:observer;0.0.0.0:2181"),
            ("[::1]:2888:3888;[::]:2181", "[::1]:2888:3888:participant;[::]:2181"),
            ("a:2888:3888|b:2889:3889", "a:2888:3888|b:2889:3889:participant"),
        ] {
            assert_eq!(Member::parse("server.3", value).unwrap().zookeeper_line(), format!("server.3={shown}"));
        }
    }

    #[test]
    fn lines_that_are_refused() {
        for value in [
            "",
            "zk1",
            "zk1:2888",
            "zk1:2888:2888",
            "zk1:2888:99999",
            ":2888:3888",
            "zk1:2888:3888:boss",
            "zk1:2888:3888:observer:1",
            "zk1:2888:3888;client",
            "::1:2888:3888",
            "zk1:2888:3888;2181;2182",
        ] {
            assert!(Member::parse("server.1", value).is_err(), "{value:?}");
        }
        assert!(Member::parse("server.x", "zk1:2888:3888").is_err());
        assert!(Member::parse("server.256", "zk1:2888:3888").is_err());
    }
}
