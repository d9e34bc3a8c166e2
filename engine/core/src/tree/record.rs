//! The bytes of a snapshot: what is written for each thing, and how it is read back.
//!
//! A snapshot is a string of records. All integers are little-endian; nothing is aligned. The loader checks that the
//! content is whole and adds up to the digest; what finds the place of a damage, or makes the bytes fewer, is for
//! whoever stores them.
//!
//! ```text
//! every record
//!  off size field
//!    0   4  len          bytes behind this field
//!    4   1  tag
//!
//! tag 1, head: first, once
//!    5   4  format       1; 2 if a record of tag 6 follows
//!    9   8  zxid         of the last transaction in it
//!   17   8  digest       of nodes and sessions
//!   25   8  nodes        number of node records
//!   33   8  sessions     number of session records
//!
//! tag 2, list: an ACL, before the first node that has it
//!    5   4  number       from 1; 0 is the open list, which is never written
//!    9   4  entries      their number, then for each:
//!        4    perms
//!        4    scheme_len, then the scheme
//!        4    id_len, then the id
//!
//! tag 3, node: in any order, a parent perhaps behind its children
//!    5   4  id           any number but 2^32-1, different for each node; 0 is the root
//!    9   4  parent       id of the parent; 2^32-1 for the root
//!   13   4  acl          number of the list
//!   17   8  czxid
//!   25   8  mzxid
//!   33   8  pzxid
//!   41   8  ctime
//!   49   8  mtime
//!   57   8  owner        the stored owner marker
//!   65   4  version
//!   69   4  create_count the persisted cversion
//!   73   4  aversion
//!   77   4  name_len
//!   81   4  data_len     2^32-1 for null
//!   85   .. name, data
//!
//! tag 4, session
//!    5   8  id
//!   13   4  timeout_ms
//!   17  16  passwd
//!   33   8  owner        tag of the request by which a connection became its owner
//!
//! tag 6, restored: behind the head, once, if the tree was ever replaced by that of a snapshot
//!    5   8  zxid         of the transaction that did it
//!
//! tag 5, end: last, once
//!    5   8  records      number of records before it
//!   13   4  crc          CRC-32C of all bytes before this record
//! ```

use super::node::{Kind, NodeRecord, Slot};
use super::session_table::SessionEntry;
use super::snapshot::SnapshotHead;
use crate::acl::Acl;
use crate::ids::{SessionId, Tag, Zxid};

/// Of a tree that was never replaced.
pub(super) const FORMAT: u32 = 1;
/// Of one that was: programs that know nothing of this must not read it as if it had not been.
pub(super) const FORMAT_RESTORED: u32 = 2;
/// The longest record: a node whose name and data fill a frame.
pub(super) const LEN_MAX: usize = crate::frame::MAX_LEN + 1024;
/// Bytes of the length field.
pub(super) const LEN_SIZE: usize = 4;

const HEAD: u8 = 1;
const LIST: u8 = 2;
const NODE: u8 = 3;
const SESSION: u8 = 4;
const END: u8 = 5;
const RESTORED: u8 = 6;
const NULL_DATA: u32 = u32::MAX;

/// A record that was read, borrowing from the bytes.
pub(super) enum Record<'a> {
    Head { format: u32, head: SnapshotHead },
    List { number: u32, acl: Vec<(i32, &'a str, &'a str)> },
    Node(NodeFields<'a>),
    Session { id: SessionId, entry: SessionEntry },
    Restored { zxid: Zxid },
    End { records: u64, crc: u32 },
}

/// What is written of a node.
pub(super) struct NodeFields<'a> {
    pub id: Slot,
    pub parent: Slot,
    pub acl: u32,
    pub czxid: u64,
    pub mzxid: u64,
    pub pzxid: u64,
    pub ctime: i64,
    pub mtime: i64,
    pub owner: i64,
    pub version: i32,
    pub create_count: i32,
    pub aversion: i32,
    pub name: &'a str,
    pub data: Option<&'a [u8]>,
}

pub(super) fn write_head(out: &mut Vec<u8>, format: u32, head: &SnapshotHead) {
    write(out, HEAD, |out| {
        out.extend_from_slice(&format.to_le_bytes());
        for field in [head.zxid.0, head.digest, head.node_count, head.session_count] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    });
}

