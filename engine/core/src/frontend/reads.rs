//! Requests that are answered from this server's tree and watches.
//!
//! Source of the order of checks: `FinalRequestProcessor.processRequest`.

use super::Frontend;
use super::hot::path_of;
use super::replies::refuse;
use crate::acl::{AclRef, Id, allows, perms};
use crate::error_code::ErrorCode;
use crate::ids::{ConnId, Instant, SessionId};
use crate::jute::{
    AclItem, ClientInfo, List, MultiRead, MultiResult, OpCode, ReplyFrame, ReplyHeader, Request, StrList,
};
use crate::tree::{Node, Tree};
use crate::watch::{WatchKind, WatcherType};
use std::borrow::Cow;

/// Who reads.
struct Reader<'a> {
    conn: ConnId,
    session: SessionId,
    auth: &'a [Id],
}

impl Frontend {
    /// Answers a read at the head of its connection's queue.
    pub(super) fn read(&mut self, id: ConnId, xid: i32, op: OpCode, body: &[u8], since: Instant, tree: &Tree) {
        let Some(conn) = self.conn(id) else { return };
        let (session, auth) = (conn.session, conn.auth.clone());
        let reader = Reader { conn: id, session, auth: &auth };
        let zxid = if op == OpCode::Sasl { 0 } else { tree.last_zxid().wire() };
        let xid = if op == OpCode::Ping { ReplyHeader::PING } else { xid };
        let mut out = self.out(id).map(core::mem::take).unwrap_or_default();
        let mut close = false;
        match Request::decode(op.wire(), body) {
            Ok(Request::SetWatches(watches) | Request::SetWatches2(watches)) => {
                self.set_watches(id, &watches, tree, &mut out);
                ReplyFrame::bare(&mut out, xid, zxid, ErrorCode::Ok);
            }
            Ok(request) => {
                let mut reply = ReplyFrame::begin(&mut out, xid);
                match self.answer_read(&reader, &request, tree, &mut reply) {
                    Ok(()) => reply.finish(zxid, ErrorCode::Ok),
                    Err(error) => {
                        drop(reply);
                        ReplyFrame::bare(&mut out, xid, zxid, error);
                    }
                }
            }
            Err(error) => {
                let refusal = error.refusal(op.wire());
                close = refusal.close;
                refuse(&mut out, xid, zxid, refusal);
            }
        }
        if let Some(conn) = self.conn(id) {
            conn.out = out;
        }
        self.note_answer(id, op.wire(), xid, zxid, since);
        self.note_slow(id, op.wire(), since, None, || path_of(op, body));
        if close {
            self.close(id);
        }
    }

    fn answer_read(
        &mut self,
        reader: &Reader<'_>,
        request: &Request<'_>,
        tree: &Tree,
        reply: &mut ReplyFrame<'_>,
    ) -> Result<(), ErrorCode> {
        if sets_watch(request) && !self.admits_watch(reader.conn) {
            return Err(ErrorCode::ThrottledOp);
        }
        match request {
            Request::Ping => {}
            Request::GetData { path, watch } => {
                let node = self.readable(reader, tree, path)?;
                reply.data(self.shown_data(path, &node), &self.shown_stat(path, &node));
                self.watch_if(*watch, reader, path, WatchKind::Data);
            }
            Request::Exists { path, watch } => {
                let node = self.exists(reader, tree, path, *watch)?;
                reply.stat(&self.shown_stat(path, &node));
            }
            Request::GetChildren { path, watch } => {
                let node = self.readable(reader, tree, path)?;
                reply.strings(node.children());
                self.watch_if(*watch, reader, path, WatchKind::Child);
            }
            Request::GetChildren2 { path, watch } => {
                let node = self.readable(reader, tree, path)?;
                reply.strings(node.children());
                reply.stat(&self.shown_stat(path, &node));
                self.watch_if(*watch, reader, path, WatchKind::Child);
            }
            Request::GetAcl { path } => self.get_acl(reader, tree, path, reply)?,
            Request::MultiRead(reads) => self.multi_read(reader, tree, reads, reply),
            Request::AddWatch { path, mode } => {
                let kind = match mode {
                    0 => WatchKind::Persistent,
                    1 => WatchKind::Recursive,
                    _ => return Err(ErrorCode::MarshallingError),
                };
                self.watches.add(reader.conn.slot, path, kind);
                reply.body(&crate::jute::Response::AddWatch(0));
            }
            Request::RemoveWatches { path, kind } => {
                let which = WatcherType::from_wire(*kind).ok_or(ErrorCode::MarshallingError)?;
                if !self.watches.remove(reader.conn.slot, path, which) {
                    return Err(ErrorCode::NoWatcher);
                }
            }
            Request::CheckWatches { path, kind } => {
                let which = WatcherType::from_wire(*kind).ok_or(ErrorCode::MarshallingError)?;
                if !self.watches.contains(reader.conn.slot, path, which) {
                    return Err(ErrorCode::NoWatcher);
                }
            }
            Request::GetEphemerals { prefix } => {
                // Blanks around it count, but a prefix of nothing else means all, as "/" does.
                let prefix = prefix.as_deref().filter(|p| !matches!(p.trim(), "" | "/")).unwrap_or_default();
                let paths = tree.ephemerals(reader.session);
                reply.strings(paths.iter().map(String::as_str).filter(|path| path.starts_with(prefix)));
            }
            Request::GetAllChildrenNumber { path } => {
                self.readable(reader, tree, path)?;
                let count = tree.descendant_count(path).ok_or(ErrorCode::NoNode)?;
                reply.body(&crate::jute::Response::Count(i32::try_from(count).unwrap_or(i32::MAX)));
            }
            Request::WhoAmI => reply.vector(reader.auth.iter().map(client_info)),
            // Nobody has configured SASL: ZooKeeper answers the token with none, and leaves the client as it is.
            Request::Sasl { .. } => reply.body(&crate::jute::Response::Token(None)),
            _ => return Err(ErrorCode::MarshallingError),
        }
        Ok(())
    }

