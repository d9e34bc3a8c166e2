//! The ensemble's configuration as text: read for `config -c`, written for `reconfig -file`.

use std::collections::BTreeMap;

/// Version and client addresses of a configuration: `server.1=host:2888:3888:participant;host:2181` a line, and `version=…`.
/// Servers without a client address are left out.
pub(crate) fn connect_string(config: &str) -> (String, String) {
    let (mut version, mut clients) = (String::new(), BTreeMap::new());
    for (key, value) in properties(config) {
        if key == "version" {
            version = value.to_owned();
        } else if let Some(id) = key.strip_prefix("server.").and_then(|id| id.parse::<u64>().ok())
            && let Some((_, client)) = value.split_once(';')
        {
            // A port alone means every address of that host.
            let client = if client.contains(':') { client.to_owned() } else { format!("0.0.0.0:{client}") };
            clients.insert(id, client);
        }
    }
    (version, clients.into_values().collect::<Vec<_>>().join(","))
}

/// The server lines of a configuration file, separated by commas.
pub(crate) fn members(file: &str) -> String {
    let lines = properties(file)
        .filter(|(key, _)| ["server.", "group.", "weight."].iter().any(|prefix| key.starts_with(prefix)));
    lines.map(|(key, value)| format!("{key}={value}").to_lowercase()).collect::<Vec<_>>().join(",")
}

fn properties(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', '!']))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "server.10=h10:2888:3888:participant;h10:2181\nserver.2=h2:2888:3888:observer;2182\n\
        server.3=h3:2888:3888\nversion=100000003";

    #[test]
    fn clients_are_told_where_to_connect() {
        let expected = ("100000003".to_owned(), "0.0.0.0:2182,h10:2181".to_owned());
        assert_eq!(connect_string(CONFIG), expected);
        assert_eq!(connect_string(""), (String::new(), String::new()));
    }

    #[test]
    fn members_are_taken_from_a_file() {
        let file = "# ours\ntickTime=2000\nserver.1 = H1:2888:3888;2181\nweight.1=1\n";
        assert_eq!(members(file), "server.1=h1:2888:3888;2181,weight.1=1");
    }
}
