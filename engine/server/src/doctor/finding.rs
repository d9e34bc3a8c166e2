//! What is said about a host: one finding for each thing that was looked at.

use serde::Serialize;

/// How bad it is. The order is that of rising concern.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// As it should be.
    Ok,
    /// Good to know; could be better.
    Note,
    /// The server runs, and will be slower, or less safe, than it need be.
    Warning,
    /// The server does not start, or does not keep its promises.
    Error,
}

impl Severity {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// What a rule says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Verdict {
    /// How bad it is.
    pub severity: Severity,
    /// What was read or measured.
    pub found: String,
    /// Why that matters; empty if all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What to do, each a sentence or a command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedy: Vec<String>,
}

impl Verdict {
    fn new(severity: Severity, found: impl Into<String>) -> Verdict {
        Verdict { severity, found: found.into(), why: String::new(), remedy: Vec::new() }
    }

    pub(super) fn ok(found: impl Into<String>) -> Verdict {
        Verdict::new(Severity::Ok, found)
    }

    pub(super) fn note(found: impl Into<String>) -> Verdict {
        Verdict::new(Severity::Note, found)
    }

    pub(super) fn warning(found: impl Into<String>) -> Verdict {
        Verdict::new(Severity::Warning, found)
    }

    pub(super) fn error(found: impl Into<String>) -> Verdict {
        Verdict::new(Severity::Error, found)
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Verdict {
        self.why = why.into();
        self
    }

    /// Adds a sentence or a command.
    pub(super) fn remedy(mut self, step: impl Into<String>) -> Verdict {
        self.remedy.push(step.into());
        self
    }
}

/// A verdict and what it is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    /// The part of the host.
    pub area: &'static str,
    /// What was looked at.
    pub check: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub verdict: Verdict,
}
