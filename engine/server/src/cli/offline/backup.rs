//! `ringkeeper backup` and `ringkeeper restore`.

use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ringkeeper_core::ids::{WallMs, Zxid};

use super::facts::Facts;
use super::progress::Progress;
use super::remote;
use crate::offline::backup::{self, BackupDir, Target};
use crate::offline::describe::moment;

const BACKUP_EXAMPLES: &str = "\
Examples:
  Begin a backup of a server, which may be running; the same command again adds what is new:
    ringkeeper backup /var/lib/ringkeeper /backup/ringkeeper
  The present state of a server on another machine, as one file, by its admin server (admin.enableServer):
    ringkeeper backup --server http://zk1:8080 --auth digest:super:secret --to /backup/today.snap
  The same of a server on another machine:
    ringkeeper backup --server http://zk1:8080 --auth digest:super:secret --into /backup/ringkeeper
  With TLS (admin.forceHttps), and by the subject of a certificate:
    ringkeeper backup --server https://zk1:8443 --tls-ca ca.pem --tls-cert me.pem --auth x509 --into /backup/ringkeeper
  Every minute, from cron:
    * * * * *  ringkeeper  ringkeeper backup /var/lib/ringkeeper /backup/ringkeeper --json >> /var/log/ringkeeper-backup.log

The first time the newest snapshot and the log after it are copied, later the transactions that are new. Only what is committed
is taken. Run it on one server of an ensemble: each has everything. Run it often enough for the log to reach back to the last
time (autopurge.snapRetainCount snapshots): if it does not, a new snapshot is taken, and states in between cannot be restored.
Copy the backup's directory elsewhere as you like: its files never change, only new ones come (and a new mark of how far it reaches
takes the place of the last one).
--to writes the present state alone, as one file, which is not added to and has no states in between. --auth can be given as RINGKEEPER_AUTH, too, where it is not seen in the list of processes.
Exit status: 0 done, 1 failed, 2 wrong command line.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  What can be restored?
    ringkeeper restore /backup/ringkeeper --list
  The newest state:
    ringkeeper restore /backup/ringkeeper /var/lib/ringkeeper
  The state after exactly this transaction (`ringkeeper log dump` shows them):
    ringkeeper restore /backup/ringkeeper /var/lib/ringkeeper --to-zxid 0x300000a17
  As it was at noon (UTC), by the clock of the server that led:
    ringkeeper restore /backup/ringkeeper /var/lib/ringkeeper --to-time 2026-11-26T12:00:00Z
  Replace the state of a running ensemble, on all its servers, by that of a snapshot, or of a backup:
    ringkeeper restore --server http://zk1:8080 --auth digest:super:secret --from /backup/today.snap
    ringkeeper restore --server http://zk1:8080 --from /backup/ringkeeper --to-time 2026-11-26T12:00:00Z

A running ensemble can only be taken back: the snapshot must be of one of its past transactions (or of no later zxid).
Sessions that are younger than it end; clients are told of what is different by their watches.
What is restored into a directory is a new ensemble: start one server on it, alone, or once with --bootstrap true beside servers with empty
directories. Servers of the old ensemble take it for a stranger.
Exit status: 0 restored, 1 failed, 2 wrong command line.";

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("backup")
        .about("Back up a server's state and its transactions, by and by")
        .arg(unless_server(super::dir("data-dir", "DATA_DIR", "dataDir of the server, which may be running")))
        .arg(unless_server(super::dir("backup", "BACKUP_DIR", "Where the backup is, or is to be")))
        .arg(super::other_dir("log-dir", "dataLogDir of the server [default: its dataDir]").conflicts_with("server"))
        .args(remote::arguments())
        .arg(
            super::other_dir("to", "The file to write; in a directory it is named like a snapshot there")
                .value_name("FILE")
                .requires("server"),
        )
        .arg(
            super::other_dir("into", "With --server: where the backup is, or is to be; what is new is added to it")
                .value_name("BACKUP_DIR")
                .requires("server")
                .conflicts_with("to"),
        )
        .arg(super::json())
        .after_help(BACKUP_EXAMPLES)
}

/// Runs it.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    if let Some(server) = remote::server(arguments) {
        return remote::backup(&server?, arguments);
    }
    let (from, to) = (super::directories(arguments), super::path(arguments, "backup"));
    let mut progress = Progress::new("transactions:");
    let taken = backup::take(&from, to, &mut || progress.step())?;
    drop(progress);
    if let Some(after) = taken.gap_after() {
        warn_of_gap(after);
    }
    let mut facts = Facts::default();
    facts.add("backup", to.display().to_string());
    facts.add("snapshot_copied", taken.snapshot.map(|zxid| zxid.to_string()));
    facts.add("new_transactions", taken.piece.frames);
    facts.add("bytes", taken.piece.bytes);
    facts.add("reaches_zxid", taken.piece.last.to_string());
    facts.print(arguments.get_flag("json"))?;
    Ok(ExitCode::SUCCESS)
}

