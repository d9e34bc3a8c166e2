//! Bodies of requests.

use super::connect::AuthPacket;
use super::list::{AclList, List, StrList};
use super::multi::{self, MultiOp, MultiRead};
use super::opcode::OpCode;
use super::primitive::{ReadError, Reader, Writer};
use std::borrow::Cow;
use thiserror::Error;

/// Why a request cannot be served. (One below 8 bytes has no opcode: the connection is closed.)
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// The body is not what the opcode asks for: -5, the connection stays open.
    #[error("malformed request: {0}")]
    Malformed(#[from] ReadError),
    /// No client may send this opcode: -6 with zxid -1, then the connection is closed.
    #[error("opcode {0} is not implemented")]
    Unimplemented(i32),
}

/// A request that a client may send.
///
/// A path is required except where `Option` says otherwise: to a null path ZooKeeper answers what it answers to an
/// undecodable body. Null data differs from empty data; a null ACL is for the server to refuse (`InvalidACL`).
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "ZooKeeper's names; the fields are explained where they are not obvious")]
pub enum Request<'a> {
    /// create, create2, createContainer, createTTL.
    Create(Create<'a>),
    /// `version`: that the node must have, -1 for any. Likewise below.
    Delete {
        path: Cow<'a, str>,
        version: i32,
    },
    /// `watch`: leave a watch. Likewise below.
    Exists {
        path: Cow<'a, str>,
        watch: bool,
    },
    GetData {
        path: Cow<'a, str>,
        watch: bool,
    },
    SetData(SetData<'a>),
    GetAcl {
        path: Cow<'a, str>,
    },
    /// `version`: ACL version that the node must have, -1 for any.
    SetAcl {
        path: Cow<'a, str>,
        acl: Option<AclList<'a>>,
        version: i32,
    },
    GetChildren {
        path: Cow<'a, str>,
        watch: bool,
    },
    GetChildren2 {
        path: Cow<'a, str>,
        watch: bool,
    },
    /// The path is only echoed, null included.
    Sync {
        path: Option<Cow<'a, str>>,
    },
    Ping,
    Multi(List<'a, MultiOp<'a>>),
    MultiRead(List<'a, MultiRead<'a>>),
    CloseSession,
    Auth(AuthPacket<'a>),
    /// The two persistent lists are empty.
    SetWatches(SetWatches<'a>),
    SetWatches2(SetWatches<'a>),
    /// `mode`: 0 persistent, 1 persistent recursive; not checked.
    AddWatch {
        path: Cow<'a, str>,
        mode: i32,
    },
    /// `kind`: 1 children, 2 data, 3 any, 4 persistent, 5 persistent recursive; not checked.
    RemoveWatches {
        path: Cow<'a, str>,
        kind: i32,
    },
    /// `kind` as above.
    CheckWatches {
        path: Cow<'a, str>,
        kind: i32,
    },
    /// A null prefix means all.
    GetEphemerals {
        prefix: Option<Cow<'a, str>>,
    },
    GetAllChildrenNumber {
        path: Cow<'a, str>,
    },
    WhoAmI,
    Reconfig(Reconfig<'a>),
    Sasl {
        token: Option<&'a [u8]>,
    },
}

/// Any kind of create.
#[derive(Clone, PartialEq, Debug)]
pub struct Create<'a> {
    /// `Create`, `Create2`, `CreateContainer` or `CreateTtl`.
    pub op: OpCode,
    /// Path of the node, for sequential nodes without the number. That it is null is noticed only after `flags` and
    /// `ttl` have been judged, so it must get as far as that.
    pub path: Option<Cow<'a, str>>,
    /// Data of the node.
    pub data: Option<&'a [u8]>,
    /// ACL of the node.
    pub acl: Option<AclList<'a>>,
    /// 0 persistent, 1 ephemeral, 2 persistent sequential, 3 ephemeral sequential, 4 container, 5 persistent with TTL,
    /// 6 persistent sequential with TTL; not checked.
    pub flags: i32,
    /// Milliseconds, not checked. There exactly if `op` is `CreateTtl`.
    pub ttl: Option<i64>,
}

impl<'a> Create<'a> {
    pub(super) fn read(op: OpCode, r: &mut Reader<'a>) -> Result<Create<'a>, ReadError> {
        let (path, data, acl, flags) = (r.string()?, r.buffer()?, List::read(r)?, r.i32()?);
        let ttl = if op == OpCode::CreateTtl { Some(r.i64()?) } else { None };
        Ok(Create { op, path, data, acl, flags, ttl })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.nullable_string(self.path.as_deref());
        w.buffer(self.data);
        List::write_nullable(self.acl.as_ref(), w);
        w.i32(self.flags);
        if self.op == OpCode::CreateTtl {
            w.i64(self.ttl.unwrap_or(-1));
        }
    }
}

/// Replacement of a node's data.
#[derive(Clone, PartialEq, Debug)]
pub struct SetData<'a> {
    /// The node.
    pub path: Cow<'a, str>,
    /// Its new data.
    pub data: Option<&'a [u8]>,
    /// Version that it must have; -1 for any.
    pub version: i32,
}

impl<'a> SetData<'a> {
    pub(super) fn read(r: &mut Reader<'a>) -> Result<SetData<'a>, ReadError> {
        // A body that ends too early is that first, whatever else is wrong with it.
        let (path, data, version) = (r.string()?, r.buffer()?, r.i32()?);
        Ok(SetData { path: path.ok_or(ReadError::Null)?, data, version })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.string(&self.path);
        w.buffer(self.data);
        w.i32(self.version);
    }
}

/// The watches that a client had before it lost its connection.
#[derive(Clone, PartialEq, Debug)]
pub struct SetWatches<'a> {
    /// Newest zxid that the client has seen: what changed after it, the client is told at once.
    pub relative_zxid: i64,
    /// Data watches on nodes that existed.
    pub data: StrList<'a>,
    /// Watches on nodes that did not exist.
    pub exist: StrList<'a>,
    /// Child watches.
    pub child: StrList<'a>,
    /// Persistent watches.
    pub persistent: StrList<'a>,
    /// Persistent recursive watches.
    pub persistent_recursive: StrList<'a>,
}

impl<'a> SetWatches<'a> {
    fn read(r: &mut Reader<'a>, persistent: bool) -> Result<SetWatches<'a>, ReadError> {
        let mut watches = SetWatches {
            relative_zxid: r.i64()?,
            data: List::read_required(r)?,
            exist: List::read_required(r)?,
            child: List::read_required(r)?,
            persistent: List::new(&[]),
            persistent_recursive: List::new(&[]),
        };
        if persistent {
            watches.persistent = List::read_required(r)?;
            watches.persistent_recursive = List::read_required(r)?;
        }
        Ok(watches)
    }

    fn write(&self, w: &mut Writer<'_>, persistent: bool) {
        w.i64(self.relative_zxid);
        self.data.write(w);
        self.exist.write(w);
        self.child.write(w);
        if persistent {
            self.persistent.write(w);
            self.persistent_recursive.write(w);
        }
    }
}

/// A change of the ensemble's members, in the text form of `zoo.cfg`'s server lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reconfig<'a> {
    /// Servers to add or change.
    pub joining: Option<Cow<'a, str>>,
    /// Numbers of servers to remove.
    pub leaving: Option<Cow<'a, str>>,
    /// The whole new membership, instead of the two above.
    pub new_members: Option<Cow<'a, str>>,
    /// Version that the present configuration must have; -1 for any.
    pub config_id: i64,
}

impl<'a> Request<'a> {
    /// Reads the body that belongs to an opcode. What follows the last field is ignored.
    ///
    /// # Errors
    /// [`DecodeError`]: see there what to answer.
    pub fn decode(op: i32, body: &'a [u8]) -> Result<Request<'a>, DecodeError> {
        let Some(op) = OpCode::from_wire(op) else {
            return Err(DecodeError::Unimplemented(op));
        };
        let r = &mut Reader::new(body);
        Ok(match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Request::Create(Create::read(op, r)?)
            }
            OpCode::Delete => Request::Delete { path: r.required_string()?, version: r.i32()? },
            OpCode::Exists => Request::Exists { path: r.required_string()?, watch: r.bool()? },
            OpCode::GetData => Request::GetData { path: r.required_string()?, watch: r.bool()? },
            OpCode::SetData => Request::SetData(SetData::read(r)?),
            OpCode::GetAcl => Request::GetAcl { path: r.required_string()? },
            OpCode::SetAcl => {
                let (path, acl, version) = (r.string()?, List::read(r)?, r.i32()?);
                Request::SetAcl { path: path.ok_or(ReadError::Null)?, acl, version }
            }
            OpCode::GetChildren => Request::GetChildren { path: r.required_string()?, watch: r.bool()? },
            OpCode::GetChildren2 => Request::GetChildren2 { path: r.required_string()?, watch: r.bool()? },
            OpCode::Sync => Request::Sync { path: r.string()? },
            OpCode::Ping => Request::Ping,
            OpCode::Multi => Request::Multi(multi::read(r)?),
            OpCode::MultiRead => Request::MultiRead(multi::read(r)?),
            OpCode::CloseSession => Request::CloseSession,
            OpCode::Auth => Request::Auth(AuthPacket::read(r)?),
            OpCode::SetWatches => Request::SetWatches(SetWatches::read(r, false)?),
            OpCode::SetWatches2 => Request::SetWatches2(SetWatches::read(r, true)?),
            OpCode::AddWatch => Request::AddWatch { path: r.required_string()?, mode: r.i32()? },
            OpCode::RemoveWatches => Request::RemoveWatches { path: r.required_string()?, kind: r.i32()? },
            OpCode::CheckWatches => Request::CheckWatches { path: r.required_string()?, kind: r.i32()? },
            OpCode::GetEphemerals => Request::GetEphemerals { prefix: r.string()? },
            OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path: r.required_string()? },
            OpCode::WhoAmI => Request::WhoAmI,
            OpCode::Reconfig => Request::Reconfig(Reconfig {
                joining: r.string()?,
                leaving: r.string()?,
                new_members: r.string()?,
                config_id: r.i64()?,
            }),
            OpCode::Sasl => Request::Sasl { token: r.buffer()? },
            OpCode::Notification | OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
                return Err(DecodeError::Unimplemented(op.wire()));
            }
        })
    }

    /// The opcode that belongs to the body.
    #[must_use]
    pub const fn op(&self) -> OpCode {
        match self {
            Request::Create(create) => create.op,
            Request::Delete { .. } => OpCode::Delete,
            Request::Exists { .. } => OpCode::Exists,
            Request::GetData { .. } => OpCode::GetData,
            Request::SetData(_) => OpCode::SetData,
            Request::GetAcl { .. } => OpCode::GetAcl,
            Request::SetAcl { .. } => OpCode::SetAcl,
            Request::GetChildren { .. } => OpCode::GetChildren,
            Request::GetChildren2 { .. } => OpCode::GetChildren2,
            Request::Sync { .. } => OpCode::Sync,
            Request::Ping => OpCode::Ping,
            Request::Multi(_) => OpCode::Multi,
            Request::MultiRead(_) => OpCode::MultiRead,
            Request::CloseSession => OpCode::CloseSession,
            Request::Auth(_) => OpCode::Auth,
            Request::SetWatches(_) => OpCode::SetWatches,
            Request::SetWatches2(_) => OpCode::SetWatches2,
            Request::AddWatch { .. } => OpCode::AddWatch,
            Request::RemoveWatches { .. } => OpCode::RemoveWatches,
            Request::CheckWatches { .. } => OpCode::CheckWatches,
            Request::GetEphemerals { .. } => OpCode::GetEphemerals,
            Request::GetAllChildrenNumber { .. } => OpCode::GetAllChildrenNumber,
            Request::WhoAmI => OpCode::WhoAmI,
            Request::Reconfig(_) => OpCode::Reconfig,
            Request::Sasl { .. } => OpCode::Sasl,
        }
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Request::Ping | Request::CloseSession | Request::WhoAmI => {}
            Request::Create(create) => create.write(w),
            Request::SetData(set) => set.write(w),
            Request::Delete { path, version: number }
            | Request::AddWatch { path, mode: number }
            | Request::RemoveWatches { path, kind: number }
            | Request::CheckWatches { path, kind: number } => {
                w.string(path);
                w.i32(*number);
            }
            Request::Exists { path, watch }
            | Request::GetData { path, watch }
            | Request::GetChildren { path, watch }
            | Request::GetChildren2 { path, watch } => {
                w.string(path);
                w.bool(*watch);
            }
            Request::GetAcl { path } | Request::GetAllChildrenNumber { path } => w.string(path),
            Request::SetAcl { path, acl, version } => {
                w.string(path);
                List::write_nullable(acl.as_ref(), w);
                w.i32(*version);
            }
            Request::Sync { path } => w.nullable_string(path.as_deref()),
            Request::Multi(ops) => multi::write(ops, w),
            Request::MultiRead(ops) => multi::write(ops, w),
            Request::Auth(auth) => auth.encode(w),
            Request::SetWatches(watches) => watches.write(w, false),
            Request::SetWatches2(watches) => watches.write(w, true),
            Request::GetEphemerals { prefix } => w.nullable_string(prefix.as_deref()),
            Request::Reconfig(reconfig) => {
                w.nullable_string(reconfig.joining.as_deref());
                w.nullable_string(reconfig.leaving.as_deref());
                w.nullable_string(reconfig.new_members.as_deref());
                w.i64(reconfig.config_id);
            }
            Request::Sasl { token } => w.buffer(*token),
        }
    }
}
