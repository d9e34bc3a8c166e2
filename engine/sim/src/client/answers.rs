//! What a client is told, held against the history.

use super::ask::{Asked, PAIR, What};
use super::watches::Kind;
use super::{Client, PREFIX, Phase, Session};
use crate::check::View;
use crate::time::MS;
use crate::world::World;
use ringkeeper_core::error_code::ErrorCode;
use ringkeeper_core::ids::{SessionId, Zxid};
use ringkeeper_core::jute::{ConnectResponse, MultiResult, OpCode, ReplyHeader, Response, WatcherEvent, first_payload};
use ringkeeper_core::stat::Stat;
use ringkeeper_core::watch::EventType;

/// xid of watch events.
const EVENT: i32 = -1;
const MAX_FRAME: usize = 1 << 20;

impl Client {
    pub(super) fn read(&mut self, world: &mut World, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(payload) = first_payload(rest, MAX_FRAME).expect("servers send whole frames") {
            rest = &rest[PREFIX + payload.len()..];
            match self.phase {
                Phase::Greeting => self.greeted(world, payload),
                Phase::Open => self.told(world, payload),
                Phase::Down => return,
            }
        }
    }

    fn greeted(&mut self, world: &mut World, payload: &[u8]) {
        let response = ConnectResponse::decode(payload).expect("servers speak the protocol");
        let (name, at, ms) = (self.name, self.at, response.timeout_ms);
        let id = SessionId(response.session_id);
        world.trace.say(world.now, || format!("client {name}: server {at} grants {id} {ms} ms"));
        let read_only = response.read_only.expect("it was asked for, so it is told");
        assert!(self.takes_read_only || !read_only, "client {name}: a read-only server is of no use to it");
        if response.timeout_ms == 0 {
            return self.expired(world, read_only);
        }
        match &self.session {
            Some(session) => {
                assert_eq!(session.read_only, read_only, "client {name}: {id} is known to one server, or to all");
                assert_eq!(session.id, id, "client {}: a session that is taken up is the same", self.name);
                world.seen.note("session taken up");
            }
            None => self.last_write = Zxid::ZERO,
        }
        let new = self.session.is_none();
        self.session = Some(Session { id, passwd: response.passwd.to_vec(), read_only });
        self.phase = Phase::Open;
        let Some(wire) = self.wire else { return };
        if !self.watching.is_empty() {
            self.watching.replaying = Some(self.last_zxid);
            self.submit(world, wire, What::SetWatches);
        }
        if new && read_only {
            world.check.opened_read_only(id);
            world.seen.note("read-only session");
        } else if new {
            self.prepare(world, wire);
        }
    }

    /// The session is over.
    fn expired(&mut self, world: &mut World, by_read_only: bool) {
        let session = self.session.take().expect("only a session that there was can be refused");
        if session.read_only || by_read_only {
            return self.over(world, &session);
        }
        let closed = world.check.closed(session.id);
        let (_, at) =
            closed.unwrap_or_else(|| panic!("client {}: {} is refused, but not closed", self.name, session.id));
        // Clocks that are wrong by so much are asked for.
        let least = self.vouched + self.timeout() * 9 / 10;
        assert!(
            self.closing || at >= least || world.check.was_ended_by_restore(session.id),
            "client {}: {} was closed at {} ms, although it was heard from at {} ms",
            self.name,
            session.id,
            at / MS,
            self.vouched / MS
        );
        if !self.closing {
            world.seen.note("session expired");
        }
        self.closing = false;
        self.watching.clear();
        self.disconnected(world);
    }

    fn told(&mut self, world: &mut World, payload: &[u8]) {
        let (header, body) = ReplyHeader::decode(payload).expect("servers speak the protocol");
        if header.xid == EVENT {
            return self.event(world, header.zxid, body);
        }
        let asked = self.waiting.pop_front().unwrap_or_else(|| panic!("client {}: an answer to nothing", self.name));
        assert_eq!(header.xid, asked.xid, "client {}: answers come in the order of the requests", self.name);
        let zxid = Zxid(header.zxid as u64);
        let before = self.last_zxid;
        assert!(zxid >= before, "client {}: {asked:?} is answered with {zxid} after {before}", self.name);
        self.last_zxid = zxid;
        self.watching.seen(&world.check, zxid);
        self.answer(world, &asked, zxid, header.err, body);
    }

    fn event(&mut self, world: &mut World, zxid: i64, body: &[u8]) {
        let event = WatcherEvent::decode(body).expect("servers speak the protocol");
        let kinds = [
            EventType::NodeCreated,
            EventType::NodeDeleted,
            EventType::NodeDataChanged,
            EventType::NodeChildrenChanged,
        ];
        let kind = kinds.into_iter().find(|kind| *kind as i32 == event.kind).expect("an event of a node");
        let zxid = (zxid >= 0).then_some(Zxid(zxid as u64));
        world.seen.note(if zxid.is_some() { "watch events" } else { "watch events after a reconnect" });
        self.watching.fired(&world.check, kind, &event.path, zxid);
    }

