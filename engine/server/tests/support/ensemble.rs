//! An ensemble of real processes, each with a directory and addresses of its own: ports on loopback, or a network
//! namespace for each.

use super::client::four_letter_word;
use super::network::Network;
use super::ports::free_port;
use super::process::{self, configuration, settings_from_environment, tail};
use super::server::{COMMON, START, Settings, Target};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which ensemble a test wants.
pub struct Plan<'a> {
    pub target: Target,
    pub voters: usize,
    /// Servers behind the voters that do not vote.
    pub observers: usize,
    /// Added to the common settings of all servers.
    pub settings: Settings<'a>,
    /// Each has an admin server.
    pub admin: bool,
    /// The lines of the servers name their client ports, so that one of them tells where the others are.
    pub client_ports: bool,
    /// No server is given up for being silent, only for being gone: a machine that has too much to do looks like a pause, and a
    /// test that is not about pauses should not see a change of leaders.
    pub steady: bool,
    /// Where the servers run; loopback if nowhere.
    pub network: Option<&'a Network>,
}

/// Clients are held for so long while servers have no leader that an election on a busy machine is over before.
pub const HOLD: Settings<'static> = &[("ensemble.hold.clients.ms", "20000")];

const STEADY: Settings<'static> = &[("ensemble.silence.min.ms", "60000"), ("ensemble.silence.max.ms", "60000")];

impl Default for Plan<'_> {
    fn default() -> Self {
        let target = Target::Ringkeeper;
        Plan {
            target,
            voters: 3,
            observers: 0,
            settings: &[],
            admin: false,
            client_ports: false,
            steady: true,
            network: None,
        }
    }
}

/// Some servers, numbered from 0; their ids are one higher.
pub struct Ensemble {
    target: Target,
    dir: tempfile::TempDir,
    servers: Vec<Server>,
}

struct Server {
    client: SocketAddr,
    peer: SocketAddr,
    admin: SocketAddr,
    namespace: Option<Arc<OwnedFd>>,
    child: Option<Child>,
}

impl Server {
    fn on_loopback() -> Server {
        let free = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        Server { client: free(), peer: free(), admin: free(), namespace: None, child: None }
    }

    fn on(network: &Network, at: usize) -> Server {
        let (client, peer) = network.addresses(at);
        // On the loopback of its own namespace, where nobody else is.
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        Server { client, peer, admin, namespace: Some(network.namespace(at)), child: None }
    }
}

impl Ensemble {
    /// Starts `voters` servers that find each other silent as users' do, and waits until all serve.
    pub fn start(voters: usize) -> Ensemble {
        Ensemble::of(&Plan { voters, steady: false, settings: HOLD, ..Plan::default() })
    }

    /// Starts the servers of a plan and waits until all serve.
    pub fn of(plan: &Plan<'_>) -> Ensemble {
        let count = plan.voters + plan.observers;
        let servers = (0..count).map(|at| plan.network.map_or_else(Server::on_loopback, |net| Server::on(net, at)));
        let servers = servers.collect();
        let mut ensemble = Ensemble { target: plan.target, dir: tempfile::tempdir().unwrap(), servers };
        let lines: String =
            (0..count).map(|at| ensemble.server_line(at, at >= plan.voters, plan.client_ports)).collect();
        for at in 0..count {
            ensemble.make_data_dir(at);
            let admin = if plan.admin { ensemble.admin_lines(at) } else { Vec::new() };
            let steady = if plan.steady && plan.target == Target::Ringkeeper { STEADY } else { &[] };
            let own = ensemble.own_configuration(at, &[plan.settings, steady].concat(), &admin);
            std::fs::write(ensemble.config_path(at), own + &lines).unwrap();
        }
        (0..count).for_each(|at| ensemble.launch(at));
        (0..count).for_each(|at| ensemble.wait_until_serving(at));
        ensemble
    }

