//! One run of loadgen itself, as a process of its own: so its processor time is its own too.

use super::workload::{Setting, Workload};
use crate::engine::Stop;
use crate::faults::signal;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const GLANCE: Duration = Duration::from_millis(20);

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// It measured what it was to measure.
    Measured(Value),
    /// It did not, and says why.
    Failed(String),
    /// By the user.
    Interrupted,
}

/// Runs a workload. What it prints goes to `PATH.txt`, its result to `PATH.json`,
/// its latencies to `PATH.hlog`.
///
/// # Errors
/// If it cannot be started, or leaves something else than a result.
pub fn run(workload: &Workload, setting: &Setting<'_>, path: &Path, stop: &Stop) -> Result<Outcome> {
    let arguments = workload.arguments(setting);
    let program = std::env::current_exe().context("the program loadgen itself")?;
    let said = path.with_extension("txt");
    let cannot = || format!("cannot write {}", said.display());
    let line = shlex::try_join(arguments.iter().map(String::as_str)).unwrap_or_else(|_| arguments.join(" "));
    fs::write(&said, format!("$ loadgen {line}\n")).with_context(cannot)?;
    let out = File::options().append(true).open(&said).with_context(cannot)?;
    let err = out.try_clone().with_context(cannot)?;
    let mut command = Command::new(program);
    // A group of its own: an interrupt reaches it through us, once, so that it ends with its figures.
    command.args(&arguments).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    let child = command.spawn().context("loadgen itself")?;
    let status = wait(child, stop)?;
    Ok(match status.code() {
        // Error replies and thresholds are findings, not failures of the measurement.
        Some(0 | 3 | 4) => Outcome::Measured(result(Path::new(setting.json))?),
        _ if stop.is_set() => Outcome::Interrupted,
        _ => Outcome::Failed(last_line(&fs::read_to_string(&said).unwrap_or_default())),
    })
}

fn wait(mut child: Child, stop: &Stop) -> Result<ExitStatus> {
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait().context("loadgen itself")? {
            return Ok(status);
        }
        if stop.is_set() && !told {
            told = true;
            // If it ended just now, that is as well.
            let _ = signal(child.id(), libc::SIGINT);
        }
        std::thread::sleep(GLANCE);
    }
}

fn result(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut document: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no result", path.display()))?;
    Ok(document["result"].take())
}

/// The line that says what went wrong.
fn last_line(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = lines()
        .rev()
        .find(|line| line.starts_with("FAILED") || line.starts_with("loadgen: ") || line.starts_with("error: "));
    telling.or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::last_line;

    #[test]
    fn the_line_that_says_what_went_wrong_is_found() {
        assert_eq!(last_line("$ loadgen run\nFAILED: lost\nserver memory: 5\n\n"), "FAILED: lost");
        assert_eq!(last_line("a\nb\n"), "b");
        assert_eq!(last_line(""), "it said nothing");
    }
}
