//! The data directories before anything in them is touched: whether they can be used, and whose data they hold.

mod owner;

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::config::{Config, table as keys};
use crate::exit::Status;
use crate::unusable::Unusable;

pub use owner::Owner;

/// Where ZooKeeper keeps its snapshots and its log, below its data directories.
const ZOOKEEPER: &str = "version-2";

/// A directory that the server needs.
struct Needed<'a> {
    path: &'a Path,
    setting: String,
}

impl Needed<'_> {
    fn unusable(&self, (status, wrong, remedy): Verdict) -> Unusable {
        Unusable { setting: self.setting.clone(), wrong, remedy, status }
    }

    fn failed(&self, error: &io::Error) -> Unusable {
        self.unusable((Status::Directory, format!("cannot be used: {error}"), remedy(error).to_owned()))
    }
}

/// Status, what is wrong, and the remedy.
type Verdict = (Status, String, String);

/// Looks whether the directories are free for this server. Changes nothing.
///
/// # Errors
/// [`Unusable`]
pub fn examine(config: &Config) -> Result<(), Unusable> {
    let claim = Owner::of(config);
    for needed in needed(config) {
        let metadata = match fs::metadata(needed.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                may_be_made(config, &needed)?;
                continue;
            }
            Err(error) => return Err(needed.failed(&error)),
        };
        if !metadata.is_dir() {
            return Err(needed.failed(&io::Error::from(io::ErrorKind::NotADirectory)));
        }
        let contents = Contents::of(needed.path).map_err(|error| needed.failed(&error))?;
        judge(&contents, claim.as_ref()).map_err(|verdict| needed.unusable(verdict))?;
    }
    Ok(())
}

/// Looks whether the directories could be written, or made if they are missing. Changes nothing.
///
/// # Errors
/// [`Unusable`]
pub fn examine_access(config: &Config) -> Result<(), Unusable> {
    for needed in needed(config) {
        let there = needed.path.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
        let nearest = there.into_iter().find(|path| path.exists()).unwrap_or(Path::new("/"));
        if nearest != needed.path && !nearest.is_dir() {
            return Err(needed.failed(&io::Error::from(io::ErrorKind::NotADirectory)));
        }
        writable(nearest).map_err(|error| needed.failed(&error))?;
    }
    Ok(())
}

/// What can be done about an error of the system on a data directory.
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "let the user that the server runs as own it (chown), with mode 700",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file stands where a directory has to be: give another directory, or move the file away"
        }
        io::ErrorKind::ReadOnlyFilesystem => "mount the file system for writing, or give a directory on another one",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space, or give a directory elsewhere",
        _ => "give a directory on a local disk that the server may write",
    }
}

fn needed(config: &Config) -> Vec<Needed<'_>> {
    let mut all = vec![Needed { path: &config.data.dir, setting: config.settings.named(&keys::DATA_DIR) }];
    if config.data.log_dir != config.data.dir {
        all.push(Needed { path: &config.data.log_dir, setting: config.settings.named(&keys::DATA_LOG_DIR) });
    }
    all
}

fn may_be_made(config: &Config, needed: &Needed<'_>) -> Result<(), Unusable> {
    if config.data.create {
        return Ok(());
    }
    let remedy = "make it, or correct the path: with datadir.autocreate=false the server makes none".to_owned();
    Err(needed.unusable((Status::Directory, "does not exist".to_owned(), remedy)))
}

/// What tells whose a directory is.
#[derive(Debug, Default)]
struct Contents {
    /// There are snapshots or logs of a ZooKeeper server.
    zookeeper: bool,
    /// There are files of a Ringkeeper server.
    ringkeeper: bool,
    /// The record of its owner.
    owner: Option<Vec<u8>>,
}

impl Contents {
    fn of(dir: &Path) -> io::Result<Contents> {
        let mut contents = Contents { owner: owner::read(dir)?, ..Contents::default() };
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            contents.ringkeeper |= name == "epochs" || name.starts_with("segment.") || name.starts_with("snap.");
        }
        let below = fs::read_dir(dir.join(ZOOKEEPER)).into_iter().flatten().flatten();
        contents.zookeeper = below.map(|entry| entry.file_name()).any(|name| {
            let name = name.to_string_lossy();
            name.starts_with("snapshot.") || name.starts_with("log.")
        });
        Ok(contents)
    }
}

