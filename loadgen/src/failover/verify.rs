//! Every write is read back from every server, after each server was brought up to date by a `sync`.

use super::ledger::{Fate, Ledger, WriteId};
use crate::engine::{Clock, Drive, Engine, Failure, Job, Length, Next, Options, Stop, Verdict};
use crate::op::OpKind;
use crate::workload::check_body;
use ringkeeper_core::jute::{Request, append_request};
use serde::Serialize;
use std::borrow::Cow;
use std::net::SocketAddr;

/// Writes named in messages, at most.
const EXAMPLES: usize = 5;
/// Tag of the `sync`.
const SYNC: u32 = u32::MAX;

/// What one server has of the writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Acknowledged writes that are there.
    pub kept: u64,
    /// Acknowledged writes that are not.
    pub lost: Vec<WriteId>,
    /// Refused writes that are there all the same.
    pub done_though_refused: Vec<WriteId>,
    /// For each write of unknown outcome, in their order, whether it is there.
    pub unknown: Vec<bool>,
}

impl Holdings {
    /// A write was looked for.
    pub fn note(&mut self, id: WriteId, fate: Fate, found: bool) {
        match fate {
            Fate::Acknowledged if found => self.kept += 1,
            Fate::Acknowledged => self.lost.push(id),
            Fate::Refused(_) if found => self.done_though_refused.push(id),
            Fate::Refused(_) => {}
            Fate::Unknown | Fate::InFlight => self.unknown.push(found),
        }
    }
}

/// What was found on all servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Servers from which all were read.
    pub servers: usize,
    /// Acknowledged writes that a server does not have, summed over the servers.
    pub lost: u64,
    /// Writes of unknown outcome.
    pub unknown: u64,
    /// Of these, writes that turned out to be done.
    pub unknown_done: u64,
    /// What is wrong, in words.
    pub breaches: Vec<String>,
}

impl Verification {
    /// Compares what the servers have.
    pub fn of(ledger: &Ledger, servers: &[(String, Holdings)]) -> Verification {
        let acknowledged = ledger.writes().filter(|(_, fate)| *fate == Fate::Acknowledged).count() as u64;
        let mut verification = Verification { acknowledged, servers: servers.len(), ..Verification::default() };
        for (server, holdings) in servers {
            verification.lost += holdings.lost.len() as u64;
            verification.complain(ledger, server, "acknowledged writes are lost", &holdings.lost);
            let done = &holdings.done_though_refused;
            verification.complain(ledger, server, "writes that were refused are done", done);
        }
        if let Some((first, holdings)) = servers.first() {
            verification.unknown = holdings.unknown.len() as u64;
            verification.unknown_done = holdings.unknown.iter().filter(|done| **done).count() as u64;
            for (server, others) in &servers[1..] {
                let differ = holdings.unknown.iter().zip(&others.unknown).filter(|(a, b)| a != b).count();
                if differ > 0 {
                    let breach = format!("{server} and {first} differ in {differ} writes of unknown outcome");
                    verification.breaches.push(breach);
                }
            }
        }
        verification
    }

    fn complain(&mut self, ledger: &Ledger, server: &str, what: &str, writes: &[WriteId]) {
        if writes.is_empty() {
            return;
        }
        let path = |id: &WriteId| {
            let mut path = String::new();
            ledger.path(*id, &mut path);
            path
        };
        let examples: Vec<String> = writes.iter().take(EXAMPLES).map(path).collect();
        let more = if writes.len() > EXAMPLES { ", ..." } else { "" };
        self.breaches.push(format!("{server}: {} {what}: {}{more}", writes.len(), examples.join(", ")));
    }
}

/// Reads all writes back from one server.
///
/// # Errors
/// Those of the connection.
pub fn read_back(ledger: &Ledger, server: SocketAddr, options: &Options, clock: Clock) -> Result<Holdings, Failure> {
    let writes: Vec<(WriteId, Fate)> = ledger.writes().collect();
    let mut job = ReadBack { ledger, writes: &writes, next: None, holdings: Holdings::default(), path: String::new() };
    // An interrupt that ended the load does not end this.
    let mut engine = Engine::open(&[server], options.clone(), clock, Stop::default(), |_| {})?;
    let driven = engine.drive(Drive { job: &mut job, pacer: None, length: Length::Job }, None);
    engine.close();
    driven.map(|_| job.holdings)
}

/// A `sync`, then a read of each write in its order.
struct ReadBack<'l> {
    ledger: &'l Ledger,
    writes: &'l [(WriteId, Fate)],
    /// The next to read; `None` before the `sync`.
    next: Option<usize>,
    holdings: Holdings,
    path: String,
}

