//! The command line.

mod dev;
mod doctor;
mod flags;
mod offline;
mod shell;
mod top;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::{Config, Inputs, Problems, document};
use crate::{logging, start, version};

/// The server failed, or could not start.
const FAILED: u8 = 1;
/// The configuration or the command line was refused. (Clap ends with the same status.)
const REFUSED: u8 = 2;

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
Exit status: 0 stopped by SIGTERM or SIGINT, 1 failed, 2 configuration refused.";

const CONFIG_EXAMPLES: &str = "\
Examples:
  What is in force, and from where:
    ringkeeper config zoo.cfg
  Would the server start? (for CI; prints everything that is wrong)
    ringkeeper config --check zoo.cfg
  What a flag would change:
    ringkeeper config zoo.cfg --profile dedicated";

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = command().get_matches_from(shell::with_long_flags(std::env::args_os()));
    match matches.subcommand() {
        Some(("serve", arguments)) => serve(arguments),
        Some(("config", arguments)) => config(arguments),
        Some(("dev", arguments)) => dev::run(arguments),
        Some(("cli", arguments)) => shell::run(arguments),
        Some(("top", arguments)) => top::run(arguments),
        Some(("doctor", arguments)) => doctor::run(arguments),
        Some((name, arguments)) if offline::has(name) => offline::run(name, arguments),
        _ => unreachable!("clap demands one of the subcommands"),
    }
}

fn command() -> Command {
    let file = || {
        Arg::new("file")
            .value_name("zoo.cfg")
            .value_parser(value_parser!(PathBuf))
            .help("ZooKeeper's configuration file; may be left out")
    };
    let serve = Command::new("serve").about("Run a server").arg(file()).args(flags::all()).after_help(SERVE_EXAMPLES);
    let check = Arg::new("check").long("check").action(ArgAction::SetTrue).help("Only check; print what is wrong");
    let docs = Arg::new("docs").long("docs").action(ArgAction::SetTrue).hide(true);
    let config = Command::new("config")
        .about("Print each setting in force and where it comes from")
        .args([file(), check, docs])
        .args(flags::all())
        .after_help(CONFIG_EXAMPLES);
    Command::new("ringkeeper")
        .about(ABOUT)
        .version(version::long())
        .max_term_width(110)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([serve, config, doctor::command(file()), dev::command(), shell::command(), top::command()])
        .subcommands(offline::commands())
}

fn serve(arguments: &ArgMatches) -> ExitCode {
    let (config, problems) = match load(arguments) {
        Ok(loaded) => loaded,
        Err(refusal) => return refused(&refusal),
    };
    if let Err(error) = logging::start(&config.logging) {
        eprintln!("error: {error:#}");
        return ExitCode::from(FAILED);
    }
    for warning in &problems.warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!("ringkeeper {}: {}", version::long(), config.announcement());
    match start::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

fn config(arguments: &ArgMatches) -> ExitCode {
    if arguments.get_flag("docs") {
        return print(&document::page());
    }
    match load(arguments) {
        Err(refusal) => refused(&refusal),
        Ok((config, problems)) => {
            eprint!("{problems}");
            print(&if arguments.get_flag("check") { "the configuration is valid\n".to_owned() } else { table(&config) })
        }
    }
}

/// Name, value and source in columns.
fn table(config: &Config) -> String {
    let settings = config.settings.effective();
    let width = |column: fn(&crate::config::Setting) -> &str| {
        settings.iter().map(|setting| column(setting).chars().count()).max().unwrap_or(0).min(60)
    };
    let (names, values) = (width(|setting| &setting.name), width(|setting| &setting.value));
    settings
        .iter()
        .map(|setting| format!("{:names$}  {:values$}  {}\n", setting.name, setting.value, setting.source))
        .collect()
}

/// Prints to standard output; a reader that went away, as `| head` does, is no failure.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        _ => ExitCode::SUCCESS,
    }
}

fn refused(refusal: &Refusal) -> ExitCode {
    match refusal {
        Refusal::Unreadable(path, error) => eprintln!("error: cannot read {}: {error}", path.display()),
        Refusal::Configuration(problems) => {
            eprint!("{problems}");
            eprintln!(
                "the configuration is refused; `ringkeeper serve --help` and docs/configuration.md explain the settings"
            );
        }
    }
    ExitCode::from(REFUSED)
}

enum Refusal {
    Unreadable(PathBuf, io::Error),
    Configuration(Problems),
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
