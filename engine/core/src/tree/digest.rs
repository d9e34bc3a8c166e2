//! One number for the whole state: the wrapping sum of a hash for every node and session. Servers that have applied the
//! same transactions have the same number, whatever their slots.
//!
//! A node adds three hashes, one for each group of fields that changes together, so that creating a child costs nothing
//! for the size of the parent's data. Each is bound to the node by the hash of its path.

use super::acl_table::AclTable;
use super::node::{Kind, NodeRecord};
use super::path::{PathHash, fold};
use super::session_table::SessionEntry;
use crate::ids::{SessionId, Zxid};

const DATA: u64 = 0x8CB9_2BA7_2F3D_8DD7;
const CHILDREN: u64 = 0xA076_1D64_78BD_642F;
const BIRTH: u64 = 0xE703_7ED1_A0B4_28DB;
const SESSION: u64 = 0x589A_6E5C_1F3B_7C11;
const RESTORE: u64 = 0x1D8E_4E27_C47D_124F;

/// What setting the data changes.
pub(super) fn of_data(path: PathHash, node: &NodeRecord) -> u64 {
    let data = match node.data() {
        Some(data) => u64::from(crc32c::crc32c(data)) | ((data.len() as u64) << 32),
        None => u64::MAX,
    };
    chain(DATA ^ path, [data, node.mzxid, node.mtime as u64, u64::from(node.version as u32)])
}

/// What creating and deleting children changes.
pub(super) fn of_children(path: PathHash, node: &NodeRecord) -> u64 {
    chain(CHILDREN ^ path, [node.pzxid, u64::from(node.create_count as u32)])
}

/// What never changes, and the ACL.
pub(super) fn of_birth(path: PathHash, node: &NodeRecord, kind: Kind, acls: &AclTable) -> u64 {
    let rest =
        [node.czxid, node.ctime as u64, kind.owner() as u64, u64::from(node.aversion as u32), acls.hash(node.acl)];
    chain(BIRTH ^ path, rest)
}

/// All that a node adds to the sum.
pub(super) fn of_node(path: PathHash, node: &NodeRecord, kind: Kind, acls: &AclTable) -> u64 {
    of_data(path, node).wrapping_add(of_children(path, node)).wrapping_add(of_birth(path, node, kind, acls))
}

/// All that a session adds to the sum.
pub(super) fn of_session(id: SessionId, entry: &SessionEntry) -> u64 {
    let passwd = u128::from_le_bytes(entry.passwd);
    let timeout = u64::from(entry.timeout_ms as u32);
    chain(SESSION, [id.0 as u64, timeout, passwd as u64, (passwd >> 64) as u64, entry.owner.0])
}

/// What the last replacement of the tree adds to the sum; nothing if there was none.
pub(super) fn of_restore(at: Zxid) -> u64 {
    if at == Zxid::ZERO { 0 } else { chain(RESTORE, [at.0]) }
}

/// Hash of a string of bytes.
pub(super) fn of_bytes(seed: u64, bytes: &[u8]) -> u64 {
    super::path::child_hash(seed, bytes)
}

/// Hash of some numbers in their order.
pub(super) fn chain<const N: usize>(seed: u64, words: [u64; N]) -> u64 {
    let mut hash = seed;
    for word in words {
        hash = fold(hash ^ word, BIRTH).wrapping_add(seed.rotate_left(23));
    }
    fold(hash ^ DATA, CHILDREN)
}