    fn server_line(&self, at: usize, observer: bool, client_port: bool) -> String {
        let (id, peer, role) = (at + 1, self.servers[at].peer, if observer { ":observer" } else { "" });
        // Only ZooKeeper listens on the second port.
        let election = if self.target == Target::ZooKeeper { free_port() } else { 3888 };
        let client = if client_port { format!(";{}", self.servers[at].client) } else { String::new() };
        format!("server.{id}={}:{}:{election}{role}{client}\n", peer.ip(), peer.port())
    }

    fn own_configuration(&self, at: usize, settings: Settings<'_>, more: &[(String, String)]) -> String {
        let (data, client) = (self.data_dir(at), self.servers[at].client);
        let (data, address, port) = (data.to_str().unwrap(), client.ip().to_string(), client.port().to_string());
        let mut lines: Vec<(&str, &str)> = vec![("dataDir", data), ("tickTime", "2000")];
        lines.extend([("initLimit", "10"), ("syncLimit", "5")]);
        lines.extend(COMMON);
        lines.extend([("clientPort", port.as_str()), ("clientPortAddress", address.as_str())]);
        lines.extend(settings);
        let environment = settings_from_environment(self.target);
        lines.extend(more.iter().chain(&environment).map(|(key, value)| (key.as_str(), value.as_str())));
        configuration(&lines)
    }

    fn admin_lines(&self, at: usize) -> Vec<(String, String)> {
        let admin = self.servers[at].admin;
        let lines = [
            ("admin.enableServer", "true".to_owned()),
            ("admin.serverAddress", admin.ip().to_string()),
            ("admin.serverPort", admin.port().to_string()),
        ];
        lines.map(|(key, value)| (key.to_owned(), value)).into()
    }

    /// Where the admin server of a server is, if the plan has one.
    pub fn admin_addr(&self, at: usize) -> SocketAddr {
        self.servers[at].admin
    }

    fn make_data_dir(&self, at: usize) {
        std::fs::create_dir(self.data_dir(at)).unwrap();
        std::fs::write(self.data_dir(at).join("myid"), format!("{}\n", at + 1)).unwrap();
    }

    fn config_path(&self, at: usize) -> PathBuf {
        self.dir.path().join(format!("{at}.cfg"))
    }

    pub fn data_dir(&self, at: usize) -> PathBuf {
        self.dir.path().join(format!("{at}"))
    }

    fn output_path(&self, at: usize) -> PathBuf {
        self.dir.path().join(format!("{at}.log"))
    }

    /// Starts one server; it need not serve yet when this returns.
    pub fn launch(&mut self, at: usize) {
        assert!(self.servers[at].child.is_none(), "already running");
        let mut command = process::serve(self.target, &self.config_path(at));
        command.current_dir(self.dir.path());
        if let Some(namespace) = &self.servers[at].namespace {
            process::enter(&mut command, namespace);
        }
        self.servers[at].child = Some(process::spawn(&mut command, &self.output_path(at)));
    }

    pub fn target(&self) -> Target {
        self.target
    }

    pub fn addr(&self, at: usize) -> SocketAddr {
        self.servers[at].client
    }

