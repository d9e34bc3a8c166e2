//! A client that writes down what it asks and what it sees.

use super::history::{Answer, Ask, Entry, History, Op};
use super::script::Script;
use super::wire;
use crate::engine::{Arrived, Clock, Connection, Failure, InFlight, Nanos, State};
use crate::op::OpKind;
use crate::random::Random;
use crate::roaming::{Dialling, Roamer, Traveller};
use mio::Registry;
use std::collections::{BTreeMap, VecDeque};

/// A client.
pub struct Client {
    /// Its session.
    pub roamer: Roamer,
    work: Work,
}

/// What it has to do.
struct Work {
    number: u32,
    /// The session, while there is one.
    session: i64,
    /// What is in flight: when it was sent, and what it is.
    asked: VecDeque<(Nanos, Ask)>,
    /// What is to be asked, whatever comes back.
    waiting: VecDeque<Ask>,
    /// Watches that have not fired: path and whether they are for children; whether the node was there.
    watches: BTreeMap<(String, bool), bool>,
    /// The watches are to be told to a server that does not know them.
    watches_lost: bool,
    newest_zxid: i64,
    script: Option<Script>,
    /// Nodes that were listed are visited: their data and children are read as well.
    visits: bool,
}

impl Client {
    /// A client at the server `home`.
    pub fn new(number: u32, home: usize, random: Random) -> Client {
        let work = Work {
            number,
            session: 0,
            asked: VecDeque::new(),
            waiting: VecDeque::new(),
            watches: BTreeMap::new(),
            watches_lost: false,
            newest_zxid: 0,
            script: None,
            visits: false,
        };
        Client { roamer: Roamer::new(number as usize, home, random), work }
    }

    /// One that follows a script, as operations are handed out to it.
    pub fn with_script(mut self, script: Script) -> Client {
        self.work.script = Some(script);
        self.roamer.may_leave();
        self
    }

    /// One that asks this, and, if it `visits`, reads what it finds listed.
    pub fn with_list(mut self, asks: impl IntoIterator<Item = Ask>, visits: bool) -> Client {
        self.work.waiting.extend(asks);
        self.work.visits = visits;
        self
    }

    /// Operations that are neither answered nor given up.
    pub fn unfinished(&self) -> usize {
        self.work.waiting.len() + self.work.asked.len()
    }

    /// Takes the next operation of its script, unless `depth` wait already.
    pub fn take(&mut self, depth: usize) {
        if self.unfinished() < depth
            && let Some(script) = &mut self.work.script
        {
            self.work.waiting.push_back(script.next());
        }
    }

    /// Connects, sends what is due, keeps the session alive.
    ///
    /// # Errors
    /// Those of the registration.
    pub fn tend(
        &mut self,
        dialling: &Dialling,
        registry: &Registry,
        now: Nanos,
        history: &mut History,
    ) -> Result<(), Failure> {
        self.roamer.tend(dialling, registry, now, &mut AtWork { work: &mut self.work, history })
    }

    /// Something happened on its socket.
    ///
    /// # Errors
    /// A breach of the protocol.
    pub fn serve(
        &mut self,
        dialling: &Dialling,
        scratch: &mut [u8],
        clock: Clock,
        history: &mut History,
    ) -> Result<(), Failure> {
        self.roamer.serve(dialling, scratch, clock, &mut AtWork { work: &mut self.work, history })
    }

    /// Closes its session, if that can be done.
    pub fn close(&mut self, now: Nanos) {
        self.work.waiting.clear();
        if self.roamer.say_goodbye() {
            self.work.asked.push_back((now, Ask::Close));
        }
    }

    /// Gives up what was not answered.
    pub fn give_up(&mut self, now: Nanos, history: &mut History) {
        self.work.waiting.clear();
        self.roamer.give_up(&mut AtWork { work: &mut self.work, history }, now);
        AtWork { work: &mut self.work, history }.forget();
    }
}

/// A client and where it writes down what happens.
struct AtWork<'w> {
    work: &'w mut Work,
    history: &'w mut History,
}

