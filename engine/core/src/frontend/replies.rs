//! The replica's verdicts become replies, in the order of each connection's requests, after the watch events of the
//! same transaction.

use super::Frontend;
use super::connection::{Operation, Pending, Phase};
use crate::defect::Defect;
use crate::error_code::ErrorCode;
use crate::exchange::{Answer, Audience, Committed, Origin};
use crate::ids::{ConnId, Instant, SessionId, Zxid};
use crate::jute::{ConnectResponse, MultiResult, OpCode, Refusal, ReplyFrame, append_connect_response};
use crate::tree::{Applied, OpResult, Tree};
use std::borrow::Cow;

/// A request that the replica has decided.
struct Decided {
    xid: i32,
    operation: Operation,
    since: Instant,
}

impl Audience for Frontend {
    fn committed(&mut self, tree: &Tree, committed: &Committed<'_>) {
        let late = self.config.defects.has(Defect::WatchAfterData);
        if !late {
            self.fire(committed);
        }
        if let Some(Origin { conn, cxid }) = committed.origin {
            let zxid = committed.zxid.wire();
            let applied = committed.applied;
            self.reply(tree, conn, cxid, zxid, Some(committed), |out, decided| {
                write_success(out, decided, zxid, applied);
            });
        }
        if late {
            self.fire(committed);
        }
    }

    fn answer(&mut self, tree: &Tree, zxid: Zxid, answer: Answer) {
        let zxid = zxid.wire();
        match answer {
            Answer::Refused { conn, cxid, error } => {
                self.count_refusal(conn, error);
                self.reply(tree, conn, cxid, zxid, None, |out, decided| {
                    ReplyFrame::bare(out, decided.xid, zxid, error);
                });
            }
            Answer::Malformed { conn, cxid, refusal } => {
                self.reply(tree, conn, cxid, zxid, None, |out, decided| refuse(out, decided.xid, zxid, refusal));
            }
            Answer::MultiRefused { conn, cxid, steps, failed, error } => {
                self.count_refusal(conn, error);
                self.reply(tree, conn, cxid, zxid, None, |out, decided| {
                    let mut reply = ReplyFrame::begin(out, decided.xid);
                    reply.multi_failed(steps as usize, failed as usize, error);
                    reply.finish(zxid, ErrorCode::Ok);
                });
            }
            Answer::Synced { conn, cxid } => self.reply(tree, conn, cxid, zxid, None, |out, decided| {
                let Operation::Sync(path) = &decided.operation else { unreachable!("only a sync is synced") };
                let mut reply = ReplyFrame::begin(out, decided.xid);
                reply.body(&crate::jute::Response::Path(path.as_deref().map(Cow::Borrowed)));
                reply.finish(zxid, ErrorCode::Ok);
            }),
            Answer::Connected { conn, session, timeout_ms, passwd, attached, read_only } => {
                if let Some(conn) = self.conn(conn) {
                    (conn.attached, conn.read_only) = (attached, read_only);
                }
                self.connected(tree, zxid, conn, session, timeout_ms, &passwd);
            }
            Answer::ConnectRefused { conn, read_only } => self.connect_refused(conn, read_only),
            Answer::Close { conn } => self.close(conn),
        }
    }
}

impl Frontend {
    /// Answers the request at the head of the connection's queue, then whatever waited only for it. `committed`: the
    /// transaction that it has become, if it has.
    fn reply(
        &mut self,
        tree: &Tree,
        id: ConnId,
        cxid: i32,
        zxid: i64,
        committed: Option<&Committed<'_>>,
        write: impl FnOnce(&mut Vec<u8>, &Decided),
    ) {
        let Some(conn) = self.conn(id) else { return };
        if conn.phase == Phase::Closing {
            return;
        }
        let Some(Pending::Submitted { xid, operation, since, bytes }) = conn.pending.pop_front() else {
            unreachable!("the replica answers what was submitted, in order")
        };
        assert_eq!(xid, cxid, "a connection's requests are answered in order");
        self.popped_pending(bytes);
        let decided = Decided { xid, operation, since };
        if let Some(out) = self.out(id) {
            write(out, &decided);
        }
        let op = match decided.operation {
            Operation::Write(op) => op,
            Operation::Sync(_) => OpCode::Sync.wire(),
            Operation::CloseSession => OpCode::CloseSession.wire(),
        };
        self.note_answer(id, op, xid, zxid, decided.since);
        self.note_slow(id, op, decided.since, committed.map(|committed| committed.zxid), || {
            if let Operation::Sync(path) = &decided.operation { path.as_deref() } else { first_path(committed?) }
        });
        if decided.operation == Operation::CloseSession {
            self.close(id);
        } else {
            self.follow_up(id, tree);
        }
    }

