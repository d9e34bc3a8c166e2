//! What is done to a server, and how it is undone.

use super::errand::Errand;
use super::process::{self, Start};
use super::returning::Returning;
use super::servers::Server;
use crate::engine::Stop;
use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What happens to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// SIGKILL: the process is gone at once, its connections are closed by the kernel.
    Kill,
    /// SIGSTOP: the process stands still, its connections stay open. SIGCONT ends it.
    Pause,
    /// SIGTERM: the process may say goodbye.
    Stop,
    /// What the fault command does.
    #[value(skip)]
    Command,
}

impl Kind {
    /// What is done, as a noun.
    pub const fn noun(self) -> &'static str {
        match self {
            Kind::Kill => "SIGKILL",
            Kind::Pause => "SIGSTOP",
            Kind::Stop => "SIGTERM",
            Kind::Command => "the fault command",
        }
    }

    const fn signal(self) -> Option<i32> {
        match self {
            Kind::Kill => Some(libc::SIGKILL),
            Kind::Pause => Some(libc::SIGSTOP),
            Kind::Stop => Some(libc::SIGTERM),
            Kind::Command => None,
        }
    }
}

/// The user's choice.
#[derive(Clone, Debug)]
pub struct Method {
    /// What happens to the server.
    pub kind: Kind,
    /// The command that does it, instead of a signal.
    pub fault_command: Option<String>,
    /// The command that undoes it.
    pub start_command: Option<String>,
    /// Somebody else starts the server again.
    pub restarts_itself: bool,
    /// How long a server may take to end, and to serve again.
    pub patience: Duration,
}

/// A fault that only has to be set off: all that is slow has been done.
#[derive(Debug)]
pub struct Fault {
    method: Method,
    server: Server,
    pid: Option<u32>,
    start: Option<Start>,
    /// It was set off, and not undone since.
    set_off: bool,
}

impl Method {
    /// Whether signals are sent, so that the server must be a process of this machine.
    fn signals(&self) -> bool {
        self.fault_command.is_none()
    }

    /// Prepares the fault for a server.
    ///
    /// # Errors
    /// If its process cannot be found, or it cannot be seen how to start it again.
    pub fn aim(&self, server: &Server) -> Result<Fault> {
        let mut fault = Fault { method: self.clone(), server: server.clone(), pid: None, start: None, set_off: false };
        if self.signals() {
            let elsewhere = "--fault-command and --start-command reach servers elsewhere (see --help)";
            let pid = process::listening_on(server.address).map_err(|error| anyhow!("{error:#}; {elsewhere}"))?;
            fault.pid = Some(pid);
            let ends = self.kind != Kind::Pause;
            if ends && self.start_command.is_none() && !self.restarts_itself {
                let start = Start::of(pid).map_err(|error| anyhow!("{error:#}; give --start-command"))?;
                fault.start = Some(start);
            }
        }
        Ok(fault)
    }
}

impl Fault {
    /// Sets it off. The errand is done when the fault has taken effect.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn set_off(&mut self) -> Result<Errand<()>> {
        self.set_off = true;
        let patience = self.method.patience;
        if let (Some(signal), Some(pid)) = (self.method.kind.signal(), self.pid) {
            process::signal(pid, signal)?;
            return Ok(match self.method.kind {
                Kind::Pause => Errand::begin(|| Ok(())),
                _ => Errand::begin(move || await_end(pid, patience)),
            });
        }
        let command = self.command(self.method.fault_command.as_deref().unwrap_or_default());
        Ok(Errand::begin(move || run_to_its_end(&command, patience)))
    }

    /// Undoes it. The errand is done when the server serves again, and brings its process if it is ours.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn undo(mut self, stop: Stop) -> Result<Errand<Option<Child>>> {
        if self.method.kind == Kind::Pause
            && let Some(pid) = self.pid
        {
            process::signal(pid, libc::SIGCONT)?;
        }
        self.set_off = false;
        let (address, patience) = (self.server.address, self.method.patience);
        let command = self.method.start_command.as_deref().map(|template| self.command(template));
        let (start, what) = (self.start.take(), command.clone().unwrap_or_else(|| "its own command line".into()));
        let returning = Returning { address, what, start, command, patience, stop };
        Ok(Errand::begin(move || returning.complete()))
    }

    fn command(&self, template: &str) -> String {
        self.server.fill_in(template, self.pid)
    }
}

impl Drop for Fault {
    /// Whatever happens, no server is left paused by us.
    fn drop(&mut self) {
        if let (true, Kind::Pause, Some(pid)) = (self.set_off, self.method.kind, self.pid) {
            let _ = process::signal(pid, libc::SIGCONT);
        }
    }
}

/// How often processes are looked at.
const GLANCE: Duration = Duration::from_millis(5);

fn await_end(pid: u32, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !process::is_gone(pid) {
        if Instant::now() > deadline {
            bail!("process {pid} still runs {} s after it was told to end", patience.as_secs());
        }
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

/// A command in a process group of its own: an interrupt from the terminal is not for what it starts.
pub(super) fn shell(command: &str, stderr: Stdio) -> Result<Child> {
    let mut sh = Command::new("sh");
    sh.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).process_group(0);
    sh.spawn().with_context(|| format!("cannot run {command:?}"))
}

fn run_to_its_end(command: &str, patience: Duration) -> Result<()> {
    let mut child = shell(command, Stdio::inherit())?;
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("{command:?} ended with {status}"),
            None if Instant::now() > deadline => bail!("{command:?} still runs after {} s", patience.as_secs()),
            None => std::thread::sleep(GLANCE),
        }
    }
}
