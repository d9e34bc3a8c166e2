//! What a setting names and the server cannot use: a directory, a file with keys or certificates.

use thiserror::Error;

use crate::exit::Status;

/// Why it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{setting} {wrong}; {remedy}")]
pub struct Unusable {
    /// The setting, where it was given, and its value: `zoo.cfg:3: dataDir=/data`.
    pub setting: String,
    /// What is wrong, following the setting in a sentence.
    pub wrong: String,
    /// What to do.
    pub remedy: String,
    /// How the program ends because of it.
    pub status: Status,
}

impl Unusable {
    /// A file that is named in the configuration and that does not hold what it should.
    pub(crate) fn file(setting: &str, wrong: impl Into<String>, remedy: impl Into<String>) -> Unusable {
        let (wrong, remedy, status) = (wrong.into(), remedy.into(), Status::Configuration);
        Unusable { setting: setting.to_owned(), wrong, remedy, status }
    }
}
