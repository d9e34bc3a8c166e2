//! What is done to the tree before and after a measurement: keys are made, leftovers removed.

use crate::engine::{Drive, Engine, Failure, Job, Length, Next, Verdict};
use crate::keyspace::KeySpace;
use crate::live::Progress;
use crate::op::{OpKind, error_name};
use crate::random::Random;
use crate::workload::{Sizes, Values, check_body, create};
use ringkeeper_core::jute::append_request;
use ringkeeper_core::jute::{OpCode, Request, Response, SetData};
use std::borrow::Cow;

const NO_NODE: i32 = -101;
const NODE_EXISTS: i32 = -110;
const NOT_EMPTY: i32 = -111;

/// Requests numbered `0..total`, sent pipelined over all connections, each answer judged.
pub struct Batch<'p, Ask, Judge> {
    /// Kind of all the requests.
    pub kind: OpKind,
    /// How many.
    pub total: u64,
    /// How many were asked.
    pub asked: u64,
    /// Appends the request of a number, with an xid.
    pub ask: Ask,
    /// Judges the answer to the request of a number.
    pub judge: Judge,
    /// Shown to the user.
    pub progress: &'p mut Progress,
    /// The first refusal that the judge did not accept: request, error code.
    pub refused: Option<(String, i32)>,
}

/// What a judge thinks of an answer.
pub enum Opinion {
    /// As it should be.
    Fine,
    /// The batch fails; what was asked.
    Refused(String),
}

impl<Ask, Judge> Job for Batch<'_, Ask, Judge>
where
    Ask: FnMut(u64, &mut Vec<u8>, i32),
    Judge: FnMut(u64, i32, &[u8]) -> Opinion,
{
    fn next(&mut self, _: usize, out: &mut Vec<u8>, xid: i32) -> Next {
        if self.asked == self.total || self.refused.is_some() {
            return Next::NoMore;
        }
        let number = self.asked;
        self.asked += 1;
        (self.ask)(number, out, xid);
        Next::Ask(self.kind, number as u32)
    }

    fn answered(&mut self, kind: OpKind, tag: u32, err: i32, body: &[u8]) -> Verdict {
        check_body(kind, err, body)?;
        if let Opinion::Refused(what) = (self.judge)(u64::from(tag), err, body) {
            self.refused.get_or_insert((what, err));
        }
        self.progress.advance(1);
        Ok(())
    }
}

/// Work on the tree through a few sessions of its own.
pub struct Preparation<'e> {
    engine: &'e mut Engine,
    sessions: usize,
    server: String,
    keys: &'e KeySpace,
    quiet: bool,
}

impl<'e> Preparation<'e> {
    /// Works through `engine`, which has so many sessions, and whose servers are called `server` in messages.
    pub fn new(
        (engine, sessions): (&'e mut Engine, usize),
        server: String,
        keys: &'e KeySpace,
        quiet: bool,
    ) -> Preparation<'e> {
        Preparation { engine, sessions, server, keys, quiet }
    }

    fn batch(
        &mut self,
        (kind, total, title): (OpKind, u64, &str),
        ask: impl FnMut(u64, &mut Vec<u8>, i32),
        judge: impl FnMut(u64, i32, &[u8]) -> Opinion,
    ) -> Result<(), Failure> {
        let mut progress = Progress::new(title, total, self.quiet);
        let mut batch = Batch { kind, total, asked: 0, ask, judge, progress: &mut progress, refused: None };
        let drive = Drive { job: &mut batch, pacer: None, length: Length::Job };
        let ended = self.engine.drive(drive, None)?;
        let refused = batch.refused.take();
        progress.finish();
        if ended.interrupted {
            return Err(Failure::Interrupted);
        }
        refused.map_or(Ok(()), |(what, code)| {
            Err(Failure::Refused { server: self.server.clone(), what, code: error_name(code) })
        })
    }

    /// Makes the prefix and its ancestors.
    ///
    /// # Errors
    /// An interrupt, and any refusal but "exists".
    pub fn make_prefix(&mut self) -> Result<(), Failure> {
        for ancestor in self.keys.ancestry() {
            let ask = |_, out: &mut Vec<u8>, xid| append_request(out, xid, &create(Cow::Borrowed(&ancestor), &[]));
            let judge = |_, err, _: &[u8]| accept(&[NODE_EXISTS], err, || format!("create {ancestor}"));
            self.batch((OpKind::Create, 1, ""), ask, judge)?;
        }
        Ok(())
    }

