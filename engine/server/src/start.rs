//! From the configuration to a running server.

use crate::admin::{self, Access, Desk, Progress, Secure, Site};
use crate::config::key::Key;
use crate::config::{Address, Config, Ensemble, PeerTls, table as keys};
use crate::directory;
use crate::executor::{self, Plan, ServerFailed};
use crate::four_letter::{Environment, Word};
use crate::live::{Current, Live, Operator, Reload, connection_limits};
use crate::logging;
use crate::spread::Exchange;
use crate::storage::StorageSettings;
use crate::tls::Renewals;
use crate::turn::Words;
use ringkeeper_core::frontend::{FrontendConfig, Members};
use ringkeeper_core::ids::ServerId;
use ringkeeper_core::prepare::PrepareConfig;
use ringkeeper_core::replica::ReplicaConfig;
use ringkeeper_core::zab::{Quorum, Timing};
use ringkeeper_net::links::{LinkLimits, LinkTls, LinksConfig, PeerAddress};
use ringkeeper_net::{
    DEFAULT_BACKLOG, Door, Listening, Rules, SocketOptions, SocketsConfig, Speaks, TlsEndpoint, listen, raise_fd_limit,
};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// File descriptors that are kept for the log, snapshots and the executor itself.
const RESERVED_DESCRIPTORS: u64 = 128;

/// What a running server is operated with.
pub(crate) struct Operating {
    /// Reads the configuration again.
    pub(crate) reload: Reload,
    /// Changes what is logged.
    pub(crate) logging: logging::Handle,
}

/// Runs the server until it is asked to stop.
///
/// # Errors
/// [`ServerFailed`]
pub(crate) fn run(config: Config, operating: Operating) -> Result<(), ServerFailed> {
    executor::check()?;
    let start = |what| move |source| ServerFailed::Start { what, source };
    let descriptors = raise_fd_limit().map_err(start("raising the limit of open files"))?;
    directory::examine(&config)?;
    directory::examine_access(&config)?;
    let tls = Renewals::begin(&config)?;
    let (endpoint, peer_endpoint, admin_endpoint) = (tls.for_clients(), tls.for_peers(), tls.for_admin());
    let listeners = bind(&config)?;
    let seed = RandomState::new().hash_one(std::process::id());
    let ports = Ports::of(&listeners).map_err(start("the listening socket"))?;
    let room = u32::try_from(descriptors.saturating_sub(RESERVED_DESCRIPTORS)).unwrap_or(u32::MAX).max(1);
    let door = Door::new(connection_limits(&config.limits, room));
    let live = Arc::new(Live::new(Current::of(&config)));
    let Operating { reload, logging } = operating;
    let operator = Operator { live: Arc::clone(&live), door: door.clone(), descriptors: room, reload, logging, tls };
    operator.start().map_err(start("the operator's thread"))?;
    let words = Arc::new(words(&config, live, ports, endpoint.clone()));
    let exchange = Exchange::new(u8::try_from(config.executors.client_cores).unwrap_or(u8::MAX));
    let progress = Arc::new(Progress::default());
    serve_http(&config, &exchange, &progress, &words, admin_endpoint)?;
    executor::run(Plan {
        replica: replica(&config, seed),
        frontend: frontend(&config),
        sockets: sockets(&config, door, endpoint),
        storage: StorageSettings::of(&config),
        client_cores: config.executors.client_cores,
        links: config.ensemble.as_ref().map(|own| links(&config, own, peer_endpoint, seed)).transpose()?,
        words,
        exchange,
        admin: progress,
        listeners,
    })
}

/// The ports that are listened on.
struct Ports {
    plain: Option<u16>,
    secure: Option<u16>,
}

impl Ports {
    fn of(listeners: &[Listening]) -> io::Result<Ports> {
        let mut ports = Ports { plain: None, secure: None };
        for Listening { socket, speaks } in listeners {
            let port = socket.local_addr()?.port();
            match speaks {
                Speaks::Tls => {
                    tracing::info!(port, "listening for TLS");
                    ports.secure = Some(port);
                }
                Speaks::Plain | Speaks::Either => {
                    tracing::info!(port, "listening");
                    ports.plain = Some(port);
                }
            }
        }
        Ok(ports)
    }
}

fn words(config: &Config, live: Arc<Live>, ports: Ports, tls: Option<TlsEndpoint>) -> Words {
    Words {
        live,
        environment: Environment::gather(),
        data: config.data.clone(),
        client_port: ports.plain,
        secure_client_port: ports.secure,
        tls,
        super_subject: config.access.super_subject.clone(),
        ensemble: config.ensemble.clone().map(Arc::new),
    }
}

