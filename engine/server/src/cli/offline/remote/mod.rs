//! `ringkeeper backup --server` and `ringkeeper restore --server`: the state of a running ensemble as a file, and back, by
//! its admin server.

mod address;
mod grow;
mod http;

use super::facts::Facts;
use super::progress::Progress;
use crate::offline::Directories;
use crate::offline::backup::{self, BackupDir, Target};
use address::Address;
use anyhow::Context as _;
use clap::{Arg, ArgMatches};
use ringkeeper_core::ids::Zxid;
use ringkeeper_txnlog::snapshot::{snapshot_name, snapshot_zxid};
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const MIB: u64 = 1 << 20;

/// Those of both commands.
pub(super) fn arguments() -> [Arg; 4] {
    let server = Arg::new("server")
        .long("server")
        .value_name("URL")
        .help("Ask a running server, by its admin server: http[s]://host:port[/commands]");
    let auth = Arg::new("auth")
        .long("auth")
        .value_name("SCHEME:CREDENTIAL")
        .env("RINGKEEPER_AUTH")
        .hide_env_values(true)
        .help("Who asks, with --server: digest:user:password, ip, or x509 (with --tls-cert)");
    let [authorities, certificate] = crate::cli::tls::arguments();
    [server, auth, authorities.requires("server"), certificate]
}

/// The server that is to be asked, if there is one.
pub(super) fn server(arguments: &ArgMatches) -> Option<anyhow::Result<Address>> {
    let url = arguments.get_one::<String>("server")?;
    let auth = arguments.get_one::<String>("auth").map(String::as_str);
    Some(Address::parse(url, auth, crate::cli::tls::given(arguments).as_ref()))
}

/// Adds to a backup's directory, or writes the present state to a file.
pub(super) fn backup(server: &Address, arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    if let Some(into) = super::other_path(arguments, "into") {
        grow::run(server, into, arguments.get_flag("json"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let to = super::other_path(arguments, "to").context("where to? give --into BACKUP_DIR, or --to FILE")?;
    anyhow::ensure!(
        !BackupDir::is_one(to),
        "{} is a backup that transactions are added to: give --into for --to, or a file",
        to.display()
    );
    let mut progress = Progress::new("received:");
    let mut answer = http::ask(server, "GET", "snapshot", None, &mut |_| {})?.or_refusal()?;
    let zxid = answer.last_zxid()?;
    let to = if to.is_dir() { to.join(snapshot_name(zxid)) } else { to.to_owned() };
    // Under its name there is only what is whole.
    let partial = to.with_added_extension("part");
    let mut file = File::create(&partial).with_context(|| partial.display().to_string())?;
    let mut say = |done: u64| progress.say(&format!("received {} MiB", done / MIB));
    let bytes = answer.save(&mut file, &mut say).with_context(|| format!("{} is not complete", partial.display()))?;
    file.sync_all()?;
    fs::rename(&partial, &to).with_context(|| to.display().to_string())?;
    drop(progress);
    let mut facts = Facts::default();
    facts.add("backup", to.display().to_string());
    facts.add("zxid", zxid.to_string());
    facts.add("bytes", bytes);
    facts.print(arguments.get_flag("json"))?;
    Ok(ExitCode::SUCCESS)
}

/// Has the state of an ensemble replaced.
pub(super) fn restore(server: &Address, arguments: &ArgMatches, target: Target) -> anyhow::Result<ExitCode> {
    let from = super::other_path(arguments, "from").context("from what? give --from SNAPSHOT, or --from BACKUP_DIR")?;
    let mut progress = Progress::new("reading:");
    let made;
    let snapshot = if from.is_dir() {
        made = Made::of(from, target, &mut progress)?;
        made.snapshot()?
    } else {
        anyhow::ensure!(
            matches!(target, Target::Newest),
            "{} is one state: --to-zxid and --to-time are for backups",
            from.display()
        );
        from.to_owned()
    };
    let file = File::open(&snapshot).with_context(|| snapshot.display().to_string())?;
    let size = file.metadata()?.len();
    let mut say = |done: u64| {
        let text = if done < size { "sent" } else { "the tree is being replaced; sent" };
        progress.say(&format!("{text} {} of {} MiB", done / MIB, size / MIB));
    };
    let mut answer = http::ask(server, "POST", "restore", Some(file), &mut say)?.or_refusal()?;
    let mut body = Vec::new();
    answer.save(&mut body, &mut |_| {})?;
    drop(progress);
    let told: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&body).context("the answer is no JSON")?;
    let mut facts = Facts::default();
    facts.add("restored", from.display().to_string());
    for (name, value) in told.into_iter().filter(|(name, _)| name != "command" && name != "error") {
        let is_zxid = name.ends_with("zxid");
        let zxid = value.as_u64().filter(|_| is_zxid).map(|zxid| Zxid(zxid).to_string());
        facts.add(&name, zxid.map_or(value, Into::into));
    }
    facts.print(arguments.get_flag("json"))?;
    Ok(ExitCode::SUCCESS)
}

/// Directories with a state of a backup, which go with the value.
struct Made(PathBuf);

impl Made {
    fn of(from: &Path, target: Target, progress: &mut Progress) -> anyhow::Result<Made> {
        let from = BackupDir::open(from)?;
        let path = std::env::temp_dir().join(format!("ringkeeper-restore-{}", std::process::id()));
        // A state is nobody else's business.
        fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| path.display().to_string())?;
        let made = Made(path);
        let to = Directories::new(&made.0, None);
        backup::restore(&from, target, &to, &mut || progress.step())?;
        Ok(made)
    }

    fn snapshot(&self) -> anyhow::Result<PathBuf> {
        let mut entries = fs::read_dir(&self.0)?.filter_map(Result::ok).map(|entry| entry.path());
        let is_snapshot =
            |path: &PathBuf| path.file_name().is_some_and(|n| snapshot_zxid(&n.to_string_lossy()).is_some());
        entries.find(is_snapshot).context("the backup has given no snapshot")
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
