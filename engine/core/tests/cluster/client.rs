//! A client that changes a node of its own, several requests at a time, and knows what each answer must be.

use super::{Cluster, Rng, Wire};
use ringkeeper_core::jute::{
    ConnectRequest, ConnectResponse, Create, OPEN_ACL, OpCode, ReplyHeader, Request, Response, SetData,
    append_connect_request, append_request, first_payload,
};
use std::borrow::Cow;
use std::collections::VecDeque;

const WINDOW: usize = 5;
const PREFIX: usize = 4;

#[derive(Debug, PartialEq)]
enum Sent {
    Create,
    Set,
    /// With a version that cannot be: refused.
    Impossible,
    Sync,
    Get,
}

pub struct Client {
    name: usize,
    at: usize,
    wire: Option<Wire>,
    session: Option<(i64, Vec<u8>)>,
    connected: bool,
    waiting: VecDeque<(i32, Sent)>,
    xid: i32,
    /// Version of the node, as far as the client knows for certain.
    version: Option<i32>,
    /// Sets whose answer was lost with a connection: each may have been executed or not.
    doubtful: i32,
    created: bool,
    last_zxid: i64,
    stopped: bool,
    silence: u32,
    pub answered: u64,
    pub moves: u64,
    /// Sessions that were taken up again.
    pub kept: u64,
}

impl Client {
    pub fn new(name: usize, at: usize) -> Client {
        Client {
            name,
            at,
            wire: None,
            session: None,
            connected: false,
            waiting: VecDeque::new(),
            xid: 0,
            version: None,
            doubtful: 0,
            created: false,
            last_zxid: 0,
            stopped: false,
            silence: 0,
            answered: 0,
            moves: 0,
            kept: 0,
        }
    }

    fn path(&self) -> String {
        format!("/client{}", self.name)
    }

