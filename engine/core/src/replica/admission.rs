//! Requests come in: each gets a tag and its place in the queue; then it goes to whoever leads. The leader judges and
//! proposes. What is refused takes its place in the same queue as what is proposed, so that answers leave in the order
//! in which requests came.

use super::applicants::Applicant;
use super::barrier::{Barrier, Wanted};
use super::leadership::Leadership;
use super::letter::{Letter, WishKind, WishLetter};
use super::submitted::{Entry, Judged, Submitted, Verdict, Wish};
use super::{Attached, Context, Replica, config};
use crate::acl::Id;
use crate::defect::Defect;
use crate::error_code::ErrorCode;
use crate::exchange::{Ask, Audience, Inbox, RESTORE};
use crate::frame::FrameHeader;
use crate::ids::{ConnId, ServerId, SessionId, Tag, Zxid};
use crate::jute::{self, OpCode};
use crate::prepare::{Prepare, Refusal};
use crate::session::{Rejection, password};
use crate::tree::Tree;
use crate::txn::{self, TxnType, v1};
use crate::zab::RoleChange;
use std::sync::Arc;

/// Bytes of requests that go into one letter.
const LETTER_BYTES: usize = 1 << 20;

/// A request, as the leader judges it.
pub(super) struct Demand<'a> {
    pub(super) tag: Tag,
    pub(super) session: SessionId,
    pub(super) kind: DemandKind<'a>,
}

pub(super) enum DemandKind<'a> {
    Open { timeout_ms: i32 },
    TakeUp { passwd: &'a [u8], timeout_ms: i32 },
    Request { attached: Tag, cxid: i32, op: i32, auth: &'a [Id], body: &'a [u8] },
}

impl Replica {
    /// Everything in the inbox gets its place in the queue.
    pub(super) fn take_asks(&mut self, cx: &Context, tree: &Tree, inbox: &mut Inbox, audience: &mut impl Audience) {
        while let Some((ask, arena)) = inbox.take() {
            match ask {
                Ask::Request(request) => {
                    self.measures.queue.record_time(cx.now.since(request.since));
                    let body = self.submitted.keep(&arena[request.body.clone()]);
                    let (attached, cxid, op) = (request.attached, request.cxid, request.op);
                    let auth = Arc::clone(&request.auth);
                    let wish = Wish::Request { attached, cxid, op, auth, body };
                    self.submitted.push(request.conn, request.session, wish);
                }
                Ask::Connect { conn, session, passwd, timeout_ms, read_only } => {
                    let range = (self.config.min_session_timeout_ms, self.config.max_session_timeout_ms);
                    let timeout_ms = (*timeout_ms).clamp(range.0, range.1);
                    let (conn, session, read_only) = (*conn, *session, *read_only);
                    self.connect(cx, tree, &Applicant { conn, session, passwd, timeout_ms, read_only }, audience);
                }
                Ask::EndReadOnly { conn, session } => {
                    if let Some(read_only) = &mut self.read_only {
                        read_only.ended_by(*conn, *session);
                    }
                }
                Ask::Gone { conn, session } => {
                    if let Some(read_only) = &mut self.read_only {
                        read_only.gone(*conn, *session);
                    }
                    if self.attached.get(session).is_some_and(|attached| attached.conn == *conn) {
                        self.attached.remove(session);
                    }
                }
                Ask::Touch { session } => self.touch(cx, *session),
            }
        }
        inbox.recycle();
    }

    fn touch(&mut self, cx: &Context, session: SessionId) {
        match &mut self.leadership {
            Some(leadership) => leadership.sessions.touch(cx.now, session),
            None if self.read_only.as_mut().is_some_and(|read_only| read_only.touch(cx.now, session)) => {}
            None => {
                self.touched.insert(session);
            }
        }
    }

