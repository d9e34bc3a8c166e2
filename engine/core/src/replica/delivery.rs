//! What is durable on a quorum is applied, in order, and told; refusals leave when everything that they were judged on
//! has been applied.

use super::{Effect, Replica, Role, config};
use crate::error_code::ErrorCode;
use crate::exchange::{Answer, Audience, Committed, Origin};
use crate::frame::Frame;
use crate::ids::{ConnId, Instant, SessionId, Zxid};
use crate::jute::Refusal;
use crate::session::password;
use crate::tree::{OpResult, Tree};

/// A request that has been decided and not yet answered.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    /// Answered when everything through this zxid is applied.
    pub released_by: Zxid,
    /// Who asked; `None`: the server itself.
    pub conn: Option<ConnId>,
    /// The number of the request.
    pub cxid: i32,
    /// How it was decided.
    pub what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// Proposed as the transaction `released_by`.
    Txn,
    /// Proposed as the transaction `released_by`: a new session.
    OpenSession {
        id: SessionId,
        timeout_ms: i32,
    },
    /// Nothing to do but wait.
    Sync,
    Refused(ErrorCode),
    Malformed(Refusal),
    MultiRefused {
        steps: u32,
        failed: u32,
        error: ErrorCode,
    },
}

impl Replica {
    /// This server's disk, one voter among others, has everything through `through`.
    pub(super) fn durable(
        &mut self,
        now: Instant,
        through: Zxid,
        generation: u32,
        tree: &mut Tree,
        audience: &mut impl Audience,
        effects: &mut Vec<Effect>,
    ) {
        if generation != self.log_generation {
            return;
        }
        let id = self.config.id;
        if let Role::Leading(broadcast) = &mut self.role {
            broadcast.acknowledge(id, through);
        }
        self.release(now, tree, audience, effects);
    }

    /// Applies and answers all that the committed watermark allows.
    pub(super) fn release(
        &mut self,
        now: Instant,
        tree: &mut Tree,
        audience: &mut impl Audience,
        effects: &mut Vec<Effect>,
    ) {
        let Role::Leading(broadcast) = &self.role else { return };
        let committed = broadcast.committed();
        while let Some(next) = self.outstanding.pop_front_if(|o| o.released_by <= committed) {
            match next.what {
                What::Txn | What::OpenSession { .. } => {
                    if let Err(reason) = self.apply(now, tree, &next, audience) {
                        self.halt(reason, effects);
                        return;
                    }
                }
                What::Sync => tell(audience, tree, next.conn, |conn| Answer::Synced { conn, cxid: next.cxid }),
                What::Refused(error) => {
                    tell(audience, tree, next.conn, |conn| Answer::Refused { conn, cxid: next.cxid, error });
                }
                What::Malformed(refusal) => {
                    tell(audience, tree, next.conn, |conn| Answer::Malformed { conn, cxid: next.cxid, refusal });
                }
                What::MultiRefused { steps, failed, error } => {
                    let cxid = next.cxid;
                    tell(audience, tree, next.conn, |conn| Answer::MultiRefused { conn, cxid, steps, failed, error });
                }
            }
        }
    }

    fn apply(
        &mut self,
        now: Instant,
        tree: &mut Tree,
        next: &Outstanding,
        audience: &mut impl Audience,
    ) -> Result<(), String> {
        let batch = self.unapplied.front().expect("a committed transaction has been sealed in a batch").clone();
        let frame = Frame::trusted(&batch.as_bytes()[self.unapplied_at..]);
        assert_eq!(frame.zxid(), next.released_by, "transactions are applied in the order in which they were proposed");
        tree.apply(&frame, &mut self.applied)
            .map_err(|error| format!("transaction {} cannot be applied: {error}", frame.zxid()))?;
        self.unapplied_at += frame.as_bytes().len();
        if self.unapplied_at == batch.as_bytes().len() {
            self.unapplied.pop_front();
            self.unapplied_at = 0;
        }
        self.overlay.applied(frame.zxid());
        self.applied_since_snapshot += 1;
        self.bytes_since_snapshot += frame.as_bytes().len() as u64;
        let closed = matches!(self.applied.results.first(), Some(OpResult::SessionClosed));
        let speaker = if closed { self.sessions.forget(frame.session()) } else { None };
        let origin = match next.what {
            What::OpenSession { .. } => None,
            _ => next.conn.map(|conn| Origin { conn, cxid: next.cxid }),
        };
        audience.committed(tree, &Committed { zxid: frame.zxid(), origin, frame, applied: &self.applied });
        if let What::OpenSession { id, timeout_ms } = next.what {
            self.sessions.track(now, id, config::millis(timeout_ms), next.conn);
            tell(audience, tree, next.conn, |conn| Answer::Connected {
                conn,
                session: id,
                timeout_ms,
                passwd: password(id),
            });
        }
        if origin.is_none() {
            // Closed from elsewhere (its time had run out): whoever still speaks for it is cut off.
            tell(audience, tree, speaker, |conn| Answer::Close { conn });
        }
        Ok(())
    }
}

fn tell(audience: &mut impl Audience, tree: &Tree, conn: Option<ConnId>, answer: impl FnOnce(ConnId) -> Answer) {
    if let Some(conn) = conn {
        audience.answer(tree, tree.last_zxid(), answer(conn));
    }
}
