//! From request to transaction: every check that a write must pass, in ZooKeeper's order, against the tree as it will
//! be when everything proposed has been applied. What passes becomes a frame; what fails leaves no trace.
//!
//! Source of the order of checks: ZooKeeper's `PrepRequestProcessor`.

mod overlay;
mod step;

pub use overlay::{Overlay, Record};
use step::Step;

use crate::acl::{AclRef, Id, allows};
use crate::error_code::ErrorCode;
use crate::frame::{FrameBuf, FrameHeader, encode};
use crate::ids::Zxid;
use crate::jute::{List, MultiOp, OpCode, Request};
use crate::tree::Tree;
use crate::txn::{self, TxnType, v1};

/// What the operator decides about the checks.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrepareConfig {
    /// TTL nodes are allowed (`extendedTypesEnabled`).
    pub extended_types: bool,
    /// Hard quotas refuse (`enforceQuota`).
    pub enforce_quota: bool,
    /// No ACL is ever checked (`skipACL`).
    pub skip_acl: bool,
    /// Clients may have certificates: lists may name the subjects of some (`secureClientPort`).
    pub x509: bool,
    /// Memory is short: nothing may grow.
    pub memory_short: bool,
}

/// Why no transaction came of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The request as a whole.
    Whole(ErrorCode),
    /// One step of a multi.
    Step {
        /// Number of steps.
        steps: u32,
        /// Which one, from 0.
        failed: u32,
        /// Why.
        error: ErrorCode,
    },
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Refusal {
        Refusal::Whole(error)
    }
}

/// Judges requests for the leader.
pub struct Prepare<'a> {
    config: &'a PrepareConfig,
    tree: &'a Tree,
    overlay: &'a mut Overlay,
    /// The zxid that the transaction will have.
    zxid: Zxid,
}

impl<'a> Prepare<'a> {
    /// For one request, which becomes `zxid` if it passes.
    pub fn new(config: &'a PrepareConfig, tree: &'a Tree, overlay: &'a mut Overlay, zxid: Zxid) -> Prepare<'a> {
        Prepare { config, tree, overlay, zxid }
    }

    /// Judges a write and appends its frame to `out`. `header` says all but the type.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn write(
        mut self,
        request: &Request<'_>,
        who: &[Id],
        header: FrameHeader,
        out: &mut FrameBuf,
    ) -> Result<(), Refusal> {
        if let Request::Multi(ops) = request {
            return self.multi(ops, who, header, out);
        }
        let step = self.step(request, who, header.session)?;
        step.write(header, out);
        Ok(())
    }

    fn multi(
        &mut self,
        ops: &List<'_, MultiOp<'_>>,
        who: &[Id],
        header: FrameHeader,
        out: &mut FrameBuf,
    ) -> Result<(), Refusal> {
        if ops.iter().any(|op| is_impossible(&op)) {
            return Err(ErrorCode::MarshallingError.into());
        }
        self.overlay.begin();
        let mut steps = Vec::with_capacity(ops.len());
        for (failed, op) in ops.iter().enumerate() {
            match self.multi_step(&op, who, header.session) {
                Ok(step) => steps.push(step),
                // What should have been noticed when it was decoded concerns the whole.
                Err(ErrorCode::MarshallingError) => {
                    self.overlay.roll_back();
                    return Err(ErrorCode::MarshallingError.into());
                }
                Err(error) => {
                    self.overlay.roll_back();
                    return Err(Refusal::Step { steps: ops.len() as u32, failed: failed as u32, error });
                }
            }
        }
        self.overlay.keep();
        let acls: Vec<Vec<v1::AclEntry<'_>>> = steps.iter().map(Step::acl_entries).collect();
        let ops: Vec<v1::Op<'_>> = steps.iter().zip(&acls).map(|(step, acl)| step.op(acl)).collect();
        encode(out, &FrameHeader { txn_type: TxnType::Multi as i32, ..header }, |buf| {
            txn::write_multi(buf, &v1::Multi { ops: &ops });
        });
        Ok(())
    }

