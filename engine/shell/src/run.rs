//! A run of the shell: commands of the command line, of a file or a pipe, or of a person.

use crate::failure::{Failure, status};
use crate::interactive;
use crate::screen::Screen;
use crate::shell::{Next, Shell};
use ringkeeper_client::{HostList, Tls};
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

/// How a shell is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// The servers and the root of all paths.
    pub servers: HostList,
    /// Session timeout to ask for.
    pub timeout: Duration,
    /// Whether a server will do that takes no writes.
    pub read_only: bool,
    /// Whether to wait for a server for as long as the timeout before anything is done.
    pub wait: bool,
    /// Whether output is JSON.
    pub json: bool,
    /// Whether commands from a file or a pipe end at the first failure.
    pub stop: bool,
    /// TLS, if it is to be spoken.
    pub tls: Option<Tls>,
    /// What `version` prints.
    pub version: String,
}

/// Where commands come from.
pub enum Source {
    /// From the command line: one command.
    Words(Vec<String>),
    /// From a file or a pipe: one command a line; empty lines and those that begin with `#` are passed over.
    Lines(Box<dyn BufRead>),
    /// From a person at a terminal.
    Terminal,
}

/// Runs a shell and returns its exit status.
#[must_use]
pub fn run(start: &Start, source: Source) -> u8 {
    let screen = Arc::new(Screen::new(start.json));
    let mut shell = Shell::new(start, &screen, matches!(source, Source::Terminal));
    let connected = |shell: &Shell| shell.connect().map_err(|failure| ended(&screen, Err(failure)).1);
    match source {
        Source::Terminal => interactive::run(&mut shell, &screen, start),
        Source::Words(words) => match connected(&shell) {
            Ok(()) => ended(&screen, shell.words(&words)).1,
            Err(status) => status,
        },
        Source::Lines(lines) => match connected(&shell) {
            Ok(()) => script(&mut shell, &screen, lines, start.stop),
            Err(status) => status,
        },
    }
}

/// Carries out a script. Its status is that of the first command that failed, so that no failure goes unnoticed.
fn script(shell: &mut Shell, screen: &Screen, lines: Box<dyn BufRead>, stop: bool) -> u8 {
    let mut first = 0;
    for line in lines.lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                let hint = Some("commands are UTF-8 text, one a line");
                screen.failure(&Failure::new(status::FAILED, format!("cannot read the commands: {error}"), hint));
                return if first == 0 { status::FAILED } else { first };
            }
        };
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let (next, status) = ended(screen, shell.line(&line));
        if first == 0 {
            first = status;
        }
        if next == Next::Quit || screen.is_closed() || (stop && status != 0) {
            break;
        }
    }
    first
}

/// Prints a failure; tells whether to go on, and the status.
pub(crate) fn ended(screen: &Screen, result: Result<Next, Failure>) -> (Next, u8) {
    match result {
        Ok(next) => (next, 0),
        // A reader that went away, as `| head` does, is no failure.
        Err(_) if screen.is_closed() => (Next::Quit, 0),
        Err(failure) => {
            screen.failure(&failure);
            (Next::Go, failure.status)
        }
    }
}
