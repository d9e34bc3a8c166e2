//! What is started: ports, directories and command lines.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::bail;

/// Free ports are looked for from here on, below those that the system gives to outgoing connections.
const FIRST_PORT: u16 = 10_000;
/// ... and so many of them are looked at.
const PORTS: u16 = 22_000;

/// The ports of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) client: u16,
    pub(super) peer: u16,
    pub(super) admin: u16,
}

/// Everything that does not change while the servers run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) program: PathBuf,
    pub(super) dir: PathBuf,
    /// Of server 1, 2, …
    pub(super) ports: Vec<Ports>,
    pub(super) restart: bool,
    pub(super) show_logs: bool,
    /// Further arguments of every server.
    pub(super) arguments: Vec<OsString>,
}

impl Plan {
    /// The messages of a server.
    pub(super) fn log(&self, id: u8) -> PathBuf {
        self.dir.join(format!("server-{id}.log"))
    }

    /// What clients connect to.
    pub(super) fn connection_string(&self) -> String {
        let addresses: Vec<String> = self.ports.iter().map(|ports| format!("127.0.0.1:{}", ports.client)).collect();
        addresses.join(",")
    }

    /// The arguments that start a server. What the further arguments may change is given by `--set`, which may be repeated.
    pub(super) fn command_line(&self, id: u8) -> Vec<OsString> {
        let own = self.ports[usize::from(id) - 1];
        let mut line: Vec<OsString> = vec!["serve".into(), "--data-dir".into()];
        line.push(self.dir.join(format!("server-{id}")).into());
        let port = own.client.to_string();
        line.extend(["--client-port-address", "127.0.0.1", "--client-port", &port].map(OsString::from));
        // All clients come from one address here.
        line.extend(["--set", "maxClientCnxns=0", "--set", "4lw.commands.whitelist=*"].map(OsString::from));
        let admin = format!("admin.serverPort={}", own.admin);
        line.extend(["--set", "admin.serverAddress=127.0.0.1", "--set", &admin].map(OsString::from));
        if self.ports.len() > 1 {
            line.extend(["--id".into(), id.to_string().into()]);
            for (n, Ports { client, peer, .. }) in (1..).zip(&self.ports) {
                // The election port is part of the syntax and not used.
                let member = format!("server.{n}=127.0.0.1:{peer}:{};127.0.0.1:{client}", peer + 1);
                line.extend(["--set".into(), member.into()]);
            }
        }
        line.extend(self.arguments.iter().cloned());
        line
    }
}

/// The first ports of each kind, where the user has chosen them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bases {
    pub(super) client: Option<u16>,
    pub(super) admin: Option<u16>,
}

/// Ports for so many servers: client and admin ports from their bases on, else free ones, which are looked for from a place
/// that follows from `seed`. Fails if a port of the user's choice is not free.
pub(super) fn ports(servers: u8, bases: Bases, seed: u32, is_free: &dyn Fn(u16) -> bool) -> anyhow::Result<Vec<Ports>> {
    let clients = chosen(servers, "--client-port", bases.client, is_free)?;
    let admins = chosen(servers, "--admin-port", bases.admin, is_free)?;
    if let Some(port) = clients.iter().find(|port| admins.contains(port)) {
        bail!("port {port} would be both a client port and an admin port; give bases at least {servers} apart");
    }
    let start = u16::try_from(seed.wrapping_mul(7919) % u32::from(PORTS)).expect("smaller than the number of ports");
    let candidates =
        (0..PORTS).map(|n| FIRST_PORT + (u32::from(start) + u32::from(n)).rem_euclid(u32::from(PORTS)) as u16);
    let mut free = candidates.filter(|port| !clients.contains(port) && !admins.contains(port) && is_free(*port));
    let mut ports = Vec::new();
    for n in 0..usize::from(servers) {
        let client = clients.get(n).copied().or_else(|| free.next());
        let peer = free.next();
        let admin = admins.get(n).copied().or_else(|| free.next());
        let (Some(client), Some(peer), Some(admin)) = (client, peer, admin) else {
            bail!("no free ports on 127.0.0.1")
        };
        ports.push(Ports { client, peer, admin });
    }
    Ok(ports)
}

