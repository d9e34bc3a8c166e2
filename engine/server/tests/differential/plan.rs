//! What a test case is made of: steps on connections, and operations that can be written to the wire in the dialect of
//! either server.
//!
//! Paths are written relative to the case: `/@` is a directory of this case whose nodes everybody may read, `/%` one
//! where read permission may be missing. The same plan can so be replayed on used servers.

use super::support::wire::{Acl, Enc, op};

/// Which release's behaviour a server shows. Requests whose meaning changed after 3.8.0 are sent to the old server in
/// the form that makes it do what the newer one does: see `explained`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// Debian's ZooKeeper 3.8.0.
    Old,
    /// Ringkeeper: ZooKeeper 3.9 and later.
    Current,
}

/// A zxid by its place among the successful writes of the case, so that it means the same on both servers.
#[derive(Clone, Copy, Debug)]
pub enum ZxidRef {
    Zero,
    /// The zxid of the write that many successful writes ago.
    Back(usize),
    Ahead,
}

/// Data that is told in short.
#[derive(Clone)]
pub struct Blob(pub Vec<u8>);

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) if text.len() <= 60 => write!(f, "{text:?}"),
            _ => write!(f, "{} bytes", self.0.len()),
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub enum Op {
    Create {
        op: i32,
        path: Option<String>,
        data: Option<Blob>,
        acl: Option<Vec<Acl>>,
        flags: i32,
        ttl: i64,
    },
    Delete {
        path: Option<String>,
        version: i32,
    },
    Exists {
        path: Option<String>,
        watch: bool,
    },
    GetData {
        path: Option<String>,
        watch: bool,
    },
    SetData {
        path: Option<String>,
        data: Option<Blob>,
        version: i32,
    },
    GetAcl {
        path: Option<String>,
    },
    SetAcl {
        path: Option<String>,
        acl: Option<Vec<Acl>>,
        version: i32,
    },
    GetChildren {
        path: Option<String>,
        watch: bool,
    },
    GetChildren2 {
        path: Option<String>,
        watch: bool,
    },
    Sync {
        path: Option<String>,
    },
    Ping {
        xid: i32,
    },
    Check {
        path: Option<String>,
        version: i32,
    },
    Multi {
        ops: Vec<(i32, Op)>,
        terminated: bool,
    },
    MultiRead {
        ops: Vec<(i32, Op)>,
        terminated: bool,
    },
    Auth {
        xid: i32,
        scheme: Option<String>,
        auth: Option<Vec<u8>>,
        accepted: bool,
    },
    SetWatches {
        since: ZxidRef,
        lists: Vec<Option<Vec<String>>>,
        xid: i32,
    },
    AddWatch {
        path: Option<String>,
        mode: i32,
    },
    RemoveWatches {
        path: Option<String>,
        kind: i32,
    },
    CheckWatches {
        path: Option<String>,
        kind: i32,
    },
    GetEphemerals {
        prefix: Option<String>,
    },
    GetAllChildrenNumber {
        path: Option<String>,
    },
    WhoAmI,
    Reconfig {
        joining: Option<String>,
        leaving: Option<String>,
        members: Option<String>,
        version: i64,
    },
    Sasl {
        token: Option<Vec<u8>>,
    },
    CloseSession,
    /// An opcode that no server knows or that a client must not send.
    Refused {
        op: i32,
        body: Vec<u8>,
    },
    /// Another request with the end of its body missing.
    Truncated {
        of: Box<Op>,
        keep: usize,
    },
    /// Another request with bytes behind its last field.
    Extended {
        of: Box<Op>,
        with: Vec<u8>,
    },
    /// Another request with one byte of its body changed.
    Changed {
        of: Box<Op>,
        at: usize,
        to: u8,
    },
}

/// What a plan's names stand for in one run on one server.
pub struct Names<'a> {
    pub open: &'a str,
    pub secret: &'a str,
    pub dialect: Dialect,
    pub zxid: &'a dyn Fn(ZxidRef) -> i64,
}

impl Names<'_> {
    fn path(&self, path: &str) -> String {
        path.replace('@', self.open).replace('%', self.secret)
    }

    fn opt(&self, path: &Option<String>) -> Option<String> {
        path.as_deref().map(|p| self.path(p))
    }
}

/// The kinds of watch that a path is used with. One path has one class in all cases, because 3.8.0 knows one kind of
/// watch per path and connection (`watch-kinds-per-path`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchClass {
    Standard,
    Persistent,
    Recursive,
}

/// The class of a path: by its bytes, so that it does not depend on the case.
pub fn watch_class(path: &str) -> WatchClass {
    match path.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b))) % 5 {
        0 => WatchClass::Persistent,
        1 if path != "/" => WatchClass::Recursive,
        _ => WatchClass::Standard,
    }
}

/// A path on which no case ever sets a watch.
const UNWATCHED: &str = "/@/nobody-watches";

