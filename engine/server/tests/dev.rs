//! `ringkeeper dev`: servers come up, come back, and are all gone at the end.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use support::client::Client;

/// A running `ringkeeper dev`; killed when dropped, and then its servers are told to stop by the kernel.
struct Dev {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Dev {
    fn start(dir: &Path, arguments: &[&str]) -> Dev {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringkeeper"));
        command.arg("dev").args(arguments).current_dir(dir).env("TMPDIR", dir);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // SAFETY: asks that the kernel ends the program with the test; nothing else happens between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Dev { child, said }
    }

    /// The next line that contains `text`.
    fn wait_for(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert!(self.said.read_line(&mut seen).unwrap() > 0, "ended without saying {text:?}:\n{seen}");
            if seen[start..].contains(text) {
                return seen[start..].trim_end().to_owned();
            }
        }
    }

    /// Waits until a server serves: its process id and its address.
    fn serving(&mut self, text: &str) -> (i32, SocketAddr) {
        let line = self.wait_for(text);
        let after = |mark: &str| line.split_once(mark).unwrap().1.split([')', ' ']).next().unwrap().to_owned();
        (after("(pid ").parse().unwrap(), after(" on ").trim_end_matches(':').parse().unwrap())
    }

    fn stop(&mut self) -> ExitStatus {
        kill(i32::try_from(self.child.id()).unwrap(), libc::SIGTERM);
        self.child.wait().unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(pid: i32, signal: i32) -> bool {
    // SAFETY: sends a signal, or with 0 only asks whether the process is there.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// A directory on a real disk, where direct I/O works.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn entries(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[test]
fn one_server_serves_comes_back_and_is_stopped() {
    let dir = scratch();
    let mut dev = Dev::start(dir.path(), &["--servers", "1"]);
    let (first, addr) = dev.serving("server 1 ");
    dev.wait_for(&format!("Connect to {addr}"));
    let mut client = Client::connect(addr);
    client.create("/a", b"one", 0).unwrap();

    assert!(kill(first, libc::SIGKILL));
    dev.wait_for(&format!("server 1 (pid {first}) was killed by signal 9; starting it again"));
    let (second, again) = dev.serving(" serves again on ");
    assert!(second != first && again == addr);
    assert_eq!(Client::connect(addr).get("/a", false).unwrap().0.as_deref(), Some(&b"one"[..]));

    assert_eq!(dev.stop().code(), Some(0));
    assert!(!kill(second, 0), "the server is still there");
    assert_eq!(entries(dir.path()), 0, "the temporary directory is still there");
}

#[test]
fn a_given_directory_stays_and_a_server_that_died_too_if_so_asked() {
    let dir = scratch();
    let data = dir.path().join("data");
    let mut dev = Dev::start(dir.path(), &["--servers", "1", "--no-restart", "--dir", data.to_str().unwrap()]);
    let (pid, _) = dev.serving("server 1 ");
    assert!(kill(pid, libc::SIGKILL));
    assert_eq!(dev.wait_for("was killed"), format!("server 1 (pid {pid}) was killed by signal 9"));
    assert_eq!(dev.child.wait().unwrap().code(), Some(1), "no server is left");
    assert!(data.join("server-1").is_dir() && data.join("server-1.log").is_file());
}

#[test]
fn a_server_that_cannot_start_is_said_with_its_reason() {
    let dir = scratch();
    let mut dev = Dev::start(dir.path(), &["--servers", "1", "--", "--set", "tickTime=soon"]);
    dev.wait_for("ended with exit status 78");
    dev.wait_for("tickTime=soon is not a whole number");
    assert_eq!(dev.child.wait().unwrap().code(), Some(1));
    assert_eq!(entries(dir.path()), 0);
}

#[test]
fn three_servers_are_one_ensemble() {
    let dir = scratch();
    let mut dev = Dev::start(dir.path(), &[]);
    let servers: Vec<(i32, SocketAddr)> = (0..3).map(|_| dev.serving(" serves on ")).collect();
    dev.wait_for("Connect to ");
    Client::connect(servers[0].1).create("/a", b"one", 0).unwrap();
    let mut other = Client::connect(servers[1].1);
    other.sync("/a").unwrap();
    assert_eq!(other.get("/a", false).unwrap().0.as_deref(), Some(&b"one"[..]));

    assert!(kill(servers[2].0, libc::SIGKILL));
    dev.wait_for("was killed by signal 9; starting it again");
    let (third, addr) = dev.serving(" serves again on ");
    assert_eq!(addr, servers[2].1);
    let mut back = Client::connect(addr);
    back.sync("/a").unwrap();
    assert_eq!(back.get("/a", false).unwrap().0.as_deref(), Some(&b"one"[..]));

    assert_eq!(dev.stop().code(), Some(0));
    assert!(![servers[0].0, servers[1].0, third].iter().any(|pid| kill(*pid, 0)), "a server is still there");
}
