//! Frontends on executors of their own: they hear of the replica's work later than it happens, and read a copy of the
//! tree that is published behind each bulletin.

#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

mod support;

use ringkeeper_core::bulletin::Bulletin;
use ringkeeper_core::exchange::Inbox;
use ringkeeper_core::frame::Frame;
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::ids::{ConnId, Instant, WallMs};
use ringkeeper_core::jute::{ConnectRequest, Request, WatcherEvent, append_connect_request, append_request};
use ringkeeper_core::replica::{Effect, Input, Replica, ReplicaConfig};
use ringkeeper_core::tree::{Applied, Tree};
use ringkeeper_core::zab::Epochs;
use support::{Read, create, data_of, get, reads_of, set};

const NOW: Instant = Instant(1);

/// One replica, two frontends, one published copy of the tree.
struct Spread {
    replica: Replica,
    tree: Tree,
    published: Tree,
    frontends: Vec<Frontend>,
    inputs: Vec<Input>,
}

impl Spread {
    fn start() -> Spread {
        let tree = Tree::new();
        let replica = Replica::new(ReplicaConfig::default(), Epochs::default(), &tree, Vec::new(), 0);
        let config = |index| FrontendConfig { index, with_replica: false, ..FrontendConfig::default() };
        let frontends = vec![Frontend::new(config(0)), Frontend::new(config(1))];
        Spread { replica, tree, published: Tree::new(), frontends, inputs: vec![Input::Tick] }
    }

    /// Everything asked so far is proposed, made durable and applied; the bulletin waits to be delivered.
    fn replica_turns(&mut self) -> Bulletin {
        let mut bulletin = Bulletin::new();
        let (mut inbox, mut effects) = (Inbox::new(), Vec::new());
        for frontend in &mut self.frontends {
            frontend.take_asks(&mut inbox);
        }
        loop {
            let Spread { replica, tree, inputs, .. } = self;
            replica.step(NOW, WallMs(1), tree, &mut inbox, inputs, &mut bulletin, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::SaveEpochs(epochs) => inputs.push(Input::EpochsSaved(epochs)),
                    Effect::Append(batch) => {
                        inputs.push(Input::LogDurable { through: batch.last(), generation: 0 });
                    }
                    other => panic!("{other:?}"),
                }
            }
            if inputs.is_empty() {
                return bulletin;
            }
        }
    }

    fn publish(&mut self, bulletin: &Bulletin) {
        let mut rest: &[u8] = bulletin.frames();
        while !rest.is_empty() {
            let frame = Frame::parse(rest).unwrap();
            self.published.apply(&frame, &mut Applied::default()).unwrap();
            rest = &rest[frame.as_bytes().len()..];
        }
    }

    fn deliver(&mut self, bulletin: &Bulletin) {
        for frontend in &mut self.frontends {
            bulletin.deliver(&self.published, frontend);
            frontend.settle(&self.published);
        }
    }

    fn settle(&mut self) {
        while self.frontends.iter().any(Frontend::has_asks) || !self.inputs.is_empty() {
            let bulletin = self.replica_turns();
            self.publish(&bulletin);
            if !bulletin.is_empty() {
                self.deliver(&bulletin);
            }
        }
    }

    fn client(&mut self, frontend: usize) -> ConnId {
        let conn = self.frontends[frontend].open(NOW, "127.0.0.1:1".parse().unwrap());
        let mut bytes = Vec::new();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session_id: 0,
            passwd: None,
            read_only: None,
        };
        append_connect_request(&mut bytes, &request);
        self.receive(conn, &bytes);
        self.settle();
        let connected = self.output(conn);
        assert_eq!(connected.len(), 40, "a connect response without the readOnly byte");
        conn
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        self.frontends[usize::from(conn.frontend)].receive(NOW, conn, &bytes[4..], &self.published);
    }

    fn send(&mut self, conn: ConnId, xid: i32, request: &Request<'_>) {
        let mut bytes = Vec::new();
        append_request(&mut bytes, xid, request);
        self.receive(conn, &bytes);
    }

    fn output(&mut self, conn: ConnId) -> Vec<u8> {
        let mut bytes = Vec::new();
        let frontend = &mut self.frontends[usize::from(conn.frontend)];
        while let Some(output) = frontend.next_output() {
            if output.conn == conn {
                bytes.append(output.bytes);
            }
        }
        bytes
    }

    fn values(&mut self, conn: ConnId) -> Vec<(i32, Vec<u8>)> {
        reads_of(&self.output(conn))
            .into_iter()
            .map(|read| match read {
                Read::Reply { xid, err: 0, body, .. } if xid % 10 == 1 => (xid, data_of(&body)),
                Read::Reply { xid, .. } => (xid, Vec::new()),
                Read::Event { .. } => (-1, Vec::new()),
            })
            .collect()
    }
}