    fn may(&self, reader: &Reader<'_>, acl: &AclRef, perm: i32) -> bool {
        self.config.skip_acl || allows(acl, perm, reader.auth)
    }

    fn readable<'t>(&self, reader: &Reader<'_>, tree: &'t Tree, path: &str) -> Result<Node<'t>, ErrorCode> {
        let node = tree.get(path).ok_or(ErrorCode::NoNode)?;
        if self.may(reader, node.acl(), perms::READ) { Ok(node) } else { Err(ErrorCode::NoAuth) }
    }

    fn watch_if(&mut self, watch: bool, reader: &Reader<'_>, path: &str, kind: WatchKind) {
        if watch {
            self.watches.add(reader.conn.slot, path, kind);
        }
    }

    fn exists<'t>(
        &mut self,
        reader: &Reader<'_>,
        tree: &'t Tree,
        path: &str,
        watch: bool,
    ) -> Result<Node<'t>, ErrorCode> {
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let node = self.readable(reader, tree, path);
        // A node that is not there can be watched for; one that may not be read cannot.
        if !matches!(node, Err(ErrorCode::NoAuth)) {
            self.watch_if(watch, reader, path, WatchKind::Data);
        }
        node
    }

    fn get_acl(
        &self,
        reader: &Reader<'_>,
        tree: &Tree,
        path: &str,
        reply: &mut ReplyFrame<'_>,
    ) -> Result<(), ErrorCode> {
        let node = tree.get(path).ok_or(ErrorCode::NoNode)?;
        if !self.may(reader, node.acl(), perms::READ | perms::ADMIN) {
            return Err(ErrorCode::NoAuth);
        }
        let Some(acl) = node.acl() else {
            reply.vector(crate::jute::OPEN_ACL.iter());
            reply.stat(&self.shown_stat(path, &node));
            return Ok(());
        };
        let whole = self.may(reader, node.acl(), perms::ADMIN);
        reply.vector(acl.iter().map(|entry| {
            // Only who may change the ACL sees the hashes of passwords.
            let hidden = !whole && &*entry.scheme == "digest" && entry.id.contains(':');
            let id = if hidden {
                Cow::Owned(format!("{}:x", entry.id.split(':').next().unwrap_or_default()))
            } else {
                Cow::Borrowed(&*entry.id)
            };
            AclItem { perms: entry.perms, scheme: Some(Cow::Borrowed(&entry.scheme)), id: Some(id) }
        }));
        reply.stat(&self.shown_stat(path, &node));
        Ok(())
    }

    fn multi_read(
        &self,
        reader: &Reader<'_>,
        tree: &Tree,
        reads: &List<'_, MultiRead<'_>>,
        reply: &mut ReplyFrame<'_>,
    ) {
        for read in reads.iter() {
            let (MultiRead::GetData { path, .. } | MultiRead::GetChildren { path, .. }) = &read;
            match self.readable(reader, tree, path) {
                Err(error) => reply.multi_result(&MultiResult::Error(error.wire())),
                Ok(node) if matches!(read, MultiRead::GetData { .. }) => {
                    let (data, stat) = (self.shown_data(path, &node), self.shown_stat(path, &node));
                    reply.multi_result(&MultiResult::Data { data, stat });
                }
                Ok(node) => {
                    let names: Vec<Cow<'_, str>> = node.children().map(Cow::Borrowed).collect();
                    reply.multi_result(&MultiResult::Children(StrList::new(&names)));
                }
            }
        }
        reply.multi_end();
    }
}

fn sets_watch(request: &Request<'_>) -> bool {
    match request {
        Request::GetData { watch, .. }
        | Request::Exists { watch, .. }
        | Request::GetChildren { watch, .. }
        | Request::GetChildren2 { watch, .. } => *watch,
        Request::AddWatch { .. } => true,
        // Those that a client had before it reconnected it keeps.
        _ => false,
    }
}

/// An identity as `whoAmI` tells it; the digest scheme shows the user alone.
fn client_info(who: &Id) -> ClientInfo<'_> {
    let user = if &*who.scheme == "digest" { who.id.split(':').next().unwrap_or_default() } else { &*who.id };
    ClientInfo { scheme: Cow::Borrowed(&who.scheme), user: Cow::Borrowed(user) }
}
