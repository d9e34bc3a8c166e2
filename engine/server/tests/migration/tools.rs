//! Runs the commands under test.

use crate::support::server::ringkeeper_binary;
use std::process::{Command, Output};
use std::time::Instant;

/// Runs a command and returns the JSON object that it prints.
///
/// # Panics
/// If it fails.
pub fn facts(arguments: &[&str]) -> serde_json::Value {
    let started = Instant::now();
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{} in {:.1?}", arguments[..2].join(" "), started.elapsed());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a command that is to be refused and returns what it says.
///
/// # Panics
/// If it is not.
pub fn refusal(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(ringkeeper_binary()).args(arguments).output().unwrap()
}
