//! Makes a tree of the bytes of a snapshot, and believes none of them: whatever they are, the result is a whole tree
//! that adds up to its digest, or an error.

use super::node::{Kind, NONE, NodeRecord, ROOT, Slot};
use super::path::{ROOT_HASH, child_hash};
use super::record::{self, NodeFields, Record};
use super::{SessionEntry, SnapshotHead, Tree, acl_table, digest};
use crate::ids::{SessionId, Zxid};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why bytes are not a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LoadError {
    /// Record number `at` is none, or cannot stand there.
    #[error("record {at} of the snapshot: {what}")]
    Record {
        /// Its number, from 0.
        at: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A format that this program does not read.
    #[error("snapshot format {0}")]
    Format(u32),
    /// The bytes end before the end record.
    #[error("the snapshot is cut short after {records} records")]
    Short {
        /// Whole records before the end of the bytes.
        records: u64,
    },
    /// Nodes that do not hang together as a tree.
    #[error("the snapshot's nodes are no tree: {what}, node {id}")]
    Structure {
        /// What is wrong.
        what: &'static str,
        /// The node's id in the snapshot.
        id: u32,
    },
    /// A number in the head or the end is not what the content gives.
    #[error("the snapshot's {what}: stated {stated:#x}, found {found:#x}")]
    Mismatch {
        /// Which number.
        what: &'static str,
        /// According to the snapshot.
        stated: u64,
        /// According to the content.
        found: u64,
    },
}

/// Takes the bytes of one snapshot, in pieces of any size.
pub struct Loader {
    tree: Tree,
    head: Option<SnapshotHead>,
    records: u64,
    /// Of all records taken.
    crc: u32,
    ended: bool,
    /// The beginning of a record whose end has not come yet.
    partial: Vec<u8>,
    /// From the numbers of lists to slots of the table; one user counted for each, as long as loading lasts.
    lists: Vec<u32>,
    /// The snapshot's id of the node in each slot.
    ids: Vec<u32>,
    root_seen: bool,
}

impl Default for Loader {
    fn default() -> Loader {
        Loader::new()
    }
}

impl Loader {
    /// Nothing loaded yet.
    #[must_use]
    pub fn new() -> Loader {
        let mut tree = Tree::empty();
        // The root's slot is kept for it, wherever its record stands.
        tree.slab.insert(NodeRecord::new("", None, Kind::Persistent, acl_table::OPEN));
        let lists = vec![acl_table::OPEN];
        Loader {
            tree,
            head: None,
            records: 0,
            crc: 0,
            ended: false,
            partial: Vec::new(),
            lists,
            ids: vec![ROOT],
            root_seen: false,
        }
    }

    /// What the snapshot is of, once its first record has come.
    #[must_use]
    pub fn head(&self) -> Option<&SnapshotHead> {
        self.head.as_ref()
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`LoadError`]: nothing can come of it any more.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), LoadError> {
        while !self.partial.is_empty() && !bytes.is_empty() {
            let have = self.partial.len();
            let whole = if have < record::LEN_SIZE { record::LEN_SIZE } else { self.whole_len(&self.partial)? };
            let more = (whole - have).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..more]);
            bytes = &bytes[more..];
            let have = self.partial.len();
            if have >= record::LEN_SIZE && have == self.whole_len(&self.partial)? {
                let mut partial = std::mem::take(&mut self.partial);
                self.take(&partial)?;
                partial.clear();
                self.partial = partial;
            }
        }
        while bytes.len() >= record::LEN_SIZE {
            let whole = self.whole_len(bytes)?;
            let Some((first, rest)) = bytes.split_at_checked(whole) else { break };
            self.take(first)?;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// The tree, if everything has come and adds up.
    ///
    /// # Errors
    /// [`LoadError`] if not.
    pub fn finish(self) -> Result<Tree, LoadError> {
        let (Some(head), true) = (self.head, self.ended) else {
            return Err(LoadError::Short { records: self.records });
        };
        if !self.partial.is_empty() {
            return Err(self.wrong("behind the end"));
        }
        let tree = self.assemble(head.zxid)?;
        check("number of nodes", head.node_count, tree.node_count() as u64)?;
        check("number of sessions", head.session_count, tree.sessions.len() as u64)?;
        check("digest", head.digest, tree.digest)?;
        Ok(tree)
    }

    /// Makes a tree of the nodes and sessions that were taken.
    pub(super) fn assemble(mut self, zxid: Zxid) -> Result<Tree, LoadError> {
        if !self.root_seen {
            return Err(LoadError::Structure { what: "no root", id: ROOT });
        }
        self.link()?;
        self.index()?;
        for slot in std::mem::take(&mut self.lists) {
            self.tree.acls.release(slot);
        }
        self.tree.last_zxid = zxid;
        self.tree.find_quotas();
        Ok(self.tree)
    }

    /// Length of the record at the start of at least [`record::LEN_SIZE`] bytes, its length field included.
    fn whole_len(&self, bytes: &[u8]) -> Result<usize, LoadError> {
        let len = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if len > record::LEN_MAX { Err(self.wrong("too long")) } else { Ok(record::LEN_SIZE + len) }
    }

    fn wrong(&self, what: &'static str) -> LoadError {
        LoadError::Record { at: self.records, what }
    }

    /// Takes a whole record, its length field included.
    fn take(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let record = record::read(&bytes[record::LEN_SIZE..]).ok_or_else(|| self.wrong("malformed"))?;
        if self.ended {
            return Err(self.wrong("behind the end"));
        }
        match record {
            Record::Head { format: record::FORMAT | record::FORMAT_RESTORED, head } if self.records == 0 => {
                self.head = Some(head);
            }
            Record::Head { format, .. } if self.records == 0 => return Err(LoadError::Format(format)),
            Record::Head { .. } => return Err(self.wrong("a second head")),
            _ if self.records == 0 => return Err(self.wrong("no head")),
            Record::List { number, acl } => {
                if number as usize != self.lists.len() || acl.is_empty() {
                    return Err(self.wrong("a list out of turn"));
                }
                self.take_list(acl.into_iter());
            }
            Record::Node(fields) => self.take_node(&fields)?,
            Record::Session { id, entry } => self.take_session(id, entry)?,
            Record::Restored { zxid } if self.records == 1 && zxid != Zxid::ZERO => {
                self.tree.restored_at = zxid;
                self.tree.digest = self.tree.digest.wrapping_add(digest::of_restore(zxid));
            }
            Record::Restored { .. } => return Err(self.wrong("a restore out of turn")),
            Record::End { records, crc } => {
                check("number of records", records, self.records)?;
                check("checksum", crc.into(), self.crc.into())?;
                self.ended = true;
            }
        }
        self.records += 1;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        Ok(())
    }

    /// Returns the list's number.
    pub(super) fn take_list<'a>(&mut self, acl: impl ExactSizeIterator<Item = (i32, &'a str, &'a str)> + Clone) -> u32 {
        let slot = self.tree.acls.acquire(acl);
        self.lists.push(slot);
        self.lists.len() as u32 - 1
    }

    pub(super) fn take_session(&mut self, id: SessionId, entry: SessionEntry) -> Result<(), LoadError> {
        let added = self.tree.sessions.insert(id, entry).ok_or_else(|| self.wrong("a session twice"))?;
        self.tree.digest = self.tree.digest.wrapping_add(added);
        Ok(())
    }

    pub(super) fn take_node(&mut self, fields: &NodeFields<'_>) -> Result<(), LoadError> {
        let kind = Kind::from_owner(fields.owner).ok_or_else(|| self.wrong("an unknown owner marker"))?;
        let is_root = fields.id == ROOT;
        if is_root != (fields.parent == NONE) || is_root != fields.name.is_empty() || fields.id == NONE {
            return Err(self.wrong("a root that is none"));
        }
        if fields.name.contains('/') || (is_root && (self.root_seen || kind != Kind::Persistent)) {
            return Err(self.wrong("an impossible node"));
        }
        let acl = *self.lists.get(fields.acl as usize).ok_or_else(|| self.wrong("an unknown list"))?;
        self.tree.acls.add_user(acl);
        let mut record = NodeRecord::new(fields.name, fields.data, kind, acl);
        (record.czxid, record.mzxid, record.pzxid) = (fields.czxid, fields.mzxid, fields.pzxid);
        (record.ctime, record.mtime) = (fields.ctime, fields.mtime);
        (record.version, record.create_count, record.aversion) = (fields.version, fields.create_count, fields.aversion);
        record.parent = fields.parent;
        if is_root {
            self.root_seen = true;
            self.tree.slab[ROOT] = record;
            return Ok(());
        }
        let slot = self.tree.slab.insert(record);
        self.ids.push(fields.id);
        match kind {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => {
                self.tree.ephemerals.entry(session).or_default().insert(slot);
                self.tree.ephemeral_count += 1;
            }
            // Entered for real once the children are known.
            Kind::Container | Kind::Ttl(_) => self.tree.reap.note(slot, kind),
        }
        Ok(())
    }

    /// Replaces the parents' ids by their slots and builds the lists of children.
    fn link(&mut self) -> Result<(), LoadError> {
        let slots = SlotsById::new(&self.ids)?;
        for slot in 1..self.ids.len() as Slot {
            let wrong = |what| LoadError::Structure { what, id: self.ids[slot as usize] };
            let parent = slots.get(self.tree.slab[slot].parent).ok_or_else(|| wrong("a parent that is not there"))?;
            if self.tree.slab[parent].is_ephemeral() {
                return Err(wrong("an ephemeral parent"));
            }
            self.tree.link(slot, parent);
        }
        Ok(())
    }

    /// Goes through the tree from the root: hashes, index, digest, sizes, what may be reaped.
    fn index(&mut self) -> Result<(), LoadError> {
        let tree = &mut self.tree;
        tree.index.reserve(tree.slab.len());
        let mut open = vec![(ROOT, ROOT_HASH, 0)];
        let mut visited = 0;
        while let Some((slot, hash, path_len)) = open.pop() {
            visited += 1;
            let kind = tree.kind_of(slot);
            let node = &tree.slab[slot];
            if slot != ROOT {
                let same = |other: Slot| {
                    let other = &tree.slab[other];
                    other.parent == node.parent && other.name() == node.name()
                };
                if tree.index.find(hash, same).is_some() {
                    return Err(LoadError::Structure { what: "two nodes of one path", id: self.ids[slot as usize] });
                }
                tree.index.insert(hash, slot);
            }
            if let Kind::Ephemeral(session) = kind
                && tree.sessions.get(session).is_none()
            {
                return Err(LoadError::Structure { what: "no session for it", id: self.ids[slot as usize] });
            }
            if node.is_container() || node.is_ttl() {
                tree.reap.enter(slot, node);
            }
            tree.digest = tree.digest.wrapping_add(digest::of_node(hash, node, kind, &tree.acls));
            tree.size += path_len + node.data_len() as u64;
            let mut child = node.first_child();
            while child != NONE {
                let below = &tree.slab[child];
                open.push((child, child_hash(hash, below.name()), path_len + 1 + below.name_len() as u64));
                child = below.next;
            }
        }
        if visited < self.ids.len() {
            // A ring of nodes, each above the next: no way leads there from the root.
            return Err(LoadError::Structure { what: "nodes that the root does not reach", id: ROOT });
        }
        Ok(())
    }
}