    /// No new requests.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    pub fn turn(&mut self, cluster: &mut Cluster, rng: &mut Rng) {
        let Some(wire) = self.wire else { return self.connect(cluster) };
        let bytes = cluster.receive(wire);
        self.silence = if bytes.is_empty() { self.silence + 1 } else { 0 };
        self.read(&bytes);
        // A client does not wait for ever for an answer that it is owed.
        let given_up = self.silence > 2_500 && !(self.waiting.is_empty() && self.connected);
        if given_up {
            cluster.hang_up(wire);
        }
        if given_up || !cluster.is_open(wire) {
            self.lost(rng);
            return;
        }
        if self.connected && rng.permille(300) {
            self.ask(cluster, wire, rng);
        }
    }

    fn connect(&mut self, cluster: &mut Cluster) {
        let Some(wire) = cluster.connect(self.at) else {
            self.at = (self.at + 1) % 3;
            return;
        };
        let (session_id, passwd) = self.session.clone().unwrap_or((0, vec![0; 16]));
        let mut bytes = Vec::new();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: 40_000,
            session_id,
            passwd: Some(&passwd),
            read_only: Some(false),
        };
        append_connect_request(&mut bytes, &request);
        cluster.send(wire, &bytes[PREFIX..]);
        (self.wire, self.connected, self.silence) = (Some(wire), false, 0);
    }

    fn lost(&mut self, rng: &mut Rng) {
        if self.connected {
            self.moves += 1;
        }
        self.doubtful += self.waiting.iter().filter(|(_, sent)| *sent == Sent::Set).count() as i32;
        if self.doubtful > 0 {
            self.version = None;
        }
        if self.waiting.iter().any(|(_, sent)| *sent == Sent::Create) {
            self.created = false;
        }
        self.waiting.clear();
        (self.wire, self.connected, self.silence) = (None, false, 0);
        self.at = rng.below(3) as usize;
    }

    fn ask(&mut self, cluster: &mut Cluster, wire: Wire, rng: &mut Rng) {
        if self.waiting.len() >= WINDOW || self.stopped {
            return;
        }
        let path = self.path();
        let data = self.answered.to_le_bytes();
        let set = |version| Request::SetData(SetData { path: Cow::Borrowed(&path), data: Some(&data), version });
        let (sent, request) = if !self.created {
            if !self.waiting.is_empty() {
                return;
            }
            let (path, data, acl) = (Some(Cow::Borrowed(&*path)), Some(&data[..]), Some(OPEN_ACL));
            (Sent::Create, Request::Create(Create { op: OpCode::Create, path, data, acl, flags: 0, ttl: None }))
        } else if self.version.is_none() {
            if !self.waiting.is_empty() {
                return;
            }
            (Sent::Get, Request::GetData { path: Cow::Borrowed(&path), watch: false })
        } else {
            match rng.below(10) {
                0 => (Sent::Impossible, set(1_000_000)),
                1 => (Sent::Sync, Request::Sync { path: Some(Cow::Borrowed(&path)) }),
                2 => (Sent::Get, Request::GetData { path: Cow::Borrowed(&path), watch: false }),
                _ => (Sent::Set, set(-1)),
            }
        };
        self.xid += 1;
        let mut bytes = Vec::new();
        append_request(&mut bytes, self.xid, &request);
        cluster.send(wire, &bytes[PREFIX..]);
        self.waiting.push_back((self.xid, sent));
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(payload) = first_payload(rest, 1 << 20).unwrap() {
            rest = &rest[PREFIX + payload.len()..];
            if self.connected {
                self.answer(payload);
            } else {
                self.greeting(payload);
            }
        }
    }

    fn greeting(&mut self, payload: &[u8]) {
        let response = ConnectResponse::decode(payload).unwrap();
        if response.timeout_ms == 0 {
            // Expired: nothing keeps it alive while its servers have no leader.
            self.session = None;
            return;
        }
        if let Some((id, _)) = &self.session {
            assert_eq!(*id, response.session_id, "a session that is taken up is the same");
            self.kept += 1;
        }
        self.session = Some((response.session_id, response.passwd.to_vec()));
        self.connected = true;
    }

    fn answer(&mut self, payload: &[u8]) {
        let (header, body) = ReplyHeader::decode(payload).unwrap();
        let (xid, sent) = self.waiting.pop_front().expect("an answer to a request");
        assert_eq!(header.xid, xid, "answers come in order");
        assert!(header.zxid >= self.last_zxid, "time does not go back: {} after {}", header.zxid, self.last_zxid);
        self.last_zxid = header.zxid;
        self.answered += 1;
        match sent {
            Sent::Create => {
                assert!(header.err == 0 || header.err == -110, "{}", header.err);
                self.created = true;
                self.version = (header.err == 0).then_some(0);
            }
            Sent::Set => {
                assert_eq!(header.err, 0);
                let Response::Stat(stat) = Response::decode(OpCode::SetData, body).unwrap() else { panic!() };
                let version = self.version.as_mut().expect("sets follow a get");
                *version += 1;
                assert_eq!(stat.version, *version, "client {}: each set is executed once, in order", self.name);
            }
            Sent::Impossible => assert_eq!(header.err, -103),
            Sent::Sync => assert_eq!(header.err, 0),
            Sent::Get => {
                assert_eq!(header.err, 0);
                let Response::Data { stat, .. } = Response::decode(OpCode::GetData, body).unwrap() else { panic!() };
                match self.version {
                    Some(version) => assert_eq!(stat.version, version, "a client sees what it has written"),
                    None => {
                        self.version = Some(stat.version);
                        self.doubtful = 0;
                    }
                }
            }
        }
    }

    /// What was answered is there.
    pub fn check(&self, cluster: &Cluster) {
        assert!(self.waiting.is_empty(), "client {} waits for {:?}", self.name, self.waiting);
        let Some(version) = self.version else { return };
        for at in 0..3 {
            let node = cluster.tree(at).get(&self.path()).expect("what was created is there");
            assert_eq!(node.stat().version, version, "client {}: server {at}", self.name);
        }
    }
}
