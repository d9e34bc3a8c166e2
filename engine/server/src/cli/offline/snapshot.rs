//! `ringkeeper snapshot`: looks into stored state.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ringkeeper_core::tree::{Node, Tree};
use ringkeeper_txnlog::snapshot::snapshot_zxid;
use ringkeeper_zookeeper_files::walk;
use serde_json::{Value, json};

use super::facts::Facts;
use super::progress::Progress;
use super::survey::Survey;
use crate::offline::describe;
use crate::offline::source::{Source, read_snapshot};

/// Two states are not the same.
const DIFFERENT: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  Where are the nodes and the bytes?
    ringkeeper snapshot summary /var/lib/ringkeeper
  All nodes below a path, one a line; the same as JSON, for jq:
    ringkeeper snapshot dump /var/lib/ringkeeper --path /app
    ringkeeper snapshot dump /var/lib/ringkeeper --json | jq 'select(.length > 100000).path'
  Are all snapshots of a server intact? (for a nightly job: exit status 1 if not)
    ringkeeper snapshot check /var/lib/ringkeeper
  What has changed between two snapshots, or between two servers?
    ringkeeper snapshot diff snap.00000002000000a1 snap.0000000300000042

A directory stands for its newest snapshot with the log after it: the server may be running, then what it has just written may
be missing. A file is one snapshot. ZooKeeper's directories and snapshots are read, too.
Exit status: 0 done, 1 failed or damaged, 2 wrong command line, 3 (diff) not the same.";

/// The subcommand.
pub(super) fn command() -> Command {
    let depth = number("depth", "2", "Subtrees whose top is at most so deep");
    let top = number("top", "10", "Entries of each list");
    let path = Arg::new("path")
        .long("path")
        .value_name("PATH")
        .default_value("/")
        .help("Only the nodes at and below this one");
    let data = Arg::new("no-data").long("no-data").action(ArgAction::SetTrue).help("Leave the data out");
    let mut command = Command::new("snapshot").about("Look into stored state: summary, dump, check, diff");
    for (name, about) in [
        ("summary", "Count nodes by kind, and find the largest subtrees and nodes"),
        ("dump", "Print all nodes and sessions, one a line"),
        ("check", "Verify snapshots; of a directory, all of them"),
    ] {
        command = command.subcommand(common(name, about).arg(source("source", "A directory, or one snapshot")));
    }
    let diff = common("diff", "Compare two states by path")
        .args([source("left", "A directory, or one snapshot"), source("right", "Another one")]);
    command
        .mut_subcommand("summary", |command| command.args([depth, top]))
        .mut_subcommand("dump", |command| command.args([path, data]))
        .subcommand(diff)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXAMPLES)
}

fn common(name: &'static str, about: &'static str) -> Command {
    let log = super::other_dir("log-dir", "dataLogDir of the server [default: its dataDir]");
    Command::new(name).about(about).args([log, super::json()])
}

fn source(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name("FILE|DIR").required(true).value_parser(value_parser!(PathBuf)).help(help)
}

fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("N").default_value(default).value_parser(value_parser!(u16)).help(help)
}

/// Runs it.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    match arguments.subcommand() {
        Some(("summary", arguments)) => summary(arguments),
        Some(("dump", arguments)) => dump(arguments),
        Some(("check", arguments)) => check(arguments),
        Some(("diff", arguments)) => diff(arguments),
        _ => unreachable!("clap demands one of the subcommands"),
    }
}

fn read(arguments: &ArgMatches, name: &str) -> anyhow::Result<Tree> {
    let mut progress = Progress::new("reading:");
    let source = Source::find(super::path(arguments, name), super::other_path(arguments, "log-dir"))?;
    source.read(&mut || progress.step())
}

