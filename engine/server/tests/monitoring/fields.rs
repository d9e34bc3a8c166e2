//! Word by word and field by field beside Debian's ZooKeeper. Values differ from run to run; compared are names, their order
//! where it means something, and the form of each value.

use crate::beside::Story;
use crate::support::server::Target;
use crate::support::skipped;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const WORDS: [&str; 16] = [
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "isro", "mntr", "ruok", "srst", "srvr", "stat", "wchc",
    "wchp", "wchs",
];

const COMMANDS: [&str; 26] = [
    "configuration",
    "connection_stat_reset",
    "connections",
    "dirs",
    "dump",
    "environment",
    "get_trace_mask",
    "initial_configuration",
    "is_read_only",
    "last_snapshot",
    "leader",
    "monitor",
    "observer_connection_stat_reset",
    "observers",
    "ruok",
    "server_stats",
    "set_trace_mask",
    "set_trace_mask?traceMask=7",
    "set_trace_mask?traceMask=x",
    "stat_reset",
    "stats",
    "voting_view",
    "watches",
    "watches_by_path",
    "watch_summary",
    "zabstate",
];

/// One test, since an ensemble of Java is dear.
#[test]
fn words_and_commands_have_zookeepers_fields() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return skipped("words_and_commands_have_zookeepers_fields", &reason);
    }
    let (theirs, ours) = (Story::tell(Target::ZooKeeper), Story::tell(Target::Ringkeeper));
    let mut wrong = Vec::new();
    for leads in [true, false] {
        for word in WORDS {
            let (theirs, ours) = (theirs.word(leads, word), ours.word(leads, word));
            let (expected, told) = (shape_of_word(word, &theirs), shape_of_word(word, &ours));
            if !fits(word, &expected, &told) {
                wrong.push(format!("{word}, leads: {leads}\n--- ZooKeeper\n{theirs}\n--- Ringkeeper\n{ours}"));
            }
        }
        for command in COMMANDS {
            let (theirs, ours) = (theirs.command(leads, command), ours.command(leads, command));
            let difference = differences(command, &theirs, &ours);
            if !difference.is_empty() {
                wrong.push(format!("{command}, leads: {leads}: {difference:?}\n{theirs:#}\n{ours:#}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The form of a word's answer: every number, date, address and text that depends on the run is put aside.
fn shape_of_word(word: &str, text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| match word {
        "conf" | "envi" => line.split('=').next().unwrap_or_default().to_owned(),
        "mntr" => line.split('\t').next().unwrap_or_default().to_owned(),
        _ => shape(line),
    });
    let mut lines: Vec<String> = lines.collect();
    if matches!(word, "dump" | "wchc" | "wchp" | "cons" | "stat") {
        // How many sessions end at the same moment, and in which order they are told, is chance.
        lines.dedup();
        let mut seen = BTreeSet::new();
        lines.retain(|line| seen.insert(line.clone()));
    }
    lines
}

/// Digits become `0`, hexadecimal ones too, weekdays and months `Day` and `Month`; versions are of their makers.
fn shape(line: &str) -> String {
    if line.starts_with("Zookeeper version: ") {
        let built = line.contains(", built on ") && line.ends_with(" UTC");
        return format!("Zookeeper version, built on a date: {built}");
    }
    let words = line.split(' ').map(|word| match word {
        "Mon" | "Tue" | "Wed" | "Thu" | "Fri" | "Sat" | "Sun" => "Day".to_owned(),
        "Jan" | "Feb" | "Mar" | "Apr" | "May" | "Jun" | "Jul" | "Aug" | "Sep" | "Oct" | "Nov" | "Dec" => {
            "Month".to_owned()
        }
        word => numbers(word),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn numbers(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("0x") {
            rest = hex.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            out.push_str("0x0");
        } else if first.is_ascii_digit() || first == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            rest = rest[1..].trim_start_matches(|c: char| c.is_ascii_digit());
            out.push('0');
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    // An operation's name, and averages with or without a fraction.
    let out = out.replace("/0.0/", "/0/");
    match out.split_once("lop=") {
        Some((before, behind)) => {
            format!("{before}lop=OP{}", behind.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '0'))
        }
        None => out,
    }
}

fn fits(word: &str, expected: &[String], told: &[String]) -> bool {
    match word {
        // Ours follow theirs.
        "conf" => told.starts_with(expected),
        "mntr" => mntr_fits(expected, told),
        "dump" | "wchc" | "wchp" | "cons" | "stat" => {
            expected.iter().collect::<BTreeSet<_>>() == told.iter().collect::<BTreeSet<_>>()
        }
        _ => expected == told,
    }
}

/// What mntr tells here and not there: limits that ZooKeeper does not have, memory, the last change of leaders.
/// docs/monitoring.md names them.
const OWN: [&str; 17] = [
    "zk_clock_us",
    "zk_connections_rejected_by_rate",
    "zk_impossible_requests_closed",
    "zk_leader_change_elect_us",
    "zk_leader_change_first_commit_us",
    "zk_leader_change_noticed_us",
    "zk_leader_change_synchronise_us",
    "zk_memory_limit",
    "zk_memory_rejected_sessions",
    "zk_memory_rejected_writes",
    "zk_memory_short",
    "zk_memory_used",
    "zk_process_resident_memory_bytes",
    "zk_sessions_rejected",
    "zk_slow_clients_closed",
    "zk_tls_certificate_expiry_seconds",
    "zk_watches_rejected",
];

/// Ends of names that ZooKeeper has since 3.9, and Debian's 3.8 does not.
const LATER: [&str; 5] = [
    "_restore_time",
    "_restore_error_count",
    "_restore_rate_limited_count",
    "_snapshot_error_count",
    "_snapshot_rate_limited_count",
];

fn is_our_own(name: &str) -> bool {
    OWN.contains(&name) || LATER.iter().any(|end| name.ends_with(end))
}

/// Each of ours is one of theirs or our own, and what is missing is on the list.
fn mntr_fits(expected: &[String], told: &[String]) -> bool {
    let (theirs, ours): (BTreeSet<_>, BTreeSet<_>) = (expected.iter().collect(), told.iter().collect());
    let unknown: Vec<_> = ours.difference(&theirs).filter(|name| !is_our_own(name)).collect();
    let missing: Vec<_> = theirs.difference(&ours).filter(|name| !is_explained(name)).collect();
    if !unknown.is_empty() || !missing.is_empty() {
        eprintln!("mntr: ZooKeeper does not have {unknown:?}; without explanation we do not have {missing:?}");
    }
    // Those of a leader are anywhere among them in ZooKeeper, in the order of a hash table.
    let (first, _) = told.split_at(GAUGES.min(told.len()));
    let in_order = expected.iter().filter(|name| first.contains(name)).eq(first);
    unknown.is_empty() && missing.is_empty() && in_order
}

/// So many lines come first and in the same order: version, state, and the gauges of every server.
const GAUGES: usize = 27;

/// Parts of names of mntr that belong to what does not exist here: the list of docs/monitoring.md.
const EXPLAINED: [&str; 50] = [
    "_queue_size",
    "_processor_queue_flush_time",
    "sync_processor_queue_time",
    "sync_process_time",
    "proposal_process_time",
    "commit_process_time",
    "commitproc_time",
    "_commit_proc_",
    "_in_commit_processor",
    "commit_processor_read",
    "session_queue",
    "outstanding_changes",
    "not_forwarded_to_commit_processor",
    "response_packet_",
    "dead_watcher",
    "ensemble_auth",
    "insecure_admin",
    "throttle",
    "stale_requests",
    "stale_replies",
    "connection_token_deficit",
    "large_requests",
    "om_proposal",
    "om_commit",
    "jvm_pause",
    "dbinittime",
    "startup_",
    "leader_unavailable_time",
    "inflight",
    "quit_leading",
    "propagation_latency",
    "proposal_latency",
    "proposal_ack_creation",
    "committed_time",
    "read_final_proc_time",
    "close_session_prep_time",
    "netty_queued",
    "learner_handler_qp",
    "per_namespace",
    "connection_drop_count",
    "unrecoverable_error",
    "digest_mismatches",
    "cnxn_closed_without",
    "socket_closing_time",
    "learner_request_processor",
    "skip_learner",
    "zk_revalidate_count",
    "_1_ack_latency",
    "_2_ack_latency",
    "_3_ack_latency",
];

fn is_explained(name: &str) -> bool {
    EXPLAINED.iter().any(|part| name.contains(part))
}

/// Where the fields of two answers differ in name or form.
fn differences(command: &str, theirs: &Value, ours: &Value) -> Vec<String> {
    let (theirs, ours) = (forms(theirs), forms(ours));
    let mut all = Vec::new();
    for (path, form) in &theirs {
        match ours.get(path) {
            _ if is_excused(command, path) => {}
            None => all.push(format!("{path} is missing")),
            Some(other) if other != form => all.push(format!("{path} is {other}, not {form}")),
            Some(_) => {}
        }
    }
    let more = ours.keys().filter(|path| !theirs.contains_key(*path) && !is_excused(command, path));
    all.extend(more.map(|path| format!("{path} is there")));
    all
}

/// Differences that are meant: docs/monitoring.md has the reasons.
fn is_excused(command: &str, path: &str) -> bool {
    match command {
        "monitor" => {
            let name = format!("zk_{}", path.trim_start_matches('.'));
            is_explained(&name) || is_our_own(&name)
        }
        "zabstate" => path.contains("reachable"),
        "initial_configuration" => path == ".initial_configuration",
        _ => false,
    }
}

/// The form of the value at each path. Keys that are ids or paths of nodes are put aside; of a list the first one counts.
fn forms(value: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    walk("", value, &mut all);
    all
}

fn walk(path: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            let anonymous = matches!(
                path,
                ".expiry_time_to_session_ids"
                    | ".session_id_to_ephemeral_paths"
                    | ".session_id_to_watched_paths"
                    | ".path_to_session_ids"
            );
            for (key, value) in fields {
                let key = if anonymous { "*" } else { key.as_str() };
                walk(&format!("{path}.{key}"), value, all);
            }
        }
        Value::Array(items) => {
            all.insert(format!("{path}[]"), "list".to_owned());
            if let Some(first) = items.first() {
                walk(&format!("{path}[0]"), first, all);
            }
        }
        Value::Number(_) => {
            all.insert(path.to_owned(), "number".to_owned());
        }
        Value::String(_) => {
            all.insert(path.to_owned(), "text".to_owned());
        }
        Value::Bool(truth) => {
            all.insert(path.to_owned(), truth.to_string());
        }
        Value::Null => {
            all.insert(path.to_owned(), "null".to_owned());
        }
    }
}