impl Op {
    /// The number of this request on the wire in that dialect.
    pub fn code(&self, dialect: Dialect) -> i32 {
        match self {
            Op::Create { op, .. } => *op,
            Op::Delete { .. } => op::DELETE,
            Op::Exists { .. } if dialect == Dialect::Old && self.reads_secret() => op::GET_DATA,
            Op::Exists { .. } => op::EXISTS,
            Op::GetData { .. } => op::GET_DATA,
            Op::SetData { .. } => op::SET_DATA,
            Op::GetAcl { .. } => op::GET_ACL,
            Op::SetAcl { .. } => op::SET_ACL,
            Op::GetChildren { .. } => op::GET_CHILDREN,
            Op::GetChildren2 { .. } => op::GET_CHILDREN2,
            Op::Sync { .. } => op::SYNC,
            Op::Ping { .. } => op::PING,
            Op::Check { .. } => op::CHECK,
            Op::Multi { .. } => op::MULTI,
            Op::MultiRead { .. } => op::MULTI_READ,
            Op::Auth { .. } => op::AUTH,
            Op::SetWatches { lists, .. } if lists.len() == 3 => op::SET_WATCHES,
            Op::SetWatches { .. } => op::SET_WATCHES2,
            Op::AddWatch { .. } => op::ADD_WATCH,
            Op::RemoveWatches { .. } => op::REMOVE_WATCHES,
            Op::CheckWatches { .. } => op::CHECK_WATCHES,
            Op::GetEphemerals { .. } => op::GET_EPHEMERALS,
            Op::GetAllChildrenNumber { .. } => op::GET_ALL_CHILDREN_NUMBER,
            Op::WhoAmI => op::WHO_AM_I,
            Op::Reconfig { .. } => op::RECONFIG,
            Op::Sasl { .. } => op::SASL,
            Op::CloseSession => op::CLOSE_SESSION,
            // 3.8.0 executes these for a client; an opcode that it does not know gets what they get now.
            Op::Refused { op: op::CHECK | op::DELETE_CONTAINER | op::CREATE_SESSION, .. }
                if dialect == Dialect::Old =>
            {
                10
            }
            Op::Refused { op, .. } => *op,
            Op::Truncated { of, .. } | Op::Extended { of, .. } | Op::Changed { of, .. } => of.code(dialect),
        }
    }

    /// The request number, where the operation demands a certain one.
    pub fn own_xid(&self) -> Option<i32> {
        match self {
            Op::Ping { xid } | Op::Auth { xid, .. } | Op::SetWatches { xid, .. } => Some(*xid),
            Op::Truncated { of, .. } | Op::Extended { of, .. } | Op::Changed { of, .. } => of.own_xid(),
            _ => None,
        }
    }

    /// Whether the reply may come earlier than those of the requests before it.
    pub fn overtakes(&self) -> bool {
        matches!(self.base(), Op::Auth { .. } | Op::Sasl { .. })
    }

    /// Whether the server is to close the connection after this request.
    pub fn ends_connection(&self) -> bool {
        match self.base() {
            Op::CloseSession | Op::Refused { .. } | Op::Sasl { token: None } => true,
            Op::Auth { accepted, .. } => !accepted || matches!(self, Op::Truncated { .. }),
            _ => false,
        }
    }

    /// Whether a successful reply means that a transaction was written.
    pub fn writes(&self) -> bool {
        matches!(
            self.base(),
            Op::Create { .. }
                | Op::Delete { .. }
                | Op::SetData { .. }
                | Op::SetAcl { .. }
                | Op::Multi { .. }
                | Op::CloseSession
        )
    }

    /// The request without its deformations.
    pub fn base(&self) -> &Op {
        match self {
            Op::Truncated { of, .. } | Op::Extended { of, .. } | Op::Changed { of, .. } => of.base(),
            other => other,
        }
    }

    fn reads_secret(&self) -> bool {
        matches!(self, Op::Exists { path: Some(path), .. } if path.contains('%'))
    }

    /// The body on the wire.
    pub fn body(&self, names: &Names<'_>) -> Vec<u8> {
        match self {
            Op::Truncated { of, keep } => {
                let mut body = of.body(names);
                body.truncate(*keep % body.len().max(1));
                body
            }
            Op::Extended { of, with } => {
                let mut body = of.body(names);
                body.extend_from_slice(with);
                body
            }
            Op::Changed { of, at, to } => {
                let mut body = of.body(names);
                let at = *at % body.len().max(1);
                if let Some(byte) = body.get_mut(at) {
                    *byte = *to;
                }
                body
            }
            whole => whole.whole_body(names).0,
        }
    }

