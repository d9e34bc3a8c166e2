//! Three real Ringkeeper servers on loopback.

use super::{await_that, free_port, skipped};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const SERVERS: usize = 3;

/// The servers. Processes may be started again by others: they are known by the configuration that they were started with.
pub struct Ensemble {
    dir: tempfile::TempDir,
    ports: Vec<u16>,
}

impl Ensemble {
    /// Starts them and waits until all serve; `None`, with the reason printed, if Ringkeeper was not built.
    pub fn start() -> Option<Ensemble> {
        // A build of the workspace puts all programs into one directory.
        let program = Path::new(env!("CARGO_BIN_EXE_loadgen")).with_file_name("ringkeeper");
        if !program.exists() {
            skipped(&format!("{} is not built (cargo build -p ringkeeper)", program.display()));
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let ensemble = Ensemble { dir, ports: (0..SERVERS).map(|_| free_port()).collect() };
        let peers: String =
            (1..=SERVERS).map(|id| format!("server.{id}=127.0.0.1:{}:{}\n", free_port(), free_port())).collect();
        for (at, port) in ensemble.ports.iter().enumerate() {
            let data = ensemble.dir.path().join(format!("{at}"));
            fs::create_dir(&data).unwrap();
            fs::write(data.join("myid"), format!("{}\n", at + 1)).unwrap();
            let own = format!("dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n", data.display());
            // A machine that has too much to do looks like a pause: silent servers are borne for long, dead ones not at all.
            let settings = "tickTime=500\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n\
                ensemble.silence.min.ms=5000\nensemble.silence.max.ms=5000\nensemble.hold.clients.ms=20000\n";
            fs::write(ensemble.config(at), own + settings + &peers).unwrap();
            ensemble.launch(&program, at);
        }
        await_that("an ensemble", || (0..SERVERS).all(|at| ensemble.word(at, "srvr").contains("Mode: ")));
        Some(ensemble)
    }

    /// Kills all of them.
    pub fn kill(&self) {
        for (pid, _) in self.processes() {
            // SAFETY: kill takes no pointers; the process was started with a configuration that only this test has.
            unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
        }
    }

    fn launch(&self, program: &Path, at: usize) {
        let log = File::create(self.dir.path().join(format!("{at}.log"))).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(self.config(at)).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        // It is waited for, so that it does not stay as a zombie when it is killed.
        std::thread::spawn(move || child.wait());
    }

    fn config(&self, at: usize) -> PathBuf {
        self.dir.path().join(format!("{at}.cfg"))
    }

    /// A directory that goes with the servers.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// All servers, as loadgen takes them.
    pub fn addresses(&self) -> String {
        self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
    }

    /// One of them.
    pub fn address(&self, at: usize) -> (&'static str, u16) {
        ("127.0.0.1", self.ports[at])
    }

    /// Process ids, and what each is doing: R, S, T, ... as the kernel calls it.
    pub fn processes(&self) -> Vec<(u32, char)> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let ours = |at| contains(&command, self.config(at).as_os_str().as_encoded_bytes());
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            if let (true, Some(state)) = ((0..SERVERS).any(ours), state) {
                found.push((pid, state));
            }
        }
        found
    }

    /// The answer to a four-letter word; empty if there is none.
    pub fn word(&self, at: usize, word: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(self.address(at)) {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let _ = stream.write_all(word.as_bytes());
            let _ = stream.read_to_string(&mut answer);
        }
        answer
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            for at in 0..SERVERS {
                let log = fs::read_to_string(self.dir.path().join(format!("{at}.log"))).unwrap_or_default();
                eprintln!("--- server {at} ---\n{log}");
            }
        }
    }
}
