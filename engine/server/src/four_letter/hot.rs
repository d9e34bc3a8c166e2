//! hotp: the paths that are asked for most. ZooKeeper has no such word.

use super::Snapshot;
use super::line;
use ringkeeper_core::frontend::{HotPath, HotPaths, SAMPLE};

/// Paths that are told.
const PATHS: usize = 50;

/// A path with its rates. They are estimates from samples that were surely of the path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HotRate {
    pub(crate) path: HotPath,
    pub(crate) reads_per_second: f64,
    pub(crate) writes_per_second: f64,
}

/// The most frequent paths, those first.
pub(crate) fn rates(hot: &HotPaths) -> Vec<HotRate> {
    let seconds = hot.period.as_secs_f64();
    let rate = |samples: u64| match seconds > 0.0 {
        true => (samples as f64 * f64::from(SAMPLE) / seconds * 10.0).round() / 10.0,
        false => 0.0,
    };
    let rated =
        |path: HotPath| HotRate { reads_per_second: rate(path.reads), writes_per_second: rate(path.writes), path };
    hot.clone().hottest().into_iter().take(PATHS).map(rated).collect()
}

/// hotp: a line of names, then reads and writes a second and the path, separated by tabs. The path is the rest of its line. One
/// sample says nothing.
pub(super) fn hotp(server: &Snapshot, out: &mut String) {
    line!(out, "reads_per_second\twrites_per_second\tpath");
    let sure = rates(&server.hot).into_iter().filter(|rate| rate.path.samples() > 1);
    for HotRate { path, reads_per_second, writes_per_second } in sure {
        line!(out, "{reads_per_second}\t{writes_per_second}\t{}", on_one_line(&path.path));
    }
}

/// What clients ask for need not be a path: what could end the line is written as in `\n`.
fn on_one_line(path: &str) -> String {
    let mut text = String::new();
    for letter in path.chars() {
        if letter.is_control() {
            text.extend(letter.escape_default());
        } else {
            text.push(letter);
        }
    }
    text
}
