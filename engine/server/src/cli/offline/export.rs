//! `ringkeeper export`: from our data directory to one that ZooKeeper starts from.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command};
use ringkeeper_core::ids::Zxid;

use super::facts::{Counts, Facts};
use super::progress::Progress;
use crate::offline::directories::must_be_empty;
use crate::offline::{stored, zookeeper};

const EXAMPLES: &str = "\
Examples:
  From the directory of a server that is stopped, into a new one, for ZooKeeper's dataDir:
    ringkeeper export /var/lib/ringkeeper /var/lib/zookeeper
  If the server has a dataLogDir:
    ringkeeper export /var/lib/ringkeeper /var/lib/zookeeper --log-dir /log/ringkeeper
  For a ZooKeeper that runs with digest.enabled=false:
    ringkeeper export /var/lib/ringkeeper /var/lib/zookeeper --no-digest

Of an ensemble, stop all servers and export from the one that led last. Copy the new directory to each ZooKeeper server (or
to the first of them, with the others empty), with its own `myid`.

What is written is one snapshot, with ZooKeeper's checksum and digest, which 3.4 to 3.9 read. Sessions keep ids, time-outs
and passwords. ZooKeeper takes TTL nodes for nodes of dead sessions and removes them unless it has extendedTypesEnabled=true.
docs/migration.md has the whole way. Exit status: 0 exported, 1 failed, 2 wrong command line.";

/// The subcommand.
pub(super) fn command() -> Command {
    let no_digest = Arg::new("no-digest")
        .long("no-digest")
        .action(ArgAction::SetTrue)
        .help("Leave ZooKeeper's digest out, for servers that do not expect it");
    Command::new("export")
        .about("Make a data directory for ZooKeeper from one of Ringkeeper's")
        .arg(super::dir("data-dir", "DATA_DIR", "dataDir of the server, which must be stopped"))
        .arg(super::dir("zookeeper-data-dir", "ZOOKEEPER_DIR", "Where to write; must be empty, or not exist"))
        .arg(super::other_dir("log-dir", "dataLogDir of the server [default: its dataDir]"))
        .args([no_digest, super::json()])
        .after_help(EXAMPLES)
}

/// Runs it.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (from, to) = (super::directories(arguments), super::path(arguments, "zookeeper-data-dir"));
    from.must_exist()?;
    must_be_empty(to)?;
    let mut progress = Progress::new("reading");
    progress.say("reading");
    // Taken, not looked at: a server that runs has it, and its state would be an old one in a moment.
    let (dirs, _lock) = from.take().context("the server must be stopped")?;
    let stored = stored::read(dirs)?;
    if stored.tree.last_zxid() == Zxid::ZERO {
        anyhow::bail!("{}: there is no transaction yet: start ZooKeeper with an empty directory", from.data.display());
    }
    progress.say("writing");
    let bytes = zookeeper::write(to, &stored.tree, !arguments.get_flag("no-digest"))?;
    drop(progress);

    if let Some(through) = stored.unknown_through {
        eprintln!(
            "warning: transactions through {through} were left out: whether the ensemble has committed them is not known \
             here; the server that led last may know"
        );
    }
    if Counts::of(&stored.tree).ttls > 0 {
        eprintln!("warning: there are TTL nodes: start ZooKeeper with -Dzookeeper.extendedTypesEnabled=true");
    }
    let mut facts = Facts::default();
    facts.add("exported", from.data.display().to_string());
    facts.add("into", to.display().to_string());
    facts.add_tree(&stored.tree);
    facts.add("bytes_written", bytes);
    facts.print(arguments.get_flag("json"))?;
    Ok(ExitCode::SUCCESS)
}
