//! The tree is to be replaced as a whole. That goes by no change that is proposed and not applied, and nothing may be
//! judged by a tree that is about to be another one. So the leader first has everything applied that it has proposed,
//! proposes the replacement, and judges nothing before it is applied. Requests wait meanwhile, in their order.

use super::submitted::{Judged, Verdict};
use super::{Context, Replica};
use crate::defect::Defect;
use crate::error_code::ErrorCode;
use crate::frame::{FrameHeader, encode};
use crate::ids::{ServerId, SessionId, Tag, Zxid};
use crate::tree::{RestoreError, Tree};
use crate::txn::{self, TxnType, v1};

/// Whether requests wait, and for what.
#[derive(Debug)]
pub(super) enum Barrier {
    /// They do not.
    None,
    /// What is proposed is to be applied, so that the tree can be replaced.
    Wanted(Wanted),
    /// The replacement is to be applied.
    Proposed(Zxid),
}

/// The request that the tree be replaced.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) tag: Tag,
    pub(super) session: SessionId,
    pub(super) cxid: i32,
    /// Where the snapshot lies.
    pub(super) path: Box<str>,
}

impl Barrier {
    /// Everything through `zxid` has been applied.
    pub(super) fn applied(&mut self, zxid: Zxid) {
        if matches!(self, Barrier::Proposed(at) if *at <= zxid) {
            *self = Barrier::None;
        }
    }
}

impl Replica {
    /// Proposes the replacement if the tree shows everything that was proposed, or says why it cannot be.
    pub(super) fn pass_barrier(&mut self, cx: &Context, tree: &Tree) {
        let early = self.config.defects.has(Defect::RestoreWithoutBarrier);
        let Some(leadership) = &mut self.leadership else { return };
        // Out of zxids, the epoch is renewed, and the request is submitted again.
        let ready = self.zab.next_zxid().is_some()
            && (early || self.zab.broadcast().is_some_and(|broadcast| broadcast.proposed() == tree.last_zxid()));
        if !ready || !matches!(leadership.barrier, Barrier::Wanted(_)) {
            return;
        }
        let Barrier::Wanted(wanted) = core::mem::replace(&mut leadership.barrier, Barrier::None) else { return };
        match self.propose_restore(cx, tree, &wanted) {
            Ok(zxid) if !early => self.leadership().barrier = Barrier::Proposed(zxid),
            Ok(_) => {}
            Err(error) => {
                let judged = self.judged(Verdict::Refused(error));
                self.tell(wanted.tag, judged);
            }
        }
    }

    fn propose_restore(&mut self, cx: &Context, tree: &Tree, wanted: &Wanted) -> Result<Zxid, ErrorCode> {
        if self.config.prepare.memory_short {
            return Err(ErrorCode::ThrottledOp);
        }
        let header = self.header(cx, wanted.session, wanted.cxid, wanted.tag);
        let digest = tree.restored(&wanted.path, header.zxid).map_err(|error| code_of(&error))?.digest();
        let header = FrameHeader { txn_type: TxnType::Restore as i32, ..header };
        let txn = v1::Restore { path: &wanted.path, digest };
        encode(&mut self.leadership().batch, &header, |buf| txn::write_restore(buf, &txn));
        self.zab.proposed_next(header.zxid);
        Ok(header.zxid)
    }

    fn tell(&mut self, tag: Tag, judged: Judged) {
        if tag.server() == self.config.id {
            self.submitted.decide(tag, judged);
        } else if let Some(leadership) = &mut self.leadership {
            leadership.write_verdict(tag.server(), tag, &judged);
        }
    }

    /// Another server will ask again for what it has not seen proposed: what waits for the barrier must not be executed too.
    pub(super) fn forget_requests(&mut self, peer: ServerId) {
        self.letters.retain(|(from, _)| *from != peer);
        if let Some(leadership) = &mut self.leadership
            && matches!(&leadership.barrier, Barrier::Wanted(wanted) if wanted.tag.server() == peer)
        {
            leadership.barrier = Barrier::None;
        }
    }
}

/// A refusal is a number; what it stands for here.
fn code_of(error: &RestoreError) -> ErrorCode {
    match error {
        RestoreError::Nothing(_) => ErrorCode::NoNode,
        RestoreError::Load(_) | RestoreError::NodeNewer { .. } => ErrorCode::BadArguments,
        RestoreError::Newer { .. } => ErrorCode::BadVersion,
    }
}
