//! A Ringkeeper ensemble of real processes on loopback, each with a directory and ports of its own.

use super::client::four_letter_word;
use super::server::{free_port, ringkeeper_binary};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is not reached in this time never will be. Generous: the machine may be loaded.
const PATIENCE: Duration = Duration::from_secs(60);

/// Some servers, numbered from 0; their ids are one higher.
pub struct Ensemble {
    dir: tempfile::TempDir,
    client_ports: Vec<u16>,
    children: Vec<Option<Child>>,
}

impl Ensemble {
    /// Starts `count` servers and waits until all serve.
    pub fn start(count: usize) -> Ensemble {
        let dir = tempfile::tempdir().unwrap();
        let client_ports: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let lines: String =
            (1..=count).map(|id| format!("server.{id}=127.0.0.1:{}:{}\n", free_port(), free_port())).collect();
        for (at, port) in client_ports.iter().enumerate() {
            let data = dir.path().join(format!("{at}"));
            std::fs::create_dir(&data).unwrap();
            let own = format!(
                "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\ntickTime=2000\nmaxClientCnxns=0\n\
                 4lw.commands.whitelist=*\n",
                data.display()
            );
            std::fs::write(dir.path().join(format!("{at}.cfg")), own + &lines).unwrap();
        }
        let mut ensemble = Ensemble { dir, client_ports, children: (0..count).map(|_| None).collect() };
        for at in 0..count {
            ensemble.launch(at);
        }
        for at in 0..count {
            ensemble.wait_until_serving(at);
        }
        ensemble
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

    pub fn addr(&self, at: usize) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.client_ports[at]))
    }

    /// What a server says to a word; empty if nothing.
    pub fn word(&self, at: usize, word: &str) -> String {
        four_letter_word(self.addr(at), word, Duration::from_secs(1)).unwrap_or_default()
    }

    fn mode(&self, at: usize) -> Option<String> {
        let text = self.word(at, "srvr");
        text.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Waits until a condition holds.
    ///
    /// # Panics
    /// If it does not hold in a long time.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Ensemble) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a server has a leader.
    pub fn wait_until_serving(&self, at: usize) {
        self.wait_until(&format!("server {at} serves"), |ensemble| ensemble.mode(at).is_some());
    }

    /// Waits for a leader; which it is.
    pub fn leader(&self) -> usize {
        let leads = |ensemble: &Ensemble| {
            (0..ensemble.children.len())
                .find(|at| ensemble.children[*at].is_some() && ensemble.mode(*at).as_deref() == Some("leader"))
        };
        self.wait_until("there is a leader", |ensemble| leads(ensemble).is_some());
        leads(self).unwrap_or(0)
    }

    /// Waits until all servers have applied the same, and it is the same.
    pub fn wait_until_equal(&self) {
        let states = |ensemble: &Ensemble| -> Vec<String> {
            (0..ensemble.children.len()).map(|at| ensemble.word(at, "hash")).collect()
        };
        self.wait_until("all servers have the same state", |ensemble| {
            let states = states(ensemble);
            !states[0].is_empty() && states.iter().all(|state| *state == states[0])
        });
    }

    pub fn pid(&self, at: usize) -> u32 {
        self.children[at].as_ref().expect("running").id()
    }

    pub fn signal(&self, at: usize, signal: i32) {
        // SAFETY: sends a signal to a child that has not been waited for, so the pid is still its own.
        unsafe { libc::kill(self.pid(at) as libc::pid_t, signal) };
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.children[at].take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and waits for the process to end.
    pub fn stop(&mut self, at: usize) {
        self.signal(at, libc::SIGTERM);
        let status = self.children[at].take().expect("running").wait().unwrap();
        assert!(status.success(), "server {at} ended with {status}");
    }

    /// Takes a stopped server's disk away.
    pub fn wipe(&self, at: usize) {
        assert!(self.children[at].is_none(), "not while it runs");
        let data = self.dir.path().join(format!("{at}"));
        std::fs::remove_dir_all(&data).unwrap();
        std::fs::create_dir(&data).unwrap();
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for at in 0..self.children.len() {
            self.kill(at);
            if std::thread::panicking() {
                let text = std::fs::read_to_string(self.output_path(at)).unwrap_or_default();
                let tail = text.char_indices().rev().nth(2500).map_or(0, |(i, _)| i);
                eprintln!("--- end of the output of server {at} ---\n{}", &text[tail..]);
            }
        }
    }
}