    /// Makes one node, and waits until the server of every session has it.
    ///
    /// # Errors
    /// An interrupt, and any refusal.
    pub fn make_node(&mut self, path: &str) -> Result<(), Failure> {
        let ask = |_, out: &mut Vec<u8>, xid| append_request(out, xid, &create(Cow::Borrowed(path), &[]));
        let judge = |_, err, _: &[u8]| accept(&[], err, || format!("create {path}"));
        self.batch((OpKind::Create, 1, ""), ask, judge)?;
        let mut sync = CatchUp::new(self.sessions, path);
        self.engine.drive(Drive { job: &mut sync, pacer: None, length: Length::Job }, None).map(drop)
    }

    /// Removes one node, and the prefix if it is empty then.
    ///
    /// # Errors
    /// An interrupt, and any refusal but "no such node" and "not empty".
    pub fn remove_node(&mut self, path: &str) -> Result<(), Failure> {
        self.remove(&[path.to_owned()])?;
        self.remove(&[self.keys.prefix().to_owned()])
    }

    /// Makes the prefix and the parents of all keys.
    ///
    /// # Errors
    /// An interrupt, and any refusal but "exists".
    pub fn make_parents(&mut self) -> Result<(), Failure> {
        self.make_prefix()?;
        let keys = self.keys;
        let mut path = String::new();
        let ask = |number, out: &mut Vec<u8>, xid| {
            keys.parent(number, &mut path);
            append_request(out, xid, &create(Cow::Borrowed(&path), &[]));
        };
        let judge = |number, err, _: &[u8]| {
            accept(&[NODE_EXISTS], err, || {
                let mut path = String::new();
                keys.parent(number, &mut path);
                format!("create {path}")
            })
        };
        self.batch((OpKind::Create, keys.parents(), ""), ask, judge)
    }

    /// Makes all keys that are missing, and gives those of a size that does not occur another value. Returns how many
    /// were made or changed.
    ///
    /// # Errors
    /// An interrupt, and any refusal.
    pub fn make_keys(&mut self, sizes: &Sizes, mut random: Random) -> Result<u64, Failure> {
        self.make_parents()?;
        let (missing, other) = self.survey(sizes)?;
        let values = Values::new(sizes, &mut random);
        self.write_keys("creating keys", OpKind::Create, &missing, &values, &mut random)?;
        self.write_keys("resizing keys", OpKind::Set, &other, &values, &mut random)?;
        Ok((missing.len() + other.len()) as u64)
    }

    /// Keys that are missing, and keys whose data have a size that does not occur.
    fn survey(&mut self, sizes: &Sizes) -> Result<(Vec<u32>, Vec<u32>), Failure> {
        let keys = self.keys;
        let (mut missing, mut other) = (Vec::new(), Vec::new());
        let mut path = String::new();
        let ask = |number, out: &mut Vec<u8>, xid| {
            keys.key(number, &mut path);
            append_request(out, xid, &Request::Exists { path: Cow::Borrowed(&path), watch: false });
        };
        let judge = |number, err, body: &[u8]| {
            match Response::decode(OpCode::Exists, body) {
                _ if err == NO_NODE => missing.push(number as u32),
                Ok(Response::Stat(stat)) if !sizes.admit(stat.data_length as usize) => other.push(number as u32),
                _ => {}
            }
            accept(&[NO_NODE], err, || "exists".into())
        };
        self.batch((OpKind::Exists, keys.keys(), ""), ask, judge)?;
        Ok((missing, other))
    }