    /// Client addresses of all servers.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.client).collect()
    }

    /// Client addresses of all servers but one.
    pub fn addrs_without(&self, one: usize) -> Vec<SocketAddr> {
        (0..self.servers.len()).filter(|at| *at != one).map(|at| self.addr(at)).collect()
    }

    /// What a server that answers says to a word, however late.
    pub fn told(&self, at: usize, word: &str) -> String {
        let told = std::cell::RefCell::default();
        self.wait_until(&format!("server {at} answers {word}"), |ensemble| {
            let answer = four_letter_word(ensemble.addr(at), word, Duration::from_secs(20));
            told.replace(answer.unwrap_or_default());
            !told.borrow().is_empty()
        });
        told.into_inner()
    }

    /// What a server says to a word at once; empty if nothing.
    pub fn word(&self, at: usize, word: &str) -> String {
        four_letter_word(self.addr(at), word, Duration::from_secs(1)).unwrap_or_default()
    }

    /// The part that a server says it has; `None` if it has no leader or does not answer.
    pub fn mode(&self, at: usize) -> Option<String> {
        let text = self.word(at, "srvr");
        text.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Waits until a condition holds.
    ///
    /// # Panics
    /// If it does not hold in a long time, or a server has ended of itself.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Ensemble) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            for (at, server) in self.servers.iter().enumerate() {
                let ended = server.child.as_ref().is_some_and(process::has_ended);
                assert!(!ended, "server {at} has ended while waited: {what}");
            }
            assert!(started.elapsed() < START, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a server has a leader.
    pub fn wait_until_serving(&self, at: usize) {
        self.wait_until(&format!("server {at} serves"), |ensemble| ensemble.mode(at).is_some());
    }

    /// Waits until a server knows that it has no leader.
    pub fn wait_until_without_leader(&self, at: usize) {
        let says = |ensemble: &Ensemble| ensemble.word(at, "srvr").contains("not currently serving");
        self.wait_until(&format!("server {at} has no leader"), says);
    }

    /// Waits for a leader; which it is.
    pub fn leader(&self) -> usize {
        self.leader_among(&(0..self.servers.len()).collect::<Vec<_>>())
    }

    /// Waits until one of these servers leads; which it is.
    pub fn leader_among(&self, some: &[usize]) -> usize {
        let leads = |ensemble: &Ensemble, at: usize| {
            ensemble.servers[at].child.is_some() && ensemble.mode(at).as_deref() == Some("leader")
        };
        let found = std::cell::Cell::new(None);
        self.wait_until(&format!("one of {some:?} leads"), |ensemble| {
            found.set(some.iter().copied().find(|at| leads(ensemble, *at)));
            found.get().is_some()
        });
        found.get().expect("waited for")
    }

    /// Waits until all servers that were not stopped have applied the same, and it is the same.
    pub fn wait_until_equal(&self) {
        let running: Vec<usize> = (0..self.servers.len()).filter(|at| self.servers[*at].child.is_some()).collect();
        self.wait_until("all servers have the same state", |ensemble| {
            let states: Vec<String> = running.iter().map(|at| ensemble.word(*at, "hash")).collect();
            !states[0].is_empty() && states.iter().all(|state| *state == states[0])
        });
    }

    fn child(&self, at: usize) -> &Child {
        self.servers[at].child.as_ref().expect("running")
    }

    /// SIGSTOP; the server stands still when this returns.
    pub fn pause(&self, at: usize) {
        process::pause(self.child(at));
    }

    /// SIGCONT.
    pub fn resume(&self, at: usize) {
        process::signal(self.child(at), libc::SIGCONT);
    }

    /// Adds lines to a server's configuration and has it read that again.
    pub fn reconfigure(&self, at: usize, lines: Settings<'_>) {
        self.configure(at, lines);
        process::signal(self.child(at), libc::SIGHUP);
    }

    /// Adds lines to a server's configuration, for its next start.
    pub fn configure(&self, at: usize, lines: Settings<'_>) {
        let path = self.config_path(at);
        let text = std::fs::read_to_string(&path).unwrap() + &configuration(lines);
        std::fs::write(path, text).unwrap();
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.servers[at].child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and waits for the process to end.
    pub fn stop(&mut self, at: usize) {
        process::signal(self.child(at), libc::SIGTERM);
        let status = self.servers[at].child.take().expect("running").wait().unwrap();
        assert!(status.success() || self.target == Target::ZooKeeper, "server {at} ended with {status}");
    }

    /// Starts a server again and waits until it serves.
    pub fn restart(&mut self, at: usize) {
        self.launch(at);
        self.wait_until_serving(at);
    }

    /// Takes a stopped server's disk away.
    pub fn wipe(&self, at: usize) {
        assert!(self.servers[at].child.is_none(), "not while it runs");
        std::fs::remove_dir_all(self.data_dir(at)).unwrap();
        self.make_data_dir(at);
    }

    /// What a server has said so far.
    pub fn output(&self, at: usize) -> String {
        std::fs::read_to_string(self.output_path(at)).unwrap_or_default()
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for at in 0..self.servers.len() {
            self.kill(at);
            if std::thread::panicking() {
                eprintln!("--- end of the output of server {at} ---\n{}", tail(&self.output(at), 2500));
            }
        }
    }
}
