//! `ringkeeper log`: looks into a transaction log.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Arg, ArgMatches, Command, value_parser};
use ringkeeper_core::ids::Zxid;
use ringkeeper_txnlog::config::{LogConfig, SnapshotConfig};
use ringkeeper_txnlog::recovery::Recovery;
use ringkeeper_zookeeper_files::{Files as _, LogEnd, LogReader, log_zxid};
use serde_json::Value;

use super::facts::Facts;
use super::progress::Progress;
use crate::offline::Directories;
use crate::offline::describe::{self, Object};
use crate::offline::zookeeper::ZooKeeperDirs;

const EXAMPLES: &str = "\
Examples:
  Who deleted that node, and when?
    ringkeeper log dump /var/lib/ringkeeper | grep 'delete /app/config'
  The transactions of an epoch as JSON, for jq:
    ringkeeper log dump /var/lib/ringkeeper --from 0x300000001 --through 0x3ffffffff --json
  Is every transaction intact, and how far does the log reach?
    ringkeeper log check /var/lib/ringkeeper
  A log of ZooKeeper's, a file or a whole directory:
    ringkeeper log dump /var/lib/zookeeper/version-2/log.100000001

DIR is where the log is (dataLogDir, if there is one, and the dataDir as --data-dir). The server may be running: then what it
has just written may be missing. A transaction that is not known to be committed is marked `committed=false`.
Exit status: 0 done, 1 failed or damaged, 2 wrong command line.";

/// The subcommand.
pub(super) fn command() -> Command {
    let zxid = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("ZXID").value_parser(super::zxid).help(help)
    };
    let common = |name: &'static str, about: &'static str| {
        let source = Arg::new("source").value_name("DIR").required(true).value_parser(value_parser!(PathBuf));
        let data = super::other_dir("data-dir", "dataDir of the server [default: DIR]");
        Command::new(name).about(about).args([source.help("Where the log is"), data, super::json()])
    };
    let dump = common("dump", "Print all transactions, one a line")
        .args([zxid("from", "Begin with this one"), zxid("through", "End with this one")]);
    let check = common("check", "Verify every transaction");
    Command::new("log")
        .about("Look into a transaction log: dump, check")
        .subcommands([dump, check])
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXAMPLES)
}

/// Runs it.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    match arguments.subcommand() {
        Some(("dump", arguments)) => dump(arguments),
        Some(("check", arguments)) => check(arguments),
        _ => unreachable!("clap demands one of the subcommands"),
    }
}

fn dump(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let given = |name: &str, default| arguments.get_one::<u64>(name).copied().unwrap_or(default);
    let (from, through) = (given("from", 0), given("through", u64::MAX));
    let json = arguments.get_flag("json");
    let mut out = BufWriter::new(io::stdout().lock());
    let read = read(arguments, |zxid, describe| {
        if zxid < from || zxid > through {
            return Ok(());
        }
        let fields = describe();
        match json {
            true => writeln!(out, "{}", Value::Object(fields)),
            false => writeln!(out, "{}", describe::line(&fields)),
        }
    });
    // What was read before an error is worth showing, too.
    out.flush()?;
    for end in read?.torn {
        eprintln!("the end is torn: {end}");
    }
    Ok(ExitCode::SUCCESS)
}

fn check(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new("checking transactions:");
    let found = read(arguments, |_, _| {
        progress.step();
        Ok(())
    });
    drop(progress);
    let found = found?;
    let zxid = |zxid: u64| (found.transactions > 0).then(|| describe::zxid(zxid));
    let mut facts = Facts::default();
    facts.add("intact", true);
    facts.add("transactions", found.transactions);
    facts.add("first", zxid(found.first));
    facts.add("last", zxid(found.last));
    facts.add("committed_through", found.committed.map(|zxid| zxid.to_string()));
    facts.add("torn_end", found.torn);
    facts.print(arguments.get_flag("json"))?;
    Ok(ExitCode::SUCCESS)
}

/// What there was in a log.
#[derive(Default)]
struct Found {
    transactions: u64,
    first: u64,
    last: u64,
    /// Of a log of ours.
    committed: Option<Zxid>,
    /// Where an unfinished transaction was found at an end.
    torn: Vec<String>,
}

impl Found {
    fn count(&mut self, zxid: u64) {
        if self.transactions == 0 {
            self.first = zxid;
        }
        self.transactions += 1;
        self.last = zxid;
    }
}

/// Gives `each` the zxid of every transaction, and how it can be described.
fn read(
    arguments: &ArgMatches,
    mut each: impl FnMut(u64, &dyn Fn() -> Object) -> io::Result<()>,
) -> anyhow::Result<Found> {
    let path = super::path(arguments, "source");
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found = Found::default();
    if path.is_file() && log_zxid(&name).is_some() {
        let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
        read_zookeepers(&path.display().to_string(), file, &mut found, &mut each)?;
    } else if path.join("version-2").is_dir() || path.ends_with("version-2") {
        let dirs = ZooKeeperDirs::find(path, None)?;
        let mut names = dirs.names()?;
        names.retain(|name| log_zxid(name).is_some());
        names.sort_by_key(|name| log_zxid(name));
        for name in names {
            read_zookeepers(&name, dirs.open(&name)?, &mut found, &mut each)?;
        }
    } else {
        read_ours(path, super::other_path(arguments, "data-dir"), &mut found, &mut each)?;
    }
    Ok(found)
}

fn read_zookeepers(
    name: &str,
    file: impl io::Read,
    found: &mut Found,
    each: &mut impl FnMut(u64, &dyn Fn() -> Object) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut reader = LogReader::open(name, io::BufReader::with_capacity(1 << 20, file))?;
    while let Some(entry) = reader.next_entry()? {
        let zxid = entry.header.zxid as u64;
        found.count(zxid);
        each(zxid, &|| describe::entry(&entry))?;
    }
    if let Some(LogEnd::Torn { offset, what }) = reader.end() {
        found.torn.push(format!("{name} at offset {offset}: {what}"));
    }
    Ok(())
}

fn read_ours(
    log: &Path,
    data: Option<&Path>,
    found: &mut Found,
    each: &mut impl FnMut(u64, &dyn Fn() -> Object) -> io::Result<()>,
) -> anyhow::Result<()> {
    let directories = Directories { data: data.unwrap_or(log).to_owned(), log: log.to_owned() };
    let dirs = directories.look_at()?;
    let context = || log.display().to_string();
    let recovery = Recovery::open(dirs, LogConfig::default(), SnapshotConfig::default()).with_context(context)?;
    let mut stopped = None;
    let read = recovery.frames(None, |frame, committed| {
        found.count(frame.zxid().0);
        each(frame.zxid().0, &|| describe::frame(frame, committed)).map_err(|error| {
            let text = error.to_string();
            stopped = Some(error);
            text
        })
    });
    if let Some(error) = stopped {
        return Err(error.into());
    }
    if let Some(summary) = read.with_context(context)? {
        found.committed = Some(summary.committed);
        found.torn.extend(summary.torn.map(|(file, offset)| format!("{file} at offset {offset}")));
    }
    Ok(())
}
