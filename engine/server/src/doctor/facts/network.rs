//! Addresses: whether they are free here, and how far away the other servers are.

use super::files::Files;
use crate::config::{Address, Config, Ensemble};
use ringkeeper_net::listen;
use serde::Serialize;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long a server gets to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Connections that are timed.
const TRIPS: usize = 5;

/// What concerns the network.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::doctor) struct Network {
    /// Addresses that the server listens on.
    pub listening: Vec<Listening>,
    /// The other servers.
    pub peers: Vec<Peer>,
    /// The ports from which the kernel takes those of outgoing connections.
    pub ephemeral: Option<(u16, u16)>,
    /// Ports of these that it leaves alone.
    pub reserved: Vec<u16>,
    /// The longest queue of connections that are not yet accepted.
    pub somaxconn: Option<u64>,
}

/// An address that the server listens on.
#[derive(Clone, Debug, Serialize)]
pub(in crate::doctor) struct Listening {
    /// What for: clients, peers, the admin server, metrics.
    pub purpose: &'static str,
    /// As configured.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Why it cannot be listened on.
    pub refused: Option<String>,
    /// Whether that is because somebody else does.
    pub taken: bool,
}

/// Another server.
#[derive(Clone, Debug, Serialize)]
pub(in crate::doctor) struct Peer {
    /// Its number.
    pub id: u8,
    /// `host:port`.
    pub address: String,
    /// How long its name took to resolve, microseconds.
    pub resolve_us: f64,
    /// What a connection to it came to.
    pub outcome: Reached,
    /// The time of a TCP handshake, microseconds; the median.
    pub round_trip_us: Option<f64>,
}

/// What a connection to another server came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::doctor) enum Reached {
    /// Somebody listens there.
    Open,
    /// The machine is there, and nobody listens.
    Refused,
    /// Neither yes nor no: a wrong address, a firewall, a machine that is off.
    Unreachable(String),
    /// The name has no address.
    Unresolved(String),
}

