//! kill -9 under load: several sessions write as fast as they are answered, the process is killed at a random moment and
//! started again. Then every acknowledged write is there, what was on its way is there as a prefix of what each session
//! sent, versions and sequence numbers go on where they were, and sessions attach again with their ephemeral nodes.
//!
//! `RINGKEEPER_KILL_ROUNDS` sets the number of rounds, `RINGKEEPER_SEED` the moments and the operations.

mod model;
#[path = "../support/mod.rs"]
mod support;

use model::{Actual, Model, Op};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use support::client::{Client, Item};
use support::rng::Rng;
use support::server::{Server, Target};
use support::wire::{self, Dec, Enc, op};
use support::{env_number, seed, skipped};

/// Sessions that write.
const WRITERS: usize = 4;

/// Requests that a session has on the way.
const WINDOW: usize = 64;

/// Acknowledgements before the kill, at most.
const ACKS_MAX: u64 = 3_000;

/// A session that writes, with what is known of its directory.
struct Writer {
    number: usize,
    session: (i64, Vec<u8>),
    model: Model,
    rng: Rng,
    last_zxid: i64,
}

impl Writer {
    fn dir(&self) -> String {
        format!("/kill/w{}", self.number)
    }

    /// A new session with its directory.
    fn begin(addr: SocketAddr, number: usize, seed: u64) -> Writer {
        let mut client = Client::connect(addr);
        let model = Model::default();
        let session = (client.session, client.passwd.clone());
        let writer = Writer { number, session, model, rng: Rng::new(seed), last_zxid: 0 };
        let dir = writer.dir();
        for path in [dir.clone(), format!("{dir}/seq"), format!("{dir}/e")] {
            client.create(&path, b"", 0).expect("a fresh directory");
        }
        for node in 0..model::NODES {
            client.create(&format!("{dir}/n{node}"), b"", 0).expect("a fresh node");
        }
        writer
    }

    fn attach(&self, addr: SocketAddr) -> Client {
        Client::reattach(addr, self.session.0, &self.session.1)
            .unwrap_or_else(|| panic!("session {:#x} is gone after the restart", self.session.0))
    }

