//! What is committed is applied, in order, and told; refusals leave when everything that they were judged on has been
//! applied.

use super::submitted::{Entry, Verdict, Wish};
use super::{Context, Replica, config};
use crate::exchange::{Answer, Audience, Committed, Origin};
use crate::frame::Frame;
use crate::ids::{SessionId, Tag, Zxid};
use crate::jute::OpCode;
use crate::tree::{OpResult, Restored, Tree};

impl Replica {
    /// Applies everything through the committed watermark.
    ///
    /// # Errors
    /// A transaction contradicts the tree.
    pub(super) fn apply_through(
        &mut self,
        cx: &Context,
        committed: Zxid,
        tree: &mut Tree,
        audience: &mut impl Audience,
    ) -> Result<(), String> {
        while let Some(batch) = self.unapplied.front().cloned() {
            while self.unapplied_at < batch.as_bytes().len() {
                let frame = Frame::trusted(&batch.as_bytes()[self.unapplied_at..]);
                if frame.zxid() > committed {
                    return Ok(());
                }
                self.unapplied_at += frame.as_bytes().len();
                self.release(Some(frame.zxid()), tree, audience);
                self.apply(cx, &frame, tree, audience)?;
            }
            self.unapplied.pop_front();
            self.unapplied_at = 0;
        }
        Ok(())
    }

    fn apply(
        &mut self,
        cx: &Context,
        frame: &Frame<'_>,
        tree: &mut Tree,
        audience: &mut impl Audience,
    ) -> Result<(), String> {
        let tag = frame.tag();
        if tag.server() == self.config.id && tag != Tag::NONE {
            // Before the tree shows the transaction: reads between those and this must not see it.
            self.settle_before(tag, tree, audience);
        }
        let mut applied = core::mem::take(&mut self.applied);
        tree.apply(frame, &mut applied)
            .map_err(|error| format!("transaction {} cannot be applied: {error}", frame.zxid()))?;
        self.applied_since_snapshot = self.applied_since_snapshot.saturating_add(1);
        self.measures.applied += 1;
        self.bytes_since_snapshot += frame.as_bytes().len() as u64;
        if let Some(leadership) = &mut self.leadership {
            leadership.overlay.applied(frame.zxid());
            leadership.barrier.applied(frame.zxid());
            self.measures.proposal_size.record(frame.as_bytes().len());
        }
        let asker = self.submitted.get(tag).map(|entry| (entry.conn, entry.cxid(), wants_session(entry)));
        let origin = match asker {
            Some((conn, cxid, false)) => Some(Origin { conn, cxid }),
            _ => None,
        };
        audience.committed(tree, &Committed { zxid: frame.zxid(), origin, frame: *frame, applied: &applied });
        let conn = asker.map(|(conn, ..)| conn);
        match applied.results.first() {
            Some(OpResult::SessionCreated { timeout_ms }) => {
                self.measures.sessions_opened += 1;
                self.session_is_mine(frame, *timeout_ms, conn, tree, audience);
            }
            Some(OpResult::SessionMoved { timeout_ms }) => {
                self.measures.sessions_moved += 1;
                self.session_is_mine(frame, *timeout_ms, conn, tree, audience);
            }
            Some(OpResult::SessionClosed) => {
                self.measures.sessions_closed += 1;
                self.session_closed(frame.session(), origin, tree, audience);
            }
            Some(OpResult::Restored(restored)) => self.tree_replaced(cx, restored, tree, audience),
            _ => {}
        }
        self.submitted.done(tag);
        self.applied = applied;
        Ok(())
    }

    /// A session was opened or taken up: by a connection of this server, which is told, or elsewhere. The connection
    /// that spoke for it here until now is cut off.
    fn session_is_mine(
        &mut self,
        frame: &Frame<'_>,
        timeout_ms: i32,
        conn: Option<crate::ids::ConnId>,
        tree: &Tree,
        audience: &mut impl Audience,
    ) {
        let (session, tag) = (frame.session(), frame.tag());
        let old = match conn {
            Some(conn) => self.attach(session, conn, tag),
            None => self.attached.remove(&session).map(|attached| attached.conn),
        };
        if let Some(conn) = old {
            audience.answer(tree, tree.last_zxid(), Answer::Close { conn });
        }
        if let (Some(conn), Some(entry)) = (conn, tree.session(session)) {
            let passwd = entry.passwd;
            let connected = Answer::Connected { conn, session, timeout_ms, passwd, attached: tag, read_only: false };
            audience.answer(tree, tree.last_zxid(), connected);
        }
    }

