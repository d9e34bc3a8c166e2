//! The C client, as Debian's `cli_mt` uses it, at three servers: what it asks is answered, watches fire, and its session goes on when
//! its server dies.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use support::ensemble::{Ensemble, Plan};
use support::process::dies_with_us;
use support::server::Target;
use support::skipped;

const CLI: &str = "/usr/lib/zookeeper/bin/cli_mt";
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, what it is told, and what it says.
struct Cli {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Cli {
    fn start(hosts: &str) -> Cli {
        // It says some things on standard error, and into a pipe would keep the others until it ends.
        let mut command = Command::new("sh");
        command.args(["-c", "exec stdbuf -oL \"$0\" \"$1\" 2>&1", CLI, hosts]);
        dies_with_us(&mut command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Cli { child, input, lines, said: Vec::new() }
    }

    /// The next line that has this in it.
    fn wait_for(&mut self, wanted: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("waited in vain for {wanted:?}:\n{}", self.said.join("\n")));
            self.said.push(line.clone());
            if line.contains(wanted) {
                return line;
            }
        }
    }

    /// Has a command executed, and waits for these words in turn.
    fn does(&mut self, command: &str, answers: &[&str]) {
        writeln!(self.input, "{command}").unwrap();
        for answer in answers {
            self.wait_for(answer);
        }
    }
}

#[test]
fn the_c_client_works_and_goes_on_at_another_server() {
    const TEST: &str = "the_c_client_works_and_goes_on_at_another_server";
    if let Some(reason) = Target::from_env().missing() {
        return skipped(TEST, &reason);
    }
    if !Path::new(CLI).exists() {
        return skipped(TEST, "no C client: install zookeeper-bin");
    }
    let mut ensemble = Ensemble::of(&Plan { target: Target::from_env(), ..Plan::default() });
    let hosts: Vec<String> = ensemble.addrs().iter().map(ToString::to_string).collect();
    let mut cli = Cli::start(&hosts.join(","));
    let session = cli.wait_for("Got a new session id: ");
    let session = session.rsplit(' ').next().unwrap().to_owned();

    cli.does("create /c", &["[/c]: rc = 0", "name = /c"]);
    cli.does("create +e /c/here", &["[/c/here]: rc = 0"]);
    cli.does("create +s /c/item", &["name = /c/item0000000001"]);
    cli.does("ls /c", &["/c: rc = 0", "item0000000001"]);
    cli.does("get /c", &["/c: rc = 0", "value_len"]);
    cli.does("set /c hello", &["CHANGED_EVENT"]);
    cli.does("get /c", &["/c: rc = 0", "hello"]);
    cli.does("get /nothing", &["/nothing: rc = -101"]);

    let at = (0..3).find(|at| ensemble.told(*at, "cons").contains(&format!("sid={session}")));
    let at = at.unwrap_or_else(|| panic!("no server has the session {session}"));
    ensemble.kill(at);
    cli.wait_for("CONNECTED_STATE");
    // What it had watched before, it watches at the other server.
    cli.does("set /c again", &["CHANGED_EVENT"]);
    cli.does("get /c/here", &["/c/here: rc = 0", "value_len"]);
    cli.does("delete /c/here", &["DELETED_EVENT"]);
    cli.does("create /c/after", &["[/c/after]: rc = 0"]);
    let elsewhere = (0..3).any(|other| other != at && ensemble.told(other, "cons").contains(&session));
    assert!(elsewhere, "the session went on:\n{}", cli.said.join("\n"));

    writeln!(cli.input, "quit").unwrap();
    assert!(cli.child.wait().unwrap().success());
}
