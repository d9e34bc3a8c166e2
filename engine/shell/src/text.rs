//! Output as text, in the words of `zkCli.sh`.

use crate::acl;
use crate::command::Form;
use crate::output::Output;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ringkeeper_client::{Event, Stat};
use std::fmt::Write as _;

/// How text is to be made.
#[derive(Clone, Debug)]
pub struct Style {
    /// Zone of times.
    pub zone: TimeZone,
    /// Whether a terminal shows it: then data may not contain what would command the terminal.
    pub terminal: bool,
}

/// The text of an output, each line with its end. It need not be UTF-8: data is passed on as it is.
#[must_use]
pub fn of(output: &Output, style: &Style) -> Vec<u8> {
    let mut text = String::new();
    match output {
        Output::Data { data, form, stat, .. } => {
            let mut bytes = data_as(data.as_deref().unwrap_or(b"null"), *form, style);
            bytes.push(b'\n');
            append_stat(&mut text, stat.as_ref(), style);
            bytes.extend_from_slice(text.as_bytes());
            return bytes;
        }
        Output::Created { path } => line(&mut text, &format!("Created {path}")),
        Output::Children { names, stat, .. } => {
            line(&mut text, &list(names));
            append_stat(&mut text, stat.as_ref(), style);
        }
        Output::Node { path } => line(&mut text, path),
        Output::Stat { stat, .. } => append_stat(&mut text, Some(stat), style),
        Output::Acl { acl, stat, .. } => {
            for entry in acl {
                // The end of line in the middle is zkCli.sh's.
                line(
                    &mut text,
                    &format!("'{},'{}\n: {}", entry.scheme, jute_csv(&entry.id), acl::letters(entry.perms)),
                );
            }
            append_stat(&mut text, stat.as_ref(), style);
        }
        Output::Count { count, .. } => line(&mut text, &count.to_string()),
        Output::Ephemerals { paths } => line(&mut text, &list(paths)),
        Output::Quota { path, limits, used } => {
            line(&mut text, &format!("Output quota for {path} {limits}\nOutput stat for {path} {used}"));
        }
        Output::NoQuota { path } => line(&mut text, &format!("Quota does not exist for {path}")),
        Output::QuotaExceeded { what, used } => {
            let limit = if *what == "count" { crate::command::Limit::Count } else { crate::command::Limit::Bytes };
            let used = used.get(limit);
            line(&mut text, &format!("[Warning]: the {what} quota you create is less than the existing {what}:{used}"));
        }
        Output::Identities { identities } => {
            line(&mut text, "Auth scheme: User");
            identities.iter().for_each(|(scheme, user)| line(&mut text, &format!("{scheme}: {user}")));
        }
        Output::Synced { .. } => line(&mut text, "Sync is OK"),
        Output::Config { text: config, stat, committed } => {
            let title = if *committed { "Committed new configuration:\n" } else { "" };
            line(&mut text, &format!("{title}{config}"));
            append_stat(&mut text, stat.as_ref(), style);
        }
        Output::Connect { version, servers } => line(&mut text, &format!("{version} {servers}")),
        Output::Deleted { .. } => {}
        Output::Notice(words) | Output::Text(words) => line(&mut text, words),
    }
    text.into_bytes()
}

/// The text of an event.
#[must_use]
pub fn of_event(event: &Event) -> String {
    format!("\nWATCHER::\n\n{event}\n")
}

fn line(text: &mut String, words: &str) {
    text.push_str(words);
    text.push('\n');
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

fn append_stat(text: &mut String, stat: Option<&Stat>, style: &Style) {
    let Some(stat) = stat else { return };
    let time = |millis: i64| date(millis, &style.zone);
    line(text, &format!("cZxid = {:#x}", stat.czxid));
    line(text, &format!("ctime = {}", time(stat.ctime)));
    line(text, &format!("mZxid = {:#x}", stat.mzxid));
    line(text, &format!("mtime = {}", time(stat.mtime)));
    line(text, &format!("pZxid = {:#x}", stat.pzxid));
    line(text, &format!("cversion = {}", stat.cversion));
    line(text, &format!("dataVersion = {}", stat.version));
    line(text, &format!("aclVersion = {}", stat.aversion));
    line(text, &format!("ephemeralOwner = {:#x}", stat.ephemeral_owner));
    line(text, &format!("dataLength = {}", stat.data_length));
    line(text, &format!("numChildren = {}", stat.num_children));
}

/// A time as Java prints it: `Thu Nov 26 12:50:18 UTC 2026`.
fn date(millis: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_zoned_datetime(zone.clone()).strftime("%a %b %d %H:%M:%S %Z %Y").to_string(),
        // A server may tell anything.
        Err(_) => format!("{millis} ms"),
    }
}

fn data_as(data: &[u8], form: Form, style: &Style) -> Vec<u8> {
    match form {
        Form::Base64 => STANDARD.encode(data).into_bytes(),
        Form::Hex => hex_dump(data).into_bytes(),
        Form::Plain if style.terminal => harmless(&String::from_utf8_lossy(data)).into_bytes(),
        Form::Plain => data.to_vec(),
    }
}

