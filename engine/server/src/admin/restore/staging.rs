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

#[cfg(test)]
mod tests {
    use super::*;
    use ringkeeper_core::ids::Zxid;
    use ringkeeper_core::jute::{List, ReplyHeader, RequestHeader, Response, Writer, append_payload};
    use ringkeeper_core::tree::{Builder, NodeState};
    use std::collections::BTreeSet;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    /// What a server has been asked to make, and what it has in the end.
    #[derive(Default)]
    struct Server {
        nodes: BTreeSet<String>,
        /// Path, data and permissions.
        made: Vec<(String, Vec<u8>, Vec<i32>)>,
    }

    impl Server {
        fn serve(mut self, mut stream: UnixStream) -> Server {
            loop {
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut payload = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut payload).unwrap();
                let (header, body) = RequestHeader::decode(&payload).unwrap();
                let request = Request::decode(header.op, body).unwrap();
                if request == Request::CloseSession {
                    return self;
                }
                let (err, names) = self.answer(request);
                let mut reply = Vec::new();
                append_payload(&mut reply, |w: &mut Writer<'_>| {
                    ReplyHeader { xid: header.xid, zxid: 1, err }.encode(w);
                    if let Some(names) = &names {
                        Response::Strings(List::new(names)).encode(w);
                    }
                });
                stream.write_all(&reply).unwrap();
            }
        }

        fn answer(&mut self, request: Request<'_>) -> (i32, Option<Vec<Cow<'static, str>>>) {
            match request {
                Request::GetChildren { path, .. } => {
                    let names = self.nodes.iter().filter_map(|node| node.strip_prefix(&format!("{path}/")));
                    let names = names.filter(|name| !name.contains('/')).map(|name| Cow::Owned(name.to_owned()));
                    (0, Some(names.collect()))
                }
                Request::Create(create) => {
                    let path = create.path.unwrap().into_owned();
                    let perms = create.acl.unwrap().iter().map(|item| item.perms).collect();
                    let is_new = self.nodes.insert(path.clone());
                    self.made.push((path, create.data.unwrap().to_vec(), perms));
                    (if is_new { 0 } else { ErrorCode::NodeExists.wire() }, None)
                }
                Request::Delete { path, .. } => {
                    (if self.nodes.remove(&*path) { 0 } else { ErrorCode::NoNode.wire() }, None)
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn tree() -> Tree {
        let node = |name, data| NodeState {
            name,
            data: Some(data),
            acl: 0,
            czxid: 1,
            mzxid: 1,
            pzxid: 1,
            ctime: 1,
            mtime: 1,
            version: 0,
            create_count: 0,
            aversion: 0,
            owner: 0,
        };
        let mut builder = Builder::default();
        let root = builder.node(0, &node("", &[])).unwrap();
        builder.node(root, &node("secret", &[7; 1000])).unwrap();
        builder.finish(Zxid(1)).unwrap()
    }

    #[test]
    fn a_snapshot_is_put_in_in_pieces_that_nobody_may_read_and_nothing_is_left_of_it() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        // Another restore was cut short.
        let left = [TOP.to_owned(), format!("{TOP}/5"), format!("{TOP}/5/0000000000")];
        let server = Server { nodes: left.into(), made: Vec::new() };
        let server = std::thread::spawn(move || server.serve(theirs));
        let mut session = OwnSession::over(ours, 7);
        let mut staging = Staging::begin(&mut session).unwrap();
        staging.put(tree(), 300).unwrap();
        staging.give_up().unwrap();
        drop(session);
        let server = server.join().unwrap();
        assert_eq!(server.nodes, [TOP.to_owned()].into());

        let (mut tree, mut whole) = (tree(), Vec::new());
        tree.snapshot_begin();
        while !tree.snapshot_slice(SLICE, &mut whole) {}
        let pieces: Vec<_> = server.made.iter().filter(|(path, ..)| path.starts_with(&format!("{TOP}/"))).collect();
        let data: Vec<u8> = pieces.iter().flat_map(|(_, data, _)| data.clone()).collect();
        assert!(data == whole && pieces.iter().all(|(_, data, _)| data.len() <= 300), "{}", pieces.len());
        assert!(server.made.iter().all(|(.., perms)| perms == &[0]), "{:?}", server.made);
    }
}
