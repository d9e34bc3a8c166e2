//! Those who watch a node, and the one who changes it.

use crate::engine::{Arrived, Clock, Connection, Failure, InFlight, Nanos, SECOND, Stop};
use crate::op::{OpKind, error_name};
use crate::random::Random;
use crate::roaming::{Dialling, Roamer, Stage, Traveller};
use anyhow::{Result, bail};
use ringkeeper_core::jute::{Request, SetData, append_request};
use std::borrow::Cow;
use std::rc::Rc;

/// How long a round may take.
const PATIENCE: Nanos = 30 * SECOND;
/// Handshakes under way at a time: fewer than the shortest usual listen backlog (ZooKeeper's 50).
const HANDSHAKES: usize = 32;

/// One session: the first changes the node, the others watch it.
struct Party {
    node: Rc<str>,
    changes: bool,
    persistent: bool,
    /// The request to send next.
    to_do: bool,
    /// It watches, or its change was answered.
    ready_at: Option<Nanos>,
    sent: Nanos,
    told_at: Option<Nanos>,
    trouble: Option<String>,
}

impl Party {
    fn new(node: &Rc<str>, changes: bool, persistent: bool) -> Party {
        let node = Rc::clone(node);
        Party { node, changes, persistent, to_do: false, ready_at: None, sent: 0, told_at: None, trouble: None }
    }
}

impl Traveller for Party {
    fn established(&mut self, _: &mut Connection, _: Nanos) {
        self.to_do = !self.changes;
    }

    fn ask(&mut self, connection: &mut Connection, now: Nanos) {
        if std::mem::take(&mut self.to_do) {
            let path = Cow::Borrowed(&*self.node);
            let request = match (self.changes, self.persistent) {
                (true, _) => Request::SetData(SetData { path, data: Some(b"changed"), version: -1 }),
                (false, true) => Request::AddWatch { path, mode: 0 },
                (false, false) => Request::GetData { path, watch: true },
            };
            let (out, xid) = connection.request();
            append_request(out, xid, &request);
            connection.sent(InFlight { intended: now, sent: now, tag: 0, kind: OpKind::Get });
            self.sent = now;
        }
    }

    fn heed(&mut self, connection: &mut Connection, arrived: Arrived<'_>, now: Nanos) -> Result<(), Failure> {
        match arrived {
            Arrived::Reply { err: 0, .. } => self.ready_at = Some(now),
            Arrived::Reply { err, .. } => {
                return Err(connection.breach(format!("a watch was answered {}", error_name(err))));
            }
            Arrived::Event { .. } if self.told_at.is_some() => {
                return Err(connection.breach("an event came twice".into()));
            }
            Arrived::Event { .. } => {
                self.told_at = Some(now);
                if !self.persistent {
                    (self.ready_at, self.to_do) = (None, true);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, _: &Connection, failure: &Failure, _: Nanos) {
        self.trouble = Some(failure.to_string());
    }

    fn expired(&mut self, _: Nanos) {}
}

/// All sessions.
pub struct Crowd {
    stage: Stage,
    clock: Clock,
    dialling: Dialling,
    parties: Vec<(Roamer, Party)>,
}

/// When things happened in a round.
pub struct Round {
    /// The change was sent.
    pub sent: Nanos,
    /// It was answered.
    pub answered: Nanos,
    /// Each watcher was told.
    pub told: Vec<Nanos>,
}

impl Crowd {
    /// So many watchers of `node`, and one more session that changes it, spread over the servers in turn.
    ///
    /// # Errors
    /// Those of epoll and of the timer.
    pub fn new(node: &str, (watchers, persistent): (usize, bool), dialling: Dialling, clock: Clock) -> Result<Crowd> {
        let (node, servers) = (Rc::from(node), dialling.servers.len());
        let party =
            |at: usize| (Roamer::new(at, at % servers, Random::new(at as u64)), Party::new(&node, at == 0, persistent));
        let parties = (0..=watchers).map(party).collect();
        Ok(Crowd { stage: Stage::new(clock)?, clock, dialling, parties })
    }

    /// Waits until something is so for all.
    fn until(&mut self, what: &str, stop: &Stop, so: impl Fn(&Roamer, &Party) -> bool) -> Result<()> {
        let deadline = self.clock.now() + PATIENCE;
        while !self.parties.iter().all(|(roamer, party)| so(roamer, party)) {
            if stop.is_set() {
                bail!(Failure::Interrupted);
            }
            if let Some(trouble) = self.parties.iter().find_map(|(_, party)| party.trouble.as_ref()) {
                bail!("{trouble}");
            }
            let now = self.clock.now();
            if now > deadline {
                let n = self.parties.iter().filter(|(roamer, party)| !so(roamer, party)).count();
                let why = self.parties.iter().map(|(roamer, _)| roamer.trouble()).find(|why| !why.is_empty());
                bail!("{what}: {n} sessions still wait after {} s {}", PATIENCE / SECOND, why.unwrap_or(""));
            }
            self.pass(now + SECOND / 100)?;
        }
        Ok(())
    }

    /// Does what is due, and waits for something to happen, at most until `until`.
    fn pass(&mut self, until: Nanos) -> Result<(), Failure> {
        let Crowd { stage, clock, dialling, parties } = self;
        let now = clock.now();
        let mut dialled = parties.iter().filter(|(roamer, _)| roamer.is_dialling()).count();
        for (roamer, party) in parties.iter_mut() {
            if !roamer.is_connected() && !roamer.is_dialling() {
                if dialled >= HANDSHAKES {
                    continue;
                }
                dialled += 1;
            }
            roamer.tend(dialling, stage.registry(), now, party)?;
        }
        stage.sleep(until)?;
        stage.attend(|at, _, scratch| {
            let (roamer, party) = &mut parties[at];
            roamer.serve(dialling, scratch, *clock, party)
        })
    }

    /// One change.
    ///
    /// # Errors
    /// If a connection is lost, or somebody is not told in time; an interrupt.
    pub fn round(&mut self, stop: &Stop) -> Result<Round> {
        self.until("watches", stop, |roamer, party| {
            roamer.is_connected() && (party.changes || party.ready_at.is_some())
        })?;
        for (_, party) in &mut self.parties {
            party.told_at = None;
        }
        let writer = &mut self.parties[0].1;
        (writer.to_do, writer.ready_at) = (true, None);
        self.until(
            "events",
            stop,
            |_, party| if party.changes { party.ready_at.is_some() } else { party.told_at.is_some() },
        )?;
        let writer = &self.parties[0].1;
        let told = self.parties.iter().filter_map(|(_, party)| party.told_at).collect();
        Ok(Round { sent: writer.sent, answered: writer.ready_at.unwrap_or_default(), told })
    }

    /// Closes all sessions. Servers that do not answer within a second are left alone.
    pub fn close(mut self) {
        for (roamer, _) in &mut self.parties {
            roamer.say_goodbye();
        }
        let deadline = self.clock.now() + SECOND;
        while self.parties.iter().any(|(roamer, _)| roamer.is_closing()) && self.clock.now() < deadline {
            // Whatever a server does to a session that is being given up is of no interest.
            let _ = self.pass(self.clock.now() + SECOND / 100);
        }
    }
}