    /// Sessions are others now, and so is everything that was noted about nodes.
    fn tree_replaced(&mut self, cx: &Context, restored: &Restored, tree: &Tree, audience: &mut impl Audience) {
        for session in &restored.ended {
            self.measures.sessions_closed += 1;
            self.session_closed(*session, None, tree, audience);
        }
        if let Some(leadership) = &mut self.leadership {
            for (session, timeout_ms) in &restored.back {
                leadership.sessions.track(cx.now, *session, config::millis(*timeout_ms), Tag::NONE);
            }
            leadership.reap.clear();
        }
        // After a restart nobody should have to do all this again.
        self.applied_since_snapshot = self.config.snap_count;
    }

    /// Whoever speaks for the session here is cut off, unless it asked for the end itself and is answered.
    fn session_closed(
        &mut self,
        session: SessionId,
        origin: Option<Origin>,
        tree: &Tree,
        audience: &mut impl Audience,
    ) {
        if let Some(leadership) = &mut self.leadership {
            leadership.sessions.forget(session);
        }
        if let Some(attached) = self.attached.remove(&session)
            && origin.is_none_or(|origin| origin.conn != attached.conn)
        {
            audience.answer(tree, tree.last_zxid(), Answer::Close { conn: attached.conn });
        }
    }

    /// One of this server's requests has been executed, and is about to be applied. Those of the same connection before
    /// it were decided before it; so a verdict on one of them needs no confirmation any more. If it was lost with a
    /// leader, a sync is fulfilled; of anything else it is known only that it was refused, and not how: its connection has
    /// to go, as if it had failed.
    fn settle_before(&mut self, tag: Tag, tree: &Tree, audience: &mut impl Audience) {
        for earlier in self.submitted.unanswered_before(tag) {
            if self.answer(earlier, tree, audience) {
                continue;
            }
            let Some(entry) = self.submitted.get(earlier) else { continue };
            let (conn, cxid) = (entry.conn, entry.cxid());
            let sync = matches!(entry.wish, Wish::Request { op, .. } if op == OpCode::Sync.wire());
            let answer = if sync { Answer::Synced { conn, cxid } } else { Answer::Close { conn } };
            audience.answer(tree, tree.last_zxid(), answer);
            self.submitted.done(earlier);
        }
    }

    /// Answers all that needs nothing more to be applied, before `next` is.
    pub(super) fn release(&mut self, next: Option<Zxid>, tree: &Tree, audience: &mut impl Audience) {
        while let Some(tag) = self.submitted.next_verdict(tree.last_zxid(), next, self.reign_over) {
            let answered = self.answer(tag, tree, audience);
            assert!(answered, "what may be told is decided");
        }
    }

    /// Tells the verdict on a request. False if there is none.
    fn answer(&mut self, tag: Tag, tree: &Tree, audience: &mut impl Audience) -> bool {
        let Some((conn, cxid)) = self.submitted.get(tag).map(|entry| (entry.conn, entry.cxid())) else { return false };
        let Some(verdict) = self.submitted.take_verdict(tag) else { return false };
        self.measures.refused += u64::from(!matches!(verdict, Verdict::Synced));
        let answer = match verdict {
            Verdict::Refused(error) => Answer::Refused { conn, cxid, error },
            Verdict::Malformed(refusal) => Answer::Malformed { conn, cxid, refusal },
            Verdict::MultiRefused { steps, failed, error } => Answer::MultiRefused { conn, cxid, steps, failed, error },
            Verdict::Synced => Answer::Synced { conn, cxid },
            Verdict::ConnectRefused => Answer::ConnectRefused { conn, read_only: false },
            Verdict::Moved => Answer::Close { conn },
        };
        audience.answer(tree, tree.last_zxid(), answer);
        true
    }
}

/// Whether the answer is a session, and not a reply.
fn wants_session(entry: &Entry) -> bool {
    matches!(entry.wish, Wish::Open { .. } | Wish::TakeUp { .. })
}
