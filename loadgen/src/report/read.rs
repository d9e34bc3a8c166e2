//! Reads the documents that other commands wrote.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The schema that is understood; see [`crate::results`].
const SCHEMA: u64 = 1;
/// Far more than any document has. A larger file is something else.
const LARGEST: u64 = 256 << 20;

/// A document, as far as all commands have it in common.
#[derive(Clone, Debug, Deserialize)]
pub struct Document {
    /// The command that wrote it.
    pub command: String,
    /// When it was begun, milliseconds since 1970.
    pub started_ms: u64,
    /// The command line as understood.
    pub settings: Map<String, Value>,
    /// Of the machine that loadgen ran on.
    pub environment: Map<String, Value>,
    /// What was found.
    pub result: Value,
}

/// Why a file cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read.
    #[error("cannot read {}", .0.display())]
    Io(PathBuf, #[source] std::io::Error),
    /// It is larger than a result can be.
    #[error("{} has {size} bytes: that is no result of loadgen", file.display())]
    Large {
        /// The file.
        file: PathBuf,
        /// Its size.
        size: u64,
    },
    /// It is not JSON.
    #[error("{} is no JSON: expected a file that loadgen wrote with --json", .0.display())]
    NoJson(PathBuf, #[source] serde_json::Error),
    /// It was written by something else.
    #[error("{} was not written by loadgen's --json: its outermost value has no \"schema\"", .0.display())]
    Foreign(PathBuf),
    /// By another version.
    #[error("{} is of schema {schema}; this loadgen reads schema {SCHEMA}: use the version that wrote it", file.display())]
    Schema {
        /// The file.
        file: PathBuf,
        /// What it says.
        schema: Value,
    },
    /// Something is missing or of the wrong kind.
    #[error("{}: not as `loadgen {command}` writes it", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The command that it claims to be from.
        command: String,
        /// What is wrong.
        #[source]
        why: serde_json::Error,
    },
    /// Nothing was measured.
    #[error("{}: `loadgen {command}` wrote no figure that could be shown", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
        /// The command.
        command: String,
    },
}

/// Reads a file.
///
/// # Errors
/// Why it is no document of ours.
pub fn read(path: &Path) -> Result<Document, Unreadable> {
    let io = |error| Unreadable::Io(path.to_owned(), error);
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > LARGEST {
        return Err(Unreadable::Large { file: path.to_owned(), size });
    }
    parse(path, &std::fs::read(path).map_err(io)?)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Document, Unreadable> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| Unreadable::NoJson(path.to_owned(), error))?;
    match value.get("schema") {
        None => return Err(Unreadable::Foreign(path.to_owned())),
        Some(schema) if schema.as_u64() != Some(SCHEMA) => {
            return Err(Unreadable::Schema { file: path.to_owned(), schema: schema.clone() });
        }
        Some(_) => {}
    }
    let command = value.get("command").and_then(Value::as_str).unwrap_or("?").to_owned();
    serde_json::from_value(value).map_err(|why| Unreadable::Malformed { file: path.to_owned(), command, why })
}

#[cfg(test)]
mod tests {
    use super::{parse, read};
    use std::path::Path;

    fn refusal(text: &str) -> String {
        let error = anyhow::Error::new(parse(Path::new("x.json"), text.as_bytes()).unwrap_err());
        format!("{error:#}")
    }

    #[test]
    fn what_is_no_document_is_refused_by_name_and_reason() {
        for (text, says) in [
            ("", "x.json is no JSON"),
            ("{\"a\":1}\n{\"a\":2}", "trailing characters"),
            ("[1]", "was not written by loadgen"),
            ("{\"schema\":7}", "x.json is of schema 7"),
            ("{\"schema\":\"one\"}", "is of schema \"one\""),
            ("{\"schema\":1,\"command\":\"run\",\"started_ms\":1}", "not as `loadgen run` writes it: missing field"),
        ] {
            assert!(refusal(text).contains(says), "{text}: {}", refusal(text));
        }
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let refused = format!("{:#}", anyhow::Error::new(read(Path::new("/nowhere/x.json")).unwrap_err()));
        assert_eq!(refused, "cannot read /nowhere/x.json: No such file or directory (os error 2)");
        assert!(read(Path::new("/")).is_err());
    }
}
