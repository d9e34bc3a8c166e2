//! Transactions: facts that the leader has decided, the bodies of frames. Applying one cannot fail and needs no
//! decision: paths are final, versions are the new ones, sequence numbers are given.
//!
//! The archived layout is part of the log format. Types in [`v1`] are frozen: never reorder, add or remove a field. A
//! new layout is a new module, a new frame magic, and a conversion when read. `tests/golden.rs` holds their bytes.
//!
//! Which body a frame carries is told by its `txn_type`, ZooKeeper's opcode: see [`TxnType`].

use crate::frame::FrameBuf;
use rkyv::api::high::to_bytes_in;
use rkyv::rancor::Error as RkyvError;
use thiserror::Error;

/// What a frame's `txn_type` can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
#[allow(missing_docs, reason = "ZooKeeper's opcodes")]
pub enum TxnType {
    /// All kinds of create: [`v1::Create`].
    Create = 1,
    /// Delete, also of containers and expired nodes by the server itself: [`v1::Delete`].
    Delete = 2,
    /// [`v1::SetData`]
    SetData = 5,
    /// [`v1::SetAcl`]
    SetAcl = 7,
    /// [`v1::Multi`]: several of the above (and checks, which leave no trace), all with one zxid.
    Multi = 14,
    /// [`v1::CreateSession`]
    CreateSession = -10,
    /// No body: every ephemeral node of the frame's session goes, then the session.
    CloseSession = -11,
    /// [`v1::MoveSession`]; not one of ZooKeeper's, where a session moves without a transaction.
    MoveSession = -12,
    /// [`v1::Restore`]; not one of ZooKeeper's, whose servers are restored one by one.
    Restore = -13,
}

impl TxnType {
    /// From a frame; `None` if this program does not know it.
    #[must_use]
    pub const fn from_wire(n: i32) -> Option<TxnType> {
        Some(match n {
            1 => TxnType::Create,
            2 => TxnType::Delete,
            5 => TxnType::SetData,
            7 => TxnType::SetAcl,
            14 => TxnType::Multi,
            -10 => TxnType::CreateSession,
            -11 => TxnType::CloseSession,
            -12 => TxnType::MoveSession,
            -13 => TxnType::Restore,
            _ => return None,
        })
    }
}

/// First layout of all bodies.
#[allow(missing_docs, reason = "rkyv derives undocumented archived twins")]
pub mod v1 {
    use rkyv::with::{InlineAsBox, Map};
    use rkyv::{Archive, Serialize};

    /// One entry of an ACL.
    #[derive(Archive, Serialize, Clone, Copy, Debug)]
    pub struct AclEntry<'a> {
        pub perms: i32,
        #[rkyv(with = InlineAsBox)]
        pub scheme: &'a str,
        #[rkyv(with = InlineAsBox)]
        pub id: &'a str,
    }

    /// A node comes into being. `owner` is the stored marker: session id for ephemerals, the container and TTL markers
    /// of ZooKeeper's `EphemeralType`, else 0. `parent_cversion` is the parent's new count of creates. An empty `acl`
    /// stands for the open one (world:anyone, all).
    #[derive(Archive, Serialize, Clone, Debug)]
    pub struct Create<'a> {
        #[rkyv(with = InlineAsBox)]
        pub path: &'a str,
        #[rkyv(with = Map<InlineAsBox>)]
        pub data: Option<&'a [u8]>,
        #[rkyv(with = InlineAsBox)]
        pub acl: &'a [AclEntry<'a>],
        pub owner: i64,
        pub parent_cversion: i32,
    }

    #[derive(Archive, Serialize, Clone, Debug)]
    pub struct Delete<'a> {
        #[rkyv(with = InlineAsBox)]
        pub path: &'a str,
    }

    /// `version` is the new one.
    #[derive(Archive, Serialize, Clone, Debug)]
    pub struct SetData<'a> {
        #[rkyv(with = InlineAsBox)]
        pub path: &'a str,
        #[rkyv(with = Map<InlineAsBox>)]
        pub data: Option<&'a [u8]>,
        pub version: i32,
    }

    /// `aversion` is the new one; an empty `acl` stands for the open one.
    #[derive(Archive, Serialize, Clone, Debug)]
    pub struct SetAcl<'a> {
        #[rkyv(with = InlineAsBox)]
        pub path: &'a str,
        #[rkyv(with = InlineAsBox)]
        pub acl: &'a [AclEntry<'a>],
        pub aversion: i32,
    }

    /// A client has taken its session up over another connection, which is the owner from now on: that of the request
    /// whose tag the frame carries. Requests of the former owner are refused. The newly negotiated timeout.
    #[derive(Archive, Serialize, Clone, Debug)]
    pub struct MoveSession<'a> {
        pub timeout_ms: i32,
        /// Nothing yet.
        #[rkyv(with = InlineAsBox)]
        pub reserved: &'a [u8],
    }

    /// The session's owner is the connection whose request the frame's tag names. The negotiated timeout in milliseconds.
    #[derive(Archive, Serialize, Clone, Debug)]
    pub struct CreateSession<'a> {
        pub timeout_ms: i32,
        /// The session's password.
        #[rkyv(with = InlineAsBox)]
        pub passwd: &'a [u8],
    }

    /// The tree is replaced by that of the snapshot whose bytes lie, in pieces, in the children of a node, in the order
    /// of their names.
    #[derive(Archive, Serialize, Clone, Debug)]
    pub struct Restore<'a> {
        #[rkyv(with = InlineAsBox)]
        pub path: &'a str,
        /// Of the whole state after it, as the leader has found it.
        pub digest: u64,
    }

    /// One step of a multi. A check has been made when the transaction is written; it is kept because its place in
    /// the list is the place of its result. `create2` says which shape of result the client expects.
    #[derive(Archive, Serialize, Clone, Debug)]
    pub enum Op<'a> {
        Create { txn: Create<'a>, create2: bool },
        Delete(Delete<'a>),
        SetData(SetData<'a>),
        Check,
    }

    #[derive(Archive, Serialize, Clone, Debug)]
    pub struct Multi<'a> {
        #[rkyv(with = InlineAsBox)]
        pub ops: &'a [Op<'a>],
    }
}

