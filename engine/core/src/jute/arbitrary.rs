//! Records made out of bytes: the same bytes make the same record, and a change of few bytes makes a similar one. For
//! property tests and fuzzing, here and wherever generated requests are needed.

use super::{
    AclItem, AuthPacket, ClientInfo, Create, List, MultiOp, MultiRead, MultiResult, OpCode, Reconfig, Request,
    Response, SetData, SetWatches,
};
use crate::stat::Stat;
use std::borrow::Cow;

/// Pieces of paths and names, nasty ones among them.
const TEXTS: [&str; 16] = [
    "",
    "/",
    "/a",
    "/a/b",
    "/a/b/",
    "/zookeeper/quota",
    "/n\u{e4}me/\u{4e2d}",
    "/\u{1f600}",
    "no-slash",
    "/a//b",
    "/./..",
    "/nul\0",
    "/\u{fffd}",
    "world",
    "digest",
    "user:x",
];

const NUMBERS: [i64; 12] = [0, 1, -1, 2, -2, 5, 31, 1000, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN];

/// Choices, taken from bytes; 0 when they are used up.
#[derive(Clone, Debug)]
pub struct Source<'b> {
    rest: &'b [u8],
}

impl<'b> Source<'b> {
    /// Takes choices from `bytes`.
    #[must_use]
    pub const fn new(bytes: &'b [u8]) -> Source<'b> {
        Source { rest: bytes }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        *first
    }

    /// One of `n` (1 to 256) possibilities.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    fn long(&mut self) -> i64 {
        match self.below(16) {
            i if i < NUMBERS.len() => NUMBERS[i],
            _ => (0..8).fold(0, |n, _| n << 8 | i64::from(self.byte())),
        }
    }

    fn int(&mut self) -> i32 {
        self.long() as i32
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = match self.below(8) {
            7 => 100 + self.below(256),
            short => short * 3,
        };
        (0..len).map(|_| self.byte()).collect()
    }

    fn text(&mut self) -> Cow<'static, str> {
        match self.below(20) {
            i if i < TEXTS.len() => Cow::Borrowed(TEXTS[i]),
            _ => Cow::Owned(String::from_utf8_lossy(&self.bytes()).into_owned()),
        }
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (!self.byte().is_multiple_of(4)).then(|| make(self))
    }

    fn many<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(5)).map(|_| make(self)).collect()
    }

    fn stat(&mut self) -> Stat {
        Stat {
            czxid: self.long(),
            mzxid: self.long(),
            ctime: self.long(),
            mtime: self.long(),
            version: self.int(),
            cversion: self.int(),
            aversion: self.int(),
            ephemeral_owner: self.long(),
            data_length: self.int(),
            num_children: self.int(),
            pzxid: self.long(),
        }
    }
}

/// What requests and responses are put together from; they borrow it.
#[derive(Clone, Debug)]
pub struct Parts {
    choice: usize,
    path: Cow<'static, str>,
    texts: [Option<Cow<'static, str>>; 3],
    data: Option<Vec<u8>>,
    acl: Option<Vec<AclItem<'static>>>,
    lists: [Vec<Cow<'static, str>>; 5],
    infos: Vec<ClientInfo<'static>>,
    int: i32,
    long: i64,
    flag: bool,
    stat: Stat,
    /// The parts of a multi's operations.
    nested: Vec<Parts>,
}

impl Parts {
    /// Takes parts, with those of a few operations of a multi.
    pub fn take(source: &mut Source<'_>) -> Parts {
        let mut parts = Parts::take_flat(source);
        parts.nested = source.many(Parts::take_flat);
        parts
    }

    fn take_flat(source: &mut Source<'_>) -> Parts {
        Parts {
            choice: source.below(256),
            path: source.text(),
            texts: core::array::from_fn(|_| source.maybe(Source::text)),
            data: source.maybe(Source::bytes),
            acl: source.maybe(|s| {
                s.many(|s| AclItem { perms: s.int(), scheme: s.maybe(Source::text), id: s.maybe(Source::text) })
            }),
            lists: core::array::from_fn(|_| source.many(Source::text)),
            infos: source.many(|s| ClientInfo { scheme: s.text(), user: s.text() }),
            int: source.int(),
            long: source.long(),
            flag: source.byte() & 1 == 1,
            stat: source.stat(),
            nested: Vec::new(),
        }
    }

    fn path(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.path)
    }

    fn text(&self, i: usize) -> Option<Cow<'_, str>> {
        self.texts[i].as_deref().map(Cow::Borrowed)
    }

    fn data(&self) -> Option<&[u8]> {
        self.data.as_deref()
    }

