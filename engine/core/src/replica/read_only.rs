//! A server that has found no leader for a while may serve clients that take it as it is: they read the last state that it
//! knows to be committed, and write nothing. Their sessions are known to this server alone; they end when it has a leader
//! again, for then there is a better way.
//!
//! Source of who is served: `ReadOnlyZooKeeperServer`, `ZooKeeperServer.processConnectRequest`.

use super::applicants::Applicant;
use super::{Context, Replica, config};
use crate::exchange::{Answer, Audience};
use crate::ids::{ConnId, Instant, SessionId, Tag};
use crate::session::{SessionTable, password};
use crate::tree::Tree;
use core::time::Duration;
use std::collections::BTreeMap;

/// What is to become of a client that asks a read-only server for a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Admission {
    /// It must find another server.
    Close,
    /// Its session is over.
    Refuse,
    Open,
    TakeUp,
}

/// The sessions of a server that is read-only.
#[derive(Debug)]
pub(super) struct ReadOnly {
    sessions: SessionTable,
    attached: BTreeMap<SessionId, ConnId>,
}

impl ReadOnly {
    fn new(tick: Duration) -> ReadOnly {
        ReadOnly { sessions: SessionTable::new(tick), attached: BTreeMap::new() }
    }

    /// A session of the ensemble cannot be had here, since nobody could be told. Of one that is unknown to this server
    /// ZooKeeper says that it is over, and so is said here: most are, and a client that believes it comes back at once.
    fn admit(&self, tree: &Tree, who: &Applicant<'_>) -> Admission {
        match who.session {
            _ if !who.read_only => Admission::Close,
            SessionId::NONE => Admission::Open,
            session if tree.session(session).is_some() => Admission::Close,
            session if self.sessions.knows(session) && password(session)[..] == *who.passwd => Admission::TakeUp,
            _ => Admission::Refuse,
        }
    }

    /// The connection speaks for the session from now on; the one that did before.
    fn attach(&mut self, now: Instant, session: SessionId, conn: ConnId, timeout: Duration) -> Option<ConnId> {
        self.sessions.track(now, session, timeout, Tag::NONE);
        self.attached.insert(session, conn).filter(|old| *old != conn)
    }

    /// Whether it is one of these sessions; then it was heard from.
    pub(super) fn touch(&mut self, now: Instant, session: SessionId) -> bool {
        self.sessions.touch(now, session);
        self.sessions.knows(session)
    }

    pub(super) fn gone(&mut self, conn: ConnId, session: SessionId) {
        if self.attached.get(&session) == Some(&conn) {
            self.attached.remove(&session);
        }
    }

    /// The client has ended its session, unless it speaks for it by another connection now.
    pub(super) fn ended_by(&mut self, conn: ConnId, session: SessionId) {
        if self.attached.get(&session) == Some(&conn) {
            self.end(session);
        }
    }

    /// The session is over; who spoke for it.
    fn end(&mut self, session: SessionId) -> Option<ConnId> {
        self.sessions.forget(session);
        self.attached.remove(&session)
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }
}

impl Replica {
    /// From now on this server is read-only. Who waits for a session asks again, and is told what this server is.
    pub(super) fn begin_read_only(&mut self, tree: &Tree, audience: &mut impl Audience) {
        self.read_only = Some(ReadOnly::new(self.config.tick));
        for conn in self.submitted.take_applicants() {
            audience.answer(tree, tree.last_zxid(), Answer::Close { conn });
        }
    }

    /// There is a leader, or the tree is another one: clients find out by asking again.
    pub(super) fn end_read_only(&mut self, tree: &Tree, audience: &mut impl Audience) {
        let Some(read_only) = self.read_only.take() else { return };
        for conn in read_only.attached.into_values() {
            audience.answer(tree, tree.last_zxid(), Answer::Close { conn });
        }
    }

    /// A client asks for a session. False if this server is not read-only.
    pub(super) fn connect_read_only(
        &mut self,
        cx: &Context,
        tree: &Tree,
        who: &Applicant<'_>,
        audience: &mut impl Audience,
    ) -> bool {
        let Some(read_only) = &self.read_only else { return false };
        let admission = read_only.admit(tree, who);
        let conn = who.conn;
        let session = if admission == Admission::Open { self.new_session_id(cx, tree) } else { who.session };
        let mut answer = |answer| audience.answer(tree, tree.last_zxid(), answer);
        match (admission, &mut self.read_only) {
            (Admission::Open | Admission::TakeUp, Some(read_only)) => {
                let timeout_ms = who.timeout_ms;
                if let Some(conn) = read_only.attach(cx.now, session, conn, config::millis(timeout_ms)) {
                    answer(Answer::Close { conn });
                }
                let (passwd, attached) = (password(session), Tag::NONE);
                answer(Answer::Connected { conn, session, timeout_ms, passwd, attached, read_only: true });
            }
            (Admission::Refuse, _) => answer(Answer::ConnectRefused { conn, read_only: true }),
            _ => answer(Answer::Close { conn }),
        }
        true
    }

    /// Ends the sessions that were silent for too long.
    pub(super) fn expire_read_only(&mut self, cx: &Context, tree: &Tree, audience: &mut impl Audience) {
        let Some(read_only) = &mut self.read_only else { return };
        for session in read_only.sessions.expired(cx.now, usize::MAX) {
            if let Some(conn) = read_only.end(session) {
                audience.answer(tree, tree.last_zxid(), Answer::Close { conn });
            }
        }
    }
}
