//! `loadgen`: measures a coordination cluster from the client's side of the wire.
//!
//! [`engine`] drives sessions from an event loop per thread; [`crew`] runs the loops and gathers what they count
//! ([`stats`], [`totals`]); [`run`] and [`fill`] are the commands; [`results`] and [`summary`] are what is
//! handed to programs and to people. [`failover`] is a command with sessions that survive their servers; [`probe`] needs no
//! server, [`compare`] starts servers itself, [`report`] draws what the others wrote, and [`self_test`] measures loadgen itself. Nothing but the wire format is shared
//! with the server.

mod cli;
mod compare;
mod cpu;
mod crew;
mod distribution;
mod engine;
mod environment;
mod failover;
mod faults;
mod figures;
mod fill;
mod hdr;
mod keyspace;
mod leader;
mod live;
#[allow(dead_code, reason = "tests make the trouble")]
mod null_server;
mod one_line;
mod op;
mod prepare;
mod probe;
mod random;
mod report;
mod results;
mod roaming;
mod run;
mod self_test;
mod sessions;
mod stats;
mod summary;
mod target;
mod threshold;
mod times;
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
        Command::Failover(args) => failover::failover(args, &stop),
        Command::Probe(args) => probe::probe(args, &stop),
        Command::Compare(args) => compare::compare(args, &stop),
        Command::SelfTest(args) => self_test::self_test(args, &stop),
        Command::Report(args) => report::report(args),
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
