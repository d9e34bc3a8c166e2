//! What a client is told about a node beside its data.

/// The client-visible state of a node, in the order of the wire.
///
/// Source: `org.apache.zookeeper.data.Stat`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Stat {
    /// Zxid that created the node.
    pub czxid: i64,
    /// Zxid of the last change of its data.
    pub mzxid: i64,
    /// Wall clock of the creation, milliseconds since 1970.
    pub ctime: i64,
    /// Wall clock of the last change of its data, milliseconds since 1970.
    pub mtime: i64,
    /// Changes of its data.
    pub version: i32,
    /// Children created plus children deleted.
    pub cversion: i32,
    /// Changes of its ACL.
    pub aversion: i32,
    /// Session that owns the node; 0 unless it is ephemeral.
    pub ephemeral_owner: i64,
    /// Bytes of data; 0 for null data.
    pub data_length: i32,
    /// Direct children.
    pub num_children: i32,
    /// Zxid of the last creation or deletion of a direct child.
    pub pzxid: i64,
}
