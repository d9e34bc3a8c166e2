//! Writers, each with a node that it alone changes and one connection for life.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::load::{Load, Signs};
use crate::support::client::{Client, Item};
use crate::support::wire::{self, Dec, Enc, op};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Requests on their way at a time.
pub const WINDOW: usize = 16;

/// What a writer knows in the end.
pub struct Writer {
    path: String,
    /// Version of the last acknowledged write.
    version: i32,
    /// Writes that were sent and not answered when its connection ended.
    unanswered: i32,
}

/// `count` writers, spread over the servers; `round` tells their nodes from those of other rounds. Their connections
/// should last until they are stopped: [`Writer::has_all_answers`].
pub fn start(servers: &[SocketAddr], count: usize, round: u64) -> Load<Writer> {
    let servers = servers.to_vec();
    Load::start(count, move |n, signs| write(servers[n % servers.len()], format!("/writer-{round}-{n}"), signs))
}

impl Writer {
    /// Whether its connection lasted to the end.
    pub fn has_all_answers(&self) -> bool {
        self.unanswered == 0
    }

    /// Everything acknowledged is there, executed once; what was not answered may be, too.
    pub fn verify(&self, addr: SocketAddr) {
        let mut client = Client::connect(addr);
        client.sync("/").unwrap();
        let found = client.exists(&self.path, false).unwrap_or_else(|e| panic!("{}: {e:?}", self.path)).version;
        let possible = self.version..=self.version + self.unanswered;
        assert!(possible.contains(&found), "{}: version {found}, possible are {possible:?}", self.path);
        client.close();
    }
}

fn write(addr: SocketAddr, path: String, signs: &Signs) -> Writer {
    let mut client = Client::connect(addr);
    client.create(&path, b"", 0).unwrap();
    signs.begins();
    let mut writer = Writer { path, version: 0, unanswered: 0 };
    let mut waiting = VecDeque::new();
    loop {
        send(&mut client, &writer.path, &mut waiting, signs);
        if waiting.is_empty() {
            client.close();
            return writer;
        }
        match client.item() {
            Item::Closed => {
                writer.unanswered = waiting.len() as i32;
                return writer;
            }
            Item::Event(event) => panic!("nobody watches: {event:?}"),
            Item::Reply(header, body) => {
                assert_eq!(Some(header.xid), waiting.pop_front(), "answers come in order");
                assert_eq!(header.err, 0, "{}", writer.path);
                writer.version += 1;
                assert_eq!(version(&body), writer.version, "{}: executed once, in order", writer.path);
                signs.answered();
            }
        }
    }
}

/// Fills the window with writes to a node.
pub fn send(client: &mut Client, path: &str, waiting: &mut VecDeque<i32>, signs: &Signs) {
    let mut bytes = Vec::new();
    while waiting.len() < WINDOW && !signs.is_stopped() {
        let xid = client.next_xid();
        let body = Enc::new().str(path).buf(Some(b"some bytes")).i32(-1);
        bytes.extend(wire::request(xid, op::SET_DATA, &body.0));
        waiting.push_back(xid);
    }
    client.conn.send(&bytes);
}

/// The version in a Stat.
pub fn version(stat: &[u8]) -> i32 {
    let mut dec = Dec(stat);
    for _ in 0..4 {
        dec.i64().unwrap();
    }
    dec.i32().unwrap()
}
