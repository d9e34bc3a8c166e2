//! What goes wrong, and what loadgen says then.
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use std::net::TcpListener;
use support::null_server::{Conduct, NullServer, Trouble, Welcome};
use support::{NOBODY, Ran, finish, loadgen, number, start};

fn troubled(trouble: Trouble) -> Ran {
    let server = NullServer::start(Conduct { trouble: Some((200, trouble)), ..Conduct::default() });
    loadgen(&format!("run -s {} -c 2 -d 4 --read-ratio 0 --keys 9 -w 0s -t 1h --session-timeout 3s", server.address))
        .expect(1)
}

#[test]
fn a_server_that_breaks_off_or_breaks_the_protocol_ends_the_run_with_its_figures_kept() {
    for (trouble, says) in [
        (Trouble::Close, "lost the connection"),
        (Trouble::Silence, "silent"),
        (Trouble::WrongXid, "broke the protocol: reply to xid"),
        (Trouble::Notification, "broke the protocol: event of 0 bytes"),
        (Trouble::ShortBody, "broke the protocol: reply to a set with a body of"),
        (Trouble::Garbage, "broke the protocol: frame of"),
        (Trouble::Error(-112), "has expired"),
    ] {
        let ran = troubled(trouble);
        let result = ran.result();
        assert_eq!(result["status"], "failed", "{trouble:?}");
        let failure = result["failures"][0].as_str().unwrap();
        assert!(failure.contains(says), "{trouble:?}: {failure}");
        assert!(ran.stdout.contains("FAILED: ") && ran.stdout.contains(says), "{trouble:?}: {}", ran.stdout);
        assert!(number(result, "operations") >= 100.0, "{trouble:?}: {result:#}");
    }
    let lost = troubled(Trouble::Close);
    assert!(number(lost.result(), "unanswered") >= 1.0, "the outcome of what was in flight is unknown");
}

#[test]
fn servers_that_give_no_session_are_told_apart() {
    for (welcome, patience, says) in [
        (Welcome::Close, 60, "maxClientCnxns"),
        (Welcome::Silence, 1, "did not establish a session within 1 s"),
        (Welcome::Expired, 60, "has expired"),
    ] {
        let server = NullServer::start(Conduct { welcome, ..Conduct::default() });
        for command in ["run", "fill", "watch", "sessions -n 2"] {
            let ran = loadgen(&format!("{command} -s {} --connect-timeout {patience}s", server.address)).expect(1);
            assert!(format!("{}{}", ran.stdout, ran.stderr).contains(says), "{command} {welcome:?}: {ran:#?}");
        }
    }
}

#[test]
fn an_address_where_nothing_listens_is_named() {
    for command in ["run", "fill", "watch", "sessions", "verify"] {
        let ran = loadgen(&format!("{command} -s {NOBODY}")).expect(1);
        assert!(ran.stderr.contains(&format!("cannot connect to {NOBODY}")), "{}", ran.stderr);
        assert!(ran.stderr.contains("nothing listens there"), "{}", ran.stderr);
        assert!(ran.json.is_none(), "nothing was measured");
    }
}

#[test]
fn servers_that_listen_and_never_answer_are_told_apart_from_an_ensemble() {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let servers = listeners.map(|listener| (listener.local_addr().unwrap().to_string(), listener));
    let names = servers.each_ref().map(|(name, _)| name.as_str()).join(",");
    // Each waits for its seconds: all at once.
    let all = ["failover", "verify --fault kill", "sessions --fault kill"];
    for (command, running) in all.map(|command| (command, start(&format!("{command} -s {names}")))) {
        let ran = finish(running).expect(1);
        assert!(ran.stderr.contains("no healthy ensemble"), "{command}: {}", ran.stderr);
        for (name, _) in &servers {
            assert!(ran.stderr.contains(&format!("{name} does not answer")), "{command}: {}", ran.stderr);
        }
        assert!(ran.json.is_none(), "nothing was measured");
    }
    let ran = loadgen(&format!("verify -s {names}")).expect(1);
    assert!(ran.stderr.contains("has not answered within 5 s") && ran.stderr.contains(&servers[0].0), "{ran:#?}");
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    for (command, status) in
        [("run", 1), ("fill", 1), ("watch", 1), ("probe", 1), ("sessions", 2), ("verify", 2), ("failover", 2)]
    {
        let ran = loadgen(&format!("{command} -s no-such-host.invalid:2181")).expect(status);
        assert!(ran.stderr.contains("\"no-such-host.invalid:2181\""), "{command}: {}", ran.stderr);
        assert!(ran.json.is_none(), "nothing was measured");
    }
    let ran = loadgen("run -s 127.0.0.1:2181/chroot").expect(1);
    assert!(ran.stderr.contains("--prefix"), "{}", ran.stderr);
}

