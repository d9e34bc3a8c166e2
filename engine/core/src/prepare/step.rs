//! One write, judged: what it will do to the tree. A request is one step, a multi several.

use super::{Prepare, PrepareConfig, Record, next_version};
use crate::acl::{Acl, AclRef, Id, fixup, perms};
use crate::error_code::ErrorCode;
use crate::frame::{FrameBuf, FrameHeader, encode};
use crate::ids::SessionId;
use crate::jute::{AclItem, AclList, Create, MultiOp, OpCode, Request, SetData};
use crate::tree::path;
use crate::txn::{self, TxnType, v1};
use std::borrow::Cow;

/// Stored owner of container nodes (`EphemeralType.CONTAINER_EPHEMERAL_OWNER`).
const CONTAINER_OWNER: i64 = i64::MIN;
/// Top byte of the stored owner of TTL nodes (`EphemeralType.TTL`); the low 40 bits are the time in milliseconds.
const TTL_MARK: i64 = (0xFF_u64 << 56) as i64;
const TTL_MAX: i64 = 0xFF_FFFF_FFFF;
/// Nodes that cannot be deleted (`DataTree.isSpecialPath`).
const RESERVED: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

/// Whether a stored owner is a session, so that the node may have no children.
pub(super) fn owner_is_session(owner: i64) -> bool {
    owner != 0 && owner != CONTAINER_OWNER && owner & TTL_MARK != TTL_MARK
}

/// A write that has passed all checks.
pub(super) enum Step<'a> {
    Create { path: Cow<'a, str>, data: Option<&'a [u8]>, acl: AclRef, owner: i64, parent_cversion: i32, create2: bool },
    Delete { path: Cow<'a, str> },
    SetData { path: Cow<'a, str>, data: Option<&'a [u8]>, version: i32 },
    SetAcl { path: Cow<'a, str>, acl: AclRef, aversion: i32 },
    Check,
}

impl Step<'_> {
    /// Appends the frame of a step that stands alone.
    pub(super) fn write(&self, header: FrameHeader, out: &mut FrameBuf) {
        let acl = self.acl_entries();
        let typed = |t: TxnType| FrameHeader { txn_type: t as i32, ..header };
        if let Step::SetAcl { path, aversion, .. } = self {
            let txn = v1::SetAcl { path, acl: &acl, aversion: *aversion };
            encode(out, &typed(TxnType::SetAcl), |b| txn::write_set_acl(b, &txn));
            return;
        }
        match self.op(&acl) {
            v1::Op::Create { txn, .. } => encode(out, &typed(TxnType::Create), |b| txn::write_create(b, &txn)),
            v1::Op::Delete(txn) => encode(out, &typed(TxnType::Delete), |b| txn::write_delete(b, &txn)),
            v1::Op::SetData(txn) => encode(out, &typed(TxnType::SetData), |b| txn::write_set_data(b, &txn)),
            v1::Op::Check => unreachable!("a check stands only in a multi"),
        };
    }

    /// The step's ACL in the form that is archived; empty for the open one.
    pub(super) fn acl_entries(&self) -> Vec<v1::AclEntry<'_>> {
        let (Step::Create { acl, .. } | Step::SetAcl { acl, .. }) = self else { return Vec::new() };
        let entries = acl.as_deref().unwrap_or_default();
        entries.iter().map(|a| v1::AclEntry { perms: a.perms, scheme: &a.scheme, id: &a.id }).collect()
    }

    /// The step as part of a multi.
    pub(super) fn op<'b>(&'b self, acl: &'b [v1::AclEntry<'b>]) -> v1::Op<'b> {
        match self {
            Step::Create { path, data, owner, parent_cversion, create2, .. } => v1::Op::Create {
                txn: v1::Create { path, data: *data, acl, owner: *owner, parent_cversion: *parent_cversion },
                create2: *create2,
            },
            Step::Delete { path } => v1::Op::Delete(v1::Delete { path }),
            Step::SetData { path, data, version } => {
                v1::Op::SetData(v1::SetData { path, data: *data, version: *version })
            }
            Step::SetAcl { .. } => unreachable!("setACL stands only by itself"),
            Step::Check => v1::Op::Check,
        }
    }
}

/// What a create asks for, from opcode and flags (`CreateMode`).
struct Mode {
    sequential: bool,
    owner: i64,
}

