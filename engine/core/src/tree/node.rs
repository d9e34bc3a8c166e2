//! What a node costs: one record of 112 bytes in the slab, and one allocation for its data and a name that is long.

use crate::ids::SessionId;

/// Number of a record in the slab.
pub(super) type Slot = u32;
/// No node.
pub(super) const NONE: Slot = u32::MAX;
/// The root: never removed.
pub(super) const ROOT: Slot = 0;

/// Owner marker of containers.
const OWNER_CONTAINER: i64 = i64::MIN;
/// The top byte of markers that say more than a session; the two bytes below it say what (0 = TTL).
const OWNER_EXTENDED: u64 = 0xFF << 56;
const OWNER_FEATURE: u64 = 0xFFFF << 40;
const OWNER_VALUE: u64 = (1 << 40) - 1;

/// What removes a node besides a delete.
///
/// Source: `EphemeralType`; surface 1.10, 2.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Nothing.
    Persistent,
    /// The end of the session. Has no children.
    Ephemeral(SessionId),
    /// The reaper, once its last child is gone.
    Container,
    /// The reaper, when it has no children and its data has not changed for so many milliseconds.
    Ttl(u64),
}

impl Kind {
    /// From the stored owner marker; `None` if it stands for a feature that does not exist.
    #[must_use]
    pub const fn from_owner(owner: i64) -> Option<Kind> {
        let bits = owner as u64;
        if owner == 0 {
            Some(Kind::Persistent)
        } else if owner == OWNER_CONTAINER {
            Some(Kind::Container)
        } else if bits & OWNER_EXTENDED != OWNER_EXTENDED {
            Some(Kind::Ephemeral(SessionId(owner)))
        } else if bits & OWNER_FEATURE == 0 {
            Some(Kind::Ttl(bits & OWNER_VALUE))
        } else {
            None
        }
    }

    /// The stored owner marker.
    #[must_use]
    pub const fn owner(self) -> i64 {
        match self {
            Kind::Persistent => 0,
            Kind::Ephemeral(session) => session.0,
            Kind::Container => OWNER_CONTAINER,
            Kind::Ttl(ms) => (OWNER_EXTENDED | (ms & OWNER_VALUE)) as i64,
        }
    }

    const fn tag(self) -> u32 {
        match self {
            Kind::Persistent => TAG_PERSISTENT,
            Kind::Ephemeral(_) => TAG_EPHEMERAL,
            Kind::Container => TAG_CONTAINER,
            Kind::Ttl(_) => TAG_TTL,
        }
    }
}

/// Bits of [`NodeRecord::bits`] that hold the length of the name.
const NAME_BITS: u32 = 27;
const NAME_MASK: u32 = (1 << NAME_BITS) - 1;
/// The data is null, which is not the same as empty.
const NULL: u32 = 1 << 27;
/// The running snapshot must not take this record when it comes by.
const SKIP: u32 = 1 << 28;
/// The slot holds no node.
const VACANT: u32 = 1 << 29;
const TAG_SHIFT: u32 = 30;
const TAG_PERSISTENT: u32 = 0;
const TAG_EPHEMERAL: u32 = 1;
const TAG_CONTAINER: u32 = 2;
const TAG_TTL: u32 = 3;

/// Longest name that stands in the record itself, so that finding a node does not touch its data. Names of sequential
/// nodes fit, ten digits behind a short prefix.
const INLINE: usize = 16;
/// Longest name.
pub(super) const NAME_MAX: usize = NAME_MASK as usize;
const _: () = assert!(crate::frame::MAX_LEN <= NAME_MAX);
const _: () = assert!(size_of::<NodeRecord>() == 112);