impl AtWork<'_> {
    fn note(&mut self, called: Nanos, ask: Ask, answered: Option<(Nanos, i64, i32, Answer)>) {
        let (client, session) = (self.work.number, self.work.session);
        let (returned, zxid, err, answer) = match answered {
            Some((at, zxid, err, answer)) => (Some(at), zxid, err, answer),
            None => (None, 0, 0, Answer::Nothing),
        };
        self.history.note(Entry::Op(Op { client, session, called, returned, zxid, err, ask, answer }));
    }

    /// Nobody knows what becomes of what is in flight.
    fn forget(&mut self) {
        while let Some((called, ask)) = self.work.asked.pop_front() {
            self.note(called, ask, None);
        }
    }

    /// What follows from an answer for what is asked later.
    fn learn(&mut self, ask: &Ask, err: i32, answer: &Answer) {
        let work = &mut *self.work;
        match ask {
            // A get of a node that is not there leaves no watch.
            Ask::Get { path, watch: true } if err == 0 => drop(work.watches.insert((path.clone(), false), true)),
            Ask::Exists { path, watch: true } => drop(work.watches.insert((path.clone(), false), err == 0)),
            Ask::Children { path, watch: true } if err == 0 => drop(work.watches.insert((path.clone(), true), true)),
            _ => {}
        }
        if let Some(script) = &mut work.script {
            match (ask, answer) {
                (Ask::Create { sequential: true, .. }, Answer::Created(path, _)) => script.made(path),
                (Ask::Get { path, .. } | Ask::Set { path, .. }, Answer::Data(_, stat) | Answer::Stat(stat)) => {
                    script.saw(path, stat.version);
                }
                _ => {}
            }
        }
        if let (true, Ask::Children { path, .. }, Answer::Children(names, _)) = (work.visits, ask, answer) {
            for name in names {
                let path = format!("{path}/{name}");
                work.waiting
                    .extend([Ask::Get { path: path.clone(), watch: false }, Ask::Children { path, watch: false }]);
            }
        }
    }
}

impl Traveller for AtWork<'_> {
    fn established(&mut self, connection: &mut Connection, now: Nanos) {
        let work = &mut *self.work;
        if work.session != connection.session() {
            (work.session, work.newest_zxid) = (connection.session(), 0);
            work.watches.clear();
        }
        work.watches_lost = !work.watches.is_empty();
        self.history.note(Entry::Session {
            client: work.number,
            session: work.session,
            at: now,
            timeout_ms: connection.timeout() / 1_000_000,
            server: connection.server.to_string(),
        });
    }

    fn ask(&mut self, connection: &mut Connection, now: Nanos) {
        let work = &mut *self.work;
        if std::mem::take(&mut work.watches_lost) {
            let of = |children: bool, there: bool| -> Vec<String> {
                let ours = work.watches.iter().filter(|((_, child), existed)| (*child, **existed) == (children, there));
                ours.map(|((path, _), _)| path.clone()).collect()
            };
            let (data, exist, child) = (of(false, true), of(false, false), of(true, true));
            work.waiting.push_front(Ask::SetWatches { since: work.newest_zxid, data, exist, child });
        }
        while let Some(ask) = work.waiting.pop_front() {
            let (out, xid) = connection.request();
            wire::append(out, xid, &ask);
            connection.sent(InFlight { intended: now, sent: now, tag: 0, kind: OpKind::Get });
            work.asked.push_back((now, ask));
        }
    }

    fn heed(&mut self, connection: &mut Connection, arrived: Arrived<'_>, now: Nanos) -> Result<(), Failure> {
        match arrived {
            Arrived::Reply { zxid, err, body, .. } => {
                let Some((called, ask)) = self.work.asked.pop_front() else {
                    return Err(connection.breach("reply to what was not asked".into()));
                };
                let answer = wire::answer(&ask, err, body)
                    .map_err(|error| connection.breach(format!("reply to {ask} of {} bytes: {error}", body.len())))?;
                let err = wire::code(err, &answer);
                self.work.newest_zxid = self.work.newest_zxid.max(zxid);
                self.learn(&ask, err, &answer);
                self.note(called, ask, Some((now, zxid, err, answer)));
            }
            Arrived::Event { zxid, event } => {
                let path = event.path.into_owned();
                if event.kind != ringkeeper_core::jute::WatcherEvent::CHILDREN_CHANGED {
                    self.work.watches.remove(&(path.clone(), false));
                }
                if matches!(event.kind, 2 | 4) {
                    self.work.watches.remove(&(path.clone(), true));
                }
                let (client, session) = (self.work.number, self.work.session);
                self.history.note(Entry::Event { client, session, at: now, zxid, kind: event.kind, path });
            }
            Arrived::Farewell { zxid } => {
                if let Some((called, ask)) = self.work.asked.pop_front() {
                    self.note(called, ask, Some((now, zxid, 0, Answer::Nothing)));
                }
                // Events may still come.
            }
            Arrived::Session | Arrived::Pong { .. } => {}
        }
        Ok(())
    }

    fn lost(&mut self, connection: &Connection, failure: &Failure, now: Nanos) {
        self.forget();
        let (client, session) = (self.work.number, self.work.session);
        if connection.state != State::Closing {
            self.history.note(Entry::Lost { client, session, at: now, why: failure.kind().into() });
        }
    }

    fn expired(&mut self, now: Nanos) {
        let (client, session) = (self.work.number, self.work.session);
        self.history.note(Entry::Expired { client, session, at: now });
    }
}