    /// The leader judges what its own clients ask, as long as its epoch has a zxid left.
    pub(super) fn judge_own(&mut self, cx: &Context, tree: &Tree) {
        if !self.can_propose() || !self.submitted.has_more() {
            return;
        }
        // The queue lends the requests while they are judged.
        let mut submitted = core::mem::replace(&mut self.submitted, Submitted::new(Tag::NONE));
        while self.can_propose() {
            let Some((tag, entry)) = submitted.hand_over() else { break };
            let session = entry.session;
            let refused = match &entry.wish {
                Wish::Open { timeout_ms } => {
                    let kind = DemandKind::Open { timeout_ms: *timeout_ms };
                    self.judge(cx, tree, &Demand { tag, session, kind })
                }
                Wish::TakeUp { passwd, timeout_ms } => {
                    let kind = DemandKind::TakeUp { passwd, timeout_ms: *timeout_ms };
                    self.judge(cx, tree, &Demand { tag, session, kind })
                }
                Wish::Request { attached, cxid, op, auth, body } => {
                    let (attached, cxid, op, auth, body) = (*attached, *cxid, *op, Arc::clone(auth), body.clone());
                    let kind = DemandKind::Request { attached, cxid, op, auth: &auth, body: submitted.body(&body) };
                    self.judge(cx, tree, &Demand { tag, session, kind })
                }
            };
            if let Some(judged) = refused {
                submitted.decide(tag, judged);
            }
            self.seal_if_large();
        }
        self.submitted = submitted;
    }

    /// The leader judges what the clients of another server ask.
    pub(super) fn judge_letters(&mut self, cx: &Context, tree: &Tree) {
        while self.can_propose() {
            let Some((from, letter)) = self.letters.pop_front() else { break };
            if let Some(rest) = self.judge_letter(cx, tree, from, letter) {
                self.letters.push_front((from, rest));
            }
        }
    }

    /// What is left of the letter if nothing more can be proposed: the epoch ran out (then all of it will be submitted
    /// again), or the tree is to be replaced first.
    fn judge_letter(&mut self, cx: &Context, tree: &Tree, from: ServerId, mut letter: Letter) -> Option<Letter> {
        let identities: Vec<Arc<[Id]>> =
            letter.identities.iter().map(|ids| ids.iter().map(|(scheme, id)| Id::new(scheme, id)).collect()).collect();
        let (mut judged, mut begin) = (0, 0);
        for wish in &letter.wishes {
            if !self.can_propose() {
                letter.wishes.drain(..judged);
                letter.bodies.drain(..begin);
                return Some(letter);
            }
            let len = match wish.kind {
                WishKind::Open { .. } => 0,
                WishKind::TakeUp { passwd: len, .. } | WishKind::Request { body: len, .. } => len as usize,
            };
            let body = letter.bodies[begin..].get(..len)?;
            self.judge_wish(cx, tree, from, wish, body, &identities);
            (judged, begin) = (judged + 1, begin + len);
        }
        None
    }

    fn judge_wish(
        &mut self,
        cx: &Context,
        tree: &Tree,
        from: ServerId,
        wish: &WishLetter,
        body: &[u8],
        identities: &[Arc<[Id]>],
    ) {
        let (tag, session) = (Tag(wish.tag), SessionId(wish.session));
        let kind = match &wish.kind {
            WishKind::Open { timeout_ms } => DemandKind::Open { timeout_ms: *timeout_ms },
            WishKind::TakeUp { timeout_ms, .. } => DemandKind::TakeUp { passwd: body, timeout_ms: *timeout_ms },
            WishKind::Request { attached, cxid, op, identity, .. } => {
                let Some(auth) = identities.get(*identity as usize) else { return };
                DemandKind::Request { attached: Tag(*attached), cxid: *cxid, op: *op, auth, body }
            }
        };
        // A server speaks for its own clients alone.
        if tag.server() != from {
            return;
        }
        let refused = self.judge(cx, tree, &Demand { tag, session, kind });
        if let (Some(judged), Some(leadership)) = (refused, &mut self.leadership) {
            leadership.write_verdict(from, tag, &judged);
        }
        self.seal_if_large();
    }

    /// Proposes what was asked, or says why not.
    fn judge(&mut self, cx: &Context, tree: &Tree, demand: &Demand<'_>) -> Option<Judged> {
        let judged = match &demand.kind {
            DemandKind::Open { timeout_ms } => self.open_session(cx, tree, demand, *timeout_ms),
            DemandKind::TakeUp { passwd, timeout_ms } => self.take_up(cx, tree, demand, passwd, *timeout_ms),
            DemandKind::Request { attached, cxid, op, auth, body } => {
                self.request(cx, tree, demand, *attached, (*cxid, *op), auth, body)
            }
        };
        judged.err().map(|verdict| self.judged(verdict))
    }

