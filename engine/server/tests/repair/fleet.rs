//! Real servers of an ensemble whose settings, files and output a test can look into.

use crate::support::client::four_letter_word;
use crate::support::ports::free_port;
use crate::support::server::ringkeeper_binary;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is not reached in this time never will be. Generous: the machine may be loaded.
const PATIENCE: Duration = Duration::from_secs(60);

/// Servers are given up for being gone, not for being silent, and clients are held until there is another leader: a machine
/// that has too much to do looks like a pause.
const STEADY: &str = "ensemble.silence.min.ms=60000\nensemble.silence.max.ms=60000\nensemble.hold.clients.ms=20000";

/// Three servers, numbered from 0; their ids are one higher.
pub struct Fleet {
    dir: tempfile::TempDir,
    client_ports: Vec<u16>,
    children: Vec<Option<Child>>,
}

impl Fleet {
    /// Starts three servers with these settings beside the common ones, and waits until all serve.
    pub fn start(settings: &str) -> Fleet {
        let mut fleet = Fleet::prepare(3);
        let lines: String =
            (1..=3).map(|id| format!("server.{id}=127.0.0.1:{}:{}\n", free_port(), free_port())).collect();
        for at in 0..3 {
            fleet.configure(at, &format!("{STEADY}\n{settings}\n{lines}"));
            fleet.launch(at);
        }
        (0..3).for_each(|at| fleet.wait_until_serving(at));
        fleet
    }

    /// Directories and ports of servers that are not configured yet.
    pub fn prepare(count: usize) -> Fleet {
        let dir = tempfile::tempdir().unwrap();
        for at in 0..count {
            std::fs::create_dir(dir.path().join(format!("{at}"))).unwrap();
        }
        let client_ports = (0..count).map(|_| free_port()).collect();
        Fleet { dir, client_ports, children: (0..count).map(|_| None).collect() }
    }

    /// Writes a server's configuration.
    pub fn configure(&self, at: usize, settings: &str) {
        let (data, port) = (self.data(at), self.client_ports[at]);
        let text = format!(
            "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\ntickTime=2000\nmaxClientCnxns=0\n\
             4lw.commands.whitelist=*\n{settings}\n",
            data.display()
        );
        std::fs::write(self.dir.path().join(format!("{at}.cfg")), text).unwrap();
    }

    /// Starts one server; it need not serve yet when this returns.
    pub fn launch(&mut self, at: usize) {
        assert!(self.children[at].is_none(), "already running");
        let output = File::options().create(true).append(true).open(self.output_path(at)).unwrap();
        let mut command = Command::new(ringkeeper_binary());
        command.arg("serve").arg(self.dir.path().join(format!("{at}.cfg")));
        command.args(["--id", &format!("{}", at + 1), "--logging-level", "info"]);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        // SAFETY: prctl is async-signal-safe and touches only the new process: it dies with the test that started it.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        self.children[at] = Some(command.spawn().unwrap());
    }

    fn output_path(&self, at: usize) -> PathBuf {
        self.dir.path().join(format!("{at}.log"))
    }

    /// A server's directory.
    pub fn data(&self, at: usize) -> PathBuf {
        self.dir.path().join(format!("{at}"))
    }

    /// What a server has said so far, of all its lives, without colours.
    pub fn output(&self, at: usize) -> String {
        let text = std::fs::read_to_string(self.output_path(at)).unwrap_or_default();
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some((before, escape)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = escape.split_once('m').map_or("", |(_, after)| after);
        }
        plain + rest
    }

    /// Whether a line of a server's output has all of these in it.
    pub fn has_said(&self, at: usize, parts: &[&str]) -> bool {
        self.output(at).lines().any(|line| parts.iter().all(|part| line.contains(part)))
    }

    pub fn addr(&self, at: usize) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.client_ports[at]))
    }

    /// What a server says to a word; empty if nothing.
    pub fn word(&self, at: usize, word: &str) -> String {
        four_letter_word(self.addr(at), word, Duration::from_secs(1)).unwrap_or_default()
    }

    /// The value of a line of mntr.
    pub fn metric(&self, at: usize, name: &str) -> Option<u64> {
        let text = four_letter_word(self.addr(at), "mntr", PATIENCE).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    pub fn mode(&self, at: usize) -> Option<String> {
        let text = self.word(at, "srvr");
        text.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Waits until a condition holds.
    ///
    /// # Panics
    /// If it does not hold in a long time.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Fleet) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a server has a leader.
    pub fn wait_until_serving(&self, at: usize) {
        self.wait_until(&format!("server {at} serves"), |fleet| fleet.mode(at).is_some());
    }

    /// Waits for a leader; which it is.
    pub fn leader(&self) -> usize {
        let leads = |fleet: &Fleet| {
            (0..fleet.children.len())
                .find(|at| fleet.children[*at].is_some() && fleet.mode(*at).as_deref() == Some("leader"))
        };
        let found = std::cell::Cell::new(None);
        self.wait_until("there is a leader", |fleet| {
            found.set(leads(fleet));
            found.get().is_some()
        });
        found.get().expect("waited for")
    }

    /// Waits until all servers have applied the same, and it is the same.
    pub fn wait_until_equal(&self) {
        self.wait_until("all servers have the same state", |fleet| {
            let states: Vec<String> = (0..fleet.children.len()).map(|at| fleet.word(at, "hash")).collect();
            !states[0].is_empty() && states.iter().all(|state| *state == states[0])
        });
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.children[at].take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits for a process to end of itself; whether that was a success.
    pub fn wait_for_end(&mut self, at: usize) -> bool {
        self.children[at].take().expect("running").wait().unwrap().success()
    }

    /// SIGTERM, and waits for the process to end.
    pub fn stop(&mut self, at: usize) {
        let mut child = self.children[at].take().expect("running");
        // SAFETY: sends a signal to a child that has not been waited for, so the pid is still its own.
        unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) };
        let status = child.wait().unwrap();
        assert!(status.success(), "server {at} ended with {status}");
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for at in 0..self.children.len() {
            self.kill(at);
            if std::thread::panicking() {
                let text = self.output(at);
                let tail = text.char_indices().rev().nth(3000).map_or(0, |(i, _)| i);
                eprintln!("--- end of the output of server {at} ---\n{}", &text[tail..]);
            }
        }
    }
}
