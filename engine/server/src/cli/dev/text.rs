//! What is said to the user.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::plan::Plan;

/// How to connect and what to try, once all servers serve. `servers` are their process ids and roles.
pub(super) fn welcome(plan: &Plan, servers: &[(u32, &str)]) -> String {
    let connect = plan.connection_string();
    let mut text = format!("\nConnect to {connect}\n\n");
    for (id, (pid, mode)) in (1..).zip(servers) {
        text += &format!("  server {id}: pid {pid}, {mode}, messages in {}\n", plan.log(id).display());
    }
    let admin = plan.ports.first().map_or(0, |ports| ports.admin);
    let victim = servers.last().map_or(0, |(pid, _)| *pid);
    let outcome = match (servers.len(), plan.restart) {
        (1, true) => "It is started again after a second, and everything that was acknowledged is there.",
        (1, false) => "Everything that was acknowledged is there when it is started again.",
        (_, true) => "Its clients go on with another one; it is started again after a second and catches up.",
        (_, false) => "Its clients go on with another one.",
    };
    text += &format!(
        "\n\
         A shell:      ringkeeper cli --server {connect}\n\
         A live view:  ringkeeper top {connect}\n\
         Metrics:      curl http://127.0.0.1:{admin}/metrics, and more at http://127.0.0.1:{admin}/commands\n\
         From Python:  python3 -c 'from kazoo.client import KazooClient; zk = KazooClient(\"{connect}\"); zk.start(); \
         print(zk.get_children(\"/\"))'\n\
         With a load:  loadgen run --servers {connect} --connections 64 --depth 16 --duration 10s\n\
         Kill one:     kill -9 {victim}\n              {outcome}\n\
         Stop all:     Ctrl-C\n"
    );
    text
}

/// How a process ended, as the rest of a sentence.
pub(super) fn ending(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, Some(code)) => format!("ended with exit status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The last lines of a text.
pub(super) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dev::plan::Ports;

    #[test]
    fn the_welcome_has_what_one_needs() {
        let ports = [(2181, 1), (2182, 2), (2183, 3)].map(|(client, peer)| Ports { client, peer, admin: 8078 + peer });
        let mut plan = Plan {
            program: "r".into(),
            dir: "/d".into(),
            ports: ports.to_vec(),
            restart: true,
            show_logs: false,
            arguments: Vec::new(),
        };
        let text = welcome(&plan, &[(71, "follower"), (72, "leader"), (73, "follower")]);
        for part in [
            "Connect to 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183\n",
            "server 2: pid 72, leader, messages in /d/server-2.log\n",
            "curl http://127.0.0.1:8079/metrics",
            "KazooClient(\"127.0.0.1:2181,",
            "--servers 127.0.0.1:2181,",
            "kill -9 73\n",
            "started again after a second",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        plan.restart = false;
        assert!(!welcome(&plan, &[(71, "standalone")]).contains("after a second"));
    }

    #[test]
    fn endings() {
        assert_eq!(ending(ExitStatus::from_raw(9)), "was killed by signal 9");
        assert_eq!(ending(ExitStatus::from_raw(2 << 8)), "ended with exit status 2");
    }

    #[test]
    fn tails() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
        assert_eq!(tail("", 2), "");
    }
}
