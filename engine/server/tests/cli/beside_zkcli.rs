//! The same commands to `ringkeeper cli` and to Debian's zkCli.sh, at the same ensemble of three, each below a root of its own: what
//! they say is the same, or listed here with the reason. And the same commands by zkCli.sh to three servers of either kind.

use super::support::ensemble::{Ensemble, Plan};
use super::support::process::ZOOKEEPER_CLASS_PATH;
use super::support::server::{Server, Target};
use super::{cli, ringkeeper, support};
use std::collections::BTreeMap;
use std::fs::File;
use std::process::Command;

/// The commands, in one session. What each says is compared.
const SCRIPT: &[&str] = &[
    "ls /",
    "create /a",
    "create /a 'hello world'",
    "create /a/b 'x y' world:anyone:cdrwa",
    "create /a/dq \"it's\"",
    "create /a/empty ''",
    "create /a/json {\"k\":\"v\"}",
    "get /a",
    "get /a/b",
    "get /a/dq",
    "get /a/empty",
    "get /a/json",
    "get -s /a/b",
    "get /a/b true",
    "get /nope",
    "get",
    "set /a foo",
    "set -s /a bar",
    "set /a baz -v 7",
    "set -v 2 /a qux",
    "set /nope x",
    "stat /a",
    "stat -w /a",
    "stat /nope",
    "ls -s /a",
    "ls -w /a",
    "ls /a true",
    "ls -R /a",
    "ls -R /nope",
    "ls /nope",
    "ls a",
    "ls /a/",
    "ls //a",
    "ls /a/../b",
    "create -s /a/s- data",
    "create -s -e /a/e- data",
    "create -e /a/eph data",
    "create /a/eph/x",
    "create /deep/er/node",
    "create -c /cont",
    "create -t 500000 /ttl",
    "create -t x /ttl2",
    "create -e -t 1 /ttl2",
    "create -c -e /ttl2",
    "create -c -t 1 /ttl2",
    "getEphemerals",
    "getEphemerals /zz",
    "getAllChildrenNumber /a",
    "getAllChildrenNumber /nope",
    "addWatch -m PERSISTENT /a",
    "set /a w",
    "create /a/n1",
    "removewatches /a -c",
    "removewatches /a",
    "removewatches /a",
    "get -w /a/n1",
    "removewatches /a/n1 -d",
    "addWatch -m PERSISTENT_RECURSIVE /a/b",
    "create /a/b/c",
    "set /a/b/c 1",
    "delete /a/b/c",
    "delete /a",
    "delete -v 99 /a/n1",
    "delete /a/n1",
    "delete /nope",
    "deleteall /nope",
    "getAcl /a",
    "getAcl -s /a",
    "setAcl /a world:anyone:r,world:anyone:cdwa",
    "getAcl /a",
    "setAcl -s /a world:anyone:cdrwa",
    "setAcl -v 9 /a world:anyone:r",
    "setAcl -R /a world:anyone:cdrwa",
    "setAcl /nope world:anyone:r",
    "create /zookeeper",
    "create /zookeeper/quota",
    "setquota -n 2 /a",
    "listquota /a",
    "setquota -b 1 /a",
    "setquota -N 100 /a",
    "setquota -B 1000000 /a",
    "listquota /a",
    "setquota -n 5 /a/b",
    "setquota -n 5 /nope",
    "setquota -n 0 /a",
    "setquota -b -1 /a",
    "setquota -n 3 /zookeeper/quota",
    "listquota /nope",
    "delquota -n /a",
    "listquota /a",
    "delquota /a",
    "delquota /a",
    "ls -R /zookeeper",
    "addauth digest user:password",
    "whoami",
    "create /mine secret auth::cdrwa",
    "getAcl /mine",
    "sync /a",
    "config",
    "config -c",
    "printwatches",
    "printwatches off",
    "set /a quiet",
    "printwatches",
    "printwatches on",
    "reconfig -add x -members y",
    "reconfig -file /f -members y",
    "reconfig -v xyz -remove 1",
    "redo 4000",
    "deleteall /a",
    "ls /",
];

/// Commands that speak differently, what each shell says, and why. `*` stands for anything.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "getEphemerals",
        "[/theirs/a/e-0000000005, /theirs/a/eph]",
        "[/a/e-0000000005, /a/eph]",
        "zkCli.sh leaves the root before paths here, and here only",
    ),
    ("get", "get [-s] [-w] path", "get needs a path", "it says what is missing; the usage is in the hint"),
];

/// Runs zkCli.sh with the script as its input; what it prints, in order.
fn zkcli(server: &str, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("input"), dir.path().join("output"));
    std::fs::write(&input, script).unwrap();
    let file = File::create(&output).unwrap();
    Command::new("java")
        .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC"])
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", ZOOKEEPER_CLASS_PATH])
        .args(["org.apache.zookeeper.ZooKeeperMain", "-server", server])
        .stdin(File::open(&input).unwrap())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .status()
        .unwrap();
    std::fs::read_to_string(&output).unwrap()
}

/// Both channels of `ringkeeper cli` in the order in which it printed.
fn ours(server: &str, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("output");
    std::fs::write(dir.path().join("input"), script).unwrap();
    let file = File::create(&output).unwrap();
    Command::new(super::ringkeeper_binary())
        .args(["cli", "-server", server])
        .env("TZ", "UTC")
        .stdin(File::open(dir.path().join("input")).unwrap())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .status()
        .unwrap();
    std::fs::read_to_string(&output).unwrap()
}

/// What was said to each command, and the events of nodes in their order.
struct Heard {
    answers: BTreeMap<usize, String>,
    events: Vec<String>,
}

