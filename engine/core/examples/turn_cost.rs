//! What a request costs in the core alone: decoding, judging, framing, applying, replying, without sockets and disk.
//!
//! `cargo run --release -p ringkeeper-core --example turn_cost [nodes]`

#![allow(clippy::disallowed_types, reason = "the bans are for what decides; this measures or judges")]
use ringkeeper_core::exchange::Inbox;
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::ids::{ConnId, Instant, WallMs};
use ringkeeper_core::jute::{
    ConnectRequest, Create, OPEN_ACL, OpCode, Request, SetData, append_connect_request, append_request,
};
use ringkeeper_core::replica::{Effect, Input, Replica, ReplicaConfig};
use ringkeeper_core::tree::Tree;
use ringkeeper_core::zab::Epochs;
use std::borrow::Cow;
use std::time::Instant as Clock;

const CONNECTIONS: usize = 64;
const DEPTH: usize = 64;
const TURNS: usize = 500;

struct Server {
    replica: Replica,
    tree: Tree,
    frontend: Frontend,
    inbox: Inbox,
    inputs: Vec<Input>,
    effects: Vec<Effect>,
    sent: usize,
}

impl Server {
    fn start() -> Server {
        let tree = Tree::new();
        let config = ReplicaConfig { snap_count: u64::MAX, ..ReplicaConfig::default() };
        let mut server = Server {
            replica: Replica::new(config, Epochs::default(), &tree, Vec::new(), 0),
            tree,
            frontend: Frontend::new(FrontendConfig::default()),
            inbox: Inbox::new(),
            inputs: vec![Input::Tick],
            effects: Vec::new(),
            sent: 0,
        };
        server.turn();
        server
    }

    /// One turn; whatever is appended is durable at once.
    fn turn(&mut self) {
        loop {
            self.frontend.take_asks(&mut self.inbox);
            for effect in self.effects.drain(..) {
                match effect {
                    Effect::SaveEpochs(epochs) => self.inputs.push(Input::EpochsSaved(epochs)),
                    Effect::Append(batch) => {
                        self.inputs.push(Input::LogDurable { through: batch.last(), generation: 0 });
                    }
                    Effect::TakeSnapshot => {}
                    Effect::Halt(reason) => panic!("{reason}"),
                    other => unreachable!("there is one server: {other:?}"),
                }
            }
            if self.inbox.is_empty() && self.inputs.is_empty() {
                break;
            }
            self.replica.step(
                Instant(1),
                WallMs(1),
                &mut self.tree,
                &mut self.inbox,
                &mut self.inputs,
                &mut self.frontend,
                &mut self.effects,
            );
        }
        while let Some(output) = self.frontend.next_output() {
            self.sent += output.bytes.len();
        }
    }

    fn client(&mut self) -> ConnId {
        let conn = self.frontend.open(Instant(1), ([127, 0, 0, 1], 1).into());
        let mut bytes = Vec::new();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 30_000,
            session_id: 0,
            passwd: None,
            read_only: None,
        };
        append_connect_request(&mut bytes, &request);
        self.frontend.receive(Instant(1), conn, &bytes[4..], &self.tree);
        self.turn();
        conn
    }

    fn run(&mut self, name: &str, conns: &[ConnId], mut make: impl FnMut(usize, &mut Vec<u8>)) {
        let mut frames = Vec::new();
        let mut number = 0;
        let mut busy = std::time::Duration::ZERO;
        for _ in 0..TURNS {
            frames.clear();
            for _ in 0..conns.len() * DEPTH {
                let mut frame = Vec::new();
                make(number, &mut frame);
                frames.push(frame);
                number += 1;
            }
            let start = Clock::now();
            for (at, frame) in frames.iter().enumerate() {
                self.frontend.receive(Instant(1), conns[at / DEPTH], &frame[4..], &self.tree);
            }
            self.turn();
            busy += start.elapsed();
        }
        println!("{name:<10} {:>6} ns/request", busy.as_nanos() / number as u128);
    }
}

fn main() {
    let nodes: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let mut server = Server::start();
    let conns: Vec<ConnId> = (0..CONNECTIONS).map(|_| server.client()).collect();
    let value = [7_u8; 100];
    let path = |n: usize| format!("/bench-{:010}", n.wrapping_mul(0x9E37_79B9) % nodes);
    let mut bytes = Vec::new();
    for n in 0..nodes {
        bytes.clear();
        let name = format!("/bench-{n:010}");
        let create = Create {
            op: OpCode::Create,
            path: Some(Cow::Borrowed(&name)),
            data: Some(&value),
            acl: Some(OPEN_ACL),
            flags: 0,
            ttl: None,
        };
        append_request(&mut bytes, 1, &Request::Create(create));
        server.frontend.receive(Instant(1), conns[0], &bytes[4..], &server.tree);
        if n % 1000 == 999 {
            server.turn();
        }
    }
    server.turn();
    server.run("setData", &conns, |n, out| {
        let set = SetData { path: Cow::Owned(path(n)), data: Some(&value), version: -1 };
        append_request(out, 1, &Request::SetData(set));
    });
    server.run("getData", &conns, |n, out| {
        append_request(out, 1, &Request::GetData { path: Cow::Owned(path(n)), watch: false });
    });
    server.run("exists", &conns, |n, out| {
        append_request(out, 1, &Request::Exists { path: Cow::Owned(path(n)), watch: false });
    });
    server.run("create", &conns, |n, out| {
        let name = format!("/more-{n}");
        let create = Create {
            op: OpCode::Create,
            path: Some(Cow::Borrowed(&name)),
            data: Some(&value),
            acl: Some(OPEN_ACL),
            flags: 0,
            ttl: None,
        };
        append_request(out, 1, &Request::Create(create));
    });
    println!("sent {} bytes", server.sent);
}
