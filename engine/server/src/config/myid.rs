//! Which server of the ensemble this is: `--id`, or the file `myid` in the data directory.

use std::io;
use std::path::Path;

use super::ensemble::IDS;
use super::key::parse_int;
use super::problem::{Problem, Problems};
use super::settings::{Settings, Source};
use super::table as keys;
use crate::exit::Status;

/// The file's name, which is ZooKeeper's.
const FILE: &str = "myid";

/// This server's number; what the file says is recorded in the settings. `None` if it is unknown, which is then among
/// the problems. It is never guessed from addresses: two servers with one number can lose acknowledged writes.
pub(super) fn identify(settings: &mut Settings, data: Option<&Path>, problems: &mut Problems) -> Option<u8> {
    let given = settings.given(&keys::SERVER_ID).cloned();
    let number = given.as_ref().and_then(|given| parse_int(&given.value)).and_then(|id| u8::try_from(id).ok());
    // Without a data directory, which is a problem already, there is no file to look at.
    let Some(data) = data else { return number };
    let path = data.join(FILE);
    let written = match read(&path) {
        Ok(written) => written,
        Err(problem) => {
            problems.refuse(problem);
            return None;
        }
    };
    match (given, number, written) {
        (Some(given), Some(number), Some(written)) if number != written => {
            let wrong = format!("contradicts {}, which says {written}", path.display());
            let remedy = "correct the one that is wrong; the data in that directory belong to one server";
            problems.refuse(Problem::new(&given, &keys::SERVER_ID, &wrong, remedy).ending(Status::Identity));
            None
        }
        (_, Some(number), _) => Some(number),
        (_, None, Some(written)) => {
            settings.derive(&keys::SERVER_ID, written.to_string(), &path.display().to_string());
            Some(written)
        }
        (_, None, None) => {
            let wrong = format!("is unknown: {} is not there", path.display());
            let remedy = "give --id N, or write the number N of this server's line server.N into that file";
            problems.refuse(Problem::missing("the number of this server", &wrong, remedy).ending(Status::Identity));
            None
        }
    }
}

/// The number in the file; `None` if there is no file.
fn read(path: &Path) -> Result<Option<u8>, Problem> {
    let problem = |wrong: String, remedy: &str| {
        let source = Source::File { path: path.to_owned(), line: 1 };
        Problem::at(source, String::new(), &wrong, remedy).ending(Status::Identity)
    };
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // A file in the place of the directory is told of when the directory is looked at.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => {
            let remedy = "make the file readable for the server, or give --id N and remove it";
            return Err(problem(format!("cannot be read: {error}"), remedy));
        }
    };
    match parse_int(text.trim()).filter(|id| IDS.contains(id)).and_then(|id| u8::try_from(id).ok()) {
        Some(id) => Ok(Some(id)),
        None => {
            let shown: String = text.trim().chars().take(20).collect();
            let wrong = format!("{shown:?} is not a whole number from 1 to 254");
            Err(problem(wrong, "write nothing but the number N of this server's line server.N"))
        }
    }
}
