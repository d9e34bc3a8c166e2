//! The differences to Debian's ZooKeeper 3.8.0 that are meant. `docs/zookeeper-differences.md` tells them to users; a test
//! holds the two lists together.

/// A difference that is meant: its name here and in the document, why it is, and how the tests deal with it.
pub struct Difference {
    pub id: &'static str,
    pub why: &'static str,
    pub handled: &'static str,
}

const fn row(id: &'static str, why: &'static str, handled: &'static str) -> Difference {
    Difference { id, why, handled }
}

/// Values are compared by what they stand for.
const MAPPED: &str = "mapped";
/// The old server is asked in another way for what the newer rule gives.
const TRANSLATED: &str = "translated";
/// Generated operations stay clear of it; a test in `protocol.rs` shows Ringkeeper's side.
const APART: &str = "tested apart";

/// All of them.
pub const DIFFERENCES: &[Difference] = &[
    row("session-id", "ids are made by the server", MAPPED),
    row("failed-write-zxid", "a failed write is no transaction here", MAPPED),
    row("event-zxid", "-1 before 3.9.0", MAPPED),
    row("multi-create2-result", "only a path before 3.8.2", MAPPED),
    row("session-move-zxid", "taking a session up is a transaction here", MAPPED),
    row("moved-session-closed", "the former connection must not go on as if nothing had happened", APART),
    row("close-event-order", "hash order there, order of creation here", MAPPED),
    row("exists-needs-read", "no check before 3.8.4", TRANSLATED),
    row("check-outside-multi", "executed before 3.8.5", TRANSLATED),
    row("client-delete-container", "a hole in ZooKeeper's access control", TRANSLATED),
    row("client-create-session", "not meant for clients", TRANSLATED),
    row("password-first", "a stranger must not cut a session off", TRANSLATED),
    row("watch-kinds-removal", "types 4 and 5 since 3.9.0", TRANSLATED),
    row("watch-kinds-per-path", "one kind per path before 3.9.0", APART),
    row("container-flag-in-create", "the node would never go", APART),
    row("ttl-record-without-ttl-flag", "ZooKeeper fails when it applies it", APART),
    row("malformed-quota", "ZooKeeper stops", APART),
    row("quota-statistics-text", "limits do not belong there", APART),
    row("multi-create-flags", "judged when decoded since 3.8.2", APART),
    row("check-watches-own", "anybody's watch counts before 3.9.0", APART),
    row("multi-null-read", "an end mark behind an error", APART),
    row("set-watches-null-list", "half done in ZooKeeper", APART),
    row("sync-echo-encoding", "Java writes surrogates one by one", APART),
    row("descendants-of-empty-path", "\"\" is \"/\" here", APART),
    row("short-memory", "a refusal is better than a process that is killed", APART),
    row("watch-and-session-limits", "ZooKeeper has none", APART),
    row("outstanding-limit", "waiting requests hold no threads here", APART),
    row("read-only-alone", "local sessions are another matter", APART),
    row("acl-ipv6", "since 3.9.4", APART),
];

/// The list as text, for the report of a difference that is not in it.
pub fn list() -> String {
    DIFFERENCES.iter().map(|d| format!("  {} ({}): {}\n", d.id, d.handled, d.why)).collect()
}