impl Heard {
    /// What was said to the command of this place in the script.
    fn answer(&self, at: usize) -> String {
        self.answers.get(&(at + 1)).cloned().unwrap_or_else(|| "(nothing)".to_owned())
    }
}

/// Cuts what a shell said at the markers. Events come when they come, so they are taken out; so are remedies, of which zkCli.sh has
/// none, and the noise of Java's logging.
fn heard(text: &str) -> Heard {
    let mut heard = Heard { answers: BTreeMap::new(), events: Vec::new() };
    let (mut answer, mut begun) = (Vec::new(), false);
    for line in text.lines() {
        if let Some(event) = line.strip_prefix("WatchedEvent ") {
            if !event.contains("type:None") {
                heard.events.push(event.to_owned());
            }
        } else if let Some(number) = line.strip_prefix("Node does not exist: /marker-") {
            if begun {
                heard.answers.insert(number.parse().unwrap(), answer.join("\n"));
            }
            (begun, answer) = (true, Vec::new());
        } else if !line.is_empty() && line != "WATCHER::" && !line.starts_with("  hint: ") {
            answer.push(normal(line));
        }
    }
    heard
}

/// A line without what differs from run to run: zxids, times, and the order of what zkCli.sh takes from a hash table: ephemeral
/// nodes, and addresses in the configuration of version 0.
fn normal(line: &str) -> String {
    let sorted = |text: &str, between: &str| {
        let mut names: Vec<&str> = text.split(between).collect();
        names.sort_unstable();
        names.join(between)
    };
    if let Some(names) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
        return format!("[{}]", sorted(names, ", "));
    }
    if let Some(addresses) = line.strip_prefix("0 ") {
        return format!("0 {}", sorted(addresses, ","));
    }
    match line.split_once(" = ") {
        Some((name @ ("cZxid" | "mZxid" | "pZxid" | "ctime" | "mtime"), _)) => format!("{name} = ..."),
        _ => line.to_owned(),
    }
}

/// Both shells at one ensemble; what zkCli.sh has heard.
fn compare_shells(ensemble: &Ensemble) -> Heard {
    // Each command is followed by one that fails, with its number; the first one stands before all.
    let script: String = std::iter::once("get /marker-0\n".to_owned())
        .chain(SCRIPT.iter().enumerate().map(|(at, line)| format!("{line}\nget /marker-{}\n", at + 1)))
        .collect();
    let servers = ensemble.addrs().iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    for root in ["/theirs", "/ours"] {
        assert_eq!(cli(ensemble.addr(0), &["create", root]).status, 0);
        // Whichever server a shell goes to, it has the root.
        ensemble.addrs().into_iter().for_each(|addr| assert_eq!(cli(addr, &["sync", root]).status, 0));
    }
    let theirs = heard(&zkcli(&format!("{servers}/theirs"), &script));
    let ours = heard(&ours(&format!("{servers}/ours"), &script));
    let mut wrong = String::new();
    for (at, line) in SCRIPT.iter().enumerate() {
        let (theirs, ours) = (theirs.answer(at), ours.answer(at));
        let matches = |pattern: &str, text: &str| pattern == "*" || pattern == text;
        let explained = DIFFERENCES.iter().any(|(command, of_theirs, of_ours, _)| {
            command == line && matches(of_theirs, &theirs) && matches(of_ours, &ours)
        });
        if theirs != ours && !explained {
            wrong += &format!("{line}\n  zkCli.sh:\n{theirs}\n  ringkeeper cli:\n{ours}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{:?}:\n{wrong}", ensemble.target());
    assert_eq!(theirs.events, ours.events, "{:?}", ensemble.target());
    theirs
}

#[test]
fn both_shells_say_the_same() {
    if let Some(reason) = Target::ZooKeeper.missing() {
        return support::skipped("both_shells_say_the_same", &reason);
    }
    let settings = &[("enforceQuota", "false")];
    let [ours, theirs] = [Target::Ringkeeper, Target::ZooKeeper]
        .map(|target| compare_shells(&Ensemble::of(&Plan { target, settings, client_ports: true, ..Plan::default() })));
    let mut wrong = String::new();
    for (at, line) in SCRIPT.iter().enumerate() {
        let [ours, theirs] = [&ours, &theirs].map(|heard| of_any_server(&heard.answer(at)));
        if ours != theirs {
            wrong += &format!("{line}\n  ZooKeeper:\n{theirs}\n  Ringkeeper:\n{ours}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(theirs.events, ours.events);
}

/// An answer without what is of one server or one run: ports, numbers of sessions, and the order of identities, which ZooKeeper
/// takes from a hash table.
fn of_any_server(answer: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some(("ephemeralOwner", owner)) if owner != "0x0" => "ephemeralOwner = a session".to_owned(),
        _ if line.starts_with("server.") || line.starts_with("0 ") => line.replace(|c: char| c.is_ascii_digit(), ""),
        _ => line.to_owned(),
    };
    let mut lines: Vec<String> = answer.lines().map(line).collect();
    if answer.starts_with("Auth scheme: ") {
        lines.sort_unstable();
    }
    lines.join("\n")
}

#[test]
fn help_explains_what_the_other_shell_lists() {
    let server = Server::start(Target::Ringkeeper);
    let said = ringkeeper(&["cli", "-s", &server.addr().to_string(), "help"], "");
    assert_eq!(said.status, 0);
    assert!(
        said.out.contains("getAllChildrenNumber") && said.out.contains("`help COMMAND` explains one"),
        "{}",
        said.out
    );
}
