//! The running servers: started, watched, started again, stopped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::plan::Plan;
use super::{probe, say, text};

/// Between the death of a server and its next start.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// A server that has not stopped by then is killed.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How often a starting server is asked whether it serves.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// How often those that are waited for are named.
const REMIND_EVERY: Duration = Duration::from_secs(10);
/// Of the messages of a server that could not start, so many lines are shown.
const TAIL: usize = 10;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As the user wished.
    Stopped,
    /// Servers that should run do not; said already.
    Failed,
}

/// One server.
struct Server {
    id: u8,
    state: State,
    /// It has served since this program started.
    proven: bool,
}

enum State {
    /// Asked now and then whether it serves; its role once it does.
    Running { child: Child, mode: Option<String> },
    /// Until then.
    Dead { restart_at: Option<Instant> },
}

/// All servers. Those that still run when it is dropped are killed.
pub(super) struct Fleet {
    plan: Plan,
    servers: Vec<Server>,
    signals: Receiver<i32>,
    welcomed: bool,
    remind_at: Instant,
    /// Set once the servers have been told to stop.
    kill_at: Option<Instant>,
    outcome: Outcome,
}

impl Fleet {
    /// Starts the servers.
    pub(super) fn new(plan: Plan) -> anyhow::Result<Fleet> {
        let signals = signals().context("signal handlers cannot be installed")?;
        let ids: Vec<u8> = (1..).zip(&plan.ports).map(|(id, _)| id).collect();
        say(&format!("Starting {} in {}", counted(ids.len()), plan.dir.display()));
        let remind_at = Instant::now() + REMIND_EVERY;
        let mut fleet = Fleet {
            plan,
            servers: Vec::new(),
            signals,
            welcomed: false,
            remind_at,
            kill_at: None,
            outcome: Outcome::Stopped,
        };
        for id in ids {
            let state = State::Running { child: spawn(&fleet.plan, id)?, mode: None };
            fleet.servers.push(Server { id, state, proven: false });
        }
        Ok(fleet)
    }

    /// Watches the servers until all have ended.
    pub(super) fn run(mut self) -> anyhow::Result<Outcome> {
        loop {
            self.reap()?;
            if !self.servers.iter().any(Server::is_expected) {
                return Ok(self.outcome);
            }
            self.restart()?;
            self.probe();
            match self.signals.recv_timeout(self.next_wake()) {
                Ok(SIGCHLD) => {}
                Ok(_) => self.stop()?,
                Err(RecvTimeoutError::Timeout) => self.kill_late()?,
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the thread that takes signals has ended"),
            }
        }
    }

    /// Takes note of servers that have ended.
    fn reap(&mut self) -> anyhow::Result<()> {
        for index in 0..self.servers.len() {
            let State::Running { child, .. } = &mut self.servers[index].state else { continue };
            let pid = child.id();
            if let Some(status) = child.try_wait()? {
                self.ended(index, pid, status)?;
            }
        }
        Ok(())
    }

    fn ended(&mut self, index: usize, pid: u32, status: ExitStatus) -> anyhow::Result<()> {
        let server = &mut self.servers[index];
        let (stopping, again) = (self.kill_at.is_some(), self.plan.restart && server.proven);
        let restart_at = (!stopping && again).then(|| Instant::now() + RESTART_AFTER);
        server.state = State::Dead { restart_at };
        if stopping && status.success() {
            return Ok(());
        }
        let next = if restart_at.is_some() { "; starting it again" } else { "" };
        say(&format!("server {} (pid {pid}) {}{next}", server.id, text::ending(status)));
        if stopping || restart_at.is_some() {
            return Ok(());
        }
        let (id, proven) = (server.id, server.proven);
        if proven {
            if !self.servers.iter().any(Server::is_expected) {
                self.outcome = Outcome::Failed;
            }
            return Ok(());
        }
        // One that never served would not do better the next time, and the others may wait for it.
        let log = self.plan.log(id);
        let said = std::fs::read(&log).unwrap_or_default();
        say(&format!("The end of {}:\n{}", log.display(), text::tail(&String::from_utf8_lossy(&said), TAIL)));
        self.outcome = Outcome::Failed;
        self.stop()
    }

    fn restart(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        for server in &mut self.servers {
            if matches!(server.state, State::Dead { restart_at: Some(at) } if at <= now) {
                server.state = State::Running { child: spawn(&self.plan, server.id)?, mode: None };
                self.remind_at = now + REMIND_EVERY;
            }
        }
        Ok(())
    }

