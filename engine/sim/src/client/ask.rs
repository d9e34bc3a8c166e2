//! What a client asks for: reads, watches and writes on a few nodes that all clients share.

use super::watches::Kind;
use super::{Client, PREFIX};
use crate::time::Time;
use crate::world::World;
use ringkeeper_core::ids::Zxid;
use ringkeeper_core::jute::{
    Create, List, MultiOp, OPEN_ACL, OpCode, Request, SetData, SetWatches, append_request, append_restore_request,
};
use std::borrow::Cow;

/// Requests of one client that are under way.
const WINDOW: usize = 4;
/// Nodes that come and go.
const KEYS: u64 = 5;
/// Two nodes that are only changed together.
pub(super) const PAIR: [&str; 2] = ["/pair/a", "/pair/b"];

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    Create(String),
    Sequential,
    Set(String),
    Delete(String),
    Pair,
    Data(String, bool),
    Exists(String, bool),
    Children(String, bool),
    Sync,
    SetWatches,
    Ping,
    Close,
    /// A piece of a snapshot is put into the tree.
    Stage(String, Vec<u8>),
    /// The tree is replaced by what was put there.
    Restore(String),
}

/// A request that is under way.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) xid: i32,
    pub(super) what: What,
    pub(super) at: Time,
    /// The newest write that anybody had been told of then.
    pub(super) floor: Zxid,
}

impl Asked {
    pub(super) fn is_write(&self) -> bool {
        use What::{Close, Create, Delete, Pair, Restore, Sequential, Set, Stage};
        matches!(self.what, Create(_) | Sequential | Set(_) | Delete(_) | Pair | Close | Stage(..) | Restore(_))
    }
}

impl Client {
    pub(super) fn ask(&mut self, world: &mut World, wire: usize) {
        let full = self.waiting.len() >= WINDOW;
        if !self.stopped && !full {
            let what = self.next_of_restore(world).unwrap_or_else(|| self.choose());
            return self.submit(world, wire, what);
        }
        if world.now - self.sent > self.timeout() / 3 && self.waiting.is_empty() {
            self.submit(world, wire, What::Ping);
        }
    }

    fn key(&mut self) -> String {
        format!("/key{}", self.rng.below(KEYS))
    }

    fn choose(&mut self) -> What {
        let watch = self.rng.percent(40);
        match self.rng.below(100) {
            0..18 => What::Create(self.key()),
            18..40 => What::Set(self.key()),
            40..50 => What::Delete(self.key()),
            50..56 => What::Pair,
            56..62 => What::Sequential,
            62..76 => What::Data(self.key(), watch),
            76..84 => What::Exists(self.key(), watch),
            84..88 => What::Children("/".into(), watch),
            88..96 => What::Sync,
            96..99 => What::Ping,
            _ if self.rng.percent(30) => What::Close,
            _ => What::Data(PAIR[0].into(), watch),
        }
    }

    pub(super) fn submit(&mut self, world: &mut World, wire: usize, what: What) {
        let xid = match what {
            What::Ping => -2,
            What::SetWatches => -8,
            _ => {
                self.xid += 1;
                self.xid
            }
        };
        self.closing |= what == What::Close;
        let mut bytes = Vec::new();
        self.encode(&mut bytes, xid, &what);
        world.send_frame(wire, bytes[PREFIX..].to_vec());
        self.sent = world.now;
        self.waiting.push_back(Asked { xid, what, at: world.now, floor: world.check.floor() });
    }

    fn encode(&mut self, bytes: &mut Vec<u8>, xid: i32, what: &What) {
        let value = format!("{}:{xid}", self.name);
        let data = Some(value.as_bytes());
        let create = |path, flags| {
            let (path, acl) = (Some(Cow::Borrowed(path)), Some(OPEN_ACL));
            Request::Create(Create { op: OpCode::Create, path, data, acl, flags, ttl: None })
        };
        let set = |path| SetData { path: Cow::Borrowed(path), data, version: -1 };
        let pair = PAIR.map(|path| MultiOp::SetData(set(path)));
        let lists = [Kind::Data, Kind::Exists, Kind::Child].map(|kind| self.watching.paths(kind));
        let [data_list, exist, child] = lists.each_ref().map(|list| List::new(list));
        let (nothing, relative_zxid) = (List::new(&[]), self.last_zxid.wire());
        let stage = |path, data| {
            let (path, acl) = (Some(Cow::Borrowed(path)), Some(OPEN_ACL));
            Request::Create(Create { op: OpCode::Create, path, data: Some(data), acl, flags: 0, ttl: None })
        };
        let request = match what {
            What::Stage(path, piece) => stage(path, piece),
            What::Restore(path) => return append_restore_request(bytes, xid, path),
            What::Create(path) => create(path, i32::from(path.starts_with("/key") && self.rng.percent(40))),
            What::Sequential => create("/queue/n-", 3),
            What::Set(path) => Request::SetData(set(path)),
            What::Delete(path) => Request::Delete { path: Cow::Borrowed(path), version: -1 },
            What::Pair => Request::Multi(List::new(&pair)),
            What::Data(path, watch) => Request::GetData { path: Cow::Borrowed(path), watch: *watch },
            What::Exists(path, watch) => Request::Exists { path: Cow::Borrowed(path), watch: *watch },
            What::Children(path, watch) => Request::GetChildren2 { path: Cow::Borrowed(path), watch: *watch },
            What::Sync => Request::Sync { path: Some(Cow::Borrowed("/")) },
            What::Ping => Request::Ping,
            What::Close => Request::CloseSession,
            What::SetWatches => Request::SetWatches(SetWatches {
                relative_zxid,
                data: data_list,
                exist,
                child,
                persistent: nothing,
                persistent_recursive: nothing,
            }),
        };
        append_request(bytes, xid, &request);
    }

    /// What everybody needs. Made by whoever comes first.
    pub(super) fn prepare(&mut self, world: &mut World, wire: usize) {
        for path in ["/queue", "/pair", PAIR[0], PAIR[1]] {
            self.submit(world, wire, What::Create(path.into()));
        }
    }
}