/// A node. Its links are kept by the tree, everything else belongs to the node alone.
#[derive(Clone)]
#[repr(C)]
pub(super) struct NodeRecord {
    /// The name, if it is short.
    short_name: [u8; INLINE],
    bits: u32,
    /// `NONE` for the root.
    pub parent: Slot,
    /// The name, if it is long, then the data.
    content: Box<[u8]>,
    pub czxid: u64,
    pub mzxid: u64,
    pub pzxid: u64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    /// Children ever created: the persisted "cversion".
    pub create_count: i32,
    pub aversion: i32,
    /// The sibling that was created before; in a vacant slot the next vacant one.
    pub next: Slot,
    /// The sibling that was created after.
    pub prev: Slot,
    /// The youngest child; of an ephemeral node, which has none, the low half of the session id.
    first_child: Slot,
    /// Number of children; of an ephemeral node the high half of the session id.
    child_count: u32,
    /// Slot in the ACL table.
    pub acl: u32,
}

impl NodeRecord {
    /// A node without links, its versions 0.
    pub fn new(name: &str, data: Option<&[u8]>, kind: Kind, acl: u32) -> NodeRecord {
        assert!(name.len() <= NAME_MAX, "a name of {} bytes came through a frame", name.len());
        let (first_child, child_count) = match kind {
            Kind::Ephemeral(session) => (session.0 as u32, (session.0 >> 32) as u32),
            _ => (NONE, 0),
        };
        let null = if data.is_none() { NULL } else { 0 };
        let mut short_name = [0; INLINE];
        let mut long_name: &[u8] = &[];
        match short_name.get_mut(..name.len()) {
            Some(place) => place.copy_from_slice(name.as_bytes()),
            None => long_name = name.as_bytes(),
        }
        NodeRecord {
            short_name,
            bits: name.len() as u32 | null | (kind.tag() << TAG_SHIFT),
            parent: NONE,
            content: join(long_name, data.unwrap_or_default()),
            czxid: 0,
            mzxid: 0,
            pzxid: 0,
            ctime: 0,
            mtime: 0,
            version: 0,
            create_count: 0,
            aversion: 0,
            next: NONE,
            prev: NONE,
            first_child,
            child_count,
            acl,
        }
    }

    /// What stands in a slot that holds no node.
    pub fn vacant(next: Slot) -> NodeRecord {
        let mut record = NodeRecord::new("", None, Kind::Persistent, 0);
        record.next = next;
        record.bits |= VACANT;
        record
    }

    pub fn is_vacant(&self) -> bool {
        self.bits & VACANT != 0
    }

    pub fn name(&self) -> &[u8] {
        let len = self.name_len();
        if len <= INLINE { &self.short_name[..len] } else { &self.content[..len] }
    }

    pub fn name_len(&self) -> usize {
        (self.bits & NAME_MASK) as usize
    }

    /// Bytes of the content before the data.
    fn data_start(&self) -> usize {
        let len = self.name_len();
        if len <= INLINE { 0 } else { len }
    }

    pub fn data(&self) -> Option<&[u8]> {
        if self.bits & NULL != 0 { None } else { Some(&self.content[self.data_start()..]) }
    }

    /// Bytes of data; 0 for null.
    pub fn data_len(&self) -> usize {
        self.content.len() - self.data_start()
    }

    pub fn set_data(&mut self, data: Option<&[u8]>) {
        let (bytes, start) = (data.unwrap_or_default(), self.data_start());
        if bytes.len() == self.data_len() {
            self.content[start..].copy_from_slice(bytes);
        } else {
            self.content = join(&self.content[..start], bytes);
        }
        self.bits = if data.is_none() { self.bits | NULL } else { self.bits & !NULL };
    }

    pub fn is_ephemeral(&self) -> bool {
        self.bits >> TAG_SHIFT == TAG_EPHEMERAL
    }

    pub fn is_container(&self) -> bool {
        self.bits >> TAG_SHIFT == TAG_CONTAINER
    }

    pub fn is_ttl(&self) -> bool {
        self.bits >> TAG_SHIFT == TAG_TTL
    }