/// Text without characters that a terminal would obey.
fn harmless(text: &str) -> String {
    let keep = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().map(|c| if keep(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// A table of 16 bytes a row, with offsets and the printable characters, as `get -x` of zkCli.sh draws it.
fn hex_dump(data: &[u8]) -> String {
    if data.is_empty() {
        return String::new();
    }
    let rule = format!("+--------+{}+----------------+", "-".repeat(49));
    let columns: String = (0..16).map(|column| format!("  {column:x}")).collect();
    let mut text = format!("{:9}+{}+\n{:9}|{columns} |\n{rule}", "", "-".repeat(49), "");
    for (row, bytes) in data.chunks(16).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        let seen = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        let characters: String = bytes.iter().map(seen).collect();
        let _ = write!(text, "\n|{:08x}|{hex:48} |{characters:16}|", row * 16);
    }
    format!("{text}\n{rule}")
}

/// Text as ZooKeeper shows that of a record, in which a comma would end the field.
///
/// Source: `ToStringOutputArchive`
fn jute_csv(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' | '\n' | '\r' | '%' | ',' | '}' => out.push_str(&format!("%{:02X}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Quota;
    use ringkeeper_client::Acl;

    fn style() -> Style {
        Style { zone: TimeZone::UTC, terminal: false }
    }

    fn text(output: &Output) -> String {
        String::from_utf8(of(output, &style())).unwrap()
    }

    /// Output of `zkCli.sh` 3.8, but for `get -x`, which is of 3.9.
    const FIXTURES: &str = include_str!("fixtures/zkcli.txt");

    fn fixture(name: &str) -> String {
        let start = format!("== {name}\n");
        let (_, rest) = FIXTURES.split_once(&start).unwrap_or_else(|| panic!("no fixture {name}"));
        rest.split_once("== ").map_or(rest, |(text, _)| text).to_owned()
    }

    fn stat() -> Stat {
        Stat {
            czxid: 0x27,
            mzxid: 0x27,
            pzxid: 0x27,
            ctime: 1_795_697_418_000,
            mtime: 1_795_697_418_000,
            data_length: 3,
            ..Stat::default()
        }
    }

    #[test]
    fn words_are_those_of_zookeepers_shell() {
        let path = || "/a".to_owned();
        let names = || ["b", "e-0000000002", "eph"].map(str::to_owned).to_vec();
        let acl = vec![Acl { perms: 31, scheme: "world".into(), id: "anyone".into() }];
        let mut limits = Quota::unlimited();
        limits.set(crate::command::Limit::Count, 5);
        let used = Quota::new(6, 16);
        let data = |form| Output::Data { path: path(), data: Some(b"x y".to_vec()), form, stat: None };
        let cases = [
            ("create", Output::Created { path: path() }),
            ("ls", Output::Children { path: path(), names: names(), stat: None }),
            ("ls of nothing", Output::Children { path: path(), names: Vec::new(), stat: None }),
            ("get", data(Form::Plain)),
            ("get -b", data(Form::Base64)),
            ("get -x", data(Form::Hex)),
            ("get of null", Output::Data { path: path(), data: None, form: Form::Plain, stat: None }),
            (
                "get -s",
                Output::Data { path: path(), data: Some(b"x y".to_vec()), form: Form::Plain, stat: Some(stat()) },
            ),
            ("getAcl", Output::Acl { path: path(), acl, stat: None }),
            ("getEphemerals", Output::Ephemerals { paths: vec!["/a/eph".into(), "/a/e-0000000002".into()] }),
            ("getAllChildrenNumber", Output::Count { path: path(), count: 4 }),
            ("listquota", Output::Quota { path: path(), limits, used: used.clone() }),
            ("setquota below use", Output::QuotaExceeded { what: "count", used }),
            ("delquota of none", Output::NoQuota { path: "/nope".into() }),
            ("whoami", Output::Identities { identities: vec![("ip".into(), "127.0.0.1".into())] }),
            ("sync", Output::Synced { path: path() }),
        ];
        for (name, output) in cases {
            assert_eq!(text(&output), fixture(name), "{name}");
        }
    }

    #[test]
    fn data_is_passed_on_as_it_is_but_does_not_command_a_terminal() {
        let output =
            Output::Data { path: "/a".into(), data: Some(b"\xff\x1b[2J".to_vec()), form: Form::Plain, stat: None };
        assert_eq!(of(&output, &style()), b"\xff\x1b[2J\n");
        let terminal = Style { terminal: true, ..style() };
        assert_eq!(String::from_utf8(of(&output, &terminal)).unwrap(), "\u{fffd}\\u{1b}[2J\n");
    }

    #[test]
    fn rows_of_the_hex_dump_have_one_width() {
        assert_eq!(hex_dump(b""), "");
        for len in [1, 15, 16, 17, 40] {
            let dump = hex_dump(&vec![0x41; len]);
            assert!(dump.lines().skip(2).all(|line| line.len() == 77), "{dump}");
            assert_eq!(dump.lines().count(), 4 + len.div_ceil(16));
        }
    }

    #[test]
    fn a_time_that_is_none_does_no_harm() {
        assert_eq!(date(i64::MAX, &TimeZone::UTC), format!("{} ms", i64::MAX));
        assert_eq!(date(0, &TimeZone::UTC), "Thu Jan 01 00:00:00 UTC 1970");
    }
}
