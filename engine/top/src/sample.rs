//! What one server says about itself at one time: its answers to `srvr`, `mntr`, `envi` and `hotp`, read into fields.

use crate::hot::Hot;
use std::collections::HashMap;

/// What a server says. What it leaves out is `None`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sample {
    /// Version, without the date of the build.
    pub version: Option<String>,
    /// `leader`, `follower`, `observer`, `standalone`, `read-only`.
    pub role: Option<String>,
    /// The newest transaction that is applied.
    pub zxid: Option<u64>,
    /// Requests since the start, or since the statistics were reset.
    pub received: Option<u64>,
    /// Replies and events since then.
    pub sent: Option<u64>,
    /// Latency since then, in milliseconds.
    pub latency: Latency,
    /// Open connections.
    pub connections: Option<u64>,
    /// Requests that are under way.
    pub outstanding: Option<u64>,
    /// Nodes of the tree.
    pub nodes: Option<u64>,
    /// Watches.
    pub watches: Option<u64>,
    /// Ephemeral nodes.
    pub ephemerals: Option<u64>,
    /// Sessions.
    pub sessions: Option<u64>,
    /// Bytes of paths and data.
    pub data_bytes: Option<u64>,
    /// Memory in use: of the process, or of the virtual machine's heap.
    pub memory_bytes: Option<u64>,
    /// Memory against a limit above which nothing may grow.
    pub allowance: Option<Allowance>,
    /// The paths that its clients ask for most.
    pub hot: Hot,
    /// Open file descriptors.
    pub descriptors: Option<u64>,
    /// Milliseconds since the start.
    pub uptime_ms: Option<u64>,
    /// Of a leader: servers that follow it, and those of them that are up to date and vote.
    pub followers: Option<Followers>,
}

/// Latency in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Latency {
    /// Mean.
    pub avg: Option<f64>,
    /// Worst.
    pub max: Option<f64>,
}

/// Those who follow a leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Followers {
    /// All, whether they vote or not.
    pub learners: u64,
    /// Up to date.
    pub synced: u64,
}

/// Memory that counts against a limit, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// In use.
    pub used: u64,
    /// The limit.
    pub limit: u64,
    /// It is so short that the server refuses what needs more.
    pub short: bool,
}

/// What a server answered to each word; empty if it was not asked.
#[derive(Clone, Default, Debug)]
pub struct Words {
    /// `srvr`.
    pub srvr: String,
    /// `mntr`.
    pub mntr: String,
    /// `envi`.
    pub envi: String,
    /// `hotp`.
    pub hotp: String,
}

/// Why an answer is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Silence {
    /// The server runs but serves nobody: it has no majority, or is still starting.
    NotServing,
    /// The server does not answer these words.
    NotAllowed,
    /// The answer is something else: this is no such server.
    Foreign,
}

impl Sample {
    /// Reads the answers.
    ///
    /// # Errors
    /// [`Silence`]
    pub fn parse(words: &Words) -> Result<Sample, Silence> {
        let Words { srvr, mntr, envi, hotp } = words;
        if srvr.contains("not currently serving requests") {
            return Err(Silence::NotServing);
        }
        let whitelisted = |answer: &str| !ringkeeper_client::four_letter::is_refused(answer);
        if !whitelisted(srvr) && !whitelisted(mntr) {
            return Err(Silence::NotAllowed);
        }
        let server = lines(srvr, ':');
        let monitor = lines(mntr, '\t');
        let monitored = |name: &str| monitor.get(name).copied();
        let number = |name: &str| monitored(name).and_then(|text| text.parse::<f64>().ok()).map(|number| number as u64);
        let served = |name: &str| server.get(name).and_then(|text| text.parse::<u64>().ok());
        let role = monitored("zk_server_state").or_else(|| server.get("Mode").copied());
        if role.is_none() && !server.contains_key("Zookeeper version") {
            return Err(Silence::Foreign);
        }
        let version = monitored("zk_version").or_else(|| server.get("Zookeeper version").copied());
        let latency = server.get("Latency min/avg/max").map(|text| text.split('/').collect::<Vec<_>>());
        let of_latency = |at: usize| latency.as_ref().and_then(|parts| parts.get(at)?.parse::<f64>().ok());
        let told = |name: &str| monitored(name).and_then(|text| text.parse::<f64>().ok());
        Ok(Sample {
            version: version.map(|text| text.split([',', ' ']).next().unwrap_or(text).to_owned()),
            role: role.map(str::to_owned),
            zxid: server.get("Zxid").and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()),
            received: number("zk_packets_received").or_else(|| served("Received")),
            sent: number("zk_packets_sent").or_else(|| served("Sent")),
            latency: Latency {
                avg: told("zk_avg_latency").or_else(|| of_latency(1)),
                max: told("zk_max_latency").or_else(|| of_latency(2)),
            },
            connections: number("zk_num_alive_connections").or_else(|| served("Connections")),
            outstanding: number("zk_outstanding_requests").or_else(|| served("Outstanding")),
            nodes: number("zk_znode_count").or_else(|| served("Node count")),
            watches: number("zk_watch_count"),
            ephemerals: number("zk_ephemerals_count"),
            sessions: number("zk_global_sessions"),
            data_bytes: number("zk_approximate_data_size"),
            memory_bytes: number("zk_process_resident_memory_bytes").or_else(|| heap(envi)),
            allowance: number("zk_memory_used").zip(number("zk_memory_limit")).map(|(used, limit)| Allowance {
                used,
                limit,
                short: number("zk_memory_short") == Some(1),
            }),
            hot: Hot::parse(hotp),
            descriptors: number("zk_open_file_descriptor_count"),
            uptime_ms: number("zk_uptime"),
            followers: number("zk_learners")
                .or_else(|| number("zk_followers"))
                .zip(number("zk_synced_followers"))
                .map(|(learners, synced)| Followers { learners, synced }),
        })
    }
}

