//! `ringkeeper cli` and `ringkeeper top` as processes: from scripts, at a terminal, and beside zkCli.sh.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod beside_zkcli;
mod one_shot;
mod terminal;
mod top;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use support::server::{Server, Target, ringkeeper_binary};

/// What a run of the program has said, and its exit status.
struct Said {
    out: String,
    err: String,
    status: i32,
}

/// Runs the program; `input` is its standard input.
fn ringkeeper(arguments: &[&str], input: &str) -> Said {
    use std::io::Write;
    let mut command = Command::new(ringkeeper_binary());
    command.args(arguments).env("TZ", "UTC").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Said {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().expect("the program ended by itself"),
    }
}

/// Runs one command of the shell.
fn cli(server: SocketAddr, words: &[&str]) -> Said {
    let server = server.to_string();
    ringkeeper(&[&["cli", "-s", &server], words].concat(), "")
}

/// One server of each kind; ZooKeeper's only where it is installed.
fn servers(test: &str) -> Vec<Server> {
    let kinds = [Target::Ringkeeper, Target::ZooKeeper];
    let there = kinds.into_iter().filter(|target| match target.missing() {
        None => true,
        Some(reason) => {
            support::skipped(test, &reason);
            false
        }
    });
    there.map(Server::start).collect()
}