/// The bytes of a body are not what the frame's type says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("transaction body does not match its type")]
pub struct BadBody;

macro_rules! bodies {
    ($($write:ident, $read:ident, $type:ident, $archived:ident;)*) => {$(
        #[doc = concat!("Appends the archived [`v1::", stringify!($type), "`] to a frame under construction.")]
        pub fn $write(out: &mut FrameBuf, txn: &v1::$type<'_>) {
            let buf = core::mem::take(out);
            // The only failures of serialising are those of the writer (memory, which aborts) and of shared pointers.
            *out = to_bytes_in::<_, RkyvError>(txn, buf).expect("archiving into memory cannot fail");
        }

        #[doc = concat!("Reads an archived [`v1::", stringify!($type), "`] in place, after checking its structure.")]
        ///
        /// # Errors
        /// [`BadBody`] if the bytes are not such a body.
        pub fn $read(body: &[u8]) -> Result<&v1::$archived<'static>, BadBody> {
            rkyv::access::<v1::$archived<'static>, RkyvError>(body).map_err(|_| BadBody)
        }
    )*};
}

bodies! {
    write_create, read_create, Create, ArchivedCreate;
    write_delete, read_delete, Delete, ArchivedDelete;
    write_set_data, read_set_data, SetData, ArchivedSetData;
    write_set_acl, read_set_acl, SetAcl, ArchivedSetAcl;
    write_multi, read_multi, Multi, ArchivedMulti;
    write_create_session, read_create_session, CreateSession, ArchivedCreateSession;
    write_move_session, read_move_session, MoveSession, ArchivedMoveSession;
    write_restore, read_restore, Restore, ArchivedRestore;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_in_place_behind_other_bytes() {
        let acl = [v1::AclEntry { perms: 31, scheme: "world", id: "anyone" }];
        let mut buf = FrameBuf::new();
        buf.resize(64, 7);
        write_create(
            &mut buf,
            &v1::Create { path: "/a/b", data: Some(b"x"), acl: &acl, owner: -3, parent_cversion: 9 },
        );
        let body = read_create(&buf[64..]).unwrap();
        assert_eq!(&*body.path, "/a/b");
        assert_eq!(body.data.as_ref().map(|d| &**d), Some(&b"x"[..]));
        assert_eq!((body.owner.to_native(), body.parent_cversion.to_native()), (-3, 9));
        assert_eq!((body.acl[0].perms.to_native(), &*body.acl[0].scheme, &*body.acl[0].id), (31, "world", "anyone"));
        assert!(read_create(&buf[64..buf.len() - 1]).is_err() || read_create(&buf[66..]).is_err());
    }

    #[test]
    fn null_and_empty_data_differ() {
        for data in [None, Some(&b""[..])] {
            let mut buf = FrameBuf::new();
            write_set_data(&mut buf, &v1::SetData { path: "/", data, version: 1 });
            assert_eq!(read_set_data(&buf).unwrap().data.as_ref().map(|d| &**d), data);
        }
    }
}