    fn open_session(&mut self, cx: &Context, tree: &Tree, demand: &Demand<'_>, timeout_ms: i32) -> Result<(), Verdict> {
        let id = demand.session;
        let header = self.header(cx, id, 0, demand.tag);
        let leadership = self.leadership();
        if !cx.log_room || tree.session(id).is_some() || leadership.sessions.knows(id) {
            return Err(Verdict::Moved);
        }
        // From now on: a server that has written it to its log may know that it is committed, and tell its client, before
        // this one does; and the client may come back to it elsewhere at once.
        leadership.sessions.track(cx.now, id, config::millis(timeout_ms), demand.tag);
        let txn = v1::CreateSession { timeout_ms, passwd: &password(id) };
        let header = FrameHeader { txn_type: TxnType::CreateSession as i32, ..header };
        crate::frame::encode(&mut leadership.batch, &header, |buf| txn::write_create_session(buf, &txn));
        self.zab.proposed_next(header.zxid);
        Ok(())
    }

    /// A client wants its session back. That is a transaction: a request of the former connection which is still on
    /// its way, even by way of another server and another leader, must find itself too late.
    fn take_up(
        &mut self,
        cx: &Context,
        tree: &Tree,
        demand: &Demand<'_>,
        passwd: &[u8],
        timeout_ms: i32,
    ) -> Result<(), Verdict> {
        let (id, owner) = (demand.session, demand.tag);
        // One that is only proposed yet is in no tree.
        let stored = tree.session(id).map_or_else(|| password(id), |entry| entry.passwd);
        let header = self.header(cx, id, 0, owner);
        let leadership = self.leadership();
        if stored[..] != *passwd {
            return Err(Verdict::ConnectRefused);
        }
        if !cx.log_room {
            return Err(Verdict::Moved);
        }
        let timeout = config::millis(timeout_ms);
        leadership.sessions.take_over(cx.now, id, timeout, owner).map_err(|_| Verdict::ConnectRefused)?;
        let txn = v1::MoveSession { timeout_ms, reserved: &[] };
        let header = FrameHeader { txn_type: TxnType::MoveSession as i32, ..header };
        crate::frame::encode(&mut leadership.batch, &header, |buf| txn::write_move_session(buf, &txn));
        self.zab.proposed_next(header.zxid);
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one demand")]
    fn request(
        &mut self,
        cx: &Context,
        tree: &Tree,
        demand: &Demand<'_>,
        attached: Tag,
        (cxid, op): (i32, i32),
        auth: &[Id],
        body: &[u8],
    ) -> Result<(), Verdict> {
        let session = demand.session;
        let fenced = !self.config.defects.has(Defect::MovedWithoutFencing);
        let sessions = &mut self.leadership().sessions;
        sessions.touch(cx.now, session);
        match sessions.check(session, attached) {
            Err(Rejection::Moved) if fenced => return Err(Verdict::Moved),
            Err(Rejection::Expired) => return Err(Verdict::Refused(ErrorCode::SessionExpired)),
            Ok(()) | Err(Rejection::Moved) => {}
        }
        if op == OpCode::Sync.wire() {
            return Err(Verdict::Synced);
        }
        if !cx.log_room {
            return Err(Verdict::Refused(ErrorCode::SystemError));
        }
        if op == RESTORE {
            let path = jute::Reader::new(body).required_string();
            let path = path.map_err(|_| Verdict::Refused(ErrorCode::MarshallingError))?;
            let wanted = Wanted { tag: demand.tag, session, cxid, path: (*path).into() };
            self.leadership().barrier = Barrier::Wanted(wanted);
            return Ok(());
        }
        if op == OpCode::CloseSession.wire() {
            let closing = self.leadership().sessions.begin_close(session);
            assert!(closing, "a session that passed the check is not closing");
            self.propose_close(cx, tree, session, cxid, demand.tag);
            return Ok(());
        }
        let decoded = jute::Request::decode(op, body).map_err(|error| Verdict::Malformed(error.refusal(op)))?;
        self.propose_write(cx, tree, demand, cxid, &decoded, auth).map_err(|refusal| match refusal {
            Refusal::Whole(error) => Verdict::Refused(error),
            Refusal::Step { steps, failed, error } => Verdict::MultiRefused { steps, failed, error },
        })
    }

    fn propose_write(
        &mut self,
        cx: &Context,
        tree: &Tree,
        demand: &Demand<'_>,
        cxid: i32,
        decoded: &jute::Request<'_>,
        auth: &[Id],
    ) -> Result<(), Refusal> {
        if matches!(decoded, jute::Request::Reconfig { .. }) {
            return Err(ErrorCode::ReconfigDisabled.into());
        }
        let header = self.header(cx, demand.session, cxid, demand.tag);
        let prepare_config = self.config.prepare;
        let Leadership { overlay, batch, .. } = self.leadership();
        Prepare::new(&prepare_config, tree, overlay, header.zxid).write(decoded, auth, header, batch)?;
        self.zab.proposed_next(header.zxid);
        Ok(())
    }

    /// Proposes the end of a session that is marked as closing. A tag: a client asked for it; none: its time had run
    /// out.
    pub(super) fn propose_close(&mut self, cx: &Context, tree: &Tree, id: SessionId, cxid: i32, tag: Tag) {
        let header = self.header(cx, id, cxid, tag);
        let prepare_config = self.config.prepare;
        let Leadership { overlay, batch, .. } = self.leadership();
        Prepare::new(&prepare_config, tree, overlay, header.zxid).close_session(header, batch);
        self.zab.proposed_next(header.zxid);
    }

    /// The header of the next proposal; the caller sets the type and tells agreement once the frame is made.
    pub(super) fn header(&self, cx: &Context, session: SessionId, cxid: i32, tag: Tag) -> FrameHeader {
        let broadcast = self.zab.broadcast().expect("only a leader proposes");
        let zxid = broadcast.next_zxid().expect("admission stops when the epoch is exhausted");
        FrameHeader { zxid, prev_zxid: broadcast.proposed(), session, wall: cx.wall, cxid, txn_type: 0, tag }
    }

    pub(super) fn proposed(&self) -> Zxid {
        self.zab.broadcast().expect("only a leader proposes").proposed()
    }

    pub(super) fn can_propose(&self) -> bool {
        let free = |leadership: &Leadership| matches!(leadership.barrier, Barrier::None);
        self.leadership.as_ref().is_some_and(free) && self.zab.next_zxid().is_some()
    }

    /// A follower sends what its clients ask to the leader, in order, and which of them were heard from.
    pub(super) fn forward(&mut self, cx: &Context) {
        let RoleChange::Following { leader, .. } = self.zab.role() else { return };
        loop {
            let mut letter = Letter::default();
            if cx.ticked {
                letter.touched = core::mem::take(&mut self.touched).into_iter().map(|session| session.0).collect();
            }
            self.write_wishes(&mut letter);
            if letter.is_empty() || !self.zab.send_payload(leader, letter.encode()) {
                return;
            }
        }
    }

    fn write_wishes(&mut self, letter: &mut Letter) {
        let mut last_auth: Option<Arc<[Id]>> = None;
        while letter.bodies.len() < LETTER_BYTES {
            let Some((tag, entry)) = self.submitted.hand_over() else { return };
            let Entry { session, wish, .. } = entry;
            let session = *session;
            let kind = match wish {
                Wish::Open { timeout_ms } => WishKind::Open { timeout_ms: *timeout_ms },
                Wish::TakeUp { passwd, timeout_ms } => {
                    letter.bodies.extend_from_slice(passwd);
                    WishKind::TakeUp { passwd: passwd.len() as u32, timeout_ms: *timeout_ms }
                }
                Wish::Request { attached, cxid, op, auth, body } => {
                    if last_auth.as_ref() != Some(auth) {
                        let plain = |id: &Id| (id.scheme.to_string(), id.id.to_string());
                        letter.identities.push(auth.iter().map(plain).collect());
                        last_auth = Some(Arc::clone(auth));
                    }
                    let identity = letter.identities.len() as u32 - 1;
                    let (attached, cxid, op, body) = (attached.0, *cxid, *op, body.clone());
                    let body = self.submitted.body(&body);
                    letter.bodies.extend_from_slice(body);
                    WishKind::Request { attached, cxid, op, identity, body: body.len() as u32 }
                }
            };
            letter.wishes.push(WishLetter { tag: tag.0, session: session.0, kind });
        }
    }

    /// A letter of another replica.
    pub(super) fn letter(&mut self, cx: &Context, from: ServerId, bytes: &[u8]) {
        let Some(letter) = Letter::decode(bytes) else { return };
        if let Some(leadership) = &mut self.leadership {
            for session in &letter.touched {
                leadership.sessions.touch(cx.now, SessionId(*session));
            }
            self.letters.push_back((from, letter));
            return;
        }
        for verdict in &letter.verdicts {
            if let Some(judged) = verdict.judged() {
                self.submitted.decide(Tag(verdict.tag), judged);
            }
        }
        self.submitted.confirm(letter.confirmed);
    }

    /// A connection speaks for a session from now on; whichever did before, here, does not.
    pub(super) fn attach(&mut self, session: SessionId, conn: ConnId, tag: Tag) -> Option<ConnId> {
        self.attached.insert(session, Attached { conn, tag }).map(|old| old.conn).filter(|old| *old != conn)
    }
}
