//! Makes cases from a seed. What is generated stays clear of what is not determined in ZooKeeper itself:
//!
//! - Steps follow each other: clients act in turns, since the interleaving of connections is nobody's to foretell.
//! - A request after which the server closes the connection ends its burst. A refused one is alone in it: its reply may
//!   overtake others, and whether later requests were still executed is a race.
//! - `auth` comes first in its burst: it takes effect when it is read, and earlier requests that are still on their way
//!   may or may not see it.
//! - `setACL` ends its burst: ZooKeeper judges a request behind it by the old or the new ACL, as it happens.
//! - Limits and statistics of quotas are judged by what is committed; cases with quotas send one request at a time.

use super::plan::{BadFrame, Blob, Hello, Op, PasswdRef, SessionRef, Step, WatchClass, ZxidRef, watch_class};
use super::run::SLOTS;
use super::support::rng::Rng;
use super::support::wire::{Acl, op, open_acl};

/// Makes one case.
pub struct Generator {
    rng: Rng,
    quotas: bool,
    /// Only one client, which never leaves without a word: its watches are the only ones.
    solo: bool,
    tag: u32,
    in_multi: bool,
    /// Paths on which watches have been asked for.
    watched: Vec<String>,
}

/// Steps of a case.
const STEPS: u64 = 28;

const NAMES: [&str; 3] = ["a", "b", "c"];

const ODD_PATHS: [&str; 27] = [
    "",
    "/",
    "//",
    "/@/",
    "/@//a",
    "/@/./a",
    "/@/../a",
    "/@/.../a",
    "/@/a/.",
    "/@/a/..",
    "/@/a/",
    "a",
    "@/a",
    "/@/a\u{0}b",
    "/@/a\u{1}b",
    "/@/\u{7f}",
    "/@/\u{9f}",
    "/@/\u{a0}",
    "/@/\u{e000}",
    "/@/\u{f8ff}",
    "/@/\u{f900}",
    "/@/\u{ffef}",
    "/@/\u{fff0}",
    "/@/\u{1f600}",
    "/zookeeper/nothing",
    "/zookeeper/quota/nothing",
    "/@/grüße",
];

const RESERVED: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

impl Generator {
    /// The steps of the case with this seed.
    pub fn case(seed: u64) -> Vec<Step> {
        let mut rng = Rng::new(seed);
        let quotas = rng.percent(12);
        let solo = rng.percent(30);
        let mut g = Generator { rng, quotas, solo, tag: 0, in_multi: false, watched: Vec::new() };
        let mut steps = Vec::new();
        if g.rng.percent(85) {
            steps.push(g.prelude());
        }
        for _ in 0..if quotas { 4 * STEPS } else { STEPS } {
            g.step(&mut steps);
        }
        steps
    }

    /// Some nodes to start with, so that not everything fails for want of a parent.
    fn prelude(&mut self) -> Step {
        let node = |path: &str, acl: Option<Vec<Acl>>, data: Blob| Op::Create {
            op: op::CREATE,
            path: Some(path.into()),
            data: Some(data),
            acl,
            flags: 0,
            ttl: 0,
        };
        let mut ops = vec![];
        for path in ["/@/a", "/@/b", "/@/a/b", "/@/b/c", "/%/a", "/%/b", "/%/a/a"] {
            if self.rng.percent(70) {
                let acl = if self.rng.percent(50) { Some(open_acl()) } else { self.acl(path.contains('%')) };
                ops.push(node(path, acl, Blob(b"prelude".to_vec())));
            }
        }
        if self.quotas {
            for path in ["/zookeeper/quota/@", "/zookeeper/quota/@/a"] {
                ops.push(node(path, Some(open_acl()), Blob(Vec::new())));
                let limits = self.quota_text();
                ops.push(node(&format!("{path}/zookeeper_limits"), Some(open_acl()), limits));
                let stats = Blob(b"count=0,bytes=0".to_vec());
                ops.push(node(&format!("{path}/zookeeper_stats"), Some(open_acl()), stats));
                if self.rng.percent(60) {
                    break;
                }
            }
        }
        Step::Burst(0, ops)
    }

    fn slot(&mut self) -> usize {
        // The first client acts most: it meets its own watches and versions.
        if self.solo || self.rng.percent(40) { 0 } else { self.rng.below(SLOTS as u64) as usize }
    }

