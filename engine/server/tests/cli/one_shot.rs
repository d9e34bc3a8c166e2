//! The shell from scripts: one command, a file, a pipe; exit statuses; JSON.

use super::support::ports::free_port;
use super::{Said, cli, ringkeeper, servers};
use std::net::{Ipv4Addr, SocketAddr};

#[test]
fn one_command_at_a_time() {
    for server in servers("one_command_at_a_time") {
        let run = |words: &[&str]| cli(server.addr(), words);
        let ok = |words: &[&str], out: &str| {
            let said = run(words);
            assert_eq!((said.status, said.out.as_str()), (0, out), "{words:?}: {}", said.err);
        };
        let fails = |words: &[&str], status: i32, err: &str| {
            let said = run(words);
            assert_eq!((said.status, said.out.as_str()), (status, ""), "{words:?}: {}", said.err);
            assert!(said.err.starts_with(err) && said.err.contains("hint: "), "{words:?}: {}", said.err);
        };
        ok(&["create", "/app", "a b"], "Created /app\n");
        ok(&["get", "/app"], "a b\n");
        ok(&["create", "-s", "/app/n-", ""], "Created /app/n-0000000000\n");
        ok(&["ls", "-R", "/app"], "/app\n/app/n-0000000000\n");
        ok(&["set", "/app", "-1", "-v", "0"], "");
        ok(&["get", "/app"], "-1\n");
        fails(&["get", "/nope"], 4, "Node does not exist: /nope\n");
        fails(&["create", "/app"], 5, "Node already exists: /app\n");
        fails(&["delete", "/app"], 6, "Node not empty: /app\n");
        fails(&["set", "/app", "x", "-v", "0"], 7, "version No is not valid : /app\n");
        fails(&["create", "/zookeeper/config/x"], 8, "Insufficient permission : /zookeeper/config/x\n");
        fails(&["gte", "/app"], 127, "Command not found: gte\n");
        fails(&["ls", "-r", "/app"], 2, "Unrecognized option: -r\n");
        fails(&["create", "/a/b/c"], 4, "Node does not exist: /a/b/c\n");
        fails(&["get", "app"], 2, "Path must start with / character\n");
        assert!(run(&["gte", "/app"]).err.contains("did you mean `get`?"));
        assert!(run(&["ls", "-r", "/app"]).err.contains("did you mean -R?"));
        assert!(run(&["create", "/a/b/c"]).err.contains("`create /a/b` first"));
        ok(&["deleteall", "/app"], "");
        fails(&["stat", "/app"], 4, "Node does not exist: /app\n");
    }
}

#[test]
fn nodes_that_keep_their_access_list_are_counted() {
    for server in servers("nodes_that_keep_their_access_list_are_counted") {
        let address = server.addr();
        for (path, acl) in [("/t", "cdrwa"), ("/t/a", "cdrw"), ("/t/b", "cdrwa"), ("/t/c", "cdrw")] {
            assert_eq!(cli(address, &["create", path, "", &format!("world:anyone:{acl}")]).status, 0);
        }
        let said = cli(address, &["setAcl", "-R", "/t", "world:anyone:cdrwa"]);
        assert_eq!(said.status, 8, "{}", said.err);
        assert!(said.err.contains("Insufficient permission : /t/a (2 nodes keep their ACL)"), "{}", said.err);
        assert_eq!(cli(address, &["setAcl", "-R", "/t/b", "world:anyone:r"]).status, 0);
        assert_eq!(cli(address, &["getAcl", "/t/b"]).out, "'world,'anyone\n: r\n");
    }
}

#[test]
fn many_commands_from_a_pipe_or_a_file() {
    let script = "# comment\n\n  # another\ncreate /a\nget /nope\n  create /a/b 'x y'\nget -w /a/b\nset /a/b z\ndelete /a\nls /a\n";
    for server in servers("many_commands_from_a_pipe_or_a_file") {
        let address = server.addr().to_string();
        let said = ringkeeper(&["cli", "-server", &address, "-timeout", "5000", "-waitforconnection"], script);
        let event = "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeDataChanged path:/a/b\n";
        assert_eq!(said.out, format!("Created /a\nCreated /a/b\nx y\n{event}[b]\n"), "{}", said.err);
        // The first failure counts; later ones do not hide it.
        assert_eq!(said.status, 4);

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), script.replace("/a", "/f")).unwrap();
        let path = file.path().to_str().unwrap();
        let said = ringkeeper(&["cli", "-s", &address, "--stop", "-f", path], "");
        assert_eq!((said.out.as_str(), said.status), ("Created /f\n", 4), "{}", said.err);

        for (text, status) in [(&b"create /u\n\xff\xfe\nls /\n"[..], 1), (&b"get /nope\n\xff\n"[..], 4)] {
            std::fs::write(file.path(), text).unwrap();
            let said = ringkeeper(&["cli", "-s", &address, "-f", path], "");
            assert!(said.status == status && said.err.contains("cannot read the commands"), "{}", said.err);
        }
    }
}