    fn answer(&mut self, world: &mut World, asked: &Asked, zxid: Zxid, err: i32, body: &[u8]) {
        let who = format!("client {}: {asked:?} with {zxid} ({err})", self.name);
        if self.is_read_only() && !self.may_be_read(world, asked, err, &who) {
            return;
        }
        match &asked.what {
            What::Data(path, watch) => self.read_is_true(world, &who, path, *watch, (zxid, err), OpCode::GetData, body),
            What::Exists(path, watch) => {
                self.read_is_true(world, &who, path, *watch, (zxid, err), OpCode::Exists, body)
            }
            What::Children(path, watch) => {
                self.read_is_true(world, &who, path, *watch, (zxid, err), OpCode::GetChildren2, body);
            }
            What::SetWatches => self.watching.replayed(&world.check, zxid),
            What::Ping => {}
            What::Sync => {
                assert!(zxid >= asked.floor, "{who}: a sync must show what was acknowledged before: {}", asked.floor);
                assert_eq!(err, 0, "{who}");
            }
            _ => self.written(world, asked, zxid, err, body, &who),
        }
    }

    fn written(&mut self, world: &mut World, asked: &Asked, zxid: Zxid, err: i32, body: &[u8], who: &str) {
        let err = if asked.what == What::Pair && err == 0 { error_of_step(body) } else { err };
        if err == 0 && asked.at >= self.wanted_since {
            self.answered = true;
        }
        if err != 0 {
            assert!(zxid >= asked.floor, "{who}: judged on a state older than {}", asked.floor);
            let allowed = [ErrorCode::NoNode, ErrorCode::NodeExists, ErrorCode::SystemError, ErrorCode::SessionExpired];
            let incomplete = matches!(asked.what, What::Restore(_)) && err == ErrorCode::BadArguments as i32;
            assert!(incomplete || allowed.iter().any(|code| *code as i32 == err), "{who}");
            world.seen.add("restore refused", u64::from(matches!(asked.what, What::Restore(_))));
            return;
        }
        let session = self.session.as_ref().expect("an open connection has a session").id;
        world.check.acknowledged(zxid, session, asked.xid);
        assert!(zxid > asked.floor, "{who}: {} had been acknowledged before it was asked for", asked.floor);
        assert!(zxid > self.last_write, "{who}: the write before it was {}", self.last_write);
        self.last_write = zxid;
        self.vouched = asked.at;
        world.seen.note("acknowledged writes");
        let view = |path: &str| world.check.view(path, zxid);
        match &asked.what {
            What::Create(path) => assert!(made(view(path), zxid), "{who}"),
            What::Set(path) => {
                let Ok(Response::Stat(stat)) = Response::decode(OpCode::SetData, body) else { panic!("{who}") };
                assert_eq!(Some(stat), view(path).map(|view| view.stat), "{who}");
            }
            What::Delete(path) => assert_eq!(view(path), None, "{who}"),
            What::Pair => {
                let both = PAIR.iter().all(|path| view(path).is_some_and(|view| view.stat.mzxid == zxid.wire()));
                assert!(both, "{who}: a multi is done as a whole");
            }
            What::Sequential => {
                let Ok(Response::Path(Some(path))) = Response::decode(OpCode::Create, body) else { panic!("{who}") };
                assert!(made(view(&path), zxid), "{who}");
            }
            What::Stage(path, _) => assert!(made(view(path), zxid), "{who}"),
            What::Restore(path) => {
                assert!(world.check.was_replaced(asked.floor, zxid), "{who}");
                assert_eq!(view(path), None, "{who}: what was put there for the restore goes with it");
                world.seen.note("restores");
            }
            What::Close => self.closed(),
            _ => unreachable!("{who} is no write"),
        }
    }

    pub(super) fn closed(&mut self) {
        self.session = None;
        self.closing = false;
        self.watching.clear();
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one answer")]
    fn read_is_true(
        &mut self,
        world: &World,
        who: &str,
        path: &str,
        watch: bool,
        (zxid, err): (Zxid, i32),
        op: OpCode,
        body: &[u8],
    ) {
        let view = world.check.view(path, zxid);
        let shown: Option<Stat> = if err == 0 {
            match Response::decode(op, body) {
                Ok(Response::Data { data, stat }) => {
                    assert_eq!(data, view.and_then(|view| view.data.as_deref()), "{who}");
                    Some(stat)
                }
                Ok(Response::Stat(stat)) => Some(stat),
                Ok(Response::Children2 { children, stat }) => {
                    assert_eq!(children.len(), stat.num_children as usize, "{who}");
                    Some(stat)
                }
                other => panic!("{who}: {other:?}"),
            }
        } else {
            assert_eq!(err, ErrorCode::NoNode as i32, "{who}");
            None
        };
        // The root has been there before any transaction.
        if path != "/" {
            assert_eq!(shown, view.map(|view| view.stat), "{who}: that is not the state at its zxid");
        }
        if !watch {
            return;
        }
        match (op, shown) {
            (OpCode::GetData | OpCode::Exists, Some(_)) => self.watching.arm(path, Kind::Data, zxid),
            (OpCode::Exists, None) => self.watching.arm(path, Kind::Exists, zxid),
            (OpCode::GetChildren2, Some(_)) => self.watching.arm(path, Kind::Child, zxid),
            _ => {}
        }
    }
}

/// Whether a node came into being with a transaction.
fn made(view: Option<&View>, zxid: Zxid) -> bool {
    view.is_some_and(|view| view.stat.czxid == zxid.wire())
}

/// A multi that is refused because of one of its steps says so only in its body.
fn error_of_step(body: &[u8]) -> i32 {
    let Ok(Response::Multi(results)) = Response::decode(OpCode::Multi, body) else { panic!("no answer to a multi") };
    let error = results.iter().find_map(|result| match result {
        MultiResult::Error(error) if error != 0 => Some(error),
        _ => None,
    });
    error.unwrap_or_default()
}
