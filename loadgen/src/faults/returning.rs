//! The return of a server: somebody starts it, and it is awaited.

use super::fault::shell;
use super::process::{self, Start};
use super::words;
use crate::engine::Stop;
use anyhow::{Result, bail};
use std::net::SocketAddr;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often processes are looked at.
const GLANCE: Duration = Duration::from_millis(5);
/// How long an interrupted run waits for a server to come back.
const HASTE: Duration = Duration::from_secs(10);
/// How long a parent gets that starts its servers again. (`ringkeeper dev` waits a second.)
const KEEPERS_TIME: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub struct Returning {
    /// The server.
    pub address: SocketAddr,
    /// How it is started, in words.
    pub what: String,
    /// Its own command line, if it is started by that.
    pub start: Option<Start>,
    /// The user's command.
    pub command: Option<String>,
    /// How long it may take.
    pub patience: Duration,
    /// Ends the patience early.
    pub stop: Stop,
}

impl Returning {
    /// Waits until the server serves; its process, if it is ours.
    ///
    /// # Errors
    /// If it does not come back, and what it said.
    pub fn complete(mut self) -> Result<Option<Child>> {
        let began = Instant::now();
        // It may be the server itself, which must not hold on to our standard error when we have ended.
        let mut child = self.command.take().map(|command| shell(&command, Stdio::null())).transpose()?;
        let mut said = 0;
        while !words::role(self.address).serves() {
            if let Some(status) = child.as_mut().and_then(|child| child.try_wait().ok().flatten())
                && !status.success()
            {
                if self.start.is_none() || !self.is_somebody_there() {
                    return Err(self.ended(status, said));
                }
                // Somebody else had started it already; ours could not have the port.
                child = None;
            }
            if child.is_none()
                && let Some(start) = &self.start
                && !(start.is_kept() && began.elapsed() < KEEPERS_TIME)
                && !self.is_somebody_there()
            {
                said = start.said();
                child = Some(start.again()?);
            }
            let limit = if self.stop.is_set() { self.patience.min(HASTE) } else { self.patience };
            if began.elapsed() > limit {
                bail!("{} did not serve again within {} s", self.address, limit.as_secs());
            }
            std::thread::sleep(GLANCE);
        }
        Ok(child)
    }

    fn is_somebody_there(&self) -> bool {
        process::listening_on(self.address).is_ok()
    }

    fn ended(&self, status: ExitStatus, said: u64) -> anyhow::Error {
        let (address, what) = (self.address, &self.what);
        let last = self.start.as_ref().and_then(|start| start.said_since(said));
        let last = last.map_or_else(String::new, |last| format!("; it said: {last}"));
        anyhow::anyhow!("{address} was not started again: {what} ended with {status}{last}")
    }
}