/// Whether the directory is this server's, or nobody's. `claim` is who this server is in its ensemble; `None`: it stands
/// alone, and takes what it finds.
fn judge(contents: &Contents, claim: Option<&Owner>) -> Result<(), Verdict> {
    if contents.zookeeper && !contents.ringkeeper {
        return Err((Status::Foreign, format!("holds the data of a ZooKeeper server ({ZOOKEEPER}/)"), {
            "give an empty directory to start with nothing, or make a new one from it with `ringkeeper import`"
                .to_owned()
        }));
    }
    match (&contents.owner, claim) {
        (Some(record), Some(claim)) => owner::judge(record, claim),
        _ => Ok(()),
    }
}

fn writable(dir: &Path) -> io::Result<()> {
    let path = CString::new(dir.as_os_str().as_bytes())?;
    // SAFETY: a string that ends in zero and lives through the call.
    match unsafe { libc::access(path.as_ptr(), libc::R_OK | libc::W_OK | libc::X_OK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn load(dir: &Path, more: &str) -> Config {
        let text = format!("dataDir={}\nserver.1=a:1:2\nserver.2=b:1:2\nserver.id=1\n{more}", dir.display());
        let file = Some((PathBuf::from("zoo.cfg"), text.into_bytes()));
        Config::load(&crate::config::Inputs { file, ..Default::default() }, 1).unwrap().0
    }

    #[test]
    fn a_directory_that_is_missing_or_empty_is_anybodys() {
        let top = tempfile::tempdir().unwrap();
        assert_eq!(examine(&load(top.path(), "")), Ok(()));
        let missing = top.path().join("a/b");
        assert_eq!(examine(&load(&missing, "")), Ok(()));
        assert_eq!(examine_access(&load(&missing, "")), Ok(()));
        let refused = examine(&load(&missing, "datadir.autocreate=false")).unwrap_err();
        assert_eq!((refused.status, refused.wrong.as_str()), (Status::Directory, "does not exist"));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let top = tempfile::tempdir().unwrap();
        let file = top.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let said = examine(&load(&path, "")).and_then(|()| examine_access(&load(&path, ""))).unwrap_err();
            assert_eq!(said.status, Status::Directory);
            assert!(said.to_string().starts_with(&format!("zoo.cfg:1: dataDir={} cannot be used", path.display())));
            assert!(said.remedy.starts_with("a file stands where"), "{said}");
        }
    }

    #[test]
    fn zookeepers_data_is_not_started_beside() {
        let top = tempfile::tempdir().unwrap();
        let below = top.path().join(ZOOKEEPER);
        fs::create_dir(&below).unwrap();
        assert_eq!(examine(&load(top.path(), "")), Ok(()), "nothing in it yet");
        fs::write(below.join("snapshot.0"), "").unwrap();
        let said = examine(&load(top.path(), "")).unwrap_err();
        assert_eq!(said.status, Status::Foreign);
        fs::write(top.path().join("epochs"), "").unwrap();
        assert_eq!(examine(&load(top.path(), "")), Ok(()), "what is imported may stay beside");
    }

    #[test]
    fn the_owner_is_asked_for_in_both_directories() {
        let top = tempfile::tempdir().unwrap();
        let (data, log) = (top.path().join("data"), top.path().join("log"));
        fs::create_dir(&data).unwrap();
        fs::create_dir(&log).unwrap();
        let config = load(&data, &format!("dataLogDir={}", log.display()));
        Owner::of(&config).unwrap().record(&data).unwrap();
        Owner { ensemble: "ringkeeper".into(), server: 2 }.record(&log).unwrap();
        let said = examine(&config).unwrap_err();
        assert_eq!(said.status, Status::Foreign);
        assert!(said.to_string().contains("dataLogDir=") && said.to_string().contains("server 2"), "{said}");
    }
}
