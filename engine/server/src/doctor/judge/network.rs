//! Own addresses and other servers.

use super::micros;
use crate::doctor::facts::{Facts, Listening, Peer, Reached};
use crate::doctor::finding::Verdict;

/// Names that take longer are found by asking somebody far away, or somebody who is not there.
const SLOW_NAME_US: f64 = 200_000.0;
/// Servers further apart are not in one place.
const FAR_US: f64 = 10_000.0;

pub(super) fn own_ports(facts: &Facts) -> Vec<Verdict> {
    let network = &facts.network;
    let running = facts.storage.iter().find_map(|storage| storage.in_use_by);
    let mut verdicts: Vec<Verdict> = network.listening.iter().map(|own| port(own, running)).collect();
    for own in &network.listening {
        let is_outgoing = network.ephemeral.is_some_and(|(first, last)| (first..=last).contains(&own.port));
        if is_outgoing && !network.reserved.contains(&own.port) {
            verdicts.push(
                Verdict::note(format!("{} is among the ports of outgoing connections", own.port))
                    .because("a connection that this machine makes may have it when the server wants to start")
                    .remedy(format!("sysctl -w net.ipv4.ip_local_reserved_ports={}", own.port)),
            );
        }
    }
    verdicts
}

fn port(own: &Listening, running: Option<u32>) -> Verdict {
    let Listening { purpose, address, port, refused, taken } = own;
    match (refused, running) {
        (None, _) => Verdict::ok(format!("{address} is free, for {purpose}")),
        (Some(_), Some(pid)) if *taken => Verdict::ok(format!("{address} is taken, as it should be: process {pid} runs")),
        (Some(_), _) if *taken => Verdict::error(format!("{address} for {purpose} is taken by another process"))
            .because("the server does not start: it listens there or nowhere")
            .remedy(format!("ss -ltnp 'sport = :{port}' tells by whom; stop it, or choose another port")),
        (Some(reason), _) => Verdict::error(format!("{address} for {purpose}: {reason}"))
            .because("the server cannot listen on an address that this machine does not have, or a port that needs a privilege")
            .remedy("for peers behind address translation: quorumListenOnAllIPs=true; for a port below 1024: AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit"),
    }
}

pub(super) fn queue(facts: &Facts) -> Vec<Verdict> {
    let Some(longest) = facts.network.somaxconn else { return Vec::new() };
    let wanted = u64::from(facts.wanted.backlog);
    let found = format!("net.core.somaxconn={longest}, {wanted} wanted");
    vec![match longest < wanted {
        false => Verdict::ok(found),
        true => Verdict::note(found)
            .because("when a server dies, all its clients come to the others at once; who finds no place in the queue waits a second or longer")
            .remedy(format!("sysctl -w net.core.somaxconn={wanted}, and the same line in /etc/sysctl.d")),
    }]
}

pub(super) fn peers(facts: &Facts) -> Vec<Verdict> {
    facts.network.peers.iter().map(|peer| reachable(peer, facts.wanted.silence_min_ms)).collect()
}

fn reachable(peer: &Peer, silence_ms: u64) -> Verdict {
    let name = format!("server.{} at {}", peer.id, peer.address);
    let trip = peer.round_trip_us.map_or(String::new(), |us| format!(", {} away", micros(us)));
    match &peer.outcome {
        Reached::Unresolved(reason) => Verdict::error(format!("{name}: its name is not resolved: {reason}"))
            .because("this server cannot reach it")
            .remedy("getent hosts NAME shows what this machine knows; add it to DNS or /etc/hosts, the same on every server"),
        Reached::Unreachable(reason) => Verdict::error(format!("{name}: {reason}"))
            .because("with a majority out of reach nothing can be written")
            .remedy("is the machine on, and does its firewall let this one connect to that port?"),
        _ if peer.resolve_us > SLOW_NAME_US => {
            Verdict::warning(format!("{name}: its name took {} to resolve", micros(peer.resolve_us)))
                .because("after a lost connection the others are looked up again, and meanwhile are not there")
                .remedy("addresses in /etc/hosts, or a caching resolver on this machine")
        }
        _ if peer.round_trip_us.is_some_and(|us| us * 5.0 > silence_ms as f64 * 1e3) => {
            Verdict::warning(format!("{name}{trip}"))
                .because(format!("with a silence of {silence_ms} ms that is borne, a few lost packets look like a dead server"))
                .remedy(format!("ensemble.silence.min.ms={} and a larger ensemble.silence.max.ms", silence_for(peer)))
        }
        _ if peer.round_trip_us.is_some_and(|us| us > FAR_US) => Verdict::note(format!("{name}{trip}"))
            .because("a write waits for the round trip to the nearest majority"),
        Reached::Refused => Verdict::ok(format!("{name} is there{trip}; nobody listens yet")),
        Reached::Open => Verdict::ok(format!("{name} listens{trip}")),
    }
}

/// Ten round trips, rounded up to a round number.
fn silence_for(peer: &Peer) -> u64 {
    let ms = peer.round_trip_us.unwrap_or(0.0) / 1e3 * 10.0;
    (ms.ceil() as u64).next_multiple_of(50)
}