    /// The leader throttles writes for one reason. Every frontend hears of it, and the one that was asked counts.
    fn count_refusal(&mut self, asked: ConnId, error: ErrorCode) {
        let is_ours = asked.frontend == self.config.index;
        self.limit_counts.writes_refused_for_memory += u64::from(is_ours && error == ErrorCode::ThrottledOp);
    }

    /// What waited only for the request just answered. A replica elsewhere tells of a whole batch while the tree is
    /// already at its end: a read must not be answered from there before the events of the whole batch are sent.
    fn follow_up(&mut self, id: ConnId, tree: &Tree) {
        if self.config.with_replica {
            self.advance(id, tree);
        } else {
            self.unsettled.push(id);
        }
    }

    /// The driver has told of everything that `tree` shows; deferred requests go on. Only needed with a replica
    /// elsewhere.
    pub fn settle(&mut self, tree: &Tree) {
        for id in core::mem::take(&mut self.unsettled) {
            self.advance(id, tree);
        }
    }

    fn connected(
        &mut self,
        tree: &Tree,
        zxid: i64,
        id: ConnId,
        session: SessionId,
        timeout_ms: i32,
        passwd: &[u8; 16],
    ) {
        let since = self.now;
        let Some(conn) = self.conn(id) else { return };
        if conn.phase == Phase::Closing {
            return;
        }
        assert_eq!(conn.phase, Phase::Connecting, "a connection gets one session");
        (conn.phase, conn.session, conn.timeout_ms) = (Phase::Open, session, timeout_ms);
        let read_only = conn.knows_read_only.then_some(conn.read_only);
        if let Some(out) = self.out(id) {
            let session_id = session.0;
            let response = ConnectResponse { protocol_version: 0, timeout_ms, session_id, passwd, read_only };
            append_connect_response(out, &response);
        }
        self.note_answer(id, OpCode::CreateSession.wire(), 0, zxid, since);
        self.follow_up(id, tree);
    }

    fn connect_refused(&mut self, id: ConnId, read_only: bool) {
        let Some(conn) = self.conn(id) else { return };
        let read_only = conn.knows_read_only.then_some(read_only);
        if let Some(out) = self.out(id) {
            append_connect_response(out, &ConnectResponse::expired(read_only));
        }
        self.close(id);
    }
}

/// The path that a transaction has changed, the first one if there are several.
fn first_path<'a>(committed: &Committed<'a>) -> Option<&'a str> {
    let applied = committed.applied;
    applied.changes.first().map(|change| applied.path(&change.path))
}

/// The reply to a request that could not be decoded, if there is one.
pub(super) fn refuse(out: &mut Vec<u8>, xid: i32, zxid: i64, refusal: Refusal) {
    let Some(error) = refusal.error else { return };
    let mut reply = ReplyFrame::begin(out, xid);
    if refusal.multi_end {
        // ZooKeeper had begun the body before it noticed.
        reply.multi_end();
    }
    reply.finish(zxid, error);
}

fn write_success(out: &mut Vec<u8>, decided: &Decided, zxid: i64, applied: &Applied) {
    let mut reply = ReplyFrame::begin(out, decided.xid);
    match &decided.operation {
        Operation::Write(op) if *op == OpCode::Multi.wire() => {
            for result in &applied.results {
                reply.multi_result(&multi_result(result, applied));
            }
            reply.multi_end();
        }
        Operation::Write(op) => match applied.results.first() {
            Some(OpResult::Created { path, stat, .. }) => {
                reply.string(applied.path(path));
                if *op != OpCode::Create.wire() {
                    reply.stat(stat);
                }
            }
            Some(OpResult::SetData(stat) | OpResult::SetAcl(stat)) => reply.stat(stat),
            Some(OpResult::Restored(restored)) => reply.string(&restored.to_string()),
            _ => {}
        },
        Operation::CloseSession | Operation::Sync(_) => {}
    }
    reply.finish(zxid, ErrorCode::Ok);
}

fn multi_result<'a>(result: &OpResult, applied: &'a Applied) -> MultiResult<'a> {
    match result {
        OpResult::Created { path, stat, create2 } => {
            let path = Cow::Borrowed(applied.path(path));
            if *create2 { MultiResult::Created2 { path, stat: *stat } } else { MultiResult::Created { path } }
        }
        OpResult::Deleted => MultiResult::Deleted,
        OpResult::SetData(stat) | OpResult::SetAcl(stat) => MultiResult::SetData(*stat),
        OpResult::Checked => MultiResult::Checked,
        OpResult::SessionCreated { .. }
        | OpResult::SessionMoved { .. }
        | OpResult::SessionClosed
        | OpResult::Restored(_) => unreachable!("only nodes are changed within a multi"),
    }
}