    fn write_keys(
        &mut self,
        title: &str,
        kind: OpKind,
        which: &[u32],
        values: &Values,
        random: &mut Random,
    ) -> Result<(), Failure> {
        let keys = self.keys;
        let mut path = String::new();
        let ask = |number: u64, out: &mut Vec<u8>, xid| {
            keys.key(u64::from(which[number as usize]), &mut path);
            let path = Cow::Borrowed(path.as_str());
            let data = values.draw(random);
            let request = match kind {
                OpKind::Create => create(path, data),
                _ => Request::SetData(SetData { path, data: Some(data), version: -1 }),
            };
            append_request(out, xid, &request);
        };
        // "Exists" is an answer of a server that was behind when it was surveyed.
        let judge = |_, err, _: &[u8]| accept(&[NODE_EXISTS], err, || format!("{} a key", kind.name()));
        self.batch((kind, which.len() as u64, title), ask, judge)
    }

    /// Removes everything that loadgen made under the prefix, and the prefix if it is empty then. Returns how many
    /// nodes that were.
    ///
    /// # Errors
    /// An interrupt, and any refusal but "no such node" and "not empty".
    pub fn remove_all(&mut self) -> Result<u64, Failure> {
        let prefix = self.keys.prefix().to_owned();
        let parents: Vec<String> = self.list(std::slice::from_ref(&prefix))?;
        let ours = |path: &String| path.rsplit('/').next().is_some_and(KeySpace::is_ours);
        let parents: Vec<String> = parents.into_iter().filter(ours).collect();
        let mut progress = Progress::new("removing nodes", 0, self.quiet);
        let mut removed = 0;
        // A few parents at a time: their children's names are held in memory.
        for some in parents.chunks(16) {
            let children = self.list(some)?;
            self.remove(&children)?;
            self.remove(some)?;
            let step = (children.len() + some.len()) as u64;
            removed += step;
            progress.advance(step);
        }
        progress.finish();
        self.remove(&[prefix])?;
        Ok(removed)
    }

    /// Paths of all children of the given nodes.
    fn list(&mut self, parents: &[String]) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        let ask = |number: u64, out: &mut Vec<u8>, xid| {
            let path = Cow::Borrowed(parents[number as usize].as_str());
            append_request(out, xid, &Request::GetChildren { path, watch: false });
        };
        let judge = |number: u64, err, body: &[u8]| {
            let parent = &parents[number as usize];
            if err == 0
                && let Ok(Response::Strings(names)) = Response::decode(OpCode::GetChildren, body)
            {
                found.extend(names.iter().map(|name| format!("{parent}/{name}")));
            }
            accept(&[NO_NODE], err, || format!("list {parent}"))
        };
        self.batch((OpKind::Children, parents.len() as u64, ""), ask, judge)?;
        Ok(found)
    }

    fn remove(&mut self, paths: &[String]) -> Result<(), Failure> {
        let ask = |number: u64, out: &mut Vec<u8>, xid| {
            let path = Cow::Borrowed(paths[number as usize].as_str());
            append_request(out, xid, &Request::Delete { path, version: -1 });
        };
        let judge = |number: u64, err, _: &[u8]| {
            accept(&[NO_NODE, NOT_EMPTY], err, || format!("delete {}", paths[number as usize]))
        };
        self.batch((OpKind::Delete, paths.len() as u64, ""), ask, judge)
    }
}

fn accept(codes: &[i32], err: i32, what: impl FnOnce() -> String) -> Opinion {
    if err == 0 || codes.contains(&err) { Opinion::Fine } else { Opinion::Refused(what()) }
}

/// One `sync` on each connection: afterwards its server has all that the preparation wrote.
pub struct CatchUp {
    asked: Vec<bool>,
    path: String,
}

impl CatchUp {
    /// For so many connections.
    pub fn new(connections: usize, path: &str) -> CatchUp {
        CatchUp { asked: vec![false; connections], path: path.to_owned() }
    }
}

impl Job for CatchUp {
    fn next(&mut self, conn: usize, out: &mut Vec<u8>, xid: i32) -> Next {
        if std::mem::replace(&mut self.asked[conn], true) {
            return if self.asked.iter().all(|asked| *asked) { Next::NoMore } else { Next::NotNow };
        }
        append_request(out, xid, &Request::Sync { path: Some(Cow::Borrowed(&self.path)) });
        Next::Ask(OpKind::Sync, 0)
    }

    fn answered(&mut self, kind: OpKind, _: u32, err: i32, body: &[u8]) -> Verdict {
        check_body(kind, err, body)
    }
}
