//! The columns of the table of servers: titles, values as text, and which of them fit into a width.

use crate::model::{Behind, Row, counter, epoch};
use crate::sample::Allowance;

/// A column.
#[derive(Clone, Copy)]
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// Fewest characters that it takes.
    pub width: usize,
    /// Whether it is text, which begins at the left.
    pub text: bool,
    value: fn(&Row) -> Option<String>,
}

const fn column(title: &'static str, width: usize, text: bool, value: fn(&Row) -> Option<String>) -> Column {
    Column { title, width, text, value }
}

/// All columns, the most important ones first.
pub const COLUMNS: [Column; 18] = [
    column("SERVER", 15, true, |row| Some(row.server.clone())),
    column("ROLE", 9, true, |row| Some(row.state.clone())),
    column("BEHIND", 6, false, |row| row.behind.map(lag)),
    column("REQ/S", 7, false, |row| row.requests.map(rate)),
    column("REPLY/S", 7, false, |row| row.replies.map(rate)),
    column("AVG ms", 6, false, |row| row.sample.as_ref()?.latency.avg.map(|avg| format!("{avg:.2}"))),
    column("MAX ms", 6, false, |row| row.sample.as_ref()?.latency.max.map(|max| format!("{max:.0}"))),
    column("CONN", 5, false, |row| row.sample.as_ref()?.connections.map(count)),
    column("OUTST", 5, false, |row| row.sample.as_ref()?.outstanding.map(count)),
    column("ZXID", 12, false, |row| row.sample.as_ref()?.zxid.map(zxid)),
    column("NODES", 7, false, |row| row.sample.as_ref()?.nodes.map(count)),
    column("WATCHES", 7, false, |row| row.sample.as_ref()?.watches.map(count)),
    column("EPHEM", 6, false, |row| row.sample.as_ref()?.ephemerals.map(count)),
    column("DATA", 6, false, |row| row.sample.as_ref()?.data_bytes.map(bytes)),
    column("MEMORY", 6, false, |row| row.sample.as_ref()?.memory_bytes.map(bytes)),
    column("MEM%", 5, false, |row| row.sample.as_ref()?.allowance.map(share)),
    column("SYNC", 12, true, |row| row.sample.as_ref().map(|_| sync(row))),
    column("UP", 6, false, |row| row.sample.as_ref()?.uptime_ms.map(uptime)),
];

impl Column {
    /// The value of a row; `-` if it is not known.
    #[must_use]
    pub fn value(&self, row: &Row) -> String {
        (self.value)(row).unwrap_or_else(|| "-".to_owned())
    }
}

/// Columns between which there is room, as texts: the titles and one line for each row, each text as wide as its column. As many
/// columns as fit into `width`, from the first on; all if there is no width.
#[must_use]
pub fn table(rows: &[Row], width: Option<usize>) -> Vec<Vec<String>> {
    let widths: Vec<usize> = COLUMNS.iter().map(|column| wide(column, rows)).collect();
    let mut left = width.unwrap_or(usize::MAX);
    let fitting = widths.iter().take_while(|width| {
        let fits = **width <= left;
        left = left.saturating_sub(**width + 1);
        fits
    });
    let shown = fitting.count().max(1);
    let columns = || COLUMNS[..shown].iter().zip(&widths);
    let titles = columns().map(|(column, width)| aligned(column.title, column.text, *width)).collect();
    let lines = rows
        .iter()
        .map(|row| columns().map(|(column, width)| aligned(&column.value(row), column.text, *width)).collect());
    std::iter::once(titles).chain(lines).collect()
}

/// How wide a column has to be. A long reason for not serving does not widen the column of roles: the row has nothing else to show.
fn wide(column: &Column, rows: &[Row]) -> usize {
    let longest = rows.iter().filter(|row| row.serves || column.title == "SERVER");
    let longest = longest.map(|row| column.value(row).chars().count()).max().unwrap_or(0);
    longest.max(column.width)
}

/// A line of a table. What does not serve has its reason behind its name, and nothing else.
#[must_use]
pub fn line(cells: &[String], row: Option<&Row>) -> String {
    match row {
        Some(row) if !row.serves => format!("{} {}", cells.first().map_or("", String::as_str), row.state),
        _ => cells.join(" ").trim_end().to_owned(),
    }
}

fn aligned(text: &str, left: bool, width: usize) -> String {
    if left { format!("{text:width$}") } else { format!("{text:>width$}") }
}

/// A lag: transactions, or epochs if it is of an older one.
fn lag(behind: Behind) -> String {
    match behind {
        Behind::Transactions(0) => "0".to_owned(),
        Behind::Transactions(n) => count(n),
        Behind::Epochs(n) => format!("{n} ep."),
    }
}

fn sync(row: &Row) -> String {
    let Some(sample) = &row.sample else { return String::new() };
    match (sample.followers, row.behind) {
        (Some(followers), _) => format!("{} of {} synced", followers.synced, followers.learners),
        (None, Some(Behind::Epochs(_))) => "old epoch".to_owned(),
        (None, _) if sample.role.as_deref() == Some("read-only") => "no majority".to_owned(),
        (None, _) => "serving".to_owned(),
    }
}