    /// The server itself removes a node whose time is over (`deleteContainer` in ZooKeeper): no ACL stands in its way,
    /// but a child that came meanwhile does.
    ///
    /// # Errors
    /// The node is gone, has children or is an ordinary ephemeral.
    pub fn reap(mut self, path: &str, header: FrameHeader, out: &mut FrameBuf) -> Result<(), ErrorCode> {
        let node = self.node(path)?;
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        if step::owner_is_session(node.owner) {
            return Err(ErrorCode::BadVersion);
        }
        self.note_delete(path)?;
        Step::Delete { path: path.into() }.write(header, out);
        Ok(())
    }

    /// The end of a session: what it leaves behind is deleted with it. Cannot be refused.
    pub fn close_session(self, header: FrameHeader, out: &mut FrameBuf) {
        let mut gone: std::collections::BTreeSet<std::sync::Arc<str>> =
            self.tree.ephemerals(header.session).into_iter().map(Into::into).collect();
        for (path, there) in self.overlay.ephemerals(header.session.0) {
            if there {
                gone.insert(std::sync::Arc::clone(path));
            } else {
                gone.remove(path);
            }
        }
        let mut this = self;
        for path in gone {
            this.note_delete(&path).expect("an ephemeral node has a parent");
        }
        encode(out, &FrameHeader { txn_type: TxnType::CloseSession as i32, ..header }, |_| {});
    }

    fn node(&self, path: &str) -> Result<Record, ErrorCode> {
        self.overlay.record(self.tree, path).ok_or(ErrorCode::NoNode)
    }

    fn allow(&self, acl: &AclRef, perm: i32, who: &[Id]) -> Result<(), ErrorCode> {
        if self.config.skip_acl || allows(acl, perm, who) { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }

    /// Notes the deletion of a node whose existence has been checked.
    fn note_delete(&mut self, path: &str) -> Result<(), ErrorCode> {
        let parent_path = crate::tree::path::parent(path);
        let mut parent = self.node(parent_path)?;
        assert!(parent.children > 0, "the parent of {path} has a child");
        parent.children -= 1;
        self.overlay.put(parent_path, self.zxid, Some(parent));
        self.overlay.put(path, self.zxid, None);
        Ok(())
    }

    /// Whether the tree may grow by so many bytes of data at this moment.
    fn check_memory(&self, bytes_more: i64) -> Result<(), ErrorCode> {
        if self.config.memory_short && bytes_more > 0 { Err(ErrorCode::ThrottledOp) } else { Ok(()) }
    }

    fn check_quota(&self, path: &str, bytes_more: i64, nodes_more: i64) -> Result<(), ErrorCode> {
        if !self.config.enforce_quota {
            return Ok(());
        }
        let Some(quota) = self.tree.quota_for(path) else { return Ok(()) };
        let over = |limit: i64, total: i64| limit >= 0 && total > limit;
        if nodes_more > 0 && over(quota.count_hard, quota.count + nodes_more) {
            return Err(ErrorCode::QuotaExceeded);
        }
        if bytes_more != 0 && over(quota.bytes_hard, quota.bytes + bytes_more) {
            return Err(ErrorCode::QuotaExceeded);
        }
        Ok(())
    }
}

/// Within a multi, ZooKeeper cannot even read a create whose flags it does not know, or that should have a time to live
/// and has no field for one (`MultiOperationRecord`).
fn is_impossible(op: &MultiOp<'_>) -> bool {
    matches!(op, MultiOp::Create(create) if create.op != OpCode::CreateTtl && !(0..=4).contains(&create.flags))
}

/// The version after `current`, if the client's expectation holds. -1 expects anything; no version is ever -1
/// (ZOOKEEPER-4743), because nobody could expect it.
fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        return Err(ErrorCode::BadVersion);
    }
    Ok(match current.wrapping_add(1) {
        -1 => 0,
        next => next,
    })
}
