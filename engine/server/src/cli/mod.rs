//! The command line.

mod config;
mod dev;
mod doctor;
mod flags;
mod offline;
mod shell;
mod tls;
mod top;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::config::{Config, Inputs, Problems};
use crate::exit::{self, Status};
use crate::start::{self, Operating};
use crate::{logging, version};

const ABOUT: &str = "A coordination server that ZooKeeper clients use without a change.";

const SERVE_EXAMPLES: &str = "\
Examples:
  A server in an empty directory, for clients of this machine:
    ringkeeper serve --data-dir /tmp/rk --client-port-address 127.0.0.1
  A server with ZooKeeper's configuration file:
    ringkeeper serve /etc/zookeeper/conf/zoo.cfg
  The same on another port, and with any setting by its name in the file:
    ringkeeper serve zoo.cfg --client-port 2182 --set snapCount=50000
  A server of an ensemble, whose members are in the file (server.1=, server.2=, ...):
    ringkeeper serve zoo.cfg --id 2
  Settings from the environment, in a container:
    RINGKEEPER_DATA_DIR=/data RINGKEEPER_LOGGING_FORMAT=json ringkeeper serve

A flag wins over the environment, the environment over the file, the file over the default.
docs/configuration.md lists all settings; `ringkeeper config` shows the ones in force.

SIGTERM and SIGINT stop the server. SIGHUP has it read its configuration again: what can change while it runs changes,
and it logs what did, and what needs a restart.";

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = command().get_matches_from(shell::with_long_flags(std::env::args_os()));
    match matches.subcommand() {
        Some(("serve", arguments)) => serve(arguments),
        Some(("config", arguments)) => config::run(arguments),
        Some(("dev", arguments)) => dev::run(arguments),
        Some(("cli", arguments)) => shell::run(arguments),
        Some(("top", arguments)) => top::run(arguments),
        Some(("doctor", arguments)) => doctor::run(arguments),
        Some((name, arguments)) if offline::has(name) => offline::run(name, arguments),
        _ => unreachable!("clap demands one of the subcommands"),
    }
}

fn command() -> Command {
    let serve = Command::new("serve")
        .about("Run a server")
        .arg(file())
        .args(flags::all())
        .after_help(format!("{SERVE_EXAMPLES}\n\n{}", exit::help()));
    Command::new("ringkeeper")
        .about(ABOUT)
        .version(version::long())
        .max_term_width(110)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            serve,
            config::command(),
            doctor::command(file()),
            dev::command(),
            shell::command(),
            top::command(),
        ])
        .subcommands(offline::commands())
}

fn file() -> Arg {
    Arg::new("file")
        .value_name("zoo.cfg")
        .value_parser(value_parser!(PathBuf))
        .help("ZooKeeper's configuration file; may be left out")
}

fn serve(arguments: &ArgMatches) -> ExitCode {
    let (config, problems) = match load(arguments) {
        Ok(loaded) => loaded,
        Err(refusal) => return refused(&refusal),
    };
    let logging = match logging::start(&config.logging) {
        Ok(handle) => handle,
        Err(error) => {
            eprintln!("error: {error:#}");
            return Status::Failed.into();
        }
    };
    for warning in &problems.warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!("ringkeeper {}: {}", version::long(), config.announcement());
    let again = arguments.clone();
    let reload = Box::new(move || load(&again).map_err(|refusal| refusal.lines()));
    match start::run(config, Operating { reload, logging }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.status().into()
        }
    }
}

/// Prints to standard output; a reader that went away, as `| head` does, is no failure.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Status::Failed.into(),
        _ => ExitCode::SUCCESS,
    }
}

fn refused(refusal: &Refusal) -> ExitCode {
    refusal.lines().iter().for_each(|line| eprintln!("{line}"));
    match refusal {
        Refusal::Unreadable(..) => Status::File.into(),
        Refusal::Configuration(problems) => problems.status().into(),
    }
}

fn unreadable(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "correct the path, or leave it out and give --data-dir DIR",
        io::ErrorKind::IsADirectory => "give the file in it",
        io::ErrorKind::PermissionDenied => "let the user that the server runs as read it",
        _ => "give a file that can be read",
    }
}

enum Refusal {
    Unreadable(PathBuf, io::Error),
    Configuration(Problems),
}

impl Refusal {
    fn lines(&self) -> Vec<String> {
        match self {
            Refusal::Unreadable(path, error) => {
                let (path, remedy) = (path.display(), unreadable(error));
                vec![format!("error: {path}: the configuration file cannot be read: {error}; {remedy}")]
            }
            Refusal::Configuration(problems) => problems.to_string().lines().map(str::to_owned).collect(),
        }
    }
}

fn load(arguments: &ArgMatches) -> Result<(Config, Problems), Refusal> {
    Config::load(&inputs(arguments)?, cores()).map_err(Refusal::Configuration)
}

/// Cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn inputs(arguments: &ArgMatches) -> Result<Inputs, Refusal> {
    let file = arguments.get_one::<PathBuf>("file").map(|path| read(path)).transpose()?;
    let env = std::env::vars_os().filter_map(|(name, value)| {
        // A variable that is not text cannot be one of ours.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    Ok(Inputs { file, env: env.collect(), flags: flags::given(arguments) })
}

fn read(path: &Path) -> Result<(PathBuf, Vec<u8>), Refusal> {
    match std::fs::read(path) {
        Ok(bytes) => Ok((path.to_owned(), bytes)),
        Err(error) => Err(Refusal::Unreadable(path.to_owned(), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn flags_and_set_reach_the_configuration() {
        let line =
            ["ringkeeper", "config", "--data-dir", "/d", "--min-session-timeout", "-1", "--set", "tickTime = 500"];
        let matches = command().try_get_matches_from(line).unwrap();
        let (_, arguments) = matches.subcommand().unwrap();
        let given = flags::given(arguments);
        let expected = [("tickTime", "500", "--set tickTime"), ("dataDir", "/d", "--data-dir")].map(owned);
        assert!(expected.iter().all(|flag| given.contains(flag)), "{given:?}");
        assert!(given.contains(&owned(("minSessionTimeout", "-1", "--min-session-timeout"))), "{given:?}");
    }

    fn owned((name, value, written): (&str, &str, &str)) -> (String, String, String) {
        (name.to_owned(), value.to_owned(), written.to_owned())
    }

    #[test]
    fn set_needs_a_key_and_a_value() {
        for bad in ["tickTime", "=5", ""] {
            assert!(command().try_get_matches_from(["ringkeeper", "config", "--set", bad]).is_err(), "{bad:?}");
        }
    }
}