/// Epoch and number: `5:1a2b`.
fn zxid(zxid: u64) -> String {
    format!("{:x}:{:x}", epoch(zxid), counter(zxid))
}

/// A rate: whole from 10 on.
#[must_use]
pub fn rate(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "0".to_owned(),
        rate if rate < 10.0 => format!("{rate:.1}"),
        rate => count(rate as u64),
    }
}

/// A number in at most six characters.
fn count(n: u64) -> String {
    match n {
        0..=99_999 => n.to_string(),
        100_000..=9_999_999 => format!("{}k", n / 1000),
        10_000_000..=9_999_999_999 => format!("{}M", n / 1_000_000),
        _ => format!("{}G", n / 1_000_000_000),
    }
}

/// Bytes in at most six characters.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..=9_999 => format!("{n}B"),
        10_000..=10_239_999 => format!("{}K", n >> 10),
        10_240_000..=10_485_759_999 => format!("{}M", n >> 20),
        _ => format!("{}G", n >> 30),
    }
}

/// How much of its memory limit a server uses; `!` if it refuses what needs more.
fn share(allowance: Allowance) -> String {
    let percent = allowance.used.saturating_mul(100).checked_div(allowance.limit).unwrap_or(0);
    format!("{}{percent}%", if allowance.short { "!" } else { "" })
}

fn uptime(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hot::{Hot, HotPath};
    use crate::model::{Answer, Model};
    use crate::sample::{Followers, Latency, Sample};
    use std::time::Duration;

    /// An ensemble of which one server is down.
    pub(crate) fn ensemble() -> Model {
        let sample = |role: &str, zxid: u64, received: u64| Sample {
            version: Some("3.9.5-ringkeeper-0.1.0".into()),
            role: Some(role.into()),
            zxid: Some(zxid),
            received: Some(received),
            sent: Some(received + 7),
            latency: Latency { avg: Some(0.3512), max: Some(14.0) },
            connections: Some(120),
            outstanding: Some(3),
            nodes: Some(1_234_567),
            watches: Some(512),
            ephemerals: Some(48),
            sessions: Some(240),
            data_bytes: Some(48_000_000),
            memory_bytes: None,
            allowance: Some(Allowance { used: 230 << 20, limit: 1 << 30, short: role == "leader" }),
            hot: Hot::Told(vec![HotPath { path: "/app/config".into(), reads: 1_250.0, writes: 0.4 }]),
            descriptors: Some(200),
            uptime_ms: Some(3_600_000),
            followers: (role == "leader").then_some(Followers { learners: 1, synced: 1 }),
        };
        let mut model =
            Model::new(&["zk1.example.com:2181", "zk2.example.com:2181", "10.0.0.3:2181"].map(str::to_owned));
        for at in 1..=2 {
            let time = Duration::from_secs(at);
            model.take(0, time, Answer::Told(Box::new(sample("leader", 0x5_0001_0000 + at * 4096, at * 40_000))));
            model.take(1, time, Answer::Told(Box::new(sample("follower", 0x5_0001_0000 + at * 4095, at * 20_000))));
            model.take(2, time, Answer::Unreachable("Connection refused".into()));
            model.end_interval();
        }
        model
    }

    fn text(width: Option<usize>) -> String {
        let rows = ensemble().rows();
        let lines = table(&rows, width);
        let of_row = |at: usize| at.checked_sub(1).and_then(|at| rows.get(at));
        lines.iter().enumerate().map(|(at, cells)| line(cells, of_row(at)) + "\n").collect()
    }

    #[test]
    fn a_narrow_table_has_the_important_columns() {
        assert_eq!(
            text(Some(80)),
            "SERVER               ROLE      BEHIND   REQ/S REPLY/S AVG ms MAX ms  CONN OUTST\n\
             zk1.example.com:2181 leader         0   40000   40000   0.35     14   120     3\n\
             zk2.example.com:2181 follower       2   20000   20000   0.35     14   120     3\n\
             10.0.0.3:2181        down: Connection refused\n"
        );
        assert!(text(Some(10)).starts_with("SERVER"));
    }

    #[test]
    fn a_wide_table_has_all_columns() {
        let wide = text(None);
        assert!(COLUMNS.iter().all(|column| wide.contains(column.title)), "{wide}");
        assert!(wide.contains("5:12000   1234k     512     48    45M      -  !22% 1 of 1 synced    60m"), "{wide}");
    }

    #[test]
    fn numbers_stay_short() {
        let shown = [0, 99_999, 100_000, 9_999_999, 10_000_000, u64::MAX / 1_000_000_000].map(count);
        assert_eq!(shown, ["0", "99999", "100k", "9999k", "10M", "18G"]);
        assert_eq!([0, 9_999, 10_000, 48_000_000, 20 << 30].map(bytes), ["0B", "9999B", "9K", "45M", "20G"]);
        assert_eq!([0.0, 0.25, 9.99, 10.4, 123_456.0].map(rate), ["0", "0.2", "10.0", "10", "123k"]);
        assert_eq!([59_000, 7_100_000, 172_000_000, 999_000_000].map(uptime), ["59s", "118m", "47h", "11d"]);
    }
}
