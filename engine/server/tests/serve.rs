//! The whole server as a process: start, durable writes, restart, stop, and refusals in plain words.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod process;

use process::{Client, Server, check, command, scratch, set};
use ringkeeper_core::jute::Request;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output};

/// Each log driver, and connections on the replica's executor as well as on executors of their own.
const VARIANTS: [&str; 5] =
    ["log.driver=auto", "log.driver=thread", "log.driver=uring-dsync", "log.driver=uring-fdatasync", "client.cores=2"];
const EPHEMERAL: i32 = 1;

fn with(setting: &str) -> [String; 2] {
    ["--set".to_owned(), setting.to_owned()]
}

fn start(dir: &std::path::Path, flags: &[String]) -> Server {
    Server::start(dir, &flags.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Runs a server that is expected not to start; returns its exit status and what it said.
fn refused(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn writes_survive_an_orderly_restart() {
    for variant in VARIANTS {
        let dir = scratch();
        let mut server = start(dir.path(), &with(variant));
        let mut client = Client::new(&server);
        client.create("/a", b"one", 0).unwrap();
        client.call(&set("/a", b"two")).unwrap();
        server.signal(libc::SIGTERM);
        server.wait_for("stopped");
        assert_eq!(server.wait().code(), Some(0), "{variant}");

        let server = start(dir.path(), &with(variant));
        assert_eq!(Client::new(&server).get("/a"), Some((b"two".to_vec(), 1)), "{variant}");
    }
}

#[test]
fn acknowledged_writes_survive_kill_9_under_load() {
    const WINDOW: i32 = 64;
    for variant in VARIANTS {
        let dir = scratch();
        let mut acknowledged = 0;
        for round in 0..3 {
            let server = start(dir.path(), &with(variant));
            let mut client = Client::new(&server);
            match client.get("/a") {
                None => assert_eq!((round, client.create("/a", b"0", 0)), (0, Ok(()))),
                Some((data, version)) => {
                    assert_eq!(data, version.to_string().into_bytes(), "a version and its data belong together");
                    assert!(version >= acknowledged, "{variant}: {acknowledged} acknowledged, {version} there");
                    acknowledged = version;
                }
            }
            let base = acknowledged;
            for sent in 1..WINDOW {
                client.send(&set("/a", (base + sent).to_string().as_bytes())).unwrap();
            }
            for sent in WINDOW..2000 {
                assert_eq!(client.reply().unwrap().0.err, 0);
                acknowledged += 1;
                client.send(&set("/a", (base + sent).to_string().as_bytes())).unwrap();
            }
            server.kill();
            while client.reply().is_ok_and(|(header, _)| header.err == 0) {
                acknowledged += 1;
            }
        }
    }
}

#[test]
fn a_session_outlives_the_server_with_its_ephemerals() {
    let dir = scratch();
    let server = start(dir.path(), &[]);
    let mut client = Client::new(&server);
    client.create("/mine", b"", EPHEMERAL).unwrap();
    server.kill();
    let server = start(dir.path(), &[]);
    let mut again = Client::attach(&server, client.session).expect("the session lives on");
    assert!(again.get("/mine").is_some());
    let stranger = (client.session.0, [0; 16]);
    assert!(Client::attach(&server, stranger).is_none(), "a wrong password proves nothing");
    again.call(&Request::CloseSession).unwrap();
    assert_eq!(Client::new(&server).get("/mine"), None);
}

#[test]
fn snapshots_are_taken_and_used() {
    for cores in ["client.cores=0", "client.cores=2"] {
        let dir = scratch();
        let flags = ["--set", "snapCount=500", "--set", cores];
        let mut server = Server::start(dir.path(), &flags);
        let mut client = Client::new(&server);
        for n in 0..1200 {
            client.create(&format!("/n{n}"), n.to_string().as_bytes(), 0).unwrap();
        }
        server.wait_for("snapshot taken");
        server.kill();
        let server = Server::spawn(dir.path(), &flags);
        let (recovered, server) = server.wait_for_recovery();
        assert!(!recovered.contains("snapshot=\"none\""), "{recovered}");
        let mut client = Client::new(&server);
        for n in 0..1200 {
            assert_eq!(client.get(&format!("/n{n}")), Some((n.to_string().into_bytes(), 0)));
        }
    }
}

#[test]
fn a_client_sees_its_own_writes_and_after_a_sync_those_of_others() {
    for variant in ["client.cores=0", "client.cores=1", "client.cores=3"] {
        let dir = scratch();
        let server = start(dir.path(), &with(variant));
        let mut clients: Vec<Client> = (0..6).map(|_| Client::new(&server)).collect();
        clients[0].create("/n", b"", 0).unwrap();
        for round in 1..=200 {
            let writer = round % clients.len();
            clients[writer].call(&set("/n", b"x")).unwrap();
            assert_eq!(clients[writer].get("/n").unwrap().1, round as i32, "{variant}: its own write");
            let reader = (round * 5 + 1) % clients.len();
            clients[reader].call(&Request::Sync { path: Some("/n".into()) }).unwrap();
            assert_eq!(clients[reader].get("/n").unwrap().1, round as i32, "{variant}: sync, then read");
        }
    }
}

#[test]
fn an_event_comes_before_the_data_that_it_announces() {
    for variant in ["client.cores=0", "client.cores=1", "client.cores=3"] {
        let dir = scratch();
        let server = start(dir.path(), &with(variant));
        let mut writer = Client::new(&server);
        writer.create("/n", b"0", 0).unwrap();
        let mut watchers: Vec<Client> = (0..4).map(|_| Client::new(&server)).collect();
        for round in 1..=100 {
            for watcher in &mut watchers {
                watcher.call(&Request::GetData { path: "/n".into(), watch: true }).unwrap();
            }
            writer.send(&set("/n", b"x")).unwrap();
            for watcher in &mut watchers {
                watcher.read_until_version("/n", round);
            }
            writer.reply().unwrap();
        }
    }
}

#[test]
fn words_show_the_connections_of_all_executors() {
    let dir = scratch();
    let server = Server::start(dir.path(), &["--set", "client.cores=3", "--set", "4lw.commands.whitelist=*"]);
    let clients: Vec<Client> = (0..8).map(|_| Client::new(&server)).collect();
    let mut socket = TcpStream::connect(server.addr).unwrap();
    socket.write_all(b"cons").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("sid=0x").count(), clients.len(), "{text}");
}

#[test]
fn words_are_answered_as_the_whitelist_says() {
    let dir = scratch();
    let server = start(dir.path(), &["--set".to_owned(), "4lw.commands.whitelist=ruok,mntr".to_owned()]);
    assert_eq!(server.word(b"ruok"), "imok");
    assert!(server.word(b"mntr").contains("zk_server_state\tstandalone\n"));
    assert_eq!(server.word(b"cons"), "cons is not executed because it is not in the whitelist.\n");
}

#[test]
fn a_request_over_the_limit_closes_the_connection() {
    let dir = scratch();
    let server = start(dir.path(), &[]);
    for (len, closed) in [(0xF_FFFFu32, false), (0x10_0000, true)] {
        let mut stream = TcpStream::connect(server.addr).unwrap();
        stream.write_all(&len.to_be_bytes()).unwrap();
        // The longest frame is accepted; as a connect request of zeros it is a valid one, and gets a session.
        let _ = stream.write_all(&vec![0; len as usize]);
        let mut answer = [0; 4];
        assert_eq!(stream.read_exact(&mut answer).is_err(), closed, "{len}");
    }
}

#[test]
fn a_port_in_use_is_said_in_a_sentence() {
    let dir = scratch();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringkeeper"));
    command.args(["serve", "--client-port-address", "127.0.0.1", "--client-port", &port, "--data-dir"]).arg(dir.path());
    let (status, said) = refused(command);
    assert_eq!(status, Some(69));
    assert!(said.contains(&format!("cannot listen for clients on 127.0.0.1:{port}")), "{said}");
}

#[test]
fn a_directory_in_use_is_refused() {
    let dir = scratch();
    let _first = start(dir.path(), &[]);
    let (status, said) = refused(command(dir.path(), &[]));
    assert_eq!(status, Some(75));
    assert!(said.contains("in use by another process"), "{said}");
}

#[test]
fn a_kernel_without_io_uring_gets_a_message_and_not_a_panic() {
    let dir = scratch();
    for errno in [libc::EPERM, libc::ENOSYS] {
        let mut command = command(dir.path(), &[]);
        // SAFETY: system calls only between fork and exec.
        unsafe { command.pre_exec(move || refuse_io_uring(errno)) };
        let (status, said) = refused(command);
        assert_eq!(status, Some(71));
        assert!(said.contains("the kernel refuses io_uring") && !said.contains("panicked"), "{said}");
    }
}

/// Has the kernel answer `errno` to io_uring_setup, as the seccomp profiles of containers do.
fn refuse_io_uring(errno: i32) -> std::io::Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut filter = [
        // The number of the system call is the first field of seccomp_data.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            jf: 1,
            ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_io_uring_setup as u32)
        },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `program` and the filter that it points to live through the call.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program))
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let dir = scratch();
    let mut server = start(dir.path(), &[]);
    // A client that does not take its replies would hold the stop up for a while.
    let mut greedy = Client::new(&server);
    greedy.create("/big", &vec![7; 1 << 19], 0).unwrap();
    for _ in 0..40 {
        greedy.send(&Request::GetData { path: "/big".into(), watch: false }).unwrap();
    }
    Client::new(&server).get("/");
    server.signal(libc::SIGTERM);
    server.wait_for("stopping");
    server.signal(libc::SIGTERM);
    let status = server.wait();
    assert!(status.code() == Some(130) && status.signal().is_none(), "{status:?}");
}