    fn step(&mut self, steps: &mut Vec<Step>) {
        let slot = self.slot();
        match self.rng.below(100) {
            0..=2 if !self.solo => steps.push(Step::Drop(slot)),
            3..=7 => self.hello(slot, steps),
            8 => {
                let kind = match self.rng.below(5) {
                    0 => BadFrame::Length(-1),
                    1 => BadFrame::Length(1_048_576),
                    2 => BadFrame::Length(i32::MAX),
                    3 => BadFrame::Length(i32::MIN),
                    _ => BadFrame::Short(self.rng.below(8) as usize),
                };
                steps.push(Step::BadFrame(slot, kind));
            }
            9..=10 => {
                let refused = if self.rng.percent(10) { Op::Sasl { token: None } } else { self.refused() };
                steps.push(Step::Burst(slot, vec![refused]));
            }
            11 => {
                let auth = self.bad_auth();
                steps.push(Step::Burst(slot, vec![auth]));
            }
            _ => self.burst(slot, steps),
        }
    }

    fn burst(&mut self, slot: usize, steps: &mut Vec<Step>) {
        let len = match self.rng.below(10) {
            _ if self.quotas => 1,
            0..=1 => 1,
            2..=7 => self.rng.range(2..12),
            _ => self.rng.range(12..40),
        };
        let mut ops: Vec<Op> = if self.rng.percent(12) { vec![self.good_auth()] } else { Vec::new() };
        for _ in 0..len {
            ops.push(self.op());
            if matches!(ops.last().map(Op::base), Some(Op::SetAcl { .. })) {
                break;
            }
        }
        if self.rng.percent(4) {
            ops.push(Op::CloseSession);
        }
        steps.push(Step::Burst(slot, ops));
    }

    fn hello(&mut self, slot: usize, steps: &mut Vec<Step>) {
        let mut hello = Hello {
            session: SessionRef::Slot(slot),
            passwd: PasswdRef::Right,
            last_seen: *self.rng.pick(&[ZxidRef::Zero, ZxidRef::Back(0), ZxidRef::Back(3)]),
            timeout_ms: *self.rng.pick(&[100_000, 200_000, 200_000, 1_000_000_000]),
            read_only: *self.rng.pick(&[Some(false), Some(true), None]),
            keep: None,
        };
        match self.rng.below(10) {
            0..=4 => {}
            5 => hello.passwd = *self.rng.pick(&[PasswdRef::Wrong, PasswdRef::Zero, PasswdRef::Short, PasswdRef::Null]),
            6 => hello.session = SessionRef::Unknown(self.rng.next() as i64 | 1),
            7 => {
                hello.session = SessionRef::New;
                hello.passwd = *self.rng.pick(&[PasswdRef::Zero, PasswdRef::Null, PasswdRef::Short]);
                hello.timeout_ms = *self.rng.pick(&[i32::MIN, -1, 0, 1, 20_000, 123_456, i32::MAX]);
            }
            8 => hello.last_seen = ZxidRef::Ahead,
            _ => hello.keep = Some(self.rng.below(44) as usize),
        }
        steps.push(Step::Hello(hello));
    }

    // ----- pieces

    fn node(&mut self) -> String {
        let root = if self.rng.percent(25) { "/%" } else { "/@" };
        self.node_under(root)
    }

    fn node_under(&mut self, root: &str) -> String {
        let depth = *self.rng.pick(&[1, 1, 1, 1, 2, 2, 2, 3]);
        let mut path = root.to_owned();
        for _ in 0..depth {
            path.push('/');
            path.push_str(self.rng.word(&NAMES));
        }
        if self.rng.percent(6) {
            path += &format!("{:010}", self.rng.below(6));
        }
        path
    }

    fn path(&mut self) -> Option<String> {
        match self.rng.below(100) {
            0..=1 => None,
            2..=6 => Some(self.rng.word(&ODD_PATHS).to_owned()),
            7..=9 => Some(self.rng.word(&RESERVED).to_owned()),
            10..=12 => Some("/@".into()),
            13..=22 if self.quotas => Some(self.quota_node()),
            _ => Some(self.node()),
        }
    }

    fn quota_node(&mut self) -> String {
        let top = self.rng.pick(&["@", "@/a"]);
        let leaf = self.rng.pick(&["", "/zookeeper_limits", "/zookeeper_limits", "/zookeeper_stats"]);
        format!("/zookeeper/quota/{top}{leaf}")
    }

