//! `ringkeeper config`: what is in force and from where, or whether a server would start with it.

mod check;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{file, flags, load, print, refused};
use crate::config::{Config, Setting, document};
use crate::exit::{self, Status};

const EXAMPLES: &str = "\
Examples:
  What is in force, and from where:
    ringkeeper config zoo.cfg
  Would the server start? (for CI: prints everything that is wrong, changes nothing)
    ringkeeper config --check --id 1 zoo.cfg
  The same, and warnings fail too:
    ringkeeper config --check --strict --id 1 zoo.cfg
  What a flag would change:
    ringkeeper config zoo.cfg --profile dedicated";

/// The command's own arguments, and the flags of all settings.
pub(super) fn command() -> Command {
    let check = Arg::new("check").long("check").action(ArgAction::SetTrue).help(
        "Only check: the configuration, the directories and names as seen from this machine; print what is wrong",
    );
    let strict =
        Arg::new("strict").long("strict").action(ArgAction::SetTrue).requires("check").help("Warnings fail too");
    let docs = Arg::new("docs").long("docs").action(ArgAction::SetTrue).hide(true);
    Command::new("config")
        .about("Print each setting in force and where it comes from")
        .args([file(), check, strict, docs])
        .args(flags::all())
        .after_help(format!("{EXAMPLES}\n\n{}", exit::help()))
}

/// Runs the command.
pub(super) fn run(arguments: &ArgMatches) -> ExitCode {
    if arguments.get_flag("docs") {
        return print(&document::page());
    }
    let (config, problems) = match load(arguments) {
        Ok(loaded) => loaded,
        Err(refusal) => return refused(&refusal),
    };
    eprint!("{problems}");
    if !arguments.get_flag("check") {
        return print(&table(&config));
    }
    let findings = check::here(&config);
    findings.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    if let Some((status, error)) = findings.error {
        eprintln!("error: {error}");
        return status.into();
    }
    if arguments.get_flag("strict") && !(problems.warnings.is_empty() && findings.warnings.is_empty()) {
        eprintln!("error: there are warnings, and --strict is given");
        return Status::Configuration.into();
    }
    print("the configuration is valid\n")
}

/// Name, value and source in columns.
fn table(config: &Config) -> String {
    let settings = config.settings.effective();
    let width = |column: fn(&Setting) -> &str| {
        settings.iter().map(|setting| column(setting).chars().count()).max().unwrap_or(0).min(60)
    };
    let (names, values) = (width(|setting| &setting.name), width(|setting| &setting.value));
    settings
        .iter()
        .map(|setting| format!("{:names$}  {:values$}  {}\n", setting.name, setting.value, setting.source))
        .collect()
}