pub(super) fn write_list(out: &mut Vec<u8>, number: u32, acl: &[Acl]) {
    write(out, LIST, |out| {
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&(acl.len() as u32).to_le_bytes());
        for entry in acl {
            out.extend_from_slice(&entry.perms.to_le_bytes());
            for text in [&entry.scheme, &entry.id] {
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    });
}

pub(super) fn write_node(out: &mut Vec<u8>, id: Slot, node: &NodeRecord, kind: Kind, acl: u32) {
    write(out, NODE, |out| {
        for field in [id, node.parent, acl] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [node.czxid, node.mzxid, node.pzxid] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [node.ctime, node.mtime, kind.owner()] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [node.version, node.create_count, node.aversion] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let data_len = node.data().map_or(NULL_DATA, |data| data.len() as u32);
        for field in [node.name().len() as u32, data_len] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(node.name());
        out.extend_from_slice(node.data().unwrap_or_default());
    });
}

pub(super) fn write_session(out: &mut Vec<u8>, id: SessionId, entry: &SessionEntry) {
    write(out, SESSION, |out| {
        out.extend_from_slice(&id.0.to_le_bytes());
        out.extend_from_slice(&entry.timeout_ms.to_le_bytes());
        out.extend_from_slice(&entry.passwd);
        out.extend_from_slice(&entry.owner.0.to_le_bytes());
    });
}

pub(super) fn write_restored(out: &mut Vec<u8>, zxid: Zxid) {
    write(out, RESTORED, |out| out.extend_from_slice(&zxid.0.to_le_bytes()));
}

pub(super) fn write_end(out: &mut Vec<u8>, records: u64, crc: u32) {
    write(out, END, |out| {
        out.extend_from_slice(&records.to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
    });
}

fn write(out: &mut Vec<u8>, tag: u8, fields: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, tag]);
    fields(out);
    let len = (out.len() - start - LEN_SIZE) as u32;
    out[start..start + LEN_SIZE].copy_from_slice(&len.to_le_bytes());
}

/// Reads one record without its length field; `None` if it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Record<'_>> {
    let mut from = Fields { rest: bytes };
    let record = match from.u8()? {
        HEAD => {
            let format = from.u32()?;
            let (zxid, digest) = (Zxid(from.u64()?), from.u64()?);
            let head = SnapshotHead { zxid, digest, node_count: from.u64()?, session_count: from.u64()? };
            Record::Head { format, head }
        }
        LIST => {
            let number = from.u32()?;
            let entries = from.u32()?;
            let acl: Option<Vec<_>> = (0..entries).map(|_| Some((from.i32()?, from.text()?, from.text()?))).collect();
            Record::List { number, acl: acl? }
        }
        NODE => Record::Node(from.node()?),
        SESSION => {
            let (id, timeout_ms) = (SessionId(from.i64()?), from.i32()?);
            Record::Session { id, entry: SessionEntry { timeout_ms, passwd: from.array()?, owner: Tag(from.u64()?) } }
        }
        RESTORED => Record::Restored { zxid: Zxid(from.u64()?) },
        END => Record::End { records: from.u64()?, crc: from.u32()? },
        _ => return None,
    };
    from.rest.is_empty().then_some(record)
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = self.u32()?;
        std::str::from_utf8(self.take(len as usize)?).ok()
    }

    fn node(&mut self) -> Option<NodeFields<'a>> {
        let (id, parent, acl) = (self.u32()?, self.u32()?, self.u32()?);
        let (czxid, mzxid, pzxid) = (self.u64()?, self.u64()?, self.u64()?);
        let (ctime, mtime, owner) = (self.i64()?, self.i64()?, self.i64()?);
        let (version, create_count, aversion) = (self.i32()?, self.i32()?, self.i32()?);
        let (name_len, data_len) = (self.u32()?, self.u32()?);
        let name = std::str::from_utf8(self.take(name_len as usize)?).ok()?;
        let data = if data_len == NULL_DATA { None } else { Some(self.take(data_len as usize)?) };
        Some(NodeFields {
            id,
            parent,
            acl,
            czxid,
            mzxid,
            pzxid,
            ctime,
            mtime,
            owner,
            version,
            create_count,
            aversion,
            name,
            data,
        })
    }
}
