//! Limits as a client and an operator meet them, and settings that change while the server runs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "the tests of processes share a module")]

mod process;

use process::{Client, Server, create, scratch, set};
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::jute::{ConnectRequest, Request, append_connect_request};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

const THROTTLED: i32 = ErrorCode::ThrottledOp.wire();
const VARIANTS: [&str; 2] = ["client.cores=0", "client.cores=2"];

/// A server with a configuration file, which can be changed.
struct Configured {
    dir: tempfile::TempDir,
    server: Server,
}

impl Configured {
    fn start(text: &str) -> Configured {
        let dir = scratch();
        let path = dir.path().join("zoo.cfg");
        std::fs::write(&path, format!("4lw.commands.whitelist=*\nmaxClientCnxns=0\n{text}")).unwrap();
        let server = Server::start(&dir.path().join("data"), &[path.to_str().unwrap()]);
        Configured { dir, server }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("zoo.cfg")
    }

    /// Writes the file anew and has the server read it; returns when the server has said `until`.
    fn change(&mut self, text: &str, until: &str) -> String {
        std::fs::write(self.path(), format!("4lw.commands.whitelist=*\nmaxClientCnxns=0\n{text}")).unwrap();
        self.server.signal(libc::SIGHUP);
        self.server.wait_for(until)
    }

    fn metric(&self, name: &str) -> i64 {
        let mntr = self.server.word(b"mntr");
        let line = mntr.lines().find_map(|line| line.strip_prefix(&format!("zk_{name}\t")));
        line.unwrap_or_else(|| panic!("no {name} in {mntr}")).parse().unwrap()
    }