    fn whole_body(&self, names: &Names<'_>) -> Enc {
        let e = Enc::new();
        match self {
            Op::Create { op, path, data, acl, flags, ttl } => {
                let path = names.opt(path);
                let e = e.opt_str(path.as_deref()).buf(data.as_ref().map(|d| &d.0[..])).acl(acl.as_deref()).i32(*flags);
                if *op == op::CREATE_TTL { e.i64(*ttl) } else { e }
            }
            Op::Delete { path, version } | Op::Check { path, version } => {
                e.opt_str(names.opt(path).as_deref()).i32(*version)
            }
            Op::Exists { path, watch }
            | Op::GetData { path, watch }
            | Op::GetChildren { path, watch }
            | Op::GetChildren2 { path, watch } => e.opt_str(names.opt(path).as_deref()).bool(*watch),
            Op::SetData { path, data, version } => {
                e.opt_str(names.opt(path).as_deref()).buf(data.as_ref().map(|d| &d.0[..])).i32(*version)
            }
            Op::GetAcl { path } | Op::Sync { path } | Op::GetAllChildrenNumber { path } => {
                e.opt_str(names.opt(path).as_deref())
            }
            Op::GetEphemerals { prefix } => e.opt_str(names.opt(prefix).as_deref()),
            Op::SetAcl { path, acl, version } => {
                e.opt_str(names.opt(path).as_deref()).acl(acl.as_deref()).i32(*version)
            }
            Op::Ping { .. } | Op::WhoAmI | Op::CloseSession => e,
            Op::Multi { ops, terminated } | Op::MultiRead { ops, terminated } => {
                let e =
                    ops.iter().fold(e, |e, (code, op)| e.i32(*code).bool(false).i32(-1).raw(&op.whole_body(names).0));
                if *terminated { e.i32(-1).bool(true).i32(-1) } else { e }
            }
            Op::Auth { scheme, auth, .. } => e.i32(0).opt_str(scheme.as_deref()).buf(auth.as_deref()),
            Op::SetWatches { since, lists, .. } => lists.iter().fold(e.i64((names.zxid)(*since)), |e, list| {
                let list: Option<Vec<String>> = list.as_ref().map(|l| l.iter().map(|p| names.path(p)).collect());
                e.strs(list.as_deref())
            }),
            Op::AddWatch { path, mode } => e.opt_str(names.opt(path).as_deref()).i32(*mode),
            Op::RemoveWatches { path, kind } | Op::CheckWatches { path, kind } => {
                let (path, kind) = watch_target(path, *kind, names.dialect);
                e.opt_str(names.opt(&path).as_deref()).i32(kind)
            }
            Op::Reconfig { joining, leaving, members, version } => {
                e.opt_str(joining.as_deref()).opt_str(leaving.as_deref()).opt_str(members.as_deref()).i64(*version)
            }
            Op::Sasl { token } => e.buf(token.as_deref()),
            Op::Refused { body, .. } => e.raw(body),
            Op::Truncated { .. } | Op::Extended { .. } | Op::Changed { .. } => e.raw(&self.body(names)),
        }
    }
}

/// How to ask 3.8.0 for what types 1, 2, 4 and 5 mean now (`watch-kinds-removal`).
fn watch_target(path: &Option<String>, kind: i32, dialect: Dialect) -> (Option<String>, i32) {
    let Some(text) = path else { return (path.clone(), kind) };
    if dialect == Dialect::Current || !matches!(kind, 1 | 2 | 4 | 5) {
        return (path.clone(), kind);
    }
    match (watch_class(text), kind) {
        (WatchClass::Standard, 1 | 2) => (path.clone(), kind),
        (WatchClass::Persistent, 4) | (WatchClass::Recursive, 5) => (path.clone(), 3),
        _ => (Some(UNWATCHED.into()), 3),
    }
}

/// Which session a connect request names.
#[derive(Clone, Copy, Debug)]
pub enum SessionRef {
    New,
    Slot(usize),
    Unknown(i64),
}

/// Which password it shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswdRef {
    Right,
    Wrong,
    Zero,
    Null,
    Short,
}

/// A connect exchange.
#[derive(Clone, Debug)]
pub struct Hello {
    pub session: SessionRef,
    pub passwd: PasswdRef,
    pub last_seen: ZxidRef,
    pub timeout_ms: i32,
    pub read_only: Option<bool>,
    /// Only so many bytes of the request, as a frame of their own.
    pub keep: Option<usize>,
}

/// Bytes that are not a request; the server closes the connection.
#[derive(Clone, Copy, Debug)]
pub enum BadFrame {
    /// A length that no frame may have.
    Length(i32),
    /// A frame too short for a request header.
    Short(usize),
}

/// One step of a case. Slots are clients: each has a session at most, and a connection at most.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends the requests in one write. A slot without session opens one first, one without connection attaches again.
    Burst(usize, Vec<Op>),
    /// A connect exchange on a new connection. With a slot's session and password it takes that slot over.
    Hello(Hello),
    /// The client's end of the connection is closed; its session lives on.
    Drop(usize),
    BadFrame(usize, BadFrame),
}
