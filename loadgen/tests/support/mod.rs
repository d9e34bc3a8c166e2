//! What the tests share: a server that answers with canned replies, and loadgen as a child process.
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "each test uses a part; failing is what a test is for")]

pub mod ensemble;
#[path = "../../src/null_server/mod.rs"]
pub mod null_server;
#[path = "../../../engine/server/tests/support/ports.rs"]
mod ports;

pub use ports::free_port;

use base64::Engine as _;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl null_server::NullServer {
    pub fn start(conduct: null_server::Conduct) -> null_server::NullServer {
        null_server::NullServer::begin(conduct).unwrap()
    }

    /// So many setData have come so far.
    pub fn sets(&self) -> u64 {
        self.counts.sets.load(Ordering::Relaxed)
    }
}

/// What loadgen left behind.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// The JSON document, if it wrote one.
    pub json: Option<Value>,
}

impl Ran {
    /// The document's result.
    pub fn result(&self) -> &Value {
        &self.json.as_ref().unwrap_or_else(|| panic!("no JSON: {self:#?}"))["result"]
    }

    /// Panics unless it ended so.
    pub fn expect(self, status: i32) -> Ran {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }
}

/// Starts loadgen with these arguments (split at blanks) and a file for the JSON.
pub fn start(arguments: &str) -> (Child, tempfile::NamedTempFile) {
    start_with(&arguments.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

/// Starts loadgen with these arguments and a file for the JSON.
pub fn start_with(arguments: &[String]) -> (Child, tempfile::NamedTempFile) {
    let json = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments);
    if ["run", "fill", "failover", "self-test", "probe", "verify", "watch", "sessions"]
        .iter()
        .any(|name| arguments.first().is_some_and(|first| first == name))
    {
        command.arg("--json").arg(json.path());
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    (child, json)
}

/// Waits for it.
pub fn finish((child, json): (Child, tempfile::NamedTempFile)) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = std::fs::read_to_string(json.path()).unwrap();
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        json: (!text.is_empty()).then(|| serde_json::from_str(&text).unwrap()),
    }
}

/// Runs loadgen to its end.
pub fn loadgen(arguments: &str) -> Ran {
    finish(start(arguments))
}

/// Runs loadgen to an end without a complaint: what it left behind, and how much its log of latencies has under each tag.
pub fn logged_by(arguments: &str) -> (Ran, BTreeMap<String, u64>) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let ran = loadgen(&format!("{arguments} --hdr-log {}", log.path().display())).expect(0);
    (ran, operations_in(&std::fs::read(log.path()).unwrap()))
}

/// Operations in an HdrHistogram log, by tag, as a program of others reads it.
fn operations_in(log: &[u8]) -> BTreeMap<String, u64> {
    let entries = IntervalLogIterator::new(log).map(|entry| entry.expect("a log"));
    let histograms = entries.filter_map(|entry| match entry {
        LogEntry::Interval(interval) => Some(interval),
        _ => None,
    });
    let read = |text: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        Deserializer::new().deserialize::<u64, _>(&mut &bytes[..]).unwrap().len()
    };
    histograms.map(|i| (i.tag().expect("a tag").as_str().to_owned(), read(i.encoded_histogram()))).collect()
}

/// Sends a signal to a child of ours.
pub fn signal(child: &Child, signal: i32) {
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: kill takes no pointers; the child has not been waited for, so its id is still its own.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// Waits until something is so. The only limit is the test runner's patience: two minutes.
pub fn await_that(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(120), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An address where nobody listens: the port is below those that anybody is given.
pub const NOBODY: &str = "127.0.0.1:1";

/// Says why a test is skipped, past the test harness's capture of output. In CI (`CI=true`) that is a failure.
pub fn skipped(reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "nothing may be skipped in CI: {reason}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}

/// A number of the result, by dotted path.
pub fn number(result: &Value, path: &str) -> f64 {
    let found = path.split('/').fold(result, |value, key| &value[key]);
    found.as_f64().unwrap_or_else(|| panic!("{path} is {found}"))
}
