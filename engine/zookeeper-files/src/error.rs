//! What can be wrong with a file of ZooKeeper's.

use std::io;
use thiserror::Error;

/// Why a file, or a directory of them, cannot be taken for what it should be.
#[derive(Debug, Error)]
pub enum FileError {
    /// Bytes that fail a check.
    #[error("{file} at offset {offset}: {what}")]
    Damaged {
        /// Name of the file.
        file: String,
        /// Where in the file (in what it decompresses to, if it is compressed), in bytes.
        offset: u64,
        /// What was found there.
        what: String,
    },
    /// Another kind of file.
    #[error("{file} is {what}")]
    Foreign {
        /// Name of the file.
        file: String,
        /// What it is instead.
        what: String,
    },
    /// A format that nobody knew when this was written.
    #[error("{file} has format version {version}, this program reads version {known}: it is of a newer ZooKeeper")]
    Version {
        /// Name of the file.
        file: String,
        /// What it says.
        version: i32,
        /// What is known here.
        known: i32,
    },
    /// Files that do not fit together, or are not there.
    #[error("{0}")]
    Incomplete(String),
    /// A tree that Ringkeeper cannot hold.
    #[error("node {path}: {what}")]
    Node {
        /// Its path.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The operating system failed.
    #[error("reading {file}: {source}")]
    Io {
        /// Name of the file.
        file: String,
        /// Its answer.
        source: io::Error,
    },
}

impl FileError {
    /// Whether an older snapshot could do in place of this one.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, FileError::Damaged { .. } | FileError::Foreign { .. })
    }
}
