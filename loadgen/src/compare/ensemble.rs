//! The servers of a variant while they run.

use super::launch::{Plan, spawn};
use super::variant::{System, Variant};
use crate::engine::{Failure, Stop};
use crate::faults::{Role, is_gone, listening_on, role, signal};
use crate::target;
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long servers get to start.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long they get to end before they are killed, and to serve (again) before a load.
const FAREWELL: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);
/// What is shown of the log of a server that failed.
const LAST_LINES: usize = 12;

/// Servers that run, in a directory that goes with them. They end when this is dropped.
#[derive(Debug)]
pub struct Ensemble {
    name: String,
    dir: PathBuf,
    addresses: Vec<String>,
    servers: Vec<SocketAddr>,
    children: Vec<Child>,
    logs: Vec<PathBuf>,
    /// Of a variant that is a command.
    stop: Option<String>,
    pids: Option<String>,
}

impl Ensemble {
    /// Starts them and waits until they serve.
    ///
    /// # Errors
    /// Why they do not, with the last lines of their logs; an interrupt.
    pub fn start(variant: &Variant, plan: &Plan, stop: &Stop) -> Result<Ensemble> {
        let addresses = plan.addresses.clone();
        let servers = target::resolve(&addresses)?;
        let (mut end, mut pids) = (None, None);
        if let System::Command { stop, pids: print, .. } = &variant.system {
            (end, pids) = (
                stop.as_ref().map(|command| plan.fill_in(command)),
                print.as_ref().map(|command| plan.fill_in(command)),
            );
        }
        let mut ensemble = Ensemble {
            name: variant.name.clone(),
            dir: plan.dir.clone(),
            addresses,
            servers,
            children: Vec::new(),
            logs: plan.logs.clone(),
            stop: end,
            pids,
        };
        for at in 0..plan.commands.len() {
            ensemble.children.push(spawn(plan, at).with_context(|| format!("cannot start {}", variant.name))?);
        }
        ensemble.await_all(stop)?;
        Ok(ensemble)
    }

    fn await_all(&mut self, stop: &Stop) -> Result<()> {
        let began = Instant::now();
        loop {
            let roles: Vec<Role> = self.servers.iter().map(|server| role(*server)).collect();
            if roles.iter().all(|role| role.serves() || *role == Role::Forbidden) {
                return Ok(());
            }
            if stop.is_set() {
                return Err(Failure::Interrupted.into());
            }
            if self.some_ended() {
                bail!("{} did not start: a server ended\n{}", self.name, self.last_words());
            }
            if began.elapsed() > PATIENCE {
                let said: Vec<String> =
                    self.servers.iter().zip(&roles).map(|(server, role)| format!("{server} {role}")).collect();
                bail!(
                    "{} did not start within {} s: {}\n{}",
                    self.name,
                    PATIENCE.as_secs(),
                    said.join("; "),
                    self.last_words()
                );
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Whether a process of ours ended with an error. A command may end well when it has started others.
    fn some_ended(&mut self) -> bool {
        let failed =
            |child: &mut Child| child.try_wait().is_ok_and(|ended| ended.is_some_and(|status| !status.success()));
        self.children.iter_mut().any(failed)
    }

    /// The last lines of the logs.
    fn last_words(&self) -> String {
        let tails = self.logs.iter().filter_map(|log| {
            let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            (!last.is_empty()).then(|| format!("--- {}\n{}", log.display(), last.join("\n")))
        });
        tails.collect::<Vec<_>>().join("\n")
    }

    /// Where clients connect.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Checks that all serve still; they may be electing a leader, or busy.
    ///
    /// # Errors
    /// Which does not, with the last lines of the logs.
    pub fn check(&self) -> Result<()> {
        let began = Instant::now();
        for server in &self.servers {
            loop {
                let role = role(*server);
                if role.serves() || role == Role::Forbidden {
                    break;
                }
                if began.elapsed() > FAREWELL {
                    bail!("{}: {server} {role}\n{}", self.name, self.last_words());
                }
                std::thread::sleep(GLANCE);
            }
        }
        Ok(())
    }

    /// The servers' processes, as they are now: `failover` starts servers anew. Empty if they cannot be seen.
    pub fn pids(&self) -> Vec<u32> {
        if let Some(command) = &self.pids {
            let printed = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stderr(Stdio::null()).output();
            let text = printed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            return text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
        }
        let found: Result<Vec<u32>> = self.servers.iter().map(|server| listening_on(*server)).collect();
        let mut pids = found.unwrap_or_default();
        // Several servers may be one process.
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Everything that runs with a file in our directory on its command line, whoever started it.
    fn ours(&self) -> Vec<u32> {
        let mark = [self.dir.as_os_str().as_bytes(), b"/"].concat();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| *pid != std::process::id() && !is_gone(*pid))
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.windows(mark.len()).any(|part| part == mark)
            })
            .collect()
    }

    fn send(&mut self, what: i32) {
        for pid in self.ours() {
            // One that ended meanwhile needs no signal.
            let _ = signal(pid, what);
        }
        for child in &mut self.children {
            if matches!(child.try_wait(), Ok(None))
                && let Ok(pid) = i32::try_from(child.id())
            {
                // SAFETY: kill takes no pointers. The child leads a group of its own and was not waited for.
                unsafe { libc::kill(-pid, what) };
            }
        }
    }

    fn running(&mut self) -> bool {
        let alive = self.children.iter_mut().any(|child| matches!(child.try_wait(), Ok(None)));
        alive || !self.ours().is_empty()
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        if let Some(command) = &self.stop {
            let ended = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).status();
            if !ended.is_ok_and(|status| status.success()) {
                eprintln!("loadgen: {}: the stop command failed: {command}", self.name);
            }
        }
        let began = Instant::now();
        // A server that stands still takes no signal but this one.
        self.send(libc::SIGCONT);
        self.send(libc::SIGTERM);
        while self.running() && began.elapsed() < FAREWELL {
            std::thread::sleep(GLANCE);
        }
        self.send(libc::SIGKILL);
        while self.running() && began.elapsed() < 2 * FAREWELL {
            std::thread::sleep(GLANCE);
        }
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("loadgen: {} stays: {error}", self.dir.display());
        }
    }
}

/// Checks that nobody else serves where a variant is to serve. (Ports that we choose are free.)
///
/// # Errors
/// That somebody does: that would be measured in place of the variant, and ended in its place.
pub fn check_vacant(variant: &Variant) -> Result<()> {
    let System::Command { addresses, .. } = &variant.system else { return Ok(()) };
    let taken = |server: &SocketAddr| TcpStream::connect_timeout(server, Duration::from_secs(1)).is_ok();
    match target::resolve(addresses)?.into_iter().find(taken) {
        Some(server) => bail!("{}: something listens on {server} already", variant.name),
        None => Ok(()),
    }
}

/// What a server says that it is: its version.
pub fn version(address: &str) -> Option<String> {
    use std::io::{Read, Write};
    let server = target::resolve_one(address).ok()?;
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(b"srvr").ok()?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).ok()?;
    let line = answer.lines().find(|line| line.to_ascii_lowercase().contains("version"))?;
    Some(line.split_once(':').map_or(line, |(_, version)| version).trim().to_owned())
}

/// A fresh directory below this one.
///
/// # Errors
/// Those of the file system.
pub fn fresh_dir(below: &Path, name: &str) -> Result<PathBuf> {
    let dir = below.join(format!("{name}-{}", std::process::id()));
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    fs::canonicalize(&dir).with_context(|| format!("cannot make {}", dir.display()))
}
