//! What can be wrong with what is on the disk, and with the disk.

use ringkeeper_core::ids::Zxid;
use std::{fmt, io};
use thiserror::Error;

/// Stored data that fails its check and is not explained by a crash. The server must not start on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Corruption {
    /// Name of the file in its directory.
    pub file: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// Last transaction before the damage that is intact, as far as known.
    pub after: Option<Zxid>,
    /// First transaction (or end of the chain) behind the damage that is known to have existed.
    pub until: Option<Zxid>,
    /// What was found, for people.
    pub what: String,
}

impl Corruption {
    pub(crate) fn new(file: impl Into<String>, offset: u64, what: impl Into<String>) -> Corruption {
        Corruption { file: file.into(), offset, after: None, until: None, what: what.into() }
    }

    pub(crate) fn between(mut self, after: Option<Zxid>, until: Option<Zxid>) -> Corruption {
        (self.after, self.until) = (after, until);
        self
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}: {}", self.file, self.offset, self.what)?;
        match (self.after, self.until) {
            (Some(after), Some(until)) => write!(f, " (transactions after {after} through {until} are affected)"),
            (Some(after), None) => write!(f, " (transactions after {after} are affected)"),
            (None, Some(until)) => write!(f, " (transactions through {until} are affected)"),
            (None, None) => Ok(()),
        }
    }
}

/// Why stored state cannot be taken up.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Damage.
    #[error("stored data is damaged: {0}")]
    Corrupt(Corruption),
    /// Files are missing, or do not fit together.
    #[error("stored data is incomplete: {0}")]
    Incomplete(String),
    /// Written by a version that this program does not know.
    #[error("{file} has format version {version}, this program reads version {known}: use the program that wrote it")]
    Version {
        /// Name of the file.
        file: String,
        /// What it says.
        version: u32,
        /// What is known here.
        known: u32,
    },
    /// Another process uses the directory.
    #[error("{0} is in use by another process")]
    InUse(String),
    /// A setting is out of its bounds.
    #[error("{0}")]
    Config(String),
    /// The state machine that was being rebuilt refused its data.
    #[error("stored data was read intact but refused: {0}")]
    Refused(String),
    /// The operating system failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted on what.
        what: String,
        /// Its answer.
        source: io::Error,
    },
}

impl OpenError {
    /// Whether stored data is damaged or missing, so that a member of an ensemble could have it again from its peers:
    /// [`Recovery::discard_after`](crate::recovery::Recovery::discard_after) or
    /// [`start_over`](crate::recovery::start_over).
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, OpenError::Corrupt(_) | OpenError::Incomplete(_))
    }
}

impl From<Corruption> for OpenError {
    fn from(c: Corruption) -> OpenError {
        OpenError::Corrupt(c)
    }
}

/// Adds what was attempted to an error of the operating system.
pub(crate) trait Attempt<T> {
    /// Names the attempt.
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T, OpenError>;
}

impl<T> Attempt<T> for io::Result<T> {
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T, OpenError> {
        self.map_err(|source| OpenError::Io { what: what(), source })
    }
}

/// The log can no longer promise anything: a write or a sync failed. The process must end. A failed sync is never
/// tried again: the kernel may have dropped the data and would report success.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("the transaction log failed: {what}: {error}; the last durable transaction is {durable}")]
pub struct LogFailed {
    /// The operation.
    pub what: String,
    /// The error's text.
    pub error: String,
    /// Everything up to here is safe.
    pub durable: Zxid,
}
