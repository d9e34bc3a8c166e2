//! Requests come in: sessions are opened and found again, writes are judged and proposed. What is refused takes its
//! place in the same queue as what is proposed, so that answers leave in the order in which requests came.

use super::delivery::{Outstanding, What};
use super::{Replica, Role, config};
use crate::error_code::ErrorCode;
use crate::exchange::{Answer, Ask, Audience, Inbox, Request};
use crate::frame::FrameHeader;
use crate::ids::{ConnId, Instant, SessionId, WallMs, Zxid};
use crate::jute::{self, OpCode};
use crate::prepare::{Prepare, Refusal};
use crate::session::{Rejection, password};
use crate::tree::Tree;
use crate::txn::{self, TxnType, v1};

impl Replica {
    /// Takes what waits in the inbox, as long as this server leads an epoch that has a zxid left.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        wall: WallMs,
        tree: &mut Tree,
        inbox: &mut Inbox,
        audience: &mut impl Audience,
    ) {
        while matches!(&self.role, Role::Leading(broadcast) if broadcast.next_zxid().is_some()) {
            let Some((ask, arena)) = inbox.take() else { break };
            match ask {
                Ask::Request(request) => self.request(now, wall, tree, request, &arena[request.body.clone()], audience),
                Ask::Connect { conn, session, passwd, timeout_ms } => {
                    let timeout_ms =
                        (*timeout_ms).clamp(self.config.min_session_timeout_ms, self.config.max_session_timeout_ms);
                    if *session == SessionId::NONE {
                        self.open_session(wall, tree, *conn, timeout_ms, audience);
                    } else {
                        self.reattach(now, tree, *conn, *session, passwd, timeout_ms, audience);
                    }
                }
                Ask::Gone { conn, session } => self.sessions.detach(*session, *conn),
                Ask::Touch { session } => self.sessions.touch(now, *session),
            }
        }
        inbox.recycle();
    }

    fn request(
        &mut self,
        now: Instant,
        wall: WallMs,
        tree: &Tree,
        request: &Request,
        body: &[u8],
        audience: &mut impl Audience,
    ) {
        self.sessions.touch(now, request.session);
        let whole = |error| Err(Refusal::Whole(error));
        let verdict = match self.sessions.check(request.session, request.conn) {
            Err(Rejection::Moved) => {
                audience.answer(tree, tree.last_zxid(), Answer::Close { conn: request.conn });
                return;
            }
            Err(Rejection::Expired) => whole(ErrorCode::SessionExpired),
            Ok(()) if request.op == OpCode::Sync.wire() => {
                self.queue(request, self.proposed(), What::Sync);
                return;
            }
            Ok(()) if !self.log_room => whole(ErrorCode::SystemError),
            Ok(()) if request.op == OpCode::CloseSession.wire() => {
                let closing = self.sessions.begin_close(request.session);
                assert!(closing, "a session that passed the check is not closing");
                self.propose_close(wall, tree, request.session, request.cxid, Some(request.conn));
                return;
            }
            Ok(()) => match jute::Request::decode(request.op, body) {
                Ok(decoded) => self.propose_write(wall, tree, request, &decoded),
                Err(error) => {
                    self.queue(request, self.proposed(), What::Malformed(error.refusal(request.op)));
                    return;
                }
            },
        };
        match verdict {
            Ok(zxid) => self.queue(request, zxid, What::Txn),
            Err(Refusal::Whole(error)) => self.queue(request, self.proposed(), What::Refused(error)),
            Err(Refusal::Step { steps, failed, error }) => {
                self.queue(request, self.proposed(), What::MultiRefused { steps, failed, error });
            }
        }
    }

    fn queue(&mut self, request: &Request, released_by: Zxid, what: What) {
        let (conn, cxid) = (Some(request.conn), request.cxid);
        self.outstanding.push_back(Outstanding { released_by, conn, cxid, what });
    }

    fn propose_write(
        &mut self,
        wall: WallMs,
        tree: &Tree,
        request: &Request,
        decoded: &jute::Request<'_>,
    ) -> Result<Zxid, Refusal> {
        if matches!(decoded, jute::Request::Reconfig { .. }) {
            return Err(ErrorCode::ReconfigDisabled.into());
        }
        let header = self.header(wall, request.session, request.cxid);
        let prepare = Prepare::new(&self.config.prepare, tree, &mut self.overlay, header.zxid);
        prepare.write(decoded, &request.auth, header, &mut self.batch)?;
        self.proposed_next(header.zxid);
        Ok(header.zxid)
    }

    fn open_session(&mut self, wall: WallMs, tree: &Tree, conn: ConnId, timeout_ms: i32, audience: &mut impl Audience) {
        if !self.log_room {
            audience.answer(tree, tree.last_zxid(), Answer::Close { conn });
            return;
        }
        let sessions = &self.sessions;
        let ids = self.session_ids.as_mut().expect("ids are made when the epoch is established");
        let id = ids.next(|id| tree.session(id).is_some() || sessions.knows(id));
        let header = FrameHeader { txn_type: TxnType::CreateSession as i32, ..self.header(wall, id, 0) };
        let txn = v1::CreateSession { timeout_ms, passwd: &password(id) };
        crate::frame::encode(&mut self.batch, &header, |buf| txn::write_create_session(buf, &txn));
        self.proposed_next(header.zxid);
        self.outstanding.push_back(Outstanding {
            released_by: header.zxid,
            conn: Some(conn),
            cxid: 0,
            what: What::OpenSession { id, timeout_ms },
        });
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one Ask")]
    fn reattach(
        &mut self,
        now: Instant,
        tree: &Tree,
        conn: ConnId,
        id: SessionId,
        passwd: &[u8],
        timeout_ms: i32,
        audience: &mut impl Audience,
    ) {
        let known = tree.session(id).is_some_and(|entry| entry.passwd[..] == *passwd);
        let moved = if known {
            self.sessions.reattach(now, id, config::millis(timeout_ms), conn)
        } else {
            Err(Rejection::Expired)
        };
        match moved {
            Err(_) => audience.answer(tree, tree.last_zxid(), Answer::ConnectRefused { conn }),
            Ok(old) => {
                if let Some(old) = old {
                    audience.answer(tree, tree.last_zxid(), Answer::Close { conn: old });
                }
                audience.answer(
                    tree,
                    tree.last_zxid(),
                    Answer::Connected { conn, session: id, timeout_ms, passwd: password(id) },
                );
            }
        }
    }

    /// Proposes the end of a session that is marked as closing. `conn` asked for it; `None`: its time had run out.
    pub(super) fn propose_close(&mut self, wall: WallMs, tree: &Tree, id: SessionId, cxid: i32, conn: Option<ConnId>) {
        let header = self.header(wall, id, cxid);
        Prepare::new(&self.config.prepare, tree, &mut self.overlay, header.zxid).close_session(header, &mut self.batch);
        self.proposed_next(header.zxid);
        self.outstanding.push_back(Outstanding { released_by: header.zxid, conn, cxid, what: What::Txn });
    }

    /// The header of the next proposal; the caller sets the type and calls `proposed_next` once the frame is made.
    pub(super) fn header(&self, wall: WallMs, session: SessionId, cxid: i32) -> FrameHeader {
        let Role::Leading(broadcast) = &self.role else { unreachable!("only a leader proposes") };
        let zxid = broadcast.next_zxid().expect("admission stops when the epoch is exhausted");
        FrameHeader {
            zxid,
            prev_zxid: broadcast.proposed(),
            session,
            wall,
            cxid,
            txn_type: 0,
            tag: crate::ids::Tag::NONE,
        }
    }

    pub(super) fn proposed_next(&mut self, zxid: Zxid) {
        let Role::Leading(broadcast) = &mut self.role else { unreachable!("only a leader proposes") };
        broadcast.proposed_next(zxid);
    }

    pub(super) fn proposed(&self) -> Zxid {
        let Role::Leading(broadcast) = &self.role else { unreachable!("only a leader proposes") };
        broadcast.proposed()
    }
}