#[test]
fn a_read_between_two_writes_sees_the_first_and_not_the_second() {
    let mut spread = Spread::start();
    let client = spread.client(1);
    spread.send(client, 10, &create("/a", b"0", 0));
    for n in 2..=4 {
        spread.send(client, n * 10, &set("/a", n.to_string().as_bytes(), -1));
        spread.send(client, n * 10 + 1, &get("/a", false));
    }
    spread.settle();
    let expected = [(10, ""), (20, ""), (21, "2"), (30, ""), (31, "3"), (40, ""), (41, "4")];
    assert_eq!(spread.values(client), expected.map(|(xid, data)| (xid, data.as_bytes().to_vec())));
}

#[test]
fn a_deferred_read_is_answered_after_the_events_of_the_whole_batch() {
    let mut spread = Spread::start();
    let (a, b) = (spread.client(0), spread.client(1));
    spread.send(a, 10, &create("/x", b"0", 0));
    spread.settle();
    spread.send(a, 11, &get("/x", true));
    spread.settle();
    spread.output(a);
    // One batch: a's own write, then b's change of what a watches; a's read waits for the former and shows the latter.
    spread.send(a, 20, &create("/y", b"", 0));
    spread.send(a, 21, &get("/x", false));
    spread.send(b, 30, &set("/x", b"1", -1));
    let bulletin = spread.replica_turns();
    spread.publish(&bulletin);
    spread.deliver(&bulletin);
    assert_eq!(spread.values(a), [(20, Vec::new()), (-1, Vec::new()), (21, b"1".to_vec())]);
    assert_eq!(spread.values(b), [(30, Vec::new())]);
}

#[test]
fn a_session_taken_up_elsewhere_leaves_its_old_connection() {
    let mut spread = Spread::start();
    let first = spread.client(0);
    let (id, passwd) = spread.tree.sessions().map(|(id, entry)| (id, entry.passwd)).next().unwrap();
    let second = spread.frontends[1].open(NOW, "127.0.0.1:2".parse().unwrap());
    let mut bytes = Vec::new();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 10_000,
        session_id: id.0,
        passwd: Some(&passwd),
        read_only: None,
    };
    append_connect_request(&mut bytes, &request);
    spread.receive(second, &bytes);
    spread.settle();
    assert_eq!(spread.output(second).len(), 40);
    let closed = spread.frontends[0].next_output().map(|output| (output.conn, output.close));
    assert_eq!(closed, Some((first, true)));
}

#[test]
fn watches_fire_on_every_frontend() {
    let mut spread = Spread::start();
    let (a, b) = (spread.client(0), spread.client(1));
    for conn in [a, b] {
        spread.send(conn, 5, &support::exists("/n", true));
    }
    spread.output(a);
    spread.output(b);
    spread.send(a, 6, &create("/n", b"", 0));
    spread.settle();
    for conn in [a, b] {
        let reads = reads_of(&spread.output(conn));
        assert!(matches!(&reads[0], Read::Event { kind: WatcherEvent::CREATED, .. }), "{reads:?}");
    }
}

#[test]
fn a_refusal_is_counted_where_it_was_asked_for() {
    let mut spread = Spread::start();
    let client = spread.client(1);
    spread.inputs.push(Input::MemoryShort(true));
    spread.send(client, 10, &create("/a", b"", 0));
    spread.settle();
    let counts = [0, 1].map(|at: usize| spread.frontends[at].limit_counts().writes_refused_for_memory);
    assert_eq!(counts, [0, 1]);
}