    /// A path of the directory that all may read, of a class.
    fn watched(&mut self, class: WatchClass) -> String {
        loop {
            let path = match self.rng.below(20) {
                0 => "/@".to_owned(),
                1 => self.rng.word(&RESERVED).to_owned(),
                _ => self.node_under("/@"),
            };
            if watch_class(&path) == class {
                self.watched.push(path.clone());
                return path;
            }
        }
    }

    fn data(&mut self) -> Option<Blob> {
        self.tag += 1;
        let bytes = match self.rng.below(100) {
            0..=4 => None,
            5..=9 => Some(Vec::new()),
            10..=80 => Some(format!("value {}", self.tag).into_bytes()),
            81..=96 => {
                let len = self.rng.below(300) as usize;
                Some(self.rng.bytes(len))
            }
            97..=98 => Some(vec![b'x'; self.rng.below(60_000) as usize]),
            _ if self.rng.percent(10) && !self.in_multi => Some(vec![b'y'; 1_048_000]),
            _ => Some(b"0".to_vec()),
        };
        bytes.map(Blob)
    }

    /// Data for a node; limits and statistics of quotas stay well-formed, since 3.8.0 stops at others.
    fn data_for(&mut self, path: &Option<String>) -> Option<Blob> {
        match path.as_deref() {
            Some(p) if p.contains("zookeeper_limits") => Some(self.quota_text()),
            Some(p) if p.contains("zookeeper_stats") => {
                let (count, bytes) = (self.rng.below(50), self.rng.below(5_000));
                Some(Blob(format!("count={count},bytes={bytes}").into_bytes()))
            }
            _ => self.data(),
        }
    }

    fn quota_text(&mut self) -> Blob {
        let count = |g: &mut Generator| *g.rng.pick(&[-1i64, 2, 4, 6, 9, 40]);
        let bytes = |g: &mut Generator| *g.rng.pick(&[-1i64, 0, 20, 60, 200, 5_000]);
        let mut text = format!("count={},bytes={}", count(self), bytes(self));
        match self.rng.below(5) {
            0 => {}
            1 => text += &format!("=;byteHardLimit={}", bytes(self)),
            2 => text += &format!("=;countHardLimit={}", count(self)),
            _ => text += &format!("=;byteHardLimit={};countHardLimit={}", bytes(self), count(self)),
        }
        Blob(text.into_bytes())
    }

    fn version(&mut self) -> i32 {
        match self.rng.below(20) {
            0..=9 => -1,
            10 => -2,
            11 => i32::MAX,
            12 => i32::MIN,
            n => (n as i32 - 13) / 2,
        }
    }

    /// An ACL under which everybody may read, or one that is refused.
    fn acl(&mut self, secret: bool) -> Option<Vec<Acl>> {
        let digest = |user: &str| match user {
            "u1" => Acl::new(31, "digest", "u1:fpT/y03U+EjItKZOSLGvjnJlyng="),
            _ => Acl::new(23, "digest", "u2:o9NxcCGDPOlcV7JVhmKHOf5ctVE="),
        };
        let readers = Acl::new(1, "world", "anyone");
        let perms = self.rng.below(32) as i32;
        let mut acl = match self.rng.below(if secret { 22 } else { 40 }) {
            0 => return if self.rng.percent(50) { None } else { Some(Vec::new()) },
            1 => vec![Acl::new(31, "world", self.rng.word(&["other", "", "Anyone"]))],
            2 => vec![Acl::new(31, self.rng.word(&["nothing", "", "sasl", "super", "x509"]), "x")],
            3 => vec![Acl::new(31, "digest", self.rng.word(&["u1", "a:b:c", "", ":", "a:", ":b"]))],
            4 => {
                let ids = ["1.2.3", "1.2.3.4.5", "1.2.3.256", "10.0.0.0/33", "10.0.0.0/-1", "x", "", "/8"];
                vec![Acl::new(31, "ip", self.rng.word(&ids))]
            }
            5 => vec![Acl { perms: 31, scheme: None, id: Some("anyone".into()) }],
            6 => {
                let scheme = self.rng.word(&["world", "digest", "ip", "auth", "auth", "sasl", "nothing"]);
                vec![Acl { perms: 31, scheme: Some(scheme.into()), id: None }]
            }
            7..=9 => vec![digest("u1")],
            10 => vec![digest("u1"), digest("u2"), digest("u1")],
            11..=12 => vec![Acl::new(31, "auth", self.rng.word(&["", "ignored"]))],
            13 => {
                let ids = ["127.0.0.1", "127.0.0.0/8", "10.0.0.0/8", "127.0.0.1/32", "0.0.0.0/0", "126.0.0.0/7"];
                vec![Acl::new(perms, "ip", self.rng.word(&ids))]
            }
            14..=15 => vec![Acl::new(perms, "world", "anyone")],
            16 => vec![Acl::new(perms, "world", "anyone"), digest("u2")],
            _ => return Some(open_acl()),
        };
        if !secret {
            acl.push(readers);
        }
        Some(acl)
    }