#[test]
fn a_process_that_is_not_there_is_said_before_anything_is_sent() {
    let server = NullServer::start(Conduct::default());
    let ran = loadgen(&format!("run -s {} --server-pid 2147483647", server.address)).expect(1);
    assert!(ran.stderr.contains("no process 2147483647"), "{}", ran.stderr);
    assert_eq!(server.counts.sessions.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn wrong_command_lines_end_with_status_2_and_name_the_flag() {
    for (line, says) in [
        ("run --connections 0", "--connections"),
        ("run --depth x", "--depth"),
        ("run --read-ratio 1.5", "--read-ratio"),
        ("run --read-ratio 0.5 --mix set=1", "--mix"),
        ("run --mix sat=1", "no operation"),
        ("run --mix set=0", "nothing to do"),
        ("run --value-size 2m", "--value-size"),
        ("run --rate 0", "--rate"),
        ("run --arrival fixed", "--rate"),
        ("run --duration 5x", "--duration"),
        ("run --duration 5s --ops 5", "--ops"),
        ("run --ops 0", "--ops"),
        ("run --keys 0", "--keys"),
        ("run --fail-if p98>5ms", "no figure"),
        ("run --mix multi=1", "multi:N"),
        ("run --key-distribution zipf", "--key-distribution"),
        ("run --value-size 5..1", "--value-size"),
        ("run --workload /no/such/file", "/no/such/file"),
        ("run --until-saturated p98<5ms", "no figure"),
        ("run --until-saturated p99<5ms --ops 5", "--ops"),
        ("self-test --fail-if p98>5ms", "no figure"),
        ("run --prefix loadgen", "--prefix"),
        ("run --prefix /zookeeper/x", "--prefix"),
        ("run --threads 5 --connections 4", "threads"),
        ("fill --count 1x", "--count"),
        ("sessions --sessions many", "--sessions"),
        ("sessions --fail-if back>5s", "all-back"),
        ("sessions --fault kill", "three at least"),
        ("watch --watchers 0", "--watchers"),
        ("watch --prefix loadgen", "--prefix"),
        ("watch --fail-if events.p99>5s", "answered and last"),
        ("verify -s 127.0.0.1 --keys 1", "--keys"),
        ("run --nonsense", "--nonsense"),
        ("dance", "dance"),
    ] {
        let ran = loadgen(line).expect(2);
        assert!(ran.stderr.contains(says), "{line}: {}", ran.stderr);
    }
}

#[test]
fn a_workload_file_that_is_none_is_told_with_its_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    for (text, says) in [("depth = 4\nsesions = 5\n", "sesions"), ("depth 5\n", "line 1"), ("[mix]\nsat = 1\n", "sat")]
    {
        std::fs::write(file.path(), text).unwrap();
        let ran = loadgen(&format!("run --workload {path}")).expect(2);
        assert!(ran.stderr.contains(says) && ran.stderr.contains(&path.to_string()), "{text}: {}", ran.stderr);
    }
}

#[test]
fn the_help_of_each_command_teaches_with_examples() {
    for command in ["run", "fill", "failover", "self-test", "probe", "compare", "verify", "watch", "sessions", "report"]
    {
        let help = loadgen(&format!("help {command}")).expect(0).stdout;
        assert!(help.contains("Examples:") && help.contains(&format!("\n      loadgen {command}")), "{help}");
    }
    assert!(loadgen("--help").expect(0).stdout.contains("Exit status"));
}
