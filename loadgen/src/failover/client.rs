//! A client: a session that survives its servers, with writes and reads to do.

use super::ledger::{Fate, Ledger, WriteId};
use super::requests::{NO_WRITE, append_read, append_write};
use super::tape::{Loss, Refusal, Sample, Tape};
use crate::engine::{Arrived, Clock, Connection, Failure, InFlight, Nanos, State};
use crate::op::OpKind;
use crate::random::Random;
use crate::roaming::{Dialling, Roamer, Traveller};
use crate::workload::check_body;
use mio::Registry;
use std::collections::VecDeque;

/// An operation of the schedule.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// What.
    pub kind: OpKind,
    /// When it was meant to be sent.
    pub intended: Nanos,
}

/// Where a client writes down what it does and sees.
pub struct Books<'a> {
    /// The writes of all clients.
    pub ledger: &'a mut Ledger,
    /// The round.
    pub tape: &'a mut Tape,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its session.
    pub roamer: Roamer,
    work: Work,
}

/// What a client has to do.
#[derive(Debug)]
struct Work {
    number: usize,
    /// Operations that are due and not sent: there is no connection.
    waiting: VecDeque<Due>,
    /// The newest write that was acknowledged, and when that one was sent.
    newest: Option<(u32, Nanos)>,
}

impl Client {
    /// A client that is pinned to the server `home`, and chooses among the others by `random`.
    pub fn new(number: usize, home: usize, random: Random) -> Client {
        let work = Work { number, waiting: VecDeque::new(), newest: None };
        Client { roamer: Roamer::new(number, home, random), work }
    }

    /// Operations that were neither answered nor given up.
    pub fn unfinished(&self) -> usize {
        self.work.waiting.len() + self.roamer.in_flight()
    }

    /// When the newest acknowledged write was sent.
    pub fn acknowledged(&self) -> Option<Nanos> {
        self.work.newest.map(|(_, sent)| sent)
    }

    /// Takes an operation off the schedule.
    pub fn take(&mut self, due: Due) {
        self.work.waiting.push_back(due);
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
        books: &mut Books<'_>,
    ) -> Result<(), Failure> {
        self.roamer.tend(dialling, registry, now, &mut AtWork { work: &mut self.work, books })
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
        books: &mut Books<'_>,
    ) -> Result<(), Failure> {
        self.roamer.serve(dialling, scratch, clock, &mut AtWork { work: &mut self.work, books })
    }

    /// Gives up what was not answered: nobody waits for it any more.
    pub fn give_up(&mut self, now: Nanos, books: &mut Books<'_>) {
        self.work.waiting.clear();
        self.roamer.give_up(&mut AtWork { work: &mut self.work, books }, now);
    }
}

/// A client and where it writes down what happens.
struct AtWork<'w, 'b> {
    work: &'w mut Work,
    books: &'w mut Books<'b>,
}

impl Traveller for AtWork<'_, '_> {
    fn ask(&mut self, connection: &mut Connection, now: Nanos) {
        let AtWork { work, books } = self;
        while let Some(Due { kind, intended }) = work.waiting.pop_front() {
            let (out, xid) = connection.request();
            let tag = match kind {
                OpKind::Create => append_write(out, xid, work.number, books.ledger),
                _ => append_read(out, xid, work.number, work.newest.map(|(number, _)| number), books.ledger),
            };
            connection.sent(InFlight { intended, sent: now, tag, kind });
        }
    }

    fn heed(&mut self, connection: &mut Connection, arrived: Arrived<'_>, now: Nanos) -> Result<(), Failure> {
        match arrived {
            Arrived::Reply { op, err, body, .. } => {
                check_body(op.kind, err, body).map_err(|what| connection.breach(what))?;
                self.answered(op, err, body, now);
                Ok(())
            }
            Arrived::Event { .. } => Err(connection.breach("event of a watch that nobody left".into())),
            _ => Ok(()),
        }
    }

    fn lost(&mut self, connection: &Connection, failure: &Failure, _: Nanos) {
        if connection.state == State::Closing {
            return;
        }
        let (mut unknown_writes, mut unanswered_reads) = (0, 0);
        for op in &connection.in_flight {
            if op.kind == OpKind::Create {
                let id = WriteId { client: self.work.number, number: op.tag };
                self.books.ledger.settle(id, Fate::Unknown);
                unknown_writes += 1;
            } else {
                unanswered_reads += 1;
            }
        }
        let (client, kind) = (self.work.number, failure.kind());
        self.books.tape.losses.push(Loss { client, kind, unknown_writes, unanswered_reads });
    }

    fn expired(&mut self, _: Nanos) {
        self.books.tape.expired.push(self.work.number);
    }
}

impl AtWork<'_, '_> {
    fn answered(&mut self, op: InFlight, err: i32, body: &[u8], now: Nanos) {
        let (client, books) = (self.work.number, &mut *self.books);
        let write = (op.tag != NO_WRITE).then_some(WriteId { client, number: op.tag });
        match (op.kind, write) {
            (OpKind::Create, Some(id)) => {
                let fate = if err == 0 { Fate::Acknowledged } else { Fate::Refused(err) };
                books.ledger.settle(id, fate);
                if err == 0 {
                    self.work.newest = Some((op.tag, op.sent));
                }
            }
            (OpKind::Get, Some(id)) if !books.ledger.is_found(id, err, body) => {
                let code = crate::op::error_name(err);
                books.tape.stale_reads.push(format!("client {client} did not read its write {}: {code}", id.number));
            }
            _ => {}
        }
        if err == 0 {
            let (kind, intended) = (op.kind, op.intended);
            books.tape.samples.push(Sample { client, kind, intended, answered: now });
        } else {
            books.tape.refusals.push(Refusal { client, kind: op.kind, code: err });
        }
    }
}
