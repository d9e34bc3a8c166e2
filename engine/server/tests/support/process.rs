//! Server processes of either kind: how they are started, that they end with the test, and what they said.

use super::server::{Target, ringkeeper_binary};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Class path of Debian's ZooKeeper, server and client. Of the log bindings the one that writes to standard error is first.
pub const ZOOKEEPER_CLASS_PATH: &str =
    "/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar:/usr/share/java/*";

/// The command that serves with the configuration file `config`; more flags may be added for Ringkeeper.
pub fn serve(target: Target, config: &Path) -> Command {
    let mut command = match target {
        Target::ZooKeeper => {
            let mut c = Command::new("java");
            // Quick to start, modest in memory; tests need no peak speed.
            c.args(["-Xms64m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
            // Settings without ZooKeeper's own prefix are not taken from its file.
            let text = std::fs::read_to_string(config).unwrap();
            let bare = |line: &&str| line.starts_with("znode.") || line.starts_with("readonlymode.");
            c.args(text.lines().filter(bare).map(|line| format!("-D{line}")));
            c.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
            c.args(["-cp", ZOOKEEPER_CLASS_PATH, "org.apache.zookeeper.server.quorum.QuorumPeerMain"]);
            c
        }
        Target::Ringkeeper => {
            let mut c = Command::new(ringkeeper_binary());
            c.arg("serve");
            c
        }
    };
    command.arg(config);
    command
}

/// Starts it. What it says is appended to the file `output`; it dies with the thread that started it.
pub fn spawn(command: &mut Command, output: &Path) -> Child {
    let file = File::options().create(true).append(true).open(output).unwrap();
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    dies_with_us(command);
    command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// It will die with the thread that starts it.
pub fn dies_with_us(command: &mut Command) {
    // SAFETY: prctl is async-signal-safe and touches only the new process.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

/// The process will run in this network namespace.
pub fn enter(command: &mut Command, namespace: &Arc<OwnedFd>) {
    let namespace = Arc::clone(namespace);
    // SAFETY: setns is async-signal-safe and touches only the new process; the descriptor is kept open by the closure.
    unsafe {
        command.pre_exec(move || match libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

/// Sends a signal to a child that has not been waited for, so that the process id is still its own.
pub fn signal(child: &Child, signal: i32) {
    // SAFETY: see above.
    unsafe { libc::kill(child.id() as libc::pid_t, signal) };
}

/// SIGSTOP, and waits until every thread of the child stands still.
pub fn pause(child: &Child) {
    signal(child, libc::SIGSTOP);
    let mut status = 0;
    // SAFETY: asks about a child that has not been waited for, and does not end its waiting: it is only stopped.
    let stopped = unsafe { libc::waitpid(child.id() as libc::pid_t, &mut status, libc::WUNTRACED) };
    assert!(stopped > 0 && libc::WIFSTOPPED(status), "the process ended instead of being stopped");
}

/// Whether the child has ended. It can still be waited for.
pub fn has_ended(child: &Child) -> bool {
    // SAFETY: a siginfo_t of zeros is valid; waitid fills it in, and with WNOWAIT leaves the child as it is.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_PID, child.id(), &mut info, options) == 0 && info.si_pid() != 0
    }
}

/// The last part of a text, for the report of a failed test.
pub fn tail(text: &str, characters: usize) -> &str {
    &text[text.char_indices().rev().nth(characters).map_or(0, |(at, _)| at)..]
}

/// Lines of configuration as text. Of lines with the same key the last one counts.
pub fn configuration(lines: &[(&str, &str)]) -> String {
    let overridden = |at: usize| lines[at + 1..].iter().any(|line| line.0 == lines[at].0);
    let text = |at: usize| format!("{}={}\n", lines[at].0, lines[at].1);
    (0..lines.len()).filter(|at| !overridden(*at)).map(text).collect()
}

/// The same tests for servers in another arrangement: `RINGKEEPER_SETTINGS="client.cores=2 snapCount=100"`.
pub fn settings_from_environment(target: Target) -> Vec<(String, String)> {
    let text = std::env::var("RINGKEEPER_SETTINGS").unwrap_or_default();
    let pairs = text.split_whitespace().filter_map(|s| s.split_once('='));
    pairs.filter(|_| target == Target::Ringkeeper).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