impl Prepare<'_> {
    /// Judges a write that stands alone and notes what it will change.
    pub(super) fn step<'r>(
        &mut self,
        request: &Request<'r>,
        who: &[Id],
        session: SessionId,
    ) -> Result<Step<'r>, ErrorCode> {
        match request {
            Request::Create(create) => self.create(create, who, session),
            Request::Delete { path, version } => self.delete(path, *version, who),
            Request::SetData(set) => self.set_data(set, who),
            Request::SetAcl { path, acl, version } => self.set_acl(path, acl.as_ref(), *version, who),
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    /// Judges a step of a multi and notes what it will change.
    pub(super) fn multi_step<'r>(
        &mut self,
        op: &MultiOp<'r>,
        who: &[Id],
        session: SessionId,
    ) -> Result<Step<'r>, ErrorCode> {
        match op {
            // Within a multi an opcode 21 without a TTL flag is an ordinary create (`Op.create`).
            MultiOp::Create(create) if create.op == OpCode::CreateTtl && !matches!(create.flags, 5 | 6) => {
                self.create(&Create { op: OpCode::Create, ttl: None, ..create.clone() }, who, session)
            }
            MultiOp::Create(create) => self.create(create, who, session),
            MultiOp::Delete { path, version } => self.delete(path, *version, who),
            MultiOp::SetData(set) => self.set_data(set, who),
            MultiOp::Check { path, version } => self.check(path, *version, who),
        }
    }

    fn create<'r>(&mut self, request: &Create<'r>, who: &[Id], session: SessionId) -> Result<Step<'r>, ErrorCode> {
        let mode = self.mode(request, session)?;
        let mut node_path = request.path.clone().ok_or(ErrorCode::MarshallingError)?;
        if !node_path.contains('/') || node_path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let parent_path = path_before_last_slash(&node_path).to_owned();
        let acl = fixed_acl(request.acl.as_ref(), who, self.config)?;
        let mut parent = self.node(&parent_path)?;
        self.allow(&parent.acl, perms::CREATE, who)?;
        if mode.sequential {
            node_path.to_mut().push_str(&format!("{:010}", parent.creates));
        }
        valid(&node_path)?;
        if self.overlay.record(self.tree, &node_path).is_some() {
            return Err(ErrorCode::NodeExists);
        }
        if owner_is_session(parent.owner) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let data_len = request.data.map_or(0, <[u8]>::len);
        self.check_quota(&node_path, data_len as i64, 1)?;
        // A node is more than its data.
        self.check_memory(data_len as i64 + 1)?;
        parent.creates = parent.creates.wrapping_add(1);
        parent.children += 1;
        let parent_cversion = parent.creates;
        let node =
            Record { version: 0, aversion: 0, creates: 0, children: 0, owner: mode.owner, data_len, acl: acl.clone() };
        self.overlay.put(&parent_path, self.zxid, Some(parent));
        self.overlay.put(&node_path, self.zxid, Some(node));
        let create2 = request.op != OpCode::Create || mode.owner == CONTAINER_OWNER;
        Ok(Step::Create { path: node_path, data: request.data, acl, owner: mode.owner, parent_cversion, create2 })
    }

    /// ZooKeeper makes a plain node of a create (opcode 1 or 15) that carries the container's flag, and lets an opcode
    /// 21 without a TTL flag break the tree; here the first makes a container and the second is refused.
    fn mode(&self, request: &Create<'_>, session: SessionId) -> Result<Mode, ErrorCode> {
        let flags = request.flags;
        if !(0..=6).contains(&flags) {
            return Err(ErrorCode::BadArguments);
        }
        let ttl_flag = flags >= 5;
        if ttl_flag && !self.config.extended_types {
            return Err(ErrorCode::Unimplemented);
        }
        let ttl = request.ttl.unwrap_or(-1);
        if ttl_flag && !(1..=TTL_MAX).contains(&ttl) || !ttl_flag && ttl >= 0 {
            return Err(ErrorCode::BadArguments);
        }
        if request.op == OpCode::CreateTtl && !ttl_flag {
            return Err(ErrorCode::BadArguments);
        }
        let owner = match flags {
            _ if request.op == OpCode::CreateContainer => CONTAINER_OWNER,
            1 | 3 => session.0,
            4 => CONTAINER_OWNER,
            5 | 6 => TTL_MARK | ttl,
            _ => 0,
        };
        Ok(Mode { sequential: matches!(flags, 2 | 3 | 6), owner })
    }

    fn delete<'r>(&mut self, node_path: &Cow<'r, str>, version: i32, who: &[Id]) -> Result<Step<'r>, ErrorCode> {
        if !node_path.contains('/') || node_path.contains('\0') || RESERVED.contains(&&**node_path) {
            return Err(ErrorCode::BadArguments);
        }
        let parent = self.node(path_before_last_slash(node_path))?;
        self.allow(&parent.acl, perms::DELETE, who)?;
        let node = self.node(node_path)?;
        next_version(node.version, version)?;
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        self.note_delete(node_path)?;
        Ok(Step::Delete { path: node_path.clone() })
    }

    fn set_data<'r>(&mut self, request: &SetData<'r>, who: &[Id]) -> Result<Step<'r>, ErrorCode> {
        let SetData { path: node_path, data, version: expected } = request;
        valid(node_path)?;
        let mut node = self.node(node_path)?;
        self.allow(&node.acl, perms::WRITE, who)?;
        let data_len = data.map_or(0, <[u8]>::len);
        let bytes_more = data_len as i64 - node.data_len as i64;
        self.check_quota(node_path, bytes_more, 0)?;
        let version = next_version(node.version, *expected)?;
        self.check_memory(bytes_more)?;
        (node.version, node.data_len) = (version, data_len);
        self.overlay.put(node_path, self.zxid, Some(node));
        Ok(Step::SetData { path: node_path.clone(), data: *data, version })
    }

    fn set_acl<'r>(
        &mut self,
        node_path: &Cow<'r, str>,
        acl: Option<&AclList<'r>>,
        expected: i32,
        who: &[Id],
    ) -> Result<Step<'r>, ErrorCode> {
        valid(node_path)?;
        let acl = fixed_acl(acl, who, self.config)?;
        let mut node = self.node(node_path)?;
        self.allow(&node.acl, perms::ADMIN, who)?;
        let aversion = next_version(node.aversion, expected)?;
        (node.aversion, node.acl) = (aversion, acl.clone());
        self.overlay.put(node_path, self.zxid, Some(node));
        Ok(Step::SetAcl { path: node_path.clone(), acl, aversion })
    }

    fn check<'r>(&mut self, node_path: &str, expected: i32, who: &[Id]) -> Result<Step<'r>, ErrorCode> {
        valid(node_path)?;
        let node = self.node(node_path)?;
        self.allow(&node.acl, perms::READ, who)?;
        next_version(node.version, expected)?;
        Ok(Step::Check)
    }
}

