//! `ringkeeper dev`: an ensemble on loopback for trying things out, as child processes of this one.

mod fleet;
mod plan;
mod probe;
mod text;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::exit::Status;
use fleet::{Fleet, Outcome};
use plan::{Bases, Plan};

const EXAMPLES: &str = "\
Examples:
  Three servers in a temporary directory, on free ports:
    ringkeeper dev
  Five of them on ports 2181 to 2185, with their data kept for the next time:
    ringkeeper dev --servers 5 --client-port 2181 --dir /var/tmp/ringkeeper
  With settings for every server, and all their messages:
    ringkeeper dev --logs -- --logging-level debug --set snapCount=1000

It prints how to connect once all servers serve. Ctrl-C stops them.
Exit status: 0 stopped by SIGTERM or SIGINT, 1 failed, 2 wrong command line.";

/// The subcommand.
pub(super) fn command() -> Command {
    let switch =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let servers = Arg::new("servers")
        .long("servers")
        .value_name("N")
        .value_parser(PossibleValuesParser::new(["1", "3", "5", "7"]))
        .default_value("3")
        .help("How many servers; of N, (N - 1) / 2 may be down");
    let port = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("BASE").value_parser(value_parser!(u16).range(1..)).help(help)
    };
    let client = port("client-port", "Client port of the first server; the next ones follow [default: free ports]");
    let admin = port(
        "admin-port",
        "Port of the first server's admin commands and metrics; the next ones follow [default: free ports]",
    );
    let dir =
        Arg::new("dir").long("dir").value_name("DIR").value_parser(value_parser!(PathBuf)).help(
            "Where data and logs are kept [default: a new directory below ./target or $TMPDIR, removed at the end]",
        );
    let rest = Arg::new("arguments")
        .value_name("ARGUMENTS")
        .last(true)
        .num_args(0..)
        .value_parser(value_parser!(OsString))
        .help("Arguments of `ringkeeper serve` for every server");
    Command::new("dev")
        .about("Run an ensemble on this machine, for trying things out")
        .args([servers, client, admin, dir])
        .arg(switch("keep", "Keep the temporary directory"))
        .arg(switch("logs", "Show the messages of the servers, each line with the server's number"))
        .arg(switch("no-restart", "Do not start a server again that has died"))
        .arg(rest)
        .after_help(EXAMPLES)
}

/// Runs until it is told to stop.
pub(super) fn run(arguments: &ArgMatches) -> ExitCode {
    match try_run(arguments) {
        Ok(Outcome::Stopped) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => Status::Failed.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Status::Failed.into()
        }
    }
}

fn try_run(arguments: &ArgMatches) -> anyhow::Result<Outcome> {
    let servers: u8 = arguments.get_one::<String>("servers").expect("has a default").parse()?;
    let base = |name: &str| arguments.get_one(name).copied();
    let bases = Bases { client: base("client-port"), admin: base("admin-port") };
    let ports = plan::ports(servers, bases, std::process::id(), &plan::is_free)?;
    let given = arguments.get_one::<PathBuf>("dir");
    let dir = Directory::make(given.map(PathBuf::as_path), arguments.get_flag("keep"))?;
    let plan = Plan {
        program: std::env::current_exe()?,
        dir: dir.path.clone(),
        ports,
        restart: !arguments.get_flag("no-restart"),
        show_logs: arguments.get_flag("logs"),
        arguments: arguments.get_many::<OsString>("arguments").into_iter().flatten().cloned().collect(),
    };
    let outcome = Fleet::new(plan)?.run();
    if !dir.temporary {
        say(&format!("Data and logs are in {}.", dir.path.display()));
    }
    outcome
}

/// The directory of data and logs; a temporary one goes with this value.
struct Directory {
    path: PathBuf,
    temporary: bool,
}

impl Directory {
    fn make(given: Option<&Path>, keep: bool) -> io::Result<Directory> {
        if let Some(path) = given {
            std::fs::create_dir_all(path)?;
            return Ok(Directory { path: path.canonicalize()?, temporary: false });
        }
        let target = Path::new("target");
        let parent = if target.is_dir() { target.canonicalize()? } else { std::env::temp_dir() };
        let name = |n: u32| parent.join(format!("ringkeeper-dev-{}-{n}", std::process::id()));
        let mut n = 0;
        loop {
            match std::fs::create_dir(name(n)) {
                Ok(()) => return Ok(Directory { path: name(n), temporary: !keep }),
                // Left over by a process with the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("warning: {} could not be removed: {error}", self.path.display());
        }
    }
}

/// A line for the user; that nobody reads it is no failure.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
