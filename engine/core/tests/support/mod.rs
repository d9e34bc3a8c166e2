//! A whole server without a machine: replica, tree and frontend driven by hand. The test decides when the log is
//! durable and when time passes.

#![allow(clippy::disallowed_types, reason = "the bans are for what decides; this measures or judges")]
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "failing here is what a test is for")]

use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::exchange::Inbox;
use ringkeeper_core::frontend::{Frontend, FrontendConfig};
use ringkeeper_core::ids::{ConnId, Instant, ServerId, WallMs, Zxid};
use ringkeeper_core::jute::{
    ConnectRequest, ConnectResponse, Create, List, OPEN_ACL, OpCode, ReplyHeader, Request, Response, SetData,
    WatcherEvent, append_connect_request, append_request, first_payload,
};
use ringkeeper_core::replica::{Effect, Input, Replica, ReplicaConfig};
use ringkeeper_core::tree::Tree;
use ringkeeper_core::zab::{Epochs, Message};
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

/// Bytes of a frame's length.
const PREFIX_LEN: usize = 4;
pub const MAX_FRAME: usize = 1 << 20;

pub struct Server {
    pub replica: Replica,
    pub tree: Tree,
    pub frontend: Frontend,
    pub now: Instant,
    pub wall: WallMs,
    inbox: Inbox,
    inputs: Vec<Input>,
    appended: Option<Zxid>,
    pub sent: HashMap<ConnId, Vec<u8>>,
    pub closed: Vec<ConnId>,
    pub snapshots_asked: usize,
    pub halted: Option<String>,
    /// Messages to other servers.
    pub outbox: Vec<(ServerId, Message)>,
}

/// What a client reads from its socket.
#[derive(Debug, PartialEq)]
pub enum Read {
    Reply { xid: i32, zxid: i64, err: i32, body: Vec<u8> },
    Event { kind: i32, path: String, zxid: i64 },
}

impl Server {
    pub fn start() -> Server {
        Server::start_with(ReplicaConfig::default(), FrontendConfig::default())
    }

    pub fn start_with(config: ReplicaConfig, frontend: FrontendConfig) -> Server {
        Server::recover(config, frontend, Epochs::default(), Tree::new())
    }

    pub fn recover(config: ReplicaConfig, frontend: FrontendConfig, epochs: Epochs, tree: Tree) -> Server {
        let mut server = Server {
            replica: Replica::new(config, epochs, &tree, Vec::new(), 0),
            tree,
            frontend: Frontend::new(frontend),
            now: Instant(1_000_000_000),
            wall: WallMs(1_700_000_000_000),
            inbox: Inbox::new(),
            inputs: Vec::new(),
            appended: None,
            sent: HashMap::new(),
            closed: Vec::new(),
            snapshots_asked: 0,
            halted: None,
            outbox: Vec::new(),
        };
        server.turn();
        server
    }

    /// One turn of the executor; the log stays as it is.
    pub fn turn(&mut self) {
        loop {
            self.frontend.take_asks(&mut self.inbox);
            let mut effects = Vec::new();
            self.replica.step(
                self.now,
                self.wall,
                &mut self.tree,
                &mut self.inbox,
                &mut self.inputs,
                &mut self.frontend,
                &mut effects,
            );
            self.act(effects);
            if !self.frontend.has_asks() && self.inputs.is_empty() {
                break;
            }
        }
        while let Some(output) = self.frontend.next_output() {
            self.sent.entry(output.conn).or_default().append(output.bytes);
            if output.close {
                self.closed.push(output.conn);
            }
        }
    }

    fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::SaveEpochs(epochs) => self.inputs.push(Input::EpochsSaved(epochs)),
                Effect::Append(batch) => self.appended = Some(batch.last()),
                Effect::TakeSnapshot => self.snapshots_asked += 1,
                Effect::Ended(_) | Effect::Synchronised(_) => {}
                Effect::Send(to, message) => self.outbox.push((to, message)),
                Effect::Halt(reason) => self.halted = Some(reason),
                other => unreachable!("no test comes to this: {other:?}"),
            }
        }
    }

    pub fn input(&mut self, input: Input) {
        self.inputs.push(input);
        self.turn();
    }

    /// All that was appended becomes durable; again and again until nothing is outstanding.
    pub fn sync(&mut self) {
        self.turn();
        while let Some(through) = self.appended.take() {
            self.input(Input::LogDurable { through, generation: 0 });
        }
    }

    /// What has been appended by now becomes durable, and no more.
    pub fn sync_once(&mut self) {
        if let Some(through) = self.appended.take() {
            self.input(Input::LogDurable { through, generation: 0 });
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
        self.wall.0 += time.as_millis() as i64;
        self.frontend.tick(self.now);
        self.input(Input::Tick);
    }

    pub fn open(&mut self) -> ConnId {
        self.frontend.open(self.now, "127.0.0.1:4711".parse().unwrap())
    }

    /// A connection with a new session.
    pub fn client(&mut self) -> ConnId {
        let conn = self.open();
        self.connect(conn, 0, &[0; 16]);
        self.sync();
        assert_ne!(self.connected(conn).0, 0);
        conn
    }

    pub fn connect(&mut self, conn: ConnId, session_id: i64, passwd: &[u8]) {
        self.connect_as(conn, session_id, passwd, Some(false));
    }

    pub fn connect_as(&mut self, conn: ConnId, session_id: i64, passwd: &[u8], read_only: Option<bool>) {
        let mut bytes = Vec::new();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session_id,
            passwd: Some(passwd),
            read_only,
        };
        append_connect_request(&mut bytes, &request);
        self.receive(conn, &bytes);
    }

    /// Session and password of the connect response, which is taken.
    pub fn connected(&mut self, conn: ConnId) -> (i64, Vec<u8>) {
        let bytes = self.sent.remove(&conn).unwrap_or_default();
        let payload = first_payload(&bytes, MAX_FRAME).unwrap().expect("a connect response");
        let rest = &bytes[PREFIX_LEN + payload.len()..];
        let response = ConnectResponse::decode(payload).unwrap();
        self.sent.insert(conn, rest.to_vec());
        (response.session_id, response.passwd.to_vec())
    }

    pub fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(payload) = first_payload(rest, MAX_FRAME).unwrap() {
            self.frontend.receive(self.now, conn, payload, &self.tree);
            rest = &rest[PREFIX_LEN + payload.len()..];
        }
        assert!(rest.is_empty());
    }

    pub fn send(&mut self, conn: ConnId, xid: i32, request: &Request<'_>) {
        let mut bytes = Vec::new();
        append_request(&mut bytes, xid, request);
        self.receive(conn, &bytes);
    }

    /// Sends, makes durable, and takes the one reply.
    pub fn call(&mut self, conn: ConnId, request: &Request<'_>) -> Result<Vec<u8>, i32> {
        self.send(conn, 77, request);
        self.sync();
        let mut reads = self.reads(conn);
        match reads.pop() {
            Some(Read::Reply { xid: 77, err: 0, body, .. }) => Ok(body),
            Some(Read::Reply { xid: 77, err, .. }) => Err(err),
            other => panic!("{other:?}"),
        }
    }

    /// Everything sent to the connection since the last call.
    pub fn reads(&mut self, conn: ConnId) -> Vec<Read> {
        let bytes = self.sent.remove(&conn).unwrap_or_default();
        reads_of(&bytes)
    }

    /// The xids of the replies sent to the connection since the last call.
    pub fn xids(&mut self, conn: ConnId) -> Vec<i32> {
        let xid = |read| if let Read::Reply { xid, .. } = read { Some(xid) } else { None };
        self.reads(conn).into_iter().filter_map(xid).collect()
    }
}

/// The replies and events in a stream of bytes.
pub fn reads_of(bytes: &[u8]) -> Vec<Read> {
    let (mut rest, mut reads) = (bytes, Vec::new());
    while let Some(payload) = first_payload(rest, usize::MAX).unwrap() {
        let (header, body) = ReplyHeader::decode(payload).unwrap();
        reads.push(if header.xid == ReplyHeader::NOTIFICATION {
            let event = WatcherEvent::decode(body).unwrap();
            Read::Event { kind: event.kind, path: event.path.into_owned(), zxid: header.zxid }
        } else {
            Read::Reply { xid: header.xid, zxid: header.zxid, err: header.err, body: body.to_vec() }
        });
        rest = &rest[PREFIX_LEN + payload.len()..];
    }
    assert!(rest.is_empty());
    reads
}

pub fn create<'a>(path: &'a str, data: &'a [u8], flags: i32) -> Request<'a> {
    Request::Create(Create {
        op: if flags == 4 { OpCode::CreateContainer } else { OpCode::Create },
        path: Some(Cow::Borrowed(path)),
        data: Some(data),
        acl: Some(OPEN_ACL),
        flags,
        ttl: None,
    })
}

pub fn set<'a>(path: &'a str, data: &'a [u8], version: i32) -> Request<'a> {
    Request::SetData(SetData { path: Cow::Borrowed(path), data: Some(data), version })
}

pub fn get(path: &str, watch: bool) -> Request<'_> {
    Request::GetData { path: Cow::Borrowed(path), watch }
}

pub fn delete(path: &str, version: i32) -> Request<'_> {
    Request::Delete { path: Cow::Borrowed(path), version }
}

pub fn exists(path: &str, watch: bool) -> Request<'_> {
    Request::Exists { path: Cow::Borrowed(path), watch }
}

pub fn data_of(body: &[u8]) -> Vec<u8> {
    match Response::decode(OpCode::GetData, body).unwrap() {
        Response::Data { data, .. } => data.unwrap_or_default().to_vec(),
        other => panic!("{other:?}"),
    }
}

pub fn path_of(body: &[u8]) -> String {
    match Response::decode(OpCode::Create, body).unwrap() {
        Response::Path(path) => path.unwrap().into_owned(),
        other => panic!("{other:?}"),
    }
}

pub const NO_NODE: i32 = ErrorCode::NoNode.wire();

pub fn list<'a, T>(items: &'a [T]) -> List<'a, T> {
    List::new(items)
}