impl Job for ReadBack<'_> {
    fn next(&mut self, _: usize, out: &mut Vec<u8>, xid: i32) -> Next {
        let Some(at) = self.next else {
            self.next = Some(0);
            append_request(out, xid, &Request::Sync { path: Some(Cow::Borrowed(self.ledger.root())) });
            return Next::Ask(OpKind::Sync, SYNC);
        };
        let Some((id, _)) = self.writes.get(at) else { return Next::NoMore };
        self.ledger.path(*id, &mut self.path);
        append_request(out, xid, &Request::GetData { path: Cow::Borrowed(&self.path), watch: false });
        self.next = Some(at + 1);
        Next::Ask(OpKind::Get, at as u32)
    }

    fn answered(&mut self, kind: OpKind, tag: u32, err: i32, body: &[u8]) -> Verdict {
        check_body(kind, err, body)?;
        match (kind, err) {
            (OpKind::Sync, 0) => {}
            (OpKind::Get, 0 | NO_NODE) => {
                let (id, fate) = self.writes[tag as usize];
                self.holdings.note(id, fate, self.ledger.is_found(id, err, body));
            }
            _ => return Err(format!("{} was answered {}", kind.name(), crate::op::error_name(err))),
        }
        Ok(())
    }
}

const NO_NODE: i32 = -101;

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger of one client with one write of each fate, and their ids.
    fn ledger() -> (Ledger, [WriteId; 4]) {
        let mut ledger = Ledger::new("/p", 1, 1, 10);
        let fates = [Fate::Acknowledged, Fate::Refused(-101), Fate::Unknown, Fate::Acknowledged];
        let ids = fates.map(|fate| {
            let id = ledger.begin(0);
            ledger.settle(id, fate);
            id
        });
        (ledger, ids)
    }

    /// What a server has that holds the writes of these numbers.
    fn holding(ledger: &Ledger, numbers: &[u32]) -> (String, Holdings) {
        let mut holdings = Holdings::default();
        for (id, fate) in ledger.writes() {
            holdings.note(id, fate, numbers.contains(&id.number));
        }
        ("s".into(), holdings)
    }

    #[test]
    fn servers_that_have_what_was_acknowledged_are_fine_whatever_became_of_unknown_writes() {
        let (ledger, _) = ledger();
        for (numbers, done) in [(vec![0, 3], 0), (vec![0, 2, 3], 1)] {
            let found = Verification::of(&ledger, &[holding(&ledger, &numbers), holding(&ledger, &numbers)]);
            assert_eq!((found.acknowledged, found.servers, found.lost), (2, 2, 0));
            assert_eq!((found.unknown, found.unknown_done), (1, done));
            assert!(found.breaches.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn an_acknowledged_write_that_one_server_lacks_is_lost() {
        let (ledger, _) = ledger();
        let found = Verification::of(&ledger, &[holding(&ledger, &[0, 3]), holding(&ledger, &[0])]);
        assert_eq!(found.lost, 1);
        assert_eq!(found.breaches, ["s: 1 acknowledged writes are lost: /p/failover-00000001/c00/n00000003"]);
    }

    #[test]
    fn a_refused_write_that_is_there_is_a_breach() {
        let (ledger, _) = ledger();
        let found = Verification::of(&ledger, &[holding(&ledger, &[0, 1, 3])]);
        assert_eq!((found.lost, found.breaches.len()), (0, 1), "{found:?}");
        assert!(found.breaches[0].contains("refused"));
    }

    #[test]
    fn servers_that_differ_in_an_unknown_write_are_a_breach() {
        let (ledger, _) = ledger();
        let found = Verification::of(&ledger, &[holding(&ledger, &[0, 2, 3]), holding(&ledger, &[0, 3])]);
        assert_eq!(found.breaches, ["s and s differ in 1 writes of unknown outcome"]);
    }

    #[test]
    fn a_server_is_brought_up_to_date_before_anything_is_read_from_it() {
        let (ledger, _) = ledger();
        let writes: Vec<(WriteId, Fate)> = ledger.writes().collect();
        let (next, holdings, path) = (None, Holdings::default(), String::new());
        let mut job = ReadBack { ledger: &ledger, writes: &writes, next, holdings, path };
        let mut asked = || match job.next(0, &mut Vec::new(), 1) {
            Next::Ask(kind, tag) => Some((kind, tag)),
            _ => None,
        };
        assert_eq!(asked(), Some((OpKind::Sync, SYNC)));
        let gets: Vec<_> = core::iter::from_fn(asked).collect();
        assert_eq!(gets, [0, 1, 2, 3].map(|at| (OpKind::Get, at)), "every write, whatever became of it");
    }

    #[test]
    fn a_value_that_is_not_what_was_written_is_no_find() {
        use ringkeeper_core::jute::{Response, Writer};
        let (ledger, ids) = ledger();
        let body = |id: WriteId| {
            let (mut value, mut body) = (Vec::new(), Vec::new());
            ledger.value(id, &mut value);
            let stat = ringkeeper_core::stat::Stat::default();
            Response::Data { data: Some(&value), stat }.encode(&mut Writer::new(&mut body));
            body
        };
        assert!(ledger.is_found(ids[0], 0, &body(ids[0])));
        assert!(!ledger.is_found(ids[0], 0, &body(ids[3])));
        assert!(!ledger.is_found(ids[0], -101, &[]));
    }
}