/// The ports from a base on; none without one.
fn chosen(servers: u8, flag: &str, base: Option<u16>, is_free: &dyn Fn(u16) -> bool) -> anyhow::Result<Vec<u16>> {
    let Some(base) = base else { return Ok(Vec::new()) };
    let Some(last) = base.checked_add(u16::from(servers) - 1) else {
        bail!("{flag} {base} leaves no room for {servers} ports up to 65535");
    };
    match (base..=last).find(|port| !is_free(*port)) {
        Some(port) => bail!("port {port} of 127.0.0.1 is in use; give another {flag}, or none"),
        None => Ok((base..=last).collect()),
    }
}

/// Whether nobody listens there now.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, Inputs};

    fn plan(servers: u8) -> Plan {
        Plan {
            program: "ringkeeper".into(),
            dir: "/dev/x".into(),
            ports: ports(servers, clients_from(2181), 0, &|_| true).unwrap(),
            restart: true,
            show_logs: false,
            arguments: vec!["--logging-level".into(), "debug".into()],
        }
    }

    fn clients_from(base: u16) -> Bases {
        Bases { client: Some(base), admin: None }
    }

    #[test]
    fn ports_are_free_and_different() {
        let taken = [10_001, 10_002];
        let found = ports(3, Bases::default(), 0, &|port| !taken.contains(&port)).unwrap();
        let all: Vec<u16> = found.iter().flat_map(|ports| [ports.client, ports.peer, ports.admin]).collect();
        assert_eq!(all, [10_000, 10_003, 10_004, 10_005, 10_006, 10_007, 10_008, 10_009, 10_010]);
        assert_eq!(plan(3).connection_string(), "127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183");
        for seed in [1, 21_999, u32::MAX] {
            assert!(
                ports(7, Bases::default(), seed, &|_| true).unwrap().iter().all(|p| (10_000..32_000).contains(&p.peer))
            );
        }
        // A base within the range does not meet the peers' ports.
        let found = ports(3, Bases { client: Some(10_000), admin: Some(10_004) }, 0, &|_| true).unwrap();
        assert_eq!(found.iter().map(|ports| ports.peer).collect::<Vec<_>>(), [10_003, 10_007, 10_008]);
        assert_eq!(found.iter().map(|ports| ports.admin).collect::<Vec<_>>(), [10_004, 10_005, 10_006]);
    }

    #[test]
    fn ports_that_cannot_be_had() {
        let said = |bases, free: bool| ports(3, bases, 0, &|_| free).unwrap_err().to_string();
        assert_eq!(
            said(clients_from(2181), false),
            "port 2181 of 127.0.0.1 is in use; give another --client-port, or none"
        );
        assert_eq!(said(clients_from(65_534), true), "--client-port 65534 leaves no room for 3 ports up to 65535");
        let admin = Bases { client: Some(8078), admin: Some(8080) };
        assert_eq!(
            said(admin, true),
            "port 8080 would be both a client port and an admin port; give bases at least 3 apart"
        );
        assert_eq!(said(Bases::default(), false), "no free ports on 127.0.0.1");
    }

    /// The command line of a server is what the configuration understands.
    #[test]
    fn command_lines_are_accepted() {
        for servers in [1, 3] {
            let plan = plan(servers);
            let line = plan.command_line(servers);
            let matches =
                crate::cli::command().try_get_matches_from(std::iter::once("ringkeeper".into()).chain(line)).unwrap();
            let flags = crate::cli::flags::given(matches.subcommand().unwrap().1);
            let (config, problems) = Config::load(&Inputs { flags, ..Inputs::default() }, 2).unwrap();
            assert_eq!(problems.warnings, []);
            assert_eq!(config.data.dir, Path::new("/dev/x").join(format!("server-{servers}")));
            assert_eq!(config.clients.address.to_string(), format!("127.0.0.1:{}", 2180 + u16::from(servers)));
            assert_eq!(config.logging.filter, "debug");
            assert!(config.admin.listen.is_some(), "{:?}", config.admin);
            let members = config.ensemble.map(|ensemble| (ensemble.id, ensemble.members.len()));
            assert_eq!(members, (servers > 1).then_some((servers, usize::from(servers))));
        }
    }
}