/// The admin server and the metrics, each if asked for. A port that cannot be had ends the start: whoever asked for it
/// relies on it.
fn serve_http(
    config: &Config,
    exchange: &Exchange,
    progress: &Arc<Progress>,
    words: &Arc<Words>,
    tls: Option<TlsEndpoint>,
) -> Result<(), ServerFailed> {
    let settings = &config.admin;
    let access =
        Access { super_digest: config.access.super_digest.clone(), super_subject: config.access.super_subject.clone() };
    let secure = tls.map(|endpoint| Secure { endpoint, or_plain: settings.or_plain });
    let desk = Desk::new(exchange.clone(), Arc::clone(progress), Arc::clone(words), settings.clone(), access);
    let desk = Arc::new(desk);
    let sites: [(&Option<Address>, Site, &'static str); 2] = [
        (&settings.listen, Site::Admin, "admin.serverPort"),
        (&settings.metrics, Site::Metrics, "metricsProvider.httpPort"),
    ];
    for (address, site, key) in sites {
        let Some(address) = address else { continue };
        let failed = |source| ServerFailed::ListenHttp { address: address.to_string(), key, source };
        let listener = admin::listen(address).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let secure = secure.clone().filter(|_| site == Site::Admin);
        let speaks = secure.as_ref().map_or("HTTP", Secure::speaks);
        admin::serve(listener, site, Arc::clone(&desk), secure).map_err(failed)?;
        match site {
            Site::Admin => tracing::info!(port, commands = settings.command_url, speaks, "admin server listening"),
            Site::Metrics => tracing::info!(port, "metrics listening"),
        }
    }
    Ok(())
}

/// The sockets for clients.
fn bind(config: &Config) -> Result<Vec<Listening>, ServerFailed> {
    let clients = &config.clients;
    let mut listening = Vec::new();
    if clients.plain {
        let rows = (&keys::CLIENT_PORT, &keys::CLIENT_PORT_ADDRESS);
        let socket = bind_one(config, rows, "clients", &clients.address)?;
        listening.push(Listening { socket, speaks: if clients.unified { Speaks::Either } else { Speaks::Plain } });
    }
    if let Some(secure) = &clients.secure {
        let rows = (&keys::SECURE_CLIENT_PORT, &keys::SECURE_CLIENT_PORT_ADDRESS);
        let socket = bind_one(config, rows, "clients with TLS", secure)?;
        listening.push(Listening { socket, speaks: Speaks::Tls });
    }
    Ok(listening)
}

fn bind_one(
    config: &Config,
    (port, host): (&'static Key, &'static Key),
    whom: &'static str,
    address: &Address,
) -> Result<TcpListener, ServerFailed> {
    let setting = || {
        let port = config.settings.named(port);
        config.settings.given(host).map_or(port, |host| host.to_string())
    };
    let backlog = config.clients.backlog.and_then(|n| i32::try_from(n).ok()).unwrap_or(DEFAULT_BACKLOG);
    let addresses = address.resolve().map_err(|source| ServerFailed::Resolve { setting: setting(), source })?;
    first_that_listens(addresses, backlog).map_err(|source| ServerFailed::Listen {
        setting: match source.kind() {
            io::ErrorKind::AddrNotAvailable => setting(),
            _ => config.settings.named(port),
        },
        whom,
        address: address.to_string(),
        source,
    })
}

/// The links to the other servers.
fn links(
    config: &Config,
    ensemble: &Ensemble,
    endpoint: Option<TlsEndpoint>,
    seed: u64,
) -> Result<LinksConfig, ServerFailed> {
    let setting = || {
        let own = format!("{}{}", keys::SERVER.name, ensemble.id);
        config.settings.members(&keys::SERVER).find(|line| line.name == own).map_or(own.clone(), ToString::to_string)
    };
    let own = ensemble.resolve().map_err(|source| ServerFailed::Resolve { setting: setting(), source })?;
    let listen = peer_addresses(own).and_then(|own| first_that_listens(own, DEFAULT_BACKLOG));
    let listen = listen.map_err(|source| ServerFailed::Listen {
        setting: setting(),
        whom: "the other servers",
        address: ensemble.me().peer_text(),
        source,
    })?;
    let others = ensemble.members.iter().filter(|member| member.id != ensemble.id);
    let peers = others.map(|member| {
        let address: PeerAddress = member.peer_text().parse().expect("the configuration has checked hosts and ports");
        (ServerId(member.id), address)
    });
    Ok(LinksConfig {
        own: ServerId(ensemble.id),
        ensemble: ensemble.name.clone(),
        incarnation: seed,
        listen,
        peers: peers.collect(),
        seed,
        tls: ensemble.tls.as_ref().zip(endpoint).map(|(tls, endpoint)| link_tls(tls, endpoint)),
        limits: LinkLimits::default(),
    })
}

fn link_tls(tls: &PeerTls, endpoint: TlsEndpoint) -> LinkTls {
    LinkTls { endpoint, dial: tls.dial, accept: if tls.or_plain { Speaks::Either } else { Speaks::Tls } }
}

/// The addresses of which one must be listened on, when for each address of this server's line those of a list would do.
/// There is one listening socket, so a server of several addresses listens on all that the machine has.
fn peer_addresses(mut own: Vec<Vec<SocketAddr>>) -> io::Result<Vec<SocketAddr>> {
    if own.len() == 1 {
        return Ok(own.remove(0));
    }
    let ports: BTreeSet<u16> = own.iter().flatten().map(SocketAddr::port).collect();
    match ports.first() {
        Some(port) if ports.len() == 1 => {
            Ok(vec![SocketAddr::from(([0u16; 8], *port)), SocketAddr::from(([0u8; 4], *port))])
        }
        _ => Err(io::Error::other("give all addresses of this server the same port")),
    }
}

fn first_that_listens(addresses: Vec<SocketAddr>, backlog: i32) -> io::Result<TcpListener> {
    let mut refused = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match listen(address, backlog) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn replica(config: &Config, seed: u64) -> ReplicaConfig {
    let (sessions, tree, snapshots) = (&config.sessions, &config.tree, &config.snapshots);
    let plain = Timing::default();
    // Nobody follows a server that stands alone: it keeps no recent transactions in memory.
    let alone = ReplicaConfig { seed, history_bytes: 0, ..ReplicaConfig::default() };
    let within = config.ensemble.as_ref().map_or(alone.clone(), |ensemble| ReplicaConfig {
        id: ServerId(ensemble.id),
        quorum: Quorum::majority(ensemble.ids(true).map(ServerId)),
        timing: Timing {
            heartbeat: ensemble.heartbeat,
            silence_min: ensemble.silence_min,
            silence_max: ensemble.silence_max,
            sync: ensemble.catch_up,
            disk_stall: plain.disk_stall.max(ensemble.silence_max),
            ..plain
        },
        hold_clients: ensemble.hold_clients,
        read_only_after: ensemble.read_only_after,
        history_bytes: ensemble.history_bytes,
        bootstrap: ensemble.bootstrap,
        ..alone
    });
    ReplicaConfig {
        tick: sessions.tick,
        min_session_timeout_ms: millis(sessions.min_timeout),
        max_session_timeout_ms: millis(sessions.max_timeout),
        prepare: PrepareConfig {
            extended_types: tree.extended_types,
            enforce_quota: tree.enforce_quota,
            skip_acl: config.access.skip_acl,
            x509: config.tls.is_some(),
            memory_short: false,
        },
        snap_count: u64::from(snapshots.every_transactions),
        snap_bytes: snapshots.every_log_bytes.unwrap_or(u64::MAX),
        reap_interval: tree.container_check_interval,
        reap_per_minute: tree.container_max_per_minute,
        reap_never_used_ms: tree.container_max_never_used.map_or(0, |age| i64::from(millis(age))),
        ..within
    }
}

fn frontend(config: &Config) -> FrontendConfig {
    let access = &config.access;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    FrontendConfig {
        limits: config.limits.clients.clone(),
        super_digest: access.super_digest.clone(),
        skip_acl: access.skip_acl,
        required_schemes: access.required_schemes.clone().unwrap_or_default(),
        members: config.ensemble.as_ref().map(|ensemble| Members { text: ensemble.zookeeper_text().into(), since }),
        slow_threshold: config.slow_request,
        ..FrontendConfig::default()
    }
}

fn sockets(config: &Config, door: Door, tls: Option<TlsEndpoint>) -> SocketsConfig {
    let clients = &config.clients;
    let words = Word::ALL.into_iter();
    SocketsConfig {
        rules: Rules {
            max_frame: clients.max_frame,
            words: words
                .map(|word| ringkeeper_net::Word { name: word.bytes(), argument_bytes: word.argument_bytes() })
                .collect(),
        },
        door,
        options: SocketOptions { keepalive: clients.keepalive },
        tls,
        max_unsent: clients.max_unsent,
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_several_addresses_listens_on_all_of_one_port() {
        let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let own = vec![vec![at("127.0.0.1:2888")]];
        assert_eq!(peer_addresses(own).unwrap(), [at("127.0.0.1:2888")]);
        let own = vec![vec![at("127.0.0.1:2888")], vec![at("127.0.0.2:2888")]];
        assert_eq!(peer_addresses(own).unwrap(), [at("[::]:2888"), at("0.0.0.0:2888")]);
        let own = vec![vec![at("127.0.0.1:2888")], vec![at("127.0.0.2:2889")]];
        assert!(peer_addresses(own).unwrap_err().to_string().contains("the same port"));
    }
}