    /// Asks those that are not known to serve.
    fn probe(&mut self) {
        if self.kill_at.is_some() {
            return;
        }
        for server in &mut self.servers {
            let port = self.plan.ports[usize::from(server.id) - 1].client;
            let State::Running { child, mode: mode @ None } = &mut server.state else { continue };
            *mode = probe::mode(port);
            if let Some(mode) = mode {
                let again = if server.proven { " again" } else { "" };
                say(&format!("server {} (pid {}) serves{again} on 127.0.0.1:{port}: {mode}", server.id, child.id()));
                server.proven = true;
            }
        }
        let serving: Vec<(u32, &str)> = self.servers.iter().filter_map(Server::serving).collect();
        if !self.welcomed && serving.len() == self.servers.len() {
            say(&text::welcome(&self.plan, &serving));
            self.welcomed = true;
        }
        if Instant::now() >= self.remind_at {
            for server in self.servers.iter().filter(|server| server.is_starting()) {
                say(&format!(
                    "waiting for server {}; its messages are in {}",
                    server.id,
                    self.plan.log(server.id).display()
                ));
            }
            self.remind_at = Instant::now() + REMIND_EVERY;
        }
    }

    /// Asks all servers to stop; the second time it kills them.
    fn stop(&mut self) -> anyhow::Result<()> {
        if self.kill_at.is_some() {
            self.kill_at = Some(Instant::now());
            return self.kill_late();
        }
        if self.servers.iter().any(Server::is_expected) {
            say("Stopping the servers");
        }
        self.kill_at = Some(Instant::now() + STOP_WITHIN);
        for server in &mut self.servers {
            match &server.state {
                State::Running { child, .. } => signal(child, SIGTERM)?,
                State::Dead { .. } => server.state = State::Dead { restart_at: None },
            }
        }
        Ok(())
    }

    fn kill_late(&mut self) -> anyhow::Result<()> {
        if self.kill_at.is_some_and(|at| at <= Instant::now()) {
            for server in &mut self.servers {
                if let State::Running { child, .. } = &mut server.state {
                    child.kill()?;
                }
            }
            // The end of the last one is reported by SIGCHLD.
            self.kill_at = Some(Instant::now() + STOP_WITHIN);
        }
        Ok(())
    }

    /// How long nothing needs to be done unless a signal comes.
    fn next_wake(&self) -> Duration {
        let wake = |server: &Server| match server.state {
            State::Running { mode: None, .. } if self.kill_at.is_none() => Some(Instant::now() + PROBE_EVERY),
            State::Dead { restart_at } => restart_at,
            State::Running { .. } => None,
        };
        let next = self.servers.iter().filter_map(wake).chain(self.kill_at).min();
        next.map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(Instant::now()))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for server in &mut self.servers {
            if let State::Running { child, .. } = &mut server.state {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl Server {
    /// It runs, or will run again.
    fn is_expected(&self) -> bool {
        !matches!(self.state, State::Dead { restart_at: None })
    }

    fn is_starting(&self) -> bool {
        matches!(self.state, State::Running { mode: None, .. })
    }

    fn serving(&self) -> Option<(u32, &str)> {
        match &self.state {
            State::Running { child, mode: Some(mode) } => Some((child.id(), mode)),
            _ => None,
        }
    }
}

fn counted(servers: usize) -> String {
    if servers == 1 { "one server".to_owned() } else { format!("{servers} servers") }
}

/// Signals of interest, from a thread that does nothing else.
fn signals() -> io::Result<Receiver<i32>> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD])?;
    let (tell, told) = channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        // Ends when nobody listens any more.
        let _ = signals.forever().try_for_each(|signal| tell.send(signal));
    })?;
    Ok(told)
}

fn signal(child: &Child, signal: i32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(child.id()).expect("the kernel's process ids are positive and fit");
    // SAFETY: a system call without memory; the child has not been waited for, so the number is still its own.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn spawn(plan: &Plan, id: u8) -> anyhow::Result<Child> {
    let log = plan.log(id);
    let open = || File::options().create(true).append(true).open(&log);
    let file = open().with_context(|| format!("{} cannot be written", log.display()))?;
    let mut command = Command::new(&plan.program);
    command.args(plan.command_line(id)).stdin(Stdio::null()).stdout(Stdio::null());
    // A group of its own: Ctrl-C goes to this program alone, which then stops the servers in order.
    command.process_group(0);
    // SAFETY: one system call between fork and exec; it has the kernel stop the server if this program is killed.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, SIGTERM) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    command.stderr(if plan.show_logs { Stdio::piped() } else { Stdio::from(file.try_clone()?) });
    let mut child = command.spawn().with_context(|| format!("server {id} cannot be started"))?;
    if let Some(messages) = child.stderr.take() {
        thread::Builder::new().name(format!("messages-{id}")).spawn(move || show(id, messages, file))?;
    }
    Ok(child)
}

/// Copies a server's messages to its log and, with its number, to standard error.
fn show(id: u8, messages: impl io::Read, mut log: File) {
    for line in BufReader::new(messages).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        let _ = writeln!(log, "{line}");
        let _ = writeln!(io::stderr(), "[{id}] {line}");
    }
}
