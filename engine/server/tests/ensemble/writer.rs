//! Writers in threads of their own, each with a node that it alone changes.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support::client::{Client, Item};
use crate::support::wire::{self, Dec, Enc, op};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

/// Requests on their way at a time.
const WINDOW: usize = 16;

/// What a writer knows in the end.
pub struct Writer {
    path: String,
    /// Version of the last acknowledged write.
    version: i32,
    /// Writes that were sent and not answered when its connection ended.
    unanswered: i32,
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

/// Some writers at work.
pub struct Writers {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    failed: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Writer>>,
}

impl Writers {
    /// `count` writers, spread over the servers; `round` tells their nodes from those of other rounds. Their connections
    /// must last until they are stopped, unless all servers end.
    pub fn start(servers: &[SocketAddr], count: usize, round: u64) -> Writers {
        let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let answers = Arc::new(AtomicU64::new(0));
        let threads = (0..count)
            .map(|n| {
                let (addr, path) = (servers[n % servers.len()], format!("/writer-{round}-{n}"));
                let (stop, answers, failed) = (Arc::clone(&stop), Arc::clone(&answers), Arc::clone(&failed));
                thread::spawn(move || {
                    let guard = Failing(failed);
                    let writer = write(addr, path, &stop, &answers);
                    std::mem::forget(guard);
                    writer
                })
            })
            .collect();
        Writers { stop, answers, failed, threads }
    }

    /// Answers so far, of all.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Lets them take their last answers.
    pub fn stop(self) -> Vec<Writer> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("a writer has failed")).collect()
    }
}

/// Tells that its thread panicked.
struct Failing(Arc<AtomicBool>);

impl Drop for Failing {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn write(addr: SocketAddr, path: String, stop: &AtomicBool, answers: &AtomicU64) -> Writer {
    let mut client = Client::connect(addr);
    client.create(&path, b"", 0).unwrap();
    let mut writer = Writer { path, version: 0, unanswered: 0 };
    let mut waiting = VecDeque::new();
    loop {
        let mut bytes = Vec::new();
        while waiting.len() < WINDOW && !stop.load(Ordering::Relaxed) {
            let xid = client.next_xid();
            let body = Enc::new().str(&writer.path).buf(Some(b"some bytes")).i32(-1);
            bytes.extend(wire::request(xid, op::SET_DATA, &body.0));
            waiting.push_back(xid);
        }
        client.conn.send(&bytes);
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
                answers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The version in a Stat.
fn version(stat: &[u8]) -> i32 {
    let mut dec = Dec(stat);
    for _ in 0..4 {
        dec.i64().unwrap();
    }
    dec.i32().unwrap()
}
