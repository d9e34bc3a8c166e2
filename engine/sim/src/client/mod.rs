//! A client, as libraries are: it keeps its session over connections, asks for several things at a time, and holds every
//! answer against the history. Some take a server that is read-only while they find no other.

mod answers;
mod ask;
mod read_only;
mod restore;
mod watches;

use crate::plan::Plan;
use crate::time::{MS, Time};
use crate::world::ToClient;
use crate::world::World;
use ask::Asked;
use restore::Restoring;
use ringkeeper_core::ids::{SessionId, Zxid};
use ringkeeper_core::jute::{ConnectRequest, append_connect_request};
use ringkeeper_txnlog::sim::Rng;
use std::collections::VecDeque;
use watches::Watching;

/// The length before each frame.
const PREFIX: usize = 4;

/// How far the connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Down,
    Greeting,
    Open,
}

/// A session, as its client knows it.
#[derive(Clone, Debug)]
struct Session {
    id: SessionId,
    passwd: Vec<u8>,
    /// Only one server knows it, and takes no writes.
    read_only: bool,
}

/// See the module.
pub struct Client {
    name: usize,
    rng: Rng,
    at: usize,
    wire: Option<usize>,
    phase: Phase,
    session: Option<Session>,
    timeout_ms: i32,
    xid: i32,
    /// The newest zxid of an answer.
    last_zxid: Zxid,
    /// The newest zxid of a write of its own in this session.
    last_write: Zxid,
    waiting: VecDeque<Asked>,
    watching: Watching,
    heard: Time,
    sent: Time,
    silent_until: Time,
    stopped: bool,
    /// An answer to something asked for after this time is waited for.
    wanted_since: Time,
    answered: bool,
    /// When the last write was asked for that the leader must have seen, since it was acknowledged.
    vouched: Time,
    /// It has asked for the end of its session.
    closing: bool,
    restoring: Restoring,
    /// A read-only server will do while there is no other.
    takes_read_only: bool,
}

impl Client {
    /// Not connected.
    #[must_use]
    pub fn new(name: usize, plan: &Plan, rng: &mut Rng) -> Client {
        Client {
            name,
            rng: Rng::new(rng.next_u64()),
            at: name % plan.limits.servers(),
            wire: None,
            phase: Phase::Down,
            session: None,
            timeout_ms: (plan.limits.session_timeout / MS) as i32,
            xid: 0,
            last_zxid: Zxid::ZERO,
            last_write: Zxid::ZERO,
            waiting: VecDeque::new(),
            watching: Watching::default(),
            heard: 0,
            sent: 0,
            silent_until: 0,
            stopped: false,
            wanted_since: 0,
            answered: false,
            vouched: 0,
            closing: false,
            restoring: Restoring::default(),
            takes_read_only: plan.limits.read_only_after.is_some() && name % 2 == 1,
        }
    }

    fn timeout(&self) -> Time {
        self.timeout_ms as Time * MS
    }

    /// Does what is due.
    pub fn act(&mut self, world: &mut World) {
        if world.now < self.silent_until {
            return;
        }
        let Some(wire) = self.wire else { return self.connect(world) };
        // As the Java client: no answer for two thirds of the timeout, and another server is tried.
        let owed = !self.waiting.is_empty() || self.phase == Phase::Greeting;
        if owed && world.now - self.heard > self.timeout() * 2 / 3 {
            world.trace.say(world.now, || format!("client {} gives server {} up", self.name, self.at));
            world.hang_up(wire);
            return self.disconnected(world);
        }
        if self.phase == Phase::Open && !self.looks_elsewhere(world, wire) {
            self.ask(world, wire);
        }
    }

    fn connect(&mut self, world: &mut World) {
        if self.stopped && self.session.is_none() {
            return;
        }
        let Some(wire) = world.connect(self.name, self.at) else {
            self.at = self.rng.below(world.servers() as u64) as usize;
            return;
        };
        let session = self.session.as_ref();
        let blank = vec![0; 16];
        let mut bytes = Vec::new();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid.wire(),
            timeout_ms: self.timeout_ms,
            session_id: session.map_or(0, |session| session.id.0),
            passwd: Some(session.map_or(&blank, |session| &session.passwd)),
            read_only: Some(self.takes_read_only),
        };
        append_connect_request(&mut bytes, &request);
        let asks_for = session.map(|session| session.id);
        world.trace.say(world.now, || format!("client {} connects to server {} for {asks_for:?}", self.name, self.at));
        world.send_frame(wire, bytes[PREFIX..].to_vec());
        (self.wire, self.phase, self.heard, self.sent) = (Some(wire), Phase::Greeting, world.now, world.now);
    }

    /// The connection is gone, or given up.
    fn disconnected(&mut self, world: &mut World) {
        if self.phase == Phase::Open {
            world.seen.note("connection lost");
        }
        world.seen.add("unknown outcomes", self.waiting.iter().filter(|asked| asked.is_write()).count() as u64);
        self.waiting.clear();
        self.restoring.give_up();
        (self.wire, self.phase) = (None, Phase::Down);
        self.at = self.rng.below(world.servers() as u64) as usize;
    }

    /// Something has come over a connection.
    pub fn receive(&mut self, world: &mut World, wire: usize, what: ToClient) {
        if self.wire != Some(wire) {
            // A connection that it has left.
            return;
        }
        match what {
            ToClient::Closed if self.phase == Phase::Greeting => {
                self.turned_away(world);
                self.disconnected(world);
            }
            ToClient::Closed => {
                let session = self.session.as_ref().filter(|_| self.phase == Phase::Open);
                // One that the restore of an older state has ended cannot keep its connection.
                let goes_on = session.is_some_and(|session| !world.check.was_ended_by_restore(session.id));
                if goes_on && world.is_running(self.at) {
                    world.seen.note("connection closed by a server that lives");
                    let waiting = &self.waiting;
                    world
                        .trace
                        .say(world.now, || format!("client {}: server {} closes, {waiting:?}", self.name, self.at));
                }
                self.disconnected(world);
            }
            ToClient::Bytes(bytes) => {
                self.heard = world.now;
                self.read(world, &bytes);
            }
        }
    }

    /// Goes to another server, and says nothing to the one that it leaves: what it has sent there may still be on its
    /// way when it comes back elsewhere.
    pub fn move_away(&mut self, world: &mut World) {
        if self.phase == Phase::Open {
            world.seen.note("client moved");
            world.trace.say(world.now, || format!("client {} leaves server {}", self.name, self.at));
            self.disconnected(world);
            self.connect(world);
        }
    }

    /// Neither asks nor pings until then.
    pub fn fall_silent(&mut self, until: Time) {
        self.silent_until = until;
    }

    /// Asks for nothing more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether it waits for nothing.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.phase != Phase::Greeting
    }

    /// From now on, waits for a write that it asks for after that time to be executed.
    pub fn wants_an_answer(&mut self, since: Time) {
        (self.wanted_since, self.answered) = (since, false);
        self.silent_until = self.silent_until.min(since);
    }

    /// Whether that has come about.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.answered
    }

    /// For the report of a run that does not come to an end.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "client {} at server {}: {:?}, answered: {}, waits for {:?}",
            self.name, self.at, self.phase, self.answered, self.waiting
        )
    }
}
