//! How the program ends: one exit status for each kind of reason, so that whoever starts it (a service manager, a script)
//! can tell whether another attempt would help. Numbers from 64 to 78 mean what they mean in `sysexits.h`.

use std::fmt::Write;
use std::process::ExitCode;

/// Why the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// As it was asked to.
    Stopped = 0,
    /// While it ran, or for a reason that has no number of its own.
    Failed = 1,
    /// The command line is not understood. (Clap ends with this one.)
    Usage = 2,
    /// Stored data is damaged or incomplete.
    Damaged = 65,
    /// The configuration file cannot be read.
    File = 66,
    /// A host name cannot be resolved.
    Name = 68,
    /// An address cannot be listened on.
    Address = 69,
    /// The machine does not offer what is needed.
    Machine = 71,
    /// A directory cannot be made, read or written.
    Directory = 73,
    /// Another process has the directory.
    InUse = 75,
    /// The configuration is refused.
    Configuration = 78,
    /// Which server of the ensemble this is cannot be told.
    Identity = 79,
    /// The directory holds somebody else's data.
    Foreign = 80,
    /// The data was written by a newer version.
    Newer = 81,
    /// Asked to stop a second time, it stopped at once.
    Impatient = 130,
}

impl Status {
    /// All of them, by number.
    pub const ALL: [Status; 15] = [
        Status::Stopped,
        Status::Failed,
        Status::Usage,
        Status::Damaged,
        Status::File,
        Status::Name,
        Status::Address,
        Status::Machine,
        Status::Directory,
        Status::InUse,
        Status::Configuration,
        Status::Identity,
        Status::Foreign,
        Status::Newer,
        Status::Impatient,
    ];

    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// When the program ends so, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Status::Stopped => "stopped by SIGTERM or SIGINT; for other commands: done",
            Status::Failed => "failed while it ran, or could not start for a reason that is not below",
            Status::Usage => "the command line is not understood",
            Status::Damaged => "stored data is damaged or incomplete",
            Status::File => "the configuration file cannot be read",
            Status::Name => "a host name cannot be resolved",
            Status::Address => "an address cannot be listened on (a port is in use)",
            Status::Machine => "the machine does not offer what is needed (io_uring, locked memory)",
            Status::Directory => "a directory cannot be made, read or written",
            Status::InUse => "the data directory is in use by another process",
            Status::Configuration => "the configuration is refused",
            Status::Identity => "the number of this server (myid, --id) is missing, wrong or contradicted",
            Status::Foreign => "the directory holds the data of another server, another ensemble or ZooKeeper",
            Status::Newer => "the data was written by a newer version of Ringkeeper",
            Status::Impatient => "asked to stop twice, stopped at once",
        }
    }

    /// Whether to start the program again, with nothing changed, can help.
    pub const fn again_helps(self) -> bool {
        matches!(self, Status::Failed | Status::Name | Status::Address | Status::InUse)
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status.number())
    }
}

/// The statuses as lines of `--help`.
pub fn help() -> String {
    let mut text = "Exit status:".to_owned();
    for status in Status::ALL {
        let _ = write!(text, "\n  {:>3}  {}", status.number(), status.meaning());
    }
    text
}

/// The statuses as a table of the documentation.
pub fn table() -> String {
    let mut text = "| Status | When | Starting again may help |\n|---|---|---|\n".to_owned();
    for status in Status::ALL {
        let again = if status.again_helps() { "yes" } else { "no" };
        let _ = writeln!(text, "| {} | {} | {again} |", status.number(), status.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_are_told() {
        assert!(Status::ALL.is_sorted_by_key(|status| status.number()));
        assert!(help().contains("\n   69  an address cannot be listened on"));
        assert!(table().contains("| 75 | the data directory is in use by another process | yes |"));
    }
}
