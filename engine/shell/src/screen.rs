//! Where a shell's output goes: results to standard output, complaints to standard error; with `--json` all to standard output.

use crate::failure::{Failure, status};
use crate::output::Output;
use crate::text::Style;
use crate::{json, text};
use jiff::tz::TimeZone;
use ringkeeper_client::Event;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Prints a text above the line that is being edited.
pub(crate) type AbovePrompt = Box<dyn FnMut(String) + Send>;

/// The output of a shell; shared with the session's thread, which prints events.
pub(crate) struct Screen {
    json: bool,
    style: Style,
    above: Mutex<Option<AbovePrompt>>,
    closed: AtomicBool,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Screen {
        let style = Style { zone: TimeZone::system(), terminal: io::stdout().is_terminal() };
        Screen { json, style, above: Mutex::new(None), closed: AtomicBool::new(false) }
    }

    /// From now on a line is edited at the terminal: what comes unasked is printed above it.
    pub(crate) fn print_above(&self, above: AbovePrompt) {
        *self.above.lock().unwrap_or_else(PoisonError::into_inner) = Some(above);
    }

    /// Whether nobody reads any more, as after `| head`.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Prints a result.
    pub(crate) fn result(&self, output: &Output) -> Result<(), Failure> {
        if let Output::Notice(words) = output {
            // A program has no use for it.
            if !self.json {
                self.notice(words);
            }
            return Ok(());
        }
        let bytes =
            if self.json { format!("{}\n", json::of(output)).into_bytes() } else { text::of(output, &self.style) };
        self.write(&bytes)
            .map_err(|error| Failure::new(status::FAILED, format!("cannot write the output: {error}"), None))
    }

    /// Prints a failure.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            // If that fails, too, nobody can be told.
            let _ = self.write(format!("{}\n", json::of_failure(failure)).as_bytes());
            return;
        }
        let hint = failure.hint.as_ref().map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
        let _ = writeln!(io::stderr(), "{}{hint}", failure.words);
    }

    /// Prints advice.
    pub(crate) fn notice(&self, words: &str) {
        let _ = writeln!(io::stderr(), "{words}");
    }

    /// Prints an event.
    pub(crate) fn event(&self, event: &Event) {
        let text = if self.json { format!("{}\n", json::of_event(event)) } else { text::of_event(event) };
        let mut above = self.above.lock().unwrap_or_else(PoisonError::into_inner);
        match above.as_mut() {
            Some(print) => print(text),
            None => drop(self.write(text.as_bytes())),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).inspect_err(|error| {
            if error.kind() == ErrorKind::BrokenPipe {
                self.closed.store(true, Ordering::Relaxed);
            }
        })
    }
}
