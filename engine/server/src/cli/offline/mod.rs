//! Commands for stored state. None of them talks to a server, but `backup` and `restore` if they are given one.

mod backup;
mod export;
mod facts;
mod import;
mod log;
mod progress;
mod remote;
mod snapshot;
mod survey;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::exit::Status;
use crate::offline::Directories;
use ringkeeper_txnlog::error::OpenError;

/// A command: its name, how it is described, and what it does.
struct Offline {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> anyhow::Result<ExitCode>,
}

const ALL: [(&str, Offline); 6] = [
    ("import", Offline { command: import::command, run: import::run }),
    ("export", Offline { command: export::command, run: export::run }),
    ("backup", Offline { command: backup::command, run: backup::run }),
    ("restore", Offline { command: backup::restore_command, run: backup::run_restore }),
    ("snapshot", Offline { command: snapshot::command, run: snapshot::run }),
    ("log", Offline { command: log::command, run: log::run }),
];

fn find(name: &str) -> Option<&'static Offline> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, offline)| offline)
}

/// Whether this is one of the commands of this module.
pub(super) fn has(name: &str) -> bool {
    find(name).is_some()
}

/// The subcommands.
pub(super) fn commands() -> impl Iterator<Item = Command> {
    ALL.iter().map(|(_, offline)| (offline.command)())
}

/// Runs one.
pub(super) fn run(name: &str, arguments: &ArgMatches) -> ExitCode {
    let Some(offline) = find(name) else { return Status::Usage.into() };
    match (offline.run)(arguments) {
        Ok(code) => code,
        // Whoever reads the output has had enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if name != "log" && matches!(error.downcast_ref(), Some(OpenError::Incomplete(_))) {
                eprintln!("hint: if the server has a dataLogDir, give --log-dir, too");
            }
            Status::Failed.into()
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print one JSON object for each line of text")
}

fn dir(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(placeholder).required(true).value_parser(value_parser!(PathBuf)).help(help)
}

fn other_dir(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("DIR").value_parser(value_parser!(PathBuf)).help(help)
}

/// An argument that is a path and required.
fn path<'a>(arguments: &'a ArgMatches, name: &str) -> &'a Path {
    arguments.get_one::<PathBuf>(name).expect("clap demands it")
}

fn other_path<'a>(arguments: &'a ArgMatches, name: &str) -> Option<&'a Path> {
    arguments.get_one::<PathBuf>(name).map(PathBuf::as_path)
}

/// Those of a server of ours, as `data-dir` and `log-dir` name them.
fn directories(arguments: &ArgMatches) -> Directories {
    Directories::new(path(arguments, "data-dir"), other_path(arguments, "log-dir"))
}

/// A zxid as people write it: `0x100000005`, or decimal.
fn zxid(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed
        .ok()
        .filter(|zxid| i64::try_from(*zxid).is_ok())
        .ok_or_else(|| "give a zxid, for example 0x100000005".to_owned())
}

#[cfg(test)]
mod tests {
    use super::zxid;

    #[test]
    fn zxids_are_read_as_people_write_them() {
        assert_eq!(zxid("0x100000005"), Ok(0x1_0000_0005));
        assert_eq!(zxid("17"), Ok(17));
        for bad in ["", "0x", "x17", "-1", "0x8000000000000000", "1e5"] {
            assert!(zxid(bad).is_err(), "{bad}");
        }
    }
}