    /// Writes until the server is gone. What was acknowledged is checked and taken into the model; returns the rest.
    fn run(&mut self, mut client: Client, acks: &AtomicU64) -> VecDeque<Op> {
        let mut waiting: VecDeque<Op> = VecDeque::new();
        let mut ahead = self.model.clone();
        loop {
            let mut bytes = Vec::new();
            while waiting.len() < WINDOW {
                let op = ahead.next_op(&mut self.rng);
                ahead.apply(&op);
                let (code, body) = op.encode(&self.dir());
                bytes.extend(wire::request(client.next_xid(), code, &body.0));
                waiting.push_back(op);
            }
            client.conn.send(&bytes);
            // One reply at least, then what has come with it.
            match client.item() {
                Item::Closed => return waiting,
                Item::Event(event) => panic!("nobody watches: {event:?}"),
                Item::Reply(header, body) => {
                    let op = waiting.pop_front().expect("a reply to a request");
                    assert_eq!(header.err, 0, "{op:?} of session {} failed", self.number);
                    assert!(header.zxid > self.last_zxid, "zxid {:#x} after {:#x}", header.zxid, self.last_zxid);
                    self.last_zxid = header.zxid;
                    let expected = self.model.apply(&op);
                    op.check_reply(&self.dir(), &expected, &body);
                    acks.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Compares the directory with what was acknowledged and what was on its way.
    fn verify(&mut self, client: &mut Client, waiting: &VecDeque<Op>) {
        let actual = read(client, &self.dir(), self.session.0);
        match model::settle(&self.model, waiting, &actual) {
            Some((model, _)) => self.model = model,
            None => panic!(
                "directory of session {} is none of those after {} acknowledged and 0 to {} more operations\nacknowledged: {:?}\nfound: {actual:?}",
                self.number,
                self.model.applied(),
                waiting.len(),
                self.model.as_actual()
            ),
        }
        // Numbers go on.
        let op = Op::Sequential;
        let expected = self.model.apply(&op);
        let (code, body) = op.encode(&self.dir());
        let (header, body) = client.call_full(code, body).expect("the server takes writes");
        assert_eq!(header.err, 0);
        assert!(header.zxid > self.last_zxid, "zxid {:#x} after {:#x}", header.zxid, self.last_zxid);
        self.last_zxid = header.zxid;
        op.check_reply(&self.dir(), &expected, &body);
    }

    /// Empties the directory of sequential nodes when it has become long.
    fn tidy(&mut self, client: &mut Client) {
        if self.model.sequential.len() < 5_000 {
            return;
        }
        let (dir, names) = (self.dir(), std::mem::take(&mut self.model.sequential));
        for chunk in names.iter().collect::<Vec<_>>().chunks(500) {
            for name in chunk {
                client.send(op::DELETE, &Enc::new().str(&format!("{dir}/seq/{name}")).i32(-1).0);
            }
            for _ in chunk {
                let (header, _) = client.reply().expect("the server takes writes");
                assert_eq!(header.err, 0);
                self.last_zxid = header.zxid;
            }
        }
    }
}

/// What is in a session's directory.
fn read(client: &mut Client, dir: &str, session: i64) -> Actual {
    let mut data = BTreeMap::new();
    for node in 0..model::NODES {
        let (value, stat) = client.get(&format!("{dir}/n{node}"), false).expect("the node is there");
        data.insert(node, (value.unwrap_or_default(), stat.version));
    }
    let sequential: BTreeSet<String> =
        client.children(&format!("{dir}/seq"), false).expect("it is there").into_iter().collect();
    let ephemeral: BTreeSet<String> =
        client.children(&format!("{dir}/e"), false).expect("it is there").into_iter().collect();
    for name in &ephemeral {
        let stat = client.exists(&format!("{dir}/e/{name}"), false).expect("it is there");
        assert_eq!(stat.ephemeral_owner, session, "owner of {dir}/e/{name}");
    }
    let listed = client.call(op::GET_EPHEMERALS, Enc::new().str(dir)).expect("ephemerals are listed");
    let mut listed = Dec(&listed).strs().expect("names").expect("names");
    listed.sort();
    let whole: Vec<String> = ephemeral.iter().map(|name| format!("{dir}/e/{name}")).collect();
    assert_eq!(listed, whole, "ephemerals of session {session:#x}");
    Actual { data, sequential, ephemeral }
}

#[test]
fn acknowledged_writes_survive_kill_9() {
    let target = Target::from_env();
    if let Some(reason) = target.missing() {
        return skipped("acknowledged_writes_survive_kill_9", &reason);
    }
    let (seed, rounds) = (seed(9), env_number("RINGKEEPER_KILL_ROUNDS", 100));
    println!("seed {seed}, {rounds} rounds");
    let mut rng = Rng::new(seed);
    // Snapshots are so frequent that kills meet them.
    let mut server = Server::start_with(target, &[("snapCount", "2000")]);
    let mut client = Client::connect(server.addr());
    client.create("/kill", b"", 0).expect("a fresh server");
    client.close();
    let mut writers: Vec<Writer> = (0..WRITERS).map(|i| Writer::begin(server.addr(), i, rng.next())).collect();
    let (mut acknowledged, mut kept) = (0, 0);
    for round in 0..rounds {
        // Few acknowledgements as often as many: also the moments right after a start matter.
        let limit = 1 + rng.below(ACKS_MAX);
        let wanted = rng.below(limit);
        let acks = AtomicU64::new(0);
        let clients: Vec<Client> = writers.iter().map(|w| w.attach(server.addr())).collect();
        let waiting: Vec<VecDeque<Op>> = thread::scope(|scope| {
            let acks = &acks;
            let threads: Vec<_> =
                writers.iter_mut().zip(clients).map(|(w, c)| scope.spawn(move || w.run(c, acks))).collect();
            while acks.load(Ordering::Relaxed) < wanted && !threads.iter().any(thread::ScopedJoinHandle::is_finished) {
                thread::yield_now();
            }
            server.kill();
            threads
                .into_iter()
                .map(|t| t.join().unwrap_or_else(|_| panic!("a writer failed in round {round}")))
                .collect()
        });
        acknowledged += acks.load(Ordering::Relaxed);
        server.restart();
        for (writer, waiting) in writers.iter_mut().zip(&waiting) {
            let mut client = writer.attach(server.addr());
            let before = writer.model.applied();
            writer.verify(&mut client, waiting);
            kept += writer.model.applied() - before - 1;
            writer.tidy(&mut client);
        }
    }
    println!("{acknowledged} acknowledged writes, all there; {kept} more were on their way and are there");
    assert!(acknowledged > rounds, "the load was a load");
    // Sessions can still be ended, and take their ephemeral nodes with them.
    for writer in &writers {
        writer.attach(server.addr()).close();
        let mut client = Client::connect(server.addr());
        assert!(client.children(&format!("{}/e", writer.dir()), false).expect("it is there").is_empty());
        client.close();
    }
}
