//! The part of a command line that says what happens to a server.

use super::fault::{Kind, Method};
use super::servers::Server;
use crate::cli::seconds;
use crate::random::Random;
use crate::units::parse_duration;
use clap::Args;
use serde::Serialize;
use std::time::Duration;

/// What happens to a server.
#[derive(Clone, Debug, Args, Serialize)]
pub struct FaultArgs {
    /// What happens to the server.
    #[arg(long, value_enum)]
    #[serde(skip)]
    pub fault: Option<Kind>,
    /// A command that does the damage, instead of a signal to a process of this machine.
    #[arg(long, conflicts_with = "fault", value_name = "COMMAND")]
    pub fault_command: Option<String>,
    /// A command that starts the server, or undoes what the fault command did. It may end, or be the server itself; what it
    /// prints is not shown. Without it, a process that was killed is started again with its own command line, environment
    /// and directory, and goes on when loadgen has ended; one that is a child of `ringkeeper dev` is left to that for 15 s.
    #[arg(long, value_name = "COMMAND")]
    pub start_command: Option<String>,
    /// Somebody else (systemd, Kubernetes) starts the server again: it is only waited for.
    #[arg(long, conflicts_with = "start_command")]
    pub restarts_itself: bool,
    /// Whom it befalls.
    #[arg(long, value_enum, default_value_t = Target::Leader)]
    pub target: Target,
    /// The server is left alone at least so long (unless somebody else starts it, as `ringkeeper dev` does after a second).
    #[arg(long, default_value = "1s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub downtime: Duration,
    /// What takes longer than this (a failover, a server's start) fails the run.
    #[arg(long, default_value = "60s", value_parser = parse_duration, value_name = "TIME")]
    #[serde(serialize_with = "seconds")]
    pub patience: Duration,
}

/// Whom a fault befalls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The leader.
    Leader,
    /// One of the others, drawn anew in each round.
    Follower,
}

impl Target {
    /// Which of `servers` servers it is.
    pub fn choose(self, leader: usize, servers: usize, random: &mut Random) -> usize {
        match self {
            Target::Leader => leader,
            Target::Follower => (leader + 1 + random.below(servers as u64 - 1) as usize) % servers,
        }
    }

    /// As a noun.
    pub const fn noun(self) -> &'static str {
        match self {
            Target::Leader => "the leader",
            Target::Follower => "a follower",
        }
    }
}

impl FaultArgs {
    /// What happens to the server, if anything was asked for.
    pub fn chosen(&self) -> Option<Kind> {
        if self.fault_command.is_some() { Some(Kind::Command) } else { self.fault }
    }

    /// The same for a command that is nothing without a fault.
    pub fn kind(&self) -> Kind {
        self.chosen().unwrap_or(Kind::Kill)
    }

    /// How the damage is done and undone.
    pub fn method(&self) -> Method {
        Method {
            kind: self.kind(),
            fault_command: self.fault_command.clone(),
            start_command: self.start_command.clone(),
            restarts_itself: self.restarts_itself,
            patience: self.patience,
        }
    }

    /// What no single flag can tell.
    ///
    /// # Errors
    /// Why these flags make no sense together.
    pub fn check(&self, servers: &[Server]) -> Result<(), String> {
        if servers.len() < 3 {
            let n = servers.len();
            return Err(format!(
                "--servers names {n}: an ensemble that survives a fault has three at least; name all of them"
            ));
        }
        for (at, server) in servers.iter().enumerate() {
            if servers[..at].iter().any(|other| other.address == server.address) {
                return Err(format!("--servers names {server} twice"));
            }
        }
        if self.fault_command.is_some() && self.start_command.is_none() && !self.restarts_itself {
            return Err("--fault-command needs a --start-command that undoes it, or --restarts-itself".into());
        }
        if self.fault == Some(Kind::Pause) && (self.start_command.is_some() || self.restarts_itself) {
            return Err("--fault pause is ended by SIGCONT: there is nothing to start".into());
        }
        if self.downtime >= self.patience {
            return Err("--downtime must be shorter than --patience".into());
        }
        Ok(())
    }
}
