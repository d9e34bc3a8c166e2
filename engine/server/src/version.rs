//! Which program this is.

use std::sync::LazyLock;

use ringkeeper_core::ids::WallMs;

use crate::date;

/// The release of ZooKeeper whose behaviour clients find here; they parse the digits of the version line and choose
/// features by them.
const COMPATIBLE_WITH: &str = "3.9.5";

/// The version of this program, as in its manifest.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, `0` if that is not known.
pub const COMMIT: &str = env!("RINGKEEPER_COMMIT");

static ZOOKEEPER: LazyLock<String> =
    LazyLock::new(|| format!("{COMPATIBLE_WITH}-ringkeeper-{NUMBER}-{COMMIT}, built on {} UTC", built()));

static LONG: LazyLock<String> =
    LazyLock::new(|| format!("{NUMBER} (commit {COMMIT}, {} UTC; clients see ZooKeeper {COMPATIBLE_WITH})", built()));

/// The version as four-letter words show it: `3.9.5-ringkeeper-0.1.0-<commit>, built on 2026-01-01 00:00 UTC`.
pub fn zookeeper() -> &'static str {
    &ZOOKEEPER
}

/// The version for `--version`.
pub fn long() -> &'static str {
    &LONG
}

/// Date and minute of the commit.
fn built() -> String {
    let seconds: i64 = env!("RINGKEEPER_BUILT").parse().expect("the build script writes a whole number");
    date::minute(WallMs(seconds.saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Go client accepts letters, digits, dots and dashes up to the comma, and a date behind `built on`.
    #[test]
    fn the_version_line_is_what_clients_can_parse() {
        let (version, built) = zookeeper().split_once(", built on ").unwrap();
        assert!(version.starts_with("3.9.5-ringkeeper-"));
        assert!(version.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')), "{version}");
        let shape: String = built.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00 00:00 UTC");
    }
}
