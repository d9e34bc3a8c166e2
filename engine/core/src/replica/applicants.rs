//! Clients that ask for a session: a new one, or the one that they have.

use super::submitted::Wish;
use super::{Context, Replica};
use crate::exchange::Audience;
use crate::ids::{ConnId, SessionId};
use crate::session::SessionIds;
use crate::tree::Tree;

/// A client asks for a session.
pub(super) struct Applicant<'a> {
    pub(super) conn: ConnId,
    /// The one that it has, if any.
    pub(super) session: SessionId,
    pub(super) passwd: &'a [u8],
    pub(super) timeout_ms: i32,
    /// A server that takes no writes would do.
    pub(super) read_only: bool,
}

impl Replica {
    /// It gets its session at once if this server is read-only, and otherwise in the order of all that is asked for.
    pub(super) fn connect(&mut self, cx: &Context, tree: &Tree, who: &Applicant<'_>, audience: &mut impl Audience) {
        if self.connect_read_only(cx, tree, who, audience) {
            return;
        }
        let (conn, timeout_ms) = (who.conn, who.timeout_ms);
        if who.session != SessionId::NONE {
            self.submitted.push(conn, who.session, Wish::TakeUp { passwd: who.passwd.into(), timeout_ms });
            return;
        }
        let id = self.new_session_id(cx, tree);
        self.submitted.push(conn, id, Wish::Open { timeout_ms });
    }

    /// An id that no session has had.
    pub(super) fn new_session_id(&mut self, cx: &Context, tree: &Tree) -> SessionId {
        let server = self.config.id;
        let ids = self.session_ids.get_or_insert_with(|| SessionIds::new(server, cx.wall));
        ids.next(|id| tree.session(id).is_some())
    }
}