fn summary(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let tree = read(arguments, "source")?;
    let given = |name| usize::from(*arguments.get_one::<u16>(name).expect("has a default"));
    let top = given("top");
    let survey = Survey::of(&tree, given("depth"), top);
    let mut facts = Facts::default();
    facts.add_tree(&tree);
    let json = arguments.get_flag("json");
    if json {
        if let Value::Object(fields) = survey.to_json(top) {
            fields.into_iter().for_each(|(name, value)| facts.add(&name, value));
        }
        facts.print(true)?;
    } else {
        facts.print(false)?;
        print_survey(&survey, top)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_survey(survey: &Survey, top: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\nlargest subtrees\n{:>12}  {:>12}  path", "bytes", "nodes")?;
    for (path, extent) in survey.largest_subtrees(top) {
        writeln!(out, "{:>12}  {:>12}  {path}", extent.bytes, extent.nodes)?;
    }
    for (title, list) in
        [("largest nodes (bytes of data)", &survey.largest), ("widest nodes (children)", &survey.widest)]
    {
        writeln!(out, "\n{title}")?;
        for (n, path) in list {
            writeln!(out, "{n:>12}  {path}")?;
        }
    }
    writeln!(out, "\ndeepest node\n{:>12}  {}", survey.deepest.0, survey.deepest.1)
}

fn dump(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let tree = read(arguments, "source")?;
    let (json, with_data) = (arguments.get_flag("json"), !arguments.get_flag("no-data"));
    let top = arguments.get_one::<String>("path").expect("has a default").as_str();
    anyhow::ensure!(tree.get(top).is_some(), "there is no node {top}");
    let top = if top == "/" { "" } else { top };
    let mut out = BufWriter::new(io::stdout().lock());
    if top.is_empty() {
        for (id, entry) in tree.sessions() {
            let session = json!({"session": id.to_string(), "timeout_ms": entry.timeout_ms});
            match json {
                true => writeln!(out, "{session}")?,
                false => writeln!(out, "session {id} timeout_ms={}", entry.timeout_ms)?,
            }
        }
    }
    walk(&tree, |path, node| {
        let inside = path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !inside {
            return Ok(());
        }
        let fields = describe::node(path, &node, with_data);
        match json {
            true => writeln!(out, "{}", Value::Object(fields)),
            false => writeln!(out, "{}", describe::line(&fields)),
        }
    })?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Of a directory, each snapshot, and then what a start would make of it.
fn check(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let path = super::path(arguments, "source");
    let source = Source::find(path, super::other_path(arguments, "log-dir"))?;
    let json = arguments.get_flag("json");
    let mut sound = true;
    if let Source::Directories(directories) = &source {
        directories.must_exist()?;
        for file in snapshots(&directories.data)? {
            let mut progress = Progress::new("checking blocks:");
            let read = read_snapshot(&file, &mut || progress.step());
            drop(progress);
            sound &= report(&file, read, json)?;
        }
    }
    let mut progress = Progress::new("checking:");
    let read = source.read(&mut || progress.step());
    drop(progress);
    sound &= report(path, read, json)?;
    Ok(if sound { ExitCode::SUCCESS } else { crate::exit::Status::Failed.into() })
}

fn snapshots(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if snapshot_zxid(&entry.file_name().to_string_lossy()).is_some() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Whether it is sound.
fn report(path: &Path, read: anyhow::Result<Tree>, json: bool) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let path = path.display().to_string();
    let sound = read.is_ok();
    match (read, json) {
        (Ok(tree), true) => {
            let (zxid, digest) = (tree.last_zxid().to_string(), format!("{:016x}", tree.digest()));
            let object =
                json!({"file": path, "intact": true, "zxid": zxid, "nodes": tree.node_count(), "digest": digest});
            writeln!(out, "{object}")?;
        }
        (Ok(tree), false) => {
            let (zxid, nodes, digest) = (tree.last_zxid(), tree.node_count(), tree.digest());
            writeln!(out, "{path}: intact, zxid {zxid}, {nodes} nodes, digest {digest:016x}")?;
        }
        (Err(error), true) => {
            writeln!(out, "{}", json!({"file": path, "intact": false, "error": format!("{error:#}")}))?
        }
        (Err(error), false) => writeln!(out, "{path}: NOT INTACT: {error:#}")?,
    }
    Ok(sound)
}

fn diff(arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (left, right) = (read(arguments, "left")?, read(arguments, "right")?);
    let json = arguments.get_flag("json");
    let mut out = BufWriter::new(io::stdout().lock());
    let mut same = true;
    let mut say = |sign: &str, path: &str, changes: Vec<Value>| {
        same = false;
        let path = if path.is_empty() { "/" } else { path };
        match json {
            true => writeln!(out, "{}", json!({"change": sign, "path": path, "fields": changes})),
            false => {
                let changes: Vec<String> = changes.iter().map(text_of_change).collect();
                let gap = if changes.is_empty() { "" } else { "  " };
                writeln!(out, "{sign} {path}{gap}{}", changes.join(" "))
            }
        }
    };
    let sessions = |tree: &Tree| -> BTreeMap<String, i32> {
        tree.sessions().map(|(id, entry)| (format!("session {id}"), entry.timeout_ms)).collect()
    };
    let (before, after) = (sessions(&left), sessions(&right));
    for (sign, these, others) in [("-", &before, &after), ("+", &after, &before)] {
        these.keys().filter(|name| !others.contains_key(*name)).try_for_each(|name| say(sign, name, Vec::new()))?;
    }
    walk(&left, |path, node| match right.get(if path.is_empty() { "/" } else { path }) {
        None => say("-", path, Vec::new()),
        Some(other) => match changes(&node, &other) {
            changes if changes.is_empty() => Ok(()),
            changes => say("~", path, changes),
        },
    })?;
    walk(&right, |path, _| match left.get(if path.is_empty() { "/" } else { path }) {
        None => say("+", path, Vec::new()),
        Some(_) => Ok(()),
    })?;
    out.flush()?;
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

/// The fields that are not the same, each with its values.
fn changes(left: &Node<'_>, right: &Node<'_>) -> Vec<Value> {
    let (before, after) = (describe::node("", left, true), describe::node("", right, true));
    let differs = |name: &String| before[name] != after[name];
    before.keys().filter(|name| differs(name)).map(|n| json!({"field": n, "from": before[n], "to": after[n]})).collect()
}

fn text_of_change(change: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let field = text(&change["field"]);
    match field.as_str() {
        "data" => field,
        _ => format!("{field}:{}->{}", text(&change["from"]), text(&change["to"])),
    }
}