/// The backup ended there, and what was added begins later.
pub(super) fn warn_of_gap(after: Zxid) {
    eprintln!(
        "warning: the log no longer reached back to {after}: a new snapshot was taken, and no state between the two can \
         be restored; run this more often"
    );
}

/// The subcommand.
pub(super) fn restore_command() -> Command {
    let list = Arg::new("list").long("list").action(ArgAction::SetTrue).help("Only show what can be restored");
    let zxid = Arg::new("to-zxid")
        .long("to-zxid")
        .value_name("ZXID")
        .value_parser(super::zxid)
        .conflicts_with("to-time")
        .help("The state after this transaction [default: the newest]");
    let time = Arg::new("to-time")
        .long("to-time")
        .value_name("TIME")
        .value_parser(time)
        .help("The state at this time in UTC, for example 2026-11-26T12:00:00Z");
    Command::new("restore")
        .about("Make a data directory from a backup, as it was at some time")
        .arg(unless_server(super::dir("backup", "BACKUP_DIR", "Where the backup is")))
        .arg(
            super::dir("data-dir", "DATA_DIR", "Where to write; must be empty, or not exist")
                .required(false)
                .conflicts_with("server")
                .required_unless_present_any(["list", "server"]),
        )
        .arg(
            super::other_dir("log-dir", "Where to write the log [default: the data directory]")
                .conflicts_with("server"),
        )
        .args(remote::arguments())
        .arg(
            super::other_dir("from", "What the state of that ensemble becomes: a snapshot, or a backup's directory")
                .value_name("SNAPSHOT|BACKUP_DIR")
                .requires("server"),
        )
        .args([zxid, time, list, super::json()])
        .after_help(RESTORE_EXAMPLES)
}

/// Stored state is named by its place, unless a server is asked.
fn unless_server(argument: Arg) -> Arg {
    argument.required(false).required_unless_present("server").conflicts_with("server")
}

fn time(text: &str) -> Result<WallMs, String> {
    let at = humantime::parse_rfc3339_weak(text).map_err(|_| "give a time as 2026-11-26T12:00:00Z".to_owned())?;
    let since = at.duration_since(UNIX_EPOCH).map_err(|_| "give a time after 1970".to_owned())?;
    Ok(WallMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

/// Runs it.
pub(super) fn run_restore(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    if let Some(server) = remote::server(arguments) {
        return remote::restore(&server?, arguments, target(arguments));
    }
    let from = BackupDir::open(super::path(arguments, "backup"))?;
    let json = arguments.get_flag("json");
    if arguments.get_flag("list") {
        return list(&from, json);
    }
    let to = super::directories(arguments);
    to.must_be_empty()?;
    let mut progress = Progress::new("reading:");
    let restored = backup::restore(&from, target(arguments), &to, &mut || progress.step())?;
    drop(progress);
    let mut facts = Facts::default();
    facts.add("restored", from.path.display().to_string());
    facts.add("into", to.data.display().to_string());
    facts.add("transactions_after_the_snapshot", restored.transactions);
    facts.add("last_transaction_at", restored.wall.map(moment));
    facts.add_tree(&restored.tree);
    facts.print(json)?;
    Ok(ExitCode::SUCCESS)
}

fn target(arguments: &ArgMatches) -> Target {
    let zxid = arguments.get_one::<u64>("to-zxid").map(|zxid| Target::Zxid(Zxid(*zxid)));
    let time = arguments.get_one::<WallMs>("to-time").map(|at| Target::Time(*at));
    zxid.or(time).unwrap_or(Target::Newest)
}

fn list(from: &BackupDir, json: bool) -> anyhow::Result<ExitCode> {
    let (chains, reached) = (from.chains()?, from.reached()?);
    for (n, chain) in chains.iter().enumerate() {
        let missing = n + 1 == chains.len() && chain.last() < reached;
        let mut facts = Facts::default();
        facts.add("from_zxid", chain.first().to_string());
        facts.add("through_zxid", chain.last().to_string());
        facts.add("snapshot_at", chain.base.map(|base| moment(base.wall)));
        facts.add("last_transaction_at", moment(chain.last_wall()));
        facts.add("transactions", chain.pieces.iter().map(|piece| piece.frames).sum::<u64>());
        facts.add("missing_through_zxid", missing.then(|| reached.to_string()));
        facts.print(json)?;
    }
    Ok(ExitCode::SUCCESS)
}