    fn create(&self, op: OpCode) -> Create<'_> {
        Create {
            op,
            path: Some(self.path()),
            data: self.data(),
            acl: self.acl.as_deref().map(List::new),
            flags: self.int,
            ttl: (op == OpCode::CreateTtl).then_some(self.long),
        }
    }

    fn set_data(&self) -> SetData<'_> {
        SetData { path: self.path(), data: self.data(), version: self.int }
    }

    fn set_watches(&self, persistent: bool) -> SetWatches<'_> {
        let list = |i: usize| List::new(self.lists[i].as_slice());
        SetWatches {
            relative_zxid: self.long,
            data: list(0),
            exist: list(1),
            child: list(2),
            persistent: if persistent { list(3) } else { List::new(&[]) },
            persistent_recursive: if persistent { list(4) } else { List::new(&[]) },
        }
    }

    fn multi_op(&self) -> MultiOp<'_> {
        match self.choice % 7 {
            0 => MultiOp::Create(self.create(OpCode::Create)),
            1 => MultiOp::Create(self.create(OpCode::Create2)),
            2 => MultiOp::Create(self.create(OpCode::CreateContainer)),
            3 => MultiOp::Create(self.create(OpCode::CreateTtl)),
            4 => MultiOp::Delete { path: self.path(), version: self.int },
            5 => MultiOp::SetData(self.set_data()),
            _ => MultiOp::Check { path: self.path(), version: self.int },
        }
    }

    fn multi_read(&self) -> MultiRead<'_> {
        let (path, watch) = (self.path(), self.flag);
        if self.choice.is_multiple_of(2) {
            MultiRead::GetData { path, watch }
        } else {
            MultiRead::GetChildren { path, watch }
        }
    }

    fn multi_result(&self) -> MultiResult<'_> {
        match self.choice % 8 {
            0 => MultiResult::Created { path: self.path() },
            1 => MultiResult::Created2 { path: self.path(), stat: self.stat },
            2 => MultiResult::Deleted,
            3 => MultiResult::SetData(self.stat),
            4 => MultiResult::Checked,
            5 => MultiResult::Children(List::new(&self.lists[0])),
            6 => MultiResult::Data { data: self.data(), stat: self.stat },
            _ => MultiResult::Error(self.int),
        }
    }

    /// Hands a request of opcode `op` to `f`; `None` if no client may send that opcode.
    pub fn with_request<R>(&self, op: OpCode, f: impl FnOnce(&Request<'_>) -> R) -> Option<R> {
        let ops: Vec<MultiOp<'_>> = self.nested.iter().map(Parts::multi_op).collect();
        let reads: Vec<MultiRead<'_>> = self.nested.iter().map(Parts::multi_read).collect();
        let (path, number, watch) = (self.path(), self.int, self.flag);
        let request = match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Request::Create(self.create(op))
            }
            OpCode::Delete => Request::Delete { path, version: number },
            OpCode::Exists => Request::Exists { path, watch },
            OpCode::GetData => Request::GetData { path, watch },
            OpCode::SetData => Request::SetData(self.set_data()),
            OpCode::GetAcl => Request::GetAcl { path },
            OpCode::SetAcl => Request::SetAcl { path, acl: self.acl.as_deref().map(List::new), version: number },
            OpCode::GetChildren => Request::GetChildren { path, watch },
            OpCode::GetChildren2 => Request::GetChildren2 { path, watch },
            OpCode::Sync => Request::Sync { path: self.text(0) },
            OpCode::Ping => Request::Ping,
            OpCode::Multi => Request::Multi(List::new(&ops)),
            OpCode::MultiRead => Request::MultiRead(List::new(&reads)),
            OpCode::CloseSession => Request::CloseSession,
            OpCode::Auth => Request::Auth(AuthPacket { kind: number, scheme: self.text(0), auth: self.data() }),
            OpCode::SetWatches => Request::SetWatches(self.set_watches(false)),
            OpCode::SetWatches2 => Request::SetWatches2(self.set_watches(true)),
            OpCode::AddWatch => Request::AddWatch { path, mode: number },
            OpCode::RemoveWatches => Request::RemoveWatches { path, kind: number },
            OpCode::CheckWatches => Request::CheckWatches { path, kind: number },
            OpCode::GetEphemerals => Request::GetEphemerals { prefix: self.text(0) },
            OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path },
            OpCode::WhoAmI => Request::WhoAmI,
            OpCode::Reconfig => Request::Reconfig(Reconfig {
                joining: self.text(0),
                leaving: self.text(1),
                new_members: self.text(2),
                config_id: self.long,
            }),
            OpCode::Sasl => Request::Sasl { token: self.data() },
            OpCode::Notification | OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
                return None;
            }
        };
        Some(f(&request))
    }

    /// Hands a response to a request of opcode `op` to `f`; `None` if no client may send that opcode.
    pub fn with_response<R>(&self, op: OpCode, f: impl FnOnce(&Response<'_>) -> R) -> Option<R> {
        let results: Vec<MultiResult<'_>> = self.nested.iter().map(Parts::multi_result).collect();
        let stat = self.stat;
        let response = match op {
            OpCode::Delete
            | OpCode::Ping
            | OpCode::CloseSession
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::RemoveWatches
            | OpCode::CheckWatches => Response::Empty,
            OpCode::Create | OpCode::Sync => Response::Path(self.text(0)),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Response::Created { path: self.path(), stat }
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Response::Stat(stat),
            OpCode::GetData | OpCode::Reconfig => Response::Data { data: self.data(), stat },
            OpCode::GetAcl => Response::Acl { acl: List::new(self.acl.as_deref().unwrap_or(&[])), stat },
            OpCode::GetChildren | OpCode::GetEphemerals => Response::Strings(List::new(&self.lists[0])),
            OpCode::GetChildren2 => Response::Children2 { children: List::new(&self.lists[0]), stat },
            OpCode::Multi | OpCode::MultiRead => Response::Multi(List::new(&results)),
            OpCode::GetAllChildrenNumber => Response::Count(self.int),
            OpCode::AddWatch => Response::AddWatch(self.int),
            OpCode::WhoAmI => Response::WhoAmI(List::new(&self.infos)),
            OpCode::Sasl => Response::Token(self.data()),
            OpCode::Notification | OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
                return None;
            }
        };
        Some(f(&response))
    }
}
