//! Servers under test: Debian's ZooKeeper and Ringkeeper, each in a directory of its own on a free loopback port, gone
//! with the value that stands for them.

use super::client::four_letter_word;
use super::ports::free_port;
use super::process::{configuration, serve, settings_from_environment, signal, spawn, tail};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Which server a test talks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    ZooKeeper,
    Ringkeeper,
}

impl Target {
    /// From `RINGKEEPER_TARGET`; Ringkeeper if it is not set.
    pub fn from_env() -> Target {
        match std::env::var("RINGKEEPER_TARGET").as_deref() {
            Err(_) | Ok("ringkeeper") => Target::Ringkeeper,
            Ok("zookeeper") => Target::ZooKeeper,
            Ok(other) => panic!("RINGKEEPER_TARGET={other}: zookeeper or ringkeeper"),
        }
    }

    /// Why this server cannot be started here; `None` if it can.
    pub fn missing(self) -> Option<String> {
        match self {
            Target::ZooKeeper => {
                let jar = Path::new(ZOOKEEPER_JAR);
                let java = Command::new("java").arg("-version").stderr(Stdio::null()).status();
                if !jar.exists() {
                    Some(format!("{ZOOKEEPER_JAR} is not there: install Debian's libzookeeper-java"))
                } else if !java.is_ok_and(|s| s.success()) {
                    Some("no java: install default-jre-headless".into())
                } else {
                    None
                }
            }
            Target::Ringkeeper => None,
        }
    }
}

const ZOOKEEPER_JAR: &str = "/usr/share/java/zookeeper.jar";

/// A starting server that takes longer than this is broken. Generous: a loaded two-core machine runs a JVM here.
pub(super) const START: Duration = Duration::from_secs(120);

/// A running server with its own data directory.
pub struct Server {
    target: Target,
    dir: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

/// Lines of `zoo.cfg` that a test adds to the common ones.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

/// What all servers under test have in common.
pub(super) const COMMON: [(&str, &str); 6] = [
    ("clientPortAddress", "127.0.0.1"),
    ("maxClientCnxns", "0"),
    ("4lw.commands.whitelist", "*"),
    ("extendedTypesEnabled", "true"),
    ("admin.enableServer", "false"),
    ("znode.container.checkIntervalMs", "3600000"),
];

impl Server {
    /// Starts a fresh server with the common settings.
    pub fn start(target: Target) -> Server {
        Server::start_with(target, &[])
    }

    /// Starts a fresh server; `settings` override the common ones.
    ///
    /// # Panics
    /// If it does not come up; its output is shown.
    pub fn start_with(target: Target, settings: Settings<'_>) -> Server {
        // The port is free now and could be taken before the server binds it: then another one is tried.
        for _ in 0..5 {
            let mut server = Server { target, dir: tempfile::tempdir().unwrap(), port: free_port(), child: None };
            server.write_config(settings);
            if server.launch().is_ok() {
                return server;
            }
            if !server.output().to_lowercase().contains("address already in use") {
                panic!("{target:?} did not start:\n{}", server.output());
            }
        }
        panic!("no free port in five attempts");
    }

    /// A server that is not started yet: its [directory](Server::data_dir) can be filled before [`Server::restart`].
    pub fn prepare(target: Target, settings: Settings<'_>) -> Server {
        let server = Server { target, dir: tempfile::tempdir().unwrap(), port: free_port(), child: None };
        server.write_config(settings);
        server
    }

    fn write_config(&self, settings: Settings<'_>) {
        let data = self.dir.path().join("data");
        let (data, port) = (data.to_str().unwrap().to_owned(), self.port.to_string());
        let mut lines: Vec<(&str, &str)> = vec![("dataDir", &data), ("clientPort", &port), ("tickTime", "10000")];
        lines.extend(COMMON);
        lines.extend(settings);
        let more = settings_from_environment(self.target);
        lines.extend(more.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        std::fs::write(self.config_path(), configuration(&lines)).unwrap();
    }

    fn config_path(&self) -> PathBuf {
        self.dir.path().join("zoo.cfg")
    }

    /// Everything that the server has written so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("output")).unwrap_or_default()
    }

    fn launch(&mut self) -> Result<(), ()> {
        assert!(self.child.is_none(), "already running");
        let mut command = serve(self.target, &self.config_path());
        let mut child = spawn(command.current_dir(self.dir.path()), &self.dir.path().join("output"));
        let started = Instant::now();
        loop {
            // ZooKeeper never answers a word that comes too early.
            if four_letter_word(self.addr(), "srvr", Duration::from_secs(1)).is_ok_and(|text| text.contains("Mode: ")) {
                self.child = Some(child);
                return Ok(());
            }
            if child.try_wait().unwrap().is_some() || started.elapsed() > START {
                let _ = child.kill();
                let _ = child.wait();
                return Err(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn target(&self) -> Target {
        self.target
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and waits for the process to end.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("running");
        signal(&child, libc::SIGTERM);
        child.wait().unwrap()
    }

    /// Starts the server again on the same data, after [`Server::kill`] or [`Server::stop`].
    ///
    /// # Panics
    /// If it does not come up; its output is shown.
    pub fn restart(&mut self) {
        if self.launch().is_err() {
            panic!("{:?} did not start again:\n{}", self.target, self.output());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let text = self.output();
            eprintln!("--- end of the output of {:?} on port {} ---\n{}", self.target, self.port, tail(&text, 4000));
        }
    }
}

/// The binary under test: built by cargo for this test, or the one that `RINGKEEPER_BIN` names.
pub fn ringkeeper_binary() -> PathBuf {
    std::env::var_os("RINGKEEPER_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_ringkeeper")), PathBuf::from)
}