fn check(what: &'static str, stated: u64, found: u64) -> Result<(), LoadError> {
    if stated == found { Ok(()) } else { Err(LoadError::Mismatch { what, stated, found }) }
}

/// From the snapshot's ids to slots. Ids are a slab's slots and so nearly always dense; only then is an array made of
/// them, whose size the number of nodes bounds.
enum SlotsById {
    Dense(Vec<Slot>),
    Sparse(BTreeMap<u32, Slot>),
}

impl SlotsById {
    fn new(ids: &[u32]) -> Result<SlotsById, LoadError> {
        let twice = |id| LoadError::Structure { what: "two nodes of one id", id };
        let span = ids.iter().max().map_or(0, |max| *max as usize + 1);
        let by_slot = ids.iter().enumerate().map(|(slot, id)| (*id, slot as Slot));
        if span > ids.len().saturating_mul(8) {
            let mut slots = BTreeMap::new();
            for (id, slot) in by_slot {
                if slots.insert(id, slot).is_some() {
                    return Err(twice(id));
                }
            }
            return Ok(SlotsById::Sparse(slots));
        }
        let mut slots = vec![NONE; span];
        for (id, slot) in by_slot {
            if std::mem::replace(&mut slots[id as usize], slot) != NONE {
                return Err(twice(id));
            }
        }
        Ok(SlotsById::Dense(slots))
    }

    fn get(&self, id: u32) -> Option<Slot> {
        match self {
            SlotsById::Dense(slots) => slots.get(id as usize).copied().filter(|slot| *slot != NONE),
            SlotsById::Sparse(slots) => slots.get(&id).copied(),
        }
    }
}
