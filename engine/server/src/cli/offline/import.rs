//! `ringkeeper import`: from a data directory of ZooKeeper's to one of ours.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Arg, ArgMatches, Command};
use ringkeeper_core::ids::Zxid;
use ringkeeper_zookeeper_files::{self as files, DigestCheck, Report};

use super::facts::Facts;
use super::progress::Progress;
use crate::offline::founding;
use crate::offline::zookeeper::ZooKeeperDirs;

const EXAMPLES: &str = "\
Examples:
  From the dataDir of a ZooKeeper server that is stopped, into a new directory:
    ringkeeper import /var/lib/zookeeper /var/lib/ringkeeper
  If its configuration has a dataLogDir, too, and the logs of Ringkeeper are to be on another disk:
    ringkeeper import /var/lib/zookeeper /var/lib/ringkeeper --zookeeper-log-dir /log/zookeeper --log-dir /log/ringkeeper
  As it was after a certain transaction:
    ringkeeper import /var/lib/zookeeper /var/lib/ringkeeper --through 0x40000a1b2

Of an ensemble, stop all servers and import from the one that led last: its history is the longest. Then start one server on
the new directory, alone, or once with --bootstrap true beside servers with empty directories, which get everything from it.

Everything is there: nodes with their whole stat, access lists, ephemeral nodes with their sessions (which stay alive for
their time-out after the start), containers, TTL nodes, quotas. Snapshots and logs of ZooKeeper 3.4 to 3.9 are read, also
compressed ones; every checksum is verified. An unfinished transaction at the end of a log is left out, as ZooKeeper does;
anything else that is damaged or missing is refused. Nothing is written to the ZooKeeper's directory.
docs/migration.md has the whole way. Exit status: 0 imported, 1 failed, 2 wrong command line.";

/// The subcommand.
pub(super) fn command() -> Command {
    let through = Arg::new("through")
        .long("through")
        .value_name("ZXID")
        .value_parser(super::zxid)
        .help("Leave out the transactions after this one");
    Command::new("import")
        .about("Make a data directory from one of ZooKeeper's")
        .arg(super::dir("zookeeper-data-dir", "ZOOKEEPER_DIR", "dataDir of the ZooKeeper server"))
        .arg(super::dir("data-dir", "DATA_DIR", "Where to write; must be empty, or not exist"))
        .arg(super::other_dir("zookeeper-log-dir", "dataLogDir of the ZooKeeper server [default: its dataDir]"))
        .arg(super::other_dir("log-dir", "Where to write the log [default: the data directory]"))
        .args([through, super::json()])
        .after_help(EXAMPLES)
}

/// Runs it.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let from = super::path(arguments, "zookeeper-data-dir");
    let from = ZooKeeperDirs::find(from, super::other_path(arguments, "zookeeper-log-dir"))?;
    let to = super::directories(arguments);
    to.must_be_empty()?;
    let through = arguments.get_one::<u64>("through").map(|zxid| *zxid as i64);

    let mut progress = Progress::new("reading nodes and transactions:");
    let loaded = files::load(&from, through, &mut || progress.step()).with_context(|| from.describe())?;
    let report = loaded.report;
    let (mut tree, dropped) = files::into_tree(loaded.tree).with_context(|| from.describe())?;
    if tree.last_zxid() == Zxid::ZERO {
        anyhow::bail!("{}: there is no transaction yet: start Ringkeeper with an empty directory", from.describe());
    }
    progress.say("writing");
    let epoch = from.accepted_epoch()?.max(tree.last_zxid().epoch());
    founding::found(&to, &mut tree, epoch)
        .with_context(|| format!("{} is not complete and must not be used: remove what is in it", to.data.display()))?;
    drop(progress);

    for warning in warnings(&report).into_iter().chain(from.note.map(str::to_owned)) {
        eprintln!("warning: {warning}");
    }
    let mut facts = Facts::default();
    facts.add("imported", from.describe());
    facts.add("into", to.data.display().to_string());
    facts.add("snapshot", report.snapshot);
    facts.add("log_files", report.logs);
    facts.add("transactions_after_the_snapshot", report.transactions);
    facts.add_tree(&tree);
    facts.add("agrees_with_zookeepers_digest", agrees(report.digest));
    facts.add("ephemeral_nodes_without_a_session", dropped.orphans);
    facts.print(arguments.get_flag("json"))?;
    Ok(ExitCode::SUCCESS)
}

fn agrees(digest: DigestCheck) -> Option<bool> {
    match digest {
        DigestCheck::Absent => None,
        DigestCheck::Agrees(_) => Some(true),
        DigestCheck::Differs { .. } => Some(false),
    }
}

/// What was noticed and does not stand in the way.
fn warnings(report: &Report) -> Vec<String> {
    let mut warnings: Vec<String> =
        report.passed_over.iter().map(|why| format!("an older snapshot was used: {why}")).collect();
    let torn = |torn: &String| format!("left out an unfinished transaction, of which no client was told: {torn}");
    warnings.extend(report.torn.iter().map(torn));
    if let DigestCheck::Differs { stated, found } = report.digest {
        warnings.push(format!(
            "the state is not quite the one that ZooKeeper had: its digest was {:x}, this one's is {:x}; import from another \
             server of the ensemble, and compare",
            stated.value, found.value
        ));
    }
    if let Some(seen) = report.beyond_the_log {
        warnings.push(format!(
            "the snapshot was written while transactions through 0x{seen:x} were applied, and the log ends before: some of \
             them may be there in part; import from another server of the ensemble, and compare"
        ));
    }
    warnings
}
