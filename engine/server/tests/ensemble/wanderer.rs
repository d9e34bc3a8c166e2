//! Writers that go to another server with their session whenever their own one fails them, and some also for no reason,
//! with requests on their way.
//!
//! What became of requests that were not answered is decided when the session has moved: the writer reads its node's version
//! at the new server, and from then on every write must have the next one. A request of a former connection that is executed
//! later than that, by whatever server it still came to, breaks the sequence. So that there are such requests, each sends
//! some more over the former connection when the session has left it.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::load::{Load, Signs};
use crate::support::client::{Client, Fault, Item, Refusal};
use crate::support::wire::{Enc, op};
use crate::writer;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A server that is mute for so long is left for another one. What is asserted does not depend on it.
const PATIENCE: Duration = Duration::from_secs(3);

/// A session that no server takes up in this time never will be.
const NO_SERVER: Duration = Duration::from_secs(120);

/// The code of a request whose session has moved to another connection.
const SESSION_MOVED: i32 = -118;

/// What one of them knows in the end.
pub struct Journey {
    path: String,
    version: i32,
    /// How often it came to another server.
    pub moves: u64,
}

impl Journey {
    /// Exactly what it has written is there, and its ephemeral node is not.
    pub fn verify(&self, addr: SocketAddr) {
        let mut client = Client::connect(addr);
        client.sync("/").unwrap();
        let found = client.exists(&self.path, false).unwrap_or_else(|e| panic!("{}: {e:?}", self.path)).version;
        assert_eq!(found, self.version, "{}", self.path);
        assert!(client.exists(&alive(&self.path), false).is_err(), "{}: the session was closed", self.path);
        client.close();
    }
}

struct Wanderer {
    servers: Vec<SocketAddr>,
    at: usize,
    client: Client,
    path: String,
    /// Version of the last write that is known to be executed.
    version: i32,
    waiting: VecDeque<i32>,
    moves: u64,
}

/// `count` of them, which begin at different servers. Each moves on after `restless` answers, if that is not 0.
pub fn start(servers: &[SocketAddr], count: usize, round: u64, restless: u64) -> Load<Journey> {
    let servers = servers.to_vec();
    Load::start(count, move |n, signs| {
        Wanderer::new(servers.clone(), n, format!("/wanderer-{round}-{n}")).work(restless, signs)
    })
}

impl Wanderer {
    fn new(servers: Vec<SocketAddr>, first: usize, path: String) -> Wanderer {
        let at = first % servers.len();
        let mut client = Client::connect(servers[at]);
        client.create(&path, b"", 0).unwrap();
        client.create(&alive(&path), b"", 1).unwrap();
        Wanderer { servers, at, client, path, version: 0, waiting: VecDeque::new(), moves: 0 }
    }

    fn work(mut self, restless: u64, signs: &Signs) -> Journey {
        signs.begins();
        let mut answers = 0;
        self.client.conn.give_up_after(PATIENCE);
        loop {
            writer::send(&mut self.client, &self.path, &mut self.waiting, signs);
            if self.waiting.is_empty() {
                self.client.conn.wait_patiently();
                self.client.close();
                return Journey { path: self.path, version: self.version, moves: self.moves };
            }
            match self.client.item() {
                Item::Closed => self.move_on(false),
                Item::Event(event) => panic!("nobody watches: {event:?}"),
                Item::Reply(header, body) => {
                    assert_eq!(Some(header.xid), self.waiting.pop_front(), "answers come in order");
                    assert_eq!(header.err, 0, "{}", self.path);
                    self.version += 1;
                    assert_eq!(writer::version(&body), self.version, "{}: executed once, in order", self.path);
                    signs.answered();
                    answers += 1;
                    if answers == restless {
                        answers = 0;
                        self.move_on(true);
                    }
                }
            }
        }
    }

    /// Changes to another server, and finds out what became of the requests on their way. A server that is `alive` must
    /// close the connection that is left, and have told the truth on it until then.
    fn move_on(&mut self, alive: bool) {
        let (mut former, found) = self.arrive();
        let possible = self.version..=self.version + self.waiting.len() as i32;
        assert!(possible.contains(&found), "{}: version {found}, possible are {possible:?}", self.path);
        if alive {
            former.conn.wait_patiently();
            self.hear_out(&mut former, found);
        }
        self.waiting.clear();
        self.version = found;
        self.moves += 1;
    }

    /// Takes the session to a server that takes it: the connection before, and the version of the node.
    fn arrive(&mut self) -> (Client, i32) {
        let (session, passwd) = (self.client.session, self.client.passwd.clone());
        let started = Instant::now();
        let mut first_left = None;
        loop {
            assert!(started.elapsed() < NO_SERVER, "{}: no server takes up the session", self.path);
            self.at = (self.at + 1) % self.servers.len();
            match Client::try_reattach(self.servers[self.at], session, &passwd, PATIENCE) {
                Ok(client) => {
                    let mut left = std::mem::replace(&mut self.client, client);
                    self.send_too_late(&mut left);
                    let former = first_left.take().unwrap_or(left);
                    self.client.conn.give_up_after(PATIENCE);
                    match self.look() {
                        Ok(found) => return (former, found),
                        Err(Fault::Closed) => first_left = Some(former),
                        Err(Fault::Code(code)) => panic!("{}: {code} after a move", self.path),
                    }
                }
                Err(Refusal::NoSession) => panic!("{}: the session is lost", self.path),
                Err(Refusal::NoAnswer) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// More writes over a connection that the session has left: its server may not know that yet, but none of them may be
    /// executed.
    fn send_too_late(&self, left: &mut Client) {
        for _ in 0..4 {
            left.send(op::SET_DATA, &Enc::new().str(&self.path).buf(Some(b"too late")).i32(-1).0);
        }
    }

    /// The version of the node. The session's ephemeral node must be there.
    fn look(&mut self) -> Result<i32, Fault> {
        self.client.sync("/")?;
        let owner = self.client.exists(&alive(&self.path), false)?.ephemeral_owner;
        assert_eq!(owner, self.client.session, "{}: the session's node", self.path);
        Ok(self.client.exists(&self.path, false)?.version)
    }

    /// Reads the rest of the connection that was left. What was acknowledged on it is part of what was found.
    fn hear_out(&mut self, former: &mut Client, found: i32) {
        let mut refused = false;
        loop {
            match former.item() {
                Item::Closed => return,
                Item::Event(event) => panic!("nobody watches: {event:?}"),
                Item::Reply(header, _) if header.err == SESSION_MOVED => refused = true,
                Item::Reply(header, body) => {
                    assert!(!refused && header.err == 0, "{}: {} after a refusal", self.path, header.err);
                    self.version += 1;
                    assert_eq!(writer::version(&body), self.version, "{}: executed once, in order", self.path);
                    assert!(self.version <= found, "{}: acknowledged, and not there after the move", self.path);
                }
            }
        }
    }
}

/// The ephemeral node beside the writer's own.
fn alive(path: &str) -> String {
    format!("{path}-alive")
}
