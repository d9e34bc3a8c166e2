//! A frame comes in: who may answer it, and when.

use super::Frontend;
use super::connection::{Operation, Pending, Phase};
use super::limits::grows;
use crate::acl::authenticate;
use crate::error_code::ErrorCode;
use crate::exchange::{Ask, RESTORE, Request};
use crate::ids::{ConnId, Instant, SessionId};
use crate::jute::{self, ConnectRequest, OpCode, ReplyFrame, RequestHeader};
use crate::tree::Tree;
use std::collections::VecDeque;
use std::sync::Arc;

impl Frontend {
    /// The first frame of a connection.
    ///
    /// Source of the order of checks: `ZooKeeperServer.processConnectRequest`.
    pub(super) fn connect_request(&mut self, id: ConnId, frame: &[u8], tree: &Tree) {
        self.measures.connect_requests += 1;
        let Ok(request) = ConnectRequest::decode(frame) else {
            self.close(id);
            return;
        };
        let own = self.peek(id).is_some_and(|conn| conn.own);
        let (now, rate) = (self.now, self.config.limits.connects);
        if !own && !self.connects.take(now, &rate) {
            self.limit_counts.connects_throttled += 1;
            self.close(id);
            return;
        }
        // A client that has seen more than this server must find another one: here its view would go backwards.
        if request.last_zxid_seen > tree.last_zxid().wire() {
            self.close(id);
            return;
        }
        // Who has a session already comes back to it: it may be about to free what it holds.
        if request.session_id == SessionId::NONE.0 && !own && !self.admits_session(tree) {
            self.close(id);
            return;
        }
        let Some(conn) = self.conn(id) else { return };
        conn.phase = Phase::Connecting;
        conn.knows_read_only = request.read_only.is_some();
        self.asks.push(Ask::Connect {
            conn: id,
            session: SessionId(request.session_id),
            passwd: request.passwd.unwrap_or_default().into(),
            timeout_ms: request.timeout_ms,
            read_only: request.read_only == Some(true),
        });
    }

