//! The nodes under which the writes are, and their removal.

use super::ledger::Ledger;
use crate::engine::{Clock, Drive, Engine, Failure, Length, Options, Stop};
use crate::keyspace::KeySpace;
use crate::live::Progress;
use crate::op::{OpKind, error_name};
use crate::prepare::{Batch, Opinion};
use crate::workload::create;
use ringkeeper_core::jute::{Request, append_request};
use std::borrow::Cow;
use std::net::SocketAddr;

const NO_NODE: i32 = -101;
const NODE_EXISTS: i32 = -110;
const NOT_EMPTY: i32 = -111;

/// A session for work on the tree.
#[derive(Debug)]
pub struct Gardener {
    engine: Engine,
    server: SocketAddr,
    quiet: bool,
}

impl Gardener {
    /// Opens it.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn hire(server: SocketAddr, options: Options, clock: Clock, quiet: bool) -> Result<Gardener, Failure> {
        // An interrupt that ended the load does not end this: what was made is to be removed.
        let engine = Engine::open(&[server], options, clock, Stop::default(), |_| {})?;
        Ok(Gardener { engine, server, quiet })
    }

    /// Makes the prefix and the parents of all writes of `clients` clients.
    ///
    /// # Errors
    /// Any refusal but "exists".
    pub fn plant(&mut self, keys: &KeySpace, ledger: &Ledger, clients: usize) -> Result<(), Failure> {
        let mut paths = keys.ancestry();
        paths.push(ledger.root().to_owned());
        paths.extend((0..clients).map(|client| ledger.parent(client)));
        self.each(OpKind::Create, &paths, &[NODE_EXISTS], "")
    }

    /// Removes all writes and their parents, and the prefix if nothing else is under it.
    ///
    /// # Errors
    /// Any refusal but "no such node" and "not empty".
    pub fn clear(&mut self, keys: &KeySpace, ledger: &Ledger, clients: usize) -> Result<(), Failure> {
        let mut paths: Vec<String> = Vec::new();
        for (id, _) in ledger.writes() {
            let mut path = String::new();
            ledger.path(id, &mut path);
            paths.push(path);
        }
        paths.extend((0..clients).map(|client| ledger.parent(client)));
        paths.extend([ledger.root().to_owned(), keys.prefix().to_owned()]);
        self.each(OpKind::Delete, &paths, &[NO_NODE, NOT_EMPTY], "removing nodes")
    }

    /// Closes the session.
    pub fn dismiss(self) {
        self.engine.close();
    }

    /// One request for each path, in order: they go through one connection.
    fn each(&mut self, kind: OpKind, paths: &[String], accepted: &[i32], title: &str) -> Result<(), Failure> {
        let total = paths.len() as u64;
        let mut progress = Progress::new(title, total, self.quiet);
        let ask = |number: u64, out: &mut Vec<u8>, xid| {
            let path = Cow::Borrowed(paths[number as usize].as_str());
            let request = match kind {
                OpKind::Create => create(path, &[]),
                _ => Request::Delete { path, version: -1 },
            };
            append_request(out, xid, &request);
        };
        let judge = |number: u64, err: i32, _: &[u8]| match err {
            0 => Opinion::Fine,
            err if accepted.contains(&err) => Opinion::Fine,
            _ => Opinion::Refused(format!("{} {}", kind.name(), paths[number as usize])),
        };
        let mut batch = Batch { kind, total, asked: 0, ask, judge, progress: &mut progress, refused: None };
        let drive = Drive { job: &mut batch, pacer: None, length: Length::Job };
        self.engine.drive(drive, None)?;
        let refused = batch.refused.take();
        progress.finish();
        refused.map_or(Ok(()), |(what, code)| {
            Err(Failure::Refused { server: self.server.to_string(), what, code: error_name(code) })
        })
    }
}