    fn acl_for(&mut self, path: &Option<String>) -> Option<Vec<Acl>> {
        let secret = path.as_ref().is_some_and(|p| p.contains('%'));
        self.acl(secret)
    }

    // ----- requests

    fn op(&mut self) -> Op {
        let op = self.plain_op();
        // Deformed requests are writes and reads without watch: what they set is the same in both dialects.
        let deformable = matches!(
            op,
            Op::Create { .. }
                | Op::Delete { .. }
                | Op::SetData { .. }
                | Op::SetAcl { .. }
                | Op::GetAcl { .. }
                | Op::Multi { .. }
                | Op::GetEphemerals { .. }
                | Op::GetAllChildrenNumber { .. }
        );
        // Nor do they touch the texts of quotas.
        let deformable = deformable && !self.quotas;
        match self.rng.below(100) {
            0..=2 if deformable => Op::Truncated { of: Box::new(op), keep: self.rng.below(200) as usize },
            3 if deformable => {
                let len = self.rng.range(1..9) as usize;
                Op::Extended { of: Box::new(op), with: self.rng.bytes(len) }
            }
            4..=5
                if matches!(
                    op,
                    Op::Delete { .. } | Op::SetData { .. } | Op::GetAcl { .. } | Op::GetEphemerals { .. }
                ) =>
            {
                let (at, to) = (self.rng.below(80) as usize, self.rng.next() as u8);
                Op::Changed { of: Box::new(op), at, to }
            }
            _ => op,
        }
    }

    fn plain_op(&mut self) -> Op {
        if self.quotas && self.rng.percent(40) {
            return self.consume_quota();
        }
        match self.rng.below(100) {
            0..=21 => self.create(),
            22..=28 => {
                let path = self.path();
                Op::Delete { path, version: self.version() }
            }
            29..=39 => self.set_data(),
            40..=56 => self.read(),
            57..=60 => {
                let path = self.path();
                Op::SetAcl { acl: self.acl_for(&path), path, version: self.version() }
            }
            61..=62 => Op::GetAcl { path: self.path() },
            63..=64 => {
                // `sync-echo-encoding`
                let path = self.path().filter(|p| !p.contains('\u{1f600}'));
                Op::Sync { path }
            }
            65..=66 => Op::Ping { xid: *self.rng.pick(&[-2, -2, -2, 77_777]) },
            67..=74 => self.multi(),
            75..=77 => self.multi_read(),
            78..=80 => Op::WhoAmI,
            81..=82 => self.set_watches(),
            83..=86 => self.add_watch(),
            87..=90 => self.remove_or_check_watches(),
            91..=92 => self.get_ephemerals(),
            93..=94 => {
                // `descendants-of-empty-path`
                let path = self.path().filter(|p| !p.is_empty());
                Op::GetAllChildrenNumber { path }
            }
            95 => self.reconfig(),
            96 => {
                let len = self.rng.below(9) as usize;
                Op::Sasl { token: Some(self.rng.bytes(len)) }
            }
            _ => self.create(),
        }
    }

    /// A write that succeeds unless a quota forbids it.
    fn consume_quota(&mut self) -> Op {
        let dir = self.rng.word(&["/@", "/@/a", "/@/a/b"]);
        if self.rng.percent(60) {
            let (path, flags) = (Some(format!("{dir}/s")), *self.rng.pick(&[2, 2, 3]));
            Op::Create { op: op::CREATE2, path, data: self.data(), acl: Some(open_acl()), flags, ttl: 0 }
        } else {
            Op::SetData { path: Some(dir.into()), data: self.data(), version: -1 }
        }
    }

