//! The record of whose data a directory holds: a server's place in its ensemble. A directory that was copied or mounted at
//! the wrong server is refused; two servers with one history would both vote for it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::Verdict;
use crate::config::{Config, key::parse_int, properties};
use crate::exit::Status;

/// The file's name.
const FILE: &str = "owner";
const FILE_TMP: &str = "owner.tmp";
/// The version of its format.
const FORMAT: i64 = 1;

/// Whose data it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `ensemble.name`
    pub ensemble: String,
    /// The number of the server.
    pub server: u8,
}

impl Owner {
    /// The server of this configuration; `None` if it stands alone.
    pub fn of(config: &Config) -> Option<Owner> {
        config.ensemble.as_ref().map(|own| Owner { ensemble: own.name.clone(), server: own.id })
    }

    /// Writes the record, durably, if there is none. To be called by whoever has the directory for itself.
    ///
    /// # Errors
    /// Of the system.
    pub fn record(&self, dir: &Path) -> io::Result<()> {
        let path = dir.join(FILE);
        if path.exists() {
            return Ok(());
        }
        let text = format!(
            "# Whose data this directory holds. Another server does not start with it.\nformat={FORMAT}\nensemble={}\nserver={}\n",
            self.ensemble, self.server
        );
        let tmp = dir.join(FILE_TMP);
        let mut file = File::create(&tmp)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&tmp, &path)?;
        File::open(dir)?.sync_all()
    }
}

/// The record of a directory, if it has one.
pub(super) fn read(dir: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(dir.join(FILE)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the record allows `claim` to take the directory.
pub(super) fn judge(record: &[u8], claim: &Owner) -> Result<(), Verdict> {
    let damaged = || {
        let remedy = format!("if the data is this server's, remove the file {FILE}; it is written anew");
        (Status::Damaged, format!("has a file {FILE} that cannot be understood"), remedy)
    };
    let text = properties::decode(record).map_err(|_| damaged())?.text;
    let entries = properties::parse(&text).map_err(|_| damaged())?;
    let value = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    match value("format").and_then(parse_int) {
        Some(FORMAT) => {}
        Some(newer) if newer > FORMAT => {
            let wrong = format!("has a file {FILE} of format {newer}, this program reads format {FORMAT}");
            return Err((Status::Newer, wrong, "use the program that wrote it, or a newer one".to_owned()));
        }
        _ => return Err(damaged()),
    }
    let server = value("server").and_then(parse_int).and_then(|id| u8::try_from(id).ok()).ok_or_else(damaged)?;
    let owner = Owner { ensemble: value("ensemble").ok_or_else(damaged)?.to_owned(), server };
    if owner == *claim {
        return Ok(());
    }
    let wrong = format!(
        "holds the data of server {} of ensemble {}, and this is server {} of ensemble {}",
        owner.server, owner.ensemble, claim.server, claim.ensemble
    );
    let remedy = if owner.ensemble == claim.ensemble {
        format!("correct the directory, myid or --id; if the data was brought here on purpose, remove the file {FILE}")
    } else {
        format!("correct the directory or ensemble.name; if the ensemble was renamed, remove the file {FILE}")
    };
    Err((Status::Foreign, wrong, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(ensemble: &str, server: u8) -> Owner {
        Owner { ensemble: ensemble.to_owned(), server }
    }

    #[test]
    fn what_is_recorded_is_recognised_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        owner("blue", 2).record(dir.path()).unwrap();
        owner("red", 3).record(dir.path()).unwrap();
        let record = read(dir.path()).unwrap().unwrap();
        assert_eq!(judge(&record, &owner("blue", 2)), Ok(()));
        let (status, wrong, remedy) = judge(&record, &owner("blue", 1)).unwrap_err();
        assert_eq!(status, Status::Foreign);
        assert_eq!(wrong, "holds the data of server 2 of ensemble blue, and this is server 1 of ensemble blue");
        assert!(remedy.contains("myid"), "{remedy}");
        assert!(judge(&record, &owner("red", 2)).unwrap_err().2.contains("ensemble.name"));
    }

    #[test]
    fn records_that_say_nothing() {
        let status = |record: &[u8]| judge(record, &owner("a", 1)).map_err(|(status, ..)| status);
        assert_eq!(status(b"format=2\nanything"), Err(Status::Newer));
        for bad in [&b""[..], b"\0", b"format=1\nserver=1", b"format=1\nensemble=a\nserver=999", b"format=x"] {
            assert_eq!(status(bad), Err(Status::Damaged), "{bad:?}");
        }
    }
}