    /// Any later frame, or a deferred one whose turn has come.
    pub(super) fn request(&mut self, id: ConnId, frame: &[u8], since: Instant, tree: &Tree) {
        let Ok((header, body)) = RequestHeader::decode(frame) else {
            self.close(id);
            return;
        };
        let Some(conn) = self.conn(id) else { return };
        let (own, read_only) = (conn.own, conn.read_only);
        if !core::mem::replace(&mut conn.heard, true) {
            self.heard.push(id.slot);
        }
        let Some(op) = OpCode::from_wire(header.op) else {
            match own && header.op == RESTORE {
                true if read_only => self.refuse_to_change(id, header.xid, tree),
                true => self.submit(id, header, frame, Operation::Write(RESTORE), since),
                false => self.refuse_unknown(id, header.xid),
            }
            return;
        };
        self.measures.requests.count(op);
        self.sampler.request(op, body);
        match op {
            OpCode::Auth => self.auth(id, header.xid, body),
            _ if !self.is_authorised(id) => {
                self.ready(id, true, |out| {
                    ReplyFrame::bare(out, header.xid, 0, ErrorCode::SessionClosedRequireSaslAuth);
                });
            }
            OpCode::Notification | OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
                self.refuse_unknown(id, header.xid)
            }
            OpCode::CloseSession if read_only => self.end_read_only(id, header.xid, tree),
            _ if read_only && !is_local_read(op) => self.refuse_to_change(id, header.xid, tree),
            OpCode::Sync => match jute::Request::decode(header.op, body) {
                Ok(jute::Request::Sync { path }) => {
                    self.submit(id, header, frame, Operation::Sync(path.map(|p| (*p).into())), since);
                }
                _ => self.read_or_defer(id, header, op, frame, since, tree),
            },
            // ZooKeeper stumbles over a null token and drops the connection.
            OpCode::Sasl
                if matches!(jute::Request::decode(header.op, body), Ok(jute::Request::Sasl { token: None })) =>
            {
                self.close(id)
            }
            OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::SetData
            | OpCode::Multi
                if self.memory_short && grows(header.op, body, tree) =>
            {
                self.limit_counts.writes_refused_for_memory += 1;
                self.ready(id, false, |out| ReplyFrame::bare(out, header.xid, 0, ErrorCode::ThrottledOp));
            }
            OpCode::CloseSession => self.submit(id, header, frame, Operation::CloseSession, since),
            OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::Reconfig => self.submit(id, header, frame, Operation::Write(header.op), since),
            _ => self.read_or_defer(id, header, op, frame, since, tree),
        }
    }

    fn read_or_defer(
        &mut self,
        id: ConnId,
        header: RequestHeader,
        op: OpCode,
        frame: &[u8],
        since: Instant,
        tree: &Tree,
    ) {
        let Some(conn) = self.conn(id) else { return };
        if conn.pending.is_empty() {
            self.read(id, header.xid, op, &frame[8..], since, tree);
        } else {
            self.defer(id, frame, since);
        }
    }

    /// The frame waits for those before it.
    pub(super) fn defer(&mut self, id: ConnId, frame: &[u8], since: Instant) {
        self.push_pending(id, Pending::Deferred(frame.into(), since));
    }

    fn submit(&mut self, id: ConnId, header: RequestHeader, frame: &[u8], operation: Operation, since: Instant) {
        let must_wait = !self.config.with_replica && self.peek(id).is_some_and(super::connection::Conn::has_deferred);
        if must_wait {
            self.defer(id, frame, since);
            return;
        }
        let body = &frame[8..];
        let Some(conn) = self.conn(id) else { return };
        let (session, attached, auth) = (conn.session, conn.attached, Arc::clone(&conn.auth));
        self.push_pending(id, Pending::Submitted { xid: header.xid, operation, since, bytes: frame.len() });
        let (cxid, op) = (header.xid, header.op);
        self.asks.push_request(Request { conn: id, session, attached, cxid, op, auth, since, body: 0..0 }, body);
    }

    /// Whoever has a session that only this server knows can do nothing with it but read, and end it.
    ///
    /// Source: `ReadOnlyRequestProcessor`.
    fn refuse_to_change(&mut self, id: ConnId, xid: i32, tree: &Tree) {
        self.ready(id, false, |out| ReplyFrame::bare(out, xid, tree.last_zxid().wire(), ErrorCode::NotReadOnly));
    }

    fn end_read_only(&mut self, id: ConnId, xid: i32, tree: &Tree) {
        let Some(conn) = self.peek(id) else { return };
        let session = conn.session;
        self.asks.push(Ask::EndReadOnly { conn: id, session });
        self.ready(id, true, |out| ReplyFrame::bare(out, xid, tree.last_zxid().wire(), ErrorCode::Ok));
    }

    /// Something that no client may ask for: ZooKeeper answers -6 with zxid -1, then closes the connection.
    fn refuse_unknown(&mut self, id: ConnId, xid: i32) {
        self.ready(id, true, |out| ReplyFrame::bare(out, xid, -1, ErrorCode::Unimplemented));
    }

    /// Takes effect for every request read after it, also while earlier ones are still on their way; the reply takes
    /// its turn (kazoo counts on that).
    fn auth(&mut self, id: ConnId, xid: i32, body: &[u8]) {
        let verdict = match jute::Request::decode(OpCode::Auth.wire(), body) {
            Ok(jute::Request::Auth(packet)) => {
                let scheme = packet.scheme.as_deref().unwrap_or_default();
                authenticate(scheme, packet.auth, self.config.super_digest.as_deref())
            }
            _ => return self.close(id),
        };
        match verdict {
            Ok(ids) => {
                if let Some(conn) = self.conn(id) {
                    conn.add_identities(ids);
                }
                self.ready(id, false, |out| ReplyFrame::bare(out, xid, 0, ErrorCode::Ok));
            }
            Err(error) => {
                self.stats.auth_failed += 1;
                self.ready(id, true, |out| ReplyFrame::bare(out, xid, 0, error));
            }
        }
    }

    fn is_authorised(&self, id: ConnId) -> bool {
        let required = &self.config.required_schemes;
        required.is_empty()
            || self.peek(id).is_some_and(|conn| {
                conn.own || conn.auth.iter().any(|who| required.iter().any(|scheme| **scheme == *who.scheme))
            })
    }

    /// A reply that needs nobody's decision: sent now, or when those before it have been.
    fn ready(&mut self, id: ConnId, close: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(conn) = self.conn(id) else { return };
        if conn.pending.is_empty() {
            if let Some(out) = self.out(id) {
                write(out);
            }
            if close {
                self.close(id);
            }
            return;
        }
        let mut reply = Vec::new();
        write(&mut reply);
        self.push_pending(id, Pending::Ready { reply, close });
    }

    /// The head of the queue has been answered: whatever waited only for it goes now.
    pub(super) fn advance(&mut self, id: ConnId, tree: &Tree) {
        loop {
            let Some(conn) = self.conn(id) else { return };
            if conn.phase != Phase::Open || matches!(conn.pending.front(), None | Some(Pending::Submitted { .. })) {
                return;
            }
            let next = conn.pending.pop_front().expect("the queue has a front");
            self.popped_pending(next.bytes());
            match next {
                Pending::Ready { reply, close } => {
                    if let Some(out) = self.out(id) {
                        out.extend_from_slice(&reply);
                    }
                    if close {
                        self.close(id);
                    }
                }
                Pending::Deferred(frame, since) => self.turn_of(id, &frame, since, tree),
                Pending::Submitted { .. } => unreachable!("submitted requests are answered by the replica"),
            }
        }
    }

    /// A deferred frame has become the head. It may be a read, or (where writes wait for reads, or before the session
    /// was established) anything else; those go in at the back, which is right only if nothing waits behind the head.
    fn turn_of(&mut self, id: ConnId, frame: &[u8], since: Instant, tree: &Tree) {
        let Ok((header, body)) = RequestHeader::decode(frame) else {
            self.close(id);
            return;
        };
        match OpCode::from_wire(header.op) {
            Some(op) if is_local_read(op) => self.read(id, header.xid, op, body, since, tree),
            _ => {
                let Some(conn) = self.conn(id) else { return };
                let behind = core::mem::take(&mut conn.pending);
                self.request(id, frame, since, tree);
                self.take_up_again(id, behind, tree);
            }
        }
    }

    /// What waited behind a frame that has been taken up. With the replica at hand a write goes ahead of reads that
    /// wait, but never of another write: so everything that waits is taken up in order before anything new comes in.
    fn take_up_again(&mut self, id: ConnId, behind: VecDeque<Pending>, tree: &Tree) {
        for waiting in behind {
            match waiting {
                Pending::Deferred(frame, since) if self.config.with_replica => {
                    self.popped_pending(frame.len());
                    self.request(id, &frame, since, tree);
                }
                other => {
                    let Some(conn) = self.conn(id) else { return };
                    conn.pending.push_back(other);
                }
            }
        }
    }
}

/// Whether a request is answered from this server's tree or watches, without the replica.
fn is_local_read(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Exists
            | OpCode::GetData
            | OpCode::GetAcl
            | OpCode::GetChildren
            | OpCode::GetChildren2
            | OpCode::Ping
            | OpCode::MultiRead
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::AddWatch
            | OpCode::RemoveWatches
            | OpCode::CheckWatches
            | OpCode::GetEphemerals
            | OpCode::GetAllChildrenNumber
            | OpCode::WhoAmI
            | OpCode::Sasl
    )
}