    /// Waits until what was announced has reached every executor.
    fn until(&self, what: &str, mut holds: impl FnMut(&Configured) -> bool) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !holds(self) {
            assert!(std::time::Instant::now() < deadline, "never: {what}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

/// Asks for a new session; false if the server closes the connection.
fn gets_session(server: &Server) -> bool {
    let mut stream = TcpStream::connect(server.addr).unwrap();
    let mut out = Vec::new();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 20_000,
        session_id: 0,
        passwd: Some(&[0; 16]),
        read_only: Some(false),
    };
    append_connect_request(&mut out, &request);
    let _ = stream.write_all(&out);
    stream.read_exact(&mut [0; 4]).is_ok()
}

fn watch(client: &mut Client, path: &str) -> Result<(), i32> {
    client.call(&Request::Exists { path: path.into(), watch: true }).map(drop)
}

#[test]
fn short_memory_refuses_what_grows_and_lets_go_on_what_does_not() {
    for variant in VARIANTS {
        let mut place = Configured::start(&format!("{variant}\n"));
        let mut client = Client::new(&place.server);
        client.create("/a", b"12345", 0).unwrap();
        client.create("/b", b"", 0).unwrap();

        place.change(&format!("{variant}\nmemory.limit.bytes=1000\n"), "memory is short");
        place.until("refused", |place| !gets_session(&place.server));
        let mut probes = 0..;
        place.until("creates refused", |_| {
            let probe = format!("/probe{}", probes.next().unwrap());
            client.create(&probe, b"", 0) == Err(THROTTLED)
        });
        assert_eq!(client.call(&set("/a", b"123456")), Err(THROTTLED), "longer data");
        client.call(&set("/a", b"1234")).unwrap();
        assert_eq!(client.get("/a"), Some((b"1234".to_vec(), 1)), "reads and shorter data go on");
        client.call(&Request::Delete { path: "/b".into(), version: -1 }).unwrap();
        let session = client.session;
        drop(client);
        let mut client = Client::attach(&place.server, session).expect("a session that is there can be taken up");
        assert_eq!((place.metric("memory_short"), place.metric("memory_limit")), (1, 1000));
        assert!(place.metric("memory_rejected_writes") >= 2 && place.metric("memory_rejected_sessions") >= 1);
        assert!(place.metric("throttled_ops") >= 2 && place.metric("connection_rejected") >= 1);

        place.change(&format!("{variant}\n"), "memory is no longer short");
        place.until("sessions again", |place| gets_session(&place.server));
        place.until("creates again", |_| client.create("/c", b"", 0).is_ok());
        assert_eq!(place.metric("memory_short"), 0);
    }
}

#[test]
fn watches_are_counted() {
    let place = Configured::start("watches.max=3\nconnection.watches.max=2\n");
    let (mut one, mut two) = (Client::new(&place.server), Client::new(&place.server));
    let absent = ErrorCode::NoNode.wire();
    assert_eq!([watch(&mut one, "/1"), watch(&mut one, "/2")], [Err(absent), Err(absent)], "not there, but watched");
    assert_eq!(watch(&mut one, "/3"), Err(THROTTLED), "its share is used up");
    assert_eq!([watch(&mut two, "/1"), watch(&mut two, "/2")], [Err(absent), Err(THROTTLED)], "three in all");
    assert_eq!(one.call(&Request::Exists { path: "/3".into(), watch: false }), Err(absent), "reading goes on");
    assert_eq!((place.metric("watches_rejected"), place.metric("watch_count")), (2, 3));
}

#[test]
fn sessions_are_counted_and_may_not_come_too_fast() {
    let place = Configured::start("sessions.max=2\n");
    let _clients = [Client::new(&place.server), Client::new(&place.server)];
    assert!(!gets_session(&place.server));
    assert_eq!((place.metric("sessions_rejected"), place.metric("connection_rejected")), (1, 1));

    let mut place = Configured::start("connection_throttle_tokens=2\nconnection_throttle_fill_time=3600000\n");
    let _clients = [Client::new(&place.server), Client::new(&place.server)];
    assert!(!gets_session(&place.server));
    assert_eq!(place.metric("connections_rejected_by_rate"), 1);
    place.change("connection_throttle_tokens=0\n", "connection_throttle_tokens is 0 now, instead of 2");
    place.until("no limit", |place| gets_session(&place.server));
}

#[test]
fn large_requests_have_a_limit_in_all() {
    let place = Configured::start("largeRequestThreshold=1000\nlargeRequestMaxBytes=5000\n");
    let mut client = Client::new(&place.server);
    client.create("/large", &[7; 4000], 0).unwrap();
    client.send(&create("/larger", &[7; 6000], 0)).unwrap();
    assert!(client.reply().is_err(), "the connection is closed");
    assert_eq!(place.metric("large_requests_rejected"), 1);
    let mut stream = TcpStream::connect(place.server.addr).unwrap();
    stream.write_all(&(1_i32 << 30).to_be_bytes()).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "nobody waits for a frame of that length");
    assert_eq!(place.metric("impossible_requests_closed"), 1);
}

#[test]
fn executors_take_over_their_share_of_a_limit() {
    let mut place = Configured::start("client.cores=2\nwatches.max=2000\n");
    let mut client = Client::new(&place.server);
    let absent = Err(ErrorCode::NoNode.wire());
    assert_eq!([watch(&mut client, "/1"), watch(&mut client, "/2")], [absent, absent]);
    place.change("client.cores=2\nwatches.max=4\n", "watches.max is 4 now, instead of 2000");
    place.until("the half of four is used up", |_| watch(&mut client, "/3") == Err(THROTTLED));
}

#[test]
fn connections_have_limits_that_change_on_sighup() {
    let mut place = Configured::start("maxClientCnxns=2\ntickTime=2000\n");
    let _clients = [Client::new(&place.server), Client::new(&place.server)];
    assert!(!gets_session(&place.server));
    place.server.wait_for("too many connections from this address (maxClientCnxns)");

    place.change("maxClientCnxns=many\n", "the configuration is refused; the one in force stays");
    assert!(!gets_session(&place.server));

    let said = place.change("maxClientCnxns=5\ntickTime=1000\nlogging.level=debug\n", "tickTime=1000 needs a restart");
    assert!(said.contains("until then it is 2000"), "{said}");
    place.server.wait_for("minSessionTimeout=2000 needs a restart");
    place.until("another limit", |place| gets_session(&place.server));
    // The limit may have come in force after a further attempt.
    assert!(place.metric("connection_rejected") >= 2);
    let conf = place.server.word(b"conf");
    assert!(conf.contains("maxClientCnxns=5\n") && conf.contains("tickTime=2000\n"), "what is in force: {conf}");
}

#[test]
fn messages_and_words_change_on_sighup() {
    let mut place = Configured::start("snapCount=100\n");
    let mut client = Client::new(&place.server);
    place.change("snapCount=100\nlogging.level=debug\n", "logging.level is debug now");
    (0..200).for_each(|n| drop(client.create(&format!("/n{n}"), b"", 0).unwrap()));
    place.server.wait_for("snapshot begun");
    place.change("4lw.commands.whitelist=srvr\n", "4lw.commands.whitelist is srvr now");
    place.until("mntr refused", |place| place.server.word(b"mntr").contains("not in the whitelist"));
    assert!(place.server.word(b"srvr").contains("Mode: standalone"));
}

#[test]
fn requests_beyond_the_limits_wait_with_their_client() {
    for limit in ["connection.outstanding.requests=4", "globalOutstandingLimit=4", "request_throttle_max_requests=4"] {
        let place = Configured::start(&format!("{limit}\n"));
        let mut client = Client::new(&place.server);
        for n in 0..500 {
            client.send(&create(&format!("/n{n}"), b"", 0)).unwrap();
        }
        for _ in 0..500 {
            assert_eq!(client.reply().unwrap().0.err, 0);
        }
        assert!(place.metric("request_throttle_wait_count") > 0, "{limit}");
    }
}