    fn create(&mut self) -> Op {
        let mut path = self.path();
        let code =
            *self.rng.pick(&[op::CREATE, op::CREATE, op::CREATE2, op::CREATE2, op::CREATE_CONTAINER, op::CREATE_TTL]);
        let (flags, ttl) = match code {
            op::CREATE_TTL => (
                *self.rng.pick(&[5, 5, 5, 6, 6]),
                *self.rng.pick(&[1, 60_000, 3_600_000, (1 << 40) - 1, 1 << 40, 0, -1, i64::MIN]),
            ),
            op::CREATE_CONTAINER => (*self.rng.pick(&[4, 4, 4, 4, 7, -1]), 0),
            _ => (*self.rng.pick(&[0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 7, -1, 5, 6, i32::MAX]), 0),
        };
        // Whether a quota that goes with a session still counts what goes with the same session: `close-event-order`.
        let quota = path.as_deref().is_some_and(|p| p.starts_with("/zookeeper/quota/"));
        let flags = if quota && matches!(flags, 1 | 3) { flags - 1 } else { flags };
        if matches!(flags, 2 | 3 | 6) && self.rng.percent(15) {
            path = path.map(|p| p + "/");
        }
        let acl = if self.rng.percent(60) { Some(open_acl()) } else { self.acl_for(&path) };
        let data = self.data_for(&path);
        Op::Create { op: code, path, data, acl, flags, ttl }
    }

    fn set_data(&mut self) -> Op {
        let path = self.path();
        let data = self.data_for(&path);
        Op::SetData { path, data, version: self.version() }
    }

    fn read(&mut self) -> Op {
        let (path, watch) = match self.rng.below(10) {
            0..=3 => (Some(self.watched(WatchClass::Standard)), true),
            _ => (self.path(), false),
        };
        match self.rng.below(8) {
            0..=1 => Op::Exists { path, watch },
            2..=4 => Op::GetData { path, watch },
            5 => Op::GetChildren { path, watch },
            _ => Op::GetChildren2 { path, watch },
        }
    }

    fn multi(&mut self) -> Op {
        let len = *self.rng.pick(&[0, 1, 2, 2, 3, 3, 4, 6]);
        // Several large values would make a request that is too long: the server closes the connection when it sees that,
        // and whether earlier requests have been answered by then is a race.
        self.in_multi = true;
        let ops = (0..len).map(|_| self.multi_op()).collect();
        self.in_multi = false;
        Op::Multi { ops, terminated: !self.rng.percent(3) }
    }

    fn multi_op(&mut self) -> (i32, Op) {
        if self.rng.percent(3) {
            let op = match self.rng.below(4) {
                // With a null path: `multi-null-read`.
                0 => Op::GetData { path: self.path().or(Some("/".into())), watch: false },
                1 => Op::SetAcl { path: self.path(), acl: Some(open_acl()), version: -1 },
                2 => Op::Sync { path: self.path() },
                _ => Op::Delete { path: self.path(), version: -1 },
            };
            let code = match op {
                Op::GetData { .. } => op::GET_DATA,
                Op::SetAcl { .. } => op::SET_ACL,
                Op::Sync { .. } => op::SYNC,
                _ => *self.rng.pick(&[0, 99, -11, 14]),
            };
            return (code, op);
        }
        let likely = |g: &mut Generator| if g.rng.percent(80) { Some(g.node_under("/@")) } else { g.path() };
        match self.rng.below(10) {
            0..=3 => {
                let op = loop {
                    let op = self.create();
                    // Flags that do not go with the record: `multi-create-flags`.
                    if matches!(&op, Op::Create { op: 1 | 15 | 19, flags: 5.. | ..0, .. }) {
                        continue;
                    }
                    break op;
                };
                let Op::Create { op: code, .. } = op else { unreachable!("create makes creates") };
                (code, op)
            }
            4..=5 => {
                let path = likely(self);
                (op::DELETE, Op::Delete { path, version: self.version() })
            }
            6..=7 => {
                let path = likely(self);
                (op::SET_DATA, Op::SetData { data: self.data_for(&path), path, version: self.version() })
            }
            _ => {
                let path = likely(self);
                (op::CHECK, Op::Check { path, version: self.version() })
            }
        }
    }

    fn multi_read(&mut self) -> Op {
        let len = self.rng.below(5);
        let ops = (0..len)
            .map(|_| match self.rng.below(20) {
                0 => (op::EXISTS, Op::Exists { path: Some("/@".into()), watch: false }),
                1..=10 => (op::GET_DATA, Op::GetData { path: self.path(), watch: false }),
                _ => (op::GET_CHILDREN, Op::GetChildren { path: self.path(), watch: false }),
            })
            .collect();
        Op::MultiRead { ops, terminated: true }
    }

