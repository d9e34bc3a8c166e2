//! `loadgen`: measures a coordination cluster from the client's side of the wire.
//!
//! [`engine`] drives sessions from an event loop per thread; [`crew`] runs the loops and gathers what they count
//! ([`stats`], [`totals`]); [`run`], [`fill`] and [`idle`] are the commands; [`results`] and [`report`] are what is
//! handed to programs and to people. [`failover`] is a command with sessions that survive their servers. Nothing but the wire format is shared with the server.

mod cli;
mod cpu;
mod crew;
mod engine;
mod environment;
mod failover;
mod faults;
mod fill;
mod idle;
mod keyspace;
mod live;
mod op;
mod prepare;
mod random;
mod report;
mod results;
mod roaming;
mod run;
mod sessions;
mod stats;
mod target;
mod totals;
mod units;
mod verify;
mod watch;
mod workload;

use cli::{Cli, Command};
use engine::{Failure, Stop};
use run::Exit;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::process::ExitCode;

const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = Cli::read();
    let stop = Stop::default();
    for signal in [SIGINT, SIGTERM] {
        // The first asks to end and report, the second ends. In this order: the condition is read before it is set.
        let registered = flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), stop.flag())
            .and_then(|_| flag::register(signal, stop.flag()));
        if let Err(error) = registered {
            eprintln!("loadgen: signals: {error}");
            return ExitCode::FAILURE;
        }
    }
    let done = match &cli.command {
        Command::Run(args) => run::run(args, &stop),
        Command::Fill(args) => fill::fill(args, &stop),
        Command::Idle(args) => idle::idle(args, &stop),
        Command::Failover(args) => failover::failover(args, &stop),
        Command::Sessions(args) => sessions::sessions(args, &stop),
        Command::Watch(args) => watch::watch(args, &stop),
        Command::Verify(args) => verify::verify(args, &stop),
    };
    match done {
        Ok(Exit::Fine) => ExitCode::SUCCESS,
        Ok(Exit::Failed) => ExitCode::FAILURE,
        Ok(Exit::ErrorReplies) => ExitCode::from(3),
        Ok(Exit::PastThreshold) => ExitCode::from(4),
        Ok(Exit::Interrupted) => {
            eprintln!("loadgen: interrupted");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => {
            eprintln!("loadgen: interrupted before anything was measured");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}