fn valid(node_path: &str) -> Result<(), ErrorCode> {
    path::validate(node_path).map_err(|_| ErrorCode::BadArguments)
}

/// The parent as ZooKeeper cuts it: "" is the root; the path has a slash.
fn path_before_last_slash(node_path: &str) -> &str {
    node_path.rsplit_once('/').map_or("", |(before, _)| before)
}

fn fixed_acl(items: Option<&AclList<'_>>, who: &[Id], config: &PrepareConfig) -> Result<AclRef, ErrorCode> {
    let items = items.ok_or(ErrorCode::InvalidAcl)?;
    // By far the commonest list is the open one: no owned copy is made to find that out.
    if items.len() == 1 && items.iter().all(|item| is_open(&item)) {
        return Ok(None);
    }
    let owned = items.iter().map(|item| owned(&item)).collect::<Result<Vec<Acl>, ErrorCode>>()?;
    fixup(&owned, who, config.x509)
}

/// ZooKeeper looks at a null id only where the scheme looks at ids, and stumbles over it.
fn owned(item: &AclItem<'_>) -> Result<Acl, ErrorCode> {
    match (item.scheme.as_deref(), item.id.as_deref()) {
        (Some(scheme), Some(id)) => Ok(Acl::new(item.perms, scheme, id)),
        // kazoo sends an empty string as null; this scheme ignores the id.
        (Some("auth"), None) => Ok(Acl::new(item.perms, "auth", "")),
        (Some("world" | "digest" | "ip"), None) => Err(ErrorCode::MarshallingError),
        _ => Err(ErrorCode::InvalidAcl),
    }
}

fn is_open(item: &AclItem<'_>) -> bool {
    item.perms == perms::ALL && item.scheme.as_deref() == Some("world") && item.id.as_deref() == Some("anyone")
}
