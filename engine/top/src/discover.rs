//! The other servers of an ensemble, from what one of them says.

use ringkeeper_client::{Client, HostList, Options, address_name, four_letter};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Adds the servers that the ensemble's configuration names to those that are known. A configuration that cannot be read, or that
/// names no client ports, adds none.
pub(crate) fn others(known: &HostList) -> Vec<String> {
    let mut servers = known.names();
    for server in of_conf(known).unwrap_or_else(|| of_node(known)) {
        if !servers.iter().any(|known| same(known, &server)) {
            servers.push(server);
        }
    }
    servers
}

/// The members that the first server tells that answers `conf`; `None` if none names any.
fn of_conf(known: &HostList) -> Option<Vec<String>> {
    let answers = known.resolve().0.into_iter().map(|address| four_letter::ask(address, "conf", PATIENCE));
    answers.filter_map(Result::ok).map(|conf| clients(&conf)).find(|members| !members.is_empty())
}

/// The members in the node of the configuration, which takes a session.
fn of_node(known: &HostList) -> Vec<String> {
    let mut options = Options::new(known.clone());
    options.timeout = Duration::from_secs(5);
    options.patience = PATIENCE;
    let config = Client::open(options, |_| ()).config(false).ok().and_then(|(data, _)| data).unwrap_or_default();
    clients(&String::from_utf8_lossy(&config))
}

/// Client addresses in a configuration: `server.1=host:2888:3888:participant;address:2181`. An address that means every address is
/// replaced by the server's host.
fn clients(config: &str) -> Vec<String> {
    let mut found = BTreeMap::new();
    for line in config.lines() {
        let Some((id, value)) = line.trim().strip_prefix("server.").and_then(|rest| rest.split_once('=')) else {
            continue;
        };
        let (Ok(id), Some((servers, client))) = (id.trim().parse::<u64>(), value.split_once(';')) else { continue };
        let (address, port) = client.rsplit_once(':').unwrap_or(("", client));
        let Ok(port) = port.trim().parse::<u16>() else { continue };
        let everywhere = matches!(address.trim(), "" | "0.0.0.0" | "[::]" | "[0:0:0:0:0:0:0:0]");
        // Several addresses of one server are separated by bars.
        let host = servers.split('|').next().map_or("", host);
        let host = if everywhere { host } else { address.trim() };
        found.insert(id, address_name(host.trim_matches(['[', ']']), port));
    }
    found.into_values().collect()
}

/// The host at the beginning of `host:port:port`, which may be an IPv6 address in brackets.
fn host(address: &str) -> &str {
    let address = address.trim();
    match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => address.split(':').next().unwrap_or(address),
    }
}

/// Whether two names are of one server, as far as names tell.
fn same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.replace("localhost:", "127.0.0.1:");
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_connect_where_the_configuration_says() {
        let config = "server.10=zk10:2888:3888:participant;0.0.0.0:2181\nserver.2=zk2:2888:3888:observer;10.0.0.2:2182\n\
            server.3=[fd00::3]:2888:3888;2183\nserver.4=zk4:2888:3888\nversion=0\nnonsense";
        assert_eq!(clients(config), ["10.0.0.2:2182", "[fd00::3]:2183", "zk10:2181"]);
        assert_eq!(clients(""), Vec::<String>::new());
    }

    #[test]
    fn this_machine_has_two_names() {
        assert!(same("localhost:2181", "127.0.0.1:2181"));
        assert!(!same("localhost:2181", "127.0.0.1:2182"));
    }
}