    fn good_auth(&mut self) -> Op {
        let who = self.rng.word(&["u1:p1", "u2:p2", "u1:p1", "no colon", "super:admin", "a:b:c"]);
        // The super user reads everything, also what the comparison of dialects assumes to be unreadable: rarely.
        let who = if who == "super:admin" && self.rng.percent(70) { "u1:p1" } else { who };
        Op::Auth { xid: -4, scheme: Some("digest".into()), auth: Some(who.into()), accepted: true }
    }

    fn bad_auth(&mut self) -> Op {
        let (scheme, auth): (Option<&str>, Option<&[u8]>) = match self.rng.below(6) {
            0 => (Some("digest"), None),
            1 => (Some("world"), Some(b"anyone")),
            2 => (Some("super"), Some(b"x")),
            3 => (Some("nothing"), Some(b"x")),
            4 => (Some("auth"), Some(b"")),
            _ => (Some("sasl"), Some(b"x")),
        };
        Op::Auth { xid: -4, scheme: scheme.map(Into::into), auth: auth.map(<[u8]>::to_vec), accepted: false }
    }

    fn refused(&mut self) -> Op {
        let path = self.node();
        let code = *self.rng.pick(&[
            0,
            10,
            op::CHECK,
            op::DELETE_CONTAINER,
            op::CREATE_SESSION,
            23,
            99,
            108,
            -1,
            -12,
            i32::MAX,
            i32::MIN,
        ]);
        let body = super::support::wire::Enc::new().str(&path).i32(-1).0;
        Op::Refused { op: code, body }
    }

    fn set_watches(&mut self) -> Op {
        let since =
            *self.rng.pick(&[ZxidRef::Zero, ZxidRef::Back(0), ZxidRef::Back(2), ZxidRef::Back(10), ZxidRef::Ahead]);
        let five = self.rng.percent(50);
        let mut lists = Vec::new();
        for i in 0..if five { 5 } else { 3 } {
            let class = match i {
                0..=2 => WatchClass::Standard,
                3 => WatchClass::Persistent,
                _ => WatchClass::Recursive,
            };
            let len = self.rng.below(4);
            lists.push(Some((0..len).map(|_| self.watched(class)).collect()));
        }
        if self.rng.percent(3) {
            // Alone: 3.8.0 works off the lists before it (`set-watches-null-list`).
            let at = self.rng.below(lists.len() as u64) as usize;
            lists.fill(Some(Vec::new()));
            lists[at] = None;
        }
        let xid = if self.rng.percent(80) { -8 } else { 88_888 };
        Op::SetWatches { since, lists, xid }
    }

    fn add_watch(&mut self) -> Op {
        match self.rng.below(12) {
            0 => Op::AddWatch { path: Some("/@/a".into()), mode: *self.rng.pick(&[-1, 2, i32::MAX]) },
            1..=6 => Op::AddWatch { path: Some(self.watched(WatchClass::Persistent)), mode: 0 },
            _ => Op::AddWatch { path: Some(self.watched(WatchClass::Recursive)), mode: 1 },
        }
    }

    fn remove_or_check_watches(&mut self) -> Op {
        let class = *self.rng.pick(&[WatchClass::Standard, WatchClass::Persistent, WatchClass::Recursive]);
        let path = if self.watched.is_empty() || self.rng.percent(20) {
            self.watched(class)
        } else {
            self.rng.pick(&self.watched.clone()).clone()
        };
        let (path, kind) = (Some(path), *self.rng.pick(&[1, 2, 3, 3, 4, 5, 0, 6, -1]));
        // 3.8.0 takes anybody's watch for this connection's (`check-watches-own`).
        if self.solo && self.rng.percent(60) {
            Op::CheckWatches { path, kind }
        } else {
            Op::RemoveWatches { path, kind }
        }
    }

    fn get_ephemerals(&mut self) -> Op {
        let prefix = match self.rng.below(6) {
            0 => None,
            1 => Some(String::new()),
            2 => Some("/".into()),
            3 => Some("/@".into()),
            4 => Some("nothing".into()),
            _ => Some(self.node()),
        };
        Op::GetEphemerals { prefix }
    }

    fn reconfig(&mut self) -> Op {
        Op::Reconfig {
            joining: if self.rng.percent(50) { None } else { Some("server.5=h:1:2;3".into()) },
            leaving: if self.rng.percent(50) { None } else { Some("1".into()) },
            members: None,
            version: *self.rng.pick(&[-1, 0, 5]),
        }
    }
}