    /// The session that owns an ephemeral node.
    pub fn session(&self) -> Option<SessionId> {
        let id = (u64::from(self.child_count) << 32) | u64::from(self.first_child);
        self.is_ephemeral().then_some(SessionId(id as i64))
    }

    pub fn first_child(&self) -> Slot {
        if self.is_ephemeral() { NONE } else { self.first_child }
    }

    pub fn child_count(&self) -> u32 {
        if self.is_ephemeral() { 0 } else { self.child_count }
    }

    pub fn set_children(&mut self, first: Slot, count: u32) {
        assert!(!self.is_ephemeral(), "an ephemeral node has no children");
        (self.first_child, self.child_count) = (first, count);
    }

    /// Children created plus children deleted: what clients see as `cversion`.
    ///
    /// Source: `DataNode.copyStat`.
    pub fn visible_cversion(&self) -> i32 {
        self.create_count.wrapping_mul(2).wrapping_sub(self.child_count() as i32)
    }

    /// The running snapshot has this node already, or must not have it.
    pub fn is_skipped(&self) -> bool {
        self.bits & SKIP != 0
    }

    pub fn set_skipped(&mut self, skip: bool) {
        self.bits = if skip { self.bits | SKIP } else { self.bits & !SKIP };
    }
}

fn join(name: &[u8], data: &[u8]) -> Box<[u8]> {
    let mut content = Vec::with_capacity(name.len() + data.len());
    content.extend_from_slice(name);
    content.extend_from_slice(data);
    content.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_and_kinds_convert_both_ways() {
        let cases = [
            (0, Some(Kind::Persistent)),
            (i64::MIN, Some(Kind::Container)),
            (1, Some(Kind::Ephemeral(SessionId(1)))),
            (i64::MIN + 1, Some(Kind::Ephemeral(SessionId(i64::MIN + 1)))),
            (0x7FFF_0000_0000_0001, Some(Kind::Ephemeral(SessionId(0x7FFF_0000_0000_0001)))),
            (0xFE00_0000_0000_0000_u64 as i64, Some(Kind::Ephemeral(SessionId(0xFE00_0000_0000_0000_u64 as i64)))),
            (0xFF00_0000_0000_0001_u64 as i64, Some(Kind::Ttl(1))),
            (0xFF00_00FF_FFFF_FFFF_u64 as i64, Some(Kind::Ttl((1 << 40) - 1))),
            (0xFF00_0100_0000_0001_u64 as i64, None),
            (-1, None),
        ];
        for (owner, kind) in cases {
            assert_eq!(Kind::from_owner(owner), kind, "{owner:x}");
            if let Some(kind) = kind {
                assert_eq!(kind.owner(), owner);
            }
        }
    }

    #[test]
    fn null_and_empty_data_differ_and_data_of_any_size_replaces_any_other() {
        for name in ["", "näme", "exactly 16 bytes", "a name of 17 byte", &"n".repeat(5000)] {
            let mut record = NodeRecord::new(name, None, Kind::Container, 3);
            let values: [Option<&[u8]>; 6] = [Some(b""), Some(b"abc"), Some(b"xyz"), None, Some(b"longer data"), None];
            for data in values {
                record.set_data(data);
                assert_eq!(record.data(), data);
                assert_eq!(record.data_len(), data.map_or(0, <[u8]>::len));
                assert_eq!(record.name(), name.as_bytes());
                assert!(record.is_container() && !record.is_vacant());
            }
        }
    }

    #[test]
    fn a_session_is_kept_where_children_would_be() {
        let session = SessionId(0x8123_4567_89ab_cdef_u64 as i64);
        let record = NodeRecord::new("e", None, Kind::Ephemeral(session), 0);
        assert_eq!((record.session(), record.first_child(), record.child_count()), (Some(session), NONE, 0));
        assert_eq!(NodeRecord::new("p", None, Kind::Persistent, 0).session(), None);
    }
}