/// Memory in use of a Java virtual machine. (Ringkeeper's `envi` has the machine's memory there, which says nothing of it.)
fn heap(envi: &str) -> Option<u64> {
    let environment = lines(envi, '=');
    if environment.get("zookeeper.version").is_none_or(|version| version.contains("ringkeeper")) {
        return None;
    }
    let mib = |name: &str| environment.get(name)?.trim_end_matches("MB").parse::<u64>().ok();
    Some(mib("os.memory.total")?.saturating_sub(mib("os.memory.free")?) << 20)
}

fn lines(text: &str, separator: char) -> HashMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.split_once(separator))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRVR: &str = "Zookeeper version: 3.8.0-x, built on 2024-12-29 17:54 UTC\nLatency min/avg/max: 0/1.5/6\nReceived: 16\n\
        Sent: 15\nConnections: 4\nOutstanding: 1\nZxid: 0x500000006\nMode: leader\nNode count: 9\n\
        Proposal sizes last/min/max: 36/36/1048\n";
    const MNTR: &str = "zk_version\t3.8.0-x, built on 2024-12-29 17:54 UTC\nzk_server_state\tleader\nzk_ephemerals_count\t3\n\
        zk_avg_latency\t1.8182\nzk_max_latency\t6\nzk_packets_received\t17\nzk_packets_sent\t16\nzk_watch_count\t4\n\
        zk_learners\t2\nzk_synced_followers\t2\nzk_approximate_data_size\t73\nzk_uptime\t32987\n";
    const ENVI: &str =
        "Environment:\nzookeeper.version=3.8.0\nos.memory.free=372MB\nos.memory.max=6028MB\nos.memory.total=388MB\n";

    fn parse(srvr: &str, mntr: &str, envi: &str) -> Result<Sample, Silence> {
        Sample::parse(&Words { srvr: srvr.into(), mntr: mntr.into(), envi: envi.into(), hotp: String::new() })
    }

    #[test]
    fn both_answers_make_one_sample() {
        let sample = parse(SRVR, MNTR, ENVI).unwrap();
        assert_eq!(sample.version.as_deref(), Some("3.8.0-x"));
        assert_eq!(sample.role.as_deref(), Some("leader"));
        assert_eq!(sample.zxid, Some(0x5_0000_0006));
        assert_eq!((sample.received, sample.sent), (Some(17), Some(16)));
        assert_eq!(sample.latency, Latency { avg: Some(1.8182), max: Some(6.0) });
        assert_eq!((sample.connections, sample.outstanding, sample.nodes), (Some(4), Some(1), Some(9)));
        assert_eq!((sample.watches, sample.ephemerals, sample.sessions), (Some(4), Some(3), None));
        assert_eq!(sample.followers, Some(Followers { learners: 2, synced: 2 }));
        assert_eq!(sample.memory_bytes, Some(16 << 20));
    }

    #[test]
    fn srvr_alone_will_do() {
        let refused = "mntr is not executed because it is not in the whitelist.\n";
        let sample = parse(SRVR, refused, "").unwrap();
        assert_eq!((sample.role.as_deref(), sample.received), (Some("leader"), Some(16)));
        assert_eq!(sample.latency.avg, Some(1.5));
        assert_eq!(sample.watches, None);
    }

    #[test]
    fn answers_that_are_none() {
        let none = |srvr, mntr| parse(srvr, mntr, "").unwrap_err();
        let serving = "This ZooKeeper instance is not currently serving requests\n";
        assert_eq!(none(serving, serving), Silence::NotServing);
        let refused = "srvr is not executed because it is not in the whitelist.\n";
        assert_eq!(none(refused, refused), Silence::NotAllowed);
        assert_eq!(none("HTTP/1.1 400 Bad Request\r\n", ""), Silence::Foreign);
        assert_eq!(none("", ""), Silence::Foreign);
        assert_eq!(none("Zxid: 0xffffffffffffffffffff\nMode\n", "zk_uptime\t-1e99\n"), Silence::Foreign);
    }

    #[test]
    fn the_memory_of_a_machine_is_not_that_of_a_server() {
        let ringkeeper = ENVI.replace("3.8.0", "3.9.5-ringkeeper-0.1.0");
        assert_eq!(parse(SRVR, MNTR, &ringkeeper).unwrap().memory_bytes, None);
    }

    #[test]
    fn ringkeeper_tells_its_memory() {
        let mntr = format!(
            "{MNTR}zk_process_resident_memory_bytes\t9000\nzk_memory_used\t70\nzk_memory_limit\t100\nzk_memory_short\t0\n"
        );
        let sample = parse(SRVR, &mntr, "").unwrap();
        assert_eq!(sample.memory_bytes, Some(9_000));
        assert_eq!(sample.allowance, Some(Allowance { used: 70, limit: 100, short: false }));
        assert_eq!(parse(SRVR, MNTR, ENVI).unwrap().allowance, None);
    }
}