#[test]
fn json_for_programs() {
    let script = "create /j text\nget -s /j\nls /j\nget /nope\nget -w /j\nset /j AP8= -b\nget /j\ngetAcl /j\nwhoami\n";
    for server in servers("json_for_programs") {
        let said = ringkeeper(&["cli", "--json", "-s", &server.addr().to_string()], script);
        let lines: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["created"], "/j");
        assert_eq!((&lines[1]["data"], &lines[1]["stat"]["version"]), (&"text".into(), &0.into()));
        assert_eq!(lines[2]["children"], serde_json::json!([]));
        assert_eq!((&lines[3]["error"]["code"], &lines[3]["error"]["status"]), (&(-101).into(), &4.into()));
        assert_eq!((&lines[5]["event"], &lines[5]["path"]), (&"NodeDataChanged".into(), &"/j".into()));
        assert_eq!(lines[6]["base64"], "AP8=");
        assert_eq!(lines[7]["acl"][0]["perms"], "cdrwa");
        assert_eq!(lines[8]["identities"][0]["scheme"], "ip");
        assert_eq!((lines.len(), said.err.as_str()), (9, ""));
    }
}

#[test]
fn a_root_is_put_before_every_path() {
    for server in servers("a_root_is_put_before_every_path") {
        let address = server.addr();
        assert_eq!(cli(address, &["create", "/root"]).status, 0);
        let inside = |words: &[&str]| ringkeeper(&[&["cli", "-s", &format!("{address}/root")], words].concat(), "");
        assert_eq!(inside(&["create", "-s", "/n"]).out, "Created /n0000000000\n");
        assert_eq!(inside(&["ls", "-R", "/"]).out, "/\n/n0000000000\n");
        assert_eq!(inside(&["get", "/nope"]).err.lines().next(), Some("Node does not exist: /nope"));
        assert_eq!(cli(address, &["ls", "/root"]).out, "[n0000000000]\n");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let Said { out, err, status } = cli(nobody, &["ls", "/"]);
    assert_eq!((out.as_str(), status), ("", 3));
    assert!(err.contains("ConnectionLoss for /") && err.contains(&format!("{nobody}: Connection refused")), "{err}");
}

#[test]
fn the_second_server_is_taken_if_the_first_is_not_there() {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let server = super::Server::start(super::Target::Ringkeeper);
    let both = format!("{nobody},{}", server.addr());
    let said = ringkeeper(&["cli", "-s", &both, "ls", "/"], "");
    assert_eq!((said.out.as_str(), said.status), ("[zookeeper]\n", 0), "{}", said.err);
}

#[test]
fn a_session_goes_on_after_a_restart_of_its_server() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    let mut server = super::Server::start(super::Target::Ringkeeper);
    let mut child = Command::new(super::ringkeeper_binary())
        .args(["cli", "-s", &server.addr().to_string(), "-waitforconnection"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut expect = |text: &str| loop {
        let line = lines.next().expect("the shell is still there").unwrap();
        if line.contains(text) {
            return;
        }
    };
    writeln!(input, "create -e /mine\naddauth digest u:p\ncreate /watched\nget -w /watched\nwhoami").unwrap();
    expect("digest: u");
    server.kill();
    server.restart();
    // The identity, the watch and the ephemeral node are there again.
    writeln!(input, "sync /\nsync /\nsync /\nwhoami").unwrap();
    expect("digest: u");
    assert_eq!(cli(server.addr(), &["set", "/watched", "new"]).status, 0);
    expect("type:NodeDataChanged path:/watched");
    writeln!(input, "getEphemerals").unwrap();
    expect("[/mine]");
    drop(input);
    // A command may have met the loss of the connection, and said so.
    assert!(matches!(child.wait().unwrap().code(), Some(0 | 3)));
    assert_eq!(cli(server.addr(), &["stat", "/mine"]).status, 4);
}
