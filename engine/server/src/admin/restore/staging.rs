//! Puts a snapshot into the tree, as the data of nodes below [`TOP`]: so it is in every server's log before the tree is
//! replaced by it. Nobody but the super user can read them, since a snapshot shows what is in protected nodes.

use super::session::{Failed, OwnSession};
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::jute::{AclItem, AclList, Create, OpCode, Request};
use ringkeeper_core::tree::Tree;
use std::borrow::Cow;

/// Where snapshots lie while they are put together.
const TOP: &str = "/zookeeper/restore";
/// Pieces that may be under way: others want the log, too.
const WINDOW: usize = 4;
/// Nodes of a slice of the snapshot.
const SLICE: usize = 1024;

const NOBODY: AclList<'static> =
    AclList::new(&[AclItem { perms: 0, scheme: Some(Cow::Borrowed("world")), id: Some(Cow::Borrowed("anyone")) }]);

/// A snapshot that is being put into the tree.
pub(super) struct Staging<'a> {
    session: &'a mut OwnSession,
    /// The node whose children are the pieces.
    pub(super) path: String,
    pieces: usize,
    unanswered: usize,
}

impl<'a> Staging<'a> {
    /// Removes what another restore has left behind, and begins.
    pub(super) fn begin(session: &'a mut OwnSession) -> Result<Staging<'a>, Failed> {
        for left in session.children(TOP)? {
            remove(session, &format!("{TOP}/{left}"))?;
        }
        let path = format!("{TOP}/{:016x}", session.id);
        let mut staging = Staging { session, path: path.clone(), pieces: 0, unanswered: 0 };
        for path in [TOP, &path] {
            match staging.create(path, &[]).and_then(|()| staging.settle(0)) {
                Err(Failed::Refused { code: Some(ErrorCode::NodeExists), .. }) if path == TOP => {}
                other => other?,
            }
        }
        Ok(staging)
    }

    /// Puts all of a tree in, in pieces of this size.
    pub(super) fn put(&mut self, mut tree: Tree, piece: usize) -> Result<(), Failed> {
        let mut bytes = Vec::new();
        tree.snapshot_begin();
        loop {
            let last = tree.snapshot_slice(SLICE, &mut bytes);
            while bytes.len() >= piece || last && !bytes.is_empty() {
                let rest = bytes.split_off(piece.min(bytes.len()));
                let path = format!("{}/{:010}", self.path, self.pieces);
                self.pieces += 1;
                self.create(&path, &bytes)?;
                self.settle(WINDOW)?;
                bytes = rest;
            }
            if last {
                return self.settle(0);
            }
        }
    }

    /// Replaces the tree by what was put there. The answer is the transaction's zxid, and what the replica says.
    pub(super) fn take_over(&mut self) -> Result<(i64, String), Failed> {
        let reply = self.session.restore(&self.path)?;
        let text = ringkeeper_core::jute::Reader::new(&reply.body).required_string();
        Ok((reply.zxid, text.map(Cow::into_owned).map_err(std::io::Error::other)?))
    }

    /// Removes what was put there.
    pub(super) fn give_up(self) -> Result<(), Failed> {
        remove(self.session, &self.path)
    }

    fn create(&mut self, path: &str, data: &[u8]) -> Result<(), Failed> {
        let (path, acl) = (Some(Cow::Borrowed(path)), Some(NOBODY));
        let create = Create { op: OpCode::Create, path, data: Some(data), acl, flags: 0, ttl: None };
        self.unanswered += 1;
        self.session.ask(&Request::Create(create))
    }

    /// Waits until no more than so many requests are unanswered.
    fn settle(&mut self, most: usize) -> Result<(), Failed> {
        while self.unanswered > most {
            self.unanswered -= 1;
            self.session.reply(|| format!("putting the snapshot into {}", self.path))?;
        }
        Ok(())
    }
}

/// Removes a node and its children, as far as they are there.
fn remove(session: &mut OwnSession, path: &str) -> Result<(), Failed> {
    let children = session.children(path)?.into_iter().map(|name| format!("{path}/{name}"));
    for path in children.chain([path.to_owned()]) {
        session.ask(&Request::Delete { path: Cow::Borrowed(&path), version: -1 })?;
        match session.reply(|| format!("removing {path}")) {
            Err(Failed::Refused { code: Some(ErrorCode::NoNode), .. }) => {}
            other => drop(other?),
        }
    }
    Ok(())
}