impl Network {
    /// What the files say.
    pub(super) fn read(files: &dyn Files) -> Network {
        let range = files.text("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let mut ends = range.split_ascii_whitespace().filter_map(|port| port.parse().ok());
        let reserved = files.text("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default();
        let ranges = reserved.split(',').filter_map(|range| {
            let (first, last) = range.trim().split_once('-').unwrap_or((range.trim(), range.trim()));
            Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
        });
        Network {
            ephemeral: ends.next().zip(ends.next()),
            reserved: ranges.flatten().collect(),
            somaxconn: files.number("/proc/sys/net/core/somaxconn"),
            ..Network::default()
        }
    }

    /// Tries the server's own addresses, and all other servers at the same time.
    pub(super) fn try_out(&mut self, config: &Config) {
        let clients = &config.clients;
        if clients.plain {
            self.listening.push(Listening::try_address("clients", &clients.address));
        }
        if let Some(secure) = &clients.secure {
            self.listening.push(Listening::try_address("clients with TLS", secure));
        }
        for (purpose, http) in [("the admin server", &config.admin.listen), ("metrics", &config.admin.metrics)] {
            self.listening.extend(http.as_ref().map(|http| Listening::try_address(purpose, http)));
        }
        let Some(ensemble) = &config.ensemble else { return };
        let port = ensemble.me().peer.first().map_or(0, |(_, port)| *port);
        match ensemble.resolve() {
            Ok(own) => self.listening.extend(own.into_iter().map(|addresses| {
                let port = addresses.first().map_or(port, SocketAddr::port);
                Listening::try_out("peers", ensemble.me().peer_text(), port, Ok(addresses))
            })),
            Err(error) => self.listening.push(Listening::try_out("peers", ensemble.me().peer_text(), port, Err(error))),
        }
        self.peers = peers(ensemble);
    }
}

impl Listening {
    fn try_address(purpose: &'static str, address: &Address) -> Listening {
        Listening::try_out(purpose, address.to_string(), address.port, address.resolve())
    }

    fn try_out(purpose: &'static str, address: String, port: u16, resolved: io::Result<Vec<SocketAddr>>) -> Listening {
        // One of them is enough, as at the server's start.
        let tried = resolved.and_then(|addresses| {
            let none = Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
            addresses.into_iter().fold(none, |before, address| before.or_else(|_| listen(address, 1).map(drop)))
        });
        let taken = tried.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        Listening { purpose, address, port, refused: tried.err().map(|error| error.to_string()), taken }
    }
}

fn peers(ensemble: &Ensemble) -> Vec<Peer> {
    let others = ensemble.members.iter().filter(|member| member.id != ensemble.id);
    let ways = others.flat_map(|member| member.peer.iter().map(|(host, port)| (member.id, host.as_str(), *port)));
    std::thread::scope(|scope| {
        let trials: Vec<_> = ways.map(|(id, host, port)| scope.spawn(move || Peer::try_out(id, host, port))).collect();
        trials.into_iter().filter_map(|trial| trial.join().ok()).collect()
    })
}

impl Peer {
    fn try_out(id: u8, host: &str, port: u16) -> Peer {
        let began = Instant::now();
        let resolved = (host, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        let resolve_us = micros(began.elapsed());
        let (outcome, round_trip_us) = match resolved {
            Ok(addresses) => reach(&addresses),
            Err(error) => (Reached::Unresolved(error.to_string()), None),
        };
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Peer { id, address, resolve_us, outcome, round_trip_us }
    }
}

fn reach(addresses: &[SocketAddr]) -> (Reached, Option<f64>) {
    let mut outcome = Reached::Unreachable("it has no address".to_owned());
    for address in addresses {
        let mut trips = Vec::new();
        for _ in 0..TRIPS {
            let began = Instant::now();
            outcome = match TcpStream::connect_timeout(address, PATIENCE) {
                Ok(_) => Reached::Open,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Reached::Refused,
                Err(error) => Reached::Unreachable(error.to_string()),
            };
            if matches!(outcome, Reached::Unreachable(_)) {
                break;
            }
            trips.push(micros(began.elapsed()));
        }
        if !trips.is_empty() {
            trips.sort_by(f64::total_cmp);
            return (outcome, trips.get(trips.len() / 2).copied());
        }
    }
    (outcome, None)
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::super::files::Recorded;
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn ports_of_outgoing_connections() {
        let network = Network::read(&Recorded::parse(
            "@ /proc/sys/net/ipv4/ip_local_port_range\n1024\t60999\n@ /proc/sys/net/ipv4/ip_local_reserved_ports\n2181,2888-2889\n",
        ));
        assert_eq!((network.ephemeral, network.reserved), (Some((1024, 60999)), vec![2181, 2888, 2889]));
    }

    #[test]
    fn a_port_that_is_taken_and_one_that_is_free() {
        // An address that nobody else has: the port is free when it is given back.
        let taken = TcpListener::bind("127.0.0.9:0").unwrap();
        let address = taken.local_addr().unwrap();
        let tried = Listening::try_out("clients", "here".into(), address.port(), Ok(vec![address]));
        assert!(tried.taken && tried.refused.is_some());
        let open = Peer::try_out(2, "127.0.0.9", address.port());
        assert!(open.outcome == Reached::Open && open.round_trip_us.unwrap() > 0.0, "{open:?}");
        drop(taken);
        let tried = Listening::try_out("clients", "here".into(), address.port(), Ok(vec![address]));
        assert_eq!((tried.taken, tried.refused), (false, None));
        let refused = Peer::try_out(2, "127.0.0.9", address.port());
        assert!(refused.outcome == Reached::Refused && refused.round_trip_us.is_some(), "{refused:?}");
    }

    #[test]
    fn a_name_without_an_address() {
        let peer = Peer::try_out(3, "no such host", 1);
        assert!(matches!(peer.outcome, Reached::Unresolved(_)), "{peer:?}");
    }
}
