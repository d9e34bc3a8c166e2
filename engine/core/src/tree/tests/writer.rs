//! Makes frames as a leader would, one after the other.

use super::super::{Applied, ApplyError, Tree};
use crate::frame::{self, Frame, FrameBuf, FrameHeader};
use crate::ids::{SessionId, Tag, WallMs, Zxid};
use crate::txn::{self, TxnType, v1};

pub const PASSWD: [u8; 16] = *b"sixteen bytes ok";
pub const OPEN: &[v1::AclEntry<'static>] = &[];
pub const READ_ONLY: &[v1::AclEntry<'static>] = &[v1::AclEntry { perms: 1, scheme: "world", id: "anyone" }];

/// A tree and the leader's place in the order.
pub struct Writer {
    pub tree: Tree,
    pub out: Applied,
    pub wall: i64,
    pub session: i64,
    pub tag: Tag,
    buf: FrameBuf,
}

impl Writer {
    pub fn new() -> Writer {
        Writer::on(Tree::new())
    }

    pub fn on(tree: Tree) -> Writer {
        Writer { tree, out: Applied::new(), wall: 1000, session: 0, tag: Tag::NONE, buf: FrameBuf::new() }
    }

    pub fn zxid(&self) -> Zxid {
        self.tree.last_zxid()
    }

    /// The next frame of that type.
    pub fn apply(&mut self, kind: TxnType, body: impl FnOnce(&mut FrameBuf)) -> Result<(), ApplyError> {
        let prev_zxid = self.tree.last_zxid();
        let header = FrameHeader {
            zxid: Zxid(prev_zxid.0 + 1),
            prev_zxid,
            session: SessionId(self.session),
            wall: WallMs(self.wall),
            cxid: 0,
            txn_type: kind as i32,
            tag: self.tag,
        };
        self.buf.clear();
        frame::encode(&mut self.buf, &header, body);
        self.tree.apply(&Frame::parse(&self.buf).unwrap(), &mut self.out)
    }

    /// The frame that was applied last.
    pub fn last_frame(&self) -> Frame<'_> {
        Frame::parse(&self.buf).unwrap()
    }

    pub fn next_create<'a>(&self, path: &'a str, data: Option<&'a [u8]>) -> v1::Create<'a> {
        let parent = self.tree.get(super::super::path::parent(path));
        let parent_cversion = parent.map_or(0, |parent| parent.create_count()).wrapping_add(1);
        v1::Create { path, data, acl: OPEN, owner: 0, parent_cversion }
    }

    pub fn create(&mut self, path: &str, data: &[u8]) -> Result<(), ApplyError> {
        self.create_owned(path, data, 0)
    }

    pub fn create_owned(&mut self, path: &str, data: &[u8], owner: i64) -> Result<(), ApplyError> {
        let txn = v1::Create { owner, ..self.next_create(path, Some(data)) };
        self.apply(TxnType::Create, |buf| txn::write_create(buf, &txn))
    }

    pub fn delete(&mut self, path: &str) -> Result<(), ApplyError> {
        self.apply(TxnType::Delete, |buf| txn::write_delete(buf, &v1::Delete { path }))
    }

    pub fn set(&mut self, path: &str, data: Option<&[u8]>) -> Result<(), ApplyError> {
        let version = self.tree.get(path).map_or(0, |node| node.stat().version) + 1;
        self.apply(TxnType::SetData, |buf| txn::write_set_data(buf, &v1::SetData { path, data, version }))
    }

    pub fn set_acl(&mut self, path: &str, acl: &[v1::AclEntry<'_>]) -> Result<(), ApplyError> {
        let aversion = self.tree.get(path).map_or(0, |node| node.stat().aversion) + 1;
        self.apply(TxnType::SetAcl, |buf| txn::write_set_acl(buf, &v1::SetAcl { path, acl, aversion }))
    }

    pub fn open_session(&mut self, id: i64) -> Result<(), ApplyError> {
        self.session = id;
        let txn = v1::CreateSession { timeout_ms: 4000, passwd: &PASSWD };
        let result = self.apply(TxnType::CreateSession, |buf| txn::write_create_session(buf, &txn));
        self.session = 0;
        result
    }

    pub fn move_session(&mut self, id: i64, timeout_ms: i32, owner: Tag) -> Result<(), ApplyError> {
        (self.session, self.tag) = (id, owner);
        let txn = v1::MoveSession { timeout_ms, reserved: &[] };
        let result = self.apply(TxnType::MoveSession, |buf| txn::write_move_session(buf, &txn));
        (self.session, self.tag) = (0, Tag::NONE);
        result
    }

    pub fn close_session(&mut self, id: i64) -> Result<(), ApplyError> {
        self.session = id;
        let result = self.apply(TxnType::CloseSession, |_| {});
        self.session = 0;
        result
    }

    pub fn multi(&mut self, ops: &[v1::Op<'_>]) -> Result<(), ApplyError> {
        self.apply(TxnType::Multi, |buf| txn::write_multi(buf, &v1::Multi { ops }))
    }

    pub fn text(&self, path: &str) -> String {
        String::from_utf8(self.tree.get(path).unwrap().data().unwrap().to_vec()).unwrap()
    }
}
