//! What is wrong with a configuration: where, what, and the remedy.

use std::fmt;

use super::key::Key;
use super::settings::{Setting, Source};
use crate::exit::Status;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the value was given.
    pub source: Source,
    /// The setting and its value, or empty.
    pub subject: String,
    /// What is wrong with it, following the subject in a sentence.
    pub wrong: String,
    /// What to do, or empty.
    pub remedy: String,
    /// How the program ends if it is not mended.
    pub status: Status,
}

impl Problem {
    /// About a given value of a known key. Secrets are not repeated.
    pub fn new(given: &Setting, key: &Key, wrong: &str, remedy: &str) -> Problem {
        let subject = match key.secret {
            true => given.name.clone(),
            false => format!("{}={}", given.name, given.value),
        };
        Problem::at(given.source.clone(), subject, wrong, remedy)
    }

    /// About the absence of a setting.
    pub fn missing(subject: &str, wrong: &str, remedy: &str) -> Problem {
        Problem::at(Source::Default, subject.to_owned(), wrong, remedy)
    }

    /// About something at a place.
    pub fn at(source: Source, subject: String, wrong: &str, remedy: &str) -> Problem {
        let (wrong, remedy) = (wrong.to_owned(), remedy.to_owned());
        Problem { source, subject, wrong, remedy, status: Status::Configuration }
    }

    /// With another exit status than that of a wrong configuration.
    #[must_use]
    pub fn ending(self, status: Status) -> Problem {
        Problem { status, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source != Source::Default {
            write!(f, "{}: ", self.source)?;
        }
        if !self.subject.is_empty() {
            write!(f, "{} ", self.subject)?;
        }
        f.write_str(&self.wrong)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

/// All that is wrong with a configuration, so that it can be mended in one go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// The server does not start with these.
    pub errors: Vec<Problem>,
    /// The server starts, and says so.
    pub warnings: Vec<Problem>,
}

impl Problems {
    /// Adds a reason not to start.
    pub fn refuse(&mut self, problem: Problem) {
        self.errors.push(problem);
    }

    /// How the program ends because of the first of them.
    pub fn status(&self) -> Status {
        self.errors.first().map_or(Status::Configuration, |problem| problem.status)
    }

    /// Adds something to be said at start.
    pub fn warn(&mut self, problem: Problem) {
        self.warnings.push(problem);
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "error: {error}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}
